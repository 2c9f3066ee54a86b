"""Ingest as a process of its own, against the emulator's data plane: memory, and bodies that end badly."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from deploy.local.child_process import Child, base_environment
from deploy.local.network_ports import free_port
from services.ingest.rules.part_sizes import MIB
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Receipt, UploadAccepted
from tests.integration.ingest.conftest import Bucket
from tests.unit.ingest.multipart_bodies import BOUNDARY, body, file
from tests.waiting import until

if TYPE_CHECKING:
    from tests.conftest import EmulatedAws

ROOT = Path(__file__).parents[3]
PATH = "/api/transactions/upload"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
UPLOAD_MIB = int(os.environ.get("UPLOAD_MIB", "256"))
MEMORY_GROWTH_MIB = 64


class Ingest:
    """The running process, and the bucket behind it."""

    def __init__(self, child: Child, port: int, emulator: "EmulatedAws") -> None:
        self.child = child
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.plane = emulator.plane
        self._emulator = emulator

    async def bucket(self, name: str) -> AsyncIterator[Bucket]:
        settings = ServiceSettings(aws_endpoint_url=self._emulator.endpoint_url)
        async with AwsClients(settings).s3() as s3:
            yield Bucket(s3, name)

    def memory_mib(self, line: str) -> float:
        """`VmRSS` now, or `VmHWM`, the highest since `forget_peak`."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        [kilobytes] = [row.split()[1] for row in status.splitlines() if row.startswith(f"{line}:")]
        return int(kilobytes) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def ingest(emulator: "EmulatedAws", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    with _running(emulator, tmp_path_factory.mktemp("ingest")) as running:
        yield running


@contextmanager
def _running(emulator: "EmulatedAws", directory: Path, **more: str) -> Iterator[Ingest]:
    port = free_port()
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "UPLOADS_BUCKET": emulator.plane.uploads_bucket,
        "RECEIPTS_BUCKET": emulator.plane.receipts_bucket,
    }
    child = Child(
        "ingest",
        [sys.executable, "-m", "services.ingest"],
        environment=base_environment() | emulator.environment() | settings | more,
        log_path=directory / "ingest.log",
        cwd=ROOT,
    )
    running = Ingest(child, port, emulator)
    child.start()
    try:
        child.wait_until("ready", lambda: _is_ready(running.url), 30)
        yield running
    finally:
        child.stop()
    assert child.exit_code in (0, -15), child.tail()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
async def uploads(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async for bucket in ingest.bucket(ingest.plane.uploads_bucket):
        yield bucket


async def _large_file(mebibytes: int, seen: "hashlib._Hash") -> AsyncIterator[bytes]:
    """A whole multipart body; no two of its blocks are alike."""
    head, _, tail = body(file(b"\0")).partition(b"\0")
    yield head
    noise = os.urandom(MIB - 8)
    for number in range(mebibytes):
        block = number.to_bytes(8, "big") + noise
        seen.update(block)
        yield block
    yield tail


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_the_file(ingest: Ingest, uploads: Bucket) -> None:
    async with httpx.AsyncClient(base_url=ingest.url, timeout=120) as client:
        (await client.post(PATH, files={"file": ("small.csv", b"a,1,1,1\n")})).raise_for_status()
        before = ingest.memory_mib("VmRSS")
        ingest.forget_peak()
        seen = hashlib.sha256()
        answer = await client.post(PATH, headers=MULTIPART, content=_large_file(UPLOAD_MIB, seen))
    assert answer.status_code == 202, answer.text
    accepted = UploadAccepted.model_validate(answer.json())
    assert (accepted.sha256, accepted.size_bytes) == (seen.hexdigest(), UPLOAD_MIB * MIB)
    stored = await uploads.s3.head_object(Bucket=uploads.name, Key=f"default/{accepted.feed_id}/sales.csv")
    assert stored["ContentLength"] == UPLOAD_MIB * MIB
    growth = ingest.memory_mib("VmHWM") - before
    assert growth < MEMORY_GROWTH_MIB


async def test_the_object_and_its_receipt_are_there_when_it_answers(ingest: Ingest, uploads: Bucket) -> None:
    async with httpx.AsyncClient(base_url=ingest.url, timeout=30) as client:
        answer = await client.post(
            PATH,
            data={"seller_id": "acme", "sheet": "März", "date_format": "%d/%m/%Y"},
            headers={"X-Decimal-Separator": ","},
            files={"file": ("Umsätze #1.csv", b"a,1,1,1\n")},
        )
    accepted = UploadAccepted.model_validate(answer.json())
    key = f"acme/{accepted.feed_id}/Umsätze _1.csv"
    stored = await uploads.s3.head_object(Bucket=uploads.name, Key=key)
    assert stored["Metadata"]["file-name"] == "Ums%C3%A4tze%20%231.csv"
    assert stored["Metadata"]["sha256"] == accepted.sha256
    found = await uploads.s3.get_object(Bucket=ingest.plane.receipts_bucket, Key=f"{accepted.feed_id}.json")
    receipt = Receipt.model_validate(json.loads(await found["Body"].read()))
    assert (receipt.object_key, receipt.file_name) == (key, "Umsätze #1.csv")
    asked = FeedOptions(sheet="März", date_format="%d/%m/%Y", decimal_separator=",")
    assert FeedOptions.from_metadata(stored["Metadata"]) == receipt.options == accepted.options == asked


async def test_a_client_that_goes_away_leaves_nothing(ingest: Ingest, uploads: Bucket) -> None:
    before = await uploads.keys()
    writer = await _begin_upload(ingest, uploads)
    writer.close()
    await until(lambda: _is_clean(uploads))
    assert await uploads.keys() == before


async def test_a_shutdown_during_an_upload_leaves_nothing(
    emulator: "EmulatedAws", uploads: Bucket, tmp_path: Path
) -> None:
    with _running(emulator, tmp_path, SHUTDOWN_GRACE_SECONDS="1") as ingest:
        before = await uploads.keys()
        writer = await _begin_upload(ingest, uploads)
        ingest.child.ask_to_stop()
        await asyncio.to_thread(ingest.child.wait, 30)
        writer.close()
    assert await uploads.unfinished() == 0
    assert await uploads.keys() == before


async def _begin_upload(ingest: Ingest, uploads: Bucket) -> asyncio.StreamWriter:
    """Sends most of a large file and then nothing more; returns when the first part is under way."""
    _, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: ingest\r\nContent-Length: 99999999\r\nContent-Type: {MULTIPART['Content-Type']}"
    )
    writer.write(f"{head}\r\n\r\n".encode() + body(file(b"x" * 20 * MIB))[: 19 * MIB])
    await writer.drain()

    async def has_begun() -> bool:
        return await uploads.unfinished() == 1

    await until(has_begun)
    return writer


async def _is_clean(uploads: Bucket) -> bool:
    return await uploads.unfinished() == 0


async def test_a_late_field_is_answered_and_leaves_nothing(ingest: Ingest, uploads: Bucket) -> None:
    before = await uploads.keys()
    late = b'Content-Disposition: form-data; name="seller_id"\r\n\r\nacme'
    async with httpx.AsyncClient(base_url=ingest.url, timeout=30) as client:
        answer = await client.post(PATH, headers=MULTIPART, content=body(file(b"x" * 20 * MIB), late))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:sellersync:problem:late-field"
    assert await uploads.unfinished() == 0
    assert await uploads.keys() == before


async def test_an_early_refusal_reaches_a_client_that_is_still_sending(ingest: Ingest) -> None:
    unknown = b'Content-Disposition: form-data; name="color"\r\n\r\n1'
    async with httpx.AsyncClient(base_url=ingest.url, timeout=30) as client:
        answer = await client.post(PATH, headers=MULTIPART, content=body(unknown, file(b"x" * 20 * MIB)))
        assert answer.json()["detail"] == "unknown field 'color'"
        assert (await client.get("/health/live")).status_code == 200
