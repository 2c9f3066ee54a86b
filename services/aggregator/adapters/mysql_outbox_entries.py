"""What leaves through the outbox, written in the transaction that it tells of (P3)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.aggregator.adapters.mysql_locked_feeds import LockedFeed
from services.aggregator.adapters.mysql_times import naive
from services.aggregator.rules.feed_announcements import Announcement, event_id
from services.aggregator.rules.work_order import WORK_ORDER, work_order
from shared.runtime.mysql import MySqlSession
from shared.schemas.feeds import FeedType
from shared.schemas.issues import Severity

_ENTER = """
INSERT INTO outbox (event_id, feed_id, sequence, event_type, seller_id, feed_type, severity, correlation_id, body,
                    created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of the outbox that nothing was published of yet."""

    event_id: UUID
    feed_id: UUID
    sequence: int
    event_type: str
    seller_id: str
    feed_type: FeedType
    severity: Severity
    correlation_id: str
    body: str
    at: datetime


async def announce(session: MySqlSession, event: Announcement, body: str, at: datetime) -> None:
    """`body` is the event's JSON."""
    entry = _Entry(
        event_id=event.event_id,
        feed_id=event.feed_id,
        sequence=event.sequence,
        event_type=type(event).__name__,
        seller_id=event.seller_id,
        feed_type=event.feed_type,
        severity=event.severity,
        correlation_id=event.correlation_id,
        body=body,
        at=at,
    )
    await _enter(session, entry)


async def order_work(session: MySqlSession, feed: LockedFeed, fence: int, at: datetime) -> None:
    """The feed's object goes through the uploads queue once more. `fence` is the one of this step."""
    entry = _Entry(
        event_id=event_id(feed.feed_id, fence, WORK_ORDER),
        feed_id=feed.feed_id,
        sequence=fence,
        event_type=WORK_ORDER,
        seller_id=feed.seller_id,
        feed_type=feed.feed_type,
        severity=Severity.INFO,
        correlation_id=feed.correlation_id,
        body=work_order(feed.ref, at),
        at=at,
    )
    await _enter(session, entry)


async def _enter(session: MySqlSession, entry: _Entry) -> None:
    await session.later(
        _ENTER,
        (
            str(entry.event_id),
            str(entry.feed_id),
            entry.sequence,
            entry.event_type,
            entry.seller_id,
            entry.feed_type.value,
            entry.severity.value,
            entry.correlation_id,
            entry.body,
            naive(entry.at),
        ),
    )
