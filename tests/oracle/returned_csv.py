"""What a rejected.csv must be, read with the standard csv module."""

import codecs
import csv
import io
from dataclasses import dataclass

RETURNED = ["rejected_line", "rejected_code", "rejected_field", "rejected_message"]
NUMBER = frozenset("0123456789.,+-")


@dataclass(frozen=True)
class ReturnedRow:
    """One rejected row: the seller's cells, and why."""

    cells: list[str]
    line: int
    code: str
    field: str
    message: str


@dataclass(frozen=True)
class ReturnedCsv:
    """`header` is the seller's own columns."""

    header: list[str]
    rows: list[ReturnedRow]


def parse(content: bytes) -> ReturnedCsv:
    """Raises AssertionError if it is not of the form that was promised."""
    assert content.startswith(codecs.BOM_UTF8), "spreadsheets want a mark"
    text = content.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header[-4:] == RETURNED
    for row in rows:
        assert len(row) == len(header), row
    return ReturnedCsv(header[:-4], [ReturnedRow(row[:-4], int(row[-4]), row[-3], row[-2], row[-1]) for row in rows])


def is_dangerous(cell: str) -> bool:
    """Whether a spreadsheet might run it: it begins like a formula and is no number."""
    return cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not set(cell) <= NUMBER


def unguarded(cell: str) -> str:
    """Without the ' that guards what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@", "\t", "\r") else cell
