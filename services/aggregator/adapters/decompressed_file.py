"""Takes gzip or zstd off a file, in bounded memory, and never writes more than it was allowed to."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.reading_progress import Reached

_GZIP_READ, _GZIP_WRITE = 1 << 16, 1 << 18
_ZSTD_READ = 1 << 10
"""Four bytes of zstd may stand for 128 KiB, and its decoder gives all that it can: so it gets little at a time."""
_ZSTD_WINDOW = 1 << 27
"""What a frame may make the decoder remember: as much as the zstd program itself grants without being told."""
_GZIP_MEMBERS = 16 + zlib.MAX_WBITS


def decompress(path: Path, compression: str, out: Path, max_bytes: int, reached: Reached) -> None:
    """Writes what is inside `path` to `out`. `reached` hears how many bytes of `path` were consumed.

    Raises UnreadableFeed: `format/broken_compression` for what is cut off, damaged or followed by something else;
    `format/too_large` as soon as more than `max_bytes` come out.
    """
    written = 0
    with path.open("rb") as source, out.open("wb") as sink:
        for block in _zstd(source) if compression == "zstd" else _gzip(source):
            written += len(block)
            if written > max_bytes:
                message = f"Decompressed, this file has more than {max_bytes:,} bytes. Please send it in parts."
                raise UnreadableFeed("format/too_large", message)
            sink.write(block)
            reached(source.tell())


def _gzip(source: BinaryIO) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_MEMBERS)
    rest = b""
    while data := rest or source.read(_GZIP_READ):
        if member.eof:
            # Padding, as tapes and block devices leave it, is nothing; anything else must be another member.
            rest = data.lstrip(b"\0")
            if rest:
                member = zlib.decompressobj(_GZIP_MEMBERS)
            continue
        try:
            block = member.decompress(data, _GZIP_WRITE)
        except zlib.error as error:
            raise _broken("gzip") from error
        rest = member.unused_data if member.eof else member.unconsumed_tail
        yield block
    if not member.eof:
        yield from _remaining(member)


def _remaining(member: "zlib._Decompress") -> Iterator[bytes]:
    try:
        yield member.flush()
    except zlib.error as error:
        raise _broken("gzip") from error
    if not member.eof:
        raise _broken("gzip")


def _zstd(source: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    rest = b""
    while data := rest or source.read(_ZSTD_READ):
        if frame.eof:
            frame = decompressor.decompressobj()
        try:
            block = frame.decompress(data)
        except zstandard.ZstdError as error:
            raise _broken("zstd") from error
        rest = frame.unused_data if frame.eof else b""
        yield block
    if not frame.eof:
        raise _broken("zstd")


def _broken(compression: str) -> UnreadableFeed:
    message = (
        f"The {compression} compression of this file is damaged: it is cut off, altered, needs too much memory, "
        "or something else follows it."
    )
    return UnreadableFeed("format/broken_compression", message)
