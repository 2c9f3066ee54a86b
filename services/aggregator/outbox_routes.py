"""Where what leaves through the outbox goes: announcements to the topic, work orders to the uploads queue."""

from collections.abc import Sequence

import structlog

from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import FeedEvents, OutboxEvent
from services.aggregator.rules.work_order import WORK_ORDER

log = structlog.get_logger(__name__)


class OutboxRoutes:
    """Implements ports.FeedEvents. With one of both away, what goes to the other one goes on."""

    def __init__(self, announcements: FeedEvents, work_orders: FeedEvents) -> None:
        self._announcements = announcements
        self._work_orders = work_orders

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        """Raises Outage if nothing could go because of one."""
        taken: frozenset[int] = frozenset()
        outage: Outage | None = None
        orders = [event for event in events if event.event_type == WORK_ORDER]
        others = [event for event in events if event.event_type != WORK_ORDER]
        for target, own in ((self._work_orders, orders), (self._announcements, others)):
            if not own:
                continue
            try:
                taken |= await target.publish(own)
            except Outage as error:
                outage = error
                log.warning("outbox.target_away", error=str(error), events=len(own))
        if outage and not taken:
            raise outage
        return taken
