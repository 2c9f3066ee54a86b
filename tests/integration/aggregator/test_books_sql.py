"""The queries of docs/operations.md, run as they stand there: silent about closed books, and never about open ones."""

from pathlib import Path

import pytest

from services.aggregator.adapters.mysql_feed_changes import MySqlFeedChanges
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.rules.callers import OPERATOR
from services.aggregator.rules.feed_lease import Claimed
from shared.runtime.mysql import MySqlPool
from tests.integration.aggregator.records import Records, contribution, done, dropped, in_batches

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text()
QUERIES = [
    query
    for query in PAGE.split("## Checking the books")[1].split("```sql")[1].split("```")[0].split(";")
    if query.strip()
]


@pytest.fixture(autouse=True)
async def two_applied_feeds(pool: MySqlPool, records: Records) -> None:
    """They share a group."""
    for name in "ab":
        claim = await MySqlFeeds(pool, 60).claim(dropped(f"acme/{name}.csv"), "worker")
        assert isinstance(claim, Claimed)
        groups = [contribution("shirt"), contribution(f"only {name}")]
        await MySqlLedger(pool).commit(claim, done(*groups, sha256=name * 64, rejected=1), in_batches(*groups))


async def _found(records: Records) -> list[bool]:
    return [bool(await records.rows(query.replace("%", "%%"))) for query in QUERIES]


async def test_closed_books_give_no_row(records: Records) -> None:
    assert await _found(records) == [False, False, False]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE feeds SET rows_rejected = 0", [True, False, False]),
        ("DELETE FROM contributions LIMIT 1", [False, True, True]),
        ("UPDATE totals SET revenue = revenue + 0.0001 LIMIT 1", [False, False, True]),
        ("DELETE FROM totals LIMIT 1", [False, False, True]),
    ],
)
async def test_damage_is_found(records: Records, damage: str, found: list[bool]) -> None:
    await records.change(damage)
    assert await _found(records) == found


async def test_books_stay_closed_when_a_feed_is_withdrawn_and_tell_what_was_left_behind(
    pool: MySqlPool, records: Records
) -> None:
    await MySqlFeedChanges(pool).withdraw(dropped("acme/a.csv").feed_id, OPERATOR)
    assert await _found(records) == [False, False, False]
    await records.change("UPDATE feeds SET counted_sha256 = NULL")
    assert await _found(records) == [False, True, False], (
        "its rows are in the totals, and it is said to count no longer"
    )
