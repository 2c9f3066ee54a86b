"""One sender's flood lies before another's message: it is reached, and nothing of either is lost or done twice."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from shared.runtime import sqs_worker
from shared.runtime.dispositions import Disposition, Done
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_queue import QueueMessage
from shared.runtime.sqs_worker import SqsWorker
from shared.runtime.worker_limits import Sharing, WorkerLimits
from tests.integration.shared.conftest import Queues
from tests.waiting import DEADLINE_SECONDS, until

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

FLOOD = 60


class StuckFlood:
    """A handler that gets through with nobody's messages but `late`'s, until `go_on`."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.go_on = asyncio.Event()

    async def __call__(self, message: QueueMessage) -> Disposition:
        if not message.body.startswith("late"):
            await self.go_on.wait()
        self.done[message.body] += 1
        return Done()

    async def late_is_done(self) -> bool:
        return self.done["late/1"] == 1


def sender(message: QueueMessage) -> str:
    return message.body.partition("/")[0]


@pytest.mark.parametrize("prefetch", [10, 50])
async def test_a_message_behind_a_flood_is_reached_while_the_flood_is_stuck(
    prefetch: int, sqs: "SQSClient", queues: Queues
) -> None:
    queue, overflow = await queues.make("uploads"), await queues.make("overflow")
    for start in range(0, FLOOD, 10):
        await sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[{"Id": str(n), "MessageBody": f"flood/{n}"} for n in range(start, start + 10)],
        )
    await sqs.send_message(QueueUrl=queue, MessageBody="late/1")
    handler = StuckFlood()
    limits = WorkerLimits(2, 30, poll=1, grace=5.0, backoff=Backoff(base_seconds=0.01, jitter=False), prefetch=prefetch)
    worker = SqsWorker(sqs, queue, handler, limits, sharing=Sharing(sender, overflow))
    running = asyncio.create_task(worker.run())

    try:
        await until(handler.late_is_done)
        assert handler.done.total() == 1
        handler.go_on.set()
        await until(lambda: queues.are_empty(queue, overflow))
    finally:
        worker.stop()
        await asyncio.wait_for(running, DEADLINE_SECONDS)
    assert handler.done == Counter({"late/1": 1} | {f"flood/{number}": 1 for number in range(FLOOD)})


@pytest.mark.parametrize("overflows", [True, False])
async def test_waiting_behind_ones_own_long_work_uses_up_no_tries(
    overflows: bool, sqs: "SQSClient", queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is kept free, so there is always one to fetch for; what is fetched and given back wears out."""
    monkeypatch.setattr(sqs_worker, "PATIENCE_SECONDS", 0.2)
    dead = await queues.make("dead")
    queue, overflow = await queues.make("uploads", dead_letters=dead), await queues.make("overflow", dead_letters=dead)
    for number in range(8):
        await sqs.send_message(QueueUrl=queue, MessageBody=f"acme/{number}")
    handler = StuckFlood()
    limits = WorkerLimits(2, 30, poll=1, grace=5.0, backoff=Backoff(), prefetch=10)
    worker = SqsWorker(sqs, queue, handler, limits, sharing=Sharing(sender, overflow if overflows else None))
    running = asyncio.create_task(worker.run())
    enough = asyncio.get_running_loop().time() + 20 * sqs_worker.PATIENCE_SECONDS

    async def long_stuck() -> bool:
        return asyncio.get_running_loop().time() > enough

    try:
        await until(long_stuck)
        assert await queues.left(dead) == 0
        await sqs.send_message(QueueUrl=queue, MessageBody="late/1")
        await until(handler.late_is_done)
        assert handler.done.total() == 1
        handler.go_on.set()
        await until(lambda: queues.are_empty(queue, overflow))
    finally:
        worker.stop()
        await asyncio.wait_for(running, DEADLINE_SECONDS)
    assert await queues.left(dead) == 0
    assert handler.done == Counter({"late/1": 1} | {f"acme/{number}": 1 for number in range(8)})


async def test_what_waits_when_the_worker_stops_is_visible_at_once(sqs: "SQSClient", queues: Queues) -> None:
    queue, handler = await queues.make("uploads"), StuckFlood()
    for number in range(8):
        await sqs.send_message(QueueUrl=queue, MessageBody=f"flood/{number}")
    limits = WorkerLimits(1, 600, poll=1, grace=0.1, backoff=Backoff(), prefetch=10)
    worker = SqsWorker(sqs, queue, handler, limits)
    running = asyncio.create_task(worker.run())

    async def all_are_here() -> bool:
        answer = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return answer["Attributes"]["ApproximateNumberOfMessages"] == "0"

    await until(all_are_here)
    worker.stop()
    await asyncio.wait_for(running, DEADLINE_SECONDS)
    answer = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert answer["Attributes"]["ApproximateNumberOfMessages"] == "8"
