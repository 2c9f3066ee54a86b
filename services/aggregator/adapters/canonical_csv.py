"""Writes the one form in which every format that is no delimited text reaches the reader: one record, one line.

UTF-8, commas, RFC 4180 quotes where needed. A record that could not be turned into cells is a line that says so, as
the framing writes it (see duckdb_line_framing).
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from services.aggregator.adapters.duckdb_line_framing import BLANK_LINE, ESCAPED, MAX_RECORD_BYTES, marked
from services.aggregator.errors import UnreadableFeed

_LINE_ENDS = re.compile("\r\n|[\r\n]")
_NOT_TEXT = re.compile("[\0\ufdd0-\ufdd4\ud800-\udfff]")
"""NUL, what the framing means something by, and halves of characters."""
_NOT_PLAIN = re.compile("[\0\r\n\ufdd0-\ufdd4\ud800-\udfff]")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


class CanonicalCsv:
    """Writes to `path`; never more than `max_bytes`, whatever the rows would need."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.lines = 0
        self._out = path.open("wb", buffering=1 << 18)
        self._max_bytes = self._left = max_bytes
        self._csv = csv.writer(_Echo(), lineterminator="\n")

    def row(self, cells: Sequence[str]) -> None:
        """One record. Line ends in it become spaces, and what is no text becomes what the rules refuse."""
        line = self._line(cells)
        if _NOT_PLAIN.search(line, 0, len(line) - 1):
            line = self._line([_NOT_TEXT.sub(ESCAPED, _LINE_ENDS.sub(" ", cell)) for cell in cells])
        encoded = line.encode()
        if len(encoded) > MAX_RECORD_BYTES:
            self.fault("format/line_too_long", line)
            return
        self._write(encoded)

    def blank(self) -> None:
        """A line that is no row."""
        self._write(BLANK_LINE)

    def fault(self, code: str, raw: str) -> None:
        """A record that is none: the rule of this code rejects it, and shows the beginning of `raw`."""
        self._write(marked(code, 1, _NOT_TEXT.sub(ESCAPED, raw[:MAX_RECORD_BYTES]).encode()))

    def start_again(self) -> None:
        """Forgets all that was written."""
        self._out.seek(0)
        self._out.truncate()
        self.lines, self._left = 0, self._max_bytes

    def _line(self, cells: Sequence[str]) -> str:
        line: str = self._csv.writerow(cells)
        return line

    def _write(self, line: bytes) -> None:
        self._left -= len(line)
        if self._left < 0:
            message = "What this file holds is larger than the operator allows. Please send it in parts."
            raise UnreadableFeed("format/too_large", message)
        self.lines += 1
        self._out.write(line)

    def close(self) -> None:
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
