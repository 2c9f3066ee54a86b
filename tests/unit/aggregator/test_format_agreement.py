"""The same rows are the same books, whatever format, compression and character set they come in."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from tests.unit.aggregator.feed_readings import Reading, read_path

NAMES = ["order_id", "product_name", "sku", "quantity", "amount", "revenue", "currency", "date", "colour"]
# As a marketplace's program holds them: texts, whole numbers, exact money, days, and gaps.
TEXTS = st.sampled_from(["Tee", "Café – 5 €", 'say "hi", twice', "a;b|c", "O'Neil", "=SUM(A1)", " Tee ", "{x}", ""])
ROW = st.tuples(
    st.sampled_from([None, None, "t1", "t2", "t3"]),
    TEXTS,
    st.sampled_from([None, "S-1", "S-2"]),
    st.one_of(st.integers(-3, 9), st.none(), st.just(2_000_000_000)),
    st.one_of(st.decimals(-1, 999, places=2), st.none(), st.just(Decimal("0.0001"))),
    st.one_of(st.decimals(-999, 999, places=4), st.none()),
    st.sampled_from([None, "EUR", "usd", "XXQ"]),
    st.one_of(st.dates(date(2026, 1, 1), date(2026, 3, 4)), st.none(), st.just(date(1969, 12, 31))),
    st.sampled_from([None, "red"]),
)
Rows = list[tuple[Any, ...]]


def as_text(value: object) -> str:
    return "" if value is None else str(value)


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(NAMES)
    writer.writerows([[as_text(value) for value in row] for row in rows])
    return out.getvalue()


def as_objects(rows: Rows) -> list[str]:
    """Money as JSON numbers with their exact digits, which json.dumps cannot write."""

    def written(value: object) -> str:
        return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, default=str)

    return ["{" + ", ".join(f'"{n}": {written(v)}' for n, v in zip(NAMES, row, strict=True)) + "}" for row in rows]


def as_parquet(rows: Rows, money: str) -> bytes:
    path = Path("written.parquet")
    types = ["VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", money, money, "VARCHAR", "DATE", "VARCHAR"]
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE t ({', '.join(f'{n} {t}' for n, t in zip(NAMES, types, strict=True))})")
        for row in rows:
            engine.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(NAMES))})", row)  # noqa: S608 - placeholders
        engine.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def as_xlsx(rows: Rows) -> bytes:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(NAMES)
    for number, row in enumerate(rows, 2):
        for column, value in enumerate(row, 1):
            if value is not None:
                sheet.cell(number, column, value).data_type = (
                    "s" if isinstance(value, str) else "d" if isinstance(value, date) else "n"
                )
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


FORMS: dict[str, tuple[Callable[[Rows], bytes], dict[str, str]]] = {
    "tsv": (lambda rows: as_csv(rows, "\t").encode(), {}),
    "semicolons": (lambda rows: as_csv(rows, ";").encode("utf-8-sig"), {}),
    "json lines": (lambda rows: "\n".join(as_objects(rows)).encode(), {}),
    "json array": (lambda rows: f"[{','.join(as_objects(rows))}]".encode(), {}),
    "parquet": (lambda rows: as_parquet(rows, "DECIMAL(18,4)"), {}),
    "parquet doubles": (lambda rows: as_parquet(rows, "DOUBLE"), {}),
    "xlsx": (as_xlsx, {}),
    "gzip": (lambda rows: gzip.compress(as_csv(rows).encode()), {}),
    "zstd": (lambda rows: zstandard.ZstdCompressor().compress("\n".join(as_objects(rows)).encode()), {}),
    "utf-16": (lambda rows: as_csv(rows).encode("utf-16"), {}),
    "cp1252": (lambda rows: as_csv(rows).encode("cp1252"), {"charset": "windows-1252"}),
    "json in utf-16-le": (lambda rows: "\r\n".join(as_objects(rows)).encode("utf-16-le"), {"charset": "utf-16-le"}),
}
ONE_LINE_LESS = {"json lines", "json array", "parquet", "parquet doubles", "zstd", "json in utf-16-le"}
"""Forms that have no line for a header."""


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW, min_size=1, max_size=10), form=st.sampled_from(sorted(FORMS)))
def test_every_format_gives_the_same_books(
    feed_reader: DuckDbFeedReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Rows, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # The first row names all: JSON without a value has no less names than CSV.
    path = tmp_path / "feed"
    path.write_bytes(as_csv(rows).encode())
    expected = read_path(feed_reader, path)
    write, options = FORMS[form]
    path.write_bytes(write(rows))
    found = read_path(feed_reader, path, options=options)
    assert found.counts == expected.counts
    assert found.contributions == expected.contributions
    assert found.totals == expected.totals
    assert codes(found, form in ONE_LINE_LESS) == codes(expected)


def codes(reading: Reading, one_line_less: bool = False) -> list[tuple[int | None, str, str | None]]:
    return [(i.line and i.line + one_line_less, i.code, i.field) for i in reading.issues]
