"""Turns one worksheet of an Excel workbook into rows of text, sheet row n into line n, in bounded memory.

How a workbook is opened, and held to limits, is in xlsx_workbook.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from zipfile import ZipFile

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.keyed_records import MAX_COLUMNS, too_many_columns
from services.aggregator.adapters.xlsx_workbook import BROKEN, Cell, Workbook, check_parts
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.columns import COMMISSIONED, known_names
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.typed_values import Unfit, Writing, fields_of
from services.aggregator.rules.white_space import IN_BLANK_LINES
from shared.schemas.issues import Issue, Severity

# What openpyxl would lose if it wrote a workbook again (styles, headers, extensions) is nothing that is read here. Set
# once, for the process: filters are no thread's own, and workbooks are read in several.
warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")

CELL_ERROR = "format/cell_error"
_LAST_ROW = 1_048_576


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """The sheet that was read, and what is to be said about the others."""

    name: str
    notes: tuple[Issue, ...]


def write_sheet(
    path: Path, out: CanonicalCsv, writing: Writing, wanted: str | None, max_bytes: int, preparing: Preparing
) -> ReadSheet:
    """Writes the worksheet of this name, or else the first one, whether it is hidden or not.

    Raises UnreadableFeed: `format/archive` for a zip that is no workbook, `format/broken_file`, `format/too_large`,
    and `reference/invalid_option` when there is no such sheet.
    """
    try:
        with ZipFile(path) as archive:
            check_parts(archive, max_bytes)
        with path.open("rb") as file:
            book = Workbook(file)
            book.read()
            return _write(book, out, writing, wanted, preparing)
    except BROKEN as error:
        message = "This Excel workbook (or zip archive) is damaged, or was written in a way that cannot be read."
        raise UnreadableFeed("format/broken_file", message) from error


def _write(book: Workbook, out: CanonicalCsv, writing: Writing, wanted: str | None, preparing: Preparing) -> ReadSheet:
    sheets = book.worksheets()
    if not sheets:
        raise ValueError("no worksheet")
    name = wanted if wanted in sheets else None if wanted else next(iter(sheets))
    if name is None:
        names = ", ".join(map(repr, sheets))
        message = f"The workbook has no worksheet named {wanted!r}; it has: {names[:1_000]}."
        raise UnreadableFeed("reference/invalid_option", message)
    _write_rows(book.rows(sheets[name], preparing), out, writing)
    others = [other for other in sheets if other != name]
    return ReadSheet(name, (_others_note(name, others),) if others else ())


def _others_note(name: str, others: list[str]) -> Issue:
    shown = ", ".join(others[:20]) + (", …" if len(others) > 20 else "")
    message = f"Only the sheet {name!r} was read. The workbook has others, which were not: {shown}."
    return Issue(code="format/other_sheets", severity=Severity.INFO, message=message)


def _write_rows(rows: Iterator[tuple[int, list[Cell]]], out: CanonicalCsv, writing: Writing) -> None:
    fields: list[str | None] | None = None
    width = 0
    for number, cells in rows:
        if not out.lines < number <= _LAST_ROW:
            raise ValueError("rows out of order")
        while out.lines < number - 1:
            out.blank()
        values = _in_their_columns(cells)
        if not values:
            out.blank()
            continue
        if fields is None:
            fields, width = _fields(values, writing)
        try:
            texts = [_text(cell, fields[at] if at < width else None, writing) for at, cell in enumerate(values)]
            # A cell that was never filled in is an empty one.
            out.row(texts + [""] * (width - len(texts)))
        except Unfit as unfit:
            out.fault(unfit.code, ", ".join(str(cell["value"]) if cell else "" for cell in values))


def _in_their_columns(cells: Sequence[Cell]) -> list[Cell | None]:
    """Up to the last cell that holds something; a cell may be told apart from its row by its column alone."""
    written = [cell for cell in cells if not _is_blank(cell["value"])]
    if not written:
        return []
    placed: list[Cell | None] = [None] * max(cell["column"] for cell in written)
    for cell in written:
        if placed[cell["column"] - 1] is not None:
            raise ValueError("one cell twice")
        placed[cell["column"] - 1] = cell
    return placed


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(IN_BLANK_LINES))


def _fields(first: Sequence[Cell | None], writing: Writing) -> tuple[list[str | None], int]:
    """What the columns mean, told by the first row that is not blank, and how many there are."""
    names = [_text(cell, None, writing) for cell in first]
    if len(names) > MAX_COLUMNS:
        raise too_many_columns()
    if known_names(names) >= 2:
        return fields_of(names), len(names)
    fields: list[str | None] = list(COMMISSIONED)
    return fields, len(fields)


def _text(cell: Cell | None, field: str | None, writing: Writing) -> str:
    if cell is None:
        return ""
    value = cell["value"]
    if cell["data_type"] == "e" and field:
        raise Unfit(CELL_ERROR)
    if isinstance(value, str):
        return value.replace("_x000D_", "\r")
    if isinstance(value, bool):
        return writing.boolean(value, field)
    if isinstance(value, int):
        return writing.exact(value, field)
    if isinstance(value, float):
        return writing.binary(value, field)
    if isinstance(value, date):
        return writing.moment(value, field)
    if isinstance(value, time | timedelta):
        return str(value)
    raise ValueError("a value of an unknown kind")
