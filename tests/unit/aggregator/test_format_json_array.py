"""A JSON array of objects: element n is row n, and what is not an array to its end is refused whole."""

import json

import pytest

from services.aggregator.adapters.json_records import MAX_OBJECT
from services.aggregator.adapters.utf8_blocks import BLOCK_BYTES
from tests.unit.aggregator.feed_readings import Read, refusal

GOOD = '{"product_name": "A", "quantity": 1, "amount": 2.50}'


@pytest.mark.parametrize("form", ["[%s,%s,%s]", "\n [\n%s\n,\n%s\n,%s\n]\n\n", "\ufeff[ %s , %s,%s ]"])
def test_rows_are_numbered_by_their_elements(read: Read, form: str) -> None:
    reading = read(form % (GOOD, GOOD.replace("1", "1.5"), GOOD))
    assert reading.recognised.format == "json_array"
    assert reading.codes == [(2, "validation/invalid_quantity")]
    assert [(c.transactions, str(c.revenue)) for c in reading.contributions] == [(2, "5.0000")]


@pytest.mark.parametrize("element", ["5", '"text"', "null", "[]", "-1.5e3", "true"])
def test_an_element_that_is_no_object_is_a_rejected_row(read: Read, element: str) -> None:
    reading = read(f"[{GOOD},{element},{GOOD}]")
    assert reading.codes == [(2, "format/broken_json")]
    assert reading.issues[0].raw == element
    assert reading.counts.rows_accepted == 2


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ('{"quantity": 1, "quantity": 1}', "format/repeated_key"),
        ('{"product_name": {"en": "A"}, "quantity": 1, "amount": 1}', "format/nested_value"),
        (
            '{"product_name": "A", "quantity": 1, "amount": 1, "x": ' + "[" * 600 + "]" * 600 + "}",
            "format/nested_value",
        ),
        ('{"product_name": "\\udc00", "quantity": 1, "amount": 1}', "validation/control_character"),
    ],
)
def test_an_object_that_is_no_row_costs_no_other(read: Read, element: str, code: str) -> None:
    reading = read(f"[{element},{GOOD}]")
    assert [told for told in reading.codes if told[0]] == [(1, code)]
    assert reading.counts.rows_accepted == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"[{GOOD}", "after 1 elements|element 1"),
        (f"[{GOOD},", "element 2"),
        (f"[{GOOD},]", "element 2"),
        (f'[{GOOD},{{"product_name": "A", "quan', "element 2"),
        (f"[{GOOD} {GOOD}]", "element 1"),
        (f"[{GOOD},{{bad}},{GOOD}]", "element 2"),
        (f"[{GOOD}] x", "after 1 elements"),
        (f"[{GOOD}][{GOOD}]", "after 1 elements"),
        (f'[{GOOD},{{"x": "{"x" * (MAX_OBJECT + BLOCK_BYTES)}"}}]', "element 2"),
        ('[{"product_name": "A", "quantity": NaN}]', "element 1"),
    ],
    ids=range(10),
)
def test_what_is_no_array_to_its_end_is_refused_with_the_place(read: Read, text: str, told: str) -> None:
    error = refusal(read, text)
    assert error.code == "format/broken_json"
    assert any(words in error.message for words in told.split("|")), error.message


def test_an_empty_array_is_an_empty_file(read: Read) -> None:
    assert refusal(read, " [ ]\n").code == "format/empty_file"


@pytest.mark.parametrize("shift", range(-3, 4))
@pytest.mark.parametrize("second", ["123456", '"é日"', '{"product_name": "é日", "quantity": 1, "amount": 1}'])
def test_an_element_across_two_blocks_is_one(read: Read, shift: int, second: str) -> None:
    first = GOOD[:-1] + ', "x": "%s"}'
    fill = "x" * (BLOCK_BYTES - len(first) - len(second.encode()) // 2 + shift)
    reading = read(f"[{first % fill},{second},{GOOD.replace('1', 'null')}]")
    issues = [issue for issue in reading.codes if issue[0]]
    if second.startswith("{"):
        assert issues == [(3, "validation/missing_value")]
        assert {c.product_name for c in reading.contributions} == {"A", "é日"}
    else:
        assert issues == [(2, "format/broken_json"), (3, "validation/missing_value")]
        assert second in [issue.raw for issue in reading.issues]


def test_late_names_are_columns_too(read: Read) -> None:
    rows = [{"product_name": "A", "quantity": 1, "amount": 1}] * 3_000
    reading = read(json.dumps([*rows, {"product_name": "A", "quantity": 1, "revenue": 7}], indent=1))
    assert [str(c.revenue) for c in reading.contributions] == ["3007.0000"]


@pytest.mark.parametrize("text", ["[Tee],1,2,2\n", "[Tee,1,2,2\n", "[1],1,2,2\n", '["Tee"],1,2,2\n'])
def test_what_only_begins_like_an_array_stays_delimited_text(read: Read, text: str) -> None:
    reading = read(text)
    assert reading.recognised.format == "csv"
    assert reading.counts.rows_accepted == 1
