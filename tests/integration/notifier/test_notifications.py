"""The whole notifier on real parts: events in the queue, entries in the table, notifications at a subscriber."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from services.notifier.adapters.sns_client_notifications import SnsClientNotifications
from services.notifier.errors import NotificationsUnavailable
from services.notifier.main import create_app
from services.notifier.rules.client_notification import client_notification
from services.notifier.settings import NotifierSettings
from shared.schemas.events import ClientNotification, FeedEvent
from tests.integration.notifier.conftest import Aws
from tests.unit.notifier.events import sample
from tests.waiting import until


def _event(name: str) -> FeedEvent:
    return sample(name).model_copy(update={"feed_id": uuid4(), "event_id": uuid4(), "file_name": 'Umsätze "1".csv'})


class Subscriber:
    """A client's queue on the client-notifications topic."""

    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._aws = aws
        self._queue_url = queue_url
        self.received: list[dict[str, Any]] = []

    async def has(self, number: int) -> bool:
        """Takes what is there; whether that makes at least `number`."""
        answer = await self._aws.sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            self.received.append(dict(message))
            await self._aws.sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(self.received) >= number


async def _subscribe(aws: Aws, **attributes: str) -> Subscriber:
    url = (await aws.sqs.create_queue(QueueName=f"client-{uuid4().hex}"))["QueueUrl"]
    described = await aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    await aws.sns.subscribe(
        TopicArn=aws.plane.client_notifications_topic_arn,
        Protocol="sqs",
        Endpoint=described["Attributes"]["QueueArn"],
        Attributes=attributes,
    )
    return Subscriber(aws, url)


@asynccontextmanager
async def _notifier(aws: Aws) -> AsyncIterator[None]:
    settings = NotifierSettings(
        aws_endpoint_url=aws.url,
        notifier_queue_url=aws.plane.notifier_queue_url,
        notifier_dlq_url=aws.plane.notifier_dlq_url,
        client_notifications_topic_arn=aws.plane.client_notifications_topic_arn,
        processing_log_table=aws.plane.processing_log_table,
        poll_seconds=1,
        # A poll that a test leaves behind may still take a message; it is back soon.
        visibility_seconds=2,
        retry_base_seconds=0.01,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield


async def _publish(aws: Aws, event: FeedEvent, times: int = 1) -> None:
    """As the aggregator's relay does."""
    for _ in range(times):
        await aws.sns.publish(
            TopicArn=aws.plane.feed_events_topic_arn,
            Message=event.model_dump_json(),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in {
                    "event_type": event.event_type,
                    "seller_id": event.seller_id,
                    "feed_type": str(event.feed_type),
                    "severity": str(event.severity),
                }.items()
            },
        )


async def _entries(aws: Aws, event: FeedEvent) -> list[dict[str, Any]]:
    answer = await aws.dynamodb.query(
        TableName=aws.plane.processing_log_table,
        KeyConditionExpression="feed_id = :feed",
        ExpressionAttributeValues={":feed": {"S": str(event.feed_id)}},
    )
    return list(answer["Items"])


async def _is_empty(aws: Aws) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await aws.sqs.get_queue_attributes(QueueUrl=aws.plane.notifier_queue_url, AttributeNames=names)  # type: ignore[arg-type] # a list of str
    return not any(int(number) for number in answer["Attributes"].values())


async def test_an_event_published_many_times_is_logged_and_told_once(aws: Aws) -> None:
    client = await _subscribe(aws)
    event = _event("feed_failed_unreadable")
    await _publish(aws, event, times=5)
    async with _notifier(aws):
        await until(lambda: client.has(1))
        await until(lambda: _is_empty(aws))
    await client.has(2)
    [message] = client.received
    envelope = json.loads(message["Body"])
    assert envelope["Subject"].startswith("Feed failed, nothing counted: Umsatze")
    assert ClientNotification.model_validate_json(envelope["Message"]) == client_notification(event)
    assert {name: value["Value"] for name, value in envelope["MessageAttributes"].items()} == {
        "event_type": "FeedFailed",
        "seller_id": "acme",
        "severity": "ERROR",
    }
    [entry] = await _entries(aws, event)
    assert "notified_at" in entry


async def test_two_notifiers_at_once_tell_each_outcome_once(aws: Aws) -> None:
    client = await _subscribe(aws, RawMessageDelivery="true")
    events = [_event("feed_processed") for _ in range(6)]
    for event in [*events, *reversed(events)]:
        await _publish(aws, event)
    async with _notifier(aws), _notifier(aws):
        await until(lambda: client.has(len(events)))
        await until(lambda: _is_empty(aws))
    await client.has(len(events) + 1)
    told = [ClientNotification.model_validate_json(message["Body"]).notification_id for message in client.received]
    assert sorted(told) == sorted(event.event_id for event in events)


async def test_a_subscriber_may_filter_by_severity(aws: Aws) -> None:
    client = await _subscribe(aws, FilterPolicy=json.dumps({"severity": ["ERROR"]}), RawMessageDelivery="true")
    fine, failed = _event("feed_processed"), _event("feed_failed_with_books")
    async with _notifier(aws):
        await _publish(aws, fine)
        await until(lambda: _was_told(aws, fine))
        await _publish(aws, failed)
        await until(lambda: client.has(1))
    assert [json.loads(message["Body"])["feed_id"] for message in client.received] == [str(failed.feed_id)]


async def _was_told(aws: Aws, event: FeedEvent) -> bool:
    return any("notified_at" in entry for entry in await _entries(aws, event))


async def test_an_enveloped_event_is_read_and_noise_goes_to_the_dead_letters(aws: Aws) -> None:
    event = _event("feed_processed")
    envelope = json.dumps({"Type": "Notification", "Message": event.model_dump_json()})
    noise = f"noise {uuid4()}"
    dead: list[str] = []

    async def noise_is_dead() -> bool:
        answer = await aws.sqs.receive_message(QueueUrl=aws.plane.notifier_dlq_url, MaxNumberOfMessages=10)
        dead.extend(message["Body"] for message in answer.get("Messages", []))
        return noise in dead

    async with _notifier(aws):
        for body in (noise, envelope):
            await aws.sqs.send_message(QueueUrl=aws.plane.notifier_queue_url, MessageBody=body)
        await until(lambda: _was_told(aws, event))
        await until(noise_is_dead)
    assert await _is_empty(aws)


async def test_a_topic_that_is_not_there_is_unavailable(aws: Aws) -> None:
    arn = f"{aws.plane.client_notifications_topic_arn}-not"
    with pytest.raises(NotificationsUnavailable):
        await SnsClientNotifications(aws.sns, arn, 10).publish(client_notification(_event("feed_processed")))
