"""Report and rejected rows as a seller gets them: the row in a real database says where, S3 has the object."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from services.query.adapters.mysql_answers import MySqlAnswers
from services.query.adapters.mysql_feeds import MySqlFeeds
from services.query.adapters.mysql_history import MySqlHistory
from services.query.adapters.mysql_reads import MySqlReads
from services.query.adapters.mysql_sales import MySqlSales
from services.query.adapters.s3_error_bucket import S3ErrorBucket
from services.query.main import Outside, create_app
from services.query.routes import confinement_of
from services.query.rules.confinement import Confinement
from services.query.settings import QuerySettings
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from tests.flow.query.fakes import FakeErrorLog, FakeReceipts
from tests.integration.query.planted import Feed, plant
from tests.running_app import client_of

BUCKET = "handed-back"
REPORT = b'{\n "header": {}\n}'
ROWS = b"line,code,product_name\n" + "4,validation/ambiguous_number,Café\n".encode() * 50_000


@dataclass(frozen=True, slots=True)
class Results:
    """The app over the real stores, and one feed whose results are in them."""

    app: FastAPI
    client: httpx.AsyncClient
    feed: Feed

    async def get(self, part: str) -> httpx.Response:
        return await self.client.get(f"/api/feeds/{self.feed.feed_id}/{part}")


@pytest.fixture
async def results(
    reads: MySqlReads, moto_url: str, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Results]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    feed = Feed("acme", rejected=50_000, file_name="März #1.csv", received_at=datetime(2026, 7, 1, tzinfo=UTC))
    place = f"acme/{feed.feed_id}"
    feed.extra["report_uri"] = f"s3://{BUCKET}/{place}/report.json"
    feed.extra["rejected_uri"] = f"s3://{BUCKET}/{place}/rejected.csv"
    plant(migrated_database_url, [feed])
    async with AwsClients(ServiceSettings(aws_endpoint_url=moto_url)).s3() as s3:
        await s3.create_bucket(Bucket=BUCKET)
        await s3.put_object(Bucket=BUCKET, Key=f"{place}/report.json", Body=REPORT)
        await s3.put_object(Bucket=BUCKET, Key=f"{place}/rejected.csv", Body=ROWS)

        @asynccontextmanager
        async def open_outside() -> AsyncIterator[Outside]:
            yield Outside(
                MySqlSales(reads),
                MySqlFeeds(reads),
                FakeReceipts(),
                FakeErrorLog(),
                MySqlAnswers(reads, row_cap=10),
                MySqlHistory(reads),
                S3ErrorBucket(s3, BUCKET, 10, downloads=1, wait_seconds=0.1),
            )

        settings = QuerySettings(
            database_url="unused", processing_log_table="unused", receipts_bucket="unused", error_bucket=BUCKET
        )
        app = create_app(settings, open_outside)
        async with client_of(app) as client:
            yield Results(app, client, feed)


async def test_a_seller_gets_both_back_whole(results: Results) -> None:
    report = await results.get("report")
    assert (report.status_code, report.content) == (200, REPORT)
    for _ in range(2):  # each gives its only slot back
        rejected = await results.get("rejected")
        assert (rejected.status_code, rejected.content) == (200, ROWS)
        assert rejected.headers["content-length"] == str(len(ROWS))
    assert "filename*=UTF-8''M%C3%A4rz%20%231.rejected.csv" in rejected.headers["content-disposition"]


async def test_nobody_else_does(results: Results) -> None:
    confined = Confinement("globex")
    results.app.dependency_overrides[confinement_of] = lambda: confined
    for part in ("report", "rejected", "history"):
        answer = await results.get(part)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:sellersync:problem:not-found")
    confined = Confinement("acme")
    assert (await results.get("report")).content == REPORT
