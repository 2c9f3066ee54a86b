"""A feed's end, from a conclusion to its commit: keep the evidence → commit everything at once → tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import structlog

from services.aggregator.errors import CorrectionsCountOn, Outage
from services.aggregator.feed_work import Limits, Ports, Work
from services.aggregator.metrics import FEEDS, ROWS
from services.aggregator.ports import ContributionBatches
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion, report_of, warned
from services.aggregator.rules.version_order import OrderUnknown, ranked
from shared.schemas.events import Phase
from shared.schemas.feeds import ProcessingStatus

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

_NAMES = {
    ProcessingStatus.DONE: "feed.applied",
    ProcessingStatus.FATAL: "feed.failed",
    ProcessingStatus.CANCELLED: "feed.superseded",
}


class StoreOutcome:
    """Raises what Ledger.commit does, but for OrderUnknown and CorrectionsCountOn: those it answers itself."""

    def __init__(self, ports: Ports, limits: Limits) -> None:
        self._ports = ports
        self._limits = limits

    async def __call__(
        self, work: Work, conclusion: Conclusion, contributions: ContributionBatches | None = None
    ) -> None:
        claim = work.claim
        conclusion = await self._commit(work, conclusion, contributions)
        counts = conclusion.counts
        FEEDS.labels(claim.feed.feed_type.value, conclusion.status.value).inc()
        for outcome in ("accepted", "rejected", "duplicate", "skipped"):
            ROWS.labels(claim.feed.feed_type.value, outcome).inc(getattr(counts, f"rows_{outcome}"))
        log.info(
            _NAMES[conclusion.status],
            error=conclusion.error.code if conclusion.error else None,
            duplicate_of=str(conclusion.duplicate_of) if conclusion.duplicate_of else None,
            replaced_by=str(conclusion.replaced_by) if conclusion.replaced_by else None,
            layout=conclusion.layout,
            **counts.model_dump(),
        )

    async def _commit(self, work: Work, unwarned: Conclusion, contributions: ContributionBatches | None) -> Conclusion:
        """Evidence first, so that no row ever names a report that is not there; then everything at once.

        Only the commit knows what the report has to warn of; where that was something else, both are done again.
        """
        is_done = unwarned.status is ProcessingStatus.DONE
        conclusion = warned(unwarned, work.still_counting) if is_done else unwarned
        while True:
            conclusion = await work.lease.during(self._keep_evidence(work.claim, conclusion))
            work.progress.told(Phase.STORE, 50)
            await work.lease.before_commit(is_quick=self._is_quick(work, conclusion))
            commit = partial(self._ports.ledger.commit, work.claim, conclusion, contributions)
            try:
                # Neither renewed nor shown meanwhile, as the commit holds the feed's row: the lease outlasts it.
                async with asyncio.timeout(self._limits.commit_seconds):
                    await self.knowing_the_order(work, commit)
            except TimeoutError as error:
                raise Outage(f"the commit took longer than {self._limits.commit_seconds} s") from error
            except CorrectionsCountOn as found:
                work.still_counting = found.feeds
                conclusion = warned(unwarned, found.feeds)
                work.go_again(found)
            else:
                return conclusion

    def _is_quick(self, work: Work, conclusion: Conclusion) -> bool:
        """Whether its commit takes moments, if it need not wait for others: few groups, and nothing to take back."""
        return conclusion.counts.rows_received <= self._limits.contribution_batch and not work.takes_back

    async def _keep_evidence(self, claim: Claimed, conclusion: Conclusion) -> Conclusion:
        """The conclusion with the places where its report and raw file are kept."""
        if conclusion.error:
            raw_uri = await self._ports.error_bucket.keep_raw(claim.feed)
            conclusion = replace(conclusion, raw_uri=raw_uri)
        report = report_of(claim, conclusion, datetime.now(UTC))
        return replace(conclusion, report_uri=await self._ports.error_bucket.keep_report(report, claim.fence))

    async def knowing_the_order(
        self, work: Work, ask: Callable[[Mapping[str, int] | None], Awaitable[Result]]
    ) -> Result:
        """Where only the bucket's list tells the order of versions, it is asked for, anew for what came since."""
        while True:
            try:
                return await ask(work.listed)
            except OrderUnknown as unknown:
                work.asked_about |= set(unknown.version_ids)
                newest_first = await self._ports.uploads.list_versions(work.claim.feed.ref)
                work.listed = ranked(newest_first, work.asked_about)
                work.go_again(unknown)
