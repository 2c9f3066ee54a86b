"""The aggregator as a process, on a database and the emulator with the real data plane."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.local.child_process import Child
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.events import FEED_EVENT, FeedEvent, FeedFailed, FeedProcessed
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


async def announced(sqs: "SQSClient", queue_url: str) -> FeedEvent:
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


async def test_a_file_that_is_no_feed_ends_fatal_with_its_raw_file_and_report(
    service: Child, emulator: EmulatedAws, records: Records, s3: "S3Client", sqs: "SQSClient"
) -> None:
    await s3.put_object(Bucket=emulator.plane.uploads_bucket, Key="acme/book.pdf", Body=b"%PDF-1.7 \xff\xfe\x00")
    event = await announced(sqs, emulator.plane.notifier_queue_url)
    assert isinstance(event, FeedFailed), event
    feed = await records.feed(event.feed_id)
    assert (feed["processing_status"], feed["error_code"]) == ("FATAL", event.error.code)
    for name in ("report.json", "raw/book.pdf"):
        await s3.head_object(Bucket=emulator.plane.error_bucket, Key=f"acme/{event.feed_id}/{name}")
    await records.assert_books_close()


async def test_sigterm_lets_the_feed_in_work_finish_and_ends_well(
    service: Child, emulator: EmulatedAws, records: Records, s3: "S3Client"
) -> None:
    rows = b"".join(b"product %d,1,2.50,2.50\n" % (number % 500) for number in range(300_000))
    await s3.put_object(Bucket=emulator.plane.uploads_bucket, Key="acme/large.csv", Body=rows)

    async def in_work() -> bool:
        return bool(await records.rows("SELECT 1 FROM feeds WHERE processing_status = 'IN_PROGRESS'"))

    await until(in_work)
    service.ask_to_stop()
    # uvicorn shuts down in order, and then ends by the signal that asked for it.
    assert await asyncio.to_thread(service.wait, 40) == -signal.SIGTERM
    assert "Application shutdown complete" in service.log_path.read_text()
    [feed] = await records.rows("SELECT * FROM feeds")
    assert feed["processing_status"] in ("DONE", "IN_QUEUE"), "finished or given back, never left in progress"
    if feed["processing_status"] == "DONE":
        assert feed["rows_accepted"] == 300_000
        assert await records.rows("SELECT 1 FROM outbox WHERE published_at IS NULL") == [], "and announced"
    await records.assert_books_close()


async def test_readiness_names_what_is_missing(service: Child, database_url: str) -> None:
    port = service.environment["PORT"]
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/health/ready")
        assert answer.json()["checks"] == dict.fromkeys(("database", "uploads", "errors", "queue", "loops"), "ok")
        metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert "sellersync_outbox_waiting_events" in metrics.text
