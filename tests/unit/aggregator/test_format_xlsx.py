"""Excel workbooks: sheet row n is row n, and what a cell shows is not more than what it holds."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.chart import BarChart
from openpyxl.worksheet.worksheet import Worksheet

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.layouts import HEADERLESS, WITH_HEADER
from tests.unit.aggregator.feed_readings import Read, read_path, refusal

HEADER = ["product_name", "quantity", "amount"]


def saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in rows:
        sheet.append(row)
    return saved(book)


def altered(content: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """The same workbook with one of its parts changed, as another program may have written it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data.decode()) if name == part else data)
    return buffer.getvalue()


SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def with_shared_texts(content: bytes) -> bytes:
    """The same workbook as Excel itself writes it: each text once, in a table of its own."""
    buffer = io.BytesIO()
    texts: list[str] = []

    def shared(cell: re.Match[str]) -> str:
        texts.append(cell[2])
        return f'{cell[1]} t="s"><v>{len(texts) - 1}</v></c>'

    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name).decode()
            if name == SHEET:
                data = re.sub(r'(<c r="\w+") t="inlineStr"><is><t>(.*?)</t></is></c>', shared, data)
            if name == "[Content_Types].xml":
                kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
                data = data.replace("</Types>", f'<Override PartName="/{TEXTS}" ContentType="{kind}"/></Types>')
            new.writestr(name, data)
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        new.writestr(TEXTS, f'<sst xmlns="{space}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>')
    assert texts
    return buffer.getvalue()


def test_a_header_and_rows(read: Read) -> None:
    reading = read(workbook(HEADER, ["A", 1, 2.5], ["B", "x", 1], ["C", 2, "3,50"]))
    assert reading.recognised.model_dump(exclude_none=True, exclude={"columns", "ignored_columns"}) == {
        "format": "xlsx",
        "layout": WITH_HEADER,
        "sheet": "Sheet",
    }
    assert reading.codes == [(3, "validation/invalid_quantity")]
    assert [(c.product_name, str(c.revenue)) for c in reading.contributions] == [("A", "2.5000"), ("C", "7.0000")]


def test_the_commissioned_four_columns(read: Read) -> None:
    reading = read(workbook(["Basic White T-Shirt", 15, 20, 300], ["Linen Shirt", 2, 49.9, None], [None] * 4, ["A"]))
    assert reading.layout == HEADERLESS
    assert [str(c.revenue) for c in reading.contributions] == ["300.0000", "99.8000"]
    assert {line for line, _ in reading.codes} == {4}


def test_rows_are_numbered_as_in_the_sheet_with_blank_ones_between(read: Read) -> None:
    rows: list[list[Any]] = [[], ["  ", None], [None, *HEADER], [], [None, "A", 1, 2], [], [], [None, "B", "x", 2]]
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            sheet.cell(number, column, value)
    sheet.cell(1_048_576, 2, "last")
    reading = read(saved(book))
    assert reading.codes == [
        (8, "validation/invalid_quantity"),
        (1_048_576, "validation/missing_value"),
        (1_048_576, "validation/missing_value"),
    ]
    assert reading.counts.rows_received == 3


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (5, 5),
        (5.0, 5),
        (3.0000000000000004, 3),
        ("5.0", 5),
        (-2, -2),
        (2.5, "validation/invalid_quantity"),
        (True, "validation/invalid_quantity"),
        (None, "validation/missing_value"),
        (date(2026, 3, 1), "validation/invalid_quantity"),
        ("#N/A", "format/cell_error"),
        ("#DIV/0!", "format/cell_error"),
    ],
)
def test_a_quantity_of_every_kind(read: Read, quantity: object, expected: int | str) -> None:
    reading = read(workbook(HEADER, ["A", quantity, 1]))
    assert [*(c.quantity for c in reading.contributions), *(code for _, code in reading.codes)] == [expected]


@pytest.mark.parametrize("separator", [".", ","])
@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (19.99, "19.9900"),
        (0.1 + 0.2, "0.3000"),
        (1.00005, "1.0000"),
        (1.234, "1.2340"),
        (1e-9, "0.0000"),
        (1e13, "10000000000000.0000"),
        (1e16, "validation/out_of_range"),
    ],
)
def test_numbers_are_binary_floats_and_rounded_as_such(
    read: Read, amount: object, expected: str, separator: str
) -> None:
    reading = read(workbook(HEADER, ["A", 1, amount]), decimal_separator=separator)
    assert [str(c.amount) for c in reading.contributions] + [code for _, code in reading.codes] == [expected]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (date(2026, 3, 4), "2026-03-04"),
        (datetime.fromisoformat("2026-03-04T23:59:59"), "2026-03-04"),
        ("2026-03-04", "2026-03-04"),
        (20260304, "2026-03-04"),
        (46085, "validation/invalid_date"),
        (time(10, 0), "validation/invalid_date"),
        (timedelta(days=3), "validation/invalid_date"),
        ("03/04/2026", "validation/ambiguous_date"),
        (None, "validation/missing_value"),
    ],
)
def test_dates_are_those_that_the_cell_is_formatted_as(read: Read, moment: object, day: str) -> None:
    reading = read(workbook([*HEADER, "date"], ["A", 1, 1, moment]))
    assert [c.sale_date.isoformat() for c in reading.contributions] + [code for _, code in reading.codes] == [day]


def test_workbooks_that_count_days_from_1904(read: Read) -> None:
    content = altered(
        workbook([*HEADER, "date"], ["A", 1, 1, date(2026, 3, 4)]),
        "xl/workbook.xml",
        lambda xml: xml.replace("<workbookPr ", '<workbookPr date1904="1" ').replace(
            "<workbookPr/>", '<workbookPr date1904="1"/>'
        ),
    )
    # 1904's count begins 1,462 days later: the same number is another day.
    assert read(content).codes == [(2, "validation/date_out_of_range")]


def test_a_date_beyond_what_excel_knows_is_an_error_of_its_cell(read: Read) -> None:
    content = workbook([*HEADER, "date"], ["A", 1, 1, date(2026, 3, 4)])
    content = altered(content, SHEET, lambda xml: re.sub(r"<v>46085</v>", "<v>99999999999</v>", xml))
    assert read(content).codes == [(2, "format/cell_error")]


def test_errors_and_kinds_in_columns_that_are_not_read_harm_nothing(read: Read) -> None:
    row = ["A", 1, 1, "#N/A", True, datetime.fromisoformat("2026-03-04T01:00"), 1e16, time(1)]
    reading = read(workbook([*HEADER, "a", "b", "c", "d", "e"], row))
    assert reading.codes == [(None, "format/ignored_columns")]
    assert reading.counts.rows_accepted == 1


@pytest.mark.parametrize("wrap", [bytes, with_shared_texts], ids=["inline", "shared"])
def test_texts_keep_what_they_hold(read: Read, wrap: Callable[[bytes], bytes]) -> None:
    names = ['say "hi", twice', "a\nb", "a_x000D_\nb", "日本 🎽", "sep=;", "007", "\ufdd2"]
    content = workbook(HEADER, *([name, 1, 1] for name in names), [12345, 1, 1], [1.5, 1, 1], [True, 1, 1])
    reading = read(wrap(content))
    found = {c.product_name: c.transactions for c in reading.contributions}
    assert found == {'say "hi", twice': 1, "a b": 2, "日本 🎽": 1, "sep=;": 1, "007": 1, "12345": 1, "1.5": 1}
    assert reading.codes == [(8, "validation/control_character"), (11, "format/nested_value")]


def test_formulas_give_the_values_that_were_stored_with_them(read: Read) -> None:
    content = workbook(HEADER, ["A", 2, "=1+1"], ["B", 1, "=1/3"])
    content = altered(
        content,
        SHEET,
        lambda xml: xml.replace("<f>1+1</f><v></v>", "<f>1+1</f><v>2</v>").replace(
            "<f>1+1</f><v />", "<f>1+1</f><v>2</v>"
        ),
    )
    reading = read(content)
    assert [str(c.revenue) for c in reading.contributions] == ["4.0000"]
    assert reading.codes == [(3, "validation/missing_value")]


def test_merged_cells_hold_their_value_once(read: Read) -> None:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in (["Report of March"], HEADER, ["A", 1, 2], [None, 1, 2]):
        sheet.append(row)
    sheet.merge_cells("A3:A4")
    sheet.delete_rows(1)
    reading = read(saved(book))
    assert reading.codes == [(3, "validation/missing_value")]


def test_columns_that_are_only_formatted_are_no_columns(read: Read) -> None:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(HEADER)
    sheet.append(["A", 1, 2])
    sheet.cell(1, 16_384).number_format = "0.00"
    sheet.cell(2, 16_384, " ")
    assert read(saved(book)).counts.rows_accepted == 1
    sheet.cell(2, 16_384, "more")
    assert read(saved(book)).codes == [(2, "format/too_many_columns")]
    sheet.cell(1, 16_384, "more")
    assert refusal(read, saved(book)).code == "format/too_many_columns"


def _sheets() -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    book.create_chartsheet("Chart").add_chart(BarChart())
    for name in ("Orders", "Returns", "Empty"):
        sheet = book.create_sheet(name)
        if name != "Empty":
            sheet.append(HEADER)
            sheet.append([name, 1, 1])
    book["Orders"].sheet_state = "hidden"
    return saved(book)


def test_the_first_worksheet_is_read_and_the_others_are_named(read: Read) -> None:
    reading = read(_sheets())
    assert reading.recognised.sheet == "Orders"
    assert [(i.code, i.severity, i.line) for i in reading.issues] == [("format/other_sheets", "INFO", None)]
    assert "Returns, Empty" in reading.issues[0].message
    assert reading.totals == {"format/other_sheets": 0}


def test_a_named_sheet_is_read(read: Read) -> None:
    reading = read(_sheets(), sheet="Returns")
    assert (reading.recognised.sheet, reading.contributions[0].product_name) == ("Returns", "Returns")
    assert refusal(read, _sheets(), sheet="Empty").code == "format/empty_file"


@pytest.mark.parametrize("sheet", ["orders", "Chart", "Nothing"])
def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(read: Read, sheet: str) -> None:
    error = refusal(read, _sheets(), sheet=sheet)
    assert error.code == "reference/invalid_option"
    assert "'Orders', 'Returns', 'Empty'" in error.message


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        (SHEET, "</row>", ""),
        (SHEET, 'r="2"', 'r="1"'),
        (SHEET, '<row r="2"', '<row r="99999999"'),
        (SHEET, "<v>1</v>", "<v>one</v>"),
        (SHEET, 't="s"><v>0</v>', 't="s"><v>999</v>'),
        (SHEET, 'r="B2"', 'r="A2"'),
        ("xl/workbook.xml", "<sheets>", "<sheets"),
        ("xl/_rels/workbook.xml.rels", "sheet1.xml", "sheet9.xml"),
        ("[Content_Types].xml", "sheet.main", "sheet.minor"),
        (TEXTS, "<si>", "<so>"),
        ("xl/styles.xml", "<cellXfs", "<cellXfs<"),
    ],
)
def test_a_damaged_workbook_is_refused_whole(read: Read, part: str, old: str, new: str) -> None:
    good = with_shared_texts(workbook(HEADER, ["A", 1, 1], ["B", 1, 1]))
    assert read(good).counts.rows_accepted == 2
    content = altered(good, part, lambda xml: xml.replace(old, new))
    assert content != good
    error = refusal(read, content)
    assert error.code == "format/broken_file"
    assert "openpyxl" not in error.message


@pytest.mark.parametrize("part", ["docProps/core.xml", "docProps/app.xml", "xl/theme/theme1.xml"])
def test_parts_that_no_row_needs_may_be_anything(read: Read, part: str) -> None:
    assert read(altered(workbook(HEADER, ["A", 1, 1]), part, lambda _: "<broken")).counts.rows_accepted == 1


def test_what_openpyxl_would_warn_of_is_no_matter(read: Read, tmp_path: Path) -> None:
    extension = '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    content = altered(workbook(HEADER, ["A", 1, 1]), SHEET, lambda xml: xml.replace("</worksheet>", extension))
    content = altered(content, "xl/styles.xml", lambda xml: re.sub(r"<cellStyles.*</cellStyles>", "", xml))
    assert read(content).counts.rows_accepted == 1
    path = tmp_path / "feed.xlsx"
    path.write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_IN_A_PROCESS, path],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.returncode) == ("1\n", 0), run.stderr


READ_IN_A_PROCESS = """
import sys, warnings
from pathlib import Path
from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.xlsx_rows import write_sheet
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.typed_values import Writing

filters, path = list(warnings.filters), Path(sys.argv[1])
with CanonicalCsv(path.with_suffix(".csv"), 10_000) as out:
    write_sheet(path, out, Writing(), None, 1 << 20, Preparing(lambda _: None))
print(sum("A,1,1" in line for line in path.with_suffix(".csv").open()))
assert warnings.filters == filters, "reading changed what holds for the whole process"
"""


@pytest.mark.parametrize("cut", [10, 200, -40, -1])
def test_a_cut_off_workbook_is_refused(read: Read, cut: int) -> None:
    assert refusal(read, workbook(HEADER, ["A", 1, 1])[:cut]).code == "format/broken_file"


def test_altered_bytes_are_noticed_behind_the_rows_too(read: Read) -> None:
    mark = b"<!--" + b"x" * 500_000 + b"-->"
    padded = altered(workbook(HEADER, ["A", 1, 1]), SHEET, lambda xml: xml + mark.decode())
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(padded)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert read(buffer.getvalue()).counts.rows_accepted == 1
    assert refusal(read, buffer.getvalue().replace(b"x-->", b"y-->")).code == "format/broken_file"


def test_altered_bytes_are_noticed_by_the_archive(read: Read) -> None:
    content = bytearray(workbook(HEADER, *([f"A{n}", 1, 1] for n in range(5_000))))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = archive.getinfo(SHEET)
    content[part.header_offset + part.compress_size - 200] ^= 1
    assert refusal(read, bytes(content)).code == "format/broken_file"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"feed.csv": "A,1,2,2\n"}, "format/archive"),
        ({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}, "format/archive"),
        ({"[Content_Types].xml": "<x/>", "xl/workbook.bin": "x"}, "format/unsupported"),
        ({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}, "format/broken_file"),
    ],
)
def test_a_zip_that_is_no_workbook_we_read(read: Read, parts: dict[str, str], code: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    assert refusal(read, buffer.getvalue()).code == code


def _bomb(part: str, text: str, times: int) -> bytes:
    return altered(
        with_shared_texts(workbook(HEADER, ["A", 1, 1])),
        part,
        lambda xml: xml.replace("<v>1</v>", text * times, 1) if part == SHEET else xml + text * times,
    )


@pytest.mark.parametrize(
    ("part", "text", "times", "limit"),
    [
        (SHEET, " ", 20_000_000, 10_000_000),
        (SHEET, "<v>1</v>", 2_000_000, 1 << 40),
        ("xl/styles.xml", " ", 9 << 20, 1 << 40),
        (TEXTS, " ", 65 << 20, 1 << 40),
    ],
)
def test_a_bomb_is_not_unpacked(tmp_path: Path, part: str, text: str, times: int, limit: int) -> None:
    path = tmp_path / "feed"
    path.write_bytes(_bomb(part, text, times))
    with DuckDbFeedReader(tmp_path / "work", max_bytes=limit) as reader, pytest.raises(UnreadableFeed) as refused:
        read_path(reader, path)
    assert refused.value.code == "format/too_large"


def test_dimensions_that_claim_the_whole_sheet_cost_nothing(read: Read) -> None:
    content = workbook(HEADER, ["A", 1, 1])
    content = altered(
        content, SHEET, lambda xml: re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:XFD1048576"', xml)
    )
    assert read(content).counts.rows_received == 1
