"""A crash at any step between receiving a message and deleting it, then a restart: P1, P2, P3 and P4 hold."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from services.aggregator.rules.feed_identity import ObjectRef, dropped_feed_id
from shared.runtime.dispositions import Done, Retry
from shared.runtime.sqs_queue import QueueMessage
from tests.faults.aggregator.mortal_process import Crash, Life, Outside, process
from tests.integration.aggregator.records import Records

GOOD = b"shirt,3\nsock,2\nhat\nshirt,1\ncap,1\n"
BAD = b"%PDF-1.7"


def event_about(ref: ObjectRef) -> QueueMessage:
    item = {"key": ref.key, "versionId": ref.version_id, "eTag": ref.etag}
    record = {
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-11-22T12:00:00.000Z",
        "s3": {"bucket": {"name": ref.bucket}, "object": item},
    }
    return QueueMessage("m", "r", json.dumps({"Records": [record]}), 1)


async def live_and_die(outside: Outside, ref: ObjectRef, life: Life) -> bool:
    """One process handles the message and announces; True if it lived to delete the message."""
    async with process(outside, life) as mortal:
        try:
            assert await mortal.handle(event_about(ref)) == Done()
            await mortal.relay.drain(10)
        except Crash:
            return False
    return True


async def assert_nothing_is_announced_that_is_not_stored(outside: Outside, records: Records, feed_id: UUID) -> None:
    told = [event for event in outside.topic.taken if event.feed_id == str(feed_id)]
    stored = await records.rows("SELECT event_id FROM outbox WHERE feed_id = %s", str(feed_id))
    assert {event.event_id for event in told} <= {row["event_id"] for row in stored}


async def restart(outside: Outside, ref: ObjectRef, records: Records) -> None:
    """The message comes back, at first while the dead worker's lease lasts."""
    async with process(outside, Life(), name="w2") as restarted:
        outcome = await restarted.handle(event_about(ref))
        if isinstance(outcome, Retry):
            assert outcome.after_seconds
            await records.expire_lease(dropped_feed_id(ref))
            outcome = await restarted.handle(event_about(ref))
        assert outcome == Done()
        assert await restarted.handle(event_about(ref)) == Done(), "and once more: it was not deleted"
        await restarted.relay.drain(10)


@pytest.mark.parametrize(("content", "status"), [(GOOD, "DONE"), (BAD, "FATAL")])
async def test_whatever_the_step_the_feed_ends_once_and_is_announced(
    content: bytes, status: str, migrated_database_url: str, records: Records, tmp_path: Path
) -> None:
    outside = Outside(migrated_database_url, tmp_path)
    survived, dies_at = False, 0
    steps: list[str] = []
    while not survived:
        dies_at += 1
        ref = outside.uploads.put(f"seller-{dies_at}/a.csv", content)
        feed_id = dropped_feed_id(ref)
        life = Life(dies_at)
        survived = await live_and_die(outside, ref, life)
        steps = life.steps
        where = f"step {dies_at}: {steps[-1]}"
        await assert_nothing_is_announced_that_is_not_stored(outside, records, feed_id)
        await restart(outside, ref, records)

        feed = await records.feed(feed_id)
        assert feed["processing_status"] == status, where
        told = [event for event in outside.topic.taken if event.feed_id == str(feed_id)]
        assert told, where
        assert len({event.event_id for event in told}) == 1, where
        if status == "DONE":
            assert [feed[f"rows_{part}"] for part in ("received", "accepted", "rejected")] == [8, 7, 1], where
            [added] = await records.rows(
                "SELECT SUM(transactions) AS n FROM totals WHERE seller_id = %s", f"seller-{dies_at}"
            )
            assert added["n"] == 7, where
        else:
            assert outside.error_bucket.raws[feed_id] == ref.key, where
        assert feed_id in outside.error_bucket.reports, where
        await records.assert_books_close()
    # The walk went through every part, or it proves nothing.
    walked = " ".join(steps)
    for part in ("describe", "INSERT INTO feeds", "download", "read", "keep_report", "INSERT INTO outbox", "publish"):
        assert part in walked, part
    assert "after COMMIT" in steps
    assert dies_at > 25
