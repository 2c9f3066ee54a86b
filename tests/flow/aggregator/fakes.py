"""Small stand-ins for what the aggregator's flow acts through; they keep what they were told, in order."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from services.aggregator.apply_feed import ApplyFeed, Limits, Ports
from services.aggregator.errors import (
    CorrectionsCountOn,
    LeaseLost,
    MissingObject,
    NoLongerSame,
    NoSuchFeed,
    SameContent,
    UnreadableFeed,
)
from services.aggregator.ports import Contribution, ContributionBatches, ReadRequest
from services.aggregator.rules.callers import Caller
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectFacts, ObjectRef
from services.aggregator.rules.feed_lease import Claimed, ClaimRefusal, FeedRow, refusal
from services.aggregator.rules.feed_outcome import Conclusion
from services.aggregator.rules.feed_succession import CorrectedRows, Decision, KnownFeed, permitted, succession
from services.aggregator.rules.reading_progress import Progress
from services.aggregator.rules.version_order import VersionPlace
from services.aggregator.threaded_reading import ReadingThreads
from shared.schemas.events import Phase
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, FeedType, ProcessingStatus, Receipt, Recognised
from shared.schemas.issues import Issue, IssueTotal, Severity
from shared.schemas.reports import FeedReport

BUCKET = "uploads"
STORED_AT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)

Step = Callable[[str], None]


def no_step(_: str) -> None:
    """What happens at a step unless a test says otherwise."""


@dataclass
class MemoryUploads:
    """A versioned bucket. `at` is told of every call, before it does anything."""

    at: Step = no_step
    objects: dict[tuple[str, str], tuple[ObjectFacts, bytes]] = field(default_factory=dict)

    def put(self, key: str, content: bytes, **metadata: str) -> ObjectRef:
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        return self.put_at(key, content, STORED_AT, named)

    def put_at(
        self,
        key: str,
        content: bytes,
        stored_at: datetime,
        metadata: Mapping[str, str] | None = None,
        sequencer: str | None = None,
    ) -> ObjectRef:
        """One more version of the key; the sequencer is the event's to tell."""
        version = f"v{len(self.objects) + 1}"
        ref = ObjectRef(BUCKET, key, version, hashlib.md5(content, usedforsecurity=False).hexdigest())
        self.objects[key, version] = (ObjectFacts(ref, len(content), stored_at, metadata or {}), content)
        return replace(ref, sequencer=sequencer)

    def delete(self, ref: ObjectRef) -> None:
        del self.objects[ref.key, ref.version_id or ""]

    async def describe(self, ref: ObjectRef) -> ObjectFacts:
        self.at("describe")
        return self._find(ref)[0]

    async def download(self, facts: ObjectFacts, path: Path, fetched: Callable[[int], None]) -> str:
        self.at("download")
        content = self._find(facts.ref)[1]
        await asyncio.to_thread(path.write_bytes, content)
        fetched(len(content))
        return hashlib.sha256(content).hexdigest()

    async def list_versions(self, ref: ObjectRef) -> Mapping[str, int]:
        self.at("list_versions")
        own = [version for key, version in self.objects if key == ref.key]
        return {version: rank for rank, version in enumerate(reversed(own))}

    def _find(self, ref: ObjectRef) -> tuple[ObjectFacts, bytes]:
        try:
            return self.objects[ref.key, ref.version_id or ""]
        except KeyError as error:
            raise MissingObject from error


@dataclass
class MemoryErrorBucket:
    """The latest report and rejected rows of each feed, and the URIs of all that was written."""

    at: Step = no_step
    raws: dict[UUID, str] = field(default_factory=dict)
    reports: dict[UUID, FeedReport] = field(default_factory=dict)
    rejected: dict[UUID, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    gone: bool = False

    async def keep_raw(self, feed: FeedIdentity) -> str | None:
        self.at("keep_raw")
        if self.gone or feed.size_bytes is None:
            return None
        self.raws[feed.feed_id] = feed.ref.key
        return f"s3://errors/{feed.feed_id}/raw"

    async def keep_report(self, report: FeedReport, fence: int) -> str:
        self.at("keep_report")
        self.reports[report.header.feed_id] = report
        uri = f"s3://errors/{report.header.feed_id}/fence-{fence}/report.json"
        self.written.append(uri)
        return uri

    async def keep_rejected(self, feed: FeedIdentity, fence: int, path: Path) -> str:
        self.at("keep_rejected")
        self.rejected[feed.feed_id] = await asyncio.to_thread(path.read_text)
        uri = f"s3://errors/{feed.feed_id}/fence-{fence}/rejected.csv"
        self.written.append(uri)
        return uri


@dataclass
class MemoryReceipts:
    at: Step = no_step
    receipts: dict[UUID, Receipt] = field(default_factory=dict)

    async def find(self, feed_id: UUID) -> Receipt | None:
        self.at("find_receipt")
        return self.receipts.get(feed_id)


@dataclass
class Stored:
    """One feed's row, and what it adds."""

    feed: FeedIdentity
    status: ProcessingStatus = ProcessingStatus.IN_QUEUE
    fence: int = 0
    lease_expires_at: datetime | None = None
    conclusion: Conclusion | None = None
    contributions: list[Contribution] = field(default_factory=list)
    replaced_by: UUID | None = None
    shown: list[Progress] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return bool(self.conclusion and self.conclusion.adds_to_totals and self.replaced_by is None)

    def known(self) -> KnownFeed:
        told = self.conclusion
        return KnownFeed(
            feed_id=self.feed.feed_id,
            seller_id=self.feed.seller_id,
            feed_type=self.feed.feed_type,
            status=self.status,
            counts=self.counts,
            place=VersionPlace(self.feed.ref.version_id, self.feed.ref.sequencer, self.feed.modified_at),
            replaced_by=self.replaced_by,
            duplicate_of=told.duplicate_of if told else None,
            rows_received=told.counts.rows_received if told else 0,
            rows_rejected=told.counts.rows_rejected if told else 0,
        )


@dataclass
class MemoryStore:
    """Feeds and Ledger in one, with a clock that a test can move."""

    at: Step = no_step
    rows: dict[UUID, Stored] = field(default_factory=dict)
    now: datetime = STORED_AT + timedelta(hours=2)  # on the next day
    lease: timedelta = timedelta(seconds=60)
    commits: int = 0

    async def claim(self, feed: FeedIdentity, owner: str) -> Claimed | ClaimRefusal:
        self.at("claim")
        row = self.rows.setdefault(feed.feed_id, Stored(feed))
        seen = FeedRow(row.feed.ref, row.status, row.lease_expires_at, self.now)
        if refused := refusal(feed, seen):
            return refused
        row.status, row.fence, row.lease_expires_at = ProcessingStatus.IN_PROGRESS, row.fence + 1, self.now + self.lease
        return Claimed(feed=feed, fence=row.fence, attempt=row.fence, owner=owner, started_at=self.now)

    async def renew(self, claim: Claimed, progress: Progress) -> None:
        self.at("renew")
        row = self._held(claim)
        row.lease_expires_at = self.now + self.lease
        row.shown.append(progress)

    async def release(self, claim: Claimed) -> None:
        self.at("release")
        try:
            self._held(claim).status = ProcessingStatus.IN_QUEUE
        except LeaseLost:
            return

    async def find_known(self, feeds: Sequence[FeedIdentity]) -> UUID | None:
        self.at("find_known")
        for feed in feeds:
            if feed.feed_id in self.rows and feed.ref.is_same_as(self.rows[feed.feed_id].feed.ref):
                return feed.feed_id
        return None

    async def look_ahead(
        self, claim: Claimed, options: FeedOptions, sha256: str | None, listed: Mapping[str, int] | None
    ) -> Decision:
        self.at("look_ahead")
        return self._decide(claim, options, sha256, listed)

    async def commit(
        self,
        claim: Claimed,
        conclusion: Conclusion,
        contributions: ContributionBatches | None,
        listed: Mapping[str, int] | None = None,
    ) -> None:
        self.at("commit")
        added = [each async for batch in contributions() for each in batch] if contributions else []
        # From here on in one go, as a transaction is.
        row = self._held(claim)
        if conclusion.status is ProcessingStatus.DONE:
            options = conclusion.options or FeedOptions()
            plan = permitted(self._decide(claim, options, conclusion.sha256, listed, conclusion.counts))
            if plan.duplicate_of and plan.duplicate_of.feed_id != conclusion.duplicate_of:
                raise SameContent(plan.duplicate_of.feed_id, plan.duplicate_of.rows_received)
            if conclusion.duplicate_of and not plan.duplicate_of:
                raise NoLongerSame
            beside = sorted(self._still_counting(plan.takes_place_of), key=str)
            if tuple(beside) != conclusion.still_counting:
                raise CorrectionsCountOn(beside)
            for feed_id in plan.takes_place_of:
                self.rows[feed_id].replaced_by = claim.feed.feed_id
                self.rows[feed_id].contributions = []
        row.contributions = added
        row.conclusion, row.status = conclusion, conclusion.status
        self.commits += 1
        self.at("committed")

    def _decide(
        self,
        claim: Claimed,
        options: FeedOptions,
        sha256: str | None,
        listed: Mapping[str, int] | None,
        counts: Counts | None = None,
    ) -> Decision:
        own = self.rows[claim.feed.feed_id]
        others = [row for row in self.rows.values() if row is not own]
        named = self.rows.get(options.replaces or options.corrects or UUID(int=0))
        same = [
            row.known()
            for row in others
            if row.counts and row.conclusion and row.conclusion.sha256 == sha256
            if row.feed.seller_id == own.feed.seller_id
        ]
        return succession(
            own.known(),
            options,
            named=named.known() if named else None,
            versions=[row.known() for row in others if own.feed.is_dropped and row.feed.ref.key == own.feed.ref.key],
            same_content=same[0] if same and sha256 else None,
            listed=listed,
            rows=self._corrected(options, own, counts) if counts else None,
        )

    def _still_counting(self, replaced: Sequence[UUID]) -> list[UUID]:
        counting = {row.feed.feed_id: row.conclusion for row in self.rows.values() if row.counts and row.conclusion}
        return [feed_id for feed_id, each in counting.items() if each.corrects in replaced]

    def _corrected(self, options: FeedOptions, own: Stored, counts: Counts) -> CorrectedRows:
        told = [row.conclusion for row in self.rows.values() if row is not own and row.counts]

        def brought(feed_id: UUID) -> int:
            return sum(each.counts.rows_accepted for each in told if each and each.corrects == feed_id)

        before = brought(options.corrects) if options.corrects else 0
        return CorrectedRows(counts.rows_accepted, counts.rows_rejected, before, brought(own.feed.feed_id))

    def _held(self, claim: Claimed) -> Stored:
        row = self.rows[claim.feed.feed_id]
        if row.fence != claim.fence or row.status is not ProcessingStatus.IN_PROGRESS:
            raise LeaseLost
        return row


@dataclass
class ToldChanges:
    """Feed changes that answer, or raise, as told; they keep what they were asked."""

    answer: FeedChanged | Exception | None = None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def withdraw(self, feed_id: UUID, caller: Caller) -> FeedChanged:
        return self._answer("withdraw", feed_id, caller)

    async def cancel(self, feed_id: UUID, caller: Caller, receipt: Receipt | None) -> FeedChanged:
        return self._answer("cancel", feed_id, caller, receipt)

    async def reprocess(self, feed_id: UUID, caller: Caller, overrides: Mapping[str, str | None]) -> FeedChanged:
        return self._answer("reprocess", feed_id, caller, dict(overrides))

    def _answer(self, *asked: object) -> FeedChanged:
        self.asked.append(asked)
        if isinstance(self.answer, FeedChanged):
            return self.answer
        raise self.answer or NoSuchFeed


class LineReadFeed:
    """`name,rows` per line; a line that is no such thing is rejected."""

    def __init__(self, text: str, day: date, at: Step = no_step) -> None:
        self.at = at
        self.recognised = Recognised(format="lines", layout="lines")
        self.closed = 0
        self._issues: list[Issue] = []
        self._groups: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            name, _, rows = line.partition(",")
            if rows.isdigit():
                self._groups[name] = self._groups.get(name, 0) + int(rows)
            else:
                message = "rows is no number"
                self._issues.append(
                    Issue(code="validation/invalid_rows", severity=Severity.ERROR, message=message, line=number)
                )
        self._day = day

    @property
    def counts(self) -> Counts:
        accepted, rejected = sum(self._groups.values()), len(self._issues)
        return Counts(rows_received=accepted + rejected, rows_accepted=accepted, rows_rejected=rejected)

    @property
    def issue_totals(self) -> list[IssueTotal]:
        rejected = len(self._issues)
        return [IssueTotal(code="validation/invalid_rows", severity=Severity.ERROR, rows=rejected)] if rejected else []

    @property
    def issue_count(self) -> int:
        return len(self._issues)

    def first_issues(self, limit: int) -> list[Issue]:
        self.at("first_issues")
        return self._issues[:limit]

    def write_rejected(self, path: Path) -> int:
        self.at("write_rejected")
        path.write_text("".join(f"{issue.line},{issue.code}\n" for issue in self._issues))
        return len(self._issues)

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        self.at("contributions")
        groups = sorted(self._groups.items())
        for start in range(0, len(groups), batch_size):
            yield [self._contribution(*group) for group in groups[start : start + batch_size]]

    def _contribution(self, name: str, rows: int) -> Contribution:
        money = Decimal("1.10") * rows
        return Contribution(self._day, "", name, "", "", 2 * rows, money, 2 * money, rows)

    def close(self) -> None:
        self.closed += 1


class Gate:
    """Holds the reading thread that comes to it until the test lets it go."""

    def __init__(self) -> None:
        self._entered, self._leave = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._entered.set()
        self._leave.wait(10)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._leave.set()


@dataclass
class LineReader:
    """Reads `name,rows` lines. `meanwhile` runs in the reading thread, `at_what_was_read` when that is asked."""

    meanwhile: Callable[[], None] = lambda: None
    at: Step = no_step
    at_what_was_read: Step = no_step
    read_feeds: list[LineReadFeed] = field(default_factory=list)
    requests: list[ReadRequest] = field(default_factory=list)

    def read(self, path: Path, request: ReadRequest) -> LineReadFeed:
        self.at("read")
        text = path.read_text()
        self.meanwhile()
        if text.startswith("%PDF"):
            raise UnreadableFeed("format/unknown_layout", "no layout fits")
        request.told(Phase.VALIDATE, 50)
        self.requests.append(request)
        self.read_feeds.append(LineReadFeed(text, request.object_day, self.at_what_was_read))
        return self.read_feeds[-1]


@dataclass
class World:
    """All of it, and the flow on top. `flow()` makes another worker on the same stores."""

    work_dir: Path
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    receipts: MemoryReceipts = field(default_factory=MemoryReceipts)
    error_bucket: MemoryErrorBucket = field(default_factory=MemoryErrorBucket)
    store: MemoryStore = field(default_factory=MemoryStore)
    reader: LineReader = field(default_factory=LineReader)
    limits: Limits = field(default_factory=lambda: Limits(1_000_000, 60.0, 2))
    wakes: int = 0
    threads: ReadingThreads = field(default_factory=lambda: ReadingThreads(2))

    def flow(self, worker: str = "w1") -> ApplyFeed:
        ports = Ports(
            uploads=self.uploads,
            receipts=self.receipts,
            error_bucket=self.error_bucket,
            feeds=self.store,
            ledger=self.store,
            readers={FeedType.TRANSACTIONS: self.reader},
        )
        return ApplyFeed(
            ports,
            self.threads,
            self.limits,
            work_dir=self.work_dir,
            worker=worker,
            default_seller_id="house",
            committed=self._wake,
        )

    def at_every_step(self, step: Step) -> None:
        for part in (self.uploads, self.receipts, self.error_bucket, self.store, self.reader):
            part.at = step

    def only(self) -> Stored:
        [row] = self.store.rows.values()
        return row

    def _wake(self) -> None:
        self.wakes += 1


@asynccontextmanager
async def open_world(work_dir: Path, **parts: object) -> AsyncIterator[World]:
    world = replace(World(work_dir), **parts)  # type: ignore[arg-type] # fields by name
    try:
        yield world
    finally:
        world.threads.close()
