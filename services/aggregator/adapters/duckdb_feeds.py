"""Reads a local file into validated, aggregated rows with DuckDB, out of core."""

import shutil
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import duckdb

from services.aggregator.adapters.duckdb_read_feed import DuckDbReadFeed
from services.aggregator.adapters.duckdb_session import FeedSession, ParsedStatements
from services.aggregator.adapters.duckdb_text_reading import Reading
from services.aggregator.adapters.prepared_text import PreparedText, prepare
from services.aggregator.adapters.utf8_blocks import HEAD_BYTES
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.charsets import charset_of
from services.aggregator.rules.feed_sample import SAMPLE_CHARACTERS, take_sample
from services.aggregator.rules.layouts import Layout, recognise
from shared.schemas.events import Phase
from shared.schemas.feeds import Recognised


class DuckDbFeedReader:
    """One engine for the process: its memory limit and threads are shared by all feeds in work.

    Feeds may be read at the same time from several threads; each has a connection and tables of its own.
    What does not fit into `memory_limit_mb` goes to files in `work_dir`, which only this reader may use. Whatever a
    file holds when it is unpacked, no more than `max_bytes` of it are. A file of up to `small_file_bytes` is read in
    the fewest statements, a larger one in the least work; what it comes to is the same.
    """

    def __init__(
        self,
        work_dir: Path,
        *,
        memory_limit_mb: int = 400,
        threads: int = 2,
        max_bytes: int = 5 << 30,
        small_file_bytes: int = 1 << 18,
    ) -> None:
        self._work_dir = work_dir
        self._small_file_bytes = small_file_bytes
        self._max_bytes = max_bytes
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
        name = uuid.uuid4().hex
        scratch = self._work_dir / f"{name}.prepared"
        try:
            text = prepare(path, scratch, request.options, self._max_bytes, partial(request.told, Phase.READ))
            layout = _recognise(text)
            copy = self._work_dir / f"{name}.lines"
            reading = Reading(self._open_session, text, layout, request, copy, self._small_file_bytes)
            session, loaded = reading.run()
        finally:
            if scratch.exists():
                shutil.rmtree(scratch)
        try:
            recognised = _recognised(text, layout)
            return DuckDbReadFeed(session, layout, recognised, loaded, notes=text.notes, line_offset=text.line_offset)
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


def _recognise(text: PreparedText) -> Layout:
    with text.path.open("rb") as file:
        charset, mark = charset_of(file.read(HEAD_BYTES), None if text.is_ours else text.charset)
    # Bytes that are not text are found, with their offset, when the whole file is read.
    with text.path.open(encoding=charset, errors="replace", newline=None) as characters:
        if mark:
            characters.read(1)
        sample = take_sample(iter(lambda: characters.read(SAMPLE_CHARACTERS), ""))
    # Ours has commas; what a seller's value looks like must not mislead.
    return recognise(replace(sample, sep=",") if text.is_ours else sample)


def _recognised(text: PreparedText, layout: Layout) -> Recognised:
    return Recognised(
        format=text.format,
        layout=layout.name,
        compression=text.compression,
        charset=text.charset,
        delimiter=None if text.is_ours else layout.delimiter,
        sheet=text.sheet,
        columns=layout.column_names,
        ignored_columns=list(layout.columns.ignored),
    )
