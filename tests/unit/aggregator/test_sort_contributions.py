"""More than can be sorted at once is sorted in ranges of keys, and stands in the same order."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from services.aggregator.adapters.duckdb_session import FeedSession, ParsedStatements
from services.aggregator.adapters.duckdb_sort_contributions import sort_contributions

# Texts that a locale would put in another order, blanks, and keys that differ in their last part alone.
_ROWS = """SELECT DATE '2026-01-01' + (i % 3)::INTEGER AS sale_date, ['', 'b', 'B', 'é', 'z'][1 + i % 5] AS product_id,
    'N' || (i // 150) AS product_name, '' AS category, ['EUR', 'USD'][1 + i % 2] AS currency, i AS quantity
    FROM (SELECT DISTINCT ON (i % 3, i % 5, i // 150, i % 2) i FROM range($rows) r(i))"""


class ForgetfulSession(FeedSession):
    """Runs out of memory in its first sorts: at once, or half way through several ranges."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, too_many: int) -> None:
        super().__init__(connection, ParsedStatements(connection.cursor()))
        self._too_many = too_many

    def fetch(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        given = parameters or {}
        is_sort = "contributions" in sql and ("low_0" in given or "high_0" not in given)
        if self._too_many and is_sort and not sql.startswith("DROP"):
            self._too_many -= 1
            raise duckdb.OutOfMemoryException
        return super().fetch(sql, parameters)


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
    whole = _sorted(ForgetfulSession(engine.cursor(), 0), rows)
    in_ranges = _sorted(ForgetfulSession(engine.cursor(), too_many), rows, at_once=at_once)
    assert in_ranges == whole
    assert whole == sorted(whole)
    assert (len(whole) > 700) if rows == 4_000 else len(whole) == rows


def test_what_cannot_be_sorted_in_ranges_either_is_an_error(engine: duckdb.DuckDBPyConnection) -> None:
    session = ForgetfulSession(engine.cursor(), 3)
    with pytest.raises(duckdb.OutOfMemoryException):
        _sorted(session, 1_000)
    assert not session.has("contributions")
