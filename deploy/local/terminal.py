"""What the developer sees while the stack comes up: one line per thing done, with the time since the start."""

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told what is being done, as it is done."""

    def say(self, what: str, doing: str) -> None: ...


class Terminal:
    """Prints lines like `[  3.2s] mariadb      started on port 41733`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._started = time.monotonic()

    def say(self, what: str, doing: str) -> None:
        elapsed = time.monotonic() - self._started
        print(f"[{elapsed:6.1f}s] {what:<12} {doing}", file=self._stream, flush=True)


class Silence:
    """Says nothing; for tests."""

    def say(self, what: str, doing: str) -> None:
        pass


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as their longest cell; numbers (as text) to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    numeric = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(headers))]

    def line(cells: list[str]) -> str:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return ("  " + "  ".join(aligned)).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *(line(row) for row in rows)])


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()
