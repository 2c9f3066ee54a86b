"""What READ_SECONDS and WORKER_MAX_RECEIVES say reaches the flow: the whole aggregator, with a reader that fails."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest

from services.aggregator.errors import ReadingHangs
from services.aggregator.main import Aggregator, open_aggregator
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.feed_identity import ObjectRef, dropped_feed_id
from services.aggregator.rules.work_order import work_order
from services.aggregator.settings import AggregatorSettings
from shared.runtime.aws import AwsClients
from shared.runtime.dispositions import Disposition, Done, Retry
from shared.runtime.sqs_queue import QueueMessage
from tests.conftest import EmulatedAws
from tests.integration.aggregator.records import Records

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

LAST_TRY = 3


@dataclass
class FailingReader:
    """Never reads anything."""

    fail: Callable[[], object]

    def read(self, path: Path, request: ReadRequest) -> Never:
        self.fail()
        raise RuntimeError("ours")


@pytest.fixture
def settings(
    emulator: EmulatedAws, migrated_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AggregatorSettings:
    plane = emulator.plane
    environment = {
        **emulator.environment(),
        "DATABASE_URL": migrated_database_url,
        "UPLOADS_BUCKET": plane.uploads_bucket,
        "ERROR_BUCKET": plane.error_bucket,
        "RECEIPTS_BUCKET": plane.receipts_bucket,
        "FEED_UPLOADS_QUEUE_URL": plane.feed_uploads_queue_url,
        "FEED_EVENTS_TOPIC_ARN": plane.feed_events_topic_arn,
        "WORK_DIR": str(tmp_path / "work"),
        "READ_SECONDS": "0.2",
        "WORKER_MAX_RECEIVES": str(LAST_TRY),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return AggregatorSettings()


@pytest.fixture
async def ref(settings: AggregatorSettings) -> AsyncIterator[ObjectRef]:
    """An object that was dropped in."""
    async with AwsClients(settings).s3() as s3:
        yield await _dropped(s3, settings.uploads_bucket)


async def _dropped(s3: "S3Client", bucket: str) -> ObjectRef:
    put = await s3.put_object(Bucket=bucket, Key="acme/a.csv", Body=b"Shirt,1,2,2\n")
    return ObjectRef(bucket, "acme/a.csv", put["VersionId"], put["ETag"].strip('"'))


async def tried(aggregator: Aggregator, ref: ObjectRef, receive_count: int) -> Disposition:
    return await aggregator.handle(QueueMessage("m", "r", work_order(ref, datetime.now(UTC)), receive_count))


async def test_a_reading_that_takes_longer_than_read_seconds_goes_back_and_the_service_is_not_ready(
    settings: AggregatorSettings, ref: ObjectRef, records: Records
) -> None:
    let_go = threading.Event()
    reader = FailingReader(lambda: let_go.wait(60))
    async with open_aggregator(settings, lambda *_: nullcontext(reader)) as aggregator:
        try:
            assert isinstance(await tried(aggregator, ref, LAST_TRY), Retry), "an outage, however often"
            with pytest.raises(ReadingHangs):
                await aggregator.checks["reading"]()
        finally:
            let_go.set()
    assert (await records.feed(dropped_feed_id(ref)))["processing_status"] == "IN_QUEUE"


async def test_a_fault_of_ours_is_fatal_at_the_try_that_worker_max_receives_says(
    settings: AggregatorSettings, ref: ObjectRef, records: Records
) -> None:
    async with open_aggregator(settings, lambda *_: nullcontext(FailingReader(lambda: None))) as aggregator:
        with pytest.raises(RuntimeError):
            await tried(aggregator, ref, LAST_TRY - 1)
        assert (await records.feed(dropped_feed_id(ref)))["processing_status"] == "IN_QUEUE"
        assert isinstance(await tried(aggregator, ref, LAST_TRY), Done)
    row = await records.feed(dropped_feed_id(ref))
    assert (row["processing_status"], row["error_code"]) == ("FATAL", "internal/not_readable")
