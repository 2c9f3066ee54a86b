"""rejected.csv: every rejected row as it came, with its reason, and fit to be sent back."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.oracle.books import Expected, RejectedRow, expect, shown
from tests.oracle.layouts import fold
from tests.oracle.random_feeds import Dialect, Feed, Table, feeds, file_of, tables
from tests.oracle.readings import Readers, Reading, read
from tests.oracle.returned_csv import RETURNED, ReturnedRow, is_dangerous, parse, unguarded
from tests.oracle.slow_settings import slow_is_fine

CONFLICT = "validation/conflicting_duplicate"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rejected")


def _own_columns(expected: Expected) -> list[str]:
    returned = {fold(name) for name in RETURNED}
    header = expected.layout.header or ["product_name", "quantity", "amount", "revenue"]
    return [name.strip() for name in header if fold(name) not in returned]


def _same_text(written: str, came: str) -> bool:
    """A cell is written as it came; the guard aside, whichever line end stands inside it, and what is no character."""
    plain = shown(written)
    return shown(came).strip() in (plain.strip(), unguarded(plain).strip())


def _is_row(returned: ReturnedRow, row: RejectedRow, expected: Expected) -> None:
    assert (returned.code, returned.field) in row.codes
    assert returned.message.endswith((".", "rows.")), returned.message
    if row.cells is None:
        assert shown(unguarded(returned.cells[0])).strip("\n") == shown(row.raw).strip("\n")
        assert set(returned.cells[1:]) <= {""}
        return
    returned_columns = {fold(name) for name in RETURNED}
    names = expected.layout.header or ["?"] * 4
    own = [cell for cell, name in zip(row.cells, names, strict=True) if fold(name) not in returned_columns]
    for written, came in zip(returned.cells, own, strict=True):
        assert _same_text(written, came), (written, came)
    assert not any(map(is_dangerous, returned.cells))


def _first_errors(reading: Reading) -> list[tuple[int | None, str, str, str]]:
    first: dict[int | None, tuple[int | None, str, str, str]] = {}
    for issue in reading.issues:
        if issue.severity == "ERROR":
            first.setdefault(issue.line, (issue.line, issue.code, issue.field or "", issue.message))
    return list(first.values())


@settings(slow_is_fine, max_examples=80)
@given(feed=feeds(options=True))
def test_every_rejected_row_is_in_it_as_it_came(feed_readers: Readers, folder: Path, feed: Feed) -> None:
    expected = expect(feed.content, feed.asked)
    reading = read(feed_readers, folder, feed.content, feed.asked)
    assert reading.rejected_rows == expected.books.rejected
    assert b"\r" not in reading.rejected.partition(b"\n")[0]
    csv_back = parse(reading.rejected)
    assert [name.strip() for name in csv_back.header] == _own_columns(expected)
    assert [row.line for row in csv_back.rows] == [row.line for row in expected.rejected_rows]
    assert [(r.line, r.code, r.field, r.message) for r in csv_back.rows] == _first_errors(reading)
    for returned, row in zip(csv_back.rows, expected.rejected_rows, strict=True):
        _is_row(returned, row, expected)


def _first_lines(content: bytes) -> list[int]:
    """On which physical line each row starts."""
    lines, at = [], 1
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        lines.append(at)
        at += 1 + sum(len(re.findall(r"\r\n?|\n", cell)) for cell in row)
    return lines


@settings(slow_is_fine, max_examples=30)
@given(feed=feeds())
def test_sent_back_unchanged_it_is_rejected_again_for_the_same_reasons(
    feed_readers: Readers, folder: Path, feed: Feed
) -> None:
    """A conflict needs the row that it conflicts with, and a row that was no row has no columns to be wrong in."""
    expected = expect(feed.content, feed.asked)
    rejected = read(feed_readers, folder, feed.content, feed.asked).rejected
    again = read(feed_readers, folder, rejected, feed.asked)
    assert again.books.received == expected.books.rejected
    codes: dict[int, set[tuple[str, str]]] = {}
    for issue in again.issues:
        if issue.line is not None and issue.severity == "ERROR":
            codes.setdefault(issue.line, set()).add((issue.code, issue.field or ""))
    for line, row in zip(_first_lines(rejected)[1:], expected.rejected_rows, strict=True):
        if row.cells is None:
            assert line in codes
        elif (CONFLICT, "transaction_id") not in row.codes:
            assert codes[line] == row.codes
    third = read(feed_readers, folder, again.rejected, feed.asked)
    conflicts = again.books.totals.get(CONFLICT, 0)
    assert again.books.rejected - conflicts <= third.books.rejected <= again.books.rejected


@settings(slow_is_fine, max_examples=30)
@given(table=tables(ids=False).filter(lambda table: bool(table.header)))
def test_what_is_fixed_in_it_counts_as_if_it_had_never_been_wrong(
    feed_readers: Readers, folder: Path, table: Table
) -> None:
    """The quantity of every row is spoilt, sent, mended in rejected.csv, and sent back."""
    fine = read(feed_readers, folder, file_of(table, Dialect()).content)
    at = table.fields.index("quantity")
    spoilt = Table(table.fields, table.header, [[*r[:at], "?" + r[at], *r[at + 1 :]] for r in table.rows], table.asked)
    sent = read(feed_readers, folder, file_of(spoilt, Dialect()).content)
    assert sent.books.accepted == 0
    rows = list(csv.reader(io.StringIO(sent.rejected.decode("utf-8-sig"), newline="")))
    column = [fold(name) for name in rows[0]].index(fold(table.header[at]))
    for row in rows[1:]:
        row[column] = row[column].removeprefix("?")
    mended = io.StringIO(newline="")
    csv.writer(mended).writerows(rows)
    back = read(feed_readers, folder, mended.getvalue().encode())
    assert back.books.contributions == fine.books.contributions
    assert back.books.accepted == fine.books.accepted
    assert back.books.received == sent.books.received
