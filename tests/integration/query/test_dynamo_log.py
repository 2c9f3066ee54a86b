"""The error list over DynamoDB: moto's, and the emulator's with the real table. Items as the notifier writes them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from boto3.dynamodb.types import TypeSerializer

from services.query.adapters.dynamo_log import DynamoLog
from services.query.errors import StoreUnavailable
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.page_keys import EntryKey
from services.query.rules.records import ErrorFilter
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.events import Phase
from shared.schemas.feeds import Counts, FeedError, FeedType
from shared.schemas.issues import Issue, IssueTotal, Severity
from shared.schemas.processing_log import ERROR_STREAM, NEWEST_ERRORS_INDEX, SELLER_ERRORS_INDEX, LogEntry

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def entry(number: int, severity: Severity, seller_id: str, feed_id: UUID) -> LogEntry:
    event_id = uuid4()
    moment = NOON + timedelta(seconds=number)
    return LogEntry(
        entry_id=f"{moment.isoformat(timespec='microseconds').replace('+00:00', 'Z')}#{event_id}",
        event_id=event_id,
        event_type="FeedFailed" if severity is Severity.ERROR else "FeedProcessed",
        severity=severity,
        phase=Phase.VALIDATE,
        occurred_at=moment,
        feed_id=feed_id,
        seller_id=seller_id,
        feed_type=FeedType.TRANSACTIONS,
        file_name="März.csv",
        object_uri="s3://uploads/key",
        message="2 rows were rejected",
        error=FeedError(code="format/unknown_layout", message="no") if severity is Severity.ERROR else None,
        counts=Counts(rows_received=10**12, rows_accepted=10**12 - 2, rows_rejected=2),
        issue_totals=[IssueTotal(code="validation/invalid_quantity", severity=Severity.ERROR, rows=2)],
        issues=[
            Issue(code="validation/invalid_quantity", severity=Severity.ERROR, message="no number", line=3, raw="a,b")
        ],
        attempt=1,
        worker="w-1",
        correlation_id="c-1",
    )


def item(written: LogEntry) -> dict[str, Any]:
    """With what the writer keeps beside the entry."""
    attributes = written.model_dump(mode="json", exclude_none=True)
    attributes |= {"expires_at": 1_900_000_000, "notified_at": "2026-03-04T12:00:09Z", "claim_token": "t"}
    if written.severity is not Severity.INFO:
        attributes |= {"error_stream": ERROR_STREAM, "error_seller": written.seller_id}
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in attributes.items()}


@dataclass(frozen=True, slots=True)
class Held:
    """A log with 30 entries: three feeds in turn, every third entry no error."""

    log: DynamoLog
    entries: list[LogEntry]
    feeds: list[UUID]

    def errors(self) -> list[LogEntry]:
        """Newest first."""
        return [one for one in reversed(self.entries) if one.severity is not Severity.INFO]

    async def all(self, chosen: ErrorFilter, limit: int, confinement: Confinement = UNCONFINED) -> list[LogEntry]:
        found: list[LogEntry] = []
        after: EntryKey | None = None
        while True:
            page, after = await self.log.newest_errors(chosen, after, limit, confinement)
            assert len(page) <= limit
            found += page
            if after is None:
                return found
            after = EntryKey.from_cursor(after.to_cursor())


@pytest.fixture(params=["moto", "emulator"])
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Endpoint and table."""
    if request.param == "moto":
        return request.getfixturevalue("moto_url"), f"log-{uuid4()}"
    emulator = request.getfixturevalue("emulator")
    return emulator.endpoint_url, emulator.plane.processing_log_table


@pytest.fixture
async def held(place: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url, table = place
    feeds = [uuid4() for _ in range(3)]
    levels = (Severity.ERROR, Severity.WARNING, Severity.INFO)
    entries = [entry(n, levels[n % 3], f"seller-{n % 2}", feeds[n // 10]) for n in range(30)]
    async with AwsClients(ServiceSettings(aws_endpoint_url=url)).dynamodb() as dynamodb:
        if table.startswith("log-"):
            await _create(dynamodb, table)
        else:
            await _empty(dynamodb, table)
        for one in entries:
            await dynamodb.put_item(TableName=table, Item=item(one))
        yield Held(DynamoLog(dynamodb, table, 5.0), entries, feeds)


@pytest.mark.parametrize("limit", [1, 7, 20, 100])
async def test_errors_come_newest_first_each_once_and_as_they_were_written(held: Held, limit: int) -> None:
    assert await held.all(ErrorFilter(), limit) == held.errors()


@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_errors_of_a_seller_of_a_feed_and_of_both(held: Held, limit: int) -> None:
    feed_id = held.feeds[1]
    of_seller = [one for one in held.errors() if one.seller_id == "seller-1"]
    of_feed = [one for one in held.errors() if one.feed_id == feed_id]
    assert len(of_seller) > 5
    assert await held.all(ErrorFilter(seller_id="seller-1"), limit) == of_seller
    assert await held.all(ErrorFilter(feed_id=feed_id), limit) == of_feed
    assert await held.all(ErrorFilter(seller_id="seller-1", feed_id=feed_id), limit) == [
        one for one in of_feed if one.seller_id == "seller-1"
    ]
    assert await held.all(ErrorFilter(seller_id="nobody"), limit) == []


async def test_a_confined_caller_gets_only_its_own_errors_whatever_it_asks_for(held: Held) -> None:
    caller = Confinement("seller-1")
    own = [one for one in held.errors() if one.seller_id == "seller-1"]
    assert await held.all(ErrorFilter(), 4, caller) == own
    assert await held.all(ErrorFilter(seller_id="seller-1"), 4, caller) == own
    assert await held.all(ErrorFilter(seller_id="seller-0"), 4, caller) == []
    for feed_id in held.feeds:
        assert await held.all(ErrorFilter(feed_id=feed_id), 4, caller) == [x for x in own if x.feed_id == feed_id]
        assert await held.all(ErrorFilter("seller-0", feed_id), 4, caller) == []


async def test_the_last_page_names_no_next_one(held: Held) -> None:
    count = len(held.errors())
    page, following = await held.log.newest_errors(ErrorFilter(), None, count, UNCONFINED)
    assert (len(page), following) == (count, None)


async def test_a_log_that_is_away_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = ServiceSettings(aws_endpoint_url="http://127.0.0.1:1", aws_max_attempts=1)
    async with AwsClients(settings).dynamodb() as dynamodb:
        with pytest.raises(StoreUnavailable):
            await DynamoLog(dynamodb, "log", 5.0).newest_errors(ErrorFilter(), None, 1, UNCONFINED)


async def _create(dynamodb: "DynamoDBClient", table: str) -> None:
    def index(name: str, key: str) -> Any:
        schema = [{"AttributeName": key, "KeyType": "HASH"}, {"AttributeName": "entry_id", "KeyType": "RANGE"}]
        return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}

    await dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("feed_id", "entry_id", "error_stream", "error_seller")
        ],
        KeySchema=[
            {"AttributeName": "feed_id", "KeyType": "HASH"},
            {"AttributeName": "entry_id", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            index(NEWEST_ERRORS_INDEX, "error_stream"),
            index(SELLER_ERRORS_INDEX, "error_seller"),
        ],
    )


async def _empty(dynamodb: "DynamoDBClient", table: str) -> None:
    for found in (await dynamodb.scan(TableName=table))["Items"]:
        key = {name: found[name] for name in ("feed_id", "entry_id")}
        await dynamodb.delete_item(TableName=table, Key=key)
