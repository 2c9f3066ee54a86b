"""Makes any text feed safe for the engine's CSV scanner: afterwards one line is one record, and line n is line n.

DuckDB's own framing loses rows on mixed line ends, numbers records instead of lines, and drops blank lines. So the
text is checked and put straight here, in blocks of bytes and without a loop over rows; a file that needs nothing
is not copied.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.record_grammar import RecordGrammar
from services.aggregator.adapters.utf8_blocks import LazyCopy, normalised
from services.aggregator.rules.reading_progress import Reached

# Unicode noncharacters are never text, so they can carry meaning from here to the SQL. Those that the file itself
# holds become ESCAPED, which the rules treat as a control character. So does NUL: the engine's nfc_normalize() ends
# a text there, and would make two products, or two sales, one.
JOIN = "\ufdd0"  # stands where a line end stood inside a quoted cell
ESCAPED = "\ufdd1"
FAULT = "\ufdd2"  # begins a line that is no record: FAULT code FAULT number-of-lines FAULT text

# What stands for them in the text of a fault, where the scanner must take nothing for a line end, quote or delimiter.
_HIDDEN = str.maketrans({"\n": JOIN, '"': "\ufdd5", ",": "\ufdd6", ";": "\ufdd7", "\t": "\ufdd8", "|": "\ufdd9"})
_SHOWN = {ord(hidden): chr(shown) for shown, hidden in _HIDDEN.items()}
NEVER, NULL = "\ufdd3", "\ufdd4"  # in no line at all: the scanner's delimiter and NULL word
_RESERVED = re.compile(b"\xef\xb7[\x90-\x99]|\x00")

MAX_RECORD_BYTES = 1 << 18
_RAW_BYTES = 2_000  # of a fault's text; four times the characters that an issue shows
BLANK_LINE = b" \n"  # the scanner drops lines of nothing
_BLANK_LINES_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class FramedText:
    """`path` is the file itself when it was fine as it is. `lines` is what the scanner must find in it."""

    path: Path
    lines: int
    is_copy: bool

    def discard(self) -> None:
        """Removes the copy, if there is one."""
        if self.is_copy:
            self.path.unlink(missing_ok=True)


def frame(
    path: Path, copy: Path, delimiter: str, charset: str | None = None, reached: Reached = lambda _: None
) -> FramedText:
    """Reads `path` once and writes `copy` only if it must. `charset`: where there is no byte order mark.
    `reached` hears how many bytes of `path` were read.

    Raises UnreadableFeed with the zero-based byte offset when the bytes are no text in the file's encoding.
    """
    with path.open("rb") as source, LazyCopy(path, copy) as sink:
        framing = _Framing(delimiter)
        for block, changed in normalised(source, sink, charset):
            for framed, reframed in framing.feed(block):
                sink.write(framed, changed=changed or reframed)
            reached(source.tell())
        for tail, changed in framing.finish():
            sink.write(tail, changed=changed)
        return FramedText(copy if sink.copying else path, sink.lines, sink.copying)


class _Framing:
    """Joins records that span lines and marks those that cannot be read, keeping the number of every line."""

    def __init__(self, delimiter: str) -> None:
        self._grammar = RecordGrammar(delimiter)
        self._carry = b""
        self._open = False  # the carry begins with a record whose quote is not closed yet
        self._skipped: _SkippedRecord | None = None

    def feed(self, block: bytes) -> Iterator[tuple[bytes, bool]]:
        """The framed form of what can be framed so far, and whether it differs from what came in."""
        if self._skipped is not None:
            end = self._skipped.add(block)
            if end is None:
                return
            yield from self._skipped.fault()
            self._skipped = None
            block = block[end:]
        block = self._carry + block
        cut = block.rfind(b"\n") + 1
        whole, self._carry = block[:cut], block[cut:]
        yield self._whole_lines(whole)
        if len(self._carry) > MAX_RECORD_BYTES:
            self._skipped = _SkippedRecord(self._grammar)
            self._skipped.add(self._carry)
            self._carry = b""
            self._open = False

    def finish(self) -> Iterator[tuple[bytes, bool]]:
        """What is left at the end of the file; a last line without a line end is a line."""
        if self._skipped is not None:
            yield from self._skipped.fault()
            return
        rest = self._carry
        if not rest:
            return
        if not rest.endswith(b"\n"):
            rest += b"\n"
        self._carry = b""
        framed, changed = self._whole_lines(rest)
        yield framed, changed
        if self._open:
            yield _fault("format/unclosed_quote", self._carry), True

    def _whole_lines(self, lines: bytes) -> tuple[bytes, bool]:
        self._open = False
        lines, changed = _escaped(lines)
        if b'"' in lines:
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
            fine = self._grammar.one_line_records.match(lines, at)
            at = fine.end() if fine else at
            if at == len(lines):
                break
            parts.append(lines[start:at])
            if record := self._grammar.well_formed.match(lines, at):
                text = record[0][:-1]
                parts.append(text.replace(b"\n", JOIN.encode()) + b"\n" + BLANK_LINE * text.count(b"\n"))
            elif record := self._grammar.ended.match(lines, at):
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
    """Stands for whole lines that are no record, so that those after them keep their numbers."""
    lines = text.count(b"\n")
    return marked(code, lines, text[:_RAW_BYTES]) + BLANK_LINE * (lines - 1)


def marked(code: str, lines: int, head: bytes) -> bytes:
    """The line that stands for `lines` lines which are no record: the rule of this code rejects it."""
    return fault_line(code, lines, head).encode() + b"\n"


def fault_line(code: str, lines: int, head: bytes) -> str:
    """What stands for a record that is none: its code, how many lines it takes up, and how it begins."""
    # Cut at a character's border: the rest was checked to be UTF-8.
    text = _escaped(head[:_RAW_BYTES])[0].decode("utf-8", "ignore").rstrip("\n")
    return FAULT.join(("", code, str(lines), text.translate(_HIDDEN)))


def shown_text(line: str) -> tuple[str, int]:
    """A framed line's text as it came, and how many lines of the file it takes up, where that is told."""
    lines = 1
    if line.startswith(FAULT):
        _, _, taken, line = line.split(FAULT, 3)
        lines = int(taken)
    return line.translate(_SHOWN), lines


class _SkippedRecord:
    """A record longer than memory allows: its beginning, the lines that it takes up, and whether a quote is open."""

    def __init__(self, grammar: RecordGrammar) -> None:
        self._grammar = grammar
        self._gist = self._head = b""
        self._newlines = 0
        self._ends_line = False

    def add(self, block: bytes) -> int | None:
        """Where in `block` the record ends, its line end included; None if it goes on."""
        text = self._gist + block
        record = self._grammar.ended.match(text)
        end = record.end() - len(self._gist) if record else None
        self._gist = b"" if record else self._grammar.gist(text)
        part = block[:end]
        self._head += part[: max(0, _RAW_BYTES - len(self._head))]
        self._newlines += part.count(b"\n")
        self._ends_line = part.endswith(b"\n") if part else self._ends_line
        return end

    def fault(self) -> Iterator[tuple[bytes, bool]]:
        """What stands for it, in blocks: it may have more lines than memory would hold."""
        code = "format/unclosed_quote" if self._gist == b'"' else "format/line_too_long"
        lines = self._newlines + (not self._ends_line)
        yield marked(code, lines, self._head), True
        for done in range(1, lines, _BLANK_LINES_AT_ONCE):
            yield BLANK_LINE * min(lines - done, _BLANK_LINES_AT_ONCE), True
