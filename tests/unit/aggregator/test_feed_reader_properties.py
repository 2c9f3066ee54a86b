"""Random feeds in random dialects with planted faults: the reader and the oracle must agree on everything."""

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.aggregator.errors import UnreadableFeed
from tests.oracle.books import Books, Expected, Key, Sums, expect
from tests.oracle.fatal import Fatal
from tests.oracle.large_feeds import Large
from tests.oracle.random_feeds import Dialect, Feed, Table, dialects, feeds, file_of, tables, unreadable_feeds
from tests.oracle.readings import Readers, Reading, read
from tests.oracle.slow_settings import slow_is_fine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feeds")


def _agree(reading: Reading, expected: Expected) -> None:
    for code in expected.books.totals:
        event(code)
    assert reading.layout == expected.layout.name
    assert reading.recognised.delimiter == expected.layout.delimiter
    assert reading.books == expected.books
    lines = [issue.line or 0 for issue in reading.issues]
    assert lines == sorted(lines)
    keys = [
        (c.sale_date, *(text.encode() for text in (c.product_id, c.product_name, c.category, c.currency)))
        for c in reading.contributions
    ]
    assert keys == sorted(set(keys))


@settings(slow_is_fine, max_examples=250)
@given(feed=feeds())
def test_the_reader_and_the_oracle_agree(feed_readers: Readers, folder: Path, feed: Feed) -> None:
    _agree(read(feed_readers, folder, feed.content, feed.asked), expect(feed.content, feed.asked))


@settings(slow_is_fine, max_examples=120)
@given(feed=feeds(options=True))
def test_they_agree_on_feeds_that_need_options(feed_readers: Readers, folder: Path, feed: Feed) -> None:
    _agree(read(feed_readers, folder, feed.content, feed.asked), expect(feed.content, feed.asked))


@pytest.mark.parametrize(
    ("large", "end"),
    [
        (Large(15_000, 1), b""),
        (Large(15_000, 2, line_end="\r\n", quoted=True), b""),
        (Large(15_000, 3, line_end="\r", quoted=True, fault_every=3), b'"never closed\r' + b"x,1\r" * 5_000),
        (Large(130_000, 4, fault_every=10_000), b""),
    ],
    ids=[
        "plain",
        "quoted, two bytes a line end",
        "many faults and an unclosed quote",
        "more than an engine's row group",
    ],
)
def test_they_agree_where_the_borders_of_blocks_and_batches_lie(
    feed_readers: Readers, folder: Path, large: Large, end: bytes
) -> None:
    content = large.content() + end
    reading, expected = read(feed_readers, folder, content), expect(content)
    # Compared in parts: a difference of thousands of lines tells nobody anything.
    assert vars(reading.books) | {"issues": [], "contributions": {}} == vars(expected.books) | {
        "issues": [],
        "contributions": {},
    }
    unlike = set(reading.books.issues) ^ set(expected.books.issues)
    assert sorted(unlike)[:5] == []
    assert len(reading.books.issues) == len(expected.books.issues)
    sums, wanted = reading.books.contributions, expected.books.contributions
    assert [key for key in sums.keys() | wanted.keys() if sums.get(key) != wanted.get(key)][:5] == []


@settings(slow_is_fine, max_examples=60)
@given(feed=unreadable_feeds())
def test_they_refuse_the_same_feeds_for_the_same_reason(feed_readers: Readers, folder: Path, feed: Feed) -> None:
    with pytest.raises(Fatal) as expected:
        expect(feed.content, feed.asked)
    with pytest.raises(UnreadableFeed) as refused:
        read(feed_readers, folder, feed.content, feed.asked)
    event(expected.value.code)
    assert refused.value.code == expected.value.code
    if expected.value.offset is not None:
        assert str(expected.value.offset) in re.findall(r"\d+", refused.value.message)


@settings(slow_is_fine, max_examples=30)
@given(feed=feeds())
def test_what_was_recognised_is_told(feed_readers: Readers, folder: Path, feed: Feed) -> None:
    layout = expect(feed.content, feed.asked).layout
    recognised = read(feed_readers, folder, feed.content, feed.asked).recognised
    assert (recognised.format, recognised.layout) == ("csv", layout.name)
    assert sorted(recognised.ignored_columns) == sorted(layout.ignored)
    if layout.header:
        named = {field: layout.header[at].strip() for field, at in layout.position.items()}
        assert {field: name.strip() for field, name in recognised.columns.items()} == named


def _gist(books: Books) -> tuple[dict[str, int], dict[Key, Sums], Counter[tuple[str, str]]]:
    """What does not depend on how a feed is written and in which order: books, sums, and codes."""
    counts = {name: number for name, number in vars(books).items() if isinstance(number, int)}
    return counts, books.contributions, Counter((told.code, told.field) for told in books.issues)


def _with_header(table: Table) -> bool:
    return bool(table.header)


@settings(slow_is_fine, max_examples=40)
@given(table=tables().filter(_with_header), one=dialects(), other=dialects())
def test_the_same_rows_in_another_dialect_give_the_same_books(
    feed_readers: Readers, folder: Path, table: Table, one: Dialect, other: Dialect
) -> None:
    first, second = (file_of(table, dialect) for dialect in (one, other))
    gists = [_gist(read(feed_readers, folder, feed.content, feed.asked).books) for feed in (first, second)]
    assert gists[0] == gists[1]


@settings(slow_is_fine, max_examples=30)
@given(table=tables(ids=False).filter(_with_header), seed=st.integers(0, 9))
def test_rows_without_ids_may_come_in_any_order(feed_readers: Readers, folder: Path, table: Table, seed: int) -> None:
    shuffled = replace(table, rows=random.Random(seed).sample(table.rows, len(table.rows)))
    gists = [_gist(read(feed_readers, folder, file_of(t, Dialect()).content).books) for t in (table, shuffled)]
    assert gists[0] == gists[1]


@settings(slow_is_fine, max_examples=30)
@given(table=tables(ids=False).filter(lambda table: bool(table.header) and len(table.rows) > 1), data=st.data())
def test_a_feed_in_two_parts_comes_to_the_same(
    feed_readers: Readers, folder: Path, table: Table, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(table.rows) - 1))
    tables_read = [table, replace(table, rows=table.rows[:cut]), replace(table, rows=table.rows[cut:])]
    whole, *parts = (read(feed_readers, folder, file_of(t, Dialect()).content).books for t in tables_read)
    for name in ("received", "accepted", "rejected", "duplicate", "skipped"):
        assert getattr(whole, name) == sum(getattr(part, name) for part in parts)
    sums: Counter[tuple[Key, str]] = Counter()
    for part in parts:
        sums.update(
            {(key, name): value for key, group in part.contributions.items() for name, value in vars(group).items()}
        )
    assert sums == {
        (key, name): value for key, group in whole.contributions.items() for name, value in vars(group).items()
    }
