"""The door to the database: read-only, bounded in time and number, one snapshot, and open again after an outage."""

import asyncio
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from services.query.adapters.mysql_reads import MySqlReads
from services.query.adapters.mysql_tables import feeds
from services.query.errors import ReadTooSlow, StoreUnavailable
from shared.runtime.mysql_address import MySqlAddress
from tests.integration.query.conftest import limits_of, open_reads
from tests.integration.query.planted import Feed, plant
from tests.waiting import until

COUNT = sa.select(sa.func.count().label("n")).select_from(feeds)
# Takes as long as it may, row by row, so that either kind of server can end it.
SLOW: sa.Select[Any] = sa.select(
    sa.literal_column(
        "(SELECT SUM(SLEEP(0.2)) FROM information_schema.columns a CROSS JOIN information_schema.columns b)"
    ).label("n")
)


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(read_only: MySqlAddress) -> None:
    async with open_reads(read_only, statement=0.5) as reads:
        async with asyncio.timeout(2.4):  # less than the client's own patience
            with pytest.raises(ReadTooSlow):
                async with reads.snapshot() as snapshot:
                    await snapshot.rows(SLOW)
        await reads.check()


async def test_writing_is_refused_even_to_a_user_who_may(migrated_database_url: str) -> None:
    async with open_reads(MySqlAddress.parse(migrated_database_url)) as reads:
        with pytest.raises(StoreUnavailable) as refused:
            async with reads.snapshot() as snapshot:
                await snapshot._connection.execute(sa.text("DELETE FROM feeds"))
        assert isinstance(refused.value.__cause__, pymysql.err.MySQLError)
        assert refused.value.__cause__.args[0] == 1792  # read-only transaction
        # Outside of a transaction, too: the session itself is read-only.
        async with reads._database.connection() as connection:
            with pytest.raises(pymysql.err.MySQLError, match="READ ONLY"):
                await connection.execute(sa.text("DELETE FROM feeds"))


async def test_an_answer_sees_one_state_of_the_store(reads: MySqlReads, migrated_database_url: str) -> None:
    async with reads.snapshot() as snapshot:
        before = await snapshot.rows(COUNT)
        await asyncio.to_thread(plant, migrated_database_url, [Feed("snapshot")])
        assert await snapshot.rows(COUNT) == before
    async with reads.snapshot() as snapshot:
        assert (await snapshot.rows(COUNT))[0]["n"] == before[0]["n"] + 1


async def test_the_session_is_as_the_statements_expect_it(reads: MySqlReads) -> None:
    async with reads.snapshot() as snapshot:
        session: Any = sa.select(
            sa.literal_column("@@session.time_zone", sa.String).label("zone"),
            sa.literal_column("@@session.div_precision_increment", sa.Integer).label("places"),
            sa.literal_column("@@session.collation_connection", sa.String).label("collation"),
        )
        row = await snapshot.row(session)
    assert row == {"zone": "+00:00", "places": 16, "collation": "utf8mb4_bin"}


async def test_more_readers_than_connections_wait_for_their_turn_and_not_for_ever(read_only: MySqlAddress) -> None:
    async with open_reads(read_only, connections=1, acquire=0.2) as reads:
        async with reads.snapshot():
            with pytest.raises(StoreUnavailable, match="Too many reads"):
                await asyncio.create_task(reads.check())
        await asyncio.gather(*(asyncio.create_task(reads.check()) for _ in range(5)))


async def test_connections_that_the_server_dropped_are_replaced(
    read_only: MySqlAddress, migrated_database_url: str
) -> None:
    async with open_reads(read_only, connections=2, acquire=1.0) as reads:
        for _ in range(3):  # more often than there are connections: none of them leaks
            with pytest.raises(StoreUnavailable):
                await _read_on_a_killed_connection(reads, migrated_database_url)
        await until(lambda: _works(reads))


async def test_a_cancelled_read_leaves_nothing_behind(read_only: MySqlAddress) -> None:
    async with open_reads(read_only, connections=1, statement=30.0) as reads:
        started = asyncio.Event()

        async def slow() -> None:
            async with reads.snapshot() as snapshot:
                started.set()
                await snapshot.rows(SLOW)

        for _ in range(3):
            started.clear()
            read = asyncio.create_task(slow())
            await started.wait()
            read.cancel()
            await asyncio.wait([read])
        await reads.check()


async def test_closing_does_not_wait_for_ever_for_a_connection_in_use(read_only: MySqlAddress) -> None:
    reads = MySqlReads(read_only, limits_of(statement=0.2))
    await reads.open()
    async with asyncio.timeout(5):
        with pytest.raises(StoreUnavailable):
            async with reads.snapshot():
                await reads.close()


async def test_a_database_that_is_away_is_said_to_be_so() -> None:
    nowhere = MySqlAddress("127.0.0.1", 1, "nobody", "", "nothing")
    async with open_reads(nowhere, connect=0.5) as reads:  # opens all the same
        with pytest.raises(StoreUnavailable):
            await reads.check()


async def _read_on_a_killed_connection(reads: MySqlReads, url: str) -> None:
    async with reads.snapshot() as snapshot:
        row = await snapshot.row(sa.select(sa.func.connection_id().label("id")))
        assert row is not None
        await asyncio.to_thread(_kill, url, row["id"])
        await snapshot.rows(COUNT)


async def _works(reads: MySqlReads) -> bool:
    try:
        await reads.check()
    except StoreUnavailable:
        return False
    return True


def _kill(url: str, connection_id: int) -> None:
    address = MySqlAddress.parse(url)
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("KILL %s", (connection_id,))


async def test_a_database_that_accepts_and_stays_silent_is_said_to_be_so_in_time() -> None:
    async def say_nothing(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await client.read()  # until the client gives up
        answer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    address = MySqlAddress("127.0.0.1", silent.sockets[0].getsockname()[1], "nobody", "", "nothing")
    async with open_reads(address, connections=2, connect=0.2) as reads, asyncio.timeout(30):
        answers = await asyncio.gather(*(asyncio.create_task(reads.check()) for _ in range(6)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 6
    silent.close()
