"""Rows that are in a feed twice, and the books that must close over them."""

from decimal import Decimal
from pathlib import Path
from unicodedata import normalize

import pytest

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from tests.oracle import readings
from tests.oracle.readings import Readers
from tests.unit.aggregator.feed_readings import Read, read_path

HEADER = "transaction_id,line_id,sku,product_name,quantity,amount,currency,occurred_at\n"
DUPLICATE, CONFLICT = "validation/duplicate", "validation/conflicting_duplicate"
CONTROL = "validation/control_character"


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,S,A,1,2,EUR,2026-03-01", DUPLICATE),
        ("t1,,S,A,1,2,EUR,2026-03-01", " t1,,S,A ,1.0,2.00,eur,20260301T10:00Z", DUPLICATE),
        ("t1,,S,Cafe\u0301,1,2,EUR,2026-03-01", "t1,,S,Caf\u00e9,1,2,EUR,2026-03-01", DUPLICATE),
        ("t1,l1,S,A,1,2,EUR,2026-03-01", "t1,l1,S,A,1,2,EUR,2026-03-01", DUPLICATE),
        ("t1,,,A,1,2,EUR,2026-03-01", "t1,,,A,1,2,EUR,2026-03-01", DUPLICATE),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,S,A,2,2,EUR,2026-03-01", CONFLICT),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,S,B,1,2,EUR,2026-03-01", CONFLICT),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,S,A,1,2,USD,2026-03-01", CONFLICT),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,S,A,1,2,EUR,2026-03-02", CONFLICT),
        ("t1,l1,S,A,1,2,EUR,2026-03-01", "t1,l1,T,A,1,2,EUR,2026-03-01", CONFLICT),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t2,,S,A,1,2,EUR,2026-03-01", None),
        ("t1,,S,A,1,2,EUR,2026-03-01", "T1,,S,A,1,2,EUR,2026-03-01", None),
        ("t1,,S,A,1,2,EUR,2026-03-01", "t1,,T,A,1,2,EUR,2026-03-01", None),
        ("t1,,,S,1,2,EUR,2026-03-01", "t1,,S,S,1,2,EUR,2026-03-01", None),
        ("t1,l1,S,A,1,2,EUR,2026-03-01", "t1,l2,S,A,1,2,EUR,2026-03-01", None),
        (",,S,A,1,2,EUR,2026-03-01", ",,S,A,1,2,EUR,2026-03-01", None),
        (",l1,S,A,1,2,EUR,2026-03-01", ",l1,S,A,1,2,EUR,2026-03-01", None),
    ],
)
def test_what_makes_two_rows_one(read: Read, first: str, second: str, code: str | None) -> None:
    reading = read(HEADER + first + "\n" + second + "\n")
    assert reading.codes == ([(3, code)] if code else [])
    assert reading.counts.rows_accepted == (1 if code else 2)
    assert reading.counts.rows_duplicate == (code == DUPLICATE)
    assert reading.counts.rows_rejected == (code == CONFLICT)
    assert sum(c.transactions for c in reading.contributions) == reading.counts.rows_accepted


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("t1,,S,A", "t1,,\tS,A"),
        ("t1,,S,A", "t1,,'=S,A"),
        ("t1,,'=S,A", "t1,,=S,A"),
        ("t1,,,A", "t1,,\t,A"),
        ("t1,,,A", "t1,,,A\u00a0"),
        ("t1,,,Cafe\u0301", "t1,,,Caf\u00e9"),
        ("t1,,S,A", "t1,,S,A\t"),
        ("t1,l1,S,A", "t1,l1,S,A\t"),
    ],
)
def test_an_identity_is_that_of_the_values_as_understood_in_large_files_too(
    tmp_path: Path, first: str, second: str
) -> None:
    path = tmp_path / "feed.csv"
    others = "".join(f"u{n},,S{n % 7},Name {n % 7},1,2,EUR,2026-03-01\n" for n in range(500))
    rows = f"{first},1,2,EUR,2026-03-01\n{second},1,2,EUR,2026-03-01\n"
    path.write_text(HEADER + others + rows, encoding="utf-8")
    with DuckDbFeedReader(tmp_path / "engine", small_file_bytes=0) as reader:
        reading = read_path(reader, path)
    same = _understood(first) == _understood(second)
    assert reading.codes == ([(503, DUPLICATE)] if same else [])
    assert reading.counts.rows_accepted == 501 + (not same)
    assert sum(c.transactions for c in reading.contributions) == reading.counts.rows_accepted


def _understood(row: str) -> list[str]:
    cells = (cell.strip() for cell in row.split(","))
    return [normalize("NFC", cell[1:] if cell.startswith("'=") else cell) for cell in cells]


def test_the_first_row_stands_and_all_others_are_held_against_it(read: Read) -> None:
    row = "t1,,S,A,{},2,EUR,2026-03-01\n"
    reading = read(HEADER + "".join(row.format(quantity) for quantity in (1, 2, 1, 2, 3)))
    assert reading.codes == [(3, CONFLICT), (4, DUPLICATE), (5, CONFLICT), (6, CONFLICT)]
    assert reading.totals == {DUPLICATE: 1, CONFLICT: 3}
    assert [c.revenue for c in reading.contributions] == [Decimal(2)]


def test_a_rejected_row_occupies_no_identity(read: Read) -> None:
    reading = read(HEADER + "t1,,S,A,x,2,EUR,2026-03-01\nt1,,S,A,1,2,EUR,2026-03-01\nt1,,S,A,,2,EUR,2026-03-01\n")
    assert reading.codes == [(2, "validation/invalid_quantity"), (4, "validation/missing_value")]
    assert reading.counts.rows_accepted == 1


def test_a_duplicate_keeps_the_warnings_of_its_own(read: Read) -> None:
    reading = read(HEADER + "t1,,S,A,0,2,EUR,2026-03-01\n" * 2)
    assert reading.codes == [(2, "validation/zero_quantity"), (3, DUPLICATE), (3, "validation/zero_quantity")]


def test_groups_are_whole_in_key_order_and_sum_exactly(read: Read) -> None:
    rows = ["B,3,0.1,0.3", "A,2,10,20", "B,1,0.2,0.2", "A,-1,10,-10", "A,1,99999999999999.9999,"] * 1_000
    reading = read("\n".join(rows))
    assert [(c.product_name, c.quantity, c.amount, c.revenue, c.transactions) for c in reading.contributions] == [
        ("A", 2_000, Decimal("100000000000019999.9000"), Decimal("100000000000009999.9000"), 3_000),
        ("B", 4_000, Decimal("300.0000"), Decimal("500.0000"), 2_000),
    ]


def test_what_follows_a_nul_is_never_cut_off(read: Read) -> None:
    rows = "".join(f"t{n},Tee,1,1\n" for n in range(60))
    odd = "é\0-1001,Tee,1,1\né\0-1002,Tee,1,1\nt60,é\0 Blue,1,1\nt61,é\0 Red,1,1\n"
    reading = read("order id,product_name,quantity,amount\n" + rows + odd)
    assert reading.codes == [(line, "validation/control_character") for line in (62, 63, 64, 65)]
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("Tee", 60)]


@pytest.mark.parametrize("header", ["sku,line_id,quantity,amount\n", "transaction_id,line_id,sku,quantity,amount\n"])
@pytest.mark.parametrize(("line_id", "code"), [("l" * 129, "validation/too_long"), ("a\x01b", CONTROL)])
def test_a_line_id_is_judged_whether_there_are_transactions_or_not(
    feed_readers: Readers, tmp_path: Path, header: str, line_id: str, code: str
) -> None:
    cells = {"sku": "S", "line_id": line_id, "quantity": "1", "amount": "2", "transaction_id": "t"}
    row = ",".join(cells[name] for name in header.strip().split(","))
    reading = readings.read(feed_readers, tmp_path, f"{header}{row}\n".encode())
    assert [(issue.line, issue.field, issue.code) for issue in reading.issues] == [(2, "line_id", code)]
    assert reading.contributions == []
