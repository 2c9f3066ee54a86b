"""An Excel workbook as openpyxl reads its parts, and the rows of one worksheet, in bounded memory.

The rows are asked of openpyxl's parser directly, because its worksheet fills gaps between rows, however large, drops
rows that are out of order without a word, and keeps something of every row.
"""

import zlib
from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import ParseError, iterparse
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.file_signatures import ARCHIVE
from services.aggregator.rules.reading_progress import Preparing, Reached

_MAX_TEXTS, _MAX_PART = 64 << 20, 8 << 20
"""Bytes of XML: of the table of texts and of every other part that is held in memory as a whole."""
_MAX_ROW = 8 << 20
"""Bytes of XML in one row; the widest that Excel writes has less than 2 MiB."""
BROKEN = (
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


def check_parts(archive: ZipFile, max_bytes: int) -> None:
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


class Workbook(ExcelReader):
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

    def worksheets(self) -> dict[str, str]:
        """The name of each, in their order, and the part of the archive that holds it."""
        sheets = self.parser.find_sheets()
        return {sheet.name: rel.target for sheet, rel in sheets if rel.Type.endswith("/worksheet")}

    def rows(self, part: str, preparing: Preparing) -> Iterator[tuple[int, list[Cell]]]:
        """The rows of a worksheet as they are written, each with its number; tells `preparing` how far it is."""
        with self.archive.open(part) as source:
            yield from _Rows(
                _Metered(source, preparing.stage(self.archive.getinfo(part).file_size)),
                shared_strings=self.shared_strings,
                data_only=True,
                epoch=self.wb.epoch,
                date_formats=self.wb._date_formats,  # type: ignore[attr-defined] # absent from the stubs
                timedelta_formats=self.wb._timedelta_formats,  # type: ignore[attr-defined]
            ).rows()


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

    def __init__(self, source: IO[bytes], reached: Reached) -> None:
        self._source = source
        self._reached = reached
        self._of_row = self._of_all = 0

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self._of_row += len(block)
        self._of_all += len(block)
        self._reached(self._of_all)
        if self._of_row > _MAX_ROW:
            raise UnreadableFeed("format/too_large", "One row of this workbook is larger than any that Excel writes.")
        return block

    def row_ended(self) -> None:
        self._of_row = 0

    def read_to_end(self) -> None:
        """What follows the rows is not wanted, but only at its end does the archive tell whether it is sound."""
        while self._source.read(1 << 18):
            pass
