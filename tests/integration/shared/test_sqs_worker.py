"""The worker loop against an SQS that answers over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.held_messages import HeldMessages
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_queue import QueueMessage
from shared.runtime.sqs_worker import SqsWorker
from shared.runtime.worker_limits import WorkerLimits
from tests.waiting import DEADLINE_SECONDS, until

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient


async def _queue(sqs: "SQSClient", name: str) -> str:
    return (await sqs.create_queue(QueueName=f"{name}-{time.monotonic_ns()}"))["QueueUrl"]


def _limits(concurrency: int = 2, visibility: int = 30, grace: float = 5.0) -> WorkerLimits:
    return WorkerLimits(concurrency, visibility, poll=1, grace=grace, backoff=Backoff(base_seconds=0.01, jitter=False))


@asynccontextmanager
async def _running(worker: SqsWorker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait_for(task, DEADLINE_SECONDS)


async def _left(sqs: "SQSClient", queue: str) -> int:
    """Messages in the queue, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)  # type: ignore[arg-type] # a list of str
    return sum(int(count) for count in answer["Attributes"].values())


class Recorder:
    """A handler that answers with what it is told to, in turn, and keeps what it saw."""

    def __init__(self, *answers: Disposition | Exception) -> None:
        self._answers = list(answers)
        self.seen: list[QueueMessage] = []

    async def __call__(self, message: QueueMessage) -> Disposition:
        self.seen.append(message)
        answer = self._answers.pop(0) if self._answers else Done()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_done_message_is_deleted(sqs: "SQSClient") -> None:
    queue, handler = await _queue(sqs, "done"), Recorder()
    await sqs.send_message(QueueUrl=queue, MessageBody="hello")

    async def empty() -> bool:
        return await _left(sqs, queue) == 0

    async with _running(SqsWorker(sqs, queue, handler, _limits())):
        await until(empty)
    assert [(message.body, message.receive_count) for message in handler.seen] == [("hello", 1)]


@pytest.mark.parametrize("trouble", [Retry("busy"), Retry("busy", after_seconds=0), RuntimeError("database is gone")])
async def test_what_is_not_done_stays_and_comes_back(sqs: "SQSClient", trouble: Disposition | Exception) -> None:
    queue, handler = await _queue(sqs, "retry"), Recorder(trouble)
    await sqs.send_message(QueueUrl=queue, MessageBody="again")

    async def empty() -> bool:
        return await _left(sqs, queue) == 0

    async with _running(SqsWorker(sqs, queue, handler, _limits())):
        await until(empty)
    assert [message.receive_count for message in handler.seen] == [1, 2]


async def test_a_rejected_message_moves_to_the_dead_letter_queue(sqs: "SQSClient") -> None:
    queue, dlq = await _queue(sqs, "reject"), await _queue(sqs, "reject-dlq")
    await sqs.send_message(QueueUrl=queue, MessageBody="{poison")

    async def moved() -> bool:
        return (await _left(sqs, queue), await _left(sqs, dlq)) == (0, 1)

    async with _running(SqsWorker(sqs, queue, Recorder(Reject("not JSON")), _limits(), dlq_url=dlq)):
        await until(moved)
    (message,) = (await sqs.receive_message(QueueUrl=dlq))["Messages"]
    assert message["Body"] == "{poison"


async def test_long_work_keeps_its_message_hidden(sqs: "SQSClient") -> None:
    queue, finish = await _queue(sqs, "long"), asyncio.Event()
    seen: list[str] = []

    async def slow(message: QueueMessage) -> Disposition:
        seen.append(message.body)
        if message.body == "slow":
            await finish.wait()
        return Done()

    async def marker_seen() -> bool:
        return "after" in seen

    await sqs.send_message(QueueUrl=queue, MessageBody="slow")
    async with _running(SqsWorker(sqs, queue, slow, _limits(visibility=2))):
        # Comes to light well after the first message's own visibility timeout is over.
        await sqs.send_message(QueueUrl=queue, MessageBody="after", DelaySeconds=4)
        await until(marker_seen)
        finish.set()
    assert seen == ["slow", "after"]
    assert await _left(sqs, queue) == 0


async def test_no_more_messages_are_held_than_there_are_slots(sqs: "SQSClient") -> None:
    queue, finish = await _queue(sqs, "slots"), asyncio.Event()
    at_once, most, done = 0, 0, 0

    async def count(_: QueueMessage) -> Disposition:
        nonlocal at_once, most, done
        at_once += 1
        most = max(most, at_once)
        await finish.wait()
        at_once -= 1
        done += 1
        return Done()

    async def full() -> bool:
        return at_once == 3

    async def all_done() -> bool:
        return done == 8

    for number in range(8):
        await sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    async with _running(SqsWorker(sqs, queue, count, _limits(concurrency=3))):
        await until(full)
        finish.set()
        await until(all_done)
    assert most == 3


async def test_stopping_finishes_what_is_held_and_takes_nothing_new(sqs: "SQSClient") -> None:
    queue, started, finish = await _queue(sqs, "stop"), asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def work(message: QueueMessage) -> Disposition:
        started.set()
        await finish.wait()
        done.append(message.body)
        return Done()

    await sqs.send_message(QueueUrl=queue, MessageBody="held")
    worker = SqsWorker(sqs, queue, work, _limits(concurrency=1))
    async with _running(worker) as running:
        await asyncio.wait_for(started.wait(), DEADLINE_SECONDS)
        worker.stop()
        await sqs.send_message(QueueUrl=queue, MessageBody="new")
        assert not running.done()
        finish.set()
        await asyncio.wait_for(asyncio.shield(running), DEADLINE_SECONDS)
    assert done == ["held"]
    assert await _left(sqs, queue) == 1


async def test_work_that_outlasts_the_grace_period_is_given_back_at_once(sqs: "SQSClient") -> None:
    queue, started = await _queue(sqs, "grace"), asyncio.Event()

    async def hang(_: QueueMessage) -> Disposition:
        started.set()
        await asyncio.Event().wait()
        return Done()

    await sqs.send_message(QueueUrl=queue, MessageBody="unfinished")
    worker = SqsWorker(sqs, queue, hang, _limits(visibility=600, grace=0.1))
    async with _running(worker) as running:
        await asyncio.wait_for(started.wait(), DEADLINE_SECONDS)
        worker.stop()
        await asyncio.wait_for(asyncio.shield(running), DEADLINE_SECONDS)
    (message,) = (await sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2))["Messages"]
    assert message["Body"] == "unfinished"


async def test_a_queue_that_does_not_answer_is_asked_again(sqs: "SQSClient") -> None:
    queue, handler = await _queue(sqs, "outage"), Recorder()
    url = queue.replace("outage", "missing")
    worker = SqsWorker(sqs, url, handler, _limits())

    async def handled() -> bool:
        return len(handler.seen) == 1

    async with _running(worker):
        name = url.rsplit("/", 1)[1]
        await sqs.create_queue(QueueName=name)
        await sqs.send_message(QueueUrl=url, MessageBody="late")
        await until(handled)


async def test_an_unforeseen_fault_while_receiving_does_not_end_the_consumer(
    sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, handler = await _queue(sqs, "unforeseen"), Recorder()
    await sqs.send_message(QueueUrl=queue, MessageBody="after all")
    receive, faults = sqs.receive_message, [ValueError("a fault of ours")]

    async def fail_once(**arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return await receive(**arguments)

    monkeypatch.setattr(sqs, "receive_message", fail_once)

    async def handled() -> bool:
        return len(handler.seen) == 1

    async with _running(SqsWorker(sqs, queue, handler, _limits())):
        await until(handled)


@pytest.mark.parametrize("keeper", ["keep_hidden", "give_back_overdue"])
async def test_the_loop_ends_with_the_fault_of_what_keeps_its_messages(
    sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch, keeper: str
) -> None:
    """So that readiness sees it; what is in work is finished first, and what is not goes back to the queue."""
    queue, started, fail = await _queue(sqs, "keeper"), asyncio.Event(), asyncio.Event()
    finish, done = asyncio.Event(), list[str]()

    async def fault(_: object) -> None:
        await fail.wait()
        raise ValueError("a fault of ours")

    async def work(message: QueueMessage) -> Disposition:
        started.set()
        await finish.wait()
        done.append(message.body)
        return Done()

    if keeper == "keep_hidden":
        monkeypatch.setattr(HeldMessages, "keep_hidden", fault)
    else:
        monkeypatch.setattr(SqsWorker, "_give_back_overdue", fault)
    await sqs.send_message(QueueUrl=queue, MessageBody="in work")
    running = asyncio.create_task(SqsWorker(sqs, queue, work, _limits()).run())
    await asyncio.wait_for(started.wait(), DEADLINE_SECONDS)
    assert not running.done()
    fail.set()
    finish.set()
    with pytest.raises(ValueError, match="a fault of ours"):
        await asyncio.wait_for(running, DEADLINE_SECONDS)
    assert done == ["in work"]
    assert await _left(sqs, queue) == 0
