"""Where a page ends: the sort key of its last item, written into a cursor and read back from one.

A cursor names the list it belongs to, so that one endpoint's cursor is refused by another.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self
from uuid import UUID

from shared.runtime.cursors import decode_cursor, encode_cursor
from shared.runtime.problems import InvalidRequest

_GROUP_KEY_BYTES = 16
_ENTRY_ID_MAX = 128
_NAME_MAX = 255
_STEP_NUMBER = re.compile("[0-9]{1,18}")


def _not_ours() -> InvalidRequest:
    return InvalidRequest("cursor is not one that this endpoint handed out")


def _parts(cursor: str, kind: str, count: int) -> list[str]:
    found, *parts = decode_cursor(cursor, count + 1)
    if found != kind:
        raise _not_ours()
    return parts


def _name(text: str) -> str:
    """As feeds have it: any text that UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_ours() from error
    if len(text) > _NAME_MAX:
        raise _not_ours()
    return text


def _code(text: str) -> str:
    """Sellers and currencies are ASCII; the store cannot even compare them with anything else."""
    if not text.isascii() or not text.isprintable():
        raise _not_ours()
    return _name(text)


@dataclass(frozen=True, slots=True)
class TransactionKey:
    """Order of `GET /api/transactions`."""

    sale_date: date
    seller_id: str
    feed_id: UUID
    group_key: bytes

    def to_cursor(self) -> str:
        return encode_cursor(
            ["transactions", self.sale_date.isoformat(), self.seller_id, str(self.feed_id), self.group_key.hex()]
        )

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Raises InvalidRequest for anything that `to_cursor` did not write."""
        day, seller_id, feed_id, group_key = _parts(cursor, "transactions", 4)
        try:
            key = cls(date.fromisoformat(day), _code(seller_id), UUID(feed_id), bytes.fromhex(group_key))
        except ValueError as error:
            raise _not_ours() from error
        if len(key.group_key) != _GROUP_KEY_BYTES:
            raise _not_ours()
        return key


@dataclass(frozen=True, slots=True)
class ProductKey:
    """Order of `GET /api/transactions/summary`; unknown parts are ''."""

    product_name: str
    product_id: str
    currency: str

    def to_cursor(self) -> str:
        return encode_cursor(["summary", self.product_name, self.product_id, self.currency])

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Raises InvalidRequest for anything that `to_cursor` did not write."""
        name, product_id, currency = _parts(cursor, "summary", 3)
        return cls(_name(name), _name(product_id), _code(currency))


@dataclass(frozen=True, slots=True)
class FeedKey:
    """Order of `GET /api/feeds`, newest first."""

    received_at: datetime
    feed_id: UUID

    def to_cursor(self) -> str:
        return encode_cursor(["feeds", self.received_at.isoformat(), str(self.feed_id)])

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Raises InvalidRequest for anything that `to_cursor` did not write."""
        received_at, feed_id = _parts(cursor, "feeds", 2)
        try:
            moment = datetime.fromisoformat(received_at)
            key = cls(moment, UUID(feed_id))
        except ValueError as error:
            raise _not_ours() from error
        if moment.tzinfo is not UTC:
            raise _not_ours()
        return key


@dataclass(frozen=True, slots=True)
class HistoryKey:
    """Order of `GET /api/feeds/{feed_id}/history`: as the steps were taken."""

    feed_id: UUID
    number: int

    def to_cursor(self) -> str:
        return encode_cursor(["history", str(self.feed_id), str(self.number)])

    @classmethod
    def from_cursor(cls, cursor: str, feed_id: UUID) -> Self:
        """Raises InvalidRequest for anything that `to_cursor` did not write for this feed."""
        of_feed, number = _parts(cursor, "history", 2)
        if of_feed != str(feed_id) or not _STEP_NUMBER.fullmatch(number):
            raise _not_ours()
        return cls(feed_id, int(number))


@dataclass(frozen=True, slots=True)
class EntryKey:
    """Order of `GET /api/errors`, newest first."""

    entry_id: str
    feed_id: UUID

    def to_cursor(self) -> str:
        return encode_cursor(["errors", self.entry_id, str(self.feed_id)])

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Raises InvalidRequest for anything that `to_cursor` did not write."""
        entry_id, feed_id = _parts(cursor, "errors", 2)
        if not entry_id.isascii() or not 0 < len(entry_id) <= _ENTRY_ID_MAX:
            raise _not_ours()
        try:
            return cls(entry_id, UUID(feed_id))
        except ValueError as error:
            raise _not_ours() from error
