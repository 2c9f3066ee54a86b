"""What is announced about feeds. Ids and sequences come from the fence, so that no retry can change them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion
from shared.schemas.events import (
    EVENT_ISSUES_LIMIT,
    FeedCancelled,
    FeedChange,
    FeedFailed,
    FeedOutcome,
    FeedProcessed,
    FeedReplaced,
    FeedReprocessFailed,
    FeedWithdrawn,
)
from shared.schemas.feeds import Counts, FeedError, FeedType, ProcessingStatus

EVENT_BYTES_LIMIT = 100_000
"""SNS takes 262,144 bytes in a batch; an event that never fits would never leave."""

Announcement = FeedOutcome | FeedChange


def event_id(feed_id: UUID, fence: int, event_type: str) -> UUID:
    return uuid5(feed_id, f"{fence}/{event_type}")


def outcome_event(claim: Claimed, conclusion: Conclusion, at: datetime, standing: Counts | None = None) -> Announcement:
    """The announcement of a feed's end. `standing`: the books of the earlier result that stays."""
    if standing is not None:
        kind: type[FeedOutcome] = FeedReprocessFailed
    elif conclusion.status is ProcessingStatus.CANCELLED:
        return _cancelled(claim, conclusion, at)
    else:
        kind = FeedFailed if conclusion.status is ProcessingStatus.FATAL else FeedProcessed
    outcome = {
        **_about(claim, kind.__name__, at),
        "counts": conclusion.counts if standing is None else standing,
        "attempt": claim.attempt,
        "worker": claim.owner,
        "started_at": claim.started_at,
        "issue_totals": list(conclusion.issue_totals),
        "issues": list(conclusion.issues[:EVENT_ISSUES_LIMIT]),
        "report_uri": conclusion.report_uri,
        "rejected_uri": conclusion.rejected_uri,
        "replaces": conclusion.replaces,
        "corrects": conclusion.corrects,
    }
    if kind is FeedProcessed:
        return kind.model_validate(outcome | {"duplicate_of": conclusion.duplicate_of})
    failure = {"error": why_not(conclusion), "phase": conclusion.phase, "raw_uri": conclusion.raw_uri}
    return kind.model_validate(outcome | failure)


def why_not(conclusion: Conclusion) -> FeedError:
    """Why reading it changed nothing."""
    if conclusion.error:
        return conclusion.error
    message = f"a newer version of its object is applied, as feed {conclusion.replaced_by}"
    return FeedError(code="reference/superseded_version", message=message)


def outcome_body(
    claim: Claimed, conclusion: Conclusion, at: datetime, standing: Counts | None = None
) -> tuple[Announcement, str]:
    """The event and its JSON, with as many of its issues as leave it below EVENT_BYTES_LIMIT."""
    while True:
        event = outcome_event(claim, conclusion, at, standing)
        body = event.model_dump_json()
        issues = event.issues if isinstance(event, FeedOutcome) else []
        if not issues or len(body.encode()) <= EVENT_BYTES_LIMIT:
            return event, body
        conclusion = replace(conclusion, issues=conclusion.issues[: len(issues) // 2])


@dataclass(frozen=True, slots=True)
class ChangedFeed:
    """A feed that something happened to without its being read; `fence` is the one of that step."""

    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    bucket: str
    object_key: str
    correlation_id: str
    counts: Counts
    fence: int


def withdrawn_event(feed: ChangedFeed, actor: str, at: datetime, rows_taken_back: int) -> FeedWithdrawn:
    return FeedWithdrawn(**_change(feed, "FeedWithdrawn", actor, at), rows_taken_back=rows_taken_back)


def replaced_event(
    feed: ChangedFeed, actor: str, at: datetime, by: UUID, rows_taken_back: int, still_counting: Sequence[UUID] = ()
) -> FeedReplaced:
    return FeedReplaced(
        **_change(feed, "FeedReplaced", actor, at),
        replaced_by=by,
        rows_taken_back=rows_taken_back,
        still_counting=list(still_counting),
    )


def cancelled_event(feed: ChangedFeed, actor: str, at: datetime) -> FeedCancelled:
    return FeedCancelled(**_change(feed, "FeedCancelled", actor, at))


def _change(feed: ChangedFeed, event_type: str, actor: str, at: datetime) -> dict[str, Any]:
    return {
        "event_id": event_id(feed.feed_id, feed.fence, event_type),
        "occurred_at": at,
        "sequence": feed.fence,
        "correlation_id": feed.correlation_id,
        "feed_id": feed.feed_id,
        "seller_id": feed.seller_id,
        "feed_type": feed.feed_type,
        "file_name": feed.file_name,
        "bucket": feed.bucket,
        "object_key": feed.object_key,
        "counts": feed.counts,
        "actor": actor,
    }


def _cancelled(claim: Claimed, conclusion: Conclusion, at: datetime) -> FeedCancelled:
    about = _about(claim, "FeedCancelled", at)
    return FeedCancelled(**about, counts=conclusion.counts, actor=claim.owner, replaced_by=conclusion.replaced_by)


def _about(claim: Claimed, event_type: str, at: datetime) -> dict[str, Any]:
    feed = claim.feed
    return {
        "event_id": event_id(feed.feed_id, claim.fence, event_type),
        "occurred_at": at,
        "sequence": claim.fence,
        "correlation_id": feed.correlation_id,
        "feed_id": feed.feed_id,
        "seller_id": feed.seller_id,
        "feed_type": feed.feed_type,
        "file_name": feed.file_name,
        "bucket": feed.ref.bucket,
        "object_key": feed.ref.key,
    }
