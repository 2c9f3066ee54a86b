"""Small real classes in place of the stores."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from uuid import UUID

from services.query.errors import StoreUnavailable
from services.query.ports import KeyedRecord, KeyedStep, Summary
from services.query.rules.answers import Coverage, PlanRun
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import EntryKey, FeedKey, HistoryKey, ProductKey, TransactionKey
from services.query.rules.plan import Plan
from services.query.rules.records import ErrorFilter, FeedFilter, SalesFilter
from services.query.rules.values import KnownValue
from shared.schemas.feeds import FeedView, HistoryEntry, Receipt
from shared.schemas.processing_log import LogEntry

COVERAGE = Coverage(
    start=None,
    end=None,
    data_from=date(2026, 1, 1),
    data_to=date(2026, 3, 31),
    feeds_counted=1,
    rows_rejected=0,
    feeds_failed=0,
    feeds_in_progress=0,
)


class FakeSales:
    """Holds records in order; `asked` keeps what the flow wanted."""

    def __init__(self, records: Sequence[KeyedRecord] = (), summary: Summary | None = None) -> None:
        self.held = list(records)
        self.held_summary = summary or Summary([], [])
        self.asked: list[tuple[SalesFilter, object, int, Confinement]] = []

    async def records(
        self, chosen: SalesFilter, after: TransactionKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedRecord]:
        self.asked.append((chosen, after, limit, confinement))
        keys = [keyed.key for keyed in self.held]
        begin = keys.index(after) + 1 if after else 0
        return self.held[begin : begin + limit]

    async def summary(
        self, chosen: SalesFilter, after: ProductKey | None, limit: int, confinement: Confinement
    ) -> Summary:
        self.asked.append((chosen, after, limit, confinement))
        return Summary(self.held_summary.products[:limit], self.held_summary.totals)


class FakeFeeds:
    """Holds feeds, newest first."""

    def __init__(self, feeds: Sequence[FeedView] = ()) -> None:
        self.held = list(feeds)

    async def newest(
        self, chosen: FeedFilter, after: FeedKey | None, limit: int, confinement: Confinement
    ) -> list[FeedView]:
        older = [feed for feed in self.held if after is None or feed.received_at < after.received_at]
        return older[:limit]

    async def one(self, feed_id: UUID, confinement: Confinement) -> FeedView | None:
        return next(
            (feed for feed in self.held if feed.feed_id == feed_id and not confinement.hides(feed.seller_id)), None
        )


class FakeReceipts:
    def __init__(self, receipts: Sequence[Receipt] = ()) -> None:
        self.held = {receipt.feed_id: receipt for receipt in receipts}

    async def one(self, feed_id: UUID) -> Receipt | None:
        return self.held.get(feed_id)


class FakeHistory:
    """Holds the steps of feeds, in order; a feed's steps are its seller's."""

    def __init__(self, seller_id: str = "acme", steps: dict[UUID, list[HistoryEntry]] | None = None) -> None:
        self.seller_id = seller_id
        self.held = steps or {}

    async def steps(
        self, feed_id: UUID, after: HistoryKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedStep]:
        if confinement.hides(self.seller_id):
            return []
        keyed = [
            KeyedStep(HistoryKey(feed_id, number), entry)
            for number, entry in enumerate(self.held.get(feed_id, []), start=1)
        ]
        return [step for step in keyed if after is None or step.key.number > after.number][:limit]


class FakeObject:
    """An open object; `still_open` counts those that nobody closed."""

    def __init__(self, content: bytes, bucket: "FakeErrorBucket") -> None:
        self.size_bytes = len(content)
        self._content = content
        self._bucket = bucket

    async def chunks(self) -> AsyncIterator[bytes]:
        for begin in range(0, len(self._content), 7):
            yield self._content[begin : begin + 7]

    async def close(self) -> None:
        self._bucket.still_open -= 1


class FakeErrorBucket:
    """Holds objects by their place; `asked` keeps whose they were said to be."""

    def __init__(self, objects: dict[str, bytes] | None = None, *, down: bool = False) -> None:
        self.objects = objects or {}
        self.down = down
        self.still_open = 0
        self.asked: list[tuple[str, str, UUID]] = []

    async def open(self, uri: str, seller_id: str, feed_id: UUID) -> FakeObject | None:
        self.asked.append((uri, seller_id, feed_id))
        if self.down:
            raise StoreUnavailable
        if uri not in self.objects:
            return None
        self.still_open += 1
        return FakeObject(self.objects[uri], self)


class FakeErrorLog:
    def __init__(self, entries: Sequence[LogEntry] = ()) -> None:
        self.held = list(entries)
        self.asked: list[tuple[ErrorFilter, Confinement]] = []

    async def newest_errors(
        self, chosen: ErrorFilter, after: EntryKey | None, limit: int, confinement: Confinement
    ) -> tuple[list[LogEntry], EntryKey | None]:
        self.asked.append((chosen, confinement))
        return self.held[:limit], None


class FakePlans:
    """Knows some names; answers every plan with the same rows."""

    def __init__(self, known: Sequence[KnownValue] = (), rows: Sequence[dict[str, object]] = ()) -> None:
        self.known = list(known)
        self.rows = [dict(row) for row in rows]
        self.looked_up: list[Sequence[str]] = []
        self.ran: list[tuple[Plan, Confinement]] = []

    async def known_values(self, candidates: Sequence[str], confinement: Confinement) -> list[KnownValue]:
        self.looked_up.append(candidates)
        lowered = {candidate.lower() for candidate in candidates}
        return [value for value in self.known if value.value.lower() in lowered]

    async def run(self, plan: Plan, confinement: Confinement) -> PlanRun:
        self.ran.append((plan, confinement))
        return PlanRun(self.rows, truncated=False, sql="SELECT …", parameters={}, coverage=COVERAGE)
