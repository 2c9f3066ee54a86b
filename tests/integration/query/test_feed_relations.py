"""What a feed has to do with others, how far it is, what its file was, and its history, from a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.query.adapters.mysql_corrections import CORRECTIONS_SHOWN
from services.query.adapters.mysql_feeds import MySqlFeeds
from services.query.adapters.mysql_history import MySqlHistory
from services.query.adapters.mysql_reads import MySqlReads, Row, Snapshot
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.records import FeedFilter
from shared.runtime.mysql_address import MySqlAddress
from tests.integration.query.conftest import limits_of
from tests.integration.query.planted import Feed, Sale, plant, plant_history

MOMENT = datetime(2026, 6, 1, 9, tzinfo=UTC)
LATER = timedelta(minutes=5)
WORKING: dict[str, Any] = {"status": "IN_PROGRESS", "lease": LATER}
RECOGNISED = (
    '{"format": "csv", "layout": "amazon_all_orders", "compression": "gzip", "charset": "utf-8", "delimiter": "\\t",'
    ' "sheet": null, "columns": {"product_name": "product-name"}, "ignored_columns": ["promotion-ids"]}'
)


def sold(rows: int) -> list[Sale]:
    return [Sale(MOMENT.date(), "Lamp", 1, Decimal("2.0000"), transactions=rows)]


def correction(of: Feed, age: int, accepted: int = 0, **changed: Any) -> Feed:
    """One that corrects a feed, received so many seconds after it."""
    extra = {"corrects": str(of.feed_id)} | changed.pop("extra", {})
    made: dict[str, Any] = {"seller_id": of.seller_id, "received_at": MOMENT + timedelta(seconds=age), **changed}
    return Feed(sales=sold(accepted) if accepted else [], extra=extra, **made)


@pytest.fixture(scope="module")
def world(migrated_database_url: str) -> dict[str, Feed]:
    original = Feed("acme", sold(5), rejected=7, received_at=MOMENT)
    newer = Feed("acme", sold(3), received_at=MOMENT + LATER)
    held = {
        "original": original,
        "first": correction(original, 1, accepted=2, rejected=1),
        "second": correction(original, 2, accepted=1),
        "withdrawn": correction(original, 3, accepted=50, extra={"withdrawn_at": datetime(2026, 6, 2)}),  # noqa: DTZ001
        "replaced": correction(original, 4, accepted=60, extra={"replaced_by": str(uuid4())}),
        "again": correction(original, 5, accepted=1, **WORKING, extra={"earlier_status": "DONE", "phase": "read"}),
        "going": correction(original, 6, accepted=9, **WORKING, extra={"phase": "aggregate", "percent": 40}),
        "failed": correction(original, 7, accepted=9, status="FATAL"),
        "duplicate": correction(original, 10, accepted=70, extra={"duplicate_of": str(uuid4())}),
        "cancelled": correction(original, 8, status="CANCELLED"),
        "foreign": correction(original, 9, seller_id="globex", **WORKING),
        "older": Feed("acme", extra={"replaced_by": str(newer.feed_id), "recognised": RECOGNISED}, received_at=MOMENT),
        "abandoned": Feed(
            "acme", status="IN_PROGRESS", lease=-LATER, extra={"phase": "store", "percent": 90}, received_at=MOMENT
        ),
    }
    held["newer"] = Feed(
        "acme",
        newer.sales,
        feed_id=newer.feed_id,
        received_at=newer.received_at,
        extra={"replaces": str(held["older"].feed_id), "rejected_uri": "s3://errors/acme/rejected.csv"},
    )
    plant(migrated_database_url, held.values())
    return held


async def _shown(api: httpx.AsyncClient, feed: Feed) -> dict[str, Any]:
    """As it stands alone; in a list it is the same."""
    alone = await api.get(f"/api/feeds/{feed.feed_id}")
    assert alone.status_code == 200, alone.text
    listed = (await api.get("/api/feeds", params={"limit": "1000"})).json()["items"]
    assert [one for one in listed if one["feed_id"] == str(feed.feed_id)] == [alone.json()]
    shown: dict[str, Any] = alone.json()
    return shown


async def test_a_feed_names_its_corrections_and_how_many_rows_they_brought(
    api: httpx.AsyncClient, world: dict[str, Feed]
) -> None:
    shown = await _shown(api, world["original"])
    linked = ["first", "second", "withdrawn", "replaced", "again", "going", "duplicate"]
    assert shown["corrected_by"] == [str(world[name].feed_id) for name in linked]
    # Withdrawn, replaced and a duplicate, they add nothing; one that is read again still has its earlier result.
    assert shown["rows_corrected"] == 4
    assert (await _shown(api, world["first"]))["corrects"] == str(world["original"].feed_id)
    assert (await _shown(api, world["first"]))["rows_corrected"] == 0


async def test_a_replacement_is_linked_both_ways(api: httpx.AsyncClient, world: dict[str, Feed]) -> None:
    newer, older = await _shown(api, world["newer"]), await _shown(api, world["older"])
    assert (newer["replaces"], older["replaced_by"]) == (older["feed_id"], newer["feed_id"])
    assert newer["rejected_uri"] == "s3://errors/acme/rejected.csv"


async def test_a_withdrawn_feed_stays_done_and_says_when(api: httpx.AsyncClient, world: dict[str, Feed]) -> None:
    shown = await _shown(api, world["withdrawn"])
    assert (shown["processing_status"], shown["withdrawn_at"]) == ("DONE", "2026-06-02T00:00:00.000000Z")


async def test_what_the_file_was_is_shown(api: httpx.AsyncClient, world: dict[str, Feed]) -> None:
    shown = (await _shown(api, world["older"]))["recognised"]
    assert (shown["layout"], shown["compression"], shown["delimiter"]) == ("amazon_all_orders", "gzip", "\t")
    assert shown["columns"] == {"product_name": "product-name"}


@pytest.mark.parametrize(
    ("name", "progress"),
    [
        ("going", {"phase": "aggregate", "percent": 40}),
        ("again", {"phase": "read", "percent": 0}),
        ("abandoned", None),  # its lease ran out: nobody works on it
        ("original", None),
    ],
)
async def test_progress_is_shown_while_somebody_works(
    api: httpx.AsyncClient, world: dict[str, Feed], name: str, progress: dict[str, Any] | None
) -> None:
    assert (await _shown(api, world[name]))["progress"] == progress


class CountingReads(MySqlReads):
    """Counts the statements that are run through it."""

    statements = 0

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        async with super().snapshot() as snapshot:
            yield CountingSnapshot(snapshot, self)


class CountingSnapshot(Snapshot):
    def __init__(self, inner: Snapshot, reads: CountingReads) -> None:
        self._inner = inner
        self._reads = reads

    async def rows(self, statement: sa.Select[Any]) -> list[Row]:
        self._reads.statements += 1
        return await self._inner.rows(statement)


async def test_a_page_of_any_size_takes_two_statements(read_only: MySqlAddress, world: dict[str, Feed]) -> None:
    counting = CountingReads(read_only, limits_of())
    await counting.open()
    try:
        shown = await MySqlFeeds(counting).newest(FeedFilter(seller_id="acme"), None, 1000, UNCONFINED)
    finally:
        await counting.close()
    assert len(shown) == len([feed for feed in world.values() if feed.seller_id == "acme"])
    assert counting.statements == 2


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("first", 2),
        ("withdrawn", 0),
        ("replaced", 0),
        ("duplicate", 0),
        ("again", 1),
        ("going", 0),
        ("failed", 0),
    ],
)
async def test_sales_are_listed_only_of_feeds_that_count(
    api: httpx.AsyncClient, world: dict[str, Feed], name: str, rows: int
) -> None:
    items = (await api.get("/api/transactions", params={"feed_id": str(world[name].feed_id)})).json()["items"]
    assert sum(item["transactions"] for item in items) == rows


async def test_another_sellers_correction_is_no_link_under_any_confinement(
    reads: MySqlReads, world: dict[str, Feed]
) -> None:
    for confinement in (UNCONFINED, Confinement("acme")):
        shown = await MySqlFeeds(reads).one(world["original"].feed_id, confinement)
        assert shown is not None
        assert world["foreign"].feed_id not in shown.corrected_by
        assert len(shown.corrected_by) == 7


async def test_many_corrections_are_summed_up_and_not_all_named(reads: MySqlReads, migrated_database_url: str) -> None:
    original = Feed("many", rejected=1000, received_at=datetime(2025, 1, 1, tzinfo=UTC))
    plant(
        migrated_database_url,
        [original, *(correction(original, age, accepted=1) for age in range(CORRECTIONS_SHOWN + 5))],
    )
    shown = await MySqlFeeds(reads).one(original.feed_id, UNCONFINED)
    assert shown is not None
    assert (len(shown.corrected_by), shown.rows_corrected) == (CORRECTIONS_SHOWN, CORRECTIONS_SHOWN + 5)


async def test_a_history_is_paged_in_the_order_of_its_steps(
    api: httpx.AsyncClient, world: dict[str, Feed], migrated_database_url: str
) -> None:
    feed_id = world["first"].feed_id
    steps = [
        (MOMENT, "received", "s3", {}),
        # Clocks differ, and the order in which steps were stored is the true one.
        (MOMENT - timedelta(microseconds=7), "claimed", "worker-1", {"attempt": "1"}),
        (MOMENT + LATER, "withdrawn", "olga@example.com", {"reason": "wrong month — März"}),
    ]
    plant_history(migrated_database_url, feed_id, steps)
    plant_history(migrated_database_url, world["second"].feed_id, [(MOMENT, "claimed", "worker-2", {})])
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in steps:
        place = {"cursor": cursor} if cursor else {}
        answer = await api.get(f"/api/feeds/{feed_id}/history", params={"limit": "1"} | place)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
    assert cursor is None
    assert [(item["event"], item["actor"], item["detail"]) for item in items] == [step[1:] for step in steps]
    assert items[1]["at"] == "2026-06-01T08:59:59.999993Z"
    whole = (await api.get(f"/api/feeds/{feed_id}/history")).json()
    assert whole == {"items": items, "next": None}


async def test_a_history_is_for_its_seller_alone(
    reads: MySqlReads, world: dict[str, Feed], migrated_database_url: str
) -> None:
    feed_id = world["newer"].feed_id
    plant_history(migrated_database_url, feed_id, [(MOMENT, "applied", "w", {})])
    history = MySqlHistory(reads)
    assert len(await history.steps(feed_id, None, 10, Confinement("acme"))) == 1
    assert await history.steps(feed_id, None, 10, Confinement("globex")) == []
    assert await history.steps(UUID(int=0), None, 10, UNCONFINED) == []


async def test_a_feed_of_before_there_were_histories_has_been_received(
    api: httpx.AsyncClient, world: dict[str, Feed]
) -> None:
    answer = await api.get(f"/api/feeds/{world['failed'].feed_id}/history")
    [step] = answer.json()["items"]
    assert (step["event"], step["at"]) == ("received", "2026-06-01T09:00:07.000000Z")
