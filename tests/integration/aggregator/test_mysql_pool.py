"""The pool: sessions as promised, transactions whole or not at all, limits and timeouts that hold."""

import asyncio

import pytest
from pymysql.err import IntegrityError, MySQLError

from shared.runtime import mysql
from shared.runtime.mysql import MySqlLimits, MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.mysql_errors import OUTAGES, retry_contention
from tests.integration.aggregator.records import Records

_ISOLATION = "SHOW VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')"


def test_an_address_may_have_any_password_and_does_not_repeat_it() -> None:
    address = MySqlAddress.parse("mysql://us%40er:p%40ss%2Fw%3Ard%25@db.example:3307/sales?tls_ca=/ca.pem")
    assert (address.user, address.password, address.host, address.port) == ("us@er", "p@ss/w:rd%", "db.example", 3307)
    assert (address.database, address.tls_ca) == ("sales", "/ca.pem")
    assert "p@ss" not in repr(address)
    assert MySqlAddress.parse("mysql+aiomysql://u@h/d").port == 3306


@pytest.mark.parametrize(
    "wrong", ["postgres://u:s3cret@h/d", "mysql://u:s3cret@h", "mysql:///d", "mysql://u:s3cret@h/d?charset=latin1"]
)
def test_a_wrong_address_is_refused_without_repeating_its_password(wrong: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL") as refused:
        MySqlAddress.parse(wrong)
    assert "s3cret" not in str(refused.value)


async def test_every_session_is_strict_utc_and_read_committed(pool: MySqlPool) -> None:
    async with pool.session() as session:
        row = await session.row("SELECT @@time_zone AS zone, @@sql_mode AS mode, @@collation_connection AS collation")
        isolation = [r["Value"] for r in await session.rows(_ISOLATION)]
    assert row
    assert row["zone"] == "+00:00"
    assert "STRICT_ALL_TABLES" in row["mode"]
    assert row["collation"] == "utf8mb4_bin"
    assert set(isolation) == {"READ-COMMITTED"}


async def test_a_transaction_that_raises_leaves_nothing(pool: MySqlPool, records: Records) -> None:
    insert = "INSERT INTO totals VALUES ('acme', '2026-11-01', 'k', '', 'shirt', '', '', 1, 1, 1, 1)"

    async def failing() -> None:
        async with pool.transaction() as session:
            await session.change(insert)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    assert await records.totals() == {}

    inserted = asyncio.Event()

    async def cancelled() -> None:
        async with pool.transaction() as session:
            await session.change(insert)
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(cancelled())
    await asyncio.wait_for(inserted.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    assert await records.totals() == {}
    async with pool.transaction() as session:
        await session.change(insert)
    assert set(await records.totals()) == {"shirt"}


async def test_no_more_connections_than_allowed_and_waiting_for_one_ends(migrated_database_url: str) -> None:
    small = MySqlPool(MySqlAddress.parse(migrated_database_url), MySqlLimits(connections=1, acquire=0.2))
    async with small.session():
        with pytest.raises(TimeoutError):
            async with small.session():
                pass
    async with small.session() as session:
        assert await session.row("SELECT 1 AS one") == {"one": 1}
    await small.close()
    with pytest.raises(OUTAGES):
        await small.ping()


_TOTAL = "INSERT INTO totals VALUES ('acme', '2026-11-01', %s, '', 'shirt %%', '', '', 1, 1, 1, 1)"


async def test_what_goes_out_later_goes_before_the_next_statement_and_is_committed(
    pool: MySqlPool, records: Records
) -> None:
    async with pool.transaction() as session:
        await session.later(_TOTAL, ("a;'",))
        await session.later("UPDATE totals SET quantity = quantity + %s", (1,))
        assert (await session.row("SELECT quantity, product_name FROM totals")) == {
            "quantity": 2,
            "product_name": "shirt %",
        }
        assert await session.change("UPDATE totals SET quantity = 7") == 1
        await session.later("UPDATE totals SET quantity = quantity + 1")
    assert [total["quantity"] for total in (await records.totals()).values()] == [8]


async def test_what_the_server_has_against_it_undoes_the_transaction(pool: MySqlPool, records: Records) -> None:
    async def repeating() -> None:
        async with pool.transaction() as session:
            await session.later(_TOTAL, ("a",))
            await session.later(_TOTAL, ("a",))
            await session.later(_TOTAL, ("b",))

    with pytest.raises(IntegrityError):
        await repeating()
    assert await records.totals() == {}
    async with pool.transaction() as session:
        await session.later(_TOTAL, ("c",))
    assert len(await records.totals()) == 1


async def test_what_would_never_go_out_is_an_error(pool: MySqlPool) -> None:
    async def forgetting() -> None:
        async with pool.session() as session:
            await session.later(_TOTAL, ("a",))

    with pytest.raises(RuntimeError, match="1 statements were never sent"):
        await forgetting()


async def test_what_waits_to_go_out_is_dropped_with_its_transaction_and_bounded(
    pool: MySqlPool, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing() -> None:
        async with pool.transaction() as session:
            await session.later(_TOTAL, ("a",))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    assert await records.totals() == {}
    monkeypatch.setattr(mysql, "LATER_CHARACTERS", 10)
    async with pool.transaction() as session:
        await session.later(_TOTAL, ("a",))
        assert not session._later


@pytest.mark.parametrize("turns", range(40))
async def test_a_cancellation_is_never_lost_while_it_connects(migrated_database_url: str, turns: int) -> None:
    """Whenever it comes, of the loop's first turns: asyncio.wait_for would lose one of them up to Python 3.11."""
    pool = MySqlPool(MySqlAddress.parse(migrated_database_url))

    async def hold() -> None:
        async with pool.session():
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    for _ in range(turns):
        await asyncio.sleep(0)
    holding.cancel()
    done, _ = await asyncio.wait({holding}, timeout=5)
    assert done
    assert holding.cancelled()
    await pool.close()


async def test_a_statement_that_takes_too_long_ends_and_its_connection_is_not_used_again(
    migrated_database_url: str,
) -> None:
    impatient = MySqlPool(MySqlAddress.parse(migrated_database_url), MySqlLimits(connections=1, statement=0.3))
    with pytest.raises(TimeoutError):
        async with impatient.session() as session:
            await session.rows("SELECT SLEEP(5)")
    async with impatient.session() as session:
        assert await session.row("SELECT 2 AS two") == {"two": 2}
    await impatient.close()


async def test_connections_that_the_server_dropped_are_replaced(pool: MySqlPool, records: Records) -> None:
    await asyncio.gather(*(pool.ping() for _ in range(4)))
    await records.kill_other_sessions()
    # A connection that was used a moment ago is trusted, so one call may still meet a dead one.
    for _ in range(5):
        try:
            await pool.ping()
        except (MySQLError, OSError):
            continue
    await pool.ping()


async def test_a_statement_whose_caller_is_gone_ends_at_once_and_frees_its_locks(
    migrated_database_url: str, records: Records
) -> None:
    await records.change("INSERT INTO totals VALUES ('acme', '2026-11-01', 'k', '', 'locked', '', '', 1, 1, 1, 1)")
    pool = MySqlPool(MySqlAddress.parse(migrated_database_url), MySqlLimits(lock_wait=1))
    locked = asyncio.Event()

    async def hold_the_row() -> None:
        async with pool.transaction() as session:
            await session.change("UPDATE totals SET quantity = quantity + 1")
            locked.set()
            await session.rows("SELECT SLEEP(120)")

    holder = asyncio.create_task(hold_the_row())
    await asyncio.wait_for(locked.wait(), 10)
    holder.cancel()
    await asyncio.wait([holder], timeout=10)
    assert holder.cancelled()

    async def add() -> None:
        async with pool.session() as session:
            await session.change("UPDATE totals SET quantity = quantity + 1")

    await retry_contention(add, attempts=5)
    await pool.close()
