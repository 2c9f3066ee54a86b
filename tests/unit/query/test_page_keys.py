"""Cursors give back the key that they were made from, and nothing else passes for one."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.rules.averages import ratio
from services.query.rules.page_keys import EntryKey, FeedKey, HistoryKey, ProductKey, TransactionKey
from shared.runtime.cursors import encode_cursor
from shared.runtime.problems import InvalidRequest

codes = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
keys = st.one_of(
    st.builds(TransactionKey, st.dates(), codes, st.uuids(), st.binary(min_size=16, max_size=16)),
    st.builds(ProductKey, st.text(max_size=255), st.text(max_size=128), st.sampled_from(["", "EUR"])),
    st.builds(FeedKey, st.datetimes(timezones=st.just(UTC)), st.uuids()),
    st.builds(EntryKey, st.just(f"{datetime(2026, 1, 1, tzinfo=UTC).isoformat()}#1"), st.uuids()),
)


@given(keys)
def test_a_key_is_read_back_from_its_cursor_and_by_its_own_list_only(
    key: TransactionKey | ProductKey | FeedKey | EntryKey,
) -> None:
    cursor = key.to_cursor()
    assert type(key).from_cursor(cursor) == key
    for other in (TransactionKey, ProductKey, FeedKey, EntryKey):
        if other is type(key):
            continue
        with pytest.raises(InvalidRequest):
            other.from_cursor(cursor)


@given(st.lists(st.text(), max_size=6), st.sampled_from(["transactions", "summary", "feeds", "errors"]))
def test_no_text_breaks_a_cursor(parts: list[str], kind: str) -> None:
    cursor = encode_cursor([kind, *parts])
    for key in (TransactionKey, ProductKey, FeedKey, EntryKey):
        try:
            read = key.from_cursor(cursor)
        except InvalidRequest:
            continue
        assert type(read) is key


@given(st.uuids(), st.uuids(), st.integers(min_value=1, max_value=10**18 - 1))
def test_a_historys_cursor_is_of_one_feed(feed_id: UUID, other: UUID, number: int) -> None:
    key = HistoryKey(feed_id, number)
    assert HistoryKey.from_cursor(key.to_cursor(), feed_id) == key
    for wrong in (
        FeedKey(datetime(2026, 1, 1, tzinfo=UTC), feed_id).to_cursor(),
        encode_cursor(["history", str(feed_id), f"-{number}"]),
        encode_cursor(["history", str(feed_id), f"{number}" + "0" * 18]),
        encode_cursor(["history", str(feed_id), "\u0661"]),
    ):
        with pytest.raises(InvalidRequest):
            HistoryKey.from_cursor(wrong, feed_id)
    if other != feed_id:
        with pytest.raises(InvalidRequest):
            HistoryKey.from_cursor(key.to_cursor(), other)


@pytest.mark.parametrize("text", ["\ud800", "x" * 256])
def test_text_that_no_feed_can_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        ProductKey.from_cursor(encode_cursor(["summary", text, "", ""]))


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [
        ("1.0000", 3, "0.3333"),
        ("2.0000", 3, "0.6667"),
        ("0.0001", 2, "0.0000"),  # half to even
        ("0.0003", 2, "0.0002"),
        ("-0.0003", 2, "-0.0002"),
        ("10.0000", -4, "-2.5000"),
        ("9" * 34 + ".9999", 1, "9" * 34 + ".9999"),
        ("5.0000", 0, None),
    ],
)
def test_a_ratio_is_rounded_once_and_half_to_even(total: str, parts: int, expected: str | None) -> None:
    found = ratio(Decimal(total), parts)
    assert (None if found is None else format(found, "f")) == expected
