"""From an event to its entry in the processing log."""

from services.notifier.rules.bounds import (
    MAX_ISSUE_TOTALS,
    MAX_MESSAGE_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_RAW_CHARACTERS,
    MAX_URI_CHARACTERS,
    shortened,
)
from services.notifier.rules.wording import headline
from shared.schemas.events import FeedFailed, FeedProcessed, Phase
from shared.schemas.feeds import FeedError
from shared.schemas.issues import Issue
from shared.schemas.processing_log import LogEntry


def log_entry(event: FeedProcessed | FeedFailed) -> LogEntry:
    """The same event always gives the same entry, and so the same `entry_id`."""
    failed = event if isinstance(event, FeedFailed) else None
    moment = event.model_dump(mode="json", include={"occurred_at"})["occurred_at"]
    return LogEntry(
        entry_id=f"{moment}#{event.event_id}",
        event_id=event.event_id,
        event_type=event.event_type,
        severity=event.severity,
        phase=failed.phase if failed else Phase.STORE,
        occurred_at=event.occurred_at,
        feed_id=event.feed_id,
        seller_id=event.seller_id,
        feed_type=event.feed_type,
        file_name=shortened(event.file_name, MAX_NAME_CHARACTERS),
        object_uri=shortened(f"s3://{event.bucket}/{event.object_key}", MAX_URI_CHARACTERS),
        message=shortened(failed.error.message if failed else headline(event), MAX_MESSAGE_CHARACTERS),
        error=bounded_error(failed.error) if failed else None,
        counts=event.counts,
        issue_totals=event.issue_totals[:MAX_ISSUE_TOTALS],
        issues=[_bounded_issue(issue) for issue in event.issues],
        report_uri=_bounded_uri(event.report_uri),
        raw_uri=_bounded_uri(failed.raw_uri) if failed else None,
        duplicate_of=event.duplicate_of if isinstance(event, FeedProcessed) else None,
        attempt=event.attempt,
        worker=shortened(event.worker, MAX_NAME_CHARACTERS),
        correlation_id=shortened(event.correlation_id, MAX_NAME_CHARACTERS),
    )


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


def _bounded_uri(uri: str | None) -> str | None:
    return shortened(uri, MAX_URI_CHARACTERS) if uri else uri
