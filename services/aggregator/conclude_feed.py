"""One claimed feed, from its bytes to its committed end: fetch → look whether it may count → read → conclude → keep the
evidence → commit. The heavy work happens outside any transaction."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC
from functools import partial
from pathlib import Path
from uuid import uuid4

import structlog

from services.aggregator.errors import (
    AggregatorError,
    BooksDoNotClose,
    MissingObject,
    MustWait,
    NoLongerSame,
    RelationRefused,
    SameContent,
    UnreadableFeed,
)
from services.aggregator.feed_work import COMMIT_RESERVE_SECONDS, Limits, Ports, Work
from services.aggregator.held_lease import HeldLease
from services.aggregator.ports import ReadFeed, ReadRequest
from services.aggregator.rules.feed_identity import ObjectFacts
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import (
    REPORT_ISSUES_LIMIT,
    Conclusion,
    failed,
    judged,
)
from services.aggregator.rules.feed_succession import UNKNOWN_FEED, permitted
from services.aggregator.rules.given_options import options_of
from services.aggregator.rules.other_ends import OTHER_ENDS, OtherEnd, other_end
from services.aggregator.rules.reading_progress import ReadingProgress
from services.aggregator.store_outcome import StoreOutcome
from services.aggregator.threaded_reading import ReadingThreads
from shared.schemas.events import Phase
from shared.schemas.feeds import FeedError, ProcessingStatus
from shared.schemas.issues import Issue

log = structlog.get_logger(__name__)


class ConcludeFeed:
    """Raises Outage, LeaseLost or MustWait: try later; nothing is stored, or all of it and the answer was lost."""

    def __init__(self, ports: Ports, threads: ReadingThreads, limits: Limits, work_dir: Path) -> None:
        self._ports = ports
        self._threads = threads
        self._limits = limits
        self._work_dir = work_dir
        self._store = StoreOutcome(ports, limits)

    async def __call__(self, claim: Claimed, facts: ObjectFacts | None, is_last_try: bool = False) -> None:
        """To the end of the commit."""
        progress = ReadingProgress()
        renew = partial(self._ports.feeds.renew, claim)
        for_commit = max(self._limits.lease_seconds, self._limits.commit_seconds + COMMIT_RESERVE_SECONDS)
        take_for_commit = partial(renew, seconds=for_commit)
        lease = HeldLease(renew, self._limits.lease_seconds / 3, progress, take_for_commit=take_for_commit)
        work = Work(claim, lease, progress, is_last_try, takes_back=claim.stands)
        if facts is None or claim.feed.objection:
            error = claim.feed.objection or FeedError(code="reference/missing_object", message="it is not there")
            await self._store(work, failed(error, Phase.RECEIVE))
            return
        options = options_of(facts.metadata, claim.overrides)
        if isinstance(options, FeedError):
            await self._store(work, failed(options, Phase.RECEIVE))
            return
        work.options = options
        conclusion: Conclusion | None = None
        while True:
            try:
                if conclusion is None:
                    await self._read_and_store(work, facts)
                else:
                    await self._store(work, conclusion)
            except OTHER_ENDS as reason:
                await self._wait_if_on_its_way(work, reason)
                conclusion = other_end(reason, work.sha256, work.options)
                work.go_again(reason)
            except NoLongerSame as reason:
                conclusion = None
                work.go_again(reason)
            else:
                return

    async def _wait_if_on_its_way(self, work: Work, reason: OtherEnd) -> None:
        """Events come in any order: the feed that is named may be accepted, and not seen by any worker yet."""
        named = work.options.replaces or work.options.corrects
        if not isinstance(reason, RelationRefused) or reason.code != UNKNOWN_FEED or named is None:
            return
        receipt, feed = await self._ports.receipts.find(named), work.claim.feed
        if receipt and (receipt.seller_id, receipt.feed_type) == (feed.seller_id, feed.feed_type):
            raise MustWait(named)

    async def _look_ahead(self, work: Work) -> None:
        """Saves work that would be for nothing. Raises SameContent, RelationRefused, NewerVersion, or MustWait."""
        look = partial(self._ports.feeds.look_ahead, work.claim, work.options, work.sha256)
        succession = permitted(await self._store.knowing_the_order(work, look))
        work.still_counting = succession.still_counting
        work.takes_back = work.takes_back or bool(succession.takes_place_of)
        if same := succession.duplicate_of:
            raise SameContent(same.feed_id, same.rows_received)

    async def _fetch(self, work: Work, facts: ObjectFacts, path: Path) -> str:
        """The SHA-256 of what lies at `path` now."""
        if facts.size_bytes > self._limits.max_feed_bytes:
            sizes = f"the file has {facts.size_bytes} bytes; at most {self._limits.max_feed_bytes} are processed"
            raise UnreadableFeed("format/too_large", sizes)

        def fetched(bytes_here: int) -> None:
            work.progress.told(Phase.RECEIVE, bytes_here * 100 // max(facts.size_bytes, 1))

        try:
            return await work.lease.during(self._ports.uploads.download(facts, path, fetched))
        except MissingObject as missing:
            gone = f"{facts.ref.uri} disappeared before it could be read"
            raise UnreadableFeed("reference/missing_object", gone) from missing

    async def _read_and_store(self, work: Work, facts: ObjectFacts) -> None:
        """The feed that was read stays open until its contributions are stored."""
        feed = work.claim.feed
        if work.options.replaces or work.options.corrects:
            await self._look_ahead(work)
        if work.options.corrects:
            # Its rows come back as they were handed back: written as in the feed that they are of.
            corrected = await self._ports.feeds.options_of(work.options.corrects, feed.seller_id)
            work.options = work.options.written_like(corrected) if corrected else work.options
        with self._scratch_files() as (path, rejected):
            work.sha256 = await self._fetch(work, facts, path)
            await self._look_ahead(work)
            # Of the object and not of this attempt, so that reading it again gives the same answer.
            day = facts.last_modified.astimezone(UTC).date()
            request = ReadRequest(feed.seller_id, day, work.options, work.progress.told)
            reader = self._ports.readers[feed.feed_type]
            with self._fatal_at_the_last_try(work):
                read = await work.lease.during(self._threads.read(reader, path, request))
                try:
                    conclusion = await self._conclude(work, read, rejected)
                    adds = conclusion.adds_to_totals
                    batches = partial(self._threads.batches, read, self._limits.contribution_batch) if adds else None
                    await self._store(work, conclusion, batches)
                finally:
                    await self._threads.discard(read)

    @contextmanager
    def _scratch_files(self) -> Iterator[tuple[Path, Path]]:
        """Places for the raw file and the rejected rows: a directory would take longer than most feeds' rows."""
        name = uuid4().hex
        raw, rejected = (self._work_dir / f"feed-{name}.{kind}" for kind in ("raw", "rejected"))
        try:
            yield raw, rejected
        finally:
            for path in (raw, rejected):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _fatal_at_the_last_try(self, work: Work) -> Iterator[None]:
        """A fault of ours that every try would meet must not leave a feed in the queue for ever: after the last try it
        is FATAL, with its file kept, and can be reprocessed. Local disk and memory are outages, which may end."""
        try:
            yield
        except Exception as error:
            is_ours = isinstance(error, BooksDoNotClose) or not isinstance(
                error, (AggregatorError, OSError, MemoryError)
            )
            if not (is_ours and work.is_last_try):
                raise
            log.exception("feed.not_readable", error=repr(error))
            message = (
                "This file could not be processed because of a fault of ours; it was kept, and can be reprocessed once"
                " the fault is mended."
            )
            raise UnreadableFeed("internal/not_readable", message) from error

    async def _conclude(self, work: Work, read: ReadFeed, rejected: Path) -> Conclusion:
        """The rejected rows are handed back whatever their number makes of the feed."""
        work.progress.told(Phase.STORE, 0)
        issues: list[Issue] = []
        if read.issue_count:
            issues = await work.lease.during(self._threads.call(read.first_issues, REPORT_ISSUES_LIMIT))
        conclusion = Conclusion(
            status=ProcessingStatus.DONE,
            counts=read.counts,
            sha256=work.sha256,
            options=work.options,
            recognised=read.recognised,
            issue_totals=tuple(read.issue_totals),
            issues=tuple(issues),
            issue_count=read.issue_count,
        )
        if read.counts.rows_rejected:
            written = await work.lease.during(self._threads.call(read.write_rejected, rejected))
            if written != read.counts.rows_rejected:
                raise BooksDoNotClose(f"{read.counts.rows_rejected} rows rejected, {written} in rejected.csv")
            keep = self._ports.error_bucket.keep_rejected(work.claim.feed, work.claim.fence, rejected)
            conclusion = replace(conclusion, rejected_uri=await work.lease.during(keep))
        return judged(conclusion, work.options)
