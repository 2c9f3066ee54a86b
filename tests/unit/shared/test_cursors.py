"""Cursors give back what was put in, and nothing that a caller bent."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.cursors import decode_cursor, encode_cursor
from shared.runtime.problems import InvalidRequest


@given(key=st.lists(st.text(), min_size=1, max_size=5))
def test_round_trip(key: list[str]) -> None:
    assert decode_cursor(encode_cursor(key), len(key)) == key


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "é", encode_cursor(["a"]), encode_cursor(["a", "b", "c"]), "eyJhIjoxfQ", "WzEsMl0", "A" * 5000],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(cursor, 2)


@given(junk=st.text(max_size=40))
def test_junk_is_refused_or_a_key_but_never_a_crash(junk: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert len(decode_cursor(junk, 2)) == 2
