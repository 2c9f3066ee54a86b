"""The Lambda door on the real flow: database, and emulator with the real data plane."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest

from services.aggregator.lambda_handler import LambdaHost
from services.aggregator.settings import AggregatorSettings
from shared.runtime.mysql import MySqlPool, Row
from shared.runtime.mysql_address import MySqlAddress
from shared.schemas.events import FEED_EVENT, FeedEvent
from tests.conftest import EmulatedAws
from tests.integration.aggregator.records import Records
from tests.samples.recorded import recorded


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def host(
    emulator: EmulatedAws, migrated_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LambdaHost]:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    plane = emulator.plane
    made = LambdaHost(
        AggregatorSettings(
            database_url=migrated_database_url,
            uploads_bucket=plane.uploads_bucket,
            error_bucket=plane.error_bucket,
            receipts_bucket=plane.receipts_bucket,
            feed_uploads_queue_url=plane.feed_uploads_queue_url,
            feed_uploads_dlq_url=plane.feed_uploads_dlq_url,
            feed_events_topic_arn=plane.feed_events_topic_arn,
            aws_endpoint_url=emulator.endpoint_url,
            work_dir=tmp_path,
        )
    )
    yield made
    made.close()


def client(emulator: EmulatedAws, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint_url,
        region_name=emulator.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def batch(bucket: str, key: str, version: str) -> dict[str, Any]:
    """The recorded batch, about this object."""
    event: dict[str, Any] = recorded("lambda_sqs_batch")
    body = recorded("s3_put_aws")
    body["Records"][0]["s3"]["bucket"]["name"] = bucket
    body["Records"][0]["s3"]["object"] = {"key": key, "versionId": version}
    event["Records"][0]["body"] = json.dumps(body)
    return event


def feed_row(url: str, feed_id: UUID) -> Row:
    async def look() -> Row:
        pool = MySqlPool(MySqlAddress.parse(url))
        try:
            records = Records(pool)
            await records.assert_books_close()
            return await records.feed(feed_id)
        finally:
            await pool.close()

    return asyncio.run(look())


def announced(emulator: EmulatedAws) -> list[FeedEvent]:
    sqs = client(emulator, "sqs")
    answer = sqs.receive_message(
        QueueUrl=emulator.plane.notifier_queue_url, WaitTimeSeconds=2, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [FEED_EVENT.validate_json(message["Body"]) for message in answer.get("Messages", [])]


def test_a_recorded_batch_is_applied_announced_and_recognised_when_it_repeats(
    host: LambdaHost, emulator: EmulatedAws, migrated_database_url: str
) -> None:
    bucket = emulator.plane.uploads_bucket
    put = client(emulator, "s3").put_object(Bucket=bucket, Key="acme/a.csv", Body=b"T-Shirt,15,20,300\nSock,x,1,1\n")
    event = batch(bucket, "acme/a.csv", put["VersionId"])
    for _ in range(2):
        assert host.invoke(event, Context()) == {"batchItemFailures": []}
    [told] = announced(emulator)
    row = feed_row(migrated_database_url, told.feed_id)
    assert (row["processing_status"], row["rows_accepted"], row["rows_rejected"], row["attempts"]) == ("DONE", 1, 1, 1)
    dead = client(emulator, "sqs").receive_message(
        QueueUrl=emulator.plane.feed_uploads_dlq_url, WaitTimeSeconds=2, MaxNumberOfMessages=10
    )
    assert {message["Body"] for message in dead["Messages"]} == {"this is no JSON"}


def test_while_the_database_is_away_the_message_is_named_as_failed(
    emulator: EmulatedAws, tmp_path: Path, host: LambdaHost
) -> None:
    plane = emulator.plane
    away = LambdaHost(
        AggregatorSettings(
            database_url="mysql://u:p@127.0.0.1:1/d",
            uploads_bucket=plane.uploads_bucket,
            error_bucket=plane.error_bucket,
            receipts_bucket=plane.receipts_bucket,
            feed_uploads_queue_url=plane.feed_uploads_queue_url,
            feed_uploads_dlq_url=plane.feed_uploads_dlq_url,
            feed_events_topic_arn=plane.feed_events_topic_arn,
            aws_endpoint_url=emulator.endpoint_url,
            work_dir=tmp_path,
        )
    )
    put = client(emulator, "s3").put_object(Bucket=plane.uploads_bucket, Key="acme/b.csv", Body=b"T-Shirt,1,2,2\n")
    event = batch(plane.uploads_bucket, "acme/b.csv", put["VersionId"])
    try:
        failures = away.invoke(event, Context())
    finally:
        away.close()
    assert failures == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert host.invoke(event, Context()) == {"batchItemFailures": []}
