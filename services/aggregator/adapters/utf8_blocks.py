"""A feed's bytes as blocks of valid UTF-8 with plain newlines, and a copy that begins only where it must differ."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.charsets import charset_of

BLOCK_BYTES = 1 << 18
HEAD_BYTES = 1 << 18
"""Of a file, from which is told what it is."""


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


def normalised(
    source: BinaryIO, sink: LazyCopy | None = None, declared: str | None = None
) -> Iterator[tuple[bytes, bool]]:
    """Blocks of valid UTF-8 with plain newlines, and whether each differs from the bytes of the file.

    `declared`: the text's character set where it has no byte order mark. Raises UnreadableFeed with the zero-based
    offset of the first bytes that are no text in it.
    """
    encoding, mark = charset_of(source.read(HEAD_BYTES), declared)
    source.seek(len(mark))
    recoded = encoding not in ("utf-8", "ascii")
    if sink is not None and not recoded:
        sink.skip_mark(len(mark))
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, held = len(mark), b""
    while True:
        read = source.read(BLOCK_BYTES)
        text = decode_block(decoder, read, offset, encoding)
        offset += len(read)
        block = held + (_encode(text, offset, encoding) if recoded else read)
        # A carriage return at the end may be half of a line end.
        held = b"\r" if read and block.endswith(b"\r") else b""
        block = block.removesuffix(held) if held else block
        if b"\r" in block:
            yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), True
        elif block:
            yield block, recoded
        if not read:
            return


def decoded(head: bytes, encoding: str, offset: int, *, is_whole: bool) -> str:
    """The text of the beginning of a file, `offset` bytes behind its start. Raises UnreadableFeed as above."""
    decoder = codecs.getincrementaldecoder(encoding)()
    return decode_block(decoder, head, offset, encoding) + (
        "" if not is_whole else decode_block(decoder, b"", offset + len(head), encoding)
    )


def decode_block(decoder: codecs.IncrementalDecoder, read: bytes, offset: int, encoding: str) -> str:
    """Raises UnreadableFeed with the place of the first bytes that are no text; `offset`: where `read` begins."""
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(read, final=not read)
    except UnicodeDecodeError as error:
        raise _no_text(encoding, offset - pending + error.start) from error


def _encode(text: str, offset: int, encoding: str) -> bytes:
    """Some codecs let through what is no character: half of a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _no_text(encoding, offset - len(text[error.start :].encode(encoding, "replace"))) from error


def _no_text(encoding: str, offset: int) -> UnreadableFeed:
    message = f"The text is not valid {encoding.upper()}: see the byte at offset {offset} (counted from zero)."
    return UnreadableFeed("format/invalid_encoding", message)
