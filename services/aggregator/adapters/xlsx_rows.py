"""Turns one worksheet of an Excel workbook into rows of text, sheet row n into line n, in bounded memory.

openpyxl reads the parts; the rows are asked of its parser directly, because its worksheet fills gaps between rows,
however large, drops rows that are out of order without a word, and keeps something of every row.
"""

import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError, iterparse
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.keyed_records import MAX_COLUMNS, too_many_columns
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.columns import COMMISSIONED, known_names
from services.aggregator.rules.file_signatures import ARCHIVE
from services.aggregator.rules.typed_values import Unfit, Writing, fields_of
from services.aggregator.rules.white_space import IN_BLANK_LINES
from shared.schemas.issues import Issue, Severity

CELL_ERROR = "format/cell_error"
_LAST_ROW = 1_048_576
_MAX_TEXTS, _MAX_PART = 64 << 20, 8 << 20
"""Bytes of XML: of the table of texts and of every other part that is held in memory as a whole."""
_MAX_ROW = 8 << 20
"""Bytes of XML in one row; the widest that Excel writes has less than 2 MiB."""
_BROKEN = (
    BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
)
"""What zipfile and openpyxl raise for workbooks that are none (the last two: unknown or encrypted compression)."""

Cell = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """The sheet that was read, and what is to be said about the others."""

    name: str
    notes: tuple[Issue, ...]


def write_sheet(path: Path, out: CanonicalCsv, writing: Writing, wanted: str | None, max_bytes: int) -> ReadSheet:
    """Writes the worksheet of this name, or else the first one, whether it is hidden or not.

    Raises UnreadableFeed: `format/archive` for a zip that is no workbook, `format/broken_file`, `format/too_large`,
    and `reference/invalid_option` when there is no such sheet.
    """
    # What it would lose if it wrote the workbook again (styles, headers, extensions) is nothing that is read here.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
    try:
        with ZipFile(path) as archive:
            _check_parts(archive, max_bytes)
        with path.open("rb") as file:
            book = _Workbook(file)
            book.read()
            return _write(book, out, writing, wanted)
    except _BROKEN as error:
        message = "This Excel workbook (or zip archive) is damaged, or was written in a way that cannot be read."
        raise UnreadableFeed("format/broken_file", message) from error


def _check_parts(archive: ZipFile, max_bytes: int) -> None:
    """Before anything is unpacked. What the archive says of its sizes is held to when it is read."""
    sizes = {part.filename: part.file_size for part in archive.infolist()}
    if "xl/workbook.bin" in sizes:
        message = "This is a binary workbook (.xlsb). Please save it as .xlsx, or send CSV."
        raise UnreadableFeed("format/unsupported", message)
    if "[Content_Types].xml" not in sizes or not any(name.startswith("xl/") for name in sizes):
        raise UnreadableFeed(ARCHIVE.code, ARCHIVE.message)
    if sum(sizes.values()) > max_bytes:
        message = f"Unpacked, this workbook has more than {max_bytes:,} bytes. Please send it in parts."
        raise UnreadableFeed("format/too_large", message)


class _Archive(ZipFile):
    """Of its parts only the rows are streamed; the others are held as a whole, so they must not be too large."""

    def read(self, name: str | ZipInfo, pwd: bytes | None = None) -> bytes:
        self.check(name, _MAX_PART)
        return super().read(name, pwd)

    def check(self, name: str | ZipInfo, limit: int) -> None:
        part = name if isinstance(name, ZipInfo) else self.getinfo(name)
        if part.file_size > limit:
            message = "This workbook holds more different texts or styles than fit in memory. Please send it as CSV."
            raise UnreadableFeed("format/too_large", message)


class _Workbook(ExcelReader):
    """Only the parts that cells need: a workbook with a broken theme or print area has good rows all the same."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self.archive: _Archive = _Archive(file)

    def read(self) -> None:
        self.read_manifest()
        texts = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call] # so are its stubs
        if texts is not None:
            self.archive.check(texts.PartName[1:], _MAX_TEXTS)
        self.read_strings()
        try:
            self.read_workbook()
        except OSError as error:  # its word for a package without one
            raise ValueError("no workbook") from error
        apply_stylesheet(self.archive, self.wb)


class _Rows(WorkSheetParser):
    """The rows of a sheet and nothing else of it; each is let go of once it was given."""

    def __init__(self, source: "_Metered", **settings: Any) -> None:
        super().__init__(source, **settings)
        self._metered = source

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        data = None
        for event, element in iterparse(self._metered, ("start", "end")):  # noqa: S314 - expat fetches nothing and bounds what entities become
            if element.tag == ROW_TAG and event == "end":
                yield self.parse_row(element)
                self.row_dimensions.clear()
                if data is not None:
                    data.clear()
                self._metered.row_ended()
            elif element.tag == DATA_TAG:
                if event == "end":
                    break
                data = element
        self._metered.read_to_end()


class _Metered:
    """The XML of a sheet; raises UnreadableFeed when one row takes up more of it than memory should hold."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._of_row = 0

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self._of_row += len(block)
        if self._of_row > _MAX_ROW:
            raise UnreadableFeed("format/too_large", "One row of this workbook is larger than any that Excel writes.")
        return block

    def row_ended(self) -> None:
        self._of_row = 0

    def read_to_end(self) -> None:
        """What follows the rows is not wanted, but only at its end does the archive tell whether it is sound."""
        while self._source.read(1 << 18):
            pass


def _write(book: _Workbook, out: CanonicalCsv, writing: Writing, wanted: str | None) -> ReadSheet:
    sheets = {sheet.name: rel.target for sheet, rel in book.parser.find_sheets() if rel.Type.endswith("/worksheet")}
    if not sheets:
        raise ValueError("no worksheet")
    name = wanted if wanted in sheets else None if wanted else next(iter(sheets))
    if name is None:
        names = ", ".join(map(repr, sheets))
        message = f"The workbook has no worksheet named {wanted!r}; it has: {names[:1_000]}."
        raise UnreadableFeed("reference/invalid_option", message)
    with book.archive.open(sheets[name]) as source:
        parser = _Rows(
            _Metered(source),
            shared_strings=book.shared_strings,
            data_only=True,
            epoch=book.wb.epoch,
            date_formats=book.wb._date_formats,  # type: ignore[attr-defined] # absent from the stubs
            timedelta_formats=book.wb._timedelta_formats,  # type: ignore[attr-defined]
        )
        _write_rows(parser.rows(), out, writing)
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
