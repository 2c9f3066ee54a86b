"""Reads a local file into validated, aggregated rows with DuckDB, out of core."""

import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Self

import duckdb

from services.aggregator.adapters.duckdb_line_framing import FramedText, frame
from services.aggregator.adapters.duckdb_read_feed import DuckDbReadFeed, ParsedStatements
from services.aggregator.adapters.prepared_text import PreparedText, prepare
from services.aggregator.adapters.utf8_blocks import HEAD_BYTES
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.charsets import charset_of
from services.aggregator.rules.feed_sample import SAMPLE_CHARACTERS, take_sample
from services.aggregator.rules.layouts import Layout, recognise

GIBIBYTE = 1 << 30


class DuckDbFeedReader:
    """One engine for the process: its memory limit and threads are shared by all feeds in work.

    Feeds may be read at the same time from several threads; each has a connection and tables of its own.
    What does not fit into `memory_limit_mb` goes to files in `work_dir`, which only this reader may use. Whatever a
    file holds when it is unpacked, no more than `max_bytes` of it are.
    """

    def __init__(
        self, work_dir: Path, *, memory_limit_mb: int = 400, threads: int = 2, max_bytes: int = 5 * GIBIBYTE
    ) -> None:
        self._work_dir = work_dir
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
            prepared = prepare(path, scratch, request.options, self._max_bytes)
            layout = _recognise(prepared)
            framed = _framed(prepared, self._work_dir / f"{name}.lines", layout.delimiter)
            try:
                return DuckDbReadFeed(self._engine.cursor(), self._statements, framed, layout, request, prepared)
            finally:
                framed.discard()
        finally:
            if scratch.exists():
                shutil.rmtree(scratch)

    def close(self) -> None:
        """Ends the engine; feeds still open can no longer be read."""
        self._statements.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _recognise(prepared: PreparedText) -> Layout:
    with prepared.path.open("rb") as file:
        charset, mark = charset_of(file.read(HEAD_BYTES), None if prepared.is_ours else prepared.charset)
    # Bytes that are not text are found, with their offset, when the whole file is framed.
    with prepared.path.open(encoding=charset, errors="replace", newline=None) as text:
        if mark:
            text.read(1)
        sample = take_sample(iter(lambda: text.read(SAMPLE_CHARACTERS), ""))
    # Ours has commas; what a seller's value looks like must not mislead.
    return recognise(replace(sample, sep=",") if prepared.is_ours else sample)


def _framed(prepared: PreparedText, copy: Path, delimiter: str) -> FramedText:
    if prepared.is_ours:
        return FramedText(prepared.path, prepared.lines, prepared.has_quotes, is_copy=False)
    return frame(prepared.path, copy, delimiter, prepared.charset)
