"""Rows and feeds that were lost show in an answer's coverage, also where nothing of a feed was left to count."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from tests.integration.query.planted import Feed, Sale, plant


async def _coverage(api: httpx.AsyncClient, question: str) -> dict[str, Any]:
    answer = await api.post("/api/queries", json={"query": question, "as_of": "2026-04-10"})
    assert answer.status_code == 200, answer.text
    coverage: dict[str, Any] = answer.json()["coverage"]
    return coverage


async def test_feeds_that_lost_everything_are_shown(api: httpx.AsyncClient, migrated_database_url: str) -> None:
    received = datetime(2023, 5, 31, 23, 59, 59, tzinfo=UTC)
    sale = Sale(date(2023, 5, 1), "Lamp", 1, Decimal("2.0000"))
    plant(
        migrated_database_url,
        [
            Feed("lossy", [], rejected=7, received_at=received),  # DONE, and every row rejected
            Feed("lossy", [sale], rejected=2, received_at=datetime(2023, 8, 1, tzinfo=UTC)),  # sold in the period
            Feed("lossy", [], rejected=100, received_at=received + timedelta(seconds=1)),  # neither
            Feed("lossy", [], status="FATAL", rejected=50, received_at=received),
            Feed("lossy", [], status="FATAL", received_at=received + timedelta(days=3)),
            Feed("lossless", [], status="FATAL", rejected=9, received_at=received),
        ],
    )
    coverage = await _coverage(api, "revenue of lossy in May 2023")
    assert (coverage["feeds_counted"], coverage["rows_rejected"], coverage["feeds_failed"]) == (1, 9, 1)
    always = await _coverage(api, "revenue of lossy")
    assert (always["rows_rejected"], always["feeds_failed"]) == (109, 2)
