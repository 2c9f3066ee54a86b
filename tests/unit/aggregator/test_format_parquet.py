"""Parquet: types decide what is exact, and a damaged file harms no other."""

import random
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.adapters.parquet_records import write_parquet
from services.aggregator.errors import Outage, UnreadableFeed
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.typed_values import Writing
from tests.unit.aggregator.feed_readings import Read, read_path, refusal

SAMPLES = Path(__file__).parents[2] / "samples" / "formats"
Write = Callable[..., bytes]


@pytest.fixture
def parquet(tmp_path: Path) -> Write:
    """The Parquet file that holds what a SELECT gives."""

    def write(select: str, options: str = "") -> bytes:
        path = tmp_path / "written.parquet"
        with duckdb.connect() as engine:
            engine.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet {options})")
        return path.read_bytes()

    return write


@pytest.mark.parametrize("options", ["", ", COMPRESSION zstd", ", COMPRESSION gzip", ", COMPRESSION uncompressed"])
def test_rows_are_numbered_from_one(read: Read, parquet: Write, options: str) -> None:
    select = "SELECT * FROM (VALUES ('A', 1, 2.5), ('B', NULL, 1.0), ('C', 2, 3.0)) t(product_name, quantity, amount)"
    reading = read(parquet(select, options))
    assert reading.recognised.model_dump(exclude_none=True, exclude={"layout", "columns", "ignored_columns"}) == {
        "format": "parquet"
    }
    assert reading.codes == [(2, "validation/missing_value")]
    assert [(c.product_name, c.quantity, str(c.revenue)) for c in reading.contributions] == [
        ("A", 1, "2.5000"),
        ("C", 2, "6.0000"),
    ]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("5::TINYINT", 5),
        ("5::UBIGINT", 5),
        ("-5::HUGEINT", -5),
        ("5.0::DOUBLE", 5),
        ("5.0::FLOAT", 5),
        ("3.0000000000000004::DOUBLE", 3),
        ("5::DECIMAL(10,3)", 5),
        ("'5.0'", 5),
        ("2.5::DOUBLE", "validation/invalid_quantity"),
        ("2.00001::DOUBLE", "validation/invalid_quantity"),
        ("2.5::DECIMAL(10,3)", "validation/invalid_quantity"),
        ("1e15::DOUBLE", "validation/out_of_range"),
        ("'nan'::DOUBLE", "validation/invalid_quantity"),
        ("'inf'::DOUBLE", "validation/invalid_quantity"),
        ("true", "validation/invalid_quantity"),
        ("DATE '2026-03-01'", "validation/invalid_quantity"),
        ("[5]", "format/nested_value"),
        ("{'n': 5}", "format/nested_value"),
        ("MAP {'n': 5}", "format/nested_value"),
    ],
)
def test_a_quantity_of_every_type(read: Read, parquet: Write, quantity: str, expected: int | str) -> None:
    reading = read(parquet(f"SELECT 'A' AS product_name, {quantity} AS quantity, 1 AS amount"))
    if isinstance(expected, int):
        assert [c.quantity for c in reading.contributions] == [expected]
    else:
        assert reading.codes == [(1, expected)]


@pytest.mark.parametrize("separator", [".", ","])
@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("19.99::DOUBLE", "19.9900"),
        ("19.99::FLOAT", "19.9900"),
        ("0.1 + 0.2::DOUBLE", "0.3000"),
        ("1.00005::DOUBLE", "1.0000"),
        ("1.00015::DOUBLE", "1.0002"),
        ("1e-9::DOUBLE", "0.0000"),
        ("1e13::DOUBLE", "10000000000000.0000"),
        ("1e16::DOUBLE", "validation/out_of_range"),
        ("12345678901234.5678::DECIMAL(18,4)", "12345678901234.5678"),
        ("0::DECIMAL(38,20)", "0.0000"),
        ("1.230000::DECIMAL(18,6)", "1.2300"),
        ("1.234567::DECIMAL(18,6)", "validation/too_many_decimals"),
        ("1234::BIGINT", "1234.0000"),
        ("1.234::DOUBLE", "1.2340"),
    ],
)
def test_an_amount_is_exact_unless_it_is_a_binary_float(
    read: Read, parquet: Write, amount: str, expected: str, separator: str
) -> None:
    content = parquet(f"SELECT 'A' AS product_name, 1 AS quantity, {amount} AS amount")
    reading = read(content, decimal_separator=separator)
    assert [str(c.amount) for c in reading.contributions] + [code for _, code in reading.codes] == [expected]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("DATE '2026-03-01'", "2026-03-01"),
        ("TIMESTAMP '2026-03-01 23:59:59.5'", "2026-03-01"),
        ("TIMESTAMP_NS '2026-03-01 23:59:59.123456789'", "2026-03-01"),
        ("TIMESTAMP_S '2026-03-01 23:59:59'", "2026-03-01"),
        ("TIMESTAMPTZ '2026-03-01 23:30:00-02:00'", "2026-03-02"),
        ("'2026-03-01'", "2026-03-01"),
        ("20260301", "2026-03-01"),
        ("NULL::DATE", "validation/missing_value"),
        ("DATE '12026-03-01'", "validation/invalid_date"),
        ("DATE '0044-03-15 (BC)'", "validation/invalid_date"),
        ("'infinity'::TIMESTAMP", "validation/invalid_date"),
        ("DATE '1969-12-31'", "validation/date_out_of_range"),
    ],
)
def test_a_date_of_every_type(read: Read, parquet: Write, moment: str, day: str) -> None:
    reading = read(parquet(f"SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount, {moment} AS date"))
    assert [c.sale_date.isoformat() for c in reading.contributions] + [code for _, code in reading.codes] == [day]


def test_texts_keep_what_they_hold_and_other_columns_are_ignored(read: Read, parquet: Write) -> None:
    names = ['say "hi", O\'Neil', "a\r\nb", "\ufdd2x", "日本 🎽", "", "sep=;"]
    values = ", ".join("(concat(" + ",".join(f"chr({ord(c)})" for c in name) + (", '' ))") for name in names)
    # ruff: noqa: S608 - the values are this test's
    select = f"""SELECT product_name, 1 AS quantity, 1 AS amount, [1, 2] AS "a list", {{'k': 1.5}} AS s, 'x'::BLOB AS b,
                 uuid() AS u, TIME '10:00' AS t, INTERVAL 1 DAY AS i FROM (VALUES {values}) v(product_name)"""
    reading = read(parquet(select.replace("concat(, ''", "concat(''")))
    assert reading.codes[1:] == [(3, "validation/control_character"), (5, "validation/missing_value")]
    assert "a list, s, b, u, t, i" in reading.issues[0].message
    assert {c.product_name for c in reading.contributions} == {'say "hi", O\'Neil', "a b", "日本 🎽", "sep=;"}


def test_text_that_its_writer_did_not_call_text_is_read_if_it_is(read: Read, parquet: Write) -> None:
    select = "SELECT unnest(['A'::BLOB, '\\xC3\\xA9'::BLOB, '\\xFF'::BLOB]) AS product_name, 1 AS quantity, 1 AS amount"
    reading = read(parquet(select))
    assert {c.product_name for c in reading.contributions} == {"A", "é"}
    assert reading.codes == [(3, "validation/control_character")]


def test_names_that_differ_in_case_alone_are_two_columns_for_one_field(read: Read, parquet: Write) -> None:
    content = parquet("SELECT 'A' AS product_name, 1 AS quantity, 1 AS quantitx, 1 AS amount")
    assert read(content).counts.rows_accepted == 1
    assert refusal(read, content.replace(b"quantitx", b"Quantity")).code == "format/duplicate_columns"


def test_no_rows_and_other_names(read: Read, parquet: Write) -> None:
    reading = read(parquet("SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount WHERE false"))
    assert reading.codes == [(None, "format/no_rows")]
    assert refusal(read, parquet("SELECT 'A' AS a, 1 AS b, 2 AS c, 2 AS d")).code == "format/unknown_layout"
    assert refusal(read, parquet("SELECT 'A' AS product_name, 1 AS amount")).code == "format/missing_columns"
    wide = "SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount, " + ", ".join(f"1 AS x{n}" for n in range(998))
    assert refusal(read, parquet(wide)).code == "format/too_many_columns"


def test_many_row_groups_keep_their_order(read: Read, parquet: Write) -> None:
    select = "SELECT 'A' AS product_name, CASE WHEN n % 10000 = 0 THEN NULL ELSE 1 END AS quantity, 1.5 AS amount"
    reading = read(parquet(f"{select} FROM range(1, 60001) t(n)", ", ROW_GROUP_SIZE 4096"))
    assert reading.codes == [(n, "validation/missing_value") for n in range(10_000, 60_001, 10_000)]


def test_typed_dates_pass_a_format_that_was_given_for_texts(read: Read, parquet: Write) -> None:
    select = "SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount, TIMESTAMP '2026-03-04 10:00' AS date"
    path_free = read(parquet(select), date_format="%Y-%m-%d")
    assert [c.sale_date.isoformat() for c in path_free.contributions] == ["2026-03-04"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("1969-01-05", "validation/date_out_of_range"),
        ("1968-12-31", "validation/invalid_date"),
        ("1926-01-05", "validation/invalid_date"),
        ("2069-01-05", "validation/invalid_date"),
        ("1970-01-05", "1970-01-05"),
    ],
)
@pytest.mark.parametrize("date_format", ["%y-%m-%d", "%d/%m/%y"])
def test_a_year_that_two_digits_cannot_tell_is_read_as_no_other(
    read: Read, parquet: Write, date_format: str, day: str, expected: str
) -> None:
    select = f"SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount, DATE '{day}' AS date"
    reading = read(parquet(select), date_format=date_format)
    told = [issue.code for issue in reading.issues] or [c.sale_date.isoformat() for c in reading.contributions]
    assert told == [expected]


@pytest.mark.parametrize(("levels", "is_read"), [(8, True), (20, False)])
def test_lists_in_lists_are_not_read_at_any_depth(read: Read, parquet: Write, levels: int, is_read: bool) -> None:
    """With fifty of them, a file of a kilobyte would keep the engine busy for good."""
    nested = "[" * levels + "1" + "]" * levels
    content = parquet(f"SELECT 'A' AS product_name, 1 AS quantity, 1 AS amount, {nested} AS x, 'B' AS y")
    if is_read:
        assert read(content).recognised.ignored_columns == ["x", "y"]
    else:
        assert refusal(read, content).code == "format/unsupported"


def test_a_file_that_unpacks_to_more_than_allowed_is_stopped(tmp_path: Path, parquet: Write) -> None:
    path = tmp_path / "feed"
    path.write_bytes(parquet("SELECT repeat('A', 200) AS product_name, 1 AS quantity, 1 AS amount FROM range(100000)"))
    assert path.stat().st_size < 100_000
    with DuckDbFeedReader(tmp_path / "work", max_bytes=1_000_000) as reader:
        with pytest.raises(UnreadableFeed) as refused:
            read_path(reader, path)
        assert refused.value.code == "format/too_large"
        assert [p for p in (tmp_path / "work").rglob("*") if p.is_file()] == []


def test_a_file_that_stops_its_engine_stops_no_other(read: Read) -> None:
    """Its footer, damaged, makes DuckDB invalidate the whole instance that reads it."""
    content = (SAMPLES / "footer_that_stops_duckdb.parquet").read_bytes()
    assert refusal(read, content).code == "format/broken_file"
    assert read("A,1,2,2\n").counts.rows_accepted == 1


def test_damaged_files_are_refused_and_the_next_feed_is_read(read: Read, parquet: Write) -> None:
    select = (
        "SELECT 'name ' || n // 3 AS product_name, n % 7 + 1 AS quantity, n / 100.0 AS amount FROM range(3000) t(n)"
    )
    good = parquet(select)
    chance = random.Random(5)
    refused: list[UnreadableFeed] = []
    for _ in range(100):
        damaged = bytearray(good)
        for _ in range(chance.choice([1, 3, 20])):
            # The footer, where most of what can break lies.
            damaged[chance.randrange(len(good) - 600, len(good))] = chance.randrange(256)
        try:
            read(bytes(damaged))
        except UnreadableFeed as error:
            refused.append(error)
    assert len(refused) > 30
    assert {error.code.partition("/")[0] for error in refused} == {"format"}
    assert not any("duckdb" in error.message.casefold() for error in refused)
    assert refusal(read, good[: len(good) // 2]).code == "format/broken_file"
    assert read(good).counts.rows_accepted == 3_000


def test_a_disk_that_does_not_give_the_file_back_is_an_outage(tmp_path: Path) -> None:
    with CanonicalCsv(tmp_path / "out.csv", 1_000) as out, pytest.raises(Outage):
        write_parquet(tmp_path / "gone.parquet", out, Writing(), Preparing(lambda _: None))


def test_a_file_that_no_engine_has_room_for_is_no_outage(read: Read, parquet: Write) -> None:
    """One value of 150 MB. The engine is this file's own: every try would meet the same."""
    select = f"SELECT repeat('A', {150 << 20}) AS product_name, 1 AS quantity, 1 AS amount"
    content = parquet(select, ", COMPRESSION zstd")
    assert refusal(read, content).code == "format/broken_file"
