"""Makes any text feed safe for the engine's CSV scanner: afterwards one line is one record, and line n is line n.

DuckDB's own framing loses rows on mixed line ends, numbers records instead of lines, and drops blank lines. So the
text is checked and put straight here, in blocks of bytes and without a loop over rows; a file that needs nothing
is not copied.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.utf8_blocks import LazyCopy, normalised

# Unicode noncharacters are never text, so they can carry meaning from here to the SQL. Those that the file itself
# holds become ESCAPED, which the rules treat as a control character. So does NUL: the engine's nfc_normalize() ends
# a text there, and would make two products, or two sales, one.
JOIN = "\ufdd0"  # stands where a line end stood inside a quoted cell
ESCAPED = "\ufdd1"
FAULT = "\ufdd2"  # begins a line that is no record: FAULT code FAULT number-of-lines FAULT text
NEVER, NULL = "\ufdd3", "\ufdd4"  # in no line at all: the scanner's delimiter and NULL word
_RESERVED = re.compile(b"\xef\xb7[\x90-\x94]|\x00")

MAX_RECORD_BYTES = 1 << 18
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
    with path.open("rb") as source, LazyCopy(path, copy) as sink:
        framing = _Framing(delimiter)
        for block, changed in normalised(source, sink):
            framed, reframed = framing.feed(block)
            sink.write(framed, changed=changed or reframed)
        tail, changed = framing.finish()
        sink.write(tail, changed=changed)
        return FramedText(copy if sink.copying else path, sink.lines, framing.has_quotes, sink.copying)


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
        lines, changed = _escaped(lines)
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


def _escaped(text: bytes) -> tuple[bytes, bool]:
    if b"\x00" not in text and b"\xef\xb7" not in text:
        return text, False
    text, found = _RESERVED.subn(ESCAPED.encode(), text)
    return text, found > 0


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
        head = _escaped(self._head)[0].decode("utf-8", "ignore").rstrip("\n").replace("\n", JOIN)
        marked = FAULT.join(("", self.code, str(lines), head))
        return marked.encode() + b"\n" + b" \n" * (lines - 1)
