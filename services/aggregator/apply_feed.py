"""THE FLOW: from "an object was created" to a feed whose end is stored, exactly once (P1-P4).

identify → claim under a lease and a fence → download → read → conclude → keep the report (and the raw file, if FATAL)
→ commit everything in one transaction → wake the relay. The heavy work happens outside any transaction. Whatever
interrupts it gives the feed back to the queue; only a stored outcome lets the message go.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from services.aggregator.errors import LeaseLost, MissingObject, SameContent, UnreadableFeed
from services.aggregator.held_lease import HeldLease
from services.aggregator.metrics import FEED_SECONDS, FEEDS, ROWS
from services.aggregator.ports import ContributionBatches, ErrorBucket, FeedReader, Feeds, Ledger, ReadRequest, Uploads
from services.aggregator.rules.feed_identity import (
    ObjectFacts,
    ObjectRef,
    identify,
    is_folder_marker,
)
from services.aggregator.rules.feed_lease import AlreadyTerminal, Claimed, HeldElsewhere, OtherObject
from services.aggregator.rules.feed_outcome import REPORT_ISSUES_LIMIT, Conclusion, duplicate, failed, report_of
from services.aggregator.threaded_reading import ReadingThreads
from shared.schemas.events import Phase
from shared.schemas.feeds import FeedError, FeedType, ProcessingStatus
from shared.schemas.issues import Issue

log = structlog.get_logger(__name__)

RELEASE_SECONDS = 8.0
"""A killed statement has to roll back before its row can be written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds, and groups in one INSERT."""

    max_feed_bytes: int
    lease_seconds: float
    contribution_batch: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Its outcome is stored: by us just now, or before."""


@dataclass(frozen=True, slots=True)
class NotAFeed:
    """There is nothing to process, and nobody to tell."""


Applied = Finished | NotAFeed | HeldElsewhere


@dataclass(frozen=True, slots=True)
class Ports:
    """What the flow acts through."""

    uploads: Uploads
    error_bucket: ErrorBucket
    feeds: Feeds
    ledger: Ledger
    readers: Mapping[FeedType, FeedReader]


class ApplyFeed:
    """`worker` names this process in leases and events; `committed` is called after every commit."""

    def __init__(
        self,
        ports: Ports,
        threads: ReadingThreads,
        limits: Limits,
        *,
        work_dir: Path,
        worker: str,
        default_seller_id: str,
        committed: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._threads = threads
        self._limits = limits
        self._work_dir = work_dir
        self._worker = worker
        self._default_seller_id = default_seller_id
        self._committed = committed

    async def __call__(self, ref: ObjectRef, size_bytes: int | None = None) -> Applied:
        """Raises Outage or LeaseLost: try again later; nothing is stored, or everything and the answer was lost."""
        if is_folder_marker(ref, size_bytes):
            log.info("object.ignored", key=ref.key, reason="an empty folder")
            return NotAFeed()
        facts = await self._describe(ref)
        claim = await self._claim(facts.ref if facts else ref, facts)
        if isinstance(claim, AlreadyTerminal):
            log.info("feed.already_finished", feed_id=str(claim.feed_id), status=claim.status)
            return Finished()
        if isinstance(claim, HeldElsewhere):
            return claim
        feed = claim.feed
        with structlog.contextvars.bound_contextvars(
            feed_id=str(feed.feed_id), seller_id=feed.seller_id, correlation_id=feed.correlation_id, fence=claim.fence
        ):
            log.info("feed.claimed", file_name=feed.file_name, size_bytes=feed.size_bytes, attempt=claim.attempt)
            try:
                with FEED_SECONDS.time():
                    await self._process(claim, facts)
            except BaseException as error:
                log.warning("feed.interrupted", error=repr(error))
                await self._release(claim)
                raise
        self._committed()
        return Finished()

    async def _describe(self, ref: ObjectRef) -> ObjectFacts | None:
        try:
            return await self._ports.uploads.describe(ref)
        except MissingObject:
            return None

    async def _claim(self, ref: ObjectRef, facts: ObjectFacts | None) -> Claimed | AlreadyTerminal | HeldElsewhere:
        candidates = identify(ref, facts, self._default_seller_id)
        if facts is None:
            # Its metadata went with it; if it was recorded while it was there, that is who it is.
            known = await self._ports.feeds.find_known(candidates)
            candidates = tuple(feed for feed in candidates if known in (None, feed.feed_id))
        for feed in candidates:
            claim = await self._ports.feeds.claim(feed, self._worker)
            if not isinstance(claim, OtherObject):
                return claim
            log.warning("feed.id_taken", feed_id=str(feed.feed_id), key=ref.key)
        raise LeaseLost(f"no feed id is free for {ref.uri}")

    async def _process(self, claim: Claimed, facts: ObjectFacts | None) -> None:
        """To the end of the commit."""
        lease = HeldLease(partial(self._ports.feeds.renew, claim), self._limits.lease_seconds / 3)
        if facts is None or claim.feed.objection:
            error = claim.feed.objection or FeedError(code="reference/missing_object", message="it is not there")
            await self._store(claim, lease, failed(error, Phase.RECEIVE))
            return
        sha256: str | None = None
        with tempfile.TemporaryDirectory(dir=self._work_dir, prefix="feed-", ignore_cleanup_errors=True) as scratch:
            path = Path(scratch) / "raw"
            try:
                sha256 = await lease.during(self._fetch(facts, path))
                await self._ports.feeds.refuse_same_content(claim, sha256)
                await self._read_and_store(claim, lease, facts, path, sha256)
            except UnreadableFeed as unreadable:
                error = FeedError(code=unreadable.code, message=unreadable.message)
                await self._store(claim, lease, failed(error, Phase.READ if sha256 else Phase.RECEIVE, sha256))
            except SameContent as same:
                await self._store(claim, lease, duplicate(same.feed_id, same.rows_received, sha256))

    async def _fetch(self, facts: ObjectFacts, path: Path) -> str:
        """The SHA-256 of what lies at `path` now."""
        if facts.size_bytes > self._limits.max_feed_bytes:
            sizes = f"the file has {facts.size_bytes} bytes; at most {self._limits.max_feed_bytes} are processed"
            raise UnreadableFeed("format/too_large", sizes)
        try:
            return await self._ports.uploads.download(facts, path)
        except MissingObject as missing:
            gone = f"{facts.ref.uri} disappeared before it could be read"
            raise UnreadableFeed("reference/missing_object", gone) from missing

    async def _read_and_store(
        self, claim: Claimed, lease: HeldLease, facts: ObjectFacts, path: Path, sha256: str
    ) -> None:
        """The feed that was read stays open until its contributions are stored."""
        feed = claim.feed
        # Of the object and not of this attempt, so that reading it again gives the same answer.
        day = facts.last_modified.astimezone(UTC).date()
        reader = self._ports.readers[feed.feed_type]
        read = await lease.during(self._threads.read(reader, path, ReadRequest(feed.seller_id, day)))
        try:
            issues: list[Issue] = []
            if read.issue_count:
                issues = await lease.during(self._threads.call(read.first_issues, REPORT_ISSUES_LIMIT))
            conclusion = Conclusion(
                status=ProcessingStatus.DONE,
                counts=read.counts,
                sha256=sha256,
                layout=read.recognised.layout,
                issue_totals=tuple(read.issue_totals),
                issues=tuple(issues),
                issue_count=read.issue_count,
            )
            await self._store(
                claim, lease, conclusion, partial(self._threads.batches, read, self._limits.contribution_batch)
            )
        finally:
            await self._threads.discard(read)

    async def _store(
        self,
        claim: Claimed,
        lease: HeldLease,
        conclusion: Conclusion,
        contributions: ContributionBatches | None = None,
    ) -> None:
        """Evidence first, so that no row ever names a report that is not there; then everything at once."""
        conclusion = await lease.during(self._keep_evidence(claim, conclusion))
        # No renewal from here on: the commit holds the feed's row, and its fence decides.
        await self._ports.ledger.commit(claim, conclusion, contributions)
        counts = conclusion.counts
        FEEDS.labels(claim.feed.feed_type.value, conclusion.status.value).inc()
        for outcome in ("accepted", "rejected", "duplicate", "skipped"):
            ROWS.labels(claim.feed.feed_type.value, outcome).inc(getattr(counts, f"rows_{outcome}"))
        log.info(
            "feed.failed" if conclusion.error else "feed.applied",
            error=conclusion.error.code if conclusion.error else None,
            duplicate_of=str(conclusion.duplicate_of) if conclusion.duplicate_of else None,
            layout=conclusion.layout,
            **counts.model_dump(),
        )

    async def _keep_evidence(self, claim: Claimed, conclusion: Conclusion) -> Conclusion:
        """The conclusion with the places where its report and raw file are kept."""
        if conclusion.error:
            raw_uri = await self._ports.error_bucket.keep_raw(claim.feed)
            conclusion = replace(conclusion, raw_uri=raw_uri)
        if conclusion.wants_report:
            report = report_of(claim, conclusion, datetime.now(UTC))
            conclusion = replace(conclusion, report_uri=await self._ports.error_bucket.keep_report(report))
        return conclusion

    async def _release(self, claim: Claimed) -> None:
        """So that the next worker need not wait for the lease to run out. A failure here costs only that wait."""
        release = asyncio.ensure_future(self._ports.feeds.release(claim))
        # wait() neither cancels it nor raises what it raises: the caller has an exception of its own to tell.
        await asyncio.wait({release}, timeout=RELEASE_SECONDS)
        if not release.done():
            release.cancel()
            log.warning("feed.not_released", reason=f"not within {RELEASE_SECONDS} s")
        elif error := release.exception():
            log.warning("feed.not_released", reason=repr(error))
        else:
            log.info("feed.released")
