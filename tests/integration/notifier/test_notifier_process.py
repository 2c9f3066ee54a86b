"""The notifier as a process of its own: it comes up, works, and stops cleanly."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.local.child_process import Child, base_environment
from deploy.local.network_ports import free_port
from services.query.adapters.dynamo_log import read_entry
from tests.conftest import EmulatedAws
from tests.integration.notifier.conftest import Aws
from tests.unit.notifier.events import sample
from tests.waiting import until

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def notifier(emulator: EmulatedAws, tmp_path: Path) -> AsyncIterator[tuple[Child, str]]:
    port = free_port()
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "NOTIFIER_QUEUE_URL": emulator.plane.notifier_queue_url,
        "CLIENT_NOTIFICATIONS_TOPIC_ARN": emulator.plane.client_notifications_topic_arn,
        "PROCESSING_LOG_TABLE": emulator.plane.processing_log_table,
    }
    child = Child(
        "notifier",
        [sys.executable, "-m", "services.notifier"],
        environment=base_environment() | emulator.environment() | settings,
        log_path=tmp_path / "notifier.log",
        cwd=ROOT,
    )
    child.start()
    try:
        yield child, f"http://127.0.0.1:{port}"
    finally:
        child.stop()


async def test_it_comes_up_works_and_stops(notifier: tuple[Child, str], aws: Aws) -> None:
    child, url = notifier
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:

        async def is_ready() -> bool:
            child.require_alive()
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_ready, within=30)
        event = sample("feed_failed_unreadable").model_copy(update={"feed_id": uuid4(), "event_id": uuid4()})
        await aws.sqs.send_message(QueueUrl=aws.plane.notifier_queue_url, MessageBody=event.model_dump_json())

        async def is_announced() -> bool:
            found = await aws.dynamodb.query(
                TableName=aws.plane.processing_log_table,
                KeyConditionExpression="feed_id = :feed",
                ExpressionAttributeValues={":feed": {"S": str(event.feed_id)}},
            )
            return any("notified_at" in item and read_entry(item).event_id == event.event_id for item in found["Items"])

        await until(is_announced)
        metrics = (await client.get("/metrics")).text
    assert 'sellersync_outcomes_announced_total{event_type="FeedFailed",result="announced"} 1.0' in metrics
    child.ask_to_stop()
    assert child.wait(20) in (0, -15)
    assert "Traceback" not in child.log_path.read_text()
