"""SNS and SQS in memory, as far as the aggregator calls them, behind clients that each process has its own of.

Everything that would break P3 or P4 at the very moment is noted in `broken_promises`.
"""

# ruff: noqa: N803 - the arguments are called as AWS calls them

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults.aggregator.failing_calls import answered, struck
from tests.faults.aggregator.planted_faults import OF_BATCHES, OF_CALLS, OF_RECEIVING, Life, Moments

# --- SNS ---------------------------------------------------------------------------------------------------------


@dataclass
class Topic:
    """Bodies in the order in which they were taken. `may_take` says what is wrong with one, or None."""

    may_take: Callable[[str], Awaitable[str | None]]
    taken: list[str] = field(default_factory=list)
    broken_promises: list[str] = field(default_factory=list)


class MemorySns:
    """An SNSClient."""

    def __init__(self, topic: Topic, life: Life) -> None:
        self._topic = topic
        self._life = life

    async def publish_batch(
        self, *, TopicArn: str, PublishBatchRequestEntries: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        entries = list(PublishBatchRequestEntries)
        kind = await struck(self._life, "publish_batch", OF_BATCHES)
        failed = [entries.pop()] if kind == "entry_refused" else []
        for entry in entries:
            if wrong := await self._topic.may_take(entry["Message"]):
                self._topic.broken_promises.append(wrong)
            self._topic.taken.append(entry["Message"])
        await answered(self._life, "publish_batch")
        return {
            "Successful": [{"Id": entry["Id"]} for entry in entries],
            "Failed": [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in failed],
        }


# --- SQS ---------------------------------------------------------------------------------------------------------

LONGEST_HIDDEN = 1.5
SHORTEST_HIDDEN = 0.5
"""Seconds of the hurried clock: a lease's minute would outlast a run, and nothing may turn in circles."""


@dataclass
class Message:
    number: int
    body: str
    visible_at: float = 0.0
    receives: int = 0
    holder: str = ""


@dataclass
class Queues:
    """By url. `may_delete` says what is wrong with deleting a body from a url now, or None."""

    may_delete: Callable[[str, str], Awaitable[str | None]]
    rng: Random
    moments: Moments
    held: dict[str, dict[int, Message]] = field(default_factory=lambda: {"uploads": {}, "overflow": {}, "dead": {}})
    broken_promises: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    def send(self, url: str, body: str) -> None:
        self.sent += 1
        self.held[url][self.sent] = Message(self.sent, body)
        self.changed.set()

    def delete(self, url: str, number: int) -> None:
        self.held[url].pop(number, None)
        self.changed.set()

    def let_go(self, holder: str) -> None:
        """Its visibility runs out: nobody prolongs it any more."""
        for message in [*self.held["uploads"].values(), *self.held["overflow"].values()]:
            if message.holder == holder:
                message.visible_at = 0.0
        self.changed.set()

    def bodies(self, *urls: str) -> list[str]:
        return [message.body for url in urls for message in self.held[url].values()]

    def visible(self, url: str, *, repeated: bool) -> list[Message]:
        now = asyncio.get_running_loop().time()
        found = [message for message in self.held[url].values() if message.visible_at <= now or repeated]
        self.rng.shuffle(found)
        return found

    async def change(self, within: float) -> None:
        self.changed.clear()
        waiting = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait({waiting}, timeout=within)
        finally:
            waiting.cancel()


class MemorySqs:
    """An SQSClient."""

    def __init__(self, queues: Queues, life: Life) -> None:
        self._queues = queues
        self._life = life

    async def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        WaitTimeSeconds: int,
        VisibilityTimeout: int,
        MessageSystemAttributeNames: Sequence[str],
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        until = loop.time() + WaitTimeSeconds
        kind = await struck(self._life, f"receive_message {QueueUrl}", OF_RECEIVING)
        while not (found := self._queues.visible(QueueUrl, repeated=kind == "repeated")):
            if (left := until - loop.time()) <= 0:
                return {}
            self._queues.moments.idle()
            await self._queues.change(min(left, SHORTEST_HIDDEN))
        taken = found[: self._queues.rng.randint(1, MaxNumberOfMessages)]
        for message in taken:
            message.visible_at = loop.time() + VisibilityTimeout
            message.receives += 1
            message.holder = self._life.name
        return {
            "Messages": [
                {
                    "MessageId": str(message.number),
                    "ReceiptHandle": f"{message.number}/{message.receives}",
                    "Body": message.body,
                    "Attributes": {"ApproximateReceiveCount": str(message.receives)},
                }
                for message in taken
            ]
        }

    async def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        entries = list(Entries)
        kind = await struck(self._life, "delete_message_batch", OF_BATCHES)
        failed = [entries.pop()] if kind == "entry_refused" else []
        for entry in entries:
            number = _number(entry)
            message = self._queues.held[QueueUrl].get(number)
            if message and (wrong := await self._queues.may_delete(QueueUrl, message.body)):
                self._queues.broken_promises.append(wrong)
            self._queues.delete(QueueUrl, number)
        await answered(self._life, "delete_message_batch")
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}

    async def change_message_visibility_batch(
        self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        await struck(self._life, "change_message_visibility_batch", OF_CALLS)
        now = asyncio.get_running_loop().time()
        for entry in Entries:
            message = self._queues.held[QueueUrl].get(_number(entry))
            if message and message.holder == self._life.name:
                message.visible_at = now + min(max(entry["VisibilityTimeout"], SHORTEST_HIDDEN), LONGEST_HIDDEN)
        return {}

    async def send_message(self, *, QueueUrl: str, MessageBody: str) -> dict[str, Any]:
        await struck(self._life, "send_message", OF_CALLS)
        self._queues.send(QueueUrl, MessageBody)
        await answered(self._life, "send_message")
        return {}

    async def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        entries = list(Entries)
        kind = await struck(self._life, "send_message_batch", OF_BATCHES)
        failed = [entries.pop()] if kind == "entry_refused" else []
        for entry in entries:
            self._queues.send(QueueUrl, entry["MessageBody"])
        await answered(self._life, "send_message_batch")
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}


def _number(entry: dict[str, Any]) -> int:
    return int(entry["ReceiptHandle"].partition("/")[0])
