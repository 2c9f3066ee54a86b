"""The upload endpoint as a client sees it: statuses, problems, headers, and what /docs says of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.ingest.main import Outside, create_app
from services.ingest.settings import IngestSettings
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import UploadAccepted
from shared.schemas.problems import PROBLEM_JSON
from tests.flow.ingest.fakes import FakeReceipts, FakeUploads
from tests.unit.ingest.multipart_bodies import BOUNDARY, body, file
from tests.waiting import until

PATH = "/api/transactions/upload"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
ROWS = b"Basic White T-Shirt,15,20,300\n"


class Ingest:
    """The app with fake stores, and a client for it."""

    def __init__(self, client: httpx.AsyncClient, uploads: FakeUploads, receipts: FakeReceipts) -> None:
        self.client = client
        self.uploads = uploads
        self.receipts = receipts

    async def send(self, content: bytes = ROWS, **parts: Any) -> httpx.Response:
        return await self.client.post(PATH, files={"file": ("sales.csv", content)}, **parts)


@asynccontextmanager
async def _ingest(**settings: Any) -> AsyncIterator[Ingest]:
    uploads, receipts = FakeUploads(), FakeReceipts()

    @asynccontextmanager
    async def open_outside() -> AsyncIterator[Outside]:
        yield Outside(uploads, receipts)

    app = create_app(IngestSettings(uploads_bucket="u", receipts_bucket="r", **settings), open_outside)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state or {})
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            yield Ingest(client, uploads, receipts)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with _ingest(max_upload_bytes=1_000) as running:
        yield running


def _problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_JSON
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:sellersync:problem:{slug}"
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    return problem


async def test_an_upload_is_accepted(ingest: Ingest) -> None:
    answer = await ingest.send(data={"seller_id": "acme"}, headers={"X-Correlation-Id": "order-7"})
    assert answer.status_code == 202
    accepted = UploadAccepted.model_validate(answer.json())
    assert (accepted.seller_id, accepted.file_name, accepted.correlation_id) == ("acme", "sales.csv", "order-7")
    assert answer.headers["location"] == accepted.status_url == f"/api/feeds/{accepted.feed_id}"
    assert ingest.receipts.written[0].correlation_id == "order-7"


async def test_the_status_url_is_absolute_if_the_public_address_is_known() -> None:
    async with _ingest(public_base_url="https://feeds.example") as ingest:
        answer = await ingest.send()
    assert answer.headers["location"] == f"https://feeds.example/api/feeds/{answer.json()['feed_id']}"


async def test_options_may_be_headers(ingest: Ingest) -> None:
    answer = await ingest.send(headers={"X-Seller-Id": "acme", "X-Feed-Type": "transactions"})
    assert answer.json()["seller_id"] == "acme"
    twice = await ingest.send(headers=[("X-Seller-Id", "acme"), ("X-Seller-Id", "acme")])
    _problem(twice, 422, "invalid-field")
    differing = await ingest.send(data={"seller_id": "zeta"}, headers={"X-Seller-Id": "acme"})
    assert "'zeta'" in _problem(differing, 422, "invalid-field")["detail"]


async def test_what_is_asked_of_a_feed_travels_with_it_and_is_echoed(ingest: Ingest) -> None:
    plain = (await ingest.send()).json()
    assert "options" not in plain
    answer = await ingest.send(
        data={"decimal_separator": ",", "on_error": "continue"}, headers={"X-Date-Format": "%d/%m/%Y"}
    )
    # Only what differs from the defaults is echoed and sent on.
    assert answer.json()["options"] == {"date_format": "%d/%m/%Y", "decimal_separator": ","}
    UploadAccepted.model_validate(answer.json())
    [metadata] = [metadata for key, (_, metadata) in ingest.uploads.objects.items() if answer.json()["feed_id"] in key]
    assert FeedOptions.from_metadata(metadata) == ingest.receipts.written[1].options
    assert ingest.receipts.written[1].options == FeedOptions(date_format="%d/%m/%Y", decimal_separator=",")


async def test_an_option_that_cannot_be_meant_is_refused_with_what_can(ingest: Ingest) -> None:
    problem = _problem(await ingest.send(data={"charset": "klingon-8"}), 422, "invalid-field")
    assert "'klingon-8' is no character set that is known" in problem["detail"]
    assert "charset=windows-1252" in problem["suggestions"]
    feed = "0195608f-3c1a-7000-8000-000000000001"
    both = await ingest.send(data={"replaces": feed}, headers={"X-Corrects": feed})
    assert "either replaces another or corrects it" in _problem(both, 422, "invalid-field")["detail"]
    differing = await ingest.send(data={"sheet": "a"}, headers={"X-Sheet": "b"})
    _problem(differing, 422, "invalid-field")
    assert not ingest.uploads.objects


async def test_options_that_would_not_fit_beside_the_object_are_refused_at_the_door(ingest: Ingest) -> None:
    name = "ä" * 230 + ".csv"
    options = {"date_format": "%Y" + "年" * 29 + "%m%d", "sheet": "年" * 31}

    async def send(**data: str) -> httpx.Response:
        return await ingest.client.post(PATH, files={"file": (name, ROWS)}, data=data)

    assert (await send()).status_code == 202
    problem = _problem(await send(**options), 422, "invalid-field")
    assert "bytes too long together" in problem["detail"]
    assert len(ingest.uploads.objects) == 1


async def test_what_is_no_upload_is_refused(ingest: Ingest) -> None:
    _problem(await ingest.client.post(PATH, json={}), 415, "not-multipart")
    _problem(await ingest.client.post(PATH), 415, "not-multipart")
    _problem(await ingest.client.post(PATH, headers={"Content-Type": "multipart/form-data"}), 400, "broken-multipart")
    _problem(await ingest.client.post(PATH, headers=MULTIPART, content=b"noise"), 400, "broken-multipart")
    _problem(await ingest.client.post(PATH, headers=MULTIPART, content=body()), 422, "no-file")
    _problem(await ingest.send(headers={"Content-Encoding": "gzip"}), 415, "not-multipart")
    _problem(await ingest.client.post(f"{PATH}?seller_id=acme", files={"file": ROWS}), 422, "invalid-request")
    _problem(await ingest.client.post(PATH, files={"seller_id": (None, "acme")}), 422, "no-file")
    _problem(await ingest.send(b""), 422, "empty-file")
    _problem(await ingest.send(data={"color": "1"}), 422, "invalid-field")
    unknown = await ingest.send(data={"feed_type": "klingon"})
    assert _problem(unknown, 422, "invalid-field")["suggestions"] == ["transactions"]
    two = await ingest.client.post(PATH, files=[("file", ("a", ROWS)), ("file", ("b", ROWS))])
    _problem(two, 422, "second-file")
    _problem(await ingest.send(b"x" * 1_001), 413, "too-large")
    assert not ingest.uploads.objects
    assert not ingest.receipts.written


async def test_an_announced_length_is_refused_before_the_body_is_read(ingest: Ingest) -> None:
    read = 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    headers = MULTIPART | {"Content-Length": str(5 * 1024**3)}
    _problem(await ingest.client.post(PATH, headers=headers, content=content()), 413, "too-large")
    assert read == 0


async def test_a_store_that_is_down_is_a_503_that_says_when_to_come_back(ingest: Ingest) -> None:
    ingest.uploads.failing = {"put"}
    answer = await ingest.send()
    _problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_a_client_that_falls_silent_is_let_go() -> None:
    async with _ingest(body_idle_seconds=0.05) as ingest:
        silent = asyncio.Event()

        async def content() -> AsyncIterator[bytes]:
            yield body(file(ROWS))[:40]
            await silent.wait()

        answer = await ingest.client.post(PATH, headers=MULTIPART, content=content())
        _problem(answer, 408, "body-timeout")
        assert not ingest.uploads.objects


async def test_uploads_at_once_are_bounded() -> None:
    async with _ingest(max_concurrent_uploads=1, upload_slot_wait_seconds=0.05) as ingest:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            started.set()
            await go_on.wait()
            yield body(file(ROWS))

        first = asyncio.create_task(ingest.client.post(PATH, headers=MULTIPART, content=slow()))
        await asyncio.wait_for(started.wait(), 10)
        refused = await ingest.send()
        _problem(refused, 503, "busy")
        assert "retry-after" in refused.headers
        go_on.set()
        assert (await first).status_code == 202
        assert (await ingest.send()).status_code == 202  # the slot is free again


async def test_a_short_wait_for_a_slot_is_not_refused() -> None:
    async with _ingest(max_concurrent_uploads=1) as ingest:
        answers = await asyncio.gather(*(ingest.send() for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}


async def test_a_client_that_goes_away_leaves_nothing() -> None:
    uploads = FakeUploads()
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": body(file(b"x" * 9_000_000))[:8_900_000], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    @asynccontextmanager
    async def open_outside() -> AsyncIterator[Outside]:
        yield Outside(uploads, FakeReceipts())

    app = create_app(IngestSettings(uploads_bucket="u", receipts_bucket="r"), open_outside)
    async with app.router.lifespan_context(app) as state:
        headers = [(name.lower().encode(), value.encode()) for name, value in MULTIPART.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "headers": headers,
            "state": dict(state or {}),
        }
        await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert (uploads.objects, uploads.open_uploads) == ({}, 0)


async def test_it_is_ready_only_if_its_buckets_answer() -> None:
    up = True

    async def bucket() -> None:
        if not up:
            raise ConnectionError

    @asynccontextmanager
    async def open_outside() -> AsyncIterator[Outside]:
        yield Outside(FakeUploads(), FakeReceipts(), {"uploads": bucket})

    app = create_app(IngestSettings(uploads_bucket="u", receipts_bucket="r"), open_outside)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client,
    ):

        async def answers(status: int) -> bool:
            return (await client.get("/health/ready")).status_code == status

        await until(lambda: answers(200))
        up = False
        await until(lambda: answers(503))


def test_docs_describe_the_multipart_body() -> None:
    document = create_app(IngestSettings(uploads_bucket="u", receipts_bucket="r")).openapi()
    operation = document["paths"][PATH]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["file"]
    options = {"seller_id", "feed_type", *FeedOptions.model_fields}
    assert set(schema["properties"]) == {"file"} | options
    headers = {f"X-{option.replace('_', '-')}".lower() for option in options}
    assert {parameter["name"].lower() for parameter in operation["parameters"]} == headers
    for option in options:
        described = schema["properties"][option]
        assert described["description"]
        assert described["examples"]
        assert described["type"] in ("string", "number")  # and never null: it is left out
    assert "202" in operation["responses"]
    assert "200" not in operation["responses"]
