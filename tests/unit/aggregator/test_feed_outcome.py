"""What is said about a feed's end."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from services.aggregator.rules.feed_announcements import EVENT_BYTES_LIMIT, outcome_body, outcome_event
from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef, identify
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion, duplicate, failed, judged, report_of, superseded
from shared.schemas.events import FEED_EVENT, FeedCancelled, FeedFailed, FeedProcessed, FeedReprocessFailed, Phase
from shared.schemas.feed_options import FeedOptions, OnError
from shared.schemas.feeds import Counts, FeedError, ProcessingStatus, Recognised
from shared.schemas.issues import Issue, IssueTotal, Severity

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
REF = ObjectRef("uploads", "acme/a.csv", "v1", "e1")
FEED = identify(REF, ObjectFacts(ref=REF, size_bytes=1, last_modified=NOW, metadata={}), "house")[0]
CLAIM = Claimed(feed=FEED, fence=3, attempt=3, owner="w1", started_at=NOW)
COUNTS = Counts(rows_received=10, rows_accepted=6, rows_rejected=3, rows_duplicate=1)


def issue(line: int, raw: str = "x") -> Issue:
    return Issue(code="validation/invalid_quantity", severity=Severity.ERROR, message="no", line=line, raw=raw)


DONE = Conclusion(
    status=ProcessingStatus.DONE,
    counts=COUNTS,
    sha256="0" * 64,
    recognised=Recognised(format="csv", layout="headerless"),
    issue_count=3,
    issue_totals=(IssueTotal(code="validation/invalid_quantity", severity=Severity.ERROR, rows=3),),
    issues=tuple(issue(line) for line in (2, 5, 7)),
)


def test_the_event_and_the_report_carry_the_same_counts_the_rejected_ones_too() -> None:
    event, report = outcome_event(CLAIM, DONE, NOW), report_of(CLAIM, DONE, NOW)
    assert isinstance(event, FeedProcessed)
    assert event.counts == report.summary.counts == COUNTS
    assert event.counts.rows_rejected == 3
    assert [each.line for each in report.issues] == [2, 5, 7]
    assert report.issues_omitted == 0


def test_an_event_is_the_same_however_often_it_is_made_and_another_after_a_takeover() -> None:
    later = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
    first = outcome_event(CLAIM, DONE, NOW)
    assert outcome_event(CLAIM, DONE, later).event_id == first.event_id
    assert first.sequence == 3
    taken_over = outcome_event(replace(CLAIM, fence=4), DONE, NOW)
    assert (taken_over.event_id != first.event_id, taken_over.sequence) == (True, 4)


def test_a_fatal_feed_says_why_and_counts_nothing() -> None:
    error = FeedError(code="format/unknown_layout", message="no layout fits")
    event = outcome_event(CLAIM, failed(error, Phase.READ), NOW)
    assert isinstance(event, FeedFailed)
    assert (event.error, event.counts, event.severity) == (error, Counts(), Severity.ERROR)


def test_a_duplicate_names_the_feed_that_counts() -> None:
    original = UUID(int=7)
    conclusion = duplicate(original, 10, "0" * 64)
    event = outcome_event(CLAIM, conclusion, NOW)
    assert isinstance(event, FeedProcessed)
    assert event.duplicate_of == original
    assert event.counts == Counts(rows_received=10, rows_duplicate=10)
    assert not conclusion.adds_to_totals


def test_an_event_fits_into_a_message_whatever_its_issues() -> None:
    wide = replace(DONE, issues=tuple(issue(line, raw="ü" * 10_000) for line in range(1, 100)))
    event, body = outcome_body(CLAIM, wide, NOW)
    assert isinstance(event, FeedProcessed)
    assert len(body.encode()) <= EVENT_BYTES_LIMIT
    assert 0 < len(event.issues) < 20
    assert FEED_EVENT.validate_json(body) == event


def test_a_report_holds_the_first_thousand_issues_and_says_how_many_it_leaves_out() -> None:
    totals = (IssueTotal(code="validation/invalid_quantity", severity=Severity.ERROR, rows=1_500),)
    many = replace(DONE, issue_totals=totals, issues=tuple(issue(line) for line in range(1, 1_501)), issue_count=2_250)
    report = report_of(CLAIM, many, NOW)
    assert (len(report.issues), report.issues_omitted) == (1_000, 1_250), "counted in issues: a row may have several"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (FeedOptions(), None),
        (FeedOptions(on_error=OnError.SKIP_FILE), "validation/rows_rejected"),
        (FeedOptions(max_rejected_percent=Decimal(30)), None),  # exactly as many as it bears
        (FeedOptions(max_rejected_percent=Decimal("29.9999")), "validation/too_many_rejected"),
        (FeedOptions(max_rejected_percent=Decimal(0)), "validation/too_many_rejected"),
        (FeedOptions(max_rejected_percent=Decimal(100)), None),
    ],
)
def test_how_many_rejected_rows_a_feed_bears(options: FeedOptions, code: str | None) -> None:
    ended = judged(DONE, options)
    assert (ended.error.code if ended.error else None) == code
    if code is None:
        assert ended == DONE
    else:
        assert ended.status is ProcessingStatus.FATAL
        assert ended.phase is Phase.VALIDATE
        assert ended.counts == Counts(rows_received=10, rows_rejected=3, rows_duplicate=1, rows_skipped=6)
        assert (ended.issues, ended.issue_totals) == (DONE.issues, DONE.issue_totals), "they say what to fix"


def test_a_feed_without_rejected_rows_bears_everything() -> None:
    clean = replace(DONE, counts=Counts(rows_received=4, rows_accepted=3, rows_duplicate=1))
    strict = FeedOptions(on_error=OnError.SKIP_FILE, max_rejected_percent=Decimal(0))
    assert judged(clean, strict) == clean


def test_a_reading_anew_that_failed_is_told_with_the_books_that_stand() -> None:
    error = FeedError(code="format/unknown_layout", message="no layout fits")
    event = outcome_event(replace(CLAIM, stands=True), failed(error, Phase.READ), NOW, COUNTS)
    assert isinstance(event, FeedReprocessFailed)
    assert (event.error, event.counts) == (error, COUNTS)


def test_a_version_that_came_too_late_is_told_as_cancelled_by_the_newer_one() -> None:
    event = outcome_event(CLAIM, superseded(UUID(int=9), None), NOW)
    assert isinstance(event, FeedCancelled)
    assert (event.replaced_by, event.counts, event.sequence) == (UUID(int=9), Counts(), 3)


@pytest.mark.parametrize("relation", ["replaces", "corrects"])
def test_report_and_event_name_the_same_related_feed_and_none_of_a_feed_that_failed(relation: str) -> None:
    options = FeedOptions(**{relation: UUID(int=9)})
    applied = replace(DONE, options=options, replaces=options.replaces)
    unreadable = failed(FeedError(code="format/empty_file", message="empty"), Phase.READ, options=options)
    for conclusion, named in ((applied, UUID(int=9)), (unreadable, None)):
        header, event = report_of(CLAIM, conclusion, NOW).header, outcome_event(CLAIM, conclusion, NOW)
        assert isinstance(event, FeedProcessed | FeedFailed)
        assert getattr(header, relation) == getattr(event, relation) == named
        assert header.options == options
