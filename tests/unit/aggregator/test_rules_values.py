"""Every form of a number, date, name or code that is accepted, with its value, and every form that is refused."""

from decimal import Decimal

import pytest

from tests.unit.aggregator.feed_readings import Read

ISSUE = "validation/"


def _one(read: Read, header: str, *cells: str) -> tuple[list[str], object]:
    """Codes of the issues of a feed of one row, and its contribution (None if it was rejected)."""
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    reading = read(f"{header}\n{quoted}\n")
    assert reading.counts.rows_received == 1
    assert len(reading.contributions) == reading.counts.rows_accepted
    return [issue.code for issue in reading.issues], reading.contributions[0] if reading.contributions else None


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("-2", -2),
        ("5.0", 5),
        ("5.00", 5),
        ("5.0000", 5),
        (" 7 ", 7),
        ("007", 7),
        ("1000000000", 10**9),
    ],
)
def test_a_quantity_is_a_whole_number(read: Read, cell: str, value: int) -> None:
    codes, row = _one(read, "product_name,quantity,amount", "A", cell, "1")
    assert codes == []
    assert row is not None
    assert row.quantity == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("2.5", "invalid_quantity"),
        ("1e3", "invalid_quantity"),
        ("1,000", "invalid_quantity"),
        ("1.000,0", "invalid_quantity"),
        ("5.", "invalid_quantity"),
        ("--5", "invalid_quantity"),
        ("5-", "invalid_quantity"),
        ("٣", "invalid_quantity"),
        ("\uff15", "invalid_quantity"),
        ("five", "invalid_quantity"),
        ("NaN", "invalid_quantity"),
        ("0x10", "invalid_quantity"),
        ("1_000", "invalid_quantity"),
        ("1000000001", "out_of_range"),
        ("-1000000001", "out_of_range"),
        ("9" * 400, "out_of_range"),
        ("", "missing_value"),
        ("   ", "missing_value"),
    ],
)
def test_a_quantity_of_another_form_is_refused(read: Read, cell: str, code: str) -> None:
    assert _one(read, "product_name,quantity,amount", "A", cell, "1") == ([ISSUE + code], None)


def test_one_and_three_zeros_after_a_dot_is_no_quantity(read: Read) -> None:
    """1.000 is a thousand to one reader and one to another."""
    assert _one(read, "product_name,quantity,amount", "A", "1.000", "1") == ([ISSUE + "invalid_quantity"], None)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("20", "20"),
        ("+20.5", "20.5"),
        ("1,234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("19,99", "19.99"),
        ("19,9", "19.9"),
        (".5", "0.5"),
        ("1.234", "1.234"),
        ("0.1234", "0.1234"),
        ("0.12340000000000000000000000000000000000000000", "0.1234"),
        ("1234,567", "1234.567"),
        ("0,123", "0.123"),
        ("0,000", "0"),
        ("012,345.60", "12345.6"),
        ("\u00a020\u00a0", "20"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("0000000000000000000000000000000000000000000001", "1"),
    ],
)
def test_money_with_one_reading_is_exact(read: Read, cell: str, value: str) -> None:
    codes, row = _one(read, "product_name,quantity,amount", "A", "1", cell)
    assert codes == []
    assert row is not None
    assert (row.amount, row.revenue) == (Decimal(value), Decimal(value))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("1,234", "ambiguous_number"),
        ("-1,234", "ambiguous_number"),
        ("999,999", "ambiguous_number"),
        ("100,000", "ambiguous_number"),
        ("012,345", "ambiguous_number"),
        ("0,123.50", "invalid_amount"),
        ("0.123,50", "invalid_amount"),
        ("0,123,456", "invalid_amount"),
        ("1e3", "invalid_amount"),
        ("$5", "invalid_amount"),
        ("5 €", "invalid_amount"),
        ("EUR 5", "invalid_amount"),
        ("1 234", "invalid_amount"),
        ("1,23,456.0", "invalid_amount"),
        ("1.2.3", "invalid_amount"),
        ("1,2,3", "invalid_amount"),
        ("5.", "invalid_amount"),
        (".", "invalid_amount"),
        (",", "invalid_amount"),
        ("-", "invalid_amount"),
        ("(5)", "invalid_amount"),
        ("inf", "invalid_amount"),
        ("nan", "invalid_amount"),
        ("'5", "invalid_amount"),
        ("٣", "invalid_amount"),
        ("1.23456", "too_many_decimals"),
        ("1,23456", "too_many_decimals"),
        ("100000000000000", "out_of_range"),
        ("9" * 300, "out_of_range"),
        ("-5", "negative_amount"),
    ],
)
def test_money_of_another_form_is_refused(read: Read, cell: str, code: str) -> None:
    assert _one(read, "product_name,quantity,amount", "A", "1", cell) == ([ISSUE + code], None)


@pytest.mark.parametrize(
    ("quantity", "amount", "revenue", "expected"),
    [
        ("3", "1.2345", "", ("1.2345", "3.7035")),
        ("3", "", "10", ("3.3333", "10")),
        ("-3", "", "-10", ("3.3333", "-10")),
        ("6", "", "10", ("1.6667", "10")),
        ("8", "", "0.0004", ("0", "0.0004")),  # 0.00005 is half way: to the even 0.0000
        ("8", "", "0.0012", ("0.0002", "0.0012")),  # 0.00015 is half way: to the even 0.0002
        ("8", "", "0.0020", ("0.0002", "0.0020")),  # 0.00025 is half way: to the even 0.0002
        ("1000000000", "", "99999999999999.9999", ("100000", "99999999999999.9999")),
        ("7", "", "99999999999999.9999", ("14285714285714.2857", "99999999999999.9999")),
        ("-2", "5", "", ("5", "-10")),
        ("2", "0", "0", ("0", "0")),
    ],
)
def test_absent_money_is_derived_exactly(
    read: Read, quantity: str, amount: str, revenue: str, expected: tuple[str, str]
) -> None:
    codes, row = _one(read, "product_name,quantity,amount,revenue", "A", quantity, amount, revenue)
    assert codes == []
    assert row is not None
    assert (row.amount, row.revenue) == tuple(map(Decimal, expected))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("quantity", "amount", "revenue", "codes", "accepted"),
    [
        ("2", "5", "-10", ["sign_mismatch"], False),
        ("-2", "5", "10", ["sign_mismatch"], False),
        ("2", "", "-10", ["sign_mismatch"], False),
        ("2", "", "", ["missing_value"], False),
        ("1000000000", "1000000", "", ["out_of_range"], False),
        ("0", "5", "", ["zero_quantity"], True),
        ("0", "", "0", ["zero_quantity"], True),
        ("0", "5", "3", ["zero_quantity", "revenue_mismatch"], True),
        ("3", "3.33", "10", [], True),  # a cent off over three units
        ("3", "3.33", "10.0050", [], True),  # exactly half a cent per unit
        ("3", "3.33", "10.0051", ["revenue_mismatch"], True),
        ("-3", "3.33", "-10.0051", ["revenue_mismatch"], True),
        ("2", "5", "0", ["revenue_mismatch"], True),
        ("2.5", "x", "y", ["invalid_quantity", "invalid_amount", "invalid_revenue"], False),
    ],
)
def test_quantity_amount_and_revenue_must_agree(
    read: Read, quantity: str, amount: str, revenue: str, codes: list[str], accepted: bool
) -> None:
    found, row = _one(read, "product_name,quantity,amount,revenue", "A", quantity, amount, revenue)
    assert found == [ISSUE + code for code in codes]
    assert (row is not None) == accepted


def test_a_row_of_zero_units_keeps_its_amount_else_gets_zero(read: Read) -> None:
    reading = read("product_name,quantity,amount,revenue\nA,0,5,\nB,0,,0\n")
    assert [(c.product_name, c.amount, c.transactions) for c in reading.contributions] == [
        ("A", Decimal(5), 1),
        ("B", Decimal(0), 1),
    ]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2026-03-04", "2026-03-04"),
        ("20260304", "2026-03-04"),
        ("2026-03-04T10:15", "2026-03-04"),
        ("2026-03-04 10:15:59", "2026-03-04"),
        ("20260304T10:15:59.123456789", "2026-03-04"),
        ("2026-03-04T23:59:59Z", "2026-03-04"),
        ("2026-03-04T23:59:59 Z", "2026-03-04"),
        ("2026-03-04T23:59:59-11:00", "2026-03-04"),
        ("2026-03-04T23:59:59 +0530", "2026-03-04"),
        ("1970-01-01", "1970-01-01"),
        ("2024-02-29", "2024-02-29"),
        ("2027-03-04", "2027-03-04"),
    ],
)
def test_a_date_counts_as_the_day_that_is_written(read: Read, cell: str, day: str) -> None:
    codes, row = _one(read, "product_name,quantity,amount,occurred_at", "A", "1", "1", cell)
    assert codes == []
    assert row is not None
    assert row.sale_date.isoformat() == day  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "missing_value"),
        ("03/04/2026", "ambiguous_date"),
        ("3.4.2026", "ambiguous_date"),
        ("03-04-26", "ambiguous_date"),
        ("25/12/2026", "invalid_date"),
        ("2026/03/04", "invalid_date"),
        ("2026-3-4", "invalid_date"),
        ("2026-0304", "invalid_date"),
        ("202603-04", "invalid_date"),
        ("2026-02-29", "invalid_date"),
        ("2026-13-01", "invalid_date"),
        ("2026-03-04T24:00", "invalid_date"),
        ("2026-03-04T10:15:60", "invalid_date"),
        ("2026-03-04T10:60", "invalid_date"),
        ("2026-03-04T10", "invalid_date"),
        ("2026-03-04T10:15+25:00", "invalid_date"),
        ("2026-03-04T10:15+05:60", "invalid_date"),
        ("2026-03-04T10:15 CET", "invalid_date"),
        ("4 March 2026", "invalid_date"),
        ("1772582400", "invalid_date"),
        ("yesterday", "invalid_date"),
        ("1969-12-31", "date_out_of_range"),
        ("2027-03-05", "date_out_of_range"),
        ("9999-12-31", "date_out_of_range"),
    ],
)
def test_another_date_is_refused(read: Read, cell: str, code: str) -> None:
    assert _one(read, "product_name,quantity,amount,occurred_at", "A", "1", "1", cell) == ([ISSUE + code], None)


def test_without_a_date_column_a_row_gets_the_day_of_its_object(read: Read) -> None:
    assert [c.sale_date.isoformat() for c in read("A,1,2,2\n").contributions] == ["2026-03-04"]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("  Tee  ", "Tee"),
        ("\u3000Tee\u00a0", "Tee"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("two\nlines", "two lines"),
        ("two\r\nlines", "two lines"),
        ("inner  blanks", "inner  blanks"),
        ("naïve Ünïcödé 日本語 🎽", "naïve Ünïcödé 日本語 🎽"),
        ('5" pipe', '5" pipe'),
        ("it's", "it's"),
        ("'=1+1", "=1+1"),
        ("'-dash", "-dash"),
        ("'@home", "@home"),
        ("'quoted'", "'quoted'"),
        ("x" * 255, "x" * 255),
        ("é" * 255, "é" * 255),
        ("e\u0301" * 255, "é" * 255),
    ],
)
def test_a_name_is_kept_but_for_its_edges_and_its_normal_form(read: Read, cell: str, name: str) -> None:
    codes, row = _one(read, "product_name,quantity,amount", cell, "1", "1")
    assert codes == []
    assert row is not None
    assert row.product_name == name  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("field", "cell", "code"),
    [
        ("product_name", "a\tb", "control_character"),
        ("product_name", "a\x00b", "control_character"),
        ("product_name", "a\x7fb", "control_character"),
        ("product_name", "a\x85b", "control_character"),
        ("product_name", "a\ufdd0b", "control_character"),
        ("category", "a\x01b", "control_character"),
        ("transaction_id", "a\x01b", "control_character"),
        ("line_id", "a\x01b", "control_character"),
        ("product_id", "a\x01b", "control_character"),
        ("product_name", "é\x00b", "control_character"),
        ("category", "é\x00b", "control_character"),
        ("transaction_id", "é\x00b", "control_character"),
        ("line_id", "é\x00b", "control_character"),
        ("product_id", "é\x00b", "control_character"),
        ("product_name", "x" * 256, "too_long"),
        ("product_id", "x" * 129, "too_long"),
        ("category", "x" * 129, "too_long"),
        ("transaction_id", "x" * 129, "too_long"),
        ("line_id", "x" * 129, "too_long"),
        ("currency", "EURO", "invalid_currency"),
        ("currency", "XYZ", "invalid_currency"),
        ("currency", ",EU", "invalid_currency"),
        ("currency", "€", "invalid_currency"),
        ("currency", "u\u017fd", "invalid_currency"),
        ("currency", "\u0131nr", "invalid_currency"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused(read: Read, field: str, cell: str, code: str) -> None:
    names = ("product_name", "quantity", "amount", "product_id", "category", "transaction_id", "line_id", "currency")
    row = {"product_name": "A", "quantity": "1", "amount": "1", "transaction_id": "t", field: cell}
    assert _one(read, ",".join(names), *(row.get(name, "") for name in names)) == ([ISSUE + code], None)


def test_comparison_distinguishes_case_and_accents(read: Read) -> None:
    reading = read("Tee,1,1,1\ntee,1,1,1\nTée,1,1,1\nTee,1,1,1\n")
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("Tee", 2), ("Tée", 1), ("tee", 1)]


def test_currencies_are_upper_cased_and_never_guessed(read: Read) -> None:
    reading = read("product_name,quantity,amount,currency\nA,1,1,eur\nA,1,1,EUR\nA,1,1,\n")
    assert [(c.currency, c.transactions) for c in reading.contributions] == [("", 1), ("EUR", 2)]


def test_a_blank_name_falls_back_to_the_product_id(read: Read) -> None:
    reading = read("product_name,sku,quantity,amount\n,S1,1,1\nTee,S1,1,1\n,,1,1\n")
    assert reading.codes == [(2, "validation/missing_product_name"), (4, "validation/missing_value")]
    assert [(c.product_id, c.product_name) for c in reading.contributions] == [("S1", "S1"), ("S1", "Tee")]


def test_a_feed_without_names_is_no_reason_for_a_warning_per_row(read: Read) -> None:
    reading = read("sku,quantity,amount\nS1,1,1\n,1,1\n")
    assert reading.codes == [(3, "validation/missing_value")]
    assert [(c.product_id, c.product_name) for c in reading.contributions] == [("S1", "S1")]


def test_a_row_of_another_seller_is_rejected(read: Read) -> None:
    reading = read("seller_id,product_name,quantity,amount\nseller-1,A,1,1\nseller-2,A,1,1\n,A,1,1\nSELLER-1,A,1,1\n")
    assert reading.codes == [(3, "authorization/seller_mismatch"), (5, "authorization/seller_mismatch")]
    assert reading.counts.rows_accepted == 2
