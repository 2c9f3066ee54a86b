"""The relay's loop, apart from the database: what it does about failures, and how it stops."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from services.aggregator.errors import Outage
from services.aggregator.outbox_ports import Backlog, OutboxEvent, Publish, Relayed
from services.aggregator.relay_events import RelayEvents
from shared.runtime.retry_policy import Backoff
from tests.waiting import until


@dataclass
class Topic:
    """Takes everything."""

    taken: list[OutboxEvent] = field(default_factory=list)

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        self.taken += events
        return frozenset(event.outbox_id for event in events)


@dataclass
class ScriptedOutbox:
    """Each round does what `round_` says."""

    round_: Callable[[int], Relayed]
    rounds: int = 0
    purged: list[float] = field(default_factory=list)

    async def publish_next(self, publish: Publish, limit: int) -> Relayed:
        self.rounds += 1
        return self.round_(self.rounds)

    async def backlog(self) -> Backlog:
        return Backlog(0, 0.0)

    async def purge(self, older_than_seconds: float, limit: int) -> int:
        self.purged.append(older_than_seconds)
        return 0


def relay(outbox: ScriptedOutbox, backoff: Backoff | None = None, poll_seconds: float = 0.01) -> RelayEvents:
    return RelayEvents(
        outbox, Topic(), poll_seconds=poll_seconds, keep_seconds=60, backoff=backoff or Backoff(0.01, 0.01)
    )


@pytest.mark.parametrize("error", [Outage("down"), RuntimeError("a fault of ours")])
async def test_no_failure_ends_it(error: Exception) -> None:
    def fail_at_first(number: int) -> Relayed:
        if number < 4:
            raise error
        return Relayed(0, 0)

    outbox = ScriptedOutbox(fail_at_first)
    running_relay = relay(outbox)
    running = asyncio.create_task(running_relay.run())

    async def went_on() -> bool:
        return outbox.rounds > 5

    await until(went_on)
    running_relay.stop()
    await running


async def test_a_wake_up_does_not_shorten_the_backoff() -> None:
    def down(_: int) -> Relayed:
        raise Outage

    outbox = ScriptedOutbox(down)
    running_relay = relay(outbox, Backoff(0.5, 0.5, jitter=False))
    running = asyncio.create_task(running_relay.run())
    started = asyncio.get_running_loop().time()

    async def tried_again() -> bool:
        running_relay.wake()
        return outbox.rounds >= 2

    await until(tried_again)
    assert asyncio.get_running_loop().time() - started >= 0.5
    running_relay.stop()
    async with asyncio.timeout(1):
        await running


async def test_a_refusal_alone_backs_off_too() -> None:
    outbox = ScriptedOutbox(lambda _: Relayed(0, 1))
    running_relay = relay(outbox, Backoff(60, 60))
    running = asyncio.create_task(running_relay.run())

    async def tried() -> bool:
        return outbox.rounds >= 1

    await until(tried)
    running_relay.wake()
    await asyncio.sleep(0)
    assert outbox.rounds == 1
    running_relay.stop()
    async with asyncio.timeout(1):
        await running


async def test_draining_ends_in_its_time_and_swallows_outages_only() -> None:
    blocked = asyncio.Event()

    class Stuck(ScriptedOutbox):
        async def publish_next(self, publish: Publish, limit: int) -> Relayed:
            await blocked.wait()
            return Relayed(0, 0)

    async with asyncio.timeout(2):
        await relay(Stuck(lambda _: Relayed(0, 0))).drain(0.05)

    def broken(_: int) -> Relayed:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await relay(ScriptedOutbox(broken)).drain(1)


async def test_what_is_published_is_purged_after_its_time() -> None:
    outbox = ScriptedOutbox(lambda _: Relayed(0, 0))
    running_relay = relay(outbox)
    running = asyncio.create_task(running_relay.run())

    async def purged() -> bool:
        return outbox.purged == [60]

    await until(purged)
    running_relay.stop()
    await running


async def test_the_last_drain_announces_all_although_the_loop_was_told_to_stop() -> None:
    outbox = ScriptedOutbox(lambda number: Relayed(10 if number < 6 else 0, 0))
    stopped = relay(outbox)
    stopped.stop()
    await stopped.drain(10)
    assert outbox.rounds == 6
