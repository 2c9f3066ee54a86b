"""A crash at any step of what changes feeds that count already: replacing, a new version, withdrawing, reprocessing.

At the moment of the crash the books close; after a restart, in which everything that was asked for is asked for again,
the change has happened once, and it is announced.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.aggregator.rules.callers import OPERATOR
from services.aggregator.rules.feed_identity import ObjectRef, dropped_feed_id
from shared.runtime.dispositions import Done, Retry
from shared.runtime.sqs_queue import QueueMessage
from tests.faults.aggregator.mortal_process import Crash, Life, Outside, Process, process
from tests.faults.aggregator.test_crash_at_every_step import event_about
from tests.flow.aggregator.memory_buckets import STORED_AT
from tests.integration.aggregator.records import Records

OLD = b"shirt,3\nsock,2\nhat\nshirt,1\n"
NEW = b"shirt,1\ncap,4\n"


@dataclass
class Story:
    """One seller's feeds: `old` is applied before; `new` is there where a file brings the change."""

    outside: Outside
    records: Records
    old: ObjectRef
    new: ObjectRef | None = None

    @property
    def old_id(self) -> UUID:
        return dropped_feed_id(self.old)


async def handled(worker: Process, records: Records, ref: ObjectRef) -> None:
    """The message comes back until it is done; a dead worker's lease runs out meanwhile."""
    for _ in range(5):
        outcome = await worker.handle(event_about(ref))
        if outcome == Done():
            return
        assert isinstance(outcome, Retry)
        await records.expire_lease(dropped_feed_id(ref))
    pytest.fail("the message never got done")


async def replace(worker: Process, story: Story) -> None:
    assert story.new
    await handled(worker, story.records, story.new)


async def withdraw(worker: Process, story: Story) -> None:
    await worker.changes.withdraw(story.old_id, OPERATOR)


async def reprocess(worker: Process, story: Story) -> None:
    """Asked for until it is accepted; the work reaches a worker through the outbox and the queue."""
    if "reprocess_requested" not in await story.records.history(story.old_id):
        await worker.changes.reprocess(story.old_id, OPERATOR, {"on_error": "skip_file"})
    await worker.relay.drain(10)
    for order in list(story.outside.work_orders.taken):
        for _ in range(5):
            if await worker.handle(QueueMessage("m", "r", order.body, 1)) == Done():
                break
            await story.records.expire_lease(story.old_id)


Change = Callable[[Process, Story], Awaitable[None]]


def put(outside: Outside, kind: str, number: int) -> tuple[ObjectRef, ObjectRef | None]:
    seller = f"{kind}-{number}"
    old = outside.uploads.put(f"{seller}/stock.csv", OLD)
    if kind == "replace":
        return old, outside.uploads.put(f"{seller}/new.csv", NEW, replaces=str(dropped_feed_id(old)))
    if kind == "version":
        return old, outside.uploads.put_at(f"{seller}/stock.csv", NEW, STORED_AT + timedelta(days=1))
    return old, None


async def counted(records: Records, seller: str) -> dict[str, int]:
    rows = await records.rows("SELECT product_name, transactions FROM totals WHERE seller_id = %s", seller)
    return {row["product_name"]: row["transactions"] for row in rows}


BEFORE = {"shirt": 4, "sock": 2}
AFTER: dict[str, tuple[Change, dict[str, int], set[str]]] = {
    "replace": (replace, {"shirt": 1, "cap": 4}, {"FeedProcessed", "FeedReplaced"}),
    "version": (replace, {"shirt": 1, "cap": 4}, {"FeedProcessed", "FeedReplaced"}),
    "withdraw": (withdraw, {}, {"FeedProcessed", "FeedWithdrawn"}),
    # Read anew, its one rejected row is not borne: it fails, and its earlier result stands.
    "reprocess": (reprocess, BEFORE, {"FeedProcessed", "FeedReprocessFailed"}),
}


@pytest.mark.parametrize("kind", list(AFTER))
async def test_whatever_the_step_the_change_happens_once_and_is_announced(
    kind: str, migrated_database_url: str, records: Records, tmp_path: Path
) -> None:
    change, expected, announced = AFTER[kind]
    outside = Outside(migrated_database_url, tmp_path)
    survived, dies_at = False, 0
    steps: list[str] = []
    while not survived:
        dies_at += 1
        seller = f"{kind}-{dies_at}"
        story = Story(outside, records, *put(outside, kind, dies_at))
        async with process(outside, Life()) as before:
            await handled(before, records, story.old)
        outside.work_orders.taken.clear()

        life = Life(dies_at)
        survived = await _lives(outside, life, change, story)
        steps, where = life.steps, f"step {dies_at}: {life.steps[-1]}"
        await records.assert_books_close(seller)
        assert await counted(records, seller) in (BEFORE, expected), where

        async with process(outside, Life(), name="w2") as after:
            await change(after, story)
            await change(after, story)
            await after.relay.drain(10)
            # Events repeat and come late; nothing that is over begins again.
            await handled(after, records, story.old)
        await records.assert_books_close(seller)
        assert await counted(records, seller) == expected, where
        told = {event.event_id: event.event_type for event in outside.topic.taken if event.seller_id == seller}
        assert set(told.values()) == announced, where
        stored = await records.rows(
            "SELECT event_id FROM outbox WHERE seller_id = %s AND event_type <> 'ReprocessRequested'", seller
        )
        assert set(told) == {row["event_id"] for row in stored}, where
    assert "after COMMIT" in steps
    assert dies_at > 8


async def _lives(outside: Outside, life: Life, change: Change, story: Story) -> bool:
    async with process(outside, life) as mortal:
        try:
            await change(mortal, story)
            await mortal.relay.drain(10)
        except Crash:
            return False
    return True
