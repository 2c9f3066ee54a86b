"""rejected.csv: the rows that did not count, in the seller's own columns, with the reason; to be mended and sent back.

Text that a spreadsheet would run gets a leading ', which the reader takes off again; it ignores the added columns.
Source of the rule: OWASP, "CSV Injection".
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from services.aggregator.rules.columns import RETURNED_COLUMNS, is_returned
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.row_rule import RowRule

_RUNS = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*|[+-]?[.,][0-9]+")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """`cells` is None where the row could not be split into the feed's columns; then `text` stands for all of it."""

    line: int
    rule: RowRule
    message: str
    cells: list[str] | None
    text: str


def write_rejected_csv(path: Path, layout: Layout, rows: Iterable[RejectedRow]) -> int:
    """How many rows were written. The columns of `layout` without personal ones, and those that tell the reason."""
    personal = layout.preset.is_personal if layout.preset else lambda _: False
    kept = [n for n, name in enumerate(layout.header) if not is_returned(name) and not personal(name)]
    count = 0
    # With a mark: spreadsheets want it, and it says what the text is when it comes back under options as before.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*(safe(layout.header[n]) for n in kept), *(name.replace(" ", "_") for name in RETURNED_COLUMNS)])
        for row in rows:
            count += 1
            if row.cells is not None:
                cells = [safe(row.cells[n]) if n < len(row.cells) else "" for n in kept]
            else:
                # A row that nobody could split may have personal data anywhere in it.
                cells = ["" if layout.preset else safe(row.text), *[""] * (len(kept) - 1)]
            out.writerow([*cells, row.line, row.rule.code, row.rule.field or "", row.message])
    return count


def safe(text: str) -> str:
    """The text as no spreadsheet runs it."""
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text
