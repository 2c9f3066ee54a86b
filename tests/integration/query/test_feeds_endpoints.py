"""Feeds over a real database: newest first, and a status that never lies."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.runtime.cursors import encode_cursor
from tests.integration.query.planted import Feed, plant

LATER = timedelta(minutes=5)


@pytest.fixture(scope="module")
def feeds(migrated_database_url: str) -> dict[str, Feed]:
    other = uuid4()
    moment = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
    held = {
        "working": Feed("acme", status="IN_PROGRESS", lease=LATER, received_at=moment),
        "abandoned": Feed("acme", status="IN_PROGRESS", lease=-LATER, received_at=moment),
        "released": Feed("acme", status="IN_PROGRESS", received_at=moment + timedelta(microseconds=1)),
        "queued": Feed("globex", status="IN_QUEUE", received_at=moment + timedelta(seconds=1)),
        "done": Feed(
            "globex",
            rejected=2,
            received_at=moment + timedelta(seconds=2),
            extra={
                "issue_totals": '[{"code": "validation/invalid_quantity", "severity": "ERROR", "rows": 2}]',
                "started_at": datetime(2026, 5, 1, 8, 30, 2, 500000),  # noqa: DTZ001 - stored without a zone
                "finished_at": datetime(2026, 5, 1, 8, 30, 3),  # noqa: DTZ001
                "report_uri": "s3://errors/globex/report.json",
            },
        ),
        "again": Feed(
            "initech",
            status="IN_QUEUE",
            rejected=2,
            received_at=moment + timedelta(seconds=2),
            extra={"earlier_status": "DONE", "report_uri": "s3://errors/initech/report.json"},
        ),
        "fatal": Feed(
            "acme",
            status="FATAL",
            received_at=moment + timedelta(seconds=3),
            extra={"error_code": "format/unknown_layout", "error_message": "Three columns; four are needed."},
        ),
        "duplicate": Feed("acme", received_at=moment + timedelta(seconds=4), extra={"duplicate_of": str(other)}),
    }
    plant(migrated_database_url, held.values())
    return held


async def _feeds(api: httpx.AsyncClient, **parameters: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await api.get("/api/feeds", params=parameters | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return items


@pytest.mark.parametrize("limit", ["1", "2", "100"])
async def test_feeds_come_newest_first_on_any_page_size(
    api: httpx.AsyncClient, feeds: dict[str, Feed], limit: str
) -> None:
    expected = sorted(feeds.values(), key=lambda feed: (feed.received_at, str(feed.feed_id)), reverse=True)
    shown = await _feeds(api, limit=limit)
    assert [feed["feed_id"] for feed in shown] == [str(feed.feed_id) for feed in expected]
    assert shown[-1]["received_at"] == "2026-05-01T08:30:00.000000Z"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("working", "IN_PROGRESS"),
        ("abandoned", "IN_QUEUE"),
        ("released", "IN_QUEUE"),
        ("queued", "IN_QUEUE"),
        ("done", "DONE"),
        ("fatal", "FATAL"),
    ],
)
async def test_a_feed_is_shown_as_what_it_is(
    api: httpx.AsyncClient, feeds: dict[str, Feed], name: str, status: str
) -> None:
    feed = (await api.get(f"/api/feeds/{feeds[name].feed_id}")).json()
    assert feed["processing_status"] == status
    assert (feed["counts"] is not None) == (status in ("DONE", "FATAL"))
    assert feed in await _feeds(api, status=status)
    others = {"IN_QUEUE", "IN_PROGRESS", "DONE", "FATAL", "CANCELLED"} - {status}
    for other in others:
        assert feed["feed_id"] not in [found["feed_id"] for found in await _feeds(api, status=other)]


async def test_a_finished_feed_shows_its_books_issues_and_times(api: httpx.AsyncClient, feeds: dict[str, Feed]) -> None:
    feed = (await api.get(f"/api/feeds/{feeds['done'].feed_id}")).json()
    assert feed == {
        "feed_id": str(feeds["done"].feed_id),
        "seller_id": "globex",
        "feed_type": "transactions",
        "file_name": "sales.csv",
        "processing_status": "DONE",
        "counts": {
            "rows_received": 2,
            "rows_accepted": 0,
            "rows_rejected": 2,
            "rows_duplicate": 0,
            "rows_skipped": 0,
        },
        "issue_totals": [{"code": "validation/invalid_quantity", "severity": "ERROR", "rows": 2}],
        "error": None,
        "duplicate_of": None,
        "replaces": None,
        "replaced_by": None,
        "corrects": None,
        "corrected_by": [],
        "rows_corrected": 0,
        "withdrawn_at": None,
        "recognised": None,
        "progress": None,
        "rejected_uri": None,
        "report_uri": "s3://errors/globex/report.json",
        "sha256": feed["sha256"],
        "size_bytes": 1234,
        "correlation_id": f"c-{feeds['done'].feed_id}",
        "attempts": 1,
        "received_at": "2026-05-01T08:30:02.000000Z",
        "started_at": "2026-05-01T08:30:02.500000Z",
        "finished_at": "2026-05-01T08:30:03.000000Z",
    }


async def test_a_feed_that_is_read_anew_shows_its_earlier_books_and_its_new_status(
    api: httpx.AsyncClient, feeds: dict[str, Feed]
) -> None:
    feed = (await api.get(f"/api/feeds/{feeds['again'].feed_id}")).json()
    assert (feed["processing_status"], feed["report_uri"]) == ("IN_QUEUE", "s3://errors/initech/report.json")
    assert feed["counts"]["rows_rejected"] == 2


async def test_a_failed_feed_says_why_and_a_duplicate_of_what(api: httpx.AsyncClient, feeds: dict[str, Feed]) -> None:
    fatal = (await api.get(f"/api/feeds/{feeds['fatal'].feed_id}")).json()
    assert fatal["error"] == {"code": "format/unknown_layout", "message": "Three columns; four are needed."}
    duplicate = (await api.get(f"/api/feeds/{feeds['duplicate'].feed_id}")).json()
    assert duplicate["duplicate_of"] == feeds["duplicate"].extra["duplicate_of"]


async def test_feeds_of_one_seller(api: httpx.AsyncClient, feeds: dict[str, Feed]) -> None:
    assert {feed["feed_id"] for feed in await _feeds(api, seller_id="globex")} == {
        str(feeds["queued"].feed_id),
        str(feeds["done"].feed_id),
    }


async def test_a_feed_that_nobody_knows_is_not_found(api: httpx.AsyncClient, feeds: dict[str, Feed]) -> None:
    answer = await api.get(f"/api/feeds/{UUID(int=0)}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:sellersync:problem:not-found")
    assert (await api.get("/api/feeds/no-id")).status_code == 422


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor(["feeds", "2026-05-01", str(UUID(int=1))]),
        encode_cursor(["feeds", "2026-05-01T08:30:00+00:00", "x"]),
        encode_cursor(["feeds", "yesterday", str(UUID(int=1))]),
        encode_cursor(["errors", "2026-05-01T08:30:00+00:00", str(UUID(int=1))]),
    ],
)
async def test_a_cursor_of_another_making_is_refused(api: httpx.AsyncClient, cursor: str) -> None:
    assert (await api.get("/api/feeds", params={"cursor": cursor})).status_code == 422
