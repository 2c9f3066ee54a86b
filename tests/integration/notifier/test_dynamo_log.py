"""The processing log on DynamoDB: one item per event, exact, and one claim at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.notifier.adapters.dynamo_log import DynamoLog
from services.notifier.errors import LogUnavailable
from services.notifier.ports import AlreadyAnnounced, Claim, Granted, HeldElsewhere
from services.notifier.rules.log_entry import log_entry
from services.query.adapters.dynamo_log import read_entry
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.processing_log import LogEntry
from tests.integration.notifier.conftest import Table
from tests.unit.notifier.events import sample

NOW = datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
RETENTION = timedelta(days=400)


def _entry(name: str = "feed_processed_with_rejects") -> LogEntry:
    """A feed of this test's own."""
    return log_entry(sample(name).model_copy(update={"feed_id": uuid4(), "event_id": uuid4()}))


def _claim(by: str = "a", now: datetime = NOW) -> Claim:
    return Claim(by, now, now + timedelta(seconds=60))


def _log(table: Table) -> DynamoLog:
    return DynamoLog(table.dynamodb, table.name, RETENTION, 10)


async def _items(table: Table, entry: LogEntry) -> list[dict[str, Any]]:
    answer = await table.dynamodb.query(
        TableName=table.name,
        KeyConditionExpression="feed_id = :feed",
        ExpressionAttributeValues={":feed": {"S": str(entry.feed_id)}},
    )
    return list(answer["Items"])


async def test_an_entry_is_written_once_and_reads_back_exactly(table: Table) -> None:
    entry, log = _entry(), _log(table)
    await log.check()
    assert await log.record(entry, _claim()) == Granted()
    await log.mark_announced(entry, NOW)
    for _ in range(3):
        assert await log.record(entry, _claim("b")) == AlreadyAnnounced()
    [item] = await _items(table, entry)
    assert read_entry(item) == entry
    assert item["expires_at"] == {"N": str(int((entry.occurred_at + RETENTION).timestamp()))}
    assert item["counts"]["M"]["rows_received"] == {"N": "21"}
    assert "claim_token" not in item
    assert "claimed_until" not in item


@pytest.mark.parametrize(
    ("name", "indexed"),
    [("feed_processed", False), ("feed_processed_with_rejects", True), ("feed_failed_unreadable", True)],
)
async def test_only_what_went_wrong_is_in_the_error_indexes(table: Table, name: str, indexed: bool) -> None:
    entry = _entry(name)
    await _log(table).record(entry, _claim())
    for index, key, value in [
        ("newest-errors", "error_stream", "errors"),
        ("seller-errors", "error_seller", entry.seller_id),
    ]:
        found = await table.dynamodb.query(
            TableName=table.name,
            IndexName=index,
            KeyConditionExpression=f"{key} = :key AND entry_id = :entry",
            ExpressionAttributeValues={":key": {"S": value}, ":entry": {"S": entry.entry_id}},
        )
        assert found["Count"] == int(indexed)


async def test_a_live_claim_is_respected_and_an_expired_one_taken_over(table: Table) -> None:
    entry, log = _entry(), _log(table)
    assert await log.record(entry, _claim("a")) == Granted()
    assert await log.record(entry, _claim("b")) == HeldElsewhere(NOW + timedelta(seconds=60))
    assert await log.record(entry, _claim("b", NOW + timedelta(seconds=60))) == Granted()
    assert isinstance(await log.record(entry, _claim("a", NOW + timedelta(seconds=61))), HeldElsewhere)


async def test_a_call_repeated_after_its_answer_was_lost_keeps_its_claim(table: Table) -> None:
    entry, log = _entry(), _log(table)
    assert await log.record(entry, _claim("a")) == Granted()
    assert await log.record(entry, _claim("a")) == Granted()


async def test_a_released_claim_is_free_and_only_its_holder_releases_it(table: Table) -> None:
    entry, log = _entry(), _log(table)
    await log.record(entry, _claim("a"))
    await log.release(entry, _claim("b"))
    assert isinstance(await log.record(entry, _claim("b")), HeldElsewhere)
    await log.release(entry, _claim("a"))
    assert await log.record(entry, _claim("b")) == Granted()


async def test_of_many_claims_at_once_one_is_granted(table: Table) -> None:
    entry, log = _entry(), _log(table)
    results = await asyncio.gather(*(log.record(entry, _claim(str(number))) for number in range(8)))
    assert results.count(Granted()) == 1
    assert len(await _items(table, entry)) == 1


async def test_a_table_that_is_not_there_is_unavailable(table: Table) -> None:
    entry, log = _entry(), DynamoLog(table.dynamodb, "no-such-table", RETENTION, 10)
    for call in (log.record(entry, _claim()), log.mark_announced(entry, NOW), log.release(entry, _claim())):
        with pytest.raises(LogUnavailable):
            await call


@pytest.mark.usefixtures("credentials")
async def test_a_log_that_never_answers_is_given_up_in_time() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with AwsClients(ServiceSettings(aws_endpoint_url=url)).dynamodb() as dynamodb, asyncio.timeout(10):
            with pytest.raises(LogUnavailable):
                await DynamoLog(dynamodb, "t", RETENTION, 0.3).record(_entry(), _claim())
        assert connections
    finally:
        for writer in connections:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_entries_recorded_at_once_share_calls_and_each_hears_of_its_own(table: Table) -> None:
    log, entries = _log(table), [_entry() for _ in range(6)]
    old, new = entries[0], entries[1:]
    await log.record(old, _claim())
    await log.mark_announced(old, NOW)
    results = await asyncio.gather(*(log.record(entry, _claim("b")) for entry in entries))
    assert results == [AlreadyAnnounced()] + [Granted()] * 5
    fresh = [_entry() for _ in range(3)]
    assert await asyncio.gather(*(log.record(entry, _claim("c")) for entry in fresh)) == [Granted()] * 3
    await asyncio.gather(*(log.mark_announced(entry, NOW) for entry in (*new, *fresh, fresh[0])))
    for entry in entries + fresh:
        [item] = await _items(table, entry)
        assert read_entry(item) == entry
        assert item["notified_at"] == {"S": NOW.isoformat()}
        assert "claim_token" not in item


async def test_of_one_event_delivered_twice_at_once_one_may_announce(table: Table) -> None:
    log, entry = _log(table), _entry()
    results = await asyncio.gather(log.record(entry, _claim("a")), log.record(entry, _claim("b")))
    assert sorted(type(result).__name__ for result in results) == ["Granted", "HeldElsewhere"]
