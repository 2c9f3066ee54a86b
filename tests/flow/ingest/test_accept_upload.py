"""The upload flow with stores in memory: what is stored, what is answered, and that a refusal leaves nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.accept_upload import AcceptUpload, UploadRules
from services.ingest.errors import (
    BrokenMultipart,
    EmptyFile,
    InvalidField,
    LateField,
    NoFile,
    ReceiptNotWritten,
    SecondFile,
    StoreUnavailable,
    TooLarge,
    UploadRefused,
)
from services.ingest.rules.part_sizes import MIB, part_size
from shared.schemas.feed_options import FeedOptions, OnError
from shared.schemas.feeds import UploadAccepted
from tests.flow.ingest.fakes import BUCKET, FakeReceipts, FakeUploads
from tests.unit.ingest.multipart_bodies import BOUNDARY, body, cut, field, file

FEED = "0195608f-3c1a-7000-8000-000000000001"
ROWS = b"Basic White T-Shirt,15,20,300\n"
LARGE = bytes(range(256)) * (20 * MIB // 256)


class Ingest:
    """The flow and its fakes."""

    def __init__(
        self, max_bytes: int = 64 * MIB, base_url: str = "", part_size: Callable[[int], int] = part_size
    ) -> None:
        self.uploads = FakeUploads()
        self.receipts = FakeReceipts()
        self.pauses: list[float] = []
        rules = UploadRules(
            max_upload_bytes=max_bytes, default_seller_id="house", public_base_url=base_url, part_size=part_size
        )
        self.accept = AcceptUpload(self.uploads, self.receipts, rules, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def send(
        self, whole: bytes, sizes: Sequence[int] = (65_536,), headers: Mapping[str, Sequence[str]] | None = None
    ) -> UploadAccepted:
        return await self.accept(BOUNDARY, _stream(whole, sizes), headers=headers or {}, correlation_id="c-1")

    def left(self) -> tuple[int, int, int]:
        """Objects, open uploads, receipts."""
        return len(self.uploads.objects), self.uploads.open_uploads, len(self.receipts.written)


async def _stream(whole: bytes, sizes: Sequence[int]) -> AsyncIterator[bytes]:
    for chunk in cut(whole, sizes):
        yield chunk


async def test_a_small_file_is_one_object_with_its_hash_and_a_receipt() -> None:
    ingest = Ingest(base_url="https://feeds.example/")
    accepted = await ingest.send(body(field("seller_id", "acme"), file(ROWS)))
    key = f"acme/{accepted.feed_id}/sales.csv"
    sha256 = hashlib.sha256(ROWS).hexdigest()
    assert ingest.uploads.objects == {
        key: (
            ROWS,
            {
                "feed-id": str(accepted.feed_id),
                "feed-type": "transactions",
                "seller-id": "acme",
                "file-name": "sales.csv",
                "correlation-id": "c-1",
                "sha256": sha256,
            },
        )
    }
    assert (accepted.sha256, accepted.size_bytes, accepted.file_name) == (sha256, len(ROWS), "sales.csv")
    assert accepted.status_url == f"https://feeds.example/api/feeds/{accepted.feed_id}"
    assert accepted.feed_id.version == 7
    [receipt] = ingest.receipts.written
    assert (receipt.bucket, receipt.object_key, receipt.feed_id) == (BUCKET, key, accepted.feed_id)
    assert (receipt.sha256, receipt.size_bytes, receipt.correlation_id) == (sha256, len(ROWS), "c-1")


async def test_a_large_file_goes_up_in_parts() -> None:
    ingest = Ingest()
    accepted = await ingest.send(body(field("seller_id", "acme"), file(LARGE)))
    [(content, metadata)] = ingest.uploads.objects.values()
    assert content == LARGE
    assert accepted.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert metadata["seller-id"] == "acme"
    assert "sha256" not in metadata  # not known when a multipart upload begins
    assert len(ingest.uploads.part_sizes) == 3
    assert all(size >= 8 * MIB for size in ingest.uploads.part_sizes[:-1])
    assert ingest.left() == (1, 0, 1)


async def test_options_travel_with_a_large_file_too() -> None:
    ingest = Ingest()
    accepted = await ingest.send(
        body(field("replaces", FEED), field("sheet", "Umsätze"), file(LARGE)), headers={"X-On-Error": ["skip_file"]}
    )
    [(_, metadata)] = ingest.uploads.objects.values()
    meant = FeedOptions(replaces=UUID(FEED), sheet="Umsätze", on_error=OnError.SKIP_FILE)
    assert FeedOptions.from_metadata(metadata) == meant
    assert accepted.options == ingest.receipts.written[0].options == meant


async def test_options_that_contradict_each_other_are_refused_before_anything_is_stored() -> None:
    ingest = Ingest()
    with pytest.raises(InvalidField, match="either replaces another or corrects it"):
        await ingest.send(body(field("replaces", FEED), field("corrects", FEED), file(LARGE)))
    assert ingest.left() == (0, 0, 0)


@pytest.mark.parametrize("size", [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB + 2])
async def test_no_part_is_empty_at_the_edge_of_a_part(size: int) -> None:
    ingest = Ingest()
    await ingest.send(body(file(LARGE[:size])))
    [(content, _)] = ingest.uploads.objects.values()
    assert content == LARGE[:size]
    assert all(ingest.uploads.part_sizes)
    assert bool(ingest.uploads.part_sizes) == (size > 8 * MIB)


async def test_fields_may_follow_a_small_file() -> None:
    ingest = Ingest()
    accepted = await ingest.send(body(file(ROWS), field("seller_id", "acme")))
    assert accepted.seller_id == "acme"
    assert next(iter(ingest.uploads.objects)).startswith("acme/")


@pytest.mark.parametrize(("option", "value"), [("seller_id", "acme"), ("decimal_separator", ",")])
async def test_a_field_after_a_large_file_comes_too_late(option: str, value: str) -> None:
    ingest = Ingest()
    with pytest.raises(LateField, match="send fields before it"):
        await ingest.send(body(file(LARGE), field(option, value)))
    assert ingest.left() == (0, 0, 0)


@pytest.mark.parametrize("content", [ROWS, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        ([field("color", "1")], [], InvalidField),
        ([], [file(b"x")], SecondFile),
        ([], [file(b"x", 'form-data; name="other"; filename="x"')], InvalidField),
        ([file(b"")], [], EmptyFile),
        ([field("seller_id", "a/b")], [], InvalidField),
        ([], [b"no headers"], BrokenMultipart),
    ],
)
async def test_a_refused_body_leaves_nothing(
    content: bytes, before: list[bytes], after: list[bytes], refusal: type[UploadRefused]
) -> None:
    ingest = Ingest()
    with pytest.raises(refusal):
        await ingest.send(body(*before, file(content), *after))
    assert ingest.left() == (0, 0, 0)


@pytest.mark.parametrize("whole", [body(), body(field("seller_id", "acme"))])
async def test_without_a_file_there_is_nothing_to_accept(whole: bytes) -> None:
    ingest = Ingest()
    with pytest.raises(NoFile):
        await ingest.send(whole)
    assert ingest.left() == (0, 0, 0)


async def test_counted_bytes_decide_what_is_too_large() -> None:
    ingest = Ingest(max_bytes=10 * MIB)
    await ingest.send(body(file(LARGE[: 10 * MIB])))
    with pytest.raises(TooLarge, match="at most 10,485,760 bytes"):
        await ingest.send(body(file(LARGE[: 10 * MIB + 1])))
    assert ingest.left() == (1, 0, 1)


async def test_what_surrounds_the_file_is_bounded_too() -> None:
    ingest = Ingest(max_bytes=100)
    with pytest.raises(TooLarge):
        await ingest.send(body(file(ROWS)) + b"epilogue" * MIB)
    assert ingest.left() == (0, 0, 0)


@pytest.mark.parametrize("end", [100, 9 * MIB])
async def test_a_body_that_stops_early_leaves_nothing(end: int) -> None:
    ingest = Ingest()
    with pytest.raises(BrokenMultipart):
        await ingest.send(body(file(LARGE))[:end])
    assert ingest.left() == (0, 0, 0)


@pytest.mark.parametrize(
    ("call", "content"), [("put", ROWS), ("open", LARGE), ("add_part", LARGE), ("complete", LARGE)]
)
async def test_a_store_that_fails_leaves_nothing_open(call: str, content: bytes) -> None:
    ingest = Ingest()
    ingest.uploads.failing = {call}
    with pytest.raises(StoreUnavailable) as failure:
        await ingest.send(body(file(content)))
    assert failure.value.headers == {"Retry-After": "5"}
    assert ingest.left() == (0, 0, 0)


async def test_a_receipt_is_tried_again() -> None:
    ingest = Ingest()
    ingest.receipts.failures = 2
    await ingest.send(body(file(ROWS)))
    assert ingest.left() == (1, 0, 1)
    assert len(ingest.pauses) == 2


async def test_without_a_receipt_the_upload_is_not_accepted_and_says_what_is_true() -> None:
    ingest = Ingest()
    ingest.receipts.failures = 99
    with pytest.raises(ReceiptNotWritten, match=r"may be processed.*the same bytes count once") as failure:
        await ingest.send(body(file(ROWS)))
    assert failure.value.headers == {"Retry-After": "5"}
    assert ingest.receipts.tries == 3
    assert ingest.left() == (1, 0, 0)


async def test_a_cancelled_upload_leaves_nothing_open() -> None:
    ingest = Ingest()
    ingest.uploads.gate = asyncio.Event()
    task = asyncio.create_task(ingest.send(body(file(LARGE))))
    async with asyncio.timeout(10):
        while not ingest.uploads.open_uploads:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ingest.left() == (0, 0, 0)


async def test_an_upload_cancelled_while_it_cleans_up_still_cleans_up() -> None:
    ingest = Ingest()
    ingest.uploads.failing = {"add_part"}
    ingest.uploads.abort_gate = asyncio.Event()
    task = asyncio.create_task(ingest.send(body(file(LARGE))))
    await asyncio.wait_for(ingest.uploads.aborting.wait(), 10)
    task.cancel()
    await asyncio.sleep(0)
    ingest.uploads.abort_gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ingest.left() == (0, 0, 0)


async def test_a_slow_store_slows_the_client() -> None:
    ingest = Ingest()
    ingest.uploads.gate = asyncio.Event()
    whole = body(file(LARGE))
    taken = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        for chunk in cut(whole, (65_536,)):
            taken += len(chunk)
            yield chunk

    task = asyncio.create_task(ingest.accept(BOUNDARY, counted(), headers={}, correlation_id="c"))
    async with asyncio.timeout(10):
        while not ingest.uploads.open_uploads:
            await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken < 9 * MIB
    ingest.uploads.gate.set()
    await task
    assert taken == len(whole)


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(1, 64), min_size=1, max_size=5), st.integers(1, 50))
def test_parts_joined_are_the_file(content: bytes, sizes: list[int], part: int) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + content:
        return
    ingest = Ingest(part_size=lambda number: part * number)
    accepted = asyncio.run(ingest.send(body(file(content)), sizes))
    [(stored, _)] = ingest.uploads.objects.values()
    assert stored == content
    assert accepted.sha256 == hashlib.sha256(content).hexdigest()
