"""The query endpoints as a client sees them: what is refused, how problems look, what /docs says."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.query.main import Outside, create_app
from services.query.rules.plan import Dimension
from services.query.rules.values import KnownValue
from services.query.settings import QuerySettings
from shared.schemas.feeds import Counts, FeedType, FeedView, ProcessingStatus
from shared.schemas.reports import FeedReport
from tests.flow.query.fakes import (
    FakeErrorBucket,
    FakeErrorLog,
    FakeFeeds,
    FakeHistory,
    FakePlans,
    FakeReceipts,
    FakeSales,
)
from tests.running_app import client_of

FEED_ID = "0198c0de-0000-7000-8000-000000000000"
OF_A_FEED = tuple(f"/api/feeds/{FEED_ID}{part}" for part in ("", "/report", "/rejected"))
HISTORY = f"/api/feeds/{FEED_ID}/history"
ROWS = "line,code,product_name\n2,validation/ambiguous_number,Café\n".encode()
LISTS = ("/api/transactions", "/api/transactions/summary", "/api/errors", "/api/feeds")


@pytest.fixture
def sales() -> FakeSales:
    return FakeSales()


@pytest.fixture
def bucket() -> FakeErrorBucket:
    return FakeErrorBucket({"s3://errors/report.json": b'{"as": "stored"}', "s3://errors/rejected.csv": ROWS})


@pytest.fixture
def feeds() -> FakeFeeds:
    return FakeFeeds()


@pytest.fixture
async def api(sales: FakeSales, feeds: FakeFeeds, bucket: FakeErrorBucket) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def open_outside() -> AsyncIterator[Outside]:
        plans = FakePlans([KnownValue(Dimension.SELLER, "acme")], [{"currency": "EUR", "revenue": "1.5000"}])
        yield Outside(sales, feeds, FakeReceipts(), FakeErrorLog(), plans, FakeHistory(), bucket)

    settings = QuerySettings(
        database_url="unused", processing_log_table="unused", receipts_bucket="unused", error_bucket="unused"
    )
    async with client_of(create_app(settings, open_outside)) as client:
        yield client


def _refused(answer: httpx.Response, status: int = 422, slug: str = "invalid-request") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:sellersync:problem:{slug}"
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    return problem


@pytest.mark.parametrize("path", LISTS)
async def test_an_empty_list_is_a_page(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == 200
    assert answer.json() == {"items": [], "next": None} | ({"totals": []} if path.endswith("summary") else {})


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=ten",
        "limit=1&limit=2x",
        "cursor=",
        "cursor=%21",
        "page=2",
        "Limit=5",
        "seller=acme",
    ],
)
async def test_what_is_not_declared_or_not_possible_is_refused(api: httpx.AsyncClient, path: str, query: str) -> None:
    _refused(await api.get(f"{path}?{query}"))


@pytest.mark.parametrize("path", [*LISTS, *OF_A_FEED, HISTORY, "/health/live"])
async def test_a_parameter_given_twice_is_refused_everywhere(api: httpx.AsyncClient, path: str) -> None:
    problem = _refused(await api.get(f"{path}?seller_id=a&seller_id=b"))
    assert "seller_id; give each of them once" in problem["detail"]


@pytest.mark.parametrize("path", [*LISTS, *OF_A_FEED, HISTORY])
async def test_an_unknown_parameter_is_refused_in_the_same_words_everywhere(api: httpx.AsyncClient, path: str) -> None:
    problem = _refused(await api.get(f"{path}?vendor=a&colour=b"))
    known = "known are: limit, cursor" if path in (*LISTS, HISTORY) else "none are known here"
    assert problem["detail"].startswith(f"unknown query parameters: colour, vendor; {known}")


def _known(status: ProcessingStatus = ProcessingStatus.DONE, **changed: Any) -> FeedView:
    return FeedView(
        feed_id=UUID(FEED_ID),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="Umsätze.csv.gz",
        processing_status=status,
        correlation_id="c",
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        **changed,
    )


async def test_a_report_and_rejected_rows_are_handed_out_whole_and_named(
    api: httpx.AsyncClient, feeds: FakeFeeds, bucket: FakeErrorBucket
) -> None:
    feeds.held = [_known(report_uri="s3://errors/report.json", rejected_uri="s3://errors/rejected.csv")]
    report = await api.get(f"/api/feeds/{FEED_ID}/report")
    assert (report.status_code, report.json()) == (200, {"as": "stored"})
    assert report.headers["content-type"] == "application/json"
    rejected = await api.get(f"/api/feeds/{FEED_ID}/rejected")
    assert (rejected.status_code, rejected.content) == (200, ROWS)
    assert rejected.headers["content-type"] == "text/csv; charset=utf-8"
    assert rejected.headers["content-length"] == str(len(ROWS))
    assert rejected.headers["content-disposition"] == (
        "attachment; filename=\"Ums_tze.rejected.csv\"; filename*=UTF-8''Ums%C3%A4tze.rejected.csv"
    )
    assert "s3://" not in str(rejected.headers) + str(report.headers)
    assert bucket.still_open == 0


async def test_a_report_that_was_not_stored_has_the_same_shape(api: httpx.AsyncClient, feeds: FakeFeeds) -> None:
    feeds.held = [_known(counts=Counts(rows_received=3, rows_accepted=3))]
    answer = await api.get(f"/api/feeds/{FEED_ID}/report")
    assert answer.status_code == 200
    report = FeedReport.model_validate_json(answer.content)
    assert (report.header.feed_id, report.summary.counts.rows_accepted) == (UUID(FEED_ID), 3)


async def test_what_cannot_be_handed_back_says_why(
    api: httpx.AsyncClient, feeds: FakeFeeds, bucket: FakeErrorBucket
) -> None:
    for path in (*OF_A_FEED, HISTORY):
        _refused(await api.get(path), 404, "not-found")
    report, rejected = OF_A_FEED[1:]
    feeds.held = [_known(ProcessingStatus.IN_PROGRESS)]
    for path in (report, rejected):
        answer = await api.get(path)
        _refused(answer, 409, "feed-not-finished")
        assert answer.headers["retry-after"] == "5"
    feeds.held = [_known()]
    _refused(await api.get(rejected), 404, "no-rejected-rows")
    feeds.held = [_known(report_uri="s3://errors/expired", rejected_uri="s3://errors/expired")]
    for path in (report, rejected):
        assert "s3://" not in _refused(await api.get(path), 404, "no-longer-kept")["detail"]
    bucket.down = True
    for path in (report, rejected):
        answer = await api.get(path)
        _refused(answer, 503, "store-unavailable")
        assert answer.headers["retry-after"] == "5"


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "detail"),
    [
        (b'{"query": "revenue"}', {}, "body: must be JSON, sent with the header Content-Type: application/json"),
        (b"query=revenue", {"content-type": "application/x-www-form-urlencoded"}, "Content-Type: application/json"),
        (b"[1]", JSON, "body: must be a JSON object"),
        (b"{", JSON, "body: is not valid JSON"),
        (b"{}", JSON, "body.query: is required"),
        (b'{"query": ""}', JSON, "body.query: must not be empty"),
        (b'{"query": "r", "sql": 1}', JSON, "body.sql: is not known here"),
        (b'{"query": "r", "as_of": "1800-01-01"}', JSON, "body.as_of: the day must lie between 1970-01-01 and"),
        (b'{"query": "r", "as_of": "soon"}', JSON, "body.as_of: a day is written as YYYY-MM-DD"),
        (b'{"query": "r", "as_of": "2026-02-30"}', JSON, "body.as_of: must be a day that exists"),
    ],
)
async def test_what_is_wrong_with_a_body_is_said_in_words(
    api: httpx.AsyncClient, content: bytes, headers: dict[str, str], detail: str
) -> None:
    problem = _refused(await api.post("/api/queries", content=content, headers=headers))
    assert detail in problem["detail"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("revenue between March 2026 and January 2026", "cannot end before it begins."),
        ("revenue by product and category and seller and day and month", "at most 4 entries."),
        ("revenue next month", "nothing is predicted)."),
    ],
)
async def test_a_declined_question_is_told_why_in_sentences(api: httpx.AsyncClient, question: str, reason: str) -> None:
    problem = _refused(await api.post("/api/queries", json={"query": question}), slug="question-declined")
    assert problem["detail"].endswith(f"{reason} Nothing was guessed.")
    assert "Value error" not in problem["detail"]


@pytest.mark.parametrize("path", LISTS[:2])
@pytest.mark.parametrize(
    "query",
    [
        "start_date=2026-04-01&end_date=2026-03-01",
        "start_date=20260401",
        "start_date=86400",
        "start_date=2026-04-01T00:00:00",
        "start_date=01/04/2026",
        "start_date=2026-02-30",
        "end_date=today",
        "product_category=",
        "seller_id=a%20b",
        "seller_id=..%2Fx",
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(
    api: httpx.AsyncClient, sales: FakeSales, path: str, query: str
) -> None:
    problem = _refused(await api.get(f"{path}?{query}"))
    assert problem["errors"]
    assert sales.asked == []


async def test_filters_reach_the_store_as_they_were_meant(api: httpx.AsyncClient, sales: FakeSales) -> None:
    # "Café" written with a combining accent is the same category.
    await api.get(
        "/api/transactions/summary",
        params={
            "start_date": "2026-03-01",
            "end_date": "2026-03-01",
            "product_category": "Cafe\u0301",
            "limit": "1000",
        },
    )
    [(chosen, after, limit, confinement)] = sales.asked
    assert (str(chosen.start_date), str(chosen.end_date)) == ("2026-03-01", "2026-03-01")
    assert (chosen.product_category, after, limit) == ("Café", None, 1001)
    assert confinement.seller_id is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "   "},
        {"query": "x" * 501},
        {"query": 5},
        {"query": "revenue", "as_of": "2026-02-30"},
        {"query": "revenue", "as_of": "yesterday"},
        {"query": "revenue", "as_of": 20260401},
        {"query": "revenue", "as_of": "2026-04-01T10:00:00"},
        {"query": "revenue", "as_of": "1800-01-01"},
        {"query": "revenue", "sql": "SELECT 1"},
        {"query": "revenue", "seller_id": "acme"},
        {"question": "revenue"},
        ["revenue"],
    ],
)
async def test_a_body_that_is_no_question_is_refused(api: httpx.AsyncClient, body: object) -> None:
    _refused(await api.post("/api/queries", json=body))


@pytest.mark.parametrize("content", [b"", b"revenue", b"{", b'{"query": "\\ud800"}', b'{"query": "\xff"}'])
async def test_bytes_that_are_no_json_are_refused(api: httpx.AsyncClient, content: bytes) -> None:
    answer = await api.post("/api/queries", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_question_in_the_address_is_refused(api: httpx.AsyncClient) -> None:
    _refused(await api.post("/api/queries?query=revenue", json={"query": "revenue"}))


async def test_an_answer_has_all_that_was_promised(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/queries", json={"query": "revenue of acme", "as_of": "2026-04-01"})
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "question",
        "as_of",
        "answer",
        "understood",
        "results",
        "truncated",
        "plan",
        "sql",
        "parameters",
        "coverage",
        "interpreter",
    }
    assert answer.json()["results"] == [{"currency": "EUR", "revenue": "1.5000"}]


async def test_a_declined_question_says_what_can_be_asked(api: httpx.AsyncClient) -> None:
    problem = _refused(await api.post("/api/queries", json={"query": "will it rain?"}), slug="question-declined")
    assert "“rain”" in problem["reason"]
    assert any("Measures" in suggestion for suggestion in problem["suggestions"])


async def test_every_route_is_described_with_its_parameters(api: httpx.AsyncClient) -> None:
    described = (await api.get("/openapi.json")).json()
    of_a_feed = [f"/api/feeds/{{feed_id}}{part}" for part in ("", "/history", "/report", "/rejected")]
    assert set(described["paths"]) >= {*LISTS, *of_a_feed, "/api/queries"}
    for path in of_a_feed:
        operation = described["paths"][path]["get"]
        assert operation["summary"]
        assert operation["description"]
        assert "default" in operation["responses"]
    shapes = {path: described["paths"][path]["get"]["responses"]["200"]["content"] for path in of_a_feed}
    assert list(shapes[of_a_feed[3]]) == ["text/csv"]
    assert shapes[of_a_feed[2]]["application/json"]["schema"]["$ref"].endswith("/FeedReport")
    for path in LISTS:
        operation = described["paths"][path]["get"]
        assert operation["summary"]
        assert operation["description"]
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert named >= {"limit", "cursor", "seller_id"}
        assert "default" in operation["responses"]
    for shape in ("TransactionRecord", "ProductTotal", "CurrencyTotal", "Coverage"):
        fields = described["components"]["schemas"][shape]["properties"]
        assert [name for name, field in fields.items() if not field.get("description")] == []
    money = described["components"]["schemas"]["TransactionRecord"]["properties"]["revenue"]
    assert money["type"] == "string"


async def test_health_says_what_is_missing(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health/live")).status_code == 200
    assert (await api.get("/health/ready")).status_code == 200


def test_the_model_library_is_not_imported_unless_a_key_is_given() -> None:
    probe = (
        "import sys, services.query.main; assert not [n for n in sys.modules if n.startswith(('langchain', 'openai'))]"
    )
    root = Path(__file__).parents[3]
    imported = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True, check=False)
    assert imported.returncode == 0, imported.stderr
