"""Makes delimited text of whatever was handed in, told from its content and never from its name.

CSV and its kin are left as they are. Everything else becomes one canonical CSV (see canonical_csv), so that the same
rules judge the rows of every format.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.decompressed_file import decompress
from services.aggregator.adapters.json_records import json_array, json_lines
from services.aggregator.adapters.keyed_records import write_objects
from services.aggregator.adapters.parquet_records import write_parquet
from services.aggregator.adapters.utf8_blocks import HEAD_BYTES, decoded
from services.aggregator.adapters.xlsx_rows import write_sheet
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.charsets import charset_of
from services.aggregator.rules.file_signatures import (
    BINARY,
    COMPRESSED_TWICE,
    Refusal,
    compression_of,
    container_of,
    is_binary,
    refusal_for,
)
from services.aggregator.rules.json_signs import LINES, json_kind
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.typed_values import Writing
from shared.schemas.feed_options import FeedOptions
from shared.schemas.issues import Issue

_HEADER_IN_FRONT = -1
"""Our header is a line more than the file has lines, or elements."""
_UNPACKING, _ONE_PASS = 0.3, 0.8
"""The share of what is still to be done that unpacking, and going through JSON once, are counted as."""


@dataclass(frozen=True, slots=True)
class PreparedText:
    """Delimited text, and what it was before.

    `charset`: of the text that was handed in, None for Parquet and XLSX. `is_ours`: it is canonical CSV in UTF-8, of
    `lines` lines; a row's number is its line's plus `line_offset`. `notes` are about the feed.
    """

    path: Path
    format: str
    compression: str | None = None
    charset: str | None = None
    sheet: str | None = None
    line_offset: int = 0
    notes: tuple[Issue, ...] = ()
    is_ours: bool = False
    lines: int = 0


def prepare(
    path: Path, scratch: Path, options: FeedOptions, max_bytes: int, told: Callable[[int], None]
) -> PreparedText:
    """Recognises the file and prepares it; `scratch` is a folder that is made if anything must be written.

    Whoever calls removes it, also after an error. Raises UnreadableFeed; no more than `max_bytes` are ever written to
    one file, of which there may be two. `told` hears how far it is, in percent.
    """
    preparing = Preparing(told)
    head = _head(path)
    compression = compression_of(head)
    if compression:
        scratch.mkdir(exist_ok=True)
        inside = scratch / "decompressed"
        decompress(path, compression, inside, max_bytes, preparing.stage(path.stat().st_size, _UNPACKING))
        path, head = inside, _head(inside)
        if compression_of(head):
            raise _refused(COMPRESSED_TWICE)
    container = container_of(head)
    if container:
        return _of_container(container, path, _canonical(scratch), options, max_bytes, compression, preparing)
    if refusal := refusal_for(head):
        raise _refused(refusal)
    charset, mark = charset_of(head, options.charset)
    if not mark and charset == "utf-8" and is_binary(head):
        raise _refused(BINARY)
    is_whole = len(head) < HEAD_BYTES
    # Before anything is told from it: text in another character set looks like an unknown layout.
    beginning = decoded(head[len(mark) :], charset, len(mark), is_whole=is_whole)
    if not mark and charset != "utf-8" and is_binary(beginning.encode("utf-8", "replace")):
        raise _refused(BINARY)
    kind = json_kind(beginning, is_whole=is_whole)
    if kind is None:
        return PreparedText(path, "csv", compression, charset)
    elements = json_lines if kind == LINES else json_array
    with CanonicalCsv(_canonical(scratch), max_bytes) as out:
        # If all has to be written again, that is a pass of its own.
        size = path.stat().st_size
        write_objects(lambda: elements(path, charset, preparing.stage(size, _ONE_PASS)), out, _writing(options))
    return PreparedText(
        path=out.path,
        format=kind,
        compression=compression,
        charset=charset,
        line_offset=_HEADER_IN_FRONT,
        is_ours=True,
        lines=out.lines,
    )


def _of_container(
    container: str,
    path: Path,
    canonical: Path,
    options: FeedOptions,
    max_bytes: int,
    compression: str | None,
    preparing: Preparing,
) -> PreparedText:
    sheet = None
    with CanonicalCsv(canonical, max_bytes) as out:
        if container == "parquet":
            write_parquet(path, out, _writing(options), preparing)
        else:
            sheet = write_sheet(path, out, _writing(options), options.sheet, max_bytes, preparing)
    return PreparedText(
        path=out.path,
        format="xlsx" if sheet else "parquet",
        compression=compression,
        sheet=sheet.name if sheet else None,
        line_offset=0 if sheet else _HEADER_IN_FRONT,
        notes=sheet.notes if sheet else (),
        is_ours=True,
        lines=out.lines,
    )


def _canonical(scratch: Path) -> Path:
    scratch.mkdir(exist_ok=True)
    return scratch / "canonical.csv"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _writing(options: FeedOptions) -> Writing:
    return Writing(options.decimal_separator, options.date_format)


def _refused(refusal: Refusal) -> UnreadableFeed:
    return UnreadableFeed(refusal.code, refusal.message)
