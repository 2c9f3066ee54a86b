"""Bodies are read to their end, or not at all."""

from typing import TYPE_CHECKING, cast

import pytest

from shared.runtime.aws import AWS_OUTAGES
from shared.runtime.s3_bodies import BodyNotWhole, read_whole
from tests.split_bodies import SplitBody

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef


async def read(body: SplitBody, size_bytes: int, *, max_bytes: int = 10, seconds: float = 5.0) -> bytes:
    answer = cast("GetObjectOutputTypeDef", {"ContentLength": size_bytes, "Body": body})
    try:
        return await read_whole(answer, max_bytes, seconds)
    finally:
        assert body.closed


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"a", b"b", b"c"], [b"0123456789"], [b"01234567", b"89"]])
async def test_a_body_that_comes_in_pieces_is_whole(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    assert await read(SplitBody(pieces), len(content)) == content


@pytest.mark.parametrize(("pieces", "size_bytes"), [([], 1), ([b"ab"], 3), ([b"ab", b"cd"], 3)])
async def test_a_body_of_another_size_than_announced_is_none(pieces: list[bytes], size_bytes: int) -> None:
    with pytest.raises(BodyNotWhole, match=f"of {size_bytes} bytes"):
        await read(SplitBody(pieces), size_bytes)


async def test_a_body_that_is_too_large_is_not_read() -> None:
    with pytest.raises(BodyNotWhole, match="at most 10"):
        await read(SplitBody([b"0123456789", b"0"]), 11)


async def test_a_body_that_is_larger_than_announced_is_not_read_for_ever() -> None:
    body = SplitBody([b"0123456789"] * 100, stalls=True)
    with pytest.raises(BodyNotWhole):
        await read(body, 10)


async def test_a_body_that_never_ends_is_waited_for_so_long() -> None:
    with pytest.raises(TimeoutError):
        await read(SplitBody([b"abc"], stalls=True), 3, seconds=0.01)


def test_callers_take_it_for_an_outage() -> None:
    assert issubclass(BodyNotWhole, AWS_OUTAGES)
