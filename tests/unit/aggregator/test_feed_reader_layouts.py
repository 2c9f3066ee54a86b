"""How a feed's layout is told: delimiters, headers, aliases, and what makes a whole file unreadable."""

import bz2
import gzip
import io
import random
import sys
import zipfile
from pathlib import Path

import pytest

from services.aggregator.rules.columns import ALIASES, fold, read_header
from services.aggregator.rules.layouts import HEADERLESS, WITH_HEADER
from tests.unit.aggregator.feed_readings import Read, refusal


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_both_layouts_in_every_delimiter_and_line_ending(read: Read, delimiter: str, ending: str) -> None:
    held = delimiter if delimiter != "\t" else ";"  # a tab is a control character in a name
    rows = [["Tee", "2", "10", "20"], [f'"a{held}b"', "1", "5.5", "5.5"], ['"say ""hi"""', "1", "1", "1"]]
    body = "".join(delimiter.join(row) + ending for row in rows)
    headerless = read(body)
    with_header = read(delimiter.join(["Product Name", "QTY", "unit-price", "Revenue"]) + ending + body)
    assert (headerless.layout, with_header.layout) == (HEADERLESS, WITH_HEADER)
    assert headerless.contributions == with_header.contributions
    assert [c.product_name for c in headerless.contributions] == ["Tee", f"a{held}b", 'say "hi"']
    assert headerless.issues == with_header.issues == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("header", ["", "product_name,quantity,amount,revenue\r\n"])
def test_encodings_told_by_their_byte_order_mark(read: Read, encoding: str, header: str) -> None:
    reading = read(f"{header}Café 日本 🎽,1,2,2\r\n".encode(encoding))
    assert [c.product_name for c in reading.contributions] == ["Café 日本 🎽"]


def test_decimal_commas_do_not_mislead_the_choice_of_a_delimiter(read: Read) -> None:
    reading = read("Shirt;15;19,99;299,85\nJeans;1;49,9;49,9\n")
    assert [str(c.revenue) for c in reading.contributions] == ["49.9000", "299.8500"]


def test_a_broken_first_row_does_not_fail_a_headerless_feed(read: Read) -> None:
    reading = read("Tee,1,2\nTee,1,2,2\nTee,1,2,2\n")
    assert reading.codes == [(1, "format/too_few_columns")]
    assert reading.counts.rows_accepted == 2


@pytest.mark.parametrize("prefix", ["sep=;\n", "SEP=;\r\n", "\ufeffsep=;\n"])
def test_a_sep_line_names_the_delimiter_and_is_no_row(read: Read, prefix: str) -> None:
    reading = read(f"{prefix}A;x;2;2\nB;1;2;2\n")
    assert reading.codes == [(2, "validation/invalid_quantity")]
    assert reading.counts.rows_received == 2
    assert read(f"{prefix}title;qty;total\nA;1;2\n").counts.rows_accepted == 1


@pytest.mark.parametrize("alias", [alias for groups in ALIASES.values() for group in groups for alias in group])
def test_every_alias_is_known_without_regard_to_how_it_is_written(alias: str) -> None:
    spellings = [alias, alias.upper(), alias.title().replace(" ", ""), alias.replace(" ", "_"), alias.replace(" ", "-")]
    found = {tuple(read_header([spelling]).position) for spelling in spellings}
    assert len(found) == 1
    assert found != {()}


def test_no_alias_names_two_fields() -> None:
    names = [fold(alias) for groups in ALIASES.values() for group in groups for alias in group]
    assert len(names) == len(set(names))


def test_ranked_columns_may_stand_together(read: Read) -> None:
    reading = read("asin,sku,product_id,quantity,amount\nB0,S1,P1,1,1\n")
    assert [c.product_id for c in reading.contributions] == ["P1"]
    assert [c.product_id for c in read("asin,sku,quantity,amount\nB0,S1,1,1\n").contributions] == ["S1"]


def test_unknown_columns_are_ignored_and_named(read: Read) -> None:
    reading = read("product_name,Colour,quantity,amount,,Rejected Code\nA,red,1,1,,validation/invalid_quantity\n")
    assert [(i.code, i.line, i.severity) for i in reading.issues] == [("format/ignored_columns", None, "INFO")]
    assert "Colour" in reading.issues[0].message
    assert "Rejected" not in reading.issues[0].message
    assert reading.counts.rows_accepted == 1


@pytest.mark.parametrize(
    "text", ["product_name,quantity,amount\n", "product_name,quantity,amount", "sku;qty;total\n\n \n;;\n"]
)
def test_a_header_without_rows_is_a_feed_of_no_rows(read: Read, text: str) -> None:
    reading = read(text)
    assert reading.counts.rows_received == 0
    assert reading.codes == [(None, "format/no_rows")]
    assert reading.totals == {"format/no_rows": 0}
    assert reading.contributions == []


def test_a_header_is_looked_for_in_the_first_row_that_is_not_blank(read: Read) -> None:
    reading = read('\n  \n,,\n"product\nname",quantity,amount\nA,x,1\n')
    assert reading.codes == [(6, "validation/invalid_quantity")]


@pytest.mark.parametrize("blank", ["\n" * 270_000, ",,,\n" * 70_000, " \t\r\n;\u3000\r" * 60_000, "," * 300_000 + "\n"])
@pytest.mark.parametrize("header", ["", "product_name;quantity;amount;revenue\n"])
@pytest.mark.parametrize("prefix", ["", "sep=;\n"])
def test_the_first_row_may_come_late(read: Read, blank: str, header: str, prefix: str) -> None:
    reading = read(f"{prefix}{blank}{header}A;1;2;2\nB;x;2;2\n")
    assert reading.layout == (WITH_HEADER if header else HEADERLESS)
    assert [c.product_name for c in reading.contributions] == ["A"]
    before = (prefix + blank + header).replace("\r\n", "\n").replace("\r", "\n").count("\n")
    assert reading.codes[-1] == (before + 2, "validation/invalid_quantity")


def test_commas_before_the_first_cell_of_a_late_first_row_are_empty_cells(read: Read) -> None:
    reading = read("\n" * ((1 << 18) - 2) + ",,product_name,quantity,amount\n,,A,1,1\n")
    assert [c.product_name for c in reading.contributions] == ["A"]


@pytest.mark.parametrize("rows", ["A,1,2,2\n" * 100, ""])
@pytest.mark.parametrize(
    "first", ["x" * 600_000, "," * 600_000 + "x", "quantity,product_name," + "x" * 600_000, '"' + "x\n" * 300_000 + '"']
)
def test_whether_a_first_row_that_is_too_long_is_a_header_is_not_guessed(read: Read, first: str, rows: str) -> None:
    error = refusal(read, f"\n{first}\n{rows}")
    assert error.code == "format/unknown_layout"
    assert "256 KiB" in error.message or not rows


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("feed.csv", "A,1,2,2\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "format/empty_file"),
        (b"\n\n  \n", "format/empty_file"),
        (b"\xef\xbb\xbf", "format/empty_file"),
        (b",,,\n;;\n", "format/empty_file"),
        (b"sep=;\n", "format/empty_file"),
        (b"\n" * 600_000, "format/empty_file"),
        (b"sep=;\n" + b" " * 600_000, "format/empty_file"),
        (b"hello\n", "format/unknown_layout"),
        (b"A,1,2\nB,1,2\n", "format/unknown_layout"),
        (b"A,1,2,2,5\nB,1,2,2,5\n", "format/unknown_layout"),
        (b'{"product_name": "A"}\n', "format/unknown_layout"),
        (b"sep=#\nA#1#2#2\n", "format/unknown_delimiter"),
        (b"A,1;1,2;2,2;2\n", "format/ambiguous_delimiter"),
        (b"product_name,quantity\nA,1\n", "format/missing_columns"),
        (b"product_name,amount\nA,1\n", "format/missing_columns"),
        (b"quantity,amount\n1,1\n", "format/missing_columns"),
        (b"product_name,title,quantity,amount\nA,B,1,1\n", "format/duplicate_columns"),
        (b"product_name,quantity,Quantity,amount\nA,1,1,1\n", "format/duplicate_columns"),
        (b"product_name,quantity,price,unit price\nA,1,1,1\n", "format/duplicate_columns"),
        (gzip.compress(gzip.compress(b"A,1,2,2\n")), "format/compressed"),
        (bz2.compress(b"A,1,2,2\n"), "format/compressed"),
        (_zip(), "format/archive"),
        (b"PAR1" + bytes(100), "format/broken_file"),
        (b"%PDF-1.7\n", "format/unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "format/unsupported"),
        (bytes(range(256)) * 4 + bytes(100), "format/binary"),
        ("A,1,2,2\n".encode("utf-16-le"), "format/binary"),
        (random.Random(1).randbytes(3_000), "format/binary"),
        (b"feed.csv" + bytes(504) + b"A,1,2,2\n" * 50 + bytes(1_136), "format/binary"),
        (Path(sys.executable).read_bytes()[:1_000_000], "format/binary"),
        ("\ufeffA,1,2,2\n".encode("utf-32-le"), "format/unsupported"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_whole(read: Read, content: bytes, code: str) -> None:
    error = refusal(read, content)
    assert error.code == code
    assert error.message.endswith(".")


@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("fault", ["\0", "\0\0", "\0\x1a", "\0" * 7])
def test_control_bytes_in_one_row_cost_no_other(read: Read, fault: str, rows: int) -> None:
    reading = read(f"A{fault},1,2,2\n" + "B,1,2,2\n" * rows)
    assert reading.codes == [(1, "validation/control_character")]
    assert reading.counts.rows_accepted == rows


def test_a_block_of_zeros_in_the_midst_of_a_feed_costs_one_row(read: Read) -> None:
    reading = read("B,1,2,2\n" * 4_000 + "\0" * 4_096 + "\n" + "B,1,2,2\n" * 4_000)
    assert reading.codes == [(4_001, "format/too_few_columns")]
    assert reading.counts.rows_accepted == 8_000


@pytest.mark.parametrize(
    ("content", "offset"),
    [
        (b"A,1,2,2\nCaf\xe9,1,2,2\n", 11),
        (b"\xef\xbb\xbfA\xff,1,2,2\n", 4),
        (b"A,1,2,2\n" * 200_000 + b"\xc3", 1_600_000),
        (b"A,1,2,2\n" * 65_535 + b"A,1,2,2\xe2\x82\n", 65_535 * 8 + 7),
        ("\ufeffA,1,2,2\nA,1,2,2\n".encode("utf-16-le") + b"\x00\xd8\x41\x00", 34),
    ],
)
def test_invalid_bytes_are_refused_with_their_offset(read: Read, content: bytes, offset: int) -> None:
    error = refusal(read, content)
    assert error.code == "format/invalid_encoding"
    assert f"offset {offset} " in error.message
