"""The query app over a real database that holds planted sales, and over a log and receipts that hold none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from deploy.local.database_server import DatabaseAccess
from services.query.adapters.mysql_answers import MySqlAnswers
from services.query.adapters.mysql_feeds import MySqlFeeds
from services.query.adapters.mysql_history import MySqlHistory
from services.query.adapters.mysql_reads import MySqlReads, ReadLimits
from services.query.adapters.mysql_sales import MySqlSales
from services.query.main import Outside, create_app
from services.query.settings import QuerySettings
from shared.runtime.mysql_address import MySqlAddress
from tests.flow.query.fakes import FakeErrorBucket, FakeErrorLog, FakeReceipts
from tests.integration.query.planted import Feed, many_feeds, plant
from tests.running_app import client_of


@pytest.fixture(scope="module")
def read_only(migrated_database: DatabaseAccess) -> MySqlAddress:
    """The SELECT-only user that the service has."""
    return MySqlAddress.parse(str(migrated_database.read_only))


@pytest.fixture(scope="module")
def planted(migrated_database_url: str) -> list[Feed]:
    feeds = many_feeds()
    plant(migrated_database_url, feeds)
    return feeds


def limits_of(**changed: Any) -> ReadLimits:
    """Those of a test, with its changes."""
    return replace(ReadLimits(connections=10, connect=3.0, acquire=5.0, statement=15.0), **changed)


@asynccontextmanager
async def open_reads(address: MySqlAddress, **limits: Any) -> AsyncIterator[MySqlReads]:
    reads = MySqlReads(address, limits_of(**limits))
    await reads.open()
    try:
        yield reads
    finally:
        await reads.close()


@pytest.fixture
async def reads(read_only: MySqlAddress) -> AsyncIterator[MySqlReads]:
    async with open_reads(read_only, connections=3, statement=5.0) as opened:
        yield opened


@pytest.fixture
async def api(reads: MySqlReads) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def open_outside() -> AsyncIterator[Outside]:
        yield Outside(
            MySqlSales(reads),
            MySqlFeeds(reads),
            FakeReceipts(),
            FakeErrorLog(),
            MySqlAnswers(reads, row_cap=1000),
            MySqlHistory(reads),
            FakeErrorBucket(),
        )

    settings = QuerySettings(
        database_url="unused", processing_log_table="unused", receipts_bucket="unused", error_bucket="unused"
    )
    async with client_of(create_app(settings, open_outside)) as client:
        yield client
