"""The flow, step by step: what is stored, in which order, and what an interruption leaves behind."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.aggregator.apply_feed import Finished, NotAFeed
from services.aggregator.errors import BooksDoNotClose, LeaseLost, Outage, ReadingHangs
from services.aggregator.feed_work import Limits
from services.aggregator.rules.feed_identity import FeedIdentity, dropped_feed_id
from services.aggregator.rules.feed_lease import HeldElsewhere
from services.aggregator.threaded_reading import ReadingThreads
from shared.schemas.feeds import Counts, ProcessingStatus
from tests.flow.aggregator.line_reader import Gate
from tests.flow.aggregator.memory_buckets import MemoryErrorBucket
from tests.flow.aggregator.world import World, open_world
from tests.waiting import until

MINTED = UUID("019a0000-0000-7000-8000-000000000001")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_a_file_is_counted_stored_and_told(world: World) -> None:
    ref = world.uploads.put("acme/a.csv", b"shirt,3\nsock,2\nshirt,1\n")
    assert await world.flow()(ref) == Finished()
    row = world.only()
    assert row.status is ProcessingStatus.DONE
    assert row.conclusion
    assert row.conclusion.counts == Counts(rows_received=6, rows_accepted=6)
    assert {each.product_name: each.transactions for each in row.contributions} == {"shirt": 4, "sock": 2}
    assert world.wakes == 1
    assert world.error_bucket.reports[row.feed.feed_id].summary.counts == row.conclusion.counts
    assert (row.conclusion.rejected_uri, world.error_bucket.rejected) == (None, {})
    assert world.reader.read_feeds[0].closed == 1
    assert list(world.work_dir.iterdir()) == []


async def test_rejected_rows_are_counted_and_their_report_is_there_before_the_row_names_it(world: World) -> None:
    steps: list[str] = []
    world.at_every_step(steps.append)
    await world.flow()(world.uploads.put("acme/a.csv", b"shirt,3\nsock\nhat,x\n"))
    row = world.only()
    assert row.conclusion
    assert row.conclusion.counts == Counts(rows_received=5, rows_accepted=3, rows_rejected=2)
    assert row.conclusion.report_uri == f"s3://errors/{row.feed.feed_id}/report.json"
    assert world.error_bucket.reports[row.feed.feed_id].summary.counts == row.conclusion.counts
    assert row.conclusion.rejected_uri == f"s3://errors/{row.feed.feed_id}/rejected.csv"
    assert len(world.error_bucket.rejected[row.feed.feed_id].splitlines()) == 2
    assert steps.index("keep_rejected") < steps.index("keep_report") < steps.index("commit")
    assert "keep_raw" not in steps, "the raw file is kept for FATAL feeds only"


async def test_an_unreadable_file_is_fatal_and_kept_with_its_report_first(world: World) -> None:
    steps: list[str] = []
    world.at_every_step(steps.append)
    assert await world.flow()(world.uploads.put("acme/a.pdf", b"%PDF-1.7")) == Finished()
    row = world.only()
    assert row.status is ProcessingStatus.FATAL
    assert row.conclusion
    assert row.conclusion.error
    assert row.conclusion.error.code == "format/unknown_layout"
    assert row.conclusion.counts == Counts()
    assert row.conclusion.raw_uri
    assert world.error_bucket.reports[row.feed.feed_id].error == row.conclusion.error
    assert steps.index("keep_raw") < steps.index("keep_report") < steps.index("commit")
    assert row.contributions == []
    assert world.wakes == 1


async def test_a_file_beyond_the_limit_is_fatal_and_never_downloaded(world: World) -> None:
    steps: list[str] = []
    world.at_every_step(steps.append)
    world.limits = Limits(max_feed_bytes=7, lease_seconds=60, contribution_batch=2)
    await world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n"))
    conclusion = world.only().conclusion
    assert conclusion
    assert conclusion.error
    assert conclusion.error.code == "format/too_large"
    assert conclusion.raw_uri
    assert "download" not in steps


async def test_an_object_that_is_gone_is_fatal(world: World) -> None:
    ref = world.uploads.put(f"acme/{MINTED}/a.csv", b"shirt,1\n", feed_id=str(MINTED))
    world.uploads.delete(ref)
    await world.flow()(ref)
    row = world.only()
    assert row.feed.feed_id == MINTED, "so that the uploader's feed ends too"
    assert row.conclusion
    assert row.conclusion.error
    assert row.conclusion.error.code == "reference/missing_object"
    assert row.conclusion.raw_uri is None


async def test_an_object_that_vanishes_after_it_was_described_is_fatal_too(world: World) -> None:
    ref = world.uploads.put("acme/a.csv", b"shirt,1\n")
    world.uploads.at = lambda step: world.uploads.delete(ref) if step == "download" else None
    world.error_bucket.gone = True
    await world.flow()(ref)
    conclusion = world.only().conclusion
    assert conclusion
    assert conclusion.error
    assert (conclusion.error.code, conclusion.raw_uri) == ("reference/missing_object", None)


@pytest.mark.parametrize("metadata", [{}, {"feed_id": str(MINTED)}])
async def test_a_repeated_event_after_the_object_was_deleted_finds_the_feed_as_it_ended(
    world: World, metadata: dict[str, str]
) -> None:
    ref = world.uploads.put(f"acme/{MINTED}/a.csv", b"shirt,1\n", **metadata)
    await world.flow()(ref)
    world.uploads.delete(ref)
    assert await world.flow()(ref) == Finished()
    assert world.only().status is ProcessingStatus.DONE
    assert world.store.commits == 1


async def test_an_imitated_key_swallows_no_file(world: World) -> None:
    real = world.uploads.put(f"acme/{MINTED}/a.csv", b"shirt,1\n", feed_id=str(MINTED))
    imitation = world.uploads.put(f"acme/{MINTED}/b.csv", b"sock,1\n", feed_id=str(MINTED))
    await world.flow()(real)
    for _ in range(2):
        await world.flow()(imitation)
    assert set(world.store.rows) == {MINTED, dropped_feed_id(imitation)}
    assert all(row.status is ProcessingStatus.DONE for row in world.store.rows.values())
    assert world.store.commits == 2


@pytest.mark.parametrize(
    ("key", "metadata", "code", "seller"),
    [
        ("my shop/a.csv", {}, "reference/invalid_seller", "house"),
        ("acme/a.csv", {"feed_type": "horoscopes"}, "reference/invalid_option", "acme"),
        ("acme/a.csv", {"seller_id": "bob"}, "authorization/seller_mismatch", "acme"),
    ],
)
async def test_what_cannot_be_meant_is_fatal_without_being_read(
    world: World, key: str, metadata: dict[str, str], code: str, seller: str
) -> None:
    await world.flow()(world.uploads.put(key, b"shirt,1\n", **metadata))
    row = world.only()
    assert row.conclusion
    assert row.conclusion.error
    assert (row.conclusion.error.code, row.feed.seller_id) == (code, seller)
    assert row.conclusion.raw_uri
    assert world.reader.read_feeds == []


async def test_a_duplicate_is_read_after_all_if_its_original_counts_no_longer(world: World) -> None:
    first = world.uploads.put("acme/a.csv", b"shirt,3\n")
    await world.flow()(first)
    original = world.only()

    def replaced_meanwhile(step: str) -> None:
        if step == "commit":
            original.replaced_by = MINTED

    world.at_every_step(replaced_meanwhile)
    second = world.uploads.put("acme/b.csv", b"shirt,3\n")
    assert await world.flow()(second) == Finished()
    row = world.store.rows[dropped_feed_id(second)]
    assert row.conclusion
    assert (row.conclusion.duplicate_of, row.conclusion.counts.rows_accepted) == (None, 3)


async def test_the_same_bytes_are_a_duplicate_and_not_read_again(world: World) -> None:
    first = world.uploads.put("acme/a.csv", b"shirt,3\nsock\n")
    second = world.uploads.put("acme/b.csv", b"shirt,3\nsock\n")
    await world.flow()(first)
    await world.flow()(second)
    row = world.store.rows[dropped_feed_id(second)]
    assert row.status is ProcessingStatus.DONE
    assert row.conclusion
    assert row.conclusion.duplicate_of == dropped_feed_id(first)
    assert row.conclusion.counts == Counts(rows_received=4, rows_duplicate=4)
    assert row.contributions == []
    assert len(world.reader.read_feeds) == 1


async def test_the_same_bytes_of_another_seller_are_no_duplicate(world: World) -> None:
    for key in ("acme/a.csv", "bob/a.csv"):
        await world.flow()(world.uploads.put(key, b"shirt,3\n"))
    assert [len(row.contributions) for row in world.store.rows.values()] == [1, 1]


async def test_when_two_feeds_with_the_same_bytes_race_the_loser_says_so_in_row_and_report(world: World) -> None:
    content = b"shirt,3\nsock\n"
    first, second = (world.uploads.put(f"acme/{name}.csv", content) for name in "ab")
    both_read = threading.Barrier(2, timeout=10)

    def wait_for_the_other() -> None:
        both_read.wait()

    world.reader.meanwhile = wait_for_the_other
    await asyncio.gather(world.flow("w1")(first), world.flow("w2")(second))
    rows = [world.store.rows[dropped_feed_id(ref)] for ref in (first, second)]
    winner, loser = sorted(rows, key=lambda row: row.conclusion is None or row.conclusion.duplicate_of is not None)
    assert winner.conclusion
    assert loser.conclusion
    assert loser.conclusion.duplicate_of == winner.feed.feed_id
    assert world.error_bucket.reports[loser.feed.feed_id].summary.counts == loser.conclusion.counts
    assert winner.conclusion.counts == Counts(rows_received=4, rows_accepted=3, rows_rejected=1)


_STEPS = ("describe", "claim", "download", "look_ahead", "keep_report", "commit")
_STEPS_OF_ROWS = (*_STEPS, "keep_rejected")


@pytest.mark.parametrize(
    ("content", "where"),
    [*((b"shirt,3\nsock\n", step) for step in _STEPS_OF_ROWS), *((b"%PDF", step) for step in (*_STEPS, "keep_raw"))],
)
async def test_an_outage_anywhere_is_never_fatal_and_the_next_try_succeeds(
    world: World, content: bytes, where: str
) -> None:
    ref = world.uploads.put("acme/a.csv", content)
    down = True

    def fail(step: str) -> None:
        if down and step == where:
            raise Outage

    world.at_every_step(fail)
    with pytest.raises(Outage):
        await world.flow()(ref)
    assert all(row.status is ProcessingStatus.IN_QUEUE for row in world.store.rows.values()), "released"
    assert world.store.commits == 0
    assert world.wakes == 0
    down = False
    assert await world.flow()(ref) == Finished()
    assert world.only().status is (ProcessingStatus.DONE if content.startswith(b"shirt") else ProcessingStatus.FATAL)
    assert world.store.commits == 1


async def test_a_fault_of_our_own_is_raised_and_the_feed_released(world: World) -> None:
    def break_down() -> None:
        raise RuntimeError("a fault of ours")

    world.reader.meanwhile = break_down
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n"))
    assert world.only().status is ProcessingStatus.IN_QUEUE
    assert world.store.commits == 0


async def test_a_feed_that_another_worker_holds_is_left_alone(world: World) -> None:
    ref = world.uploads.put("acme/a.csv", b"shirt,1\n")
    gate = world.reader.meanwhile = Gate()
    first = asyncio.create_task(world.flow("w1")(ref))
    await gate.entered()
    assert await world.flow("w2")(ref) == HeldElsewhere(dropped_feed_id(ref), 60.0)
    gate.open()
    assert await first == Finished()
    assert await world.flow("w2")(ref) == Finished()
    assert world.store.commits == 1


async def test_reading_leaves_the_event_loop_free_and_the_lease_renewed(world: World) -> None:
    world.limits = replace(world.limits, lease_seconds=0.06)
    renewed: list[str] = []
    world.store.at = lambda step: renewed.append(step) if step == "renew" else None
    gate = world.reader.meanwhile = Gate()
    applying = asyncio.create_task(world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n")))

    async def renewed_thrice() -> bool:
        return len(renewed) >= 3

    await until(renewed_thrice)
    gate.open()
    assert await applying == Finished()


async def test_a_worker_that_lost_its_lease_stops_and_stores_nothing(world: World) -> None:
    world.limits = replace(world.limits, lease_seconds=0.06)
    ref = world.uploads.put("acme/a.csv", b"shirt,1\n")
    gate = world.reader.meanwhile = Gate()
    old = asyncio.create_task(world.flow("old")(ref))
    await gate.entered()
    world.store.now += timedelta(hours=1)
    world.reader.meanwhile = lambda: None
    claim = await world.store.claim(world.only().feed, "new")
    with pytest.raises(LeaseLost):
        await old
    gate.open()
    assert world.only().fence == claim.fence  # type: ignore[union-attr] # it is free: its lease ran out
    assert world.only().status is ProcessingStatus.IN_PROGRESS, "the old worker releases nothing that is not its own"
    assert world.store.commits == 0


class StalledErrorBucket(MemoryErrorBucket):
    """The first worker that brings rejected rows is stopped until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled, self.go_on = asyncio.Event(), asyncio.Event()

    async def keep_rejected(self, feed: FeedIdentity, fence: int, path: Path) -> str:
        if not self.stalled.is_set():
            self.stalled.set()
            await self.go_on.wait()
        return await super().keep_rejected(feed, fence, path)


async def test_a_worker_that_wakes_up_late_changes_no_evidence_of_the_feed_that_another_finished(
    tmp_path: Path,
) -> None:
    bucket = StalledErrorBucket()
    async with open_world(tmp_path, error_bucket=bucket) as world:
        ref = world.uploads.put("acme/a.csv", b"shirt,1\nsock\n")
        old = asyncio.create_task(world.flow("old")(ref))
        await bucket.stalled.wait()
        world.store.now += timedelta(hours=1)
        assert await world.flow("new")(ref) == Finished()
        bucket.go_on.set()
        with pytest.raises(LeaseLost):
            await old
        conclusion = world.only().conclusion
        assert conclusion
        assert len(bucket.written) == 4, "the old worker wrote its own, too"
        for uri in (conclusion.report_uri, conclusion.rejected_uri):
            assert bucket.written.count(uri or "") == 1


async def test_a_shutdown_releases_the_feed_and_closes_what_was_read(world: World) -> None:
    gate = world.reader.meanwhile = Gate()
    applying = asyncio.create_task(world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n")))
    await gate.entered()
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert world.only().status is ProcessingStatus.IN_QUEUE
    gate.open()

    async def closed() -> bool:
        return bool(world.reader.read_feeds) and world.reader.read_feeds[0].closed == 1

    await until(closed)
    assert list(world.work_dir.iterdir()) == []


async def test_a_row_without_a_date_gets_the_utc_day_of_its_object(world: World) -> None:
    await world.flow()(world.uploads.put("acme/a.csv", b"shirt,1\n"))
    assert world.only().contributions[0].sale_date == date(2026, 11, 21)


async def test_an_empty_folder_is_no_feed(world: World) -> None:
    assert await world.flow()(world.uploads.put("acme/", b""), 0) == NotAFeed()
    assert world.store.rows == {}


STEPS_OF_READING = ["read", "first_issues", "write_rejected", "contributions"]


def fail_at(world: World, step: str, error: type[Exception], times: int = 1) -> None:
    """`error` at this step of reading or of storing what was read, so many times."""
    left = [step] * times

    def fail(here: str) -> None:
        if here in left:
            left.remove(here)
            raise error

    world.at_every_step(fail)
    world.reader.at_what_was_read = fail


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *((step, RuntimeError) for step in STEPS_OF_READING),
        ("write_rejected", BooksDoNotClose),
        ("commit", BooksDoNotClose),
    ],
)
async def test_a_fault_of_ours_is_fatal_at_the_last_try_and_tried_again_before(
    world: World, step: str, error: type[Exception]
) -> None:
    ref = world.uploads.put("acme/a.csv", b"shirt,3\nhat,x\n")
    fail_at(world, step, error, times=2)
    with pytest.raises(error):
        await world.flow()(ref)
    assert world.only().status is ProcessingStatus.IN_QUEUE
    assert await world.flow()(ref, is_last_try=True) == Finished()
    row = world.only()
    assert row.status is ProcessingStatus.FATAL
    assert row.conclusion
    assert row.conclusion.error
    assert (row.conclusion.error.code, bool(row.conclusion.raw_uri)) == ("internal/not_readable", True)
    assert (row.conclusion.counts, row.contributions) == (Counts(), [])
    assert world.error_bucket.reports[row.feed.feed_id].error == row.conclusion.error
    assert [feed.closed for feed in world.reader.read_feeds] == ([] if step == "read" else [1, 1])
    assert list(world.work_dir.iterdir()) == []


@pytest.mark.parametrize("step", [*STEPS_OF_READING, "commit"])
@pytest.mark.parametrize("error", [Outage, OSError, MemoryError, LeaseLost])
async def test_an_outage_is_never_fatal(world: World, error: type[Exception], step: str) -> None:
    fail_at(world, step, error)
    with pytest.raises(error):
        await world.flow()(world.uploads.put("acme/a.csv", b"shirt,3\nhat,x\n"), is_last_try=True)
    assert world.only().status is ProcessingStatus.IN_QUEUE


async def test_a_feed_that_is_read_without_end_goes_back_and_the_service_is_not_ready(tmp_path: Path) -> None:
    async with open_world(tmp_path, threads=ReadingThreads(1, seconds=0.2)) as world:
        gate, ref = Gate(), world.uploads.put("acme/a.csv", b"shirt,3\n")
        world.reader.meanwhile = gate
        await world.threads.check()
        with pytest.raises(Outage):
            await world.flow()(ref)
        assert world.only().status is ProcessingStatus.IN_QUEUE
        with pytest.raises(ReadingHangs):
            await world.threads.check()
        with pytest.raises(Outage):
            await world.flow()(ref)  # there is no place, and no waiting for one without end either
        gate.open()

        async def is_ready() -> bool:
            try:
                await world.threads.check()
            except ReadingHangs:
                return False
            return True

        await until(is_ready)
        assert world.reader.read_feeds[0].closed == 1
        assert await world.flow()(ref) == Finished()
