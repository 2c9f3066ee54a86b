"""The product as its users have it: files in, answers and notifications out. Nothing here looks inside."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import boto3
import httpx
from boto3.dynamodb.types import TypeDeserializer

from deploy.local.stack import Stack
from shared.schemas.events import ClientNotification
from shared.schemas.feeds import FeedView, UploadAccepted

Found = TypeVar("Found")
DEADLINE_SECONDS = 60.0


def eventually(look: Callable[[], Found | None], what: str, within: float = DEADLINE_SECONDS) -> Found:
    """What `look` finds, as soon as it finds something. Fails with `what` when the time is over."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)  # between two looks at something that cannot call us


class Inbox:
    """A client's own queue, subscribed to the client notifications of one seller."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self.received: list[tuple[ClientNotification, dict[str, str]]] = []

    def collect(self, wait_seconds: int = 1) -> list[tuple[ClientNotification, dict[str, str]]]:
        """All that has come so far, each with its message attributes."""
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
            self.received.append((ClientNotification.model_validate_json(message["Body"]), attributes))
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self.received

    def about(self, feed_id: UUID) -> tuple[ClientNotification, dict[str, str]]:
        """The notification about a feed, once it is there."""

        def look() -> tuple[ClientNotification, dict[str, str]] | None:
            return next((each for each in self.collect() if each[0].feed_id == feed_id), None)

        return eventually(look, f"a notification about {feed_id}")


class Product:
    """Calls of the public endpoints, and the AWS calls that a client, or an operator, would make."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.plane = stack.plane
        self.http = httpx.Client(timeout=60.0)
        self.s3, self.sqs, self.sns, self.dynamodb = (self._aws(name) for name in ("s3", "sqs", "sns", "dynamodb"))

    def _aws(self, service: str) -> Any:
        aws = self.stack.aws
        return boto3.client(
            service,
            endpoint_url=aws.endpoint_url,
            region_name=aws.region,
            aws_access_key_id=aws.access_key_id,
            aws_secret_access_key=aws.secret_access_key,
        )

    def close(self) -> None:
        self.http.close()

    # --- in -------------------------------------------------------------------------------------------------------

    def upload(self, content: bytes, file_name: str = "sales.csv", **options: str) -> UploadAccepted:
        answer = self.http.post(
            f"{self.stack.url('ingest')}/api/transactions/upload",
            data=options,
            files={"file": (file_name, content, "text/csv")},
        )
        assert answer.status_code == 202, answer.text
        return UploadAccepted.model_validate(answer.json())

    def drop(self, content: bytes, key: str) -> str:
        """Put an object straight into the uploads bucket, as a script with the AWS CLI would; its version."""
        version: str = self.s3.put_object(Bucket=self.plane.uploads_bucket, Key=key, Body=content)["VersionId"]
        return version

    def repeat_s3_event(self, key: str, version: str, times: int) -> None:
        """Deliver S3's event about an object again."""
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": "2026-11-22T12:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": self.plane.uploads_bucket}, "object": {"key": key, "versionId": version}},
        }
        for _ in range(times):
            self.sqs.send_message(
                QueueUrl=self.plane.feed_uploads_queue_url, MessageBody=json.dumps({"Records": [record]})
            )

    # --- out ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = self.http.get(f"{self.stack.url('query')}{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
        return body

    def all(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Every item, page by page."""
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": None}
        while True:
            page = self.get(path, **parameters, **({"cursor": page["next"]} if page["next"] else {}))
            items += page["items"]
            if not page["next"]:
                return items

    def ask(self, question: str) -> httpx.Response:
        return self.http.post(f"{self.stack.url('query')}/api/queries", json={"query": question}, timeout=60.0)

    def status(self, accepted: UploadAccepted) -> FeedView:
        """What the status URL says; it must know the feed from the moment the upload returned."""
        answer = self.http.get(accepted.status_url)
        assert answer.status_code == 200, answer.text
        return FeedView.model_validate(answer.json())

    def finished(self, feed_id: UUID, within: float = DEADLINE_SECONDS) -> FeedView:
        """The feed in its final state, once it is there."""

        def look() -> FeedView | None:
            feed = FeedView.model_validate(self.get(f"/api/feeds/{feed_id}"))
            return feed if feed.processing_status.is_terminal else None

        return eventually(look, f"feed {feed_id} finished", within)

    def only_feed_of(self, seller_id: str) -> FeedView:
        """The feed of a seller who handed in one file, in its final state."""

        def look() -> FeedView | None:
            feeds = [FeedView.model_validate(item) for item in self.all("/api/feeds", seller_id=seller_id)]
            assert len(feeds) <= 1, feeds
            return next((feed for feed in feeds if feed.processing_status.is_terminal), None)

        return eventually(look, f"one finished feed of {seller_id}")

    def log_of(self, feed_id: UUID) -> list[dict[str, Any]]:
        """The processing log's items about a feed, oldest first; waits for the first."""

        def look() -> list[dict[str, Any]] | None:
            found = self.dynamodb.query(
                TableName=self.plane.processing_log_table,
                KeyConditionExpression="feed_id = :feed_id",
                ExpressionAttributeValues={":feed_id": {"S": str(feed_id)}},
                ConsistentRead=True,
            )
            items: list[dict[str, Any]] = found["Items"]
            return items

        plain = TypeDeserializer()
        return [
            {name: plain.deserialize(value) for name, value in item.items()}
            for item in eventually(look, f"a log entry of {feed_id}")
        ]

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """The objects below a prefix, by what follows it in their keys."""
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"].removeprefix(prefix): self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            for entry in listed
        }

    def all_queues_done(self) -> bool:
        """Whether no message waits or is in work, in any queue of the product."""
        plane = self.plane
        for url in (plane.feed_uploads_queue_url, plane.feed_overflow_queue_url, plane.notifier_queue_url):
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            if any(int(attributes[name]) for name in names):
                return False
        return True

    @contextmanager
    def inbox(self, seller_id: str) -> Iterator[Inbox]:
        queue_url = self.sqs.create_queue(QueueName=f"inbox-{uuid4().hex}")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        subscription = self.sns.subscribe(
            TopicArn=self.plane.client_notifications_topic_arn,
            Protocol="sqs",
            Endpoint=arn,
            ReturnSubscriptionArn=True,
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"seller_id": [seller_id]})},
        )["SubscriptionArn"]
        try:
            yield Inbox(self.sqs, queue_url)
        finally:
            self.sns.unsubscribe(SubscriptionArn=subscription)
            self.sqs.delete_queue(QueueUrl=queue_url)
