"""One SQS queue: messages in, and what is done with them, in batches wherever several are settled at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.runtime.aws import AWS_OUTAGES
from shared.runtime.coalesce import Coalescer

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        MessageTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

BATCH_MESSAGES = 10
"""SQS hands out, and takes, at most ten messages a call."""

BATCH_BYTES = 240_000
"""A batch's bodies together: SQS took 262,144 bytes for years, and emulators still do."""

MAX_VISIBILITY_SECONDS = 43_200


LINGER_SECONDS = 0.1
"""Nobody waits for the deletion of a message whose outcome is stored; it stays hidden meanwhile."""


class EntryRefused(Exception):
    """SQS did not do what was asked for one message of a batch."""


QUEUE_FAULTS: tuple[type[Exception], ...] = (*AWS_OUTAGES, EntryRefused)
"""What every method of SqsQueue raises."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message in hand. `receive_count` is 1 the first time."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int


@dataclass(frozen=True, slots=True)
class _Sending:
    body: str
    group: str | None


@dataclass(frozen=True, slots=True)
class _Hiding:
    message: QueueMessage
    seconds: float


class SqsQueue:
    """Every method may raise one of QUEUE_FAULTS."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self.url = url
        self._deletes: Coalescer[QueueMessage, None] = Coalescer(
            self._delete_batch, most=BATCH_MESSAGES, linger_seconds=LINGER_SECONDS
        )
        self._hides: Coalescer[_Hiding, None] = Coalescer(self._hide_batch, most=BATCH_MESSAGES)
        self._sends: Coalescer[_Sending, None] = Coalescer(
            self._send_batch,
            most=BATCH_MESSAGES,
            weigh=lambda sending: len(sending.body.encode()),
            most_weight=BATCH_BYTES,
        )

    async def receive(self, most: int, *, poll_seconds: int, visibility_seconds: int) -> list[QueueMessage]:
        answer = await self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(most, BATCH_MESSAGES),
            WaitTimeSeconds=poll_seconds,
            VisibilityTimeout=visibility_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [_in_hand(message) for message in answer.get("Messages", [])]

    async def delete(self, message: QueueMessage) -> None:
        await self._deletes(message)

    async def hide(self, message: QueueMessage, seconds: float) -> None:
        """For so long from now on; 0 gives it back."""
        await self._hides(_Hiding(message, seconds))

    async def send(self, body: str, group: str | None = None) -> None:
        """`group`: SQS shares a standard queue fairly among groups (https://docs.aws.amazon.com/AWSSimpleQueueService/
        latest/SQSDeveloperGuide/sqs-fair-queues.html)."""
        await self._sends(_Sending(body, group))

    async def _delete_batch(self, messages: Sequence[QueueMessage]) -> list[Exception | None]:
        answer = await self._sqs.delete_message_batch(
            QueueUrl=self.url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message.receipt_handle} for number, message in enumerate(messages)
            ],
        )
        return _outcomes(len(messages), answer.get("Failed", []))

    async def _hide_batch(self, hidings: Sequence[_Hiding]) -> list[Exception | None]:
        answer = await self._sqs.change_message_visibility_batch(
            QueueUrl=self.url,
            Entries=[
                {
                    "Id": str(number),
                    "ReceiptHandle": hiding.message.receipt_handle,
                    "VisibilityTimeout": min(int(hiding.seconds + 0.5), MAX_VISIBILITY_SECONDS),
                }
                for number, hiding in enumerate(hidings)
            ],
        )
        return _outcomes(len(hidings), answer.get("Failed", []))

    async def _send_batch(self, sendings: Sequence[_Sending]) -> list[Exception | None]:
        entries: list[SendMessageBatchRequestEntryTypeDef] = []
        for number, sending in enumerate(sendings):
            entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(number), "MessageBody": sending.body}
            if sending.group:
                entry["MessageGroupId"] = sending.group
            entries.append(entry)
        answer = await self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return _outcomes(len(sendings), answer.get("Failed", []))


def _outcomes(count: int, failed: Sequence["BatchResultErrorEntryTypeDef"]) -> list[Exception | None]:
    outcomes: list[Exception | None] = [None] * count
    for failure in failed:
        outcomes[int(failure["Id"])] = EntryRefused(f"{failure['Code']}: {failure.get('Message', '')}")
    return outcomes


def _in_hand(message: "MessageTypeDef") -> QueueMessage:
    return QueueMessage(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
    )
