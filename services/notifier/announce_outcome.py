"""THE FLOW: one event about a feed becomes one entry of the processing log and one notification.

    event ─► record the entry and claim its announcement (one conditional write) ─► publish ─► mark announced

A repeated event finds the mark, and nothing happens. Two deliveries at once: the second finds a live claim and comes
back later. A crash or an outage between `publish` and `mark` repeats the notification when the claim has run out; its
`notification_id` is the event's id, so that clients can drop the repeat. Nothing is announced that is not recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from services.notifier.errors import LogUnavailable, NotificationsUnavailable
from services.notifier.ports import AlreadyAnnounced, Claim, ClientNotifications, Granted, HeldElsewhere, ProcessingLog
from services.notifier.rules.client_notification import client_notification
from services.notifier.rules.log_entry import log_entry
from shared.schemas.events import FeedEvent
from shared.schemas.processing_log import LogEntry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """The entry is recorded, the notification published. `repeated`: by an earlier delivery."""

    repeated: bool = False


@dataclass(frozen=True, slots=True)
class InOtherHands:
    """Another delivery of the same event is at it; look again after `seconds`."""

    seconds: float


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AnnounceOutcome:
    """Safe to call for any number of events at once, and any number of times for one."""

    def __init__(
        self,
        processing_log: ProcessingLog,
        notifications: ClientNotifications,
        claim_time: timedelta,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._log = processing_log
        self._notifications = notifications
        self._claim_time = claim_time
        self._now = now

    async def __call__(self, event: FeedEvent) -> Announced | InOtherHands:
        """Raises LogUnavailable or NotificationsUnavailable; calling it again later is safe."""
        entry = log_entry(event)
        now = self._now()
        claim = Claim(token=str(uuid4()), now=now, until=now + self._claim_time)
        match await self._log.record(entry, claim):
            case AlreadyAnnounced():
                log.info("outcome.repeated", entry_id=entry.entry_id)
                return Announced(repeated=True)
            case HeldElsewhere(until):
                return InOtherHands(max((until - now).total_seconds(), 0.0) + 1.0)
            case Granted():
                await self._publish(event, entry, claim)
        await self._log.mark_announced(entry, self._now())
        log.info("outcome.announced", entry_id=entry.entry_id, severity=entry.severity)
        return Announced()

    async def _publish(self, event: FeedEvent, entry: LogEntry, claim: Claim) -> None:
        try:
            await self._notifications.publish(client_notification(event))
        except NotificationsUnavailable:
            # So that the next try need not wait for the claim to run out.
            try:
                await self._log.release(entry, claim)
            except LogUnavailable as error:
                log.warning("claim.release_failed", entry_id=entry.entry_id, error=str(error.__cause__))
            raise
