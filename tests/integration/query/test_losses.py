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


async def test_what_was_taken_back_is_no_loss_and_what_was_corrected_is_said(
    api: httpx.AsyncClient, migrated_database_url: str
) -> None:
    received = datetime(2022, 5, 3, tzinfo=UTC)

    def feed(rejected: int, accepted: int = 0, status: str = "DONE", seller: str = "mending", **extra: object) -> Feed:
        sales = [Sale(date(2022, 5, 1), "Lamp", 1, Decimal("2.0000"), transactions=accepted)] if accepted else []
        return Feed(seller, sales, status=status, rejected=rejected, received_at=received, extra=extra)

    lossy = feed(rejected=10)
    gone = feed(rejected=100, withdrawn_at=received.replace(tzinfo=None))
    plant(
        migrated_database_url,
        [
            lossy,
            gone,
            feed(rejected=200, replaced_by=str(lossy.feed_id)),
            feed(rejected=0, status="FATAL", replaced_by=str(lossy.feed_id)),
            feed(rejected=0, status="FATAL"),
            # Its four rejected rows are four of the ten.
            feed(rejected=4, accepted=6, corrects=str(lossy.feed_id)),
            feed(rejected=0, accepted=90, corrects=str(lossy.feed_id), withdrawn_at=received.replace(tzinfo=None)),
            # What it corrected is gone, so what it could not mend is a loss of its own.
            feed(rejected=3, accepted=1, corrects=str(gone.feed_id)),
            # Another seller's claim to correct it is none.
            feed(rejected=0, accepted=50, seller="other", corrects=str(lossy.feed_id)),
            # Being read again: the earlier result stands.
            feed(rejected=1, status="IN_QUEUE", earlier_status="DONE"),
        ],
    )
    for question in ("revenue of mending in May 2022", "revenue of mending"):
        coverage = await _coverage(api, question)
        assert (coverage["rows_rejected"], coverage["rows_corrected"], coverage["feeds_failed"]) == (14, 6, 1)
        assert (coverage["feeds_counted"], coverage["feeds_in_progress"]) == (2, 1)
