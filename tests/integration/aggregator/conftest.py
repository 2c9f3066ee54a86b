"""A migrated database, emptied before each test, and the aggregator's pool on it."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.child_process import Child, base_environment
from deploy.local.network_ports import LOOPBACK, free_port
from shared.runtime.mysql import MySqlLimits, MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from tests.conftest import EmulatedAws
from tests.integration.aggregator.records import Records

ROOT = Path(__file__).parents[3]


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/health/ready", timeout=5.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture
async def pool(migrated_database_url: str) -> AsyncIterator[MySqlPool]:
    """Short lock waits, so that tests of contention are quick."""
    opened = MySqlPool(MySqlAddress.parse(migrated_database_url), MySqlLimits(connections=10, lock_wait=2))
    async with opened.session() as session:
        for table in ("feeds", "contributions", "totals", "outbox", "feed_history"):
            await session.change(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
    yield opened
    await opened.close()


@pytest.fixture
def records(pool: MySqlPool) -> Records:
    return Records(pool)


@pytest.fixture
def service(emulator: EmulatedAws, migrated_database_url: str, tmp_path: Path) -> Iterator[Child]:
    """The aggregator as a process of its own, ready; with leases and visibility that a test can wait for."""
    plane, port = emulator.plane, free_port()
    settings = {
        "DATABASE_URL": migrated_database_url,
        "UPLOADS_BUCKET": plane.uploads_bucket,
        "ERROR_BUCKET": plane.error_bucket,
        "FEED_UPLOADS_QUEUE_URL": plane.feed_uploads_queue_url,
        "FEED_UPLOADS_DLQ_URL": plane.feed_uploads_dlq_url,
        "FEED_EVENTS_TOPIC_ARN": plane.feed_events_topic_arn,
        "WORK_DIR": str(tmp_path / "work"),
        "HOST": LOOPBACK,
        "PORT": str(port),
        "LEASE_SECONDS": "3",
        "VISIBILITY_SECONDS": "3",
        "POLL_SECONDS": "1",
        "RETRY_BASE_SECONDS": "0.2",
        "RELAY_POLL_SECONDS": "0.2",
    }
    child = Child(
        "aggregator",
        [sys.executable, "-m", "services.aggregator"],
        environment=base_environment() | emulator.environment() | settings,
        log_path=tmp_path / "aggregator.log",
        cwd=ROOT,
    )
    child.start()
    try:
        child.wait_until("ready", lambda: is_ready(port), 30)
        yield child
    finally:
        child.stop()
