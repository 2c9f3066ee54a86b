"""The CloudFormation template does what the services rely on, in the emulator that local runs and tests use."""

import json
from typing import Any

import boto3
import pytest
from cfnlint.decode import cfn_yaml

from deploy.local.data_plane import TEMPLATE, deploy_data_plane_now
from services.aggregator.settings import AggregatorSettings
from shared.schemas.processing_log import ERROR_STREAM, NEWEST_ERRORS_INDEX, SELLER_ERRORS_INDEX
from shared.schemas.s3_events import S3Notification
from tests.conftest import EmulatedAws

RECEIVE_SECONDS = 10


def client(emulator: EmulatedAws, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint_url,
        region_name=emulator.region,
        aws_access_key_id=emulator.access.access_key_id,
        aws_secret_access_key=emulator.access.secret_access_key,
    )


def receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """The messages that arrive first; they are deleted. Empty if none came within the wait."""
    answer = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=RECEIVE_SECONDS, MessageAttributeNames=["All"]
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def test_an_object_put_into_the_uploads_bucket_is_told_to_the_queue(emulator: EmulatedAws) -> None:
    sqs, plane = client(emulator, "sqs"), emulator.plane
    client(emulator, "s3").put_object(Bucket=plane.uploads_bucket, Key="acme/März 1+1.csv", Body=b"Shirt,1,2,2\n")

    notifications: list[S3Notification] = []
    while not any(notification.records for notification in notifications):
        messages = receive(sqs, plane.feed_uploads_queue_url)
        assert messages, "no event came"
        notifications += [S3Notification.model_validate_json(message["Body"]) for message in messages]

    (record,) = [record for notification in notifications for record in notification.records]
    assert record.is_object_created
    assert record.s3.bucket.name == plane.uploads_bucket
    assert record.s3.object.decoded_key == "acme/März 1+1.csv"
    assert record.s3.object.version_id, "uploads are versioned: a feed is one version of one key"


def test_what_ingest_and_the_aggregator_store_beside_the_feeds_raises_no_event(emulator: EmulatedAws) -> None:
    plane, s3 = emulator.plane, client(emulator, "s3")
    for bucket in (plane.receipts_bucket, plane.error_bucket):
        assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_every_bucket_is_private_encrypted_and_cleans_up() -> None:
    """Read from the template: the emulator takes encryption and lifecycle rules from it without keeping them."""
    resources = cfn_yaml.load(str(TEMPLATE))["Resources"]
    buckets = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::S3::Bucket"}

    assert set(buckets) == {"UploadsBucket", "ReceiptsBucket", "ErrorBucket"}
    for properties in buckets.values():
        private = properties["PublicAccessBlockConfiguration"]
        assert len(private) == 4
        assert all(private.values())
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert properties["LifecycleConfiguration"]["Rules"]


def test_only_outcomes_reach_the_notifier_and_they_arrive_as_they_were_published(emulator: EmulatedAws) -> None:
    sns, sqs, plane = client(emulator, "sns"), client(emulator, "sqs"), emulator.plane
    for event_type in ("FeedStarted", "FeedProcessed", "FeedFailed"):
        sns.publish(
            TopicArn=plane.feed_events_topic_arn,
            Message=json.dumps({"event_type": event_type}),
            MessageAttributes={"event_type": {"DataType": "String", "StringValue": event_type}},
        )

    bodies: list[str] = []
    while len(bodies) < 2:
        messages = receive(sqs, plane.notifier_queue_url)
        assert messages, f"only {bodies} came"
        bodies += [message["Body"] for message in messages]

    assert sorted(bodies) == ['{"event_type": "FeedFailed"}', '{"event_type": "FeedProcessed"}']


@pytest.mark.parametrize(
    ("queue", "dead_letters"),
    [("feed_uploads_queue_url", "feed_uploads_dlq_url"), ("notifier_queue_url", "notifier_dlq_url")],
)
def test_a_message_that_is_never_deleted_ends_in_the_dead_letter_queue(
    emulator: EmulatedAws, queue: str, dead_letters: str
) -> None:
    sqs, plane = client(emulator, "sqs"), emulator.plane
    queue_url = getattr(plane, queue)
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])["Attributes"]
    tries = int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"])
    sqs.send_message(QueueUrl=queue_url, MessageBody="poison")

    received = 0
    while messages := sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=0).get("Messages", []):
        received += len(messages)
        for message in messages:
            sqs.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )

    assert received == tries
    assert [message["Body"] for message in receive(sqs, getattr(plane, dead_letters))] == ["poison"]


LAST_TRY: int = AggregatorSettings.model_fields["worker_max_receives"].default
"""At which the aggregator expects no other. Neither `make run` nor compose sets it."""


@pytest.mark.parametrize("queue", ["FeedUploadsQueue", "FeedOverflowQueue"])
def test_the_aggregators_last_try_comes_before_its_queues_give_a_message_up(queue: str) -> None:
    """Were it later, a feed that meets a fault of ours would never be told as FATAL. Of the template's own figures."""
    template = cfn_yaml.load(str(TEMPLATE))
    count = template["Resources"][queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    tries = template["Parameters"][count["Ref"]]["Default"] if isinstance(count, dict) else count
    assert int(tries) >= LAST_TRY


@pytest.mark.parametrize("queue", ["feed_uploads_queue_url", "feed_overflow_queue_url"])
def test_the_aggregators_last_try_comes_before_the_local_queues_give_a_message_up(
    emulator: EmulatedAws, queue: str
) -> None:
    url = getattr(emulator.plane, queue)
    answer = client(emulator, "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    assert int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"]) >= LAST_TRY


def test_nothing_that_is_deployed_from_here_sets_another_last_try() -> None:
    deployed = [TEMPLATE.parents[2] / "docker-compose.yml", *TEMPLATE.parents[1].rglob("*.py")]
    assert [path for path in deployed if "WORKER_MAX_RECEIVES" in path.read_text()] == []


def test_the_processing_log_has_its_keys_and_both_indexes(emulator: EmulatedAws) -> None:
    dynamodb, table = client(emulator, "dynamodb"), emulator.plane.processing_log_table
    for entry_id, error in (("2026-01-01#a", True), ("2026-01-02#b", False), ("2026-01-03#c", True)):
        item = {"feed_id": {"S": "f"}, "entry_id": {"S": entry_id}}
        if error:
            item |= {"error_stream": {"S": ERROR_STREAM}, "error_seller": {"S": "acme"}}
        dynamodb.put_item(TableName=table, Item=item)

    for index, attribute, value in (
        (NEWEST_ERRORS_INDEX, "error_stream", ERROR_STREAM),
        (SELLER_ERRORS_INDEX, "error_seller", "acme"),
    ):
        found = dynamodb.query(
            TableName=table,
            IndexName=index,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": attribute},
            ExpressionAttributeValues={":value": {"S": value}},
            ScanIndexForward=False,
        )
        assert [item["entry_id"]["S"] for item in found["Items"]] == ["2026-01-03#c", "2026-01-01#a"]


def test_deploying_again_keeps_everything_and_applies_what_changed(emulator: EmulatedAws) -> None:
    s3, sqs, plane = client(emulator, "s3"), client(emulator, "sqs"), emulator.plane
    s3.put_object(Bucket=plane.error_bucket, Key="acme/kept", Body=b"")
    stage = plane.processing_log_table.removeprefix("sellersync-").removesuffix("-processing-log")

    assert deploy_data_plane_now(emulator.access, stage) == plane
    assert deploy_data_plane_now(emulator.access, stage, {"VisibilityTimeout": "77"}) == plane

    attributes = sqs.get_queue_attributes(QueueUrl=plane.notifier_queue_url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "77"
    assert s3.head_object(Bucket=plane.error_bucket, Key="acme/kept")
