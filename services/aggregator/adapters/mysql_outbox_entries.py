"""What leaves through the outbox, written in the transaction that it tells of (P3)."""

from datetime import datetime
from uuid import UUID

from services.aggregator.adapters.mysql_locked_feeds import LockedFeed
from services.aggregator.adapters.mysql_times import naive
from services.aggregator.rules.feed_announcements import Announcement, event_id
from services.aggregator.rules.work_order import WORK_ORDER, work_order
from shared.runtime.mysql import MySqlSession
from shared.schemas.issues import Severity

_ENTER = """
INSERT INTO outbox (event_id, feed_id, sequence, event_type, seller_id, feed_type, severity, correlation_id, body,
                    created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""


async def announce(session: MySqlSession, event: Announcement, body: str, at: datetime) -> None:
    """`body` is the event's JSON."""
    await _enter(
        session,
        event.event_id,
        event.feed_id,
        event.sequence,
        type(event).__name__,
        event.seller_id,
        event.feed_type.value,
        event.severity,
        event.correlation_id,
        body,
        at,
    )


async def order_work(session: MySqlSession, feed: LockedFeed, fence: int, at: datetime) -> None:
    """The feed's object goes through the uploads queue once more. `fence` is the one of this step."""
    await _enter(
        session,
        event_id(feed.feed_id, fence, WORK_ORDER),
        feed.feed_id,
        fence,
        WORK_ORDER,
        feed.seller_id,
        feed.feed_type.value,
        Severity.INFO,
        feed.correlation_id,
        work_order(feed.ref, at),
        at,
    )


async def _enter(
    session: MySqlSession,
    event: UUID,
    feed_id: UUID,
    sequence: int,
    event_type: str,
    seller_id: str,
    feed_type: str,
    severity: Severity,
    correlation_id: str,
    body: str,
    at: datetime,
) -> None:
    texts = (event_type, seller_id, feed_type, severity.value, correlation_id, body)
    await session.change(_ENTER, (str(event), str(feed_id), sequence, *texts, naive(at)))
