"""Groups that do not fit into the engine's memory at once are made in several scans, and come to the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from services.aggregator.adapters.duckdb_group_rows import group_rows
from services.aggregator.adapters.duckdb_plain_scan import PlainScan
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.errors import EngineFull
from services.aggregator.rules.feed_sample import take_sample
from services.aggregator.rules.layouts import recognise
from services.aggregator.rules.row_style import row_style_of
from shared.schemas.feed_options import FeedOptions
from tests.unit.aggregator.small_engine import session_on

FEED = "sku,product_name,quantity,amount\n" + "".join(
    f"{'' if n % 50 == 0 else f'S{n % 200}'},Name {n % 200},{'x' if n % 70 == 0 else n % 7 + 1},1.25\n"
    for n in range(1_000)
)


def _is_too_much(sql: str, _: object) -> bool:
    """The first scan, or half way through if there are several."""
    return "read_csv" in sql and ("% 4 = 2" in sql or "hash(" not in sql)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def _scan(path: Path) -> PlainScan:
    path.write_text(FEED)
    layout = recognise(take_sample(iter([FEED])))
    style = row_style_of(layout.columns, layout.sample, FeedOptions())
    return PlainScan(path, b"\n", layout, style, "seller-1", is_framed=False)


def _groups(session: FeedSession) -> list[tuple[Any, ...]]:
    return session.fetch("SELECT * FROM groups ORDER BY ALL")


@pytest.mark.parametrize("too_many", [1, 2])
def test_groups_made_in_parts_are_those_made_at_once(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, too_many: int
) -> None:
    scan = _scan(tmp_path / "feed.csv")
    at_once, in_parts = (session_on(engine, _is_too_much, times) for times in (0, too_many))
    group_rows(at_once, scan)
    group_rows(in_parts, scan)
    assert in_parts.has("groups")
    assert _groups(in_parts) == _groups(at_once)
    assert in_parts.count("SELECT sum(transactions) FROM groups") == 1_001


def test_what_does_not_fit_in_parts_either_is_an_error(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    session = session_on(engine, _is_too_much, 2)
    scan = _scan(tmp_path / "feed.csv")
    with pytest.raises(EngineFull):
        group_rows(session, scan, (1, 4))
    assert not session.has("groups")
