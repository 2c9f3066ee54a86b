"""A feed's bytes as blocks of valid UTF-8 with plain newlines, and a copy that begins only where it must differ."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.file_signatures import encoding_of

BLOCK_BYTES = 1 << 18


class LazyCopy:
    """Begins to copy at the first block that differs from the source."""

    def __init__(self, source: Path, copy: Path) -> None:
        self._source, self._copy = source, copy
        self._out: BinaryIO | None = None
        self._same = 0
        self.lines = 0

    @property
    def copying(self) -> bool:
        return self._out is not None

    def skip_mark(self, size: int) -> None:
        """The scanner passes over a byte order mark, but it is no part of the blocks."""
        self._same += size

    def write(self, block: bytes, *, changed: bool) -> None:
        self.lines += block.count(b"\n")
        if changed and self._out is None:
            self._out = self._copy.open("wb")
            _copy_prefix(self._source, self._out, self._same)
        if self._out is None:
            self._same += len(block)
        else:
            self._out.write(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._out is not None:
            self._out.close()
            if kind is not None:
                self._copy.unlink(missing_ok=True)


def _copy_prefix(source: Path, out: BinaryIO, size: int) -> None:
    with source.open("rb") as again:
        while size > 0 and (block := again.read(min(size, BLOCK_BYTES))):
            out.write(block)
            size -= len(block)


def normalised(source: BinaryIO, sink: LazyCopy) -> Iterator[tuple[bytes, bool]]:
    """Blocks of valid UTF-8 with plain newlines, and whether each differs from the bytes of the file."""
    head = source.read(4)
    encoding, mark = encoding_of(head)
    source.seek(len(mark))
    recoded = encoding != "utf-8"
    if not recoded:
        sink.skip_mark(len(mark))
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, held = len(mark), b""
    while True:
        read = source.read(BLOCK_BYTES)
        text = decode_block(decoder, read, offset, encoding)
        offset += len(read)
        block = held + (text.encode() if recoded else read)
        # A carriage return at the end may be half of a line end.
        held = b"\r" if read and block.endswith(b"\r") else b""
        block = block.removesuffix(held) if held else block
        if b"\r" in block:
            yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), True
        elif block:
            yield block, recoded
        if not read:
            return


def decode_block(decoder: codecs.IncrementalDecoder, read: bytes, offset: int, encoding: str) -> str:
    """Raises UnreadableFeed with the place of the first byte that is no text; `offset`: where `read` begins."""
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(read, final=not read)
    except UnicodeDecodeError as error:
        at = offset - pending + error.start
        message = f"The text is not valid {encoding.upper()}: see the byte at offset {at} (counted from zero)."
        raise UnreadableFeed("format/invalid_encoding", message) from error
