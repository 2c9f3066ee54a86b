"""A queue message in → one call of the flow → done, retry or reject."""

import structlog
from prometheus_client import Counter

from services.notifier.announce_outcome import AnnounceOutcome, InOtherHands
from services.notifier.errors import LogUnavailable, NotificationsUnavailable, UnreadableEvent
from services.notifier.rules.incoming_event import read_event
from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.sqs_queue import QueueMessage
from shared.schemas.events import FeedEvent

log = structlog.get_logger(__name__)

OUTCOMES = Counter("sellersync_outcomes_announced_total", "Feed events taken from the queue", ["event_type", "result"])


class OutcomeWorker:
    """A Handler of the worker loop."""

    def __init__(self, announce: AnnounceOutcome) -> None:
        self._announce = announce

    async def __call__(self, message: QueueMessage) -> Disposition:
        try:
            event = read_event(message.body)
        except UnreadableEvent as error:
            log.error("event.rejected", reason=str(error), message_id=message.message_id)  # noqa: TRY400 - the reason is all
            OUTCOMES.labels("unreadable", "rejected").inc()
            return Reject(str(error))
        with structlog.contextvars.bound_contextvars(
            correlation_id=event.correlation_id, feed_id=str(event.feed_id), event_id=str(event.event_id)
        ):
            disposition, result = await self._outcome(event, message.receive_count)
        OUTCOMES.labels(event.event_type, result).inc()
        return disposition

    async def _outcome(self, event: FeedEvent, receive_count: int) -> tuple[Disposition, str]:
        try:
            outcome = await self._announce(event)
        except (LogUnavailable, NotificationsUnavailable) as error:
            log.warning("outcome.postponed", reason=str(error), error=repr(error.__cause__))
            return Retry(str(error)), "postponed"
        if isinstance(outcome, InOtherHands):
            # Most often the other one is done in a moment; if it died, its claim runs out before our tries do.
            soon = 2.0 ** min(receive_count - 1, 12)
            return Retry("another delivery is announcing it", min(soon, outcome.seconds)), "held_elsewhere"
        return Done(), "repeated" if outcome.repeated else "announced"
