"""The same event many times, several workers at one feed, and a worker that comes back from the dead."""

import asyncio
import threading
from pathlib import Path

import pytest

from services.aggregator.rules.feed_identity import ObjectRef, dropped_feed_id
from shared.runtime.dispositions import Disposition, Done, Retry
from tests.faults.aggregator.mortal_process import Life, Outside, Process, process
from tests.faults.aggregator.test_crash_at_every_step import GOOD, event_about
from tests.flow.aggregator.line_reader import Gate
from tests.integration.aggregator.records import Records


@pytest.fixture
def outside(migrated_database_url: str, tmp_path: Path) -> Outside:
    return Outside(migrated_database_url, tmp_path)


async def until_done(worker: Process, ref: ObjectRef) -> int:
    """As the queue would: the message comes back until it is done. How often it was not."""
    retries = 0
    while await worker.handle(event_about(ref)) != Done():
        retries += 1
        await asyncio.sleep(0.02)
    return retries


async def assert_counted_once(outside: Outside, records: Records, ref: ObjectRef) -> None:
    feed = await records.feed(dropped_feed_id(ref))
    assert (feed["processing_status"], feed["rows_accepted"], feed["rows_rejected"]) == ("DONE", 7, 1)
    assert sum(row["transactions"] for row in (await records.totals()).values()) == 7
    assert len({event.event_id for event in outside.topic.taken}) == 1
    await records.assert_books_close()


async def test_the_same_event_ten_times_counts_once(outside: Outside, records: Records) -> None:
    ref = outside.uploads.put("acme/a.csv", GOOD)
    async with process(outside, Life()) as worker:
        await asyncio.gather(*(until_done(worker, ref) for _ in range(10)))
        await worker.relay.drain(10)
    await assert_counted_once(outside, records, ref)
    assert (await records.feed(dropped_feed_id(ref)))["attempts"] == 1


async def test_two_workers_at_once_on_one_feed_count_it_once(outside: Outside, records: Records) -> None:
    ref = outside.uploads.put("acme/a.csv", GOOD)
    async with process(outside, Life(), name="w1") as first, process(outside, Life(), name="w2") as second:
        gate = first.reader.meanwhile = second.reader.meanwhile = Gate()
        working = [asyncio.create_task(until_done(worker, ref)) for worker in (first, second)]
        await gate.entered()
        gate.open()
        retries = await asyncio.gather(*working)
        assert any(retries), "one of them had to wait"
        await asyncio.gather(first.relay.drain(10), second.relay.drain(10))
    await assert_counted_once(outside, records, ref)


async def test_many_files_with_the_same_bytes_at_once_count_once(outside: Outside, records: Records) -> None:
    refs = [outside.uploads.put(f"acme/{number}.csv", GOOD) for number in range(6)]
    async with process(outside, Life(), name="w1") as first, process(outside, Life(), name="w2") as second:
        await asyncio.gather(*(until_done((first, second)[n % 2], ref) for n, ref in enumerate(refs)))
    feeds = [await records.feed(dropped_feed_id(ref)) for ref in refs]
    assert sorted(feed["rows_accepted"] for feed in feeds) == [0, 0, 0, 0, 0, 7]
    assert sorted(feed["rows_duplicate"] for feed in feeds) == [0, 8, 8, 8, 8, 8]
    assert len({feed["duplicate_of"] for feed in feeds}) == 2
    await records.assert_books_close()


async def test_an_old_worker_that_wakes_up_after_its_lease_changes_nothing(outside: Outside, records: Records) -> None:
    """It read the file, was stopped for an hour, and comes back when another worker has finished the feed."""
    ref = outside.uploads.put("acme/a.csv", GOOD)
    async with process(outside, Life(), name="old") as old, process(outside, Life(), name="new") as new:
        gate = old.reader.meanwhile = Gate()
        stopped: asyncio.Task[Disposition] = asyncio.create_task(old.handle(event_about(ref)))
        await gate.entered()
        await records.expire_lease(dropped_feed_id(ref))
        assert await new.handle(event_about(ref)) == Done()
        tables = ("feeds", "contributions", "totals", "outbox")
        before = [await records.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608
        gate.open()
        assert isinstance(await stopped, Retry)
        after = [await records.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608
        assert after == before
        await new.relay.drain(10)
    await assert_counted_once(outside, records, ref)


async def test_an_old_worker_that_wakes_up_while_another_works_changes_nothing(
    outside: Outside, records: Records
) -> None:
    ref = outside.uploads.put("acme/a.csv", GOOD)
    async with process(outside, Life(), name="old") as old, process(outside, Life(), name="new") as new:
        old_gate, new_gate = Gate(), Gate()
        old.reader.meanwhile, new.reader.meanwhile = old_gate, new_gate
        stopped: asyncio.Task[Disposition] = asyncio.create_task(old.handle(event_about(ref)))
        await old_gate.entered()
        await records.expire_lease(dropped_feed_id(ref))
        working = asyncio.create_task(new.handle(event_about(ref)))
        await new_gate.entered()
        old_gate.open()
        assert isinstance(await stopped, Retry)
        feed = await records.feed(dropped_feed_id(ref))
        assert (feed["processing_status"], feed["lease_owner"]) == ("IN_PROGRESS", "new")
        assert await records.totals() == {}
        assert await records.events() == []
        new_gate.open()
        assert await working == Done()
        await new.relay.drain(10)
    await assert_counted_once(outside, records, ref)


async def test_connections_that_drop_in_the_middle_cost_a_retry_and_nothing_else(
    outside: Outside, records: Records
) -> None:
    ref = outside.uploads.put("acme/a.csv", GOOD)
    async with process(outside, Life()) as worker:
        gate = worker.reader.meanwhile = Gate()
        working = asyncio.create_task(worker.handle(event_about(ref)))
        await gate.entered()
        await records.kill_other_sessions()
        gate.open()
        if await working != Done():
            worker.reader.meanwhile = threading.Event().clear
            await records.expire_lease(dropped_feed_id(ref))
            await until_done(worker, ref)
        await worker.relay.drain(10)
    await assert_counted_once(outside, records, ref)
