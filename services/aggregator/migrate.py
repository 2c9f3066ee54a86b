"""Brings the schema up to date: `python -m services.aggregator.migrate` with DATABASE_URL.

Safe to run again, and safe to run twice at once: a named lock of the server lets one in at a time.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from services.aggregator.settings import MigrationSettings
from shared.runtime.logs import configure_logs
from shared.runtime.mysql_address import MySqlAddress

log = structlog.get_logger(__name__)

_SCRIPTS = Path(__file__).parent / "migrations"


class MigrationRefused(RuntimeError):
    """The schema cannot be brought up to date now."""


def migrate(settings: MigrationSettings) -> None:
    """Raises MigrationRefused if the server stays away or another migration does not end in time."""
    address = MySqlAddress.parse(settings.database_url.get_secret_value())
    engine = create_engine(address.url("mysql+pymysql"), connect_args=_connect_arguments(address, settings))
    try:
        with _wait_for_server(engine.connect, settings.migration_wait_seconds) as connection:
            _upgrade(connection, address.database, settings.migration_wait_seconds)
    finally:
        engine.dispose()


def _upgrade(connection: Connection, database: str, wait_seconds: int) -> None:
    # Names of locks are the server's, not the database's, and at most 64 characters long.
    lock = {"name": f"migrate.{database}"[:64], "seconds": wait_seconds}
    if connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), lock) != 1:
        raise MigrationRefused(f"another migration of {database} did not end within {wait_seconds} s")
    try:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        command.upgrade(config, "head")
        connection.commit()
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": lock["name"]})


def _wait_for_server(connect: Callable[[], Connection], wait_seconds: int) -> Connection:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return connect()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise MigrationRefused(f"the database server cannot be used: {error.orig}") from error
            log.info("migration.waiting", error=str(error.orig))
        time.sleep(0.5)


def _connect_arguments(address: MySqlAddress, settings: MigrationSettings) -> dict[str, object]:
    arguments: dict[str, object] = {
        "charset": "utf8mb4",
        "connect_timeout": 5,
        "read_timeout": settings.migration_statement_seconds,
    }
    if tls := address.tls():
        arguments["ssl"] = tls
    return arguments


def main() -> int:
    settings = MigrationSettings()
    configure_logs("aggregator-migration", settings.log_level, settings.log_format)
    try:
        migrate(settings)
    except MigrationRefused as refused:
        log.error("migration.refused", reason=str(refused))  # noqa: TRY400 - the reason is the whole story
        return 1
    log.info("migration.done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
