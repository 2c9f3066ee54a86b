"""What an uploader asks for, and how feeds relate to each other, through the whole flow."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.aggregator.apply_feed import Finished
from services.aggregator.errors import CorrectionsCountOn, LeaseLost, MustWait, NoLongerSame, SameContent
from services.aggregator.feed_work import ROUNDS
from services.aggregator.rules.feed_identity import dropped_feed_id
from services.aggregator.rules.version_order import OrderUnknown
from shared.schemas.events import Phase
from shared.schemas.feed_options import OnError
from shared.schemas.feeds import Counts, FeedType, ProcessingStatus, Receipt
from shared.schemas.issues import Severity
from tests.flow.aggregator.line_reader import Gate
from tests.flow.aggregator.memory_buckets import STORED_AT
from tests.flow.aggregator.memory_store import Stored
from tests.flow.aggregator.world import World, open_world
from tests.waiting import until

MIXED = b"shirt,3\nsock\nhat,x\n"
MINTED = UUID("019a0000-0000-7000-8000-000000000001")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def applied(world: World, key: str, content: bytes, **metadata: str) -> Stored:
    ref = world.uploads.put(key, content, **metadata)
    assert await world.flow()(ref) == Finished()
    return world.store.rows[dropped_feed_id(ref)]


def code_of(row: Stored) -> str | None:
    assert row.conclusion
    return row.conclusion.error.code if row.conclusion.error else None


async def test_options_reach_the_reader_the_row_and_the_report(world: World) -> None:
    row = await applied(world, "acme/a.csv", MIXED, charset="cp1252", on_error="continue")
    [request] = world.reader.requests
    assert (request.options.charset, request.options.on_error) == ("cp1252", OnError.CONTINUE)
    assert row.conclusion
    assert row.conclusion.options == request.options
    header = world.error_bucket.reports[row.feed.feed_id].header
    assert (header.options, header.recognised) == (request.options, world.reader.read_feeds[0].recognised)


async def test_an_option_that_cannot_be_meant_is_fatal_before_anything_is_read(world: World) -> None:
    row = await applied(world, "acme/a.csv", MIXED, charset="klingon-8")
    assert code_of(row) == "reference/invalid_option"
    assert world.reader.requests == []
    assert world.error_bucket.reports[row.feed.feed_id].header.options is None


@pytest.mark.parametrize(
    ("options", "code"),
    [({"on_error": "skip_file"}, "validation/rows_rejected"), ({"max_rejected_percent": "39.9"}, "too_many_rejected")],
)
async def test_a_feed_that_bears_no_more_rejected_rows_counts_nothing_and_hands_everything_back(
    world: World, options: dict[str, str], code: str
) -> None:
    row = await applied(world, "acme/a.csv", MIXED, **options)
    assert row.status is ProcessingStatus.FATAL
    assert row.contributions == []
    assert row.conclusion
    assert str(code_of(row)).endswith(code)
    assert row.conclusion.counts == Counts(rows_received=5, rows_rejected=2, rows_skipped=3)
    assert row.conclusion.raw_uri
    assert row.conclusion.rejected_uri
    report = world.error_bucket.reports[row.feed.feed_id]
    assert (report.summary.counts, report.rejected_uri) == (row.conclusion.counts, row.conclusion.rejected_uri)
    assert len(world.error_bucket.rejected[row.feed.feed_id].splitlines()) == 2


async def test_a_feed_with_as_many_rejected_rows_as_it_bears_counts(world: World) -> None:
    row = await applied(world, "acme/a.csv", MIXED, max_rejected_percent="40")
    assert row.status is ProcessingStatus.DONE


async def test_a_replacement_of_what_nobody_knows_is_fatal(world: World) -> None:
    row = await applied(world, "acme/a.csv", MIXED, replaces=str(MINTED))
    assert code_of(row) == "reference/unknown_feed"
    assert world.reader.requests == [], "looked at before it is read"


async def corrected_and_replaced(world: World) -> tuple[Stored, Stored]:
    """The correction, and what takes the place of what it corrects."""
    original = await applied(world, "acme/a.csv", MIXED)
    fixed = await applied(world, "acme/fixed.csv", b"sock,1\n", corrects=str(original.feed.feed_id))
    return fixed, await applied(world, "acme/new.csv", b"shirt,3\nsock,1\n?\n", replaces=str(original.feed.feed_id))


async def test_a_correction_is_read_as_the_feed_that_it_corrects_unless_it_says_otherwise(world: World) -> None:
    original = await applied(
        world, "acme/a.csv", MIXED, decimal_separator=",", date_format="%d/%m/%Y", on_error="continue"
    )
    corrects = str(original.feed.feed_id)
    fixed = await applied(world, "acme/fixed.csv", b"sock,1\n", corrects=corrects)
    read = world.reader.requests[-1].options
    assert (read.decimal_separator, read.date_format) == (",", "%d/%m/%Y")
    assert fixed.conclusion
    assert fixed.conclusion.options == read, "the report says how it was read"
    await applied(world, "acme/own.csv", b"sock,1\nhat,1\n", corrects=corrects, decimal_separator=".")
    assert world.reader.requests[-1].options.decimal_separator == "."


async def test_the_report_of_a_replacement_warns_of_corrections_that_count_on(world: World) -> None:
    fixed, row = await corrected_and_replaced(world)
    assert row.conclusion
    report = world.error_bucket.reports[row.feed.feed_id]
    warning = report.issues[0]
    assert (warning.code, warning.severity) == ("reference/corrections_still_count", Severity.WARNING)
    assert str(fixed.feed.feed_id) in warning.message
    assert [issue.code for issue in report.issues[1:]] == ["validation/invalid_rows"]
    assert report.issues_omitted == 0
    assert tuple(report.summary.issue_totals) == row.conclusion.issue_totals
    assert [(total.code, total.rows) for total in row.conclusion.issue_totals] == [
        ("reference/corrections_still_count", 0),
        ("validation/invalid_rows", 1),
    ]
    assert world.reader.read_feeds[-1].closed == 1
    assert len(world.reader.read_feeds) == 3, "nothing is read twice for it"


async def test_a_replacement_of_a_corrected_feed_needs_one_report_and_one_commit(world: World) -> None:
    """What counts on is looked for before the file is read; it seldom changes meanwhile."""
    steps: list[str] = []
    world.at_every_step(lambda step: steps.append(step) if len(world.store.rows) == 3 else None)
    await corrected_and_replaced(world)
    assert (steps.count("keep_report"), steps.count("commit")) == (1, 1)


async def test_all_reasons_to_go_again_share_one_budget(world: World) -> None:
    """Each alone would be borne; one inside the other, they would keep a worker and the seller's rows for hours."""
    reasons = itertools.cycle(
        [
            *(CorrectionsCountOn([UUID(int=number)]) for number in range(3)),
            *(OrderUnknown(f"v{number}") for number in range(3)),
            SameContent(UUID(int=9), 3),
            NoLongerSame(),
        ]
    )
    commits: list[int] = []

    def change_again(step: str) -> None:
        if step == "commit":
            commits.append(1)
            assert len(commits) < 100
            raise next(reasons)

    world.at_every_step(change_again)
    with pytest.raises(LeaseLost, match="keeps changing"):
        await world.flow()(world.uploads.put("acme/a.csv", b"shirt,3\n"))
    assert len(commits) == ROUNDS


async def test_the_report_of_a_replacement_says_what_was_true_at_its_commit(world: World) -> None:
    """The correction is withdrawn while the report that warns of it is on its way."""
    commits: list[int] = []

    def withdrawn_meanwhile(step: str) -> None:
        if step == "commit" and len(world.store.rows) == 3:
            commits.append(1)
            [fixed] = [row for row in world.store.rows.values() if row.feed.ref.key == "acme/fixed.csv"]
            fixed.replaced_by = UUID(int=1)

    world.at_every_step(withdrawn_meanwhile)
    _, row = await corrected_and_replaced(world)
    assert len(commits) == 2
    assert row.conclusion
    assert [total.code for total in row.conclusion.issue_totals] == ["validation/invalid_rows"]
    assert [issue.code for issue in world.error_bucket.reports[row.feed.feed_id].issues] == ["validation/invalid_rows"]


@pytest.mark.parametrize("relation", ["replaces", "corrects"])
async def test_a_feed_that_is_accepted_and_not_seen_yet_is_waited_for(world: World, relation: str) -> None:
    """Events come in any order: the replacement's may come first."""
    key = f"acme/{MINTED}/old.csv"
    old = world.uploads.put(key, b"shirt,3\nsock\nsock,x\n", feed_id=str(MINTED))
    world.receipts.receipts[MINTED] = receipt = Receipt(
        feed_id=MINTED,
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="old.csv",
        bucket=old.bucket,
        object_key=key,
        size_bytes=8,
        sha256="0" * 64,
        correlation_id="c",
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    new = world.uploads.put("acme/new.csv", b"sock,2\n", **{relation: str(MINTED)})
    with pytest.raises(MustWait):
        await world.flow()(new)
    assert world.store.rows[dropped_feed_id(new)].status is ProcessingStatus.IN_QUEUE
    await world.flow()(old)
    assert await world.flow()(new) == Finished()
    row = world.store.rows[dropped_feed_id(new)]
    assert row.status is ProcessingStatus.DONE
    assert world.store.rows[MINTED].replaced_by == (row.feed.feed_id if relation == "replaces" else None)
    # Another seller's receipt is none of this one's business.
    world.receipts.receipts[MINTED] = receipt.model_copy(update={"seller_id": "bob"})
    del world.store.rows[MINTED]
    assert code_of(await applied(world, "acme/third.csv", b"cap,1\n", **{relation: str(MINTED)})) == (
        "reference/unknown_feed"
    )


async def test_a_late_version_is_not_read_and_says_which_is_newer(world: World) -> None:
    first = world.uploads.put_at("acme/a.csv", b"shirt,3\n", STORED_AT, sequencer="00A1")
    second = world.uploads.put_at("acme/a.csv", b"sock,2\n", STORED_AT, sequencer="00A2")
    for ref in (second, first, first):
        assert await world.flow()(ref) == Finished()
    late = world.store.rows[dropped_feed_id(first)]
    assert late.status is ProcessingStatus.CANCELLED
    assert late.conclusion
    assert late.conclusion.replaced_by == dropped_feed_id(second)
    assert world.error_bucket.reports[late.feed.feed_id].header.replaced_by == dropped_feed_id(second)
    assert len(world.reader.read_feeds) == 1
    assert world.store.commits == 2


async def test_versions_of_one_second_are_told_apart_by_the_buckets_list(world: World) -> None:
    asked: list[str] = []
    world.at_every_step(asked.append)
    first, second = (world.uploads.put("acme/a.csv", content) for content in (b"shirt,3\n", b"sock,2\n"))
    for ref in (second, first):
        await world.flow()(ref)
    assert world.store.rows[dropped_feed_id(first)].status is ProcessingStatus.CANCELLED
    assert [each.product_name for each in world.store.rows[dropped_feed_id(second)].contributions] == ["sock"]
    assert asked.count("list_versions") == 1


async def test_a_newer_version_that_ends_while_an_older_one_is_read_leaves_the_newer_one(world: World) -> None:
    first, second = (
        world.uploads.put_at("acme/a.csv", content, STORED_AT + timedelta(days=n))
        for n, content in enumerate((b"shirt,3\n", b"sock,2\n"))
    )

    gate = world.reader.meanwhile = Gate()
    applying = asyncio.create_task(world.flow("w1")(first))
    await gate.entered()  # it has looked ahead, and there was nothing
    world.reader.meanwhile = lambda: None
    assert await world.flow("w2")(second) == Finished()
    gate.open()
    assert await applying == Finished()
    late = world.store.rows[dropped_feed_id(first)]
    assert (late.status, late.contributions) == (ProcessingStatus.CANCELLED, [])
    assert world.store.rows[dropped_feed_id(second)].status is ProcessingStatus.DONE


async def test_progress_moves_while_a_feed_is_read(world: World) -> None:
    world.limits = replace(world.limits, lease_seconds=0.06)
    gate = world.reader.meanwhile = Gate()
    applying = asyncio.create_task(world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n")))
    await gate.entered()

    async def shown() -> bool:
        return bool(world.only().shown)

    await until(shown)
    fetched = world.only().shown[-1]
    assert (fetched.phase, fetched.percent > 0) == (Phase.RECEIVE, True)
    at_commit: list[Phase] = []
    world.at_every_step(lambda step: at_commit.append(world.only().shown[-1].phase) if step == "commit" else None)
    gate.open()
    assert await applying == Finished()
    assert at_commit == [Phase.STORE], "the last that can be shown until it is over"
