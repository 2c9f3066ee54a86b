"""`python -m services.aggregator.migrate`: again, twice at once, and after it was cut off."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
from pymysql.cursors import Cursor

from deploy.local.child_process import base_environment
from services.aggregator.migrate import MigrationRefused, migrate
from services.aggregator.settings import MigrationSettings
from shared.runtime.mysql_address import MySqlAddress

ROOT = Path(__file__).parents[3]
TABLES = {"alembic_version", "feeds", "contributions", "totals", "outbox", "feed_history"}


@contextmanager
def connected(address: MySqlAddress) -> Iterator[Cursor]:
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    with connection, connection.cursor() as cursor:
        yield cursor


def tables(url: str) -> set[str]:
    address = MySqlAddress.parse(url)
    with connected(address) as cursor:
        cursor.execute("SHOW TABLES")
        return {row[0] for row in cursor.fetchall()}


async def run_migration(url: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.aggregator.migrate",
        cwd=ROOT,
        env=base_environment() | {"DATABASE_URL": url},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


async def test_two_at_once_and_once_more(database_url: str) -> None:
    codes = await asyncio.gather(run_migration(database_url), run_migration(database_url))
    assert list(codes) == [0, 0]
    assert tables(database_url) == TABLES
    assert await run_migration(database_url) == 0


def test_one_that_was_cut_off_is_taken_up_again(database_url: str) -> None:
    migrate(MigrationSettings(database_url=database_url))
    address = MySqlAddress.parse(database_url)
    with (
        pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            autocommit=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM alembic_version")
        cursor.execute("DROP TABLE outbox")
        cursor.execute("DROP TABLE feed_history")
        cursor.execute("ALTER TABLE feeds DROP COLUMN percent, DROP KEY by_object")
    migrate(MigrationSettings(database_url=database_url))
    assert tables(database_url) == TABLES
    with connected(address) as cursor:
        cursor.execute("SELECT percent FROM feeds FORCE INDEX (by_object)")


def test_a_server_that_stays_away_is_said_so() -> None:
    with pytest.raises(MigrationRefused, match="cannot be used"):
        migrate(MigrationSettings(database_url="mysql://u:p@127.0.0.1:1/d", migration_wait_seconds=0))


def test_one_waits_for_another_and_says_so_when_that_takes_too_long(database_url: str) -> None:
    address = MySqlAddress.parse(database_url)
    with connected(address) as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 1)", (f"migrate.{address.database}"[:64],))
        with pytest.raises(MigrationRefused, match="another migration"):
            migrate(MigrationSettings(database_url=database_url, migration_wait_seconds=1))
    migrate(MigrationSettings(database_url=database_url, migration_wait_seconds=1))
