"""The Lambda door, with recorded SQS batches."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.aggregator.change_feed import ChangeFeed
from services.aggregator.lambda_handler import SPARE_SECONDS, LambdaHost
from services.aggregator.main import Aggregator
from services.aggregator.outbox_ports import Backlog, Publish, Relayed
from services.aggregator.relay_events import RelayEvents
from services.aggregator.settings import AggregatorSettings
from shared.runtime.dispositions import Disposition, Done, Retry
from shared.runtime.retry_policy import Backoff
from shared.runtime.sqs_queue import QueueMessage
from tests.flow.aggregator.memory_buckets import MemoryReceipts
from tests.flow.aggregator.test_relay_events import Topic
from tests.flow.aggregator.told_changes import ToldChanges
from tests.samples.recorded import recorded

UPLOAD, TEST_EVENT, NO_JSON = (record["messageId"] for record in recorded("lambda_sqs_batch")["Records"])

SETTINGS = AggregatorSettings(
    database_url="mysql://u:p@127.0.0.1:1/d",
    uploads_bucket="uploads",
    error_bucket="errors",
    receipts_bucket="receipts",
    feed_uploads_queue_url="http://127.0.0.1:1/q",
    feed_events_topic_arn="arn:aws:sns:us-east-1:123456789012:feed-events",
)


@dataclass
class Context:
    """Lambda's, as far as it is used."""

    seconds: float = 60.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass
class CountingOutbox:
    drained: int = 0

    async def publish_next(self, publish: Publish, limit: int) -> Relayed:
        self.drained += 1
        return Relayed(0, 0)

    async def backlog(self) -> Backlog:
        return Backlog(0, 0.0)

    async def purge(self, older_than_seconds: float, limit: int) -> int:
        return 0


@dataclass
class Door:
    """A LambdaHost on a flow that answers as told."""

    answer: Callable[[QueueMessage], Awaitable[Disposition]]
    opened: int = 0
    outbox: CountingOutbox = field(default_factory=CountingOutbox)
    seen: list[QueueMessage] = field(default_factory=list)

    @asynccontextmanager
    async def open_flow(self, _: AggregatorSettings) -> AsyncIterator[Aggregator]:
        self.opened += 1
        relay = RelayEvents(self.outbox, Topic(), poll_seconds=1, keep_seconds=1, backoff=Backoff())

        async def handle(message: QueueMessage) -> Disposition:
            self.seen.append(message)
            return await self.answer(message)

        yield Aggregator(
            handle=handle, changes=ChangeFeed(ToldChanges(), MemoryReceipts(), relay.wake), relay=relay, checks={}
        )


async def all_done(_: QueueMessage) -> Disposition:
    return Done()


@pytest.fixture
def open_host() -> Iterator[Callable[[Door], LambdaHost]]:
    hosts: list[LambdaHost] = []

    def opened(door: Door) -> LambdaHost:
        hosts.append(LambdaHost(SETTINGS, door.open_flow))
        return hosts[-1]

    yield opened
    for host in hosts:
        host.close()


OpenHost = Callable[[Door], LambdaHost]


def test_a_batch_that_is_done_has_no_failures_and_its_events_leave(open_host: OpenHost) -> None:
    door = Door(all_done)
    assert open_host(door).invoke(recorded("lambda_sqs_batch"), Context()) == {"batchItemFailures": []}
    assert [message.receive_count for message in door.seen] == [1, 1, 3]
    assert door.outbox.drained == 1


def test_only_what_is_not_done_is_named(open_host: OpenHost) -> None:
    async def answer(message: QueueMessage) -> Disposition:
        if message.message_id == UPLOAD:
            return Retry("an outage")
        if message.message_id == NO_JSON:
            raise RuntimeError("a fault of ours")
        return Done()

    failures = open_host(Door(answer)).invoke(recorded("lambda_sqs_batch"), Context())
    assert failures == {"batchItemFailures": [{"itemIdentifier": UPLOAD}, {"itemIdentifier": NO_JSON}]}


def test_the_flow_is_opened_once_for_all_invocations(open_host: OpenHost) -> None:
    door = Door(all_done)
    host = open_host(door)
    for _ in range(3):
        host.invoke(recorded("lambda_sqs_batch"), Context())
    assert (door.opened, len(door.seen), door.outbox.drained) == (1, 9, 3)


def test_what_does_not_end_in_the_functions_time_is_cancelled_and_named(open_host: OpenHost) -> None:
    cancelled: list[str] = []

    async def answer(message: QueueMessage) -> Disposition:
        if message.message_id == UPLOAD:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(message.message_id)
                raise
        return Done()

    failures = open_host(Door(answer)).invoke(recorded("lambda_sqs_batch"), Context(SPARE_SECONDS + 0.1))
    assert {"itemIdentifier": UPLOAD} in failures["batchItemFailures"]
    assert cancelled == [UPLOAD]


def test_an_empty_invocation_still_announces_what_is_waiting(open_host: OpenHost) -> None:
    door = Door(all_done)
    assert open_host(door).invoke({}, Context()) == {"batchItemFailures": []}
    assert door.outbox.drained == 1
