"""Withdraw, cancel and reprocess over HTTP: what is asked of the flow, and what callers are told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from services.aggregator.change_feed import ChangeFeed
from services.aggregator.errors import Occupied, Outage, WrongState
from services.aggregator.routes import router
from services.aggregator.rules.callers import OPERATOR
from shared.runtime.app import build_app
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feeds import FeedType, ProcessingStatus, Receipt
from shared.schemas.problems import PROBLEM_JSON
from tests.flow.aggregator.memory_buckets import MemoryReceipts
from tests.flow.aggregator.told_changes import ToldChanges
from tests.running_app import client_of

FEED_ID = UUID("019a0000-0000-7000-8000-000000000001")
PATH = f"/api/feeds/{FEED_ID}"
CHANGED = FeedChanged(
    feed_id=FEED_ID,
    processing_status=ProcessingStatus.DONE,
    withdrawn_at=datetime(2026, 11, 22, tzinfo=UTC),
    rows_taken_back=7,
    corrections_counting=[UUID(int=4)],
    status_url=PATH,
)
RECEIPT = Receipt(
    feed_id=FEED_ID,
    seller_id="acme",
    feed_type=FeedType.TRANSACTIONS,
    file_name="a.csv",
    bucket="uploads",
    object_key=f"acme/{FEED_ID}/a.csv",
    size_bytes=8,
    sha256="0" * 64,
    correlation_id="c",
    received_at=datetime(2026, 11, 22, tzinfo=UTC),
)


class Door:
    """The routes on a flow whose record of feeds answers as told."""

    def __init__(self, client: httpx.AsyncClient, changes: ToldChanges, receipts: MemoryReceipts) -> None:
        self.client = client
        self.changes = changes
        self.receipts = receipts
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    changes, receipts = ToldChanges(CHANGED), MemoryReceipts()
    made: list[Door] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"changes": ChangeFeed(changes, receipts, lambda: made[0].wake())}

    app = build_app(title="aggregator", description="d", lifespan=lifespan, routers=[router], checks=dict)
    async with client_of(app) as client:
        made.append(Door(client, changes, receipts))
        yield made[0]


async def test_withdrawing_says_what_left_the_totals_and_wakes_the_relay(door: Door) -> None:
    answer = await door.client.delete(PATH)
    assert answer.status_code == httpx.codes.OK
    assert FeedChanged.model_validate(answer.json()) == CHANGED
    assert door.changes.asked == [("withdraw", FEED_ID, OPERATOR)]
    assert door.wakes == 1


async def test_cancelling_hands_on_what_ingest_knows(door: Door) -> None:
    door.receipts.receipts[FEED_ID] = RECEIPT
    assert (await door.client.post(f"{PATH}/cancel")).status_code == httpx.codes.OK
    assert door.changes.asked == [("cancel", FEED_ID, OPERATOR, RECEIPT)]


@pytest.mark.parametrize(
    ("body", "overrides"),
    [
        (None, {}),
        ({}, {}),
        (
            {"charset": "cp1252", "sheet": None, "on_error": "skip_file", "max_rejected_percent": "2.5"},
            {"charset": "cp1252", "sheet": None, "on_error": "skip_file", "max_rejected_percent": "2.5"},
        ),
    ],
)
async def test_reprocessing_is_accepted_with_the_options_that_were_given_and_no_others(
    door: Door, body: dict[str, object] | None, overrides: dict[str, str | None]
) -> None:
    answer = (
        await door.client.post(f"{PATH}/reprocess", json=body)
        if body is not None
        else await door.client.post(f"{PATH}/reprocess")
    )
    assert answer.status_code == httpx.codes.ACCEPTED
    assert door.changes.asked == [("reprocess", FEED_ID, OPERATOR, overrides)]


@pytest.mark.parametrize(
    "body",
    [
        {"charset": "klingon-8"},
        {"decimal_separator": ";"},
        {"max_rejected_percent": 101},
        {"replaces": str(UUID(int=1))},
        {"date_format": "%d"},
        {"unheard_of": "1"},
        [],
    ],
)
async def test_options_that_cannot_be_meant_are_refused(door: Door, body: object) -> None:
    answer = await door.client.post(f"{PATH}/reprocess", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM_JSON)
    assert door.changes.asked == []


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", PATH), ("POST", f"{PATH}/cancel"), ("POST", f"{PATH}/reprocess")]
)
async def test_problems_are_told_as_such(door: Door, method: str, path: str) -> None:
    door.changes.answer = None
    answer = await door.client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:sellersync:problem:not-found")

    door.changes.answer = WrongState("Only a DONE feed can be withdrawn; this one is FATAL.", reason="FATAL")
    answer = await door.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM_JSON)
    assert (answer.json()["type"], answer.json()["reason"]) == ("urn:sellersync:problem:wrong-state", "FATAL")

    for trouble, detail in (
        (Outage("(2003, no route)"), "A store that this needs"),
        (Occupied(), "Others are at work"),
    ):
        door.changes.answer = trouble
        answer = await door.client.request(method, path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["detail"].startswith(detail)
    assert door.wakes == 0

    assert (await door.client.request(method, f"{path}?force=1")).status_code == 422
    assert (await door.client.request(method, path.replace(str(FEED_ID), "my-feed"))).status_code == 422


@pytest.mark.parametrize(("method", "path"), [("DELETE", PATH), ("POST", f"{PATH}/reprocess")])
async def test_what_is_accepted_and_not_seen_yet_is_no_stranger(door: Door, method: str, path: str) -> None:
    door.changes.answer = None
    door.receipts.receipts[FEED_ID] = RECEIPT
    answer = await door.client.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (409, "IN_QUEUE")
