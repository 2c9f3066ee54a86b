"""The S3 adapters against moto and the emulator; and against an S3 that is not there or does not answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO

import pytest
import uuid_utils.compat as uuids
from aiohttp import web

from services.ingest.adapters.s3_receipts import S3Receipts
from services.ingest.adapters.s3_uploads import S3Uploads
from services.ingest.errors import StoreUnavailable
from services.ingest.rules.part_sizes import MIB
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.feeds import FeedType, Receipt
from tests.integration.ingest.conftest import Bucket

KEY = "acme/0190/Umsätze + a b.csv"


async def test_a_put_stores_bytes_and_metadata(bucket: Bucket) -> None:
    await S3Uploads(bucket.s3, bucket.name, 10).put(
        KEY, BytesIO(b"a,1\n"), {"file-name": "Ums%C3%A4tze", "sha256": "0"}
    )
    stored = await bucket.s3.get_object(Bucket=bucket.name, Key=KEY)
    assert await stored["Body"].read() == b"a,1\n"
    assert stored["Metadata"] == {"file-name": "Ums%C3%A4tze", "sha256": "0"}


async def test_parts_become_one_object_with_its_metadata(bucket: Bucket) -> None:
    upload = await S3Uploads(bucket.s3, bucket.name, 10).open(KEY, {"feed-id": "f"})
    parts = [b"a" * 8 * MIB, b"b" * 9 * MIB, b"c"]
    for part in parts:
        await upload.add_part(BytesIO(part))
    assert await bucket.keys() == []  # nothing is there before it is whole
    await upload.complete()
    stored = await bucket.s3.get_object(Bucket=bucket.name, Key=KEY)
    assert await stored["Body"].read() == b"".join(parts)
    assert stored["Metadata"] == {"feed-id": "f"}
    assert await bucket.unfinished() == 0


async def test_an_aborted_upload_leaves_nothing_even_with_a_part_under_way(bucket: Bucket) -> None:
    upload = await S3Uploads(bucket.s3, bucket.name, 10).open(KEY, {})
    await upload.add_part(BytesIO(b"a" * 8 * MIB))
    assert await bucket.unfinished() == 1
    await upload.add_part(BytesIO(b"b" * 8 * MIB))
    await upload.abort()
    assert await bucket.unfinished() == 0
    assert await bucket.keys() == []


async def test_a_receipt_is_json_under_the_feed_id(bucket: Bucket) -> None:
    receipt = Receipt(
        feed_id=uuids.uuid7(),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="Umsätze.csv",
        bucket="b",
        object_key=KEY,
        size_bytes=4,
        sha256="0" * 64,
        correlation_id="c",
        received_at=datetime.now(UTC),
    )
    await S3Receipts(bucket.s3, bucket.name, 10).write(receipt)
    stored = await bucket.s3.get_object(Bucket=bucket.name, Key=f"{receipt.feed_id}.json")
    text = await stored["Body"].read()
    assert Receipt.model_validate_json(text) == receipt
    assert json.loads(text)["file_name"] == "Umsätze.csv"


async def test_a_bucket_that_is_not_there_is_unavailable_at_every_step(bucket: Bucket) -> None:
    nowhere = S3Uploads(bucket.s3, "no-such-bucket", 10)
    with pytest.raises(StoreUnavailable) as failure:
        await nowhere.put(KEY, BytesIO(b"x"), {})
    assert failure.value.headers == {"Retry-After": "5"}
    with pytest.raises(StoreUnavailable):
        await nowhere.open(KEY, {})
    upload = await S3Uploads(bucket.s3, bucket.name, 10).open(KEY, {})
    [open_upload] = (await bucket.s3.list_multipart_uploads(Bucket=bucket.name))["Uploads"]
    await bucket.s3.abort_multipart_upload(Bucket=bucket.name, Key=KEY, UploadId=open_upload["UploadId"])
    await upload.add_part(BytesIO(b"x"))  # it shows when the part is settled
    with pytest.raises(StoreUnavailable):
        await upload.complete()
    await upload.abort()  # does not raise, though there is nothing to abort


async def test_a_call_that_fails_once_is_repeated_with_the_whole_body(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 4_096
    bodies: list[bytes] = []

    async def moody(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=500 if len(bodies) == 1 else 200, headers={"ETag": '"e"'})

    async with _answering_by(moody, monkeypatch) as settings, AwsClients(settings).s3() as s3:
        await S3Uploads(s3, "b", 20).put(KEY, BytesIO(content), {})
    assert bodies == [content, content]


async def test_an_abort_does_not_wait_for_a_part_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    part_came, never = asyncio.Event(), asyncio.Event()
    methods: list[str] = []

    async def stuck(request: web.Request) -> web.Response:
        methods.append(request.method)
        if request.method == "POST":
            answer = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            return web.Response(text=answer, content_type="application/xml")
        if request.method == "PUT":
            part_came.set()
            await never.wait()
        return web.Response(status=204)

    async with _answering_by(stuck, monkeypatch) as settings, AwsClients(settings).s3() as s3:
        upload = await S3Uploads(s3, "b", 60).open(KEY, {})
        await upload.add_part(BytesIO(b"x"))
        await asyncio.wait_for(part_came.wait(), 10)
        async with asyncio.timeout(10):
            await upload.abort()
        never.set()
    assert methods == ["POST", "PUT", "DELETE"]


@asynccontextmanager
async def _answering_by(
    handler: Callable[[web.Request], Awaitable[web.Response]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ServiceSettings]:
    """An S3 of the test's own making; yields settings that lead to it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    app = web.Application(client_max_size=2 * MIB)
    app.router.add_route("*", "/{key:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield ServiceSettings(aws_endpoint_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def test_an_s3_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    connections: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with AwsClients(ServiceSettings(aws_endpoint_url=url)).s3() as s3, asyncio.timeout(10):
            with pytest.raises(StoreUnavailable):
                await S3Uploads(s3, "b", 0.3).put(KEY, BytesIO(b"x"), {})
        assert connections
    finally:
        for writer in connections:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_an_s3_that_refuses_connections_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    settings = ServiceSettings(aws_endpoint_url=f"http://127.0.0.1:{port}", aws_max_attempts=1)
    async with AwsClients(settings).s3() as s3:
        with pytest.raises(StoreUnavailable):
            await S3Uploads(s3, "b", 10).put(KEY, BytesIO(b"x"), {})
