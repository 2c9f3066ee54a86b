"""How a feed is laid out, told from a bounded sample of its text: delimiter, header, columns. Never a guess."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.columns import COMMISSIONED, Columns, known_names
from services.aggregator.rules.feed_sample import DELIMITERS, Sample
from services.aggregator.rules.file_signatures import EMPTY
from services.aggregator.rules.presets import Preset, columns_of, preset_of
from services.aggregator.rules.white_space import IN_BLANK_LINES

WITH_HEADER = "header"
HEADERLESS = "headerless"

_SAMPLED_RECORDS = 50
_NO_FIRST_ROW = (
    "The first row is longer than 256 KiB, or a quote in it is never closed: whether it is a header cannot be told."
)
_ACCEPTED = (
    "Accepted are four columns without a header (product_name, quantity, amount, revenue), or a header row with "
    "product_name or product_id, quantity, and amount or revenue; separated by comma, semicolon, tab or |."
)


@dataclass(frozen=True, slots=True)
class Layout:
    """`first_line`: the number of the first line that can hold data (from 1).

    `header`: the columns' names, as the feed has them or else as commissioned. `sample`: cells of its first rows.
    """

    name: str
    delimiter: str
    columns: Columns
    first_line: int
    header: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    preset: Preset | None = None

    @property
    def column_names(self) -> dict[str, str]:
        """Field → the name of its column."""
        return {field: self.header[position].strip() for field, position in self.columns.position.items()}


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    next_line: int
    cells: list[str]


@cache
def record_pattern(delimiter: str) -> re.Pattern[str]:
    """One record up to its line end. A quote opens a quoted cell only as the cell's first character after blanks."""
    cell = _cell(re.escape(delimiter))
    return re.compile(f"{cell}(?:{re.escape(delimiter)}{cell})*+(?:\n|$)")


def _cell(delimiter: str) -> str:
    return f'(?> *+"(?>[^"]++|"")*+"[^{delimiter}\n]*+|(?! *+")[^{delimiter}\n]*+)'


@cache
def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(delimiter)}({_cell(re.escape(delimiter))})")


def split_record(record: str, delimiter: str) -> list[str]:
    """The cells of one whole record, quotes taken off. For headers and samples; rows are split by the engine."""
    if '"' not in record:
        return record.split(delimiter)
    return [_unquote(cell) for cell in _cell_pattern(delimiter).findall(delimiter + record)]


def _unquote(cell: str) -> str:
    bare = cell.strip(" ")
    return bare[1:-1].replace('""', '"') if len(bare) > 1 and bare[0] == bare[-1] == '"' else cell


def recognise(sample: Sample) -> Layout:
    """Tells the layout from the beginning of a file.

    Raises UnreadableFeed when there is no row, or none of the accepted layouts is there beyond doubt.
    """
    if sample.sep is not None and sample.sep not in DELIMITERS:
        raise UnreadableFeed("format/unknown_delimiter", f"The sep= line names a delimiter not read here. {_ACCEPTED}")
    if sample.is_blank:
        raise UnreadableFeed(EMPTY.code, EMPTY.message)
    delimiters = DELIMITERS if sample.sep is None else (sample.sep,)
    first = {d: record for d in delimiters for record in _records(sample, d, 1)}
    if not first:
        raise UnreadableFeed("format/unknown_layout", f"{_NO_FIRST_ROW} {_ACCEPTED}")
    return _with_header(first, sample) or _headerless(delimiters, sample)


def _records(sample: Sample, delimiter: str, limit: int) -> Iterator[_Record]:
    """The sample's first records that are not blank; one that is cut off by the sample's end is left out."""
    pattern, line = record_pattern(delimiter), sample.line
    start = count = 0
    while start < len(sample.text) and count < limit:
        match = pattern.match(sample.text, start)
        if match is None:
            return
        text = match[0].removesuffix("\n")
        next_line = line + text.count("\n") + 1
        if text.strip(IN_BLANK_LINES + delimiter):
            count += 1
            yield _Record(line, next_line, split_record(text, delimiter))
        start, line = match.end(), next_line


def _with_header(first: dict[str, _Record], sample: Sample) -> Layout | None:
    headers = {delimiter: record.cells for delimiter, record in first.items()}
    known = {d: known_names(cells) for d, cells in headers.items()}
    presets = {d: preset for d, cells in headers.items() if (preset := preset_of(cells))}
    delimiter = next(iter(presets), max(known, key=lambda d: known[d], default=None))
    if delimiter is None or (delimiter not in presets and known[delimiter] < 2):
        return None
    header, preset = first[delimiter], presets.get(delimiter)
    columns = columns_of(header.cells)
    if columns.doubled:
        names = ", ".join(columns.doubled)
        raise UnreadableFeed("format/duplicate_columns", f"The header has more than one column for: {names}.")
    if columns.missing:
        raise UnreadableFeed("format/missing_columns", _lacking(header.cells, columns))
    return Layout(
        name=preset.name if preset else WITH_HEADER,
        delimiter=delimiter,
        columns=columns,
        first_line=header.next_line,
        header=tuple(header.cells[: columns.width]),
        sample=_cells(list(_records(sample, delimiter, _SAMPLED_RECORDS))[1:]),
        preset=preset,
    )


def _lacking(cells: list[str], columns: Columns) -> str:
    found = ", ".join(cell.strip()[:60] for cell in cells[:40])
    return f"The header lacks: {', '.join(columns.missing)}. Found: {found}. {_ACCEPTED}"


def _cells(records: list[_Record]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(record.cells) for record in records)


def _headerless(delimiters: Sequence[str], sample: Sample) -> Layout:
    """Most sampled rows must have the four columns, so that a broken first row does not fail the whole feed."""
    occurring = [d for d in delimiters if d in sample.text] or delimiters
    found = {d: list(_records(sample, d, _SAMPLED_RECORDS)) for d in occurring}
    fitting = {d: _fit(records) for d, records in found.items()}
    best = max(fitting.values())
    chosen = [d for d, fit in fitting.items() if fit == best]
    if best[0] * 2 <= len(found[chosen[0]]):
        raise UnreadableFeed("format/unknown_layout", f"The columns of this file are not known. {_ACCEPTED}")
    if len(chosen) > 1:
        raise UnreadableFeed("format/ambiguous_delimiter", "More than one delimiter gives four columns; add a header.")
    columns = Columns(len(COMMISSIONED), {name: i for i, name in enumerate(COMMISSIONED)})
    return Layout(HEADERLESS, chosen[0], columns, sample.first_line, COMMISSIONED, _cells(found[chosen[0]]))


def _fit(records: list[_Record]) -> tuple[int, int]:
    """How many rows have four columns (empty ones behind them aside), and in how many the second is a number."""
    four = [r.cells for r in records if len(r.cells) >= 4 and not any(cell.strip() for cell in r.cells[4:])]
    return len(four), sum(re.fullmatch(r"\s*[+-]?[0-9.]+\s*", cells[1]) is not None for cells in four)
