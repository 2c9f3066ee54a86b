"""The outbox and its relay on a real database: order, repeats, outages, several relays (P3)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from services.aggregator.adapters.mysql_outbox import PATIENCE, MySqlOutbox
from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import OutboxEvent, Relayed
from services.aggregator.relay_events import RelayEvents
from shared.runtime.mysql import MySqlPool
from shared.runtime.retry_policy import Backoff
from tests.integration.aggregator.records import Records
from tests.waiting import until


@dataclass
class Topic:
    """Takes events, unless it is down or refuses those of one feed."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    refuses: frozenset[str] = frozenset()
    calls: int = 0

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        self.calls += 1
        await asyncio.sleep(0)
        if self.down:
            raise Outage("the topic is down")
        good = [event for event in events if event.feed_id not in self.refuses]
        self.taken += [(event.feed_id, event.body) for event in good]
        return frozenset(event.outbox_id for event in good)


@pytest.fixture
def outbox(pool: MySqlPool) -> MySqlOutbox:
    return MySqlOutbox(pool)


def relay(outbox: MySqlOutbox, topic: Topic) -> RelayEvents:
    return RelayEvents(outbox, topic, poll_seconds=0.05, keep_seconds=3_600, backoff=Backoff(0.01, 0.05))


async def waiting(records: Records, feed: UUID, *sequences: int) -> None:
    for sequence in sequences:
        await records.change(
            """INSERT INTO outbox (event_id, feed_id, sequence, event_type, seller_id, feed_type, severity,
                                   correlation_id, body, created_at)
               VALUES (%s, %s, %s, 'FeedProcessed', 'acme', 'transactions', 'INFO', 'c', %s, UTC_TIMESTAMP(6))""",
            str(uuid4()),
            str(feed),
            sequence,
            f"{feed}/{sequence}",
        )


async def unpublished(records: Records) -> int:
    [row] = await records.rows("SELECT COUNT(*) AS n FROM outbox WHERE published_at IS NULL")
    return int(row["n"])


async def test_events_leave_in_order_per_feed_whatever_order_they_came_in(
    outbox: MySqlOutbox, records: Records
) -> None:
    feeds = [uuid4() for _ in range(3)]
    for feed in feeds:
        await waiting(records, feed, 2, 1, 3)
    topic = Topic()
    await relay(outbox, topic).drain(10)
    for feed in feeds:
        assert [body for name, body in topic.taken if name == str(feed)] == [f"{feed}/{n}" for n in (1, 2, 3)]
    assert await unpublished(records) == 0


async def test_one_round_takes_only_the_oldest_event_of_each_feed(outbox: MySqlOutbox, records: Records) -> None:
    first, second = uuid4(), uuid4()
    await waiting(records, first, 1, 2)
    await waiting(records, second, 7)
    topic = Topic()
    assert await outbox.publish_next(topic.publish, 10) == Relayed(2, 0)
    assert sorted(body for _, body in topic.taken) == sorted([f"{first}/1", f"{second}/7"])


async def test_an_outage_loses_nothing_and_the_relay_goes_on_after_it(outbox: MySqlOutbox, records: Records) -> None:
    feed = uuid4()
    await waiting(records, feed, 1, 2)
    topic = Topic(down=True)
    running_relay = relay(outbox, topic)
    running = asyncio.create_task(running_relay.run())

    async def tried_thrice() -> bool:
        return topic.calls >= 3

    await until(tried_thrice)
    assert await unpublished(records) == 2
    topic.down = False

    async def all_gone() -> bool:
        return await unpublished(records) == 0

    await until(all_gone)
    assert [body for _, body in topic.taken] == [f"{feed}/1", f"{feed}/2"]
    running_relay.stop()
    async with asyncio.timeout(5):
        await running


async def test_a_refused_event_stays_and_holds_up_only_its_own_feed(outbox: MySqlOutbox, records: Records) -> None:
    poison = [uuid4() for _ in range(15)]
    for feed in poison:
        await waiting(records, feed, 1, 2)
    topic = Topic(refuses=frozenset(map(str, poison)))
    for _ in range(6 * PATIENCE):
        await outbox.publish_next(topic.publish, 10)
    good = uuid4()
    await waiting(records, good, 1)
    await outbox.publish_next(topic.publish, 10)
    assert topic.taken == [(str(good), f"{good}/1")]
    topic.refuses = frozenset()
    await relay(outbox, topic).drain(10)
    assert await unpublished(records) == 0
    assert [body for name, body in topic.taken if name == str(poison[3])] == [f"{poison[3]}/1", f"{poison[3]}/2"]


async def test_two_relays_at_once_publish_each_event_once_and_in_order(outbox: MySqlOutbox, records: Records) -> None:
    feeds = [uuid4() for _ in range(20)]
    for feed in feeds:
        await waiting(records, feed, 1, 2)
    topic = Topic()
    relays = [relay(outbox, topic) for _ in range(3)]
    running = [asyncio.create_task(each.run()) for each in relays]

    async def all_gone() -> bool:
        return await unpublished(records) == 0

    await until(all_gone)
    for each in relays:
        each.stop()
    await asyncio.gather(*running)
    assert len(topic.taken) == len(set(topic.taken)) == 40
    for feed in feeds:
        assert [body for name, body in topic.taken if name == str(feed)] == [f"{feed}/1", f"{feed}/2"]


async def test_what_one_relay_has_in_hand_another_does_not_see_nor_what_comes_after_it(
    outbox: MySqlOutbox, records: Records
) -> None:
    feed = uuid4()
    await waiting(records, feed, 1, 2)
    in_hand, go_on = asyncio.Event(), asyncio.Event()
    topic = Topic()

    async def slow(events: Sequence[OutboxEvent]) -> frozenset[int]:
        in_hand.set()
        await go_on.wait()
        return await topic.publish(events)

    first = asyncio.create_task(outbox.publish_next(slow, 10))
    await in_hand.wait()
    assert await outbox.publish_next(topic.publish, 10) == Relayed(0, 0)
    assert topic.taken == []
    go_on.set()
    assert await first == Relayed(1, 0)


async def test_a_relay_that_dies_while_publishing_leaves_its_events_to_the_next(
    outbox: MySqlOutbox, records: Records
) -> None:
    feed = uuid4()
    await waiting(records, feed, 1)
    topic = Topic()
    in_hand = asyncio.Event()

    async def never_back(events: Sequence[OutboxEvent]) -> frozenset[int]:
        await topic.publish(events)
        in_hand.set()
        await asyncio.Event().wait()
        raise AssertionError

    dying = asyncio.create_task(outbox.publish_next(never_back, 10))
    await in_hand.wait()
    dying.cancel()
    await asyncio.wait([dying])
    assert await unpublished(records) == 1

    async def published_again() -> bool:
        return (await outbox.publish_next(topic.publish, 10)).published == 1

    await until(published_again)  # the server notices a moment later that the first one is gone
    assert topic.taken == [(str(feed), f"{feed}/1")] * 2, "twice, with the same event id: consumers drop repeats"


async def test_a_wake_up_does_not_wait_for_the_next_poll(outbox: MySqlOutbox, records: Records) -> None:
    topic = Topic()
    patient = RelayEvents(outbox, topic, poll_seconds=60, keep_seconds=3_600, backoff=Backoff(0.01, 0.05))
    running = asyncio.create_task(patient.run())

    async def announced() -> bool:
        patient.wake()
        return bool(topic.taken)

    await waiting(records, uuid4(), 1)
    await until(announced, within=5)
    patient.stop()
    await running


async def test_published_events_are_deleted_after_their_time_and_waiting_ones_never(
    outbox: MySqlOutbox, records: Records
) -> None:
    old, recent, stuck = uuid4(), uuid4(), uuid4()
    await waiting(records, old, 1, 2)
    await waiting(records, recent, 1)
    await waiting(records, stuck, 1)
    publish = "UPDATE outbox SET published_at = TIMESTAMPADD(SECOND, %s, UTC_TIMESTAMP(6)) WHERE feed_id = %s"
    await records.change(publish, -100, str(old))
    await records.change(publish, -10, str(recent))
    assert await outbox.purge(50, limit=1) == 1
    assert await outbox.purge(50, limit=1) == 1
    assert await outbox.purge(50, limit=1) == 0
    left = {row["feed_id"] for row in await records.rows("SELECT feed_id FROM outbox")}
    assert left == {str(recent), str(stuck)}


async def test_the_backlog_tells_how_many_wait_and_for_how_long(outbox: MySqlOutbox, records: Records) -> None:
    assert (await outbox.backlog()).events == 0
    await waiting(records, uuid4(), 1, 2)
    await records.change("UPDATE outbox SET created_at = TIMESTAMPADD(SECOND, -30, created_at) WHERE sequence = 1")
    backlog = await outbox.backlog()
    assert backlog.events == 2
    assert 30 <= backlog.oldest_seconds < 60
