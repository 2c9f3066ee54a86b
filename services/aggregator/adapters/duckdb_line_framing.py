"""Makes any text feed safe for the engine's CSV scanner: afterwards one line is one record, and line n is line n.

DuckDB's own framing loses rows on mixed line ends, numbers records instead of lines, and drops blank lines. So the
text is checked and put straight here, in blocks of bytes and without a loop over rows; a file that needs nothing
is not copied.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.file_signatures import encoding_of

# Unicode noncharacters are never text, so they can carry meaning from here to the SQL. Those that the file
# itself holds become ESCAPED, which the rules treat as a control character.
JOIN = "\ufdd0"  # stands where a line end stood inside a quoted cell
ESCAPED = "\ufdd1"
FAULT = "\ufdd2"  # begins a line that is no record: FAULT code FAULT number-of-lines FAULT text
NEVER, NULL = "\ufdd3", "\ufdd4"  # in no line at all: the scanner's delimiter and NULL word
_RESERVED = re.compile(b"\xef\xb7[\x90-\x94]")

MAX_RECORD_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 18
_RAW_BYTES = 2_000  # of a fault's text; four times the characters that an issue shows


@dataclass(frozen=True, slots=True)
class FramedText:
    """`path` is the file itself when it was fine as it is. `lines` is what the scanner must find in it."""

    path: Path
    lines: int
    has_quotes: bool
    is_copy: bool

    def discard(self) -> None:
        """Removes the copy, if there is one."""
        if self.is_copy:
            self.path.unlink(missing_ok=True)


def frame(path: Path, copy: Path, delimiter: str) -> FramedText:
    """Reads `path` once and writes `copy` only if it must.

    Raises UnreadableFeed with the zero-based byte offset when the bytes are no text in the file's encoding.
    """
    with path.open("rb") as source, _LazyCopy(path, copy) as sink:
        framing = _Framing(delimiter)
        for block, changed in _normalised(source, sink):
            framed, reframed = framing.feed(block)
            sink.write(framed, changed=changed or reframed)
        tail, changed = framing.finish()
        sink.write(tail, changed=changed)
        return FramedText(copy if sink.copying else path, sink.lines, framing.has_quotes, sink.copying)


class _LazyCopy:
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
        while size > 0 and (block := again.read(min(size, _BLOCK_BYTES))):
            out.write(block)
            size -= len(block)


def _normalised(source: BinaryIO, sink: _LazyCopy) -> Iterator[tuple[bytes, bool]]:
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
        read = source.read(_BLOCK_BYTES)
        text = _decode(decoder, read, offset, encoding)
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


def _decode(decoder: codecs.IncrementalDecoder, read: bytes, offset: int, encoding: str) -> str:
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(read, final=not read)
    except UnicodeDecodeError as error:
        at = offset - pending + error.start
        message = f"The text is not valid {encoding.upper()}: see the byte at offset {at} (counted from zero)."
        raise UnreadableFeed("format/invalid_encoding", message) from error


class _Framing:
    """Joins records that span lines and marks those that cannot be read, keeping the number of every line."""

    def __init__(self, delimiter: str) -> None:
        d = re.escape(delimiter.encode())
        plain = b'(?! *+")[^%s\n]*+' % d
        one_line = b'(?> *+"(?>[^"\n]++|"")*+" *+|%s)' % plain
        strict = b'(?> *+"(?>[^"]++|"")*+" *+|%s)' % plain
        lenient = b'(?> *+"(?>[^"]++|"")*+"[^%s\n]*+|%s)' % (d, plain)
        self._fine = re.compile(b'(?>[^"\n]*+\n|%s(?>%s%s)*+\n)*+' % (one_line, d, one_line))
        self._strict = re.compile(b"%s(?>%s%s)*+\n" % (strict, d, strict))
        self._lenient = re.compile(b"%s(?>%s%s)*+\n" % (lenient, d, lenient))
        self._carry = b""
        self._open = False  # the carry begins with a record whose quote is not closed yet
        self._skipping: _Skipped | None = None
        self.has_quotes = False

    def feed(self, block: bytes) -> tuple[bytes, bool]:
        """The framed form of what can be framed so far, and whether it differs from what came in."""
        if self._skipping is not None:
            return self._skip(block)
        block = self._carry + block
        cut = block.rfind(b"\n") + 1
        whole, self._carry = block[:cut], block[cut:]
        framed, changed = self._whole_lines(whole)
        if len(self._carry) > MAX_RECORD_BYTES:
            code = "format/unclosed_quote" if self._open else "format/line_too_long"
            self._skipping = _Skipped(code, self._carry)
            self._carry = b""
            self._open = False
        return framed, changed

    def finish(self) -> tuple[bytes, bool]:
        """What is left at the end of the file; a last line without a line end is a line."""
        if self._skipping is not None:
            return self._skipping.fault(), True
        rest = self._carry
        if not rest:
            return b"", False
        if not rest.endswith(b"\n"):
            rest += b"\n"
        self._carry = b""
        framed, changed = self._whole_lines(rest)
        if self._open:
            framed += _fault("format/unclosed_quote", self._carry)
            changed = True
        return framed, changed

    def _skip(self, block: bytes) -> tuple[bytes, bool]:
        skipped = self._skipping
        assert skipped is not None  # noqa: S101 - feed() calls this only while skipping
        end = block.find(b"\n") if skipped.code == "format/line_too_long" else -1
        if end < 0:
            skipped.add(block)
            return b"", True
        self._skipping = None
        framed, _ = self.feed(block[end + 1 :])
        return skipped.fault() + framed, True

    def _whole_lines(self, lines: bytes) -> tuple[bytes, bool]:
        self._open = False
        changed = False
        if b"\xef\xb7" in lines:
            lines, found = _RESERVED.subn(ESCAPED.encode(), lines)
            changed = found > 0
        if b'"' in lines:
            self.has_quotes = True
            lines, reframed = self._quoted(lines)
            changed = changed or reframed
        if b"\n\n" in lines or (lines.startswith(b"\n")):
            # The scanner drops lines of nothing, and with them the count of lines.
            lines = b"\n" + lines
            lines = lines.replace(b"\n\n", b"\n \n").replace(b"\n\n", b"\n \n")[1:]
            changed = True
        return lines, changed

    def _quoted(self, lines: bytes) -> tuple[bytes, bool]:
        """Stops only at records that are not one line of well-formed cells."""
        parts: list[bytes] = []
        start = at = 0
        while at < len(lines):
            fine = self._fine.match(lines, at)
            at = fine.end() if fine else at
            if at == len(lines):
                break
            parts.append(lines[start:at])
            if record := self._strict.match(lines, at):
                text = record[0][:-1]
                parts.append(text.replace(b"\n", JOIN.encode()) + b"\n" + b" \n" * text.count(b"\n"))
            elif record := self._lenient.match(lines, at):
                parts.append(_fault("format/stray_quote", record[0]))
            else:
                self._open = True
                self._carry = lines[at:] + self._carry
                return b"".join(parts), True
            start = at = record.end()
        parts.append(lines[start:])
        return b"".join(parts), start > 0


def _fault(code: str, text: bytes) -> bytes:
    skipped = _Skipped(code, text)
    return skipped.fault()


class _Skipped:
    """Text that is no record: its beginning, and how many lines it takes up."""

    def __init__(self, code: str, text: bytes) -> None:
        self.code = code
        self._head = text[:_RAW_BYTES]
        self._newlines = 0
        self._ends_line = False
        self._count(text)

    def add(self, text: bytes) -> None:
        self._count(text)

    def _count(self, text: bytes) -> None:
        self._newlines += text.count(b"\n")
        self._ends_line = text.endswith(b"\n") if text else self._ends_line

    def fault(self) -> bytes:
        """One line that says what is wrong, then a blank one for each further line, so that numbers stay right."""
        lines = self._newlines + (not self._ends_line)
        # Cut at a character's border: the rest was checked to be UTF-8.
        head = self._head.decode("utf-8", "ignore").rstrip("\n").replace("\n", JOIN)
        marked = FAULT.join(("", self.code, str(lines), head))
        return marked.encode() + b"\n" + b" \n" * (lines - 1)
