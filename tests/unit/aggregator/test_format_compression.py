"""gzip and zstd around any format: all of it or nothing, and never more than allowed."""

import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from services.aggregator.adapters.decompressed_file import decompress
from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.errors import UnreadableFeed
from tests.unit.aggregator.feed_readings import Read, read_path, refusal

Compress = Callable[[bytes], bytes]

ROWS = b"A,1,2,2\nB,x,2,2\n"
NO_DATA = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
"""A zstd frame that decoders pass over."""


def zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


@pytest.mark.parametrize(
    ("content", "compression"),
    [
        (gzip.compress(ROWS), "gzip"),
        (gzip.compress(ROWS[:11]) + gzip.compress(b"") + gzip.compress(ROWS[11:]), "gzip"),
        (gzip.compress(ROWS) + bytes(512), "gzip"),
        (zst(ROWS), "zstd"),
        (zst(ROWS[:11]) + NO_DATA + zst(ROWS[11:]), "zstd"),
        (NO_DATA + zst(ROWS), "zstd"),
    ],
)
def test_every_member_and_frame_is_read(read: Read, content: bytes, compression: str) -> None:
    reading = read(content)
    assert reading.recognised.compression == compression
    assert (reading.recognised.format, reading.recognised.delimiter) == ("csv", ",")
    assert reading.codes == [(2, "validation/invalid_quantity")]
    assert reading.counts.rows_accepted == 1


@pytest.mark.parametrize("compress", [gzip.compress, zst])
def test_large_contents_come_out_as_they_went_in(tmp_path: Path, compress: Compress) -> None:
    content = b"".join(b"Shirt %d,1,2,2\n" % (n * n) for n in range(200_000))
    (tmp_path / "in").write_bytes(compress(content))
    decompress(
        tmp_path / "in", "gzip" if compress is gzip.compress else "zstd", tmp_path / "out", len(content), lambda _: None
    )
    assert (tmp_path / "out").read_bytes() == content


@pytest.mark.parametrize("compress", [gzip.compress, zst])
@pytest.mark.parametrize("damage", ["cut", "cut to its mark", "garbage", "altered"])
def test_what_is_damaged_is_refused_whole(read: Read, compress: Compress, damage: str) -> None:
    content = bytearray(compress(ROWS * 20_000))
    if damage == "altered":
        content[len(content) // 2] ^= 0x55
    damaged = {
        "cut": content[:-1],
        "cut to its mark": content[:4],
        "garbage": content + b"A,1,2,2\n",
        "altered": content,
    }[damage]
    assert refusal(read, bytes(damaged)).code == "format/broken_compression"


@pytest.mark.parametrize("compress", [gzip.compress, zst])
@pytest.mark.parametrize("inside", [gzip.compress, zst, lzma.compress])
def test_compressed_inside_compressed_is_refused(read: Read, compress: Compress, inside: Compress) -> None:
    assert refusal(read, compress(inside(ROWS))).code == "format/compressed"


@pytest.mark.parametrize("compress", [gzip.compress, zst])
def test_nothing_inside_is_an_empty_file(read: Read, compress: Compress) -> None:
    assert refusal(read, compress(b"")).code == "format/empty_file"


def test_the_offset_of_invalid_bytes_is_that_in_the_decompressed_text(read: Read) -> None:
    error = refusal(read, gzip.compress(b"A,1,2,2\n" * 100_000 + b"\xff"))
    assert "offset 800000 " in error.message


def _bomb(kind: str) -> bytes:
    """Sixteen gigabytes of zeros in a small file."""
    million = bytes(1 << 20)
    if kind == "zstd":
        compressor = zstandard.ZstdCompressor().compressobj()
        return b"".join(compressor.compress(million) for _ in range(1 << 14)) + compressor.flush()
    one = zlib.compressobj(9, zlib.DEFLATED, 31)
    member = b"".join(one.compress(million) for _ in range(64)) + one.flush()
    return member * 256


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, kind: str) -> None:
    path, out = tmp_path / "bomb", tmp_path / "out"
    path.write_bytes(_bomb(kind))
    limit = 10_000_000
    with pytest.raises(UnreadableFeed) as refused:
        decompress(path, kind, out, limit, lambda _: None)
    assert refused.value.code == "format/too_large"
    assert out.stat().st_size <= limit


def test_the_reader_takes_no_more_than_it_may_and_leaves_nothing_behind(tmp_path: Path) -> None:
    work = tmp_path / "work"
    path = tmp_path / "feed"
    line = b'{"product_name": "A", "quantity": 1, "amount": 1}\n'
    with DuckDbFeedReader(work, max_bytes=10_000) as reader:
        for content in (gzip.compress(ROWS * 1_000), gzip.compress(line * 190) + gzip.compress(line * 190)):
            path.write_bytes(content)
            with pytest.raises(UnreadableFeed) as refused:
                read_path(reader, path)
            assert refused.value.code == "format/too_large"
        path.write_bytes(gzip.compress(line * 190))
        assert read_path(reader, path).counts.rows_accepted == 190
        assert [p for p in work.rglob("*") if p.is_file() or "prepared" in p.name] == []


@pytest.mark.parametrize("name", ["BZh 9 shirt", "BZh", "PAR1", "PAR1 lamp", "Rar!", "PK", "%PDF", "7z"])
def test_a_name_that_looks_like_a_signature_is_a_name(read: Read, name: str) -> None:
    assert [c.product_name for c in read(f"{name},1,2,2\n").contributions] == [name]
