"""A feed's groups reach the table exactly, by either way, and the way is chosen by what the server allows."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pymysql.err import MySQLError

from deploy.local.database_server import DatabaseAccess
from services.aggregator.adapters.mysql_contributions import LOADED_FROM_GROUPS, MySqlContributions
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.errors import Outage
from services.aggregator.ports import Contribution
from services.aggregator.rules.feed_lease import Claimed
from shared.runtime.mysql import MySqlLimits, MySqlPool, MySqlSession
from shared.runtime.mysql_address import MySqlAddress
from tests.integration.aggregator.records import Records, contribution, done, dropped, in_batches

NASTY = [
    "tab\there",
    "back\\slash",
    "\\N",
    "\\",
    'it\'s "quoted"',
    "näïve 😀",
    "%s",
    "trailing ",
    "a\u0301",
    "á",
    "\\t",
]
MONEY = "123456789012345678901234567890.1234"


@pytest.fixture
async def loading_pool(migrated_database: DatabaseAccess, pool: MySqlPool) -> AsyncIterator[MySqlPool]:
    """`pool` emptied the tables."""
    opened = MySqlPool(
        MySqlAddress.parse(str(migrated_database.read_write)), MySqlLimits(lock_wait=2), local_infile=True
    )
    yield opened
    await opened.close()


def many(*special: Contribution) -> list[Contribution]:
    ordinary = [contribution(f"product {number:05d}") for number in range(LOADED_FROM_GROUPS)]
    return [*ordinary, *special]


async def claimed(pool: MySqlPool) -> Claimed:
    claim = await MySqlFeeds(pool, 60).claim(dropped(f"acme/{secrets.token_hex(4)}.csv"), "w")
    assert isinstance(claim, Claimed)
    return claim


async def insert(pool: MySqlPool, contributions: MySqlContributions, groups: list[Contribution]) -> int:
    """How many LOAD DATA statements the server was asked to carry out."""
    claim = await claimed(pool)
    async with pool.transaction() as session:
        before = await loads_so_far(session)
        await contributions.insert(session, claim, in_batches(*groups, size=len(groups)))
        return await loads_so_far(session) - before


async def loads_so_far(session: MySqlSession) -> int:
    [row] = await session.rows("SHOW SESSION STATUS LIKE 'Com_load'")
    return int(row["Value"])


async def stored(records: Records) -> set[tuple[object, ...]]:
    columns = "sale_date, product_id, product_name, category, currency, quantity, amount, revenue, transactions"
    rows = await records.rows(f"SELECT {columns} FROM contributions")  # noqa: S608 - names from the line above
    return {tuple(row.values()) for row in rows}


def told(groups: list[Contribution]) -> set[tuple[object, ...]]:
    return {
        (
            group.sale_date,
            group.product_id,
            group.product_name,
            group.category,
            group.currency,
            group.quantity,
            group.amount,
            group.revenue,
            group.transactions,
        )
        for group in groups
    }


@pytest.mark.parametrize("may_load", [True, False])
async def test_many_groups_arrive_exactly_either_way(may_load: bool, loading_pool: MySqlPool, records: Records) -> None:
    special = [contribution(name, money=MONEY) for name in NASTY]
    special += [replace(contribution("returned", -2), amount=Decimal("0.0001"), revenue=Decimal("-11"))]
    special += [replace(contribution("x"), product_id=r"a\tb", category="c\\", currency="EUR")]
    groups = many(*special)
    loads = await insert(loading_pool, MySqlContributions(may_load=may_load), groups)
    assert loads == (1 if may_load else 0)
    assert await stored(records) == told(groups)
    keys = await records.rows(
        "SELECT SUM(group_key <> LEFT(UNHEX(SHA2(CONCAT_WS(CHAR(31), product_id, product_name, category, currency),"
        " 256)), 16)) AS wrong FROM contributions"
    )
    assert keys[0]["wrong"] == 0


@pytest.mark.parametrize("may_load", [True, False])
@pytest.mark.parametrize(
    "wrong",
    [contribution("x" * 256), contribution("shirt", money=str(10**35)), contribution("shirt", transactions=2**63)],
)
async def test_what_does_not_fit_is_refused_and_never_cut(
    may_load: bool, wrong: Contribution, loading_pool: MySqlPool, records: Records
) -> None:
    with pytest.raises(MySQLError, match=r"too long|Out of range"):
        await insert(loading_pool, MySqlContributions(may_load=may_load), many(wrong))
    assert await stored(records) == set()


async def test_a_group_that_comes_twice_is_refused(loading_pool: MySqlPool, records: Records) -> None:
    with pytest.raises(MySQLError, match="Duplicate entry"):
        await insert(loading_pool, MySqlContributions(), many(contribution("product 00000")))
    assert await stored(records) == set()


async def test_few_groups_are_not_worth_a_file(loading_pool: MySqlPool, records: Records) -> None:
    groups = many()[1:]
    assert await insert(loading_pool, MySqlContributions(), groups) == 0
    assert await stored(records) == told(groups)


async def test_where_loading_is_not_allowed_groups_are_inserted_and_it_is_not_asked_again(
    pool: MySqlPool, records: Records
) -> None:
    """`pool` has not told the server that it may ask for files."""
    contributions, groups = MySqlContributions(), many()
    assert await insert(pool, contributions, groups) == 1
    assert await stored(records) == told(groups)
    assert await insert(pool, contributions, groups) == 0


async def test_what_is_loaded_lies_in_the_scratch_directory_and_a_disk_at_fault_is_no_database_at_fault(
    loading_pool: MySqlPool, tmp_path: Path
) -> None:
    ledger = MySqlLedger(loading_pool, MySqlContributions(tmp_path / "gone"))
    groups = many()
    with pytest.raises(Outage, match="local disk") as outage:
        await ledger.commit(await claimed(loading_pool), done(*groups), in_batches(*groups, size=len(groups)))
    assert "database" not in str(outage.value)
