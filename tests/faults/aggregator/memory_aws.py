"""S3, SNS and SQS in memory, as far as the aggregator calls them, behind clients that each process has its own of.

What a client is told is kept beyond its process; it is struck by what networks and AWS do. Everything that would break
P3 or P4 at the very moment is noted in `broken_promises`.
"""

# ruff: noqa: N803 - the arguments are called as AWS calls them

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError

from tests.faults.aggregator.planted_faults import (
    AFTER_CALLS,
    OF_BATCHES,
    OF_BODIES,
    OF_CALLS,
    OF_RECEIVING,
    Life,
    Moments,
)


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "planted"}}, operation)


async def struck(life: Life, step: str, kinds: tuple[str, ...]) -> str | None:
    """Raises what a call raises that is refused, or not answered."""
    kind = await life.at(step, kinds)
    if kind == "refused":
        raise refused("ServiceUnavailable", step)
    if kind == "silent":
        raise TimeoutError("no answer (planted)")
    return kind


async def answered(life: Life, step: str) -> None:
    """Done is done, but the caller may never hear of it."""
    if await life.at(f"after {step}", AFTER_CALLS) == "answer_lost":
        raise ConnectionResetError("the answer was lost (planted)")


# --- S3 ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredObject:
    key: str
    version: str
    content: bytes
    stored_at: datetime
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass
class Buckets:
    """Objects by bucket, oldest first; only `uploads` keeps versions."""

    uploads: list[StoredObject] = field(default_factory=list)
    others: dict[tuple[str, str], bytes] = field(default_factory=dict)


class Body:
    """What a GET answers with; it may end early, or break off."""

    def __init__(self, content: bytes, breaks_off: bool) -> None:
        self._content = content
        self._breaks_off = breaks_off

    async def read(self, amount: int = -1) -> bytes:
        if self._breaks_off:
            raise ClientPayloadError("the connection broke off (planted)")
        taken, self._content = (self._content, b"") if amount < 0 else (self._content[:amount], self._content[amount:])
        return taken

    def close(self) -> None:
        self._content = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryS3:
    """An S3Client."""

    def __init__(self, buckets: Buckets, life: Life) -> None:
        self._buckets = buckets
        self._life = life

    async def get_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        kind = await struck(self._life, f"get_object {Bucket}", OF_BODIES)
        if Bucket == "uploads":
            item = self._find(Key, VersionId)
            facts = {"VersionId": item.version, "LastModified": item.stored_at, "Metadata": item.metadata}
            content = item.content
        else:
            facts, content = {}, self._buckets.others.get((Bucket, Key), b"")
            if not content:
                raise refused("NoSuchKey", "GetObject")
        sent = content[: len(content) // 2] if kind == "truncated" else content
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        return facts | {"ContentLength": len(content), "ETag": etag, "Body": Body(sent, kind == "broken_off")}

    async def list_object_versions(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        await struck(self._life, f"list_object_versions {Bucket}", OF_CALLS)
        found = [item for item in reversed(self._buckets.uploads) if item.key.startswith(Prefix)]
        return {"Versions": [{"Key": item.key, "VersionId": item.version} for item in found[:MaxKeys]]}

    async def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:
        await struck(self._life, "put_object", OF_CALLS)
        self._buckets.others[Bucket, Key] = Body
        await answered(self._life, "put_object")
        return {}

    async def copy_object(
        self, *, Bucket: str, Key: str, CopySource: dict[str, str], Tagging: str, TaggingDirective: str
    ) -> dict[str, Any]:
        await struck(self._life, "copy_object", OF_CALLS)
        self._buckets.others[Bucket, Key] = self._find(CopySource["Key"], CopySource.get("VersionId")).content
        await answered(self._life, "copy_object")
        return {}

    def _find(self, key: str, version: str | None) -> StoredObject:
        for item in reversed(self._buckets.uploads):
            if item.key == key and version in (None, item.version):
                return item
        raise refused("NoSuchVersion", "GetObject")


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
