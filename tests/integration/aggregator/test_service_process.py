"""The aggregator as a process, on a database and the emulator with the real data plane."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from deploy.local.child_process import Child
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.events import (
    FEED_EVENT,
    FeedCancelled,
    FeedEvent,
    FeedFailed,
    FeedProcessed,
    FeedReplaced,
    FeedWithdrawn,
)
from shared.schemas.feeds import FeedType, Receipt
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


async def test_a_feed_is_read_anew_replaced_by_a_new_version_and_withdrawn(
    service: Child, emulator: EmulatedAws, records: Records, s3: "S3Client", sqs: "SQSClient"
) -> None:
    """The whole life of a feed over HTTP, the queue and the bucket, with the emulator's own events."""
    plane, key = emulator.plane, "acme/stock.csv"

    async def put(content: bytes) -> FeedProcessed:
        await s3.put_object(Bucket=plane.uploads_bucket, Key=key, Body=content)
        event = await announced(sqs, plane.notifier_queue_url)
        assert isinstance(event, FeedProcessed), event
        return event

    first = await put(b"T-Shirt,15,20,300\nSocke,1,3,3\n")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.environment['PORT']}") as http:
        asked = await http.post(f"/api/feeds/{first.feed_id}/reprocess", json={"on_error": "skip_file"})
        assert (asked.status_code, asked.json()["processing_status"]) == (202, "IN_QUEUE")
        again = await announced(sqs, plane.notifier_queue_url)
        assert isinstance(again, FeedProcessed), again
        assert (again.feed_id, again.counts, again.attempt) == (first.feed_id, first.counts, 2)
        assert again.report_uri == f"s3://{plane.error_bucket}/acme/{first.feed_id}/fence-3/report.json", (
            "one more than asking for it"
        )

        # Both events of the second version, in order per feed and none between feeds.
        await s3.put_object(Bucket=plane.uploads_bucket, Key=key, Body=b"Hut,2,5,10\n")
        told = [await announced(sqs, plane.notifier_queue_url) for _ in range(2)]
        [replaced] = [event for event in told if isinstance(event, FeedReplaced)]
        [second] = [event for event in told if isinstance(event, FeedProcessed)]
        assert (replaced.feed_id, replaced.replaced_by) == (first.feed_id, second.feed_id)
        assert second.replaces == first.feed_id
        assert set(await records.totals()) == {"Hut"}

        refused = await http.delete(f"/api/feeds/{first.feed_id}")
        assert (refused.status_code, refused.json()["reason"]) == (409, "REPLACED")
        withdrawn = await http.delete(f"/api/feeds/{second.feed_id}")
        assert (withdrawn.status_code, withdrawn.json()["rows_taken_back"]) == (200, 1)
        assert isinstance(await announced(sqs, plane.notifier_queue_url), FeedWithdrawn)
        assert (await http.post(f"/api/feeds/{first.feed_id}/cancel")).status_code == 409
    assert await records.totals() == {}
    await records.assert_books_close()


async def test_an_upload_that_is_cancelled_before_its_event_comes_stays_cancelled(
    service: Child, emulator: EmulatedAws, records: Records, s3: "S3Client", sqs: "SQSClient"
) -> None:
    plane, feed_id = emulator.plane, UUID("019a0000-0000-7000-8000-000000000001")
    key = f"acme/{feed_id}/a.csv"
    receipt = Receipt(
        feed_id=feed_id,
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="a.csv",
        bucket=plane.uploads_bucket,
        object_key=key,
        size_bytes=8,
        sha256="0" * 64,
        correlation_id="c",
        received_at=datetime.now(UTC),
    )
    body = receipt.model_dump_json().encode()
    await s3.put_object(Bucket=plane.receipts_bucket, Key=f"{feed_id}.json", Body=body)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.environment['PORT']}") as http:
        cancelled = await http.post(f"/api/feeds/{feed_id}/cancel")
        assert cancelled.json()["processing_status"] == "CANCELLED"
        unknown = await http.post(f"/api/feeds/{UUID(int=1)}/cancel")
        assert unknown.status_code == 404
    assert isinstance(await announced(sqs, plane.notifier_queue_url), FeedCancelled)
    await s3.put_object(
        Bucket=plane.uploads_bucket, Key=key, Body=b"T-Shirt,1,2,2\n", Metadata={"feed-id": str(feed_id)}
    )

    async def seen() -> bool:
        return "feed.already_finished" in service.log_path.read_text()

    await until(seen)
    assert (await records.feed(feed_id))["processing_status"] == "CANCELLED"
    assert await records.totals() == {}
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
        assert answer.json()["checks"] == dict.fromkeys(
            ("database", "uploads", "errors", "receipts", "queue", "loops", "reading"), "ok"
        )
        metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert "sellersync_outbox_waiting_events" in metrics.text
