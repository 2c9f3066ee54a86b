"""More than can be sorted at once is sorted in ranges of keys, and stands in the same order."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest

from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.duckdb_sort_contributions import sort_contributions
from services.aggregator.errors import EngineFull
from tests.unit.aggregator.small_engine import session_on

# Texts that a locale would put in another order, blanks, and keys that differ in their last part alone.
_ROWS = """SELECT DATE '2026-01-01' + (i % 3)::INTEGER AS sale_date, ['', 'b', 'B', 'é', 'z'][1 + i % 5] AS product_id,
    'N' || (i // 150) AS product_name, '' AS category, ['EUR', 'USD'][1 + i % 2] AS currency, i AS quantity
    FROM (SELECT DISTINCT ON (i % 3, i % 5, i // 150, i % 2) i FROM range($rows) r(i))"""


def _is_too_much(sql: str, given: Mapping[str, Any]) -> bool:
    """The first sort, or half way through several ranges."""
    is_sort = "contributions" in sql and ("low_0" in given or "high_0" not in given)
    return is_sort and not sql.lstrip().startswith(("DROP", "SELECT"))


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def _sorted(session: FeedSession, rows: int, *, at_once: int = 10_000) -> list[tuple[Any, ...]]:
    sort_contributions(session, _ROWS, _ROWS, {"rows": rows}, about=rows, at_once=at_once)
    return session.fetch("SELECT * FROM contributions ORDER BY rowid")


@pytest.mark.parametrize("rows", [0, 1, 3, 4_000])
@pytest.mark.parametrize(("too_many", "at_once"), [(0, 1_000), (0, 5), (1, 10_000), (2, 3_000)])
def test_ranges_one_after_the_other_are_the_whole_in_order(
    engine: duckdb.DuckDBPyConnection, rows: int, too_many: int, at_once: int
) -> None:
    whole = _sorted(session_on(engine, _is_too_much, 0), rows)
    in_ranges = _sorted(session_on(engine, _is_too_much, too_many), rows, at_once=at_once)
    assert in_ranges == whole
    assert whole == sorted(whole)
    assert (len(whole) > 700) if rows == 4_000 else len(whole) == rows


def test_what_cannot_be_sorted_in_ranges_either_is_an_error(engine: duckdb.DuckDBPyConnection) -> None:
    session = session_on(engine, _is_too_much, 3)
    with pytest.raises(EngineFull):
        _sorted(session, 1_000)
    assert not session.has("contributions")
