"""Reads a local file into validated, aggregated rows with DuckDB, out of core."""

import uuid
from pathlib import Path
from typing import Self

import duckdb

from services.aggregator.adapters.duckdb_read_feed import DuckDbReadFeed
from services.aggregator.adapters.duckdb_session import FeedSession, ParsedStatements
from services.aggregator.adapters.duckdb_text_reading import Reading
from services.aggregator.errors import UnreadableFeed
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.feed_sample import SAMPLE_CHARACTERS, take_sample
from services.aggregator.rules.file_signatures import encoding_of, refusal_for
from services.aggregator.rules.layouts import Layout, recognise
from shared.schemas.feeds import Recognised

_HEAD_BYTES = 1 << 18


class DuckDbFeedReader:
    """One engine for the process: its memory limit and threads are shared by all feeds in work.

    Feeds may be read at the same time from several threads; each has a connection and tables of its own.
    What does not fit into `memory_limit_mb` goes to files in `work_dir`, which only this reader may use.
    """

    def __init__(self, work_dir: Path, *, memory_limit_mb: int = 400, threads: int = 2) -> None:
        self._work_dir = work_dir
        work_dir.mkdir(parents=True, exist_ok=True)
        self._engine = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_limit_mb}MB",
                "threads": threads,
                "temp_directory": str(work_dir / "spill"),
                "preserve_insertion_order": True,  # line numbers rest on it
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._statements = ParsedStatements(self._engine.cursor())

    def read(self, path: Path, request: ReadRequest) -> DuckDbReadFeed:
        """See FeedReader. The file is not needed any more once this has returned."""
        encoding, layout = _recognise(path)
        recognised = Recognised(
            format="csv",
            layout=layout.name,
            charset=encoding,
            delimiter=layout.delimiter,
            columns=layout.column_names,
            ignored_columns=list(layout.columns.ignored),
        )
        copy = self._work_dir / f"{uuid.uuid4().hex}.lines"
        reading = Reading(self._open_session, path, layout, request, copy)
        session, loaded = reading.run(is_utf8=encoding == "utf-8")
        try:
            return DuckDbReadFeed(session, layout, recognised, loaded)
        except BaseException:
            session.close()
            raise

    def _open_session(self) -> FeedSession:
        return FeedSession(self._engine.cursor(), self._statements)

    def close(self) -> None:
        """Ends the engine; feeds still open can no longer be read."""
        self._statements.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _recognise(path: Path) -> tuple[str, Layout]:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if refusal := refusal_for(head):
        raise UnreadableFeed(refusal.code, refusal.message)
    encoding, mark = encoding_of(head)
    # Bytes that are not text are found, with their offset, when the whole file is read.
    with path.open(encoding=encoding, errors="replace", newline=None) as text:
        if mark:
            text.read(1)
        return encoding, recognise(take_sample(iter(lambda: text.read(SAMPLE_CHARACTERS), "")))
