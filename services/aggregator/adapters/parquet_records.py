"""Turns a Parquet file into rows of text: exact decimals, dates as dates, and nothing that its writer did not say."""

# ruff: noqa: S608 - what is pasted is the path that the flow chose and the file's own column names, both quoted

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.duckdb_row_sql import quoted
from services.aggregator.adapters.keyed_records import MAX_COLUMNS, check_header, too_many_columns
from services.aggregator.errors import Outage, UnreadableFeed
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.typed_values import NESTED, Unfit, Writing, fields_of

_BATCH = 500
_ENGINE_MB = 128
_TOO_SHORT = "Could not read enough bytes"
"""The one IOException that a damaged file raises: it says that there is more of it than there is."""
_MAX_DEPTH = 22
"""Of nodes in the schema, two to a list: with each further list the engine takes twice as long to open the file."""
_NESTED = re.compile(r".*\]|(STRUCT|MAP|UNION|VARIANT)\b.*", re.DOTALL)
_MOMENTS = re.compile(r"DATE|TIMESTAMP.*", re.DOTALL)
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL.*", re.DOTALL)
_ZONED = "TIMESTAMP WITH TIME ZONE"

Convert = Callable[[Any], str]


def write_parquet(path: Path, out: CanonicalCsv, writing: Writing, preparing: Preparing) -> None:
    """Writes a header and one line for each row, and tells `preparing` how many.

    Raises UnreadableFeed: `format/broken_file` when it is no Parquet that can be read; for names that are no feed's.
    Raises Outage where the local disk is at fault.
    """
    # An engine of its own: a damaged file can make DuckDB stop answering for good, and the process's engine is shared.
    with duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{_ENGINE_MB}MB",
            "threads": 1,
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    ) as engine:
        # DuckDB takes some programs for people at a terminal, and would draw among their log lines.
        engine.execute("SET enable_progress_bar = false")
        try:
            _write(engine, quoted(str(path)), out, writing, preparing)
        except duckdb.Error as error:
            # Out of memory is no outage here: no other feed is in this engine, and every try would meet the same.
            if isinstance(error, duckdb.IOException) and _TOO_SHORT not in str(error):
                raise Outage(f"the local disk is at fault: {str(error).partition(chr(10))[0]}") from error
            message = "This Parquet file is damaged, or was written in a way that cannot be read."
            raise UnreadableFeed("format/broken_file", message) from error


def _write(
    engine: duckdb.DuckDBPyConnection, path: str, out: CanonicalCsv, writing: Writing, preparing: Preparing
) -> None:
    names = _column_names(engine, path)
    if len(names) > MAX_COLUMNS:
        raise too_many_columns()
    check_header(names, is_empty=False)
    fields = fields_of(names)
    described = engine.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()
    types = [str(row[1]) for row in described]
    selected = ", ".join(_selected(str(row[0]), str(row[1])) for row in described)
    converts = [_convert(kind, field, writing) for kind, field in zip(types, fields, strict=True)]
    out.row(names)
    [(total,)] = engine.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({path})").fetchall()
    reached, done = preparing.stage(int(total or 0)), 0
    rows = engine.execute(f"SELECT {selected} FROM read_parquet({path})")
    while batch := rows.fetchmany(_BATCH):
        for row in batch:
            try:
                out.row(["" if v is None else convert(v) for convert, v in zip(converts, row, strict=True)])
            except Unfit as unfit:
                out.fault(unfit.code, ", ".join("" if v is None else str(v) for v in row))
        done += len(batch)
        reached(done)


def _column_names(engine: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """As the file has them: the engine renames what differs from another name in its case alone.

    Raises UnreadableFeed for a file that the engine would be reading for hours, or for good.
    """
    schema = engine.execute(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({path})").fetchall()
    names: list[str] = []
    to_come: list[int] = []  # of each node around this one, how many more children it has
    for name, children in schema:
        if len(to_come) == 1:
            names.append(name)
        if to_come:
            to_come[-1] -= 1
        to_come.append(children)
        if len(to_come) > _MAX_DEPTH:
            raise UnreadableFeed("format/unsupported", f"The column {names[-1][:60]!r} is nested too deeply.")
        while to_come and not to_come[-1]:
            to_come.pop()
    return names


def _selected(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if _NESTED.fullmatch(kind):
        return f"CASE WHEN {column} IS NOT NULL THEN CAST(to_json({column}) AS VARCHAR) END"
    if kind == "BLOB":
        # Some writers leave out that a column is text. What is no UTF-8 becomes a character that the rules refuse.
        return f"CASE WHEN {column} IS NOT NULL THEN coalesce(TRY(decode({column})), chr(64977)) END"
    if kind == _ZONED:
        return f"CAST({column} AT TIME ZONE 'UTC' AS VARCHAR)"
    if kind in ("VARCHAR", "BOOLEAN", "FLOAT", "DOUBLE") or _NUMBERS.fullmatch(kind):
        return column
    return f"CAST({column} AS VARCHAR)"


def _convert(kind: str, field: str | None, writing: Writing) -> Convert:
    if _NESTED.fullmatch(kind):
        return _refuse if field else str
    if kind == "BOOLEAN":
        return lambda value: writing.boolean(value, field)
    if kind in ("FLOAT", "DOUBLE"):
        return lambda value: writing.binary(value, field)
    if _NUMBERS.fullmatch(kind):
        return lambda value: writing.exact(value, field)
    if _MOMENTS.fullmatch(kind):
        return lambda text: _moment(text, kind == _ZONED, field, writing)
    return str


def _refuse(value: object) -> str:
    raise Unfit(NESTED)


def _moment(text: str, zoned: bool, field: str | None, writing: Writing) -> str:
    """The engine's text of a timestamp; what is beyond Python's years stays as it is, for the rules to refuse."""
    try:
        moment = datetime.fromisoformat(text[:26] + ("+00:00" if zoned else ""))
    except ValueError:
        return text
    return writing.moment(moment, field)
