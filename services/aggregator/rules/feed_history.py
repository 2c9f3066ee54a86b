"""The steps of a feed's life, in the words of HistoryEntry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.aggregator.rules.feed_announcements import why_not
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion
from shared.schemas.feeds import ProcessingStatus


@dataclass(frozen=True, slots=True)
class Step:
    """`at` None: the moment it is written. `detail` holds what is known, in texts; what is None is left out."""

    feed_id: UUID
    event: str
    actor: str
    detail: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None

    def texts(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.detail.items() if value is not None}


def end_of(claim: Claimed, conclusion: Conclusion) -> Step:
    """The step with which a reading ends."""
    detail: dict[str, object] = {"fence": claim.fence, "run": claim.run}
    if claim.stands and conclusion.status is not ProcessingStatus.DONE:
        error = why_not(conclusion)
        detail |= {"code": error.code, "message": error.message, "report_uri": conclusion.report_uri}
        return Step(claim.feed.feed_id, "reprocess_failed", claim.owner, detail)
    counts = {name: value for name, value in conclusion.counts.model_dump().items() if value}
    if conclusion.replaced_by:
        return Step(claim.feed.feed_id, "superseded", claim.owner, detail | {"by": conclusion.replaced_by})
    if conclusion.error:
        why = {"code": conclusion.error.code, "message": conclusion.error.message}
        return Step(claim.feed.feed_id, "failed", claim.owner, detail | counts | why)
    if conclusion.duplicate_of:
        return Step(claim.feed.feed_id, "duplicate", claim.owner, detail | counts | {"of": conclusion.duplicate_of})
    return Step(claim.feed.feed_id, "applied", claim.owner, detail | counts)
