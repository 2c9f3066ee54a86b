"""One engine for all tests of the feed reader, as a process has one for all feeds; the oracle asks a second one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from tests.oracle.readings import Readers
from tests.unit.aggregator.feed_readings import Read, Reading, read_path


@pytest.fixture(scope="session")
def feed_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbFeedReader]:
    with DuckDbFeedReader(tmp_path_factory.mktemp("engine"), memory_limit_mb=400, threads=2) as reader:
        yield reader


@pytest.fixture(scope="session")
def feed_readers(feed_reader: DuckDbFeedReader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """For the oracle: the one that the others use, and one to which no file is small."""
    folder = tmp_path_factory.mktemp("engine")
    with DuckDbFeedReader(folder, memory_limit_mb=400, threads=2, small_file_bytes=0) as unhurried:
        yield Readers(feed_reader, unhurried)


@pytest.fixture
def read(feed_reader: DuckDbFeedReader, tmp_path: Path) -> Read:
    """Reads text or bytes as a feed of `seller-1` whose object was made on 2026-03-04."""

    def read_text(text: str | bytes, /, **options: str) -> Reading:
        path = tmp_path / "feed.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_path(feed_reader, path, options=options)

    return read_text
