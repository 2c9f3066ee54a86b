"""What is handed back of a feed, to whom, and when not."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.query.errors import FeedNotFinished, NoLongerKept, NoRejectedRows, StoreUnavailable, UnknownFeed
from services.query.hand_back_results import HandBackResults
from services.query.ports import OpenObject
from services.query.rules.confinement import UNCONFINED, Confinement
from shared.schemas.feeds import Counts, FeedError, FeedType, FeedView, ProcessingStatus, Recognised
from shared.schemas.issues import IssueTotal, Severity
from shared.schemas.reports import FeedReport
from tests.flow.query.fakes import FakeErrorBucket

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPORT, REJECTED = "s3://errors/acme/1/report.json", "s3://errors/acme/1/rejected.csv"
CLEAN = Counts(rows_received=2, rows_accepted=2)
LOSSY = Counts(rows_received=2, rows_accepted=1, rows_rejected=1)


def feed(status: ProcessingStatus = ProcessingStatus.DONE, **changed: Any) -> FeedView:
    return FeedView(
        **{
            "feed_id": uuid4(),
            "seller_id": "acme",
            "feed_type": FeedType.TRANSACTIONS,
            "file_name": "März.csv",
            "processing_status": status,
            "counts": CLEAN if status.is_terminal else None,
            "correlation_id": "c",
            "received_at": MOMENT,
            "finished_at": MOMENT,
            **changed,
        }
    )


def flow(known: FeedView, bucket: FakeErrorBucket | None = None) -> HandBackResults:
    async def known_feed(feed_id: UUID, confinement: Confinement) -> FeedView:
        if feed_id != known.feed_id or confinement.hides(known.seller_id):
            raise UnknownFeed
        return known

    return HandBackResults(known_feed, bucket or FakeErrorBucket())


async def read(opened: OpenObject | FeedReport) -> bytes:
    assert not isinstance(opened, FeedReport)
    content = b"".join([chunk async for chunk in opened.chunks()])
    assert len(content) == opened.size_bytes
    await opened.close()
    return content


async def test_both_are_handed_back_as_they_were_stored() -> None:
    bucket = FakeErrorBucket({REPORT: b'{"as": "stored"}', REJECTED: b"line,code\n1,x\n"})
    known = feed(report_uri=REPORT, rejected_uri=REJECTED, counts=LOSSY)
    results = flow(known, bucket)
    assert await read(await results.report(known.feed_id, UNCONFINED)) == b'{"as": "stored"}'
    rows, name = await results.rejected_rows(known.feed_id, Confinement("acme"))
    assert await read(rows) == b"line,code\n1,x\n"
    assert name == "März.rejected.csv"
    assert bucket.asked == [(REPORT, "acme", known.feed_id), (REJECTED, "acme", known.feed_id)]
    assert bucket.still_open == 0


@pytest.mark.parametrize("status", [ProcessingStatus.IN_QUEUE, ProcessingStatus.IN_PROGRESS])
async def test_of_a_feed_that_is_not_finished_there_is_nothing_yet(status: ProcessingStatus) -> None:
    known = feed(status)
    results = flow(known, FakeErrorBucket({REPORT: b"{}", REJECTED: b"x"}))
    for ask in (results.report, results.rejected_rows):
        with pytest.raises(FeedNotFinished, match=str(status)) as refusal:
            await ask(known.feed_id, UNCONFINED)
        assert (refusal.value.status, refusal.value.headers) == (409, {"Retry-After": "5"})


@pytest.mark.parametrize("status", [ProcessingStatus.IN_QUEUE, ProcessingStatus.IN_PROGRESS])
async def test_while_a_feed_is_read_anew_its_earlier_results_can_be_had(status: ProcessingStatus) -> None:
    known = feed(status, report_uri=REPORT, rejected_uri=REJECTED, counts=LOSSY)
    results = flow(known, FakeErrorBucket({REPORT: b"{}", REJECTED: b"x"}))
    assert await read(await results.report(known.feed_id, UNCONFINED)) == b"{}"
    rows, _ = await results.rejected_rows(known.feed_id, UNCONFINED)
    assert await read(rows) == b"x"


async def test_another_sellers_results_look_as_if_they_were_not_there() -> None:
    bucket = FakeErrorBucket({REPORT: b"{}", REJECTED: b"x"})
    known = feed(report_uri=REPORT, rejected_uri=REJECTED)
    results = flow(known, bucket)
    for ask in (results.report, results.rejected_rows):
        with pytest.raises(UnknownFeed):
            await ask(known.feed_id, Confinement("globex"))
    assert bucket.asked == []


async def test_a_feed_without_a_stored_report_has_its_books_for_one() -> None:
    totals = [IssueTotal(code="validation/zero_quantity", severity=Severity.WARNING, rows=1)]
    known = feed(issue_totals=totals, recognised=Recognised(format="csv", layout="header"))
    report = await flow(known).report(known.feed_id, UNCONFINED)
    assert isinstance(report, FeedReport)
    assert (report.header.feed_id, report.header.seller_id, report.header.file_name) == (
        known.feed_id,
        "acme",
        "März.csv",
    )
    assert (report.header.recognised_layout, report.header.created_at) == ("header", MOMENT)
    assert (report.summary.counts, report.summary.issue_totals, report.issues) == (CLEAN, totals, [])
    failed = feed(ProcessingStatus.FATAL, error=FeedError(code="format/archive", message="m"), finished_at=None)
    report = await flow(failed).report(failed.feed_id, UNCONFINED)
    assert isinstance(report, FeedReport)
    assert (report.error, report.header.created_at) == (failed.error, MOMENT)


async def test_no_rejected_rows_and_rows_that_were_not_kept_are_told_apart() -> None:
    clean, lossy = feed(report_uri=REPORT), feed(report_uri=REPORT, counts=LOSSY)
    with pytest.raises(NoRejectedRows):
        await flow(clean).rejected_rows(clean.feed_id, UNCONFINED)
    with pytest.raises(NoLongerKept, match="`report` has the first issues"):
        await flow(lossy).rejected_rows(lossy.feed_id, UNCONFINED)


async def test_what_has_expired_and_what_is_out_of_reach_are_told_apart() -> None:
    known = feed(report_uri=REPORT, rejected_uri=REJECTED, counts=LOSSY)
    for bucket, refusal in ((FakeErrorBucket(), NoLongerKept), (FakeErrorBucket(down=True), StoreUnavailable)):
        results = flow(known, bucket)
        for ask in (results.report, results.rejected_rows):
            with pytest.raises(refusal):
                await ask(known.feed_id, UNCONFINED)
