"""While a file is made into text, it is told how far that is: in every format, and never backwards."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.reading_progress import Preparing, ReadingProgress
from shared.schemas.events import Phase
from tests.unit.aggregator.feed_readings import OBJECT_DAY, SELLER

ROWS = 20_000
OBJECTS = [{"product_name": f"Product {n}", "quantity": n, "amount": "1.25", "x": f"{n:064}"} for n in range(ROWS)]


def csv_text() -> bytes:
    return "\n".join(["product_name,quantity,amount,x", *(",".join(map(str, o.values())) for o in OBJECTS)]).encode()


def json_lines() -> bytes:
    return "\n".join(map(json.dumps, OBJECTS)).encode()


def late_name() -> bytes:
    """A name that turns up at the end: all is written twice."""
    return json_lines() + b'\n{"product_name": "A", "quantity": 1, "amount": 1, "unforeseen": 1}'


def json_array() -> bytes:
    return json.dumps(OBJECTS).encode()


def xlsx() -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(OBJECTS[0]))
    for row in OBJECTS[:5_000]:
        sheet.append(list(row.values()))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def percents_told(reader: DuckDbFeedReader, path: Path, of: Phase = Phase.READ) -> list[int]:
    """Of the phase in which the text is made, or another; nothing may be told of it after the next one began."""
    told: list[tuple[Phase, int]] = []
    shown = ReadingProgress()

    def hear(phase: Phase, percent: int) -> None:
        told.append((phase, percent))
        shown.told(phase, percent)

    reader.read(path, ReadRequest(SELLER, OBJECT_DAY, told=hear)).close()
    phases = [phase for phase, _ in told]
    assert phases == sorted(phases, key=[Phase.READ, Phase.VALIDATE, Phase.AGGREGATE].index)
    assert shown.now.percent > 0
    return [percent for phase, percent in told if phase is of]


def _moves(percents: list[int]) -> None:
    assert percents == sorted(set(percents)), "it never goes back, and says nothing twice"
    assert len(percents) >= 4
    assert percents[0] < 40 < percents[-1] <= 100


@pytest.mark.parametrize("content", [json_lines, late_name, json_array, xlsx], ids=lambda made: made.__name__)
def test_it_moves_while_a_format_is_made_into_text(
    feed_reader: DuckDbFeedReader, tmp_path: Path, content: Callable[[], bytes]
) -> None:
    path = tmp_path / "feed"
    path.write_bytes(content())
    _moves(percents_told(feed_reader, path))


def test_it_moves_through_the_rows_of_parquet(feed_reader: DuckDbFeedReader, tmp_path: Path) -> None:
    path = tmp_path / "feed"
    with duckdb.connect() as engine:
        rows = engine.sql("SELECT 'A' AS product_name, n AS quantity, 1 AS amount FROM range(20000) t(n)")
        rows.write_parquet(str(path))
    percents = percents_told(feed_reader, path)
    _moves(percents)
    assert percents[-1] == 100


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("content", [csv_text, json_lines], ids=lambda made: made.__name__)
def test_it_moves_while_a_file_is_decompressed(
    feed_reader: DuckDbFeedReader, tmp_path: Path, content: Callable[[], bytes], compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "feed"
    path.write_bytes(compress(content()))
    percents = percents_told(feed_reader, path)
    assert percents == sorted(set(percents))
    assert percents[-1] >= 30
    assert content is csv_text or percents[-1] > 60, "unpacking is not all of it"


def mixed_line_ends() -> bytes:
    """Read once to find that out, and then framed."""
    return csv_text() + b"\r\nA,1,1,x\rB,1,1,x\n"


def in_utf_16() -> bytes:
    return csv_text().decode().encode("utf-16")


@pytest.mark.parametrize("content", [mixed_line_ends, in_utf_16], ids=lambda made: made.__name__)
def test_it_moves_while_lines_are_framed(
    feed_reader: DuckDbFeedReader, tmp_path: Path, content: Callable[[], bytes]
) -> None:
    path = tmp_path / "feed"
    path.write_bytes(content())
    percents = percents_told(feed_reader, path, Phase.VALIDATE)
    assert percents == sorted(set(percents))
    assert len([percent for percent in percents if percent > 50]) >= 4
    assert percents[-1] == 100


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1), st.lists(st.integers(0, 2 * 10**9)))))
def test_whatever_is_gone_through_it_rises_to_a_hundred_at_most(stages: list[tuple[int, float, list[int]]]) -> None:
    told: list[int] = []
    preparing = Preparing(told.append)
    for size, share, consumed in stages:
        reached = preparing.stage(size, share)
        for so_far in consumed:
            reached(so_far)
    assert told == sorted(set(told))
    assert not told or (told[0] >= 1 and told[-1] <= 100)
