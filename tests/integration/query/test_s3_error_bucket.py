"""Reports and rejected rows out of S3: moto and the emulator, and an S3 that stops half-way or never answers."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError, web

from services.query.adapters.s3_error_bucket import CHUNK_BYTES, S3ErrorBucket
from services.query.download_response import DownloadResponse
from services.query.errors import StoreUnavailable
from services.query.ports import OpenObject
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

FEED = uuid4()
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
async def s3(s3_url: str) -> "AsyncIterator[S3Client]":
    async with AwsClients(ServiceSettings(aws_endpoint_url=s3_url)).s3() as client:
        yield client


@pytest.fixture
async def bucket(s3: "S3Client") -> str:
    name = f"errors-{secrets.token_hex(4)}"
    await s3.create_bucket(Bucket=name)
    return name


def store_of(s3: "S3Client", bucket: str, *, downloads: int = 2, call: float = 10) -> S3ErrorBucket:
    return S3ErrorBucket(s3, bucket, call, downloads=downloads, wait_seconds=0.05)


async def read(found: OpenObject | None) -> bytes:
    assert found is not None
    chunks = [chunk async for chunk in found.chunks()]
    await found.close()
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    return b"".join(chunks)


async def test_an_object_comes_out_as_it_lies_there(s3: "S3Client", bucket: str) -> None:
    content = bytes(range(256)) * (3 * MIB // 256) + b"end"
    await s3.put_object(Bucket=bucket, Key=f"acme/{FEED}/rejected.csv", Body=content)
    found = await store_of(s3, bucket).open(f"s3://{bucket}/acme/{FEED}/rejected.csv", "acme", FEED)
    assert found is not None
    assert found.size_bytes == len(content)
    assert await read(found) == content


async def test_nothing_but_what_belongs_to_the_feed_is_opened(s3: "S3Client", bucket: str) -> None:
    other = uuid4()
    for key in (f"acme/{FEED}/report.json", f"globex/{FEED}/report.json", f"acme/{other}/report.json", "report.json"):
        await s3.put_object(Bucket=bucket, Key=key, Body=b"secret")
    store = store_of(s3, bucket)
    for uri in (
        f"s3://{bucket}/globex/{FEED}/report.json",
        f"s3://{bucket}/acme/{other}/report.json",
        f"s3://{bucket}/report.json",
        f"s3://elsewhere/acme/{FEED}/report.json",
        f"s3://{bucket}x/acme/{FEED}/report.json",
        f"acme/{FEED}/report.json",
        "",
    ):
        assert await store.open(uri, "acme", FEED) is None, uri
    assert await read(await store.open(f"s3://{bucket}/acme/{FEED}/report.json", "acme", FEED)) == b"secret"


async def test_what_has_expired_is_told_from_a_store_that_is_away(s3: "S3Client", bucket: str) -> None:
    store = store_of(s3, bucket, downloads=1)
    for _ in range(3):  # and it keeps no slot
        assert await store.open(f"s3://{bucket}/acme/{FEED}/report.json", "acme", FEED) is None
    nowhere = store_of(s3, "no-such-bucket", downloads=1)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await nowhere.open(f"s3://no-such-bucket/acme/{FEED}/report.json", "acme", FEED)
    await store.check()
    with pytest.raises(s3.exceptions.ClientError):
        await nowhere.check()


async def test_objects_open_at_once_are_bounded_and_closing_makes_room(s3: "S3Client", bucket: str) -> None:
    uri = f"s3://{bucket}/acme/{FEED}/report.json"
    await s3.put_object(Bucket=bucket, Key=f"acme/{FEED}/report.json", Body=b"x" * 3 * MIB)
    store = store_of(s3, bucket, downloads=1)
    first = await store.open(uri, "acme", FEED)
    assert first is not None
    with pytest.raises(StoreUnavailable, match="Too many files"):
        await store.open(uri, "acme", FEED)
    await first.close()
    await first.close()  # closing twice gives one slot back
    second = await store.open(uri, "acme", FEED)
    assert second is not None
    with pytest.raises(StoreUnavailable, match="Too many files"):
        await store.open(uri, "acme", FEED)
    assert len(await read(second)) == 3 * MIB


@asynccontextmanager
async def _answering_by(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> "AsyncIterator[S3Client]":
    """A client of an S3 of the test's own making."""
    app = web.Application()
    app.router.add_route("*", "/{key:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with AwsClients(ServiceSettings(aws_endpoint_url=url, aws_max_attempts=1)).s3() as s3:
            yield s3
    finally:
        await runner.cleanup()


class Caller:
    """The ASGI server's side of one answer; `reading` is whether the caller takes what is sent."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.started = asyncio.Event()
        self.messages: list[Any] = []
        self.received = 0

    async def send(self, message: Any) -> None:
        self.messages.append({name: value for name, value in message.items() if name != "body"})
        self.started.set()
        if message["type"] == "http.response.body":
            await self.reading.wait()
            self.received += len(message["body"])

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def take(self, found: OpenObject | None, seconds: float = 60) -> None:
        assert found is not None
        answer = DownloadResponse(found, "text/csv", seconds=seconds)
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, self.receive, self.send)


async def test_a_slow_caller_slows_the_store_so_that_memory_stays_bounded() -> None:
    """Until the caller reads, the store can send what sockets hold and no more, however large the object is."""
    size, sent, held_up = 256 * MIB, 0, asyncio.Event()

    async def large(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Length": str(size)})
        await answer.prepare(request)
        while sent < size:
            write = asyncio.ensure_future(answer.write(b"x" * MIB))
            if not (await asyncio.wait({write}, timeout=1.0))[0]:
                held_up.set()
            await write
            sent += MIB
        return answer

    async with _answering_by(large) as s3:
        found = await store_of(s3, "b").open(f"s3://b/acme/{FEED}/rejected.csv", "acme", FEED)
        caller = Caller()
        taking = asyncio.create_task(caller.take(found))
        await asyncio.wait_for(held_up.wait(), 20)
        assert sent < 32 * MIB
        caller.reading.set()
        await asyncio.wait_for(taking, 60)
    assert caller.received == size


async def test_a_caller_that_does_not_read_is_let_go_and_its_place_is_free() -> None:
    async def whole(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 8 * MIB)

    async with _answering_by(whole) as s3:
        store = store_of(s3, "b", downloads=1)
        uri = f"s3://b/acme/{FEED}/rejected.csv"
        with pytest.raises(TimeoutError):
            await Caller().take(await store.open(uri, "acme", FEED), seconds=0.1)
        assert len(await read(await store.open(uri, "acme", FEED))) == 8 * MIB


async def test_an_object_that_breaks_off_is_not_passed_for_whole() -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(8 * MIB)})
        await answer.prepare(request)
        await answer.write(b"x" * MIB)
        assert request.transport is not None
        request.transport.close()
        return answer

    async with _answering_by(breaking) as s3:
        store = store_of(s3, "b", downloads=1)
        for _ in range(2):  # the slot is given back
            caller = Caller()
            caller.reading.set()
            with pytest.raises(ClientPayloadError):
                await caller.take(await store.open(f"s3://b/acme/{FEED}/rejected.csv", "acme", FEED))
            # Without a last message the server cuts the connection, and the length says that something is missing.
            assert caller.messages[0]["type"] == "http.response.start"
            assert all(message.get("more_body", True) for message in caller.messages)


async def test_an_s3_that_never_answers_is_given_up_in_time() -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with _answering_by(silent) as s3, asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await store_of(s3, "b", call=0.3).open(f"s3://b/acme/{FEED}/report.json", "acme", FEED)
