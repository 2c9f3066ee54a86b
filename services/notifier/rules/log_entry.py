"""From an event to its entry in the processing log."""

from uuid import UUID

from services.notifier.rules.bounds import (
    MAX_ISSUE_TOTALS,
    MAX_MESSAGE_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_RAW_CHARACTERS,
    MAX_URI_CHARACTERS,
    shortened,
)
from services.notifier.rules.wording import headline
from shared.schemas.events import FeedEvent, FeedFailed, FeedOutcome, FeedReprocessFailed, Phase
from shared.schemas.feeds import FeedError
from shared.schemas.issues import Issue
from shared.schemas.processing_log import LogEntry


def log_entry(event: FeedEvent) -> LogEntry:
    """The same event always gives the same entry, and so the same `entry_id`."""
    failure = failure_of(event)
    outcome = event if isinstance(event, FeedOutcome) else None
    moment = event.model_dump(mode="json", include={"occurred_at"})["occurred_at"]
    return LogEntry(
        entry_id=f"{moment}#{event.event_id}",
        event_id=event.event_id,
        event_type=event.event_type,
        severity=event.severity,
        phase=failure.phase if failure else Phase.STORE,
        occurred_at=event.occurred_at,
        feed_id=event.feed_id,
        seller_id=event.seller_id,
        feed_type=event.feed_type,
        file_name=shortened(event.file_name, MAX_NAME_CHARACTERS),
        object_uri=shortened(f"s3://{event.bucket}/{event.object_key}", MAX_URI_CHARACTERS),
        message=shortened(failure.error.message if failure else headline(event), MAX_MESSAGE_CHARACTERS),
        error=bounded_error(failure.error) if failure else None,
        counts=event.counts,
        issue_totals=outcome.issue_totals[:MAX_ISSUE_TOTALS] if outcome else [],
        issues=[_bounded_issue(issue) for issue in outcome.issues] if outcome else [],
        report_uri=bounded_uri(outcome.report_uri) if outcome else None,
        rejected_uri=bounded_uri(outcome.rejected_uri) if outcome else None,
        raw_uri=bounded_uri(failure.raw_uri) if failure else None,
        attempt=outcome.attempt if outcome else 0,
        worker=shortened(event.worker if isinstance(event, FeedOutcome) else event.actor, MAX_NAME_CHARACTERS),
        correlation_id=shortened(event.correlation_id, MAX_NAME_CHARACTERS),
        **links_of(event),
    )


def failure_of(event: FeedEvent) -> FeedFailed | FeedReprocessFailed | None:
    """The event, if it tells of something that failed."""
    return event if isinstance(event, FeedFailed | FeedReprocessFailed) else None


def links_of(event: FeedEvent) -> dict[str, UUID | None]:
    """The feeds that this one is related to, as far as the event names them."""
    names = ("duplicate_of", "replaces", "replaced_by", "corrects")
    return {name: getattr(event, name, None) for name in names}


def bounded_error(error: FeedError) -> FeedError:
    return FeedError(code=error.code, message=shortened(error.message, MAX_MESSAGE_CHARACTERS))


def _bounded_issue(issue: Issue) -> Issue:
    return issue.model_copy(
        update={
            "message": shortened(issue.message, MAX_MESSAGE_CHARACTERS),
            "field": shortened(issue.field, MAX_NAME_CHARACTERS) if issue.field else issue.field,
            "raw": shortened(issue.raw, MAX_RAW_CHARACTERS) if issue.raw else issue.raw,
        }
    )


def bounded_uri(uri: str | None) -> str | None:
    return shortened(uri, MAX_URI_CHARACTERS) if uri else uri
