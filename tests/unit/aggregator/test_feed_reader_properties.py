"""Random feeds with planted faults, held against an oracle that reads them the slow and obvious way."""

import csv
import io
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from tests.unit.aggregator.feed_readings import OBJECT_DAY, Reading, read_path

FIELDS = ["order_id", "product_name", "quantity", "amount", "revenue", "currency", "date"]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Feed:
    """A feed's text, and the delimiter it was written with."""

    text: str
    delimiter: str


NAMES = st.one_of(
    st.sampled_from(
        ["Tee", "tee", "Cafe\u0301", "Caf\u00e9", "a,b;c|d", 'say "hi"', "two\nlines", "", " Tee ", "日本"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp", "Zs")), max_size=6),
)
CELLS = {
    "order_id": st.sampled_from(["", "", "t1", "t2", "t3"]),
    "product_name": NAMES.filter(lambda name: not name.startswith(("'", "\ufeff")) and not name.endswith("\ufeff")),
    "quantity": st.sampled_from(["1", "2", "-3", "8.0", "7", "0", "1.5", "x", "", "2000000000"]),
    "amount": st.sampled_from(["10", "3.33", "0.0001", "", "", "-1", "1e3", "1.23456", "99999999999999"]),
    "revenue": st.sampled_from(["", "", "10", "-10", "0", "26.64", "0.0004", "0.0012", "abc", "0.00001"]),
    "currency": st.sampled_from(["", "EUR", "eur", "USD", "XXQ"]),
    "date": st.sampled_from(["2026-03-01", "20260302", "2026-03-01T10:00Z", "", "03/04/2026", "1969-12-31", "soon"]),
}
ROWS = st.tuples(*(CELLS[name] for name in FIELDS)).map(list)
PLANTED = st.one_of(
    st.just("blank"), st.just("spaces"), st.just("delimiters"), st.just("few"), st.just("many"), st.just("stray")
)


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    delimiter = draw(st.sampled_from(",;|"))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow(FIELDS)
    for item in draw(st.lists(st.one_of(ROWS, ROWS, ROWS, PLANTED), max_size=12)):
        if isinstance(item, list):
            writer.writerow([*item, ""] if draw(st.integers(0, 9)) == 0 else item)
        else:
            planted = {
                "blank": "",
                "spaces": "  ",
                "delimiters": delimiter * 6,
                "few": delimiter.join(["t9", "Tee", "1"]),
                "many": delimiter.join(["t9", "Tee", "1", "1", "1", "EUR", "2026-03-01", "more"]),
                "stray": delimiter.join(["t9", '"Tee"x', "1", "1", "1", "EUR", "2026-03-01"]),
            }
            out.write(planted[item] + "\n")
    text = out.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    if draw(st.integers(0, 4)) == 0:
        text += ("" if text.endswith("\n") else "\n") + delimiter.join(["t9", '"never closed', "1"]) + "\n\nthe end"
    return Feed(text.replace("\n", ending), delimiter)


@dataclass
class Books:
    """What the oracle counts."""

    received: int
    rejected: int
    duplicate: int
    issues: list[tuple[int, str]]
    groups: dict[tuple[str, Key], tuple[int, Decimal, Decimal, int]]


def oracle(feed: Feed) -> Books:
    """One row at a time, with the standard csv module and Decimal."""
    text = feed.text.replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=feed.delimiter)
    books = Books(0, 0, 0, [], {})
    seen: dict[tuple[str, str], object] = {}
    groups: dict[tuple[str, Key], list[tuple[int, Decimal, Decimal]]] = defaultdict(list)
    source = text.split("\n")
    end, header = 0, True
    for cells in reader:
        start, end = end + 1, reader.line_num
        raw = "\n".join(source[start - 1 : end])
        if header or not raw.strip(" \n" + feed.delimiter):
            header = False
            continue
        books.received += 1
        codes, values = _judge(raw, cells)
        if not codes or all(code in WARNINGS for code in codes):
            identity = (cells[0], values[0])
            if cells[0] and identity in seen:
                same = seen[identity] == values
                books.duplicate += same
                books.rejected += not same
                codes = ["validation/duplicate" if same else "validation/conflicting_duplicate", *codes]
            else:
                seen[identity] = values
                name, currency, day, quantity, amount, revenue = values
                groups[(day, ("", name, currency))].append((quantity, amount, revenue))
        else:
            books.rejected += 1
        books.issues += [(start, code) for code in codes]
    books.groups = {
        key: (sum(q for q, _, _ in rows), sum(a for _, a, _ in rows), sum(r for _, _, r in rows), len(rows))  # type: ignore[misc]
        for key, rows in groups.items()
    }
    return books


WARNINGS = {"validation/zero_quantity", "validation/revenue_mismatch"}


def _judge(raw: str, cells: list[str]) -> tuple[list[str], tuple[str, str, str, int, Decimal, Decimal]]:
    nothing = ("", "", "", 0, Decimal(), Decimal())
    if "never closed" in raw:
        return ["format/unclosed_quote"], nothing
    if '"Tee"x' in raw:
        return ["format/stray_quote"], nothing
    if len(cells) > len(FIELDS) and any(cell.strip() for cell in cells[len(FIELDS) :]):
        return ["format/too_many_columns"], nothing
    if len(cells) < len(FIELDS):
        return ["format/too_few_columns"], nothing
    _, name, quantity, amount, revenue, currency, day = (cell.strip() for cell in cells[: len(FIELDS)])
    codes: Counter[str] = Counter()
    codes["missing_value"] += (name == "") + (quantity == "") + (amount == revenue == "") + (day == "")
    codes["invalid_quantity"] += quantity in ("1.5", "x")
    codes["out_of_range"] += quantity == "2000000000"
    codes["invalid_amount"] += amount == "1e3"
    codes["too_many_decimals"] += (amount == "1.23456") + (revenue == "0.00001")
    codes["invalid_revenue"] += revenue == "abc"
    codes["negative_amount"] += amount == "-1"
    codes["invalid_currency"] += currency == "XXQ"
    codes["ambiguous_date"] += day == "03/04/2026"
    codes["invalid_date"] += day == "soon"
    codes["date_out_of_range"] += day == "1969-12-31"
    number = {"x", "", "1.5", "1e3", "abc", "2000000000", "1.23456", "0.00001"}
    q = None if quantity in number else int(Decimal(quantity))
    a = None if amount in number else Decimal(amount)
    r = None if revenue in number else Decimal(revenue)
    if q is not None and r is not None and q * r < 0:
        codes["sign_mismatch"] += 1
    if q is not None and a is not None and revenue == "" and a >= 0 and abs(q * a) >= 10**14:
        codes["out_of_range"] += 1
    found = [f"validation/{code}" for code in codes.elements()]
    if found:
        return found, nothing
    assert q is not None
    notes = ["validation/zero_quantity"] if q == 0 else []
    with localcontext(prec=60):
        if a is not None and r is not None and abs(r - q * a) > abs(q) * Decimal("0.005"):
            notes.append("validation/revenue_mismatch")
        if a is None:
            assert r is not None
            a = (r / q).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if q else Decimal(0)
        r = q * a if r is None else r
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}" if "-" not in day else day[:10]
    name = unicodedata.normalize("NFC", name.replace("\n", " "))
    return notes, (name, currency.upper(), iso, q, a, r)


def books_of(reading: Reading) -> Books:
    counts = reading.counts
    groups = {
        (c.sale_date.isoformat(), (c.product_id, c.product_name, c.currency)): (
            c.quantity,
            c.amount,
            c.revenue,
            c.transactions,
        )
        for c in reading.contributions
    }
    issues = [(issue.line or 0, issue.code) for issue in reading.issues]
    return Books(counts.rows_received, counts.rows_rejected, counts.rows_duplicate, issues, groups)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(feed=feeds())
def test_the_engine_and_the_oracle_agree(
    feed_reader: DuckDbFeedReader, tmp_path_factory: pytest.TempPathFactory, feed: Feed
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "property.csv"
    path.write_bytes(feed.text.encode())
    reading = read_path(feed_reader, path, batch_size=2)
    found, expected = books_of(reading), oracle(feed)
    assert sorted(found.issues) == sorted(i for i in expected.issues) or _no_rows(found, expected)
    assert found.groups == expected.groups
    assert (found.received, found.rejected, found.duplicate) == (
        expected.received,
        expected.rejected,
        expected.duplicate,
    )
    assert [line for line, _ in found.issues] == sorted(line for line, _ in found.issues)
    keys = [(c.sale_date, c.product_id, c.product_name.encode(), c.currency) for c in reading.contributions]
    assert keys == sorted(set(keys))
    rows_of_code = Counter(code for _, code in {(line, code) for line, code in found.issues if line})
    assert {code: rows for code, rows in reading.totals.items() if rows} == rows_of_code
    assert OBJECT_DAY not in {c.sale_date for c in reading.contributions}


def _no_rows(found: Books, expected: Books) -> bool:
    return found.issues == [(0, "format/no_rows")] and expected.received == 0
