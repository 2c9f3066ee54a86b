"""JSON Lines: every line a row of its own, whatever is wrong with another."""

import json

import pytest

from services.aggregator.adapters.json_records import MAX_OBJECT
from services.aggregator.adapters.keyed_records import MAX_COLUMNS
from services.aggregator.adapters.utf8_blocks import BLOCK_BYTES
from tests.unit.aggregator.feed_readings import Read, refusal

GOOD = '{"product_name": "A", "quantity": 1, "amount": 2}'


def test_it_is_recognised_and_reported_by_the_lines_of_the_file(read: Read) -> None:
    reading = read(f"\n{GOOD}\r\n \r\n{GOOD.replace('1', '1.5')}\n{GOOD}")
    assert reading.recognised.model_dump(exclude_none=True, exclude={"layout", "columns", "ignored_columns"}) == {
        "format": "json_lines",
        "charset": "utf-8",
    }
    assert reading.codes == [(4, "validation/invalid_quantity")]
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("A", 2)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{bad", "format/broken_json"),
        (GOOD + ",", "format/broken_json"),
        ("5", "format/broken_json"),
        ("[1]", "format/broken_json"),
        ('{"quantity": NaN}', "format/broken_json"),
        ('{"x": ' + "[" * 100_000, "format/broken_json"),
        (GOOD[:-1] + ', "x": ' + "[" * 101 + "]" * 101 + "}", "format/nested_value"),
        (GOOD[:-1] + ', "x": ' + '{"x":' * 600 + "1" + "}" * 600 + "}", "format/nested_value"),
        ('{"quantity": 1, "quantity": 2}', "format/repeated_key"),
        ('{"x": 1, "x": 1}', "format/repeated_key"),
        ('{"product_name": ["A"], "quantity": 1, "amount": 1}', "format/nested_value"),
        ('{"product_name": "A", "quantity": {"n": 1}, "amount": 1}', "format/nested_value"),
        ('{"product_name": true, "quantity": 1, "amount": 1}', "format/nested_value"),
        ('{"product_name": "A", "quantity": true, "amount": 1}', "validation/invalid_quantity"),
        ('{"product_name": "\\ud800", "quantity": 1, "amount": 1}', "validation/control_character"),
        ('{"product_name": "\\u0000", "quantity": 1, "amount": 1}', "validation/control_character"),
        ('{"product_name": "\\ufdd2format/broken_json", "quantity": 1, "amount": 1}', "validation/control_character"),
        ('{"product_name": "' + "x" * 300_000 + '", "quantity": 1, "amount": 1}', "format/line_too_long"),
        ('{"x": "' + "x" * (3 * MAX_OBJECT) + '"}', "format/line_too_long"),
    ],
    ids=range(19),
)
def test_a_line_that_is_no_row_costs_no_other(read: Read, line: str, code: str) -> None:
    reading = read(f"{GOOD}\n{line}\n{GOOD}\n{GOOD}\n")
    assert [codes for codes in reading.codes if codes[0]] == [(2, code)]
    assert reading.counts.rows_accepted == 3
    rejected = next(issue for issue in reading.issues if issue.line)
    assert rejected.raw
    if code.startswith("format/") and "\\u" not in line:
        assert line.startswith(rejected.raw) or "x" * 100 in rejected.raw


def test_an_ignored_column_may_hold_what_is_nested_a_hundred_deep(read: Read) -> None:
    nested = '{"y":[' * 50 + "]}" * 50
    reading = read(f'{GOOD[:-1]}, "x": {nested}}}\n')
    assert [code for code in reading.codes if code[0]] == []
    assert reading.counts.rows_accepted == 1


@pytest.mark.parametrize(("more", "codes"), [(0, []), (1, [(2, "format/line_too_long")])])
def test_a_line_may_be_as_long_as_it_says_and_no_longer(read: Read, more: int, codes: list[tuple[int, str]]) -> None:
    line = GOOD[:-1] + " " * (MAX_OBJECT - len(GOOD) + more) + "}"
    assert read(f"{GOOD}\n{line}\n{GOOD}\n").codes == codes


def test_a_name_that_looks_like_a_header_misleads_nobody(read: Read) -> None:
    line = GOOD[:-1] + ', "sku;title;qty;date;category;total": 1}'
    reading = read(f"{line}\n{line}\n")
    assert reading.recognised.delimiter is None
    assert reading.codes == [(None, "format/ignored_columns")]
    assert reading.counts.rows_accepted == 2


def test_a_broken_first_line_is_a_rejected_row(read: Read) -> None:
    reading = read(f'{{"product_name": "A", "quantity":\n{GOOD}\n')
    assert reading.codes == [(1, "format/broken_json")]
    assert reading.counts.rows_accepted == 1


def test_no_name_is_lost_however_late_it_comes(read: Read) -> None:
    first = '{"product_name": "A", "quantity": 1, "colour": "red", "amount": 2}\n'
    late = '{"quantity": 3, "revenue": 12, "size": "L", "product_name": "A", "material": 1}\n'
    reading = read(first * 5_000 + late)
    assert reading.issues[0].message.endswith("colour, size, material.")
    assert reading.codes == [(None, "format/ignored_columns")]
    assert [(c.quantity, str(c.revenue), c.transactions) for c in reading.contributions] == [
        (5_003, "10012.0000", 5_001)
    ]


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("19.99", "19.9900"),
        ("0.1", "0.1000"),
        ("9007199254740993.25", None),
        ("12345678901234.5678", "12345678901234.5678"),
        ("1.23455", "1.2346"),
        ("1.23445", "1.2344"),
        ("1.2344500000000000001", "1.2345"),
        ("1e-7", "0.0000"),
        ("0.30000000000000004", "0.3000"),
        ("1e3", None),
        ("1e-99999999999999999999", None),
        ("1" * 5_000, None),
        ('"19,99"', "19.9900"),
        ('"1,234"', None),
        ('"1.23455"', None),
        ("-0", "0.0000"),
        ("null", None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_numbers_are_taken_as_written(read: Read, number: str, amount: str | None) -> None:
    reading = read(f'{{"product_name": "A", "quantity": 1, "amount": {number}}}\n')
    assert [str(c.amount) for c in reading.contributions] == ([amount] if amount else [])


@pytest.mark.parametrize(("number", "quantity"), [("5", 5), ("5.0", 5), ("5.000", 5), ("-2", -2), ("2.5", None)])
def test_a_number_with_nothing_behind_its_point_is_whole(read: Read, number: str, quantity: int | None) -> None:
    reading = read(f'{{"product_name": "A", "quantity": {number}, "amount": 1}}\n')
    assert [c.quantity for c in reading.contributions] == ([] if quantity is None else [quantity])


def test_a_json_number_is_never_misread_because_texts_have_a_decimal_comma(read: Read) -> None:
    reading = read('{"product_name": "A", "quantity": 2, "amount": 1.25}\n', decimal_separator=",")
    assert [str(c.amount) for c in reading.contributions] == ["1.2500"]
    assert reading.issues == []


def test_texts_keep_what_they_hold(read: Read) -> None:
    names = ['say "hi", twice', "two\r\nlines", "a\u2028b", "日本 🎽", "sep=;", "=1+1", "NULL", '" ']
    lines = [json.dumps({"product_name": n, "quantity": 1, "amount": 1}, ensure_ascii=False) for n in names]
    reading = read("\n".join(lines))
    expected = ["two lines" if n.startswith("two") else n.strip() for n in names]
    assert sorted(c.product_name for c in reading.contributions) == sorted(expected)


def test_an_object_without_a_value_is_a_blank_line(read: Read) -> None:
    reading = read(f'{GOOD}\n{{}}\n{{"product_name": null, "amount": ""}}\n{GOOD.replace("1", "x")}\n')
    assert reading.counts.rows_received == 2
    assert reading.codes == [(4, "format/broken_json")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_honoured(read: Read, encoding: str) -> None:
    assert [c.product_name for c in read(GOOD.replace("A", "Café").encode(encoding)).contributions] == ["Café"]


def test_a_declared_charset_is_honoured(read: Read) -> None:
    reading = read(GOOD.replace("A", "Café").encode("cp1252"), charset="windows-1252")
    assert (reading.recognised.charset, reading.contributions[0].product_name) == ("cp1252", "Café")


def test_invalid_bytes_are_told_by_their_offset_in_the_file(read: Read) -> None:
    content = (GOOD + "\n").encode() * 10_000 + b'{"product_name": "\xe9"}'
    assert f"offset {10_000 * (len(GOOD) + 1) + 18} " in refusal(read, content).message


@pytest.mark.parametrize("shift", range(-2, 3))
def test_a_line_across_two_blocks_is_one(read: Read, shift: int) -> None:
    line = '{"product_name": "é日", "quantity": 1, "amount": 1, "x": "%s"}\r\n'
    first = line % ("x" * (BLOCK_BYTES - len(line.encode()) - 20 + shift))
    reading = read(first + line % "" + "{bad\r\n")
    assert [issue for issue in reading.codes if issue[0]] == [(3, "format/broken_json")]
    assert [c.transactions for c in reading.contributions] == [2]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"a": "T", "b": 1, "c": 2, "d": 3}\n' * 2, "format/unknown_layout"),
        ("{}\n{}\n", "format/unknown_layout"),
        ('{"product_name": "A", "amount": 1}\n', "format/missing_columns"),
        ('{"product_name": "A", "quantity": 1, "amount": 1}\n{"Quantity": 1}', "format/duplicate_columns"),
        ('{\n  "product_name": "A",\n  "quantity": 1\n}\n', "format/unsupported"),
        (
            "".join(f'{{"product_name": "A", "quantity": 1, "amount": 1, "x{n}": 1}}\n' for n in range(MAX_COLUMNS)),
            "format/too_many_columns",
        ),
        (f'{{"{"x" * 100_000}": 1, "quantity": 1}}\n', "format/too_many_columns"),
    ],
    ids=range(7),
)
def test_names_that_are_no_feed_refuse_the_whole(read: Read, content: str, code: str) -> None:
    assert refusal(read, content).code == code


@pytest.mark.parametrize("text", ["{Tee},1,2,2\n", '{"Tee"},1,2,2\n', '{"size": "L"},1,2,2\n'])
def test_what_only_begins_like_json_stays_delimited_text(read: Read, text: str) -> None:
    reading = read(text)
    assert reading.recognised.format == "csv"
    assert reading.counts.rows_accepted == 1


def test_dates_are_texts(read: Read) -> None:
    line = '{"product_name": "A", "quantity": 1, "amount": 1, "date": "%s"}\n'
    reading = read(line % "2026-03-01" + line % "03/04/2026")
    assert [c.sale_date.isoformat() for c in reading.contributions] == ["2026-03-01"]
    assert reading.codes == [(2, "validation/ambiguous_date")]
