"""From an event to what clients are told."""

from services.notifier.rules.bounds import MAX_ISSUE_TOTALS, MAX_NAME_CHARACTERS, shortened
from services.notifier.rules.log_entry import bounded_error, bounded_uri, failure_of, links_of
from services.notifier.rules.wording import subject, text
from shared.schemas.events import ClientNotification, FeedEvent, FeedOutcome


def client_notification(event: FeedEvent) -> ClientNotification:
    """`notification_id` is the event's id, so that clients can drop a repeat."""
    outcome = event if isinstance(event, FeedOutcome) else None
    failure = failure_of(event)
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
        issue_totals=outcome.issue_totals[:MAX_ISSUE_TOTALS] if outcome else [],
        error=bounded_error(failure.error) if failure else None,
        report_uri=bounded_uri(outcome.report_uri) if outcome else None,
        rejected_uri=bounded_uri(outcome.rejected_uri) if outcome else None,
        **links_of(event),
    )
