"""Feeds and ledger in memory, with the same rules as the database on top of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.aggregator.errors import CorrectionsCountOn, LeaseLost, NoLongerSame, SameContent
from services.aggregator.ports import Contribution, ContributionBatches
from services.aggregator.rules.feed_identity import FeedIdentity
from services.aggregator.rules.feed_lease import Claimed, ClaimRefusal, FeedRow, refusal
from services.aggregator.rules.feed_outcome import Conclusion
from services.aggregator.rules.feed_succession import (
    CorrectedRows,
    Decision,
    KnownFeed,
    Succession,
    permitted,
    succession,
)
from services.aggregator.rules.reading_progress import Progress
from services.aggregator.rules.version_order import VersionPlace
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, ProcessingStatus
from tests.flow.aggregator.memory_buckets import STORED_AT
from tests.flow.aggregator.steps import Step, no_step


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

    async def renew(self, claim: Claimed, progress: Progress, seconds: float | None = None) -> None:
        self.at("renew")
        row = self._held(claim)
        row.lease_expires_at = self.now + (self.lease if seconds is None else timedelta(seconds=seconds))
        row.shown.append(progress)

    async def release(self, claim: Claimed) -> None:
        self.at("release")
        try:
            self._held(claim).status = ProcessingStatus.IN_QUEUE
        except LeaseLost:
            return

    async def options_of(self, feed_id: UUID, seller_id: str) -> FeedOptions | None:
        self.at("options_of")
        row = self.rows.get(feed_id)
        return row.conclusion.options if row and row.conclusion and row.feed.seller_id == seller_id else None

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
        decision = self._decide(claim, options, sha256, listed)
        if isinstance(decision, Succession):
            return replace(decision, still_counting=self._still_counting(decision.takes_place_of))
        return decision

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
            beside = self._still_counting(plan.takes_place_of)
            if beside != conclusion.still_counting:
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

    def _still_counting(self, replaced: Sequence[UUID]) -> tuple[UUID, ...]:
        counting = {row.feed.feed_id: row.conclusion for row in self.rows.values() if row.counts and row.conclusion}
        return tuple(sorted((feed_id for feed_id, each in counting.items() if each.corrects in replaced), key=str))

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
