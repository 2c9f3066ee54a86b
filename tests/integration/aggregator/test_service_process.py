"""The aggregator as a process, on a database and the emulator with the real data plane."""

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from deploy.local.child_process import Child
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.events import FEED_EVENT, FeedFailed, FeedProcessed
from tests.conftest import EmulatedAws
from tests.integration.aggregator.records import Records
from tests.waiting import until

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient


@pytest.fixture
def settings(emulator: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    return ServiceSettings()


@pytest.fixture
async def s3(settings: ServiceSettings) -> AsyncIterator["S3Client"]:
    async with AwsClients(settings).s3() as client:
        yield client


@pytest.fixture
async def sqs(settings: ServiceSettings) -> AsyncIterator["SQSClient"]:
    async with AwsClients(settings).sqs() as client:
        yield client


async def announced(sqs: "SQSClient", queue_url: str) -> FeedProcessed | FeedFailed:
    """The next event that the notifier would get."""
    found: list[Any] = []

    async def look() -> bool:
        answer = await sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1, MaxNumberOfMessages=1)
        found.extend(answer.get("Messages", []))
        return bool(found)

    await until(look)
    await sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=found[0]["ReceiptHandle"])
    return FEED_EVENT.validate_json(found[0]["Body"])


async def test_a_dropped_file_becomes_totals_and_an_event(
    service: Child, emulator: EmulatedAws, records: Records, s3: "S3Client", sqs: "SQSClient"
) -> None:
    key = "acme/Umsätze März+April 2026.csv"
    await s3.put_object(
        Bucket=emulator.plane.uploads_bucket, Key=key, Body=b"T-Shirt,15,20,300\nSocke,1,x,3\nT-Shirt,1,20,20\n"
    )
    event = await announced(sqs, emulator.plane.notifier_queue_url)
    assert isinstance(event, FeedProcessed), event
    assert event.object_key == key
    assert event.file_name == "Umsätze März+April 2026.csv"
    feed = await records.feed(event.feed_id)
    assert feed["processing_status"] == "DONE"
    assert (feed["rows_received"], feed["rows_accepted"], feed["rows_rejected"]) == (3, 2, 1)
    assert str((await records.totals())["T-Shirt"]["revenue"]) == "320.0000"
    await records.assert_books_close()
    report = await s3.get_object(Bucket=emulator.plane.error_bucket, Key=f"acme/{event.feed_id}/report.json")
    body = json.loads(await report["Body"].read())
    assert body["summary"]["counts"]["rows_rejected"] == 1
    assert body["issues"][0]["line"] == 2
