"""Client notifications on SNS: each kind of subscriber gets the form it can use."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.notifier.errors import NotificationsUnavailable
from shared.runtime.aws import answering_within
from shared.runtime.coalesce import Coalescer
from shared.schemas.events import ClientNotification

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sns.type_defs import PublishBatchRequestEntryTypeDef

FOR_PEOPLE = ("default", "email")
FOR_PROGRAMS = ("sqs", "https", "http", "lambda")
BATCH_NOTIFICATIONS = 10
BATCH_BYTES = 240_000
"""SNS takes ten messages and 262,144 bytes in a batch; the rest is for subjects and attributes."""


def message_by_protocol(notification: ClientNotification) -> str:
    """The `Message` of an SNS publish with MessageStructure `json`: text for people, JSON for programs."""
    body = notification.model_dump_json()
    forms = dict.fromkeys(FOR_PEOPLE, notification.text) | dict.fromkeys(FOR_PROGRAMS, body)
    return json.dumps(forms, ensure_ascii=False, separators=(",", ":"))


class SnsClientNotifications:
    """The client-notifications topic. `call_seconds` bounds each call, its retries included."""

    def __init__(self, sns: "SNSClient", topic_arn: str, call_seconds: float) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._call_seconds = call_seconds
        self._publishes: Coalescer[PublishBatchRequestEntryTypeDef, None] = Coalescer(
            self._publish_batch,
            most=BATCH_NOTIFICATIONS,
            weigh=lambda entry: len(entry["Message"].encode()),
            most_weight=BATCH_BYTES,
        )

    async def check(self) -> None:
        """Raises if the topic cannot be reached."""
        await self._sns.get_topic_attributes(TopicArn=self._topic_arn)

    async def publish(self, notification: ClientNotification) -> None:
        """Raises NotificationsUnavailable. Those published at about the same time share a call."""
        async with answering_within(self._call_seconds, NotificationsUnavailable):
            await self._publishes(_entry(notification))

    async def _publish_batch(self, entries: "Sequence[PublishBatchRequestEntryTypeDef]") -> list[Exception | None]:
        numbered: list[PublishBatchRequestEntryTypeDef] = [
            {**entry, "Id": str(number)} for number, entry in enumerate(entries)
        ]
        # Bounded here too: who asked for it may be gone, and others wait behind it.
        async with asyncio.timeout(self._call_seconds):
            answer = await self._sns.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=numbered)
        outcomes: list[Exception | None] = [None] * len(numbered)
        for failure in answer.get("Failed", []):
            outcomes[int(failure["Id"])] = ClientError(
                {"Error": {"Code": failure["Code"], "Message": failure.get("Message", "")}}, "PublishBatch"
            )
        return outcomes


def _entry(notification: ClientNotification) -> "PublishBatchRequestEntryTypeDef":
    attributes = {
        "event_type": notification.event_type,
        "seller_id": notification.seller_id,
        "severity": str(notification.severity),
    }
    return {
        "Id": "",
        "Subject": notification.subject,
        "Message": message_by_protocol(notification),
        "MessageStructure": "json",
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
