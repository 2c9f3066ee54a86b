"""What leaves through the outbox goes where it belongs, also while the other place is away."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import OutboxEvent
from services.aggregator.outbox_routes import OutboxRoutes
from services.aggregator.rules.work_order import WORK_ORDER


@dataclass
class Target:
    away: bool = False
    taken: list[int] = field(default_factory=list)

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        if self.away:
            raise Outage
        self.taken += [event.outbox_id for event in events]
        return frozenset(event.outbox_id for event in events)


def waiting(outbox_id: int, event_type: str) -> OutboxEvent:
    return OutboxEvent(outbox_id, str(outbox_id), event_type, "f", "acme", "transactions", "INFO", "{}")


MIXED = [waiting(1, "FeedProcessed"), waiting(2, WORK_ORDER), waiting(3, "FeedWithdrawn")]


async def test_announcements_go_to_the_topic_and_work_orders_to_the_queue() -> None:
    topic, queue = Target(), Target()
    assert await OutboxRoutes(topic, queue).publish(MIXED) == {1, 2, 3}
    assert (topic.taken, queue.taken) == ([1, 3], [2])


@pytest.mark.parametrize(("topic_away", "went"), [(True, {2}), (False, {1, 3})])
async def test_with_one_of_both_away_the_rest_goes_on(topic_away: bool, went: set[int]) -> None:
    routes = OutboxRoutes(Target(away=topic_away), Target(away=not topic_away))
    assert await routes.publish(MIXED) == went


async def test_where_nothing_could_go_it_is_an_outage() -> None:
    with pytest.raises(Outage):
        await OutboxRoutes(Target(away=True), Target()).publish(MIXED[:1])
    with pytest.raises(Outage):
        await OutboxRoutes(Target(away=True), Target(away=True)).publish(MIXED)
