"""Rows that are broken in their structure, the lines they are on, and what is told about them."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.aggregator.adapters import duckdb_line_framing
from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.adapters.duckdb_line_framing import MAX_RECORD_BYTES
from services.aggregator.adapters.utf8_blocks import BLOCK_BYTES
from services.aggregator.ports import ReadRequest
from tests.unit.aggregator.feed_readings import Read

HEADER = "product_name,quantity,amount\n"


def test_lines_are_physical_whatever_stands_before_them(read: Read) -> None:
    reading = read(
        HEADER  # 1
        + '"two\nlines",1,1\n'  # 2-3
        + "\n"  # 4
        + "A,1\n"  # 5: too few
        + '"three\n\nlines",x,1\n'  # 6-8: no quantity
        + " , \n"  # 9: blank
        + "A,1,1,9\n"  # 10: too many
        + "A,1,1,,\n"  # 11: fine
        + "A,y,1\n"  # 12
    )
    assert reading.codes == [
        (5, "format/too_few_columns"),
        (6, "validation/invalid_quantity"),
        (10, "format/too_many_columns"),
        (12, "validation/invalid_quantity"),
    ]
    assert reading.counts.rows_received == 6
    assert [issue.raw for issue in reading.issues] == ["A,1", '"three\n\nlines",x,1', "A,1,1,9", "A,y,1"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_are_counted_alike_in_every_line_ending(read: Read, ending: str) -> None:
    text = 'A,1,1,1\n\n"b\n\nc",x,1,1\nA,1,1\nA,1,1,1\nA,y,1,1'.replace("\n", ending)
    assert read(text).codes == [
        (3, "validation/invalid_quantity"),
        (6, "format/too_few_columns"),
        (8, "validation/invalid_quantity"),
    ]


@pytest.mark.parametrize("blanks", range(6))
def test_blank_lines_are_no_rows_but_count_as_lines(read: Read, blanks: int) -> None:
    reading = read("\n" * blanks + HEADER + "\n" * blanks + "A,x,1\n" + "\n" * blanks + "A,y,1\n")
    assert [line for line, _ in reading.codes] == [2 * blanks + 2, 3 * blanks + 3]
    assert reading.counts.rows_received == 2


def test_mixed_line_endings_lose_no_row(read: Read) -> None:
    reading = read(HEADER + "A,1,1\r\nB,1,1\nC,1,1\rD,x,1\r\r\nE,1,1\n\rF,y,1")
    assert [c.product_name for c in reading.contributions] == ["A", "B", "C", "E"]
    assert reading.codes == [(5, "validation/invalid_quantity"), (9, "validation/invalid_quantity")]


def test_an_unclosed_quote_rejects_its_row_and_tells_what_it_swallowed(read: Read) -> None:
    reading = read(HEADER + 'A,1,1\n"B,1,1\nC,1,1\nD,1,1\n')
    assert reading.codes == [(3, "format/unclosed_quote")]
    assert reading.issues[0].raw == '"B,1,1\nC,1,1\nD,1,1'
    assert "3 lines" in reading.issues[0].message
    assert (reading.counts.rows_received, reading.counts.rows_rejected) == (2, 1)


def test_text_after_a_closing_quote_rejects_the_row_and_the_rest_goes_on(read: Read) -> None:
    reading = read(HEADER + '"A"x,1,1\n"B\n"y,1,1\nC,1,1\n"D",1,1\nE,x,1\n')
    assert reading.codes == [
        (2, "format/stray_quote"),
        (3, "format/stray_quote"),
        (7, "validation/invalid_quantity"),
    ]
    assert [issue.raw for issue in reading.issues] == ['"A"x,1,1', '"B\n"y,1,1', "E,x,1"]
    assert [c.product_name for c in reading.contributions] == ["C", "D"]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('5" pipe', '5" pipe'),
        ('"5"" pipe"', '5" pipe'),
        ('""""', '"'),
        ('"a,b"', "a,b"),
        ('"a,""b"",c"', 'a,"b",c'),
        (' "a,b" ', "a,b"),
        ('a""b', 'a""b'),
        ("#note", "#note"),
        ("NULL", "NULL"),
        ("\\", "\\"),
        ('"\\"', "\\"),
    ],
)
def test_a_quote_opens_only_at_the_beginning_of_a_cell(read: Read, cell: str, name: str) -> None:
    reading = read(f"{HEADER}{cell},1,1\n{cell},1,1\n")
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [(name, 2)]


def test_a_line_longer_than_memory_allows_is_rejected_alone(read: Read) -> None:
    long = "x" * (3 * MAX_RECORD_BYTES)
    reading = read(f"{HEADER}A,1,1\n{long},1,1\nB,x,1\n")
    assert reading.codes == [(3, "format/line_too_long"), (4, "validation/invalid_quantity")]
    assert reading.issues[0].raw == "x" * 500
    assert reading.counts.rows_accepted == 1


def test_a_quote_open_for_longer_than_memory_allows_tells_its_lines(read: Read) -> None:
    lines = 4 * MAX_RECORD_BYTES // 6
    reading = read(HEADER + 'A,1,1\n"' + "B,1,1\n" * lines)
    assert reading.codes == [(3, "format/unclosed_quote")]
    assert f"{lines} lines" in reading.issues[0].message
    assert reading.counts.rows_received == 2


LONG = 600_000


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        ('"' + "x" * LONG + '\nEvil,1,10\nfoo",1,2', 3),
        ('"' + "x" * 100 + "\n" + "y" * LONG + '",1,2', 2),
        ("A," + '"' + "x" * LONG + '\nEvil,1,10\n",2', 3),
        ('"' + "Evil,1,1\n" * LONG + '",1,2', LONG + 1),
        ('"' + 'Evil,1,1 ""\n' * LONG + '",1,2', LONG + 1),
        ('"' + '"' * 2 * LONG + '\nEvil,1,1",1,2', 2),
        ('"' + "x" * LONG + '"stray ",1,2', 1),
        ('"A" ' + "x" * LONG + ',"Evil\nEvil,1,1"', 2),
        ("," * LONG + '"Evil\nEvil,1,1"', 2),
        (" " * LONG + '"Evil\nEvil,1,1"', 2),
        ("x" * LONG + '"Not open,1,2', 1),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("shift", [0, 1])
def test_nothing_inside_a_record_that_is_too_long_is_a_row(read: Read, record: str, lines: int, shift: int) -> None:
    good = f"A,1,2{'x' * shift}\n" + "A,1,2\n" * 10
    reading = read(HEADER + "B,x,1\n" + record + "\n" + good + "C,y,1\n")
    expected = [(2, "validation/invalid_quantity"), (3, "format/line_too_long")]
    expected += [(3 + lines, "validation/invalid_amount")] * shift
    assert reading.codes == [*expected, (3 + lines + 11, "validation/invalid_quantity")]
    told = next(issue for issue in reading.issues if issue.code == "format/line_too_long")
    assert (f"{lines} lines" in told.message) == (lines > 1)
    assert told.raw == record[:500].strip("\n")
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("A", 11 - shift)]


@pytest.mark.parametrize("offset", range(-6, 7))
@pytest.mark.parametrize("end", ['""Evil\n",1,1', '""\nEvil,1,1\n""",1,1', '"Evil ",1,"\nEvil,1,1\n"'])
def test_a_record_that_is_too_long_ends_alike_at_the_border_of_two_blocks(read: Read, offset: int, end: str) -> None:
    fill = "x" * (3 * BLOCK_BYTES - len(HEADER) - 1 + offset)
    reading = read(f'{HEADER}"{fill}{end}\nA,1,1\n')
    assert reading.codes == [(2, "format/line_too_long")]
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("A", 1)]


@pytest.mark.parametrize("end", ["", "\n", '""', '",1,"\nEvil,1,1\n'])
def test_only_a_quote_that_is_never_closed_takes_the_rest(read: Read, end: str) -> None:
    reading = read(f'{HEADER}A,1,1\n"{"x" * LONG}\nEvil,1,1\n{end}')
    assert reading.codes == [(3, "format/unclosed_quote")]
    assert reading.counts.rows_accepted == 1
    closed = read(f'{HEADER}A,1,1\n"{"x" * LONG}\nNot evil\n",1,1')
    assert closed.codes == [(3, "format/line_too_long")]


@pytest.mark.parametrize("reserved", ["\0", "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "\ufdd4"])
def test_a_line_that_is_too_long_may_hold_anything(read: Read, reserved: str) -> None:
    reading = read(f"{HEADER}A,1,1\n{reserved}{'x' * (3 * MAX_RECORD_BYTES)},1,1\nB,1,1\n")
    assert reading.codes == [(3, "format/line_too_long")]
    assert reading.issues[0].raw == "\ufdd1" + "x" * 499
    assert reading.counts.rows_accepted == 2


def test_the_raw_text_is_bounded(read: Read) -> None:
    reading = read(f"{HEADER}{'é' * 4_000},x,1\n")
    assert [len(issue.raw or "") for issue in reading.issues] == [500, 500]


@pytest.mark.parametrize("offset", range(-4, 5))
@pytest.mark.parametrize("piece", ['"a""b,\r\nc",1,1\r\n', "é\ufdd0,1,1\r\n", '"a"b,1,1\r\n\r\n', ' "",1,1\r'])
def test_nothing_changes_at_the_border_of_two_blocks(read: Read, offset: int, piece: str) -> None:
    block = BLOCK_BYTES
    row = "Tee,1,1\r\n"
    before = (block - len(HEADER) - len(piece.encode()) // 2 + offset) // len(row)
    fill = block - len(piece.encode()) // 2 + offset - len(HEADER) - before * len(row)
    rows = row * (before - 2) + "T" * (fill + len(row) - 6) + ",1,1\r\n" + row
    shifted = read(HEADER + rows + piece + "Z,z,1\n")
    alone = read(HEADER + piece + "Z,z,1\n")
    assert [(line - before if line else 0, code) for line, code in shifted.codes if code != "validation/too_long"] == [
        (line, code) for line, code in alone.codes
    ]
    assert shifted.counts.rows_received == alone.counts.rows_received + before


def test_issues_come_in_line_order_and_up_to_the_limit(feed_reader: DuckDbFeedReader, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("".join(f"A,{'x' if n % 3 else n},1,y\n" for n in range(1, 9_001)))
    feed = feed_reader.read(path, ReadRequest("s", date(2026, 3, 4)))
    path.unlink()
    first = feed.first_issues(5)
    assert [(i.line, i.code) for i in first] == [
        (1, "validation/invalid_quantity"),
        (1, "validation/invalid_revenue"),
        (2, "validation/invalid_quantity"),
        (2, "validation/invalid_revenue"),
        (3, "validation/invalid_revenue"),
    ]
    totals = {t.code: t.rows for t in feed.issue_totals}
    assert totals == {"validation/invalid_quantity": 6_000, "validation/invalid_revenue": 9_000}
    assert feed.first_issues(0) == []
    feed.close()
    feed.close()


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\u2002", "\u2003", "\u3000", "\ufeff"])
def test_all_white_space_is_white_space_everywhere(read: Read, space: str) -> None:
    reading = read(f"{space}\n{HEADER}{space}Shirt{space},1,1\nShirt,1,1\n{space},1,1\n")
    assert reading.codes == [(5, "validation/missing_value")]
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [("Shirt", 2)]


PIECES = st.lists(st.sampled_from(['"', '""', ",", "\n", " ", "a", '"\n']), max_size=40).map("".join)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=PIECES, limit=st.integers(1, 12), step=st.integers(1, 7))
def test_a_limit_on_records_moves_no_line_and_changes_no_shorter_record(
    monkeypatch: pytest.MonkeyPatch, text: str, limit: int, step: int
) -> None:
    def framed(limit: int, step: int) -> list[str]:
        monkeypatch.setattr(duckdb_line_framing, "MAX_RECORD_BYTES", limit)
        framing = duckdb_line_framing._Framing(",")
        source = text.encode()
        fed = [out for i in range(0, len(source), step) for out in framing.feed(source[i : i + step])]
        return b"".join(out for out, _ in [*fed, *framing.finish()]).decode().split("\n")

    whole, limited = framed(1_000, 1_000), framed(limit, step)
    assert len(whole) == len(limited)
    too_long = "\ufdd2format/line_too_long"
    assert all(a == b or b.startswith(too_long) for a, b in zip(whole, limited, strict=True))
