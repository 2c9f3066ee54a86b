"""The processing log in DynamoDB. shared/schemas/processing_log.py says what an item holds for its readers.

Beside the entry an item has: `error_stream` and `error_seller` (the indexes' keys, on WARNING and ERROR only),
`expires_at` (epoch seconds, the table's TTL), and the announcement's state: `claim_token`, `claimed_until`
(epoch milliseconds), `notified_at`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from services.notifier.errors import LogUnavailable
from services.notifier.ports import AlreadyAnnounced, Claim, ClaimResult, Granted, HeldElsewhere
from shared.runtime.aws import AWS_OUTAGES, answering_within
from shared.runtime.coalesce import Coalescer
from shared.schemas.issues import Severity
from shared.schemas.processing_log import ERROR_STREAM, LogEntry

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

BATCH_ITEMS = 25
"""DynamoDB takes so many in one BatchWriteItem."""
LINGER_SECONDS = 0.1
"""A mark may wait for others: what it says has happened, and its claim is held."""
BATCH_REFUSED = frozenset({"TransactionCanceledException", "ValidationException", "TransactionInProgressException"})
CONDITION_FAILED = "ConditionalCheckFailedException"
_MAY_CLAIM = (
    "attribute_exists(feed_id) AND attribute_not_exists(notified_at)"
    # Our own token: an earlier try of this very call was carried out though its answer was lost.
    " AND (attribute_not_exists(claimed_until) OR claimed_until <= :now OR claim_token = :token)"
)


class DynamoLog:
    """`retention` is how long an entry is kept; `call_seconds` bounds each call, its retries included."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, retention: timedelta, call_seconds: float) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._call_seconds = call_seconds
        self._puts: Coalescer[dict[str, Any], bool] = Coalescer(self._put_batch, most=BATCH_ITEMS)
        self._marks: Coalescer[dict[str, Any], None] = Coalescer(
            self._mark_batch, most=BATCH_ITEMS, linger_seconds=LINGER_SECONDS
        )

    async def check(self) -> None:
        """Raises if the table cannot be reached."""
        await self._dynamodb.describe_table(TableName=self._table)

    async def record(self, entry: LogEntry, claim: Claim) -> ClaimResult:
        """Raises LogUnavailable."""
        attributes = item_attributes(entry, self._retention) | {
            "claim_token": claim.token,
            "claimed_until": _milliseconds(claim.until),
        }
        async with self._answering():
            if await self._puts(_typed(attributes)):
                return Granted()
        return await self._claim(entry, claim)

    async def mark_announced(self, entry: LogEntry, at: datetime) -> None:
        """Raises LogUnavailable. Those marked at about the same time share a call.

        The whole item is written again, because only whole items go in batches; the entry in it is the same. It takes
        no look at the claim: if another took it over meanwhile, it is announced all the same.
        """
        marked = item_attributes(entry, self._retention) | {"notified_at": at.astimezone(UTC).isoformat()}
        async with self._answering():
            await self._marks(_typed(marked))

    async def release(self, entry: LogEntry, claim: Claim) -> None:
        """Raises LogUnavailable; a claim that is no longer ours is left alone."""
        async with self._answering():
            try:
                await self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(entry),
                    UpdateExpression="REMOVE claim_token, claimed_until",
                    ExpressionAttributeValues=_typed({":token": claim.token}),
                    ConditionExpression="claim_token = :token",
                )
            except ClientError as error:
                if not _condition_failed(error):
                    raise

    async def _claim(self, entry: LogEntry, claim: Claim) -> ClaimResult:
        """For an entry that is there already."""
        values = {":now": _milliseconds(claim.now), ":until": _milliseconds(claim.until), ":token": claim.token}
        async with self._answering():
            try:
                await self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(entry),
                    UpdateExpression="SET claim_token = :token, claimed_until = :until",
                    ExpressionAttributeValues=_typed(values),
                    ConditionExpression=_MAY_CLAIM,
                )
            except ClientError as error:
                if not _condition_failed(error):
                    raise
            else:
                return Granted()
            return await self._why_not(entry, claim)

    async def _why_not(self, entry: LogEntry, claim: Claim) -> ClaimResult:
        answer = await self._dynamodb.get_item(
            TableName=self._table,
            Key=_key(entry),
            ConsistentRead=True,
            ProjectionExpression="notified_at, claimed_until",
        )
        item = answer.get("Item", {})
        if "notified_at" in item:
            return AlreadyAnnounced()
        # Released between the two calls: worth another look at once.
        until = item["claimed_until"]["N"] if "claimed_until" in item else _milliseconds(claim.now)
        return HeldElsewhere(datetime.fromtimestamp(int(until) / 1000, UTC))

    async def _put_batch(self, items: Sequence[dict[str, Any]]) -> list[bool | Exception]:
        """Puts each item unless it is there already; whether it was put. One call, where all of them are new."""
        if len(items) > 1:
            puts: list[TransactWriteItemTypeDef] = [{"Put": self._put(item)} for item in items]
            try:
                async with asyncio.timeout(self._call_seconds):
                    await self._dynamodb.transact_write_items(TransactItems=puts)
            except ClientError as error:
                # One is there already, or twice in the batch, or another transaction has it in hand: one by one, then.
                if error.response["Error"]["Code"] not in BATCH_REFUSED:
                    raise
            else:
                return [True] * len(items)
        return list(await asyncio.gather(*(self._put_alone(item) for item in items)))

    async def _put_alone(self, item: dict[str, Any]) -> bool | Exception:
        try:
            async with asyncio.timeout(self._call_seconds):
                await self._dynamodb.put_item(**self._put(item))
        except AWS_OUTAGES as error:
            return False if isinstance(error, ClientError) and _condition_failed(error) else error
        return True

    def _put(self, item: dict[str, Any]) -> Any:
        return {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(feed_id)"}

    async def _mark_batch(self, items: Sequence[dict[str, Any]]) -> list[Exception | None]:
        # Twice in one batch is refused; two deliveries of one event write the same.
        by_key = {_key_of(item): item for item in items}
        # Bounded here too: who asked for it may be gone, and others wait behind it.
        async with asyncio.timeout(self._call_seconds):
            answer = await self._dynamodb.batch_write_item(
                RequestItems={self._table: [{"PutRequest": {"Item": item}} for item in by_key.values()]}
            )
        left = {
            _key_of(request["PutRequest"]["Item"])
            for request in answer.get("UnprocessedItems", {}).get(self._table, [])
            if "PutRequest" in request
        }
        return [_throttled() if _key_of(item) in left else None for item in items]

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        async with answering_within(self._call_seconds, LogUnavailable):
            yield


def item_attributes(entry: LogEntry, retention: timedelta) -> dict[str, Any]:
    """The item as plain values: the entry's fields as in its JSON (absent where null), index keys, expiry."""
    attributes: dict[str, Any] = entry.model_dump(mode="json", exclude_none=True)
    attributes["expires_at"] = int((entry.occurred_at + retention).timestamp())
    if entry.severity in (Severity.WARNING, Severity.ERROR):
        attributes |= {"error_stream": ERROR_STREAM, "error_seller": entry.seller_id}
    return attributes


def _key_of(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["feed_id"]["S"], item["entry_id"]["S"]


def _key(entry: LogEntry) -> dict[str, Any]:
    return _typed({"feed_id": str(entry.feed_id), "entry_id": entry.entry_id})


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Plain values in DynamoDB's own notation."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in values.items()}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _throttled() -> ClientError:
    said = "left over by BatchWriteItem"
    return ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": said}}, "BatchWriteItem")


def _condition_failed(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == CONDITION_FAILED
