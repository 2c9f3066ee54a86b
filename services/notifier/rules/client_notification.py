"""From an event to what clients are told."""

from services.notifier.rules.bounds import MAX_ISSUE_TOTALS, MAX_NAME_CHARACTERS, MAX_URI_CHARACTERS, shortened
from services.notifier.rules.log_entry import bounded_error
from services.notifier.rules.wording import subject, text
from shared.schemas.events import ClientNotification, FeedFailed, FeedProcessed


def client_notification(event: FeedProcessed | FeedFailed) -> ClientNotification:
    """`notification_id` is the event's id, so that clients can drop a repeat."""
    return ClientNotification(
        notification_id=event.event_id,
        event_type=event.event_type,
        severity=event.severity,
        feed_id=event.feed_id,
        seller_id=event.seller_id,
        feed_type=event.feed_type,
        file_name=shortened(event.file_name, MAX_NAME_CHARACTERS),
        occurred_at=event.occurred_at,
        correlation_id=shortened(event.correlation_id, MAX_NAME_CHARACTERS),
        subject=subject(event),
        text=text(event),
        counts=event.counts,
        issue_totals=event.issue_totals[:MAX_ISSUE_TOTALS],
        error=bounded_error(event.error) if isinstance(event, FeedFailed) else None,
        duplicate_of=event.duplicate_of if isinstance(event, FeedProcessed) else None,
        report_uri=shortened(event.report_uri, MAX_URI_CHARACTERS) if event.report_uri else None,
    )
