"""Client notifications on SNS: each kind of subscriber gets the form it can use."""

import json
from typing import TYPE_CHECKING

from services.notifier.errors import NotificationsUnavailable
from shared.runtime.aws import answering_within
from shared.schemas.events import ClientNotification

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient

FOR_PEOPLE = ("default", "email")
FOR_PROGRAMS = ("sqs", "https", "http", "lambda")


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

    async def check(self) -> None:
        """Raises if the topic cannot be reached."""
        await self._sns.get_topic_attributes(TopicArn=self._topic_arn)

    async def publish(self, notification: ClientNotification) -> None:
        """Raises NotificationsUnavailable."""
        attributes = {
            "event_type": notification.event_type,
            "seller_id": notification.seller_id,
            "severity": str(notification.severity),
        }
        async with answering_within(self._call_seconds, NotificationsUnavailable):
            await self._sns.publish(
                TopicArn=self._topic_arn,
                Subject=notification.subject,
                Message=message_by_protocol(notification),
                MessageStructure="json",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
