"""What the engine says of a local disk or memory at fault is an outage; what it says of a file's content is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.adapters.duckdb_session import FeedSession, ParsedStatements
from services.aggregator.adapters.duckdb_text_reading import Reading
from services.aggregator.adapters.prepared_text import PreparedText
from services.aggregator.errors import Outage
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.feed_sample import take_sample
from services.aggregator.rules.layouts import recognise
from tests.unit.aggregator.feed_readings import OBJECT_DAY, SELLER

REQUEST = ReadRequest(SELLER, OBJECT_DAY)


@pytest.fixture
def larger_than_memory(tmp_path: Path) -> Path:
    """5 MB, of which every row is a group and a transaction of its own: some of it must spill below 50 MB."""
    path = tmp_path / "feed.csv"
    rows = (f"t{n},Product {n} {'x' * 40},1,1.25\n" for n in range(80_000))
    path.write_text("transaction_id,product_name,quantity,amount\n" + "".join(rows))
    return path


def test_a_disk_that_takes_no_spilled_memory_is_an_outage(tmp_path: Path, larger_than_memory: Path) -> None:
    work = tmp_path / "work"
    with DuckDbFeedReader(work, memory_limit_mb=35, threads=1) as reader:
        reader.read(larger_than_memory, REQUEST).close()
        for file in (work / "spill").iterdir():
            file.unlink()
        (work / "spill").rmdir()
        (work / "spill").touch()  # no folder can be made there
        with pytest.raises(Outage, match="IO Error"):
            reader.read(larger_than_memory, REQUEST)


def test_memory_that_others_hold_is_an_outage(tmp_path: Path, larger_than_memory: Path) -> None:
    with (
        DuckDbFeedReader(tmp_path / "work", memory_limit_mb=5, threads=1) as reader,
        pytest.raises(Outage, match="Out of Memory"),
    ):
        reader.read(larger_than_memory, REQUEST)


class FailingScans:
    """A connection on which the first scans end with `error`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, error: duckdb.Error, times: int) -> None:
        self._connection = connection
        self._errors = [error] * times

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        if self._errors and "read_csv" in arguments[0].query:
            raise self._errors.pop()
        return self._connection.execute(*arguments)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def reading_whose_first_scans_fail(
    engine: duckdb.DuckDBPyConnection, folder: Path, error: duckdb.Error, *, times: int = 1, is_ours: bool
) -> Reading:
    path = folder / "feed.csv"
    path.write_text("Shirt,1,2.00,2.00\nSock,1,2.00,2.00\n")
    statements = ParsedStatements(engine)
    connections: list[Any] = [engine.cursor(), FailingScans(engine.cursor(), error, times)]
    return Reading(
        lambda: FeedSession(connections.pop(), statements),
        PreparedText(path, "csv", charset="utf-8", is_ours=is_ours, lines=2),
        recognise(take_sample(iter([path.read_text()]))),
        REQUEST,
        folder / "copy",
        small_file_bytes=0,
    )


@pytest.mark.parametrize("is_ours", [False, True])
@pytest.mark.parametrize(("error", "times"), [(duckdb.IOException, 1), (duckdb.OutOfMemoryException, 3)])
def test_an_outage_in_the_scan_is_no_reason_to_read_otherwise(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, error: type[duckdb.Error], times: int, is_ours: bool
) -> None:
    """Of memory, once several smaller scans did not fit either."""
    with pytest.raises(Outage):
        reading_whose_first_scans_fail(engine, tmp_path, error("full"), times=times, is_ours=is_ours).run()


@pytest.mark.parametrize("is_ours", [False, True])
def test_what_does_not_fit_into_memory_at_once_is_read_in_several_scans(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, is_ours: bool
) -> None:
    error = duckdb.OutOfMemoryException("full")
    session, loaded = reading_whose_first_scans_fail(engine, tmp_path, error, times=2, is_ours=is_ours).run()
    session.close()
    assert (loaded.plain_rows, loaded.has_rows) == (2, False)


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_scan_that_finds_something_else_is(engine: duckdb.DuckDBPyConnection, tmp_path: Path, is_ours: bool) -> None:
    error = duckdb.InvalidInputException("no such text")
    session, loaded = reading_whose_first_scans_fail(engine, tmp_path, error, is_ours=is_ours).run()
    session.close()
    assert (loaded.plain_rows, loaded.has_rows) == (2, False) if not is_ours else (0, True)
