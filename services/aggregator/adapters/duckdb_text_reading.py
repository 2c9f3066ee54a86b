"""Loads one text into the engine: as it stands where that is safe, and framed where it is not."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import duckdb
import structlog

from services.aggregator.adapters.duckdb_line_framing import frame
from services.aggregator.adapters.duckdb_load_feed import FeedLoader, Loaded, NotAsExpected, Source
from services.aggregator.adapters.duckdb_plain_scan import PlainScan
from services.aggregator.adapters.duckdb_row_sql import Judging
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.prepared_text import PreparedText
from services.aggregator.adapters.text_facts import TextFacts, text_facts
from services.aggregator.ports import ReadRequest
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.reading_progress import Preparing
from services.aggregator.rules.row_style import row_style_of
from shared.schemas.events import Phase

log = structlog.get_logger(__name__)

_HEAD_BYTES = 1 << 16
_NOT_LARGE_BYTES = 1 << 22
"""Of a smaller file the facts are gathered before the scan: a thread would cost more than it saves."""


_FACTS = 0.5
"""The share of the validation that gathering the facts is counted as: the lines may have to be framed after it."""


class Reading:
    """One text, read once. `copy`: where a framed copy may be put."""

    def __init__(
        self,
        open_session: Callable[[], FeedSession],
        text: PreparedText,
        layout: Layout,
        request: ReadRequest,
        copy: Path,
        small_file_bytes: int,
    ) -> None:
        self._open_session = open_session
        self._text = text
        self._path = text.path
        self._copy = copy
        self._small_file_bytes = small_file_bytes
        self._layout = layout
        self._request = request
        self._validating = Preparing(partial(request.told, Phase.VALIDATE))
        self._judging = Judging(layout, request.options)
        self._style = row_style_of(layout.columns, layout.sample, request.options)
        # Rows can be told from themselves, unless they carry values on from rows before them.
        self._is_scanned = layout.preset is None or not layout.preset.carried

    def run(self) -> tuple[FeedSession, Loaded]:
        """The session with the feed's tables; the caller closes it. Raises UnreadableFeed, or Outage."""
        text = self._text
        if text.is_ours:
            return self._framed(Source(text.path, b"\n", text.lines, is_framed=True))
        if text.charset == "utf-8" and self._is_scanned and (read := self._as_it_stands()):
            return read
        reached = self._validating.stage(text.path.stat().st_size)
        framed = frame(text.path, self._copy, self._layout.delimiter, text.charset, reached)
        try:
            return self._framed(Source(framed.path, b"\n", framed.lines, is_framed=True))
        finally:
            framed.discard()

    def _framed(self, source: Source) -> tuple[FeedSession, Loaded]:
        if self._is_scanned:
            try:
                return self._scanned(source)
            except (duckdb.Error, NotAsExpected) as surprise:
                # Never what the engine says in full: it quotes the seller's lines.
                log.warning("feed.scan_given_up", reason=type(surprise).__name__)
            self._request.told(Phase.AGGREGATE, 50)
        return self._line_by_line(source)

    def _as_it_stands(self) -> tuple[FeedSession, Loaded] | None:
        """None if the file must be framed."""
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            line_end = b"\r\n" if b"\r\n" in file.read(_HEAD_BYTES) else b"\n"

        def checked(facts: TextFacts) -> Source:
            if facts.line_end != line_end or not facts.is_plain:
                raise NotAsExpected("the lines must be framed")
            return Source(self._path, line_end, facts.lines, is_framed=False)

        try:
            if size <= _NOT_LARGE_BYTES:
                return self._scanned(checked(self._facts(size)))
            with self._fresh() as (session, loader), ThreadPoolExecutor(1, thread_name_prefix="facts") as beside:
                gathering = beside.submit(self._facts, size)
                scan = self._scan(Source(self._path, line_end, 0, is_framed=False))
                try:
                    loader.scan(scan)
                finally:
                    facts = gathering.result()
                return session, loader.load(checked(facts), scan)
        except (duckdb.Error, NotAsExpected) as surprise:
            log.debug("feed.must_be_framed", reason=type(surprise).__name__)
            return None

    def _scanned(self, source: Source) -> tuple[FeedSession, Loaded]:
        with self._fresh() as (session, loader):
            scan = self._scan(source)
            if source.path.stat().st_size <= self._small_file_bytes:
                return session, loader.load_small(source, scan)
            loader.scan(scan)
            return session, loader.load(source, scan)

    def _line_by_line(self, source: Source) -> tuple[FeedSession, Loaded]:
        with self._fresh() as (session, loader):
            return session, loader.load_lines(source)

    @contextmanager
    def _fresh(self) -> Iterator[tuple[FeedSession, FeedLoader]]:
        """A session that is closed only if its loading fails."""
        session = self._open_session()
        try:
            yield session, FeedLoader(session, self._judging, self._request.seller_id, self._request.object_day)
        except BaseException:
            session.close()
            raise

    def _scan(self, source: Source) -> PlainScan:
        seller_id = self._request.seller_id
        return PlainScan(source.path, source.line_end, self._layout, self._style, seller_id, is_framed=source.is_framed)

    def _facts(self, size: int) -> TextFacts:
        return text_facts(self._path, self._validating.stage(size, _FACTS))
