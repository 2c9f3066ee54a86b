"""The processing log in DynamoDB, read newest first. Keys and indexes: shared/schemas/processing_log.py."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from boto3.dynamodb.types import TypeDeserializer

from services.query.errors import StoreUnavailable
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import EntryKey
from services.query.rules.records import ErrorFilter
from shared.runtime.aws import answering_within
from shared.schemas.issues import Severity
from shared.schemas.processing_log import ERROR_STREAM, NEWEST_ERRORS_INDEX, SELLER_ERRORS_INDEX, LogEntry

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

_READ_NATIVE = TypeDeserializer()
_FIELDS = frozenset(LogEntry.model_fields)
_ERRORS = {":warning": {"S": Severity.WARNING.value}, ":error": {"S": Severity.ERROR.value}}
_MOST_ROUNDS = 20
"""A filter can leave pages empty; after so many calls the page is handed out as it is, with its cursor."""


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("The processing log does not answer.")


class DynamoLog:
    """Reads entries with severity WARNING or ERROR. Raises StoreUnavailable if DynamoDB does not answer."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, call_seconds: float) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._call_seconds = call_seconds

    async def check(self) -> None:
        """For readiness. Raises if the table is not there."""
        await self._dynamodb.describe_table(TableName=self._table)

    async def newest_errors(
        self, chosen: ErrorFilter, after: EntryKey | None, limit: int, confinement: Confinement
    ) -> tuple[list[LogEntry], EntryKey | None]:
        """At most `limit` entries older than a key, newest first, and the key to go on from (None at the end)."""
        if chosen.seller_id is not None and confinement.hides(chosen.seller_id):
            return [], None
        if confinement.seller_id is not None:
            # The log's confinement is here and nowhere else (P6).
            chosen = replace(chosen, seller_id=confinement.seller_id)
        query = self._query(chosen)
        start = _start_key(chosen, after)
        items: list[dict[str, Any]] = []
        for _ in range(_MOST_ROUNDS):
            # One more than asked for tells whether there is a next page.
            page = await self._page({**query, **start, "Limit": limit + 1 - len(items)})
            items += page["Items"]
            last = page.get("LastEvaluatedKey")
            if last is None or len(items) > limit:
                break
            start = {"ExclusiveStartKey": last}
        entries = [read_entry(item) for item in items]
        if len(entries) > limit:
            kept = entries[:limit]
            return kept, EntryKey(kept[-1].entry_id, kept[-1].feed_id)
        return entries, _key_of(last) if last is not None else None

    async def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        async with answering_within(self._call_seconds, _unavailable):
            page: Any = await self._dynamodb.query(**query)
        return dict(page)

    def _query(self, chosen: ErrorFilter) -> dict[str, Any]:
        base = {"TableName": self._table, "ScanIndexForward": False}
        if chosen.feed_id is None and chosen.seller_id is None:
            return base | {
                "IndexName": NEWEST_ERRORS_INDEX,
                "KeyConditionExpression": "error_stream = :stream",
                "ExpressionAttributeValues": {":stream": {"S": ERROR_STREAM}},
            }
        if chosen.feed_id is None:
            return base | {
                "IndexName": SELLER_ERRORS_INDEX,
                "KeyConditionExpression": "error_seller = :seller",
                "ExpressionAttributeValues": {":seller": {"S": chosen.seller_id}},
            }
        values: dict[str, Any] = {":feed": {"S": str(chosen.feed_id)}, **_ERRORS}
        condition = "severity IN (:warning, :error)"
        if chosen.seller_id is not None:
            values[":seller"] = {"S": chosen.seller_id}
            condition += " AND seller_id = :seller"
        return base | {
            "KeyConditionExpression": "feed_id = :feed",
            "FilterExpression": condition,
            "ExpressionAttributeValues": values,
        }


def _start_key(chosen: ErrorFilter, after: EntryKey | None) -> dict[str, Any]:
    """What `ExclusiveStartKey` wants: the index's key and the table's."""
    if after is None:
        return {}
    key: dict[str, Any] = {"entry_id": {"S": after.entry_id}, "feed_id": {"S": str(after.feed_id)}}
    if chosen.feed_id is None:
        if chosen.seller_id is None:
            key["error_stream"] = {"S": ERROR_STREAM}
        else:
            key["error_seller"] = {"S": chosen.seller_id}
    return {"ExclusiveStartKey": key}


def _key_of(last: dict[str, Any]) -> EntryKey:
    native = {name: _READ_NATIVE.deserialize(value) for name, value in last.items()}
    return EntryKey(native["entry_id"], UUID(native["feed_id"]))


def read_entry(item: dict[str, Any]) -> LogEntry:
    """An item without what the writer keeps for itself (index keys, expiry, claims)."""
    return LogEntry.model_validate(
        {name: _READ_NATIVE.deserialize(value) for name, value in item.items() if name in _FIELDS}
    )
