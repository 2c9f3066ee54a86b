"""THE FLOW: from "an object was created" to a feed whose end is stored, exactly once (P1-P4).

identify → claim under a lease and a fence → conclude_feed.py, up to the commit → wake the relay. Whatever interrupts it
gives the feed back to the queue; only a stored outcome lets the message go.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from services.aggregator.conclude_feed import ConcludeFeed
from services.aggregator.errors import LeaseLost, MissingObject
from services.aggregator.feed_work import Limits, Ports
from services.aggregator.metrics import FEED_SECONDS
from services.aggregator.ports import Feeds, Uploads
from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef, identify, is_folder_marker
from services.aggregator.rules.feed_lease import AlreadyTerminal, Claimed, HeldElsewhere, OtherObject
from services.aggregator.threaded_reading import ReadingThreads

log = structlog.get_logger(__name__)

RELEASE_SECONDS = 8.0
"""A killed statement has to roll back before its row can be written."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Its outcome is stored: by us just now, or before."""


@dataclass(frozen=True, slots=True)
class NotAFeed:
    """There is nothing to process, and nobody to tell."""


Applied = Finished | NotAFeed | HeldElsewhere


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
        self._uploads: Uploads = ports.uploads
        self._feeds: Feeds = ports.feeds
        self._conclude = ConcludeFeed(ports, threads, limits, work_dir)
        self._worker = worker
        self._default_seller_id = default_seller_id
        self._committed = committed

    async def __call__(self, ref: ObjectRef, size_bytes: int | None = None, is_last_try: bool = False) -> Applied:
        """Raises Outage, LeaseLost or MustWait: try again later; nothing is stored, or everything and the answer was
        lost. Whatever else goes wrong with what was fetched is raised as it is, or makes the feed FATAL if this is its
        last try.
        """
        if is_folder_marker(ref, size_bytes):
            log.info("object.ignored", key=ref.key, reason="an empty folder")
            return NotAFeed()
        facts = await self._describe(ref)
        # Only the event knows the sequencer.
        claim = await self._claim(replace(facts.ref, sequencer=ref.sequencer) if facts else ref, facts)
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
                    await self._conclude(claim, facts, is_last_try)
            except BaseException as error:
                log.warning("feed.interrupted", error=repr(error))
                await self._release(claim)
                raise
        self._committed()
        return Finished()

    async def _describe(self, ref: ObjectRef) -> ObjectFacts | None:
        try:
            return await self._uploads.describe(ref)
        except MissingObject:
            return None

    async def _claim(self, ref: ObjectRef, facts: ObjectFacts | None) -> Claimed | AlreadyTerminal | HeldElsewhere:
        candidates = identify(ref, facts, self._default_seller_id)
        if facts is None:
            # Its metadata went with it; if it was recorded while it was there, that is who it is.
            known = await self._feeds.find_known(candidates)
            candidates = tuple(feed for feed in candidates if known in (None, feed.feed_id))
        for feed in candidates:
            claim = await self._feeds.claim(feed, self._worker)
            if not isinstance(claim, OtherObject):
                return claim
            log.warning("feed.id_taken", feed_id=str(feed.feed_id), key=ref.key)
        raise LeaseLost(f"no feed id is free for {ref.uri}")

    async def _release(self, claim: Claimed) -> None:
        """So that the next worker need not wait for the lease to run out. A failure here costs only that wait."""
        release = asyncio.ensure_future(self._feeds.release(claim))
        # wait() neither cancels it nor raises what it raises: the caller has an exception of its own to tell.
        await asyncio.wait({release}, timeout=RELEASE_SECONDS)
        if not release.done():
            release.cancel()
            log.warning("feed.not_released", reason=f"not within {RELEASE_SECONDS} s")
        elif error := release.exception():
            log.warning("feed.not_released", reason=repr(error))
        else:
            log.info("feed.released")
