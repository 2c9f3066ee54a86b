"""What the flows need from the outside, as Protocols; adapters/ has the real ones, tests have small fakes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from services.query.rules.answers import PlanRun
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import EntryKey, FeedKey, HistoryKey, ProductKey, TransactionKey
from services.query.rules.plan import Plan
from services.query.rules.records import (
    CurrencyTotal,
    ErrorFilter,
    FeedFilter,
    ProductTotal,
    SalesFilter,
    TransactionRecord,
)
from services.query.rules.values import KnownValue
from shared.schemas.feeds import FeedView, HistoryEntry, Receipt
from shared.schemas.processing_log import LogEntry


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """A record and where it stands in the order."""

    key: TransactionKey
    record: TransactionRecord


@dataclass(frozen=True, slots=True)
class Summary:
    """Products of one page; totals of all pages. Both from one snapshot."""

    products: list[ProductTotal]
    totals: list[CurrencyTotal]


@dataclass(frozen=True, slots=True)
class KeyedStep:
    """A step of a feed's life and where it stands in the order."""

    key: HistoryKey
    entry: HistoryEntry


class Sales(Protocol):
    """Aggregated sales. Raises StoreUnavailable, ReadTooSlow."""

    async def records(
        self, chosen: SalesFilter, after: TransactionKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedRecord]: ...

    async def summary(
        self, chosen: SalesFilter, after: ProductKey | None, limit: int, confinement: Confinement
    ) -> Summary: ...


class Feeds(Protocol):
    """Feeds that a worker has seen. Raises StoreUnavailable, ReadTooSlow."""

    async def newest(
        self, chosen: FeedFilter, after: FeedKey | None, limit: int, confinement: Confinement
    ) -> list[FeedView]: ...

    async def one(self, feed_id: UUID, confinement: Confinement) -> FeedView | None: ...


class History(Protocol):
    """What was recorded of each feed's life. Raises StoreUnavailable, ReadTooSlow."""

    async def steps(
        self, feed_id: UUID, after: HistoryKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedStep]: ...


class OpenObject(Protocol):
    """An object on its way to the caller, who closes it, whatever came of it."""

    @property
    def size_bytes(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """All of it, in pieces of bounded size. Raises if the store stops answering half-way."""
        ...

    async def close(self) -> None: ...


class ErrorBucket(Protocol):
    """What the aggregator handed back. Raises StoreUnavailable."""

    async def open(self, uri: str, seller_id: str, feed_id: UUID) -> OpenObject | None:
        """None if it is not there any more, or `uri` is no place of that seller's feed."""
        ...


class Receipts(Protocol):
    """Uploads that were accepted. Raises StoreUnavailable."""

    async def one(self, feed_id: UUID) -> Receipt | None: ...


class ErrorLog(Protocol):
    """Entries of the processing log that are warnings or errors. Raises StoreUnavailable."""

    async def newest_errors(
        self, chosen: ErrorFilter, after: EntryKey | None, limit: int, confinement: Confinement
    ) -> tuple[list[LogEntry], EntryKey | None]: ...


class PlanRunner(Protocol):
    """Answers plans, and says which names of a question the store knows. Raises StoreUnavailable, ReadTooSlow."""

    async def known_values(self, candidates: Sequence[str], confinement: Confinement) -> list[KnownValue]:
        """Products, categories, sellers and currencies whose name is one of the candidates, whatever its case."""
        ...

    async def run(self, plan: Plan, confinement: Confinement) -> PlanRun: ...


class Interpreter(Protocol):
    """Reads a question as a plan. Raises Declined, InterpreterUnavailable."""

    @property
    def name(self) -> str: ...

    async def read(self, question: str, as_of: date, known: Sequence[KnownValue]) -> Plan: ...
