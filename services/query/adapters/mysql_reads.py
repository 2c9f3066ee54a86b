"""The one door to MySQL or MariaDB: bounded, read-only, one snapshot per answer. Holds the `databases` library.

What `databases` 0.9 leaves open is closed here:
- its transactions keep a connection for good when the server goes away under them, so this class begins its
  own; the pool closes a connection that comes back with a transaction still open;
- its pool makes callers wait without a limit, so a semaphore of the pool's size stands before it;
- it has no timeout for a statement, so the session has one, and the client one a little longer; nor has it one
  for the handshake of a new connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from databases import Database
from databases.core import Connection
from pymysql.err import MySQLError

from services.query.errors import ReadTooSlow, StoreUnavailable
from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.mysql_errors import error_number

log = structlog.get_logger(__name__)

Row = dict[str, Any]

# MariaDB max_statement_time; MySQL max_execution_time; the statement killed by either.
_TIMEOUT_CODES = frozenset({1969, 3024, 1317})

_SERVER_SLACK_SECONDS = 2.0
"""The server's own timeout strikes first; ours is for a server or a network that is silent."""

_RECYCLE_SECONDS = 300
"""An idle connection older than this is replaced: the server or a proxy may have dropped it."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Connections at once; seconds for one to open, to become free, and for one statement."""

    connections: int
    connect: float
    acquire: float
    statement: float


class Snapshot:
    """One consistent view of the store: every statement of an answer sees the same commits."""

    def __init__(self, connection: Connection, statement_seconds: float) -> None:
        self._connection = connection
        self._seconds = statement_seconds

    async def rows(self, statement: sa.Select[Any]) -> list[Row]:
        """All rows, as dicts by column name. The statement carries its own LIMIT."""
        async with asyncio.timeout(self._seconds + _SERVER_SLACK_SECONDS):
            records = await self._connection.fetch_all(statement)
        return [dict(record._mapping) for record in records]

    async def row(self, statement: sa.Select[Any]) -> Row | None:
        """The only row, or None."""
        rows = await self.rows(statement.limit(1))
        return rows[0] if rows else None


class MySqlReads:
    """Opens snapshots. Raises StoreUnavailable and ReadTooSlow in place of the driver's errors."""

    def __init__(self, address: MySqlAddress, limits: ReadLimits) -> None:
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.connections)
        self._database = Database(
            # Without options: those that `databases` reads from a URL are not the ones we use.
            address.url(),
            ssl=address.tls(),
            program_name="sellersync-query",
            # None at the start: the service comes up, and says that it is not ready, while the database is away.
            min_size=0,
            max_size=limits.connections,
            pool_recycle=_RECYCLE_SECONDS,
            connect_timeout=limits.connect,
            charset="utf8mb4",
            init_command=session_settings(limits.statement),
        )

    async def open(self) -> None:
        await self._database.connect()

    async def close(self) -> None:
        """Reads that still go on have as long as a statement may take; then their connections are cut."""
        try:
            async with asyncio.timeout(self._limits.statement + _SERVER_SLACK_SECONDS):
                await self._database.disconnect()
        except TimeoutError:
            log.warning("database.connections_cut")
            # `databases` has no other way to them.
            self._database._backend._pool.terminate()

    async def check(self) -> None:
        """For readiness. Raises if the database does not answer."""
        async with self.snapshot() as snapshot:
            await snapshot.rows(sa.select(sa.literal(1).label("one")))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A read-only transaction; always rolled back, there is nothing to commit."""
        async with self._slot():
            try:
                async with self._connection() as connection:
                    await self._run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                    yield Snapshot(connection, self._limits.statement)
                    await self._run(connection, "ROLLBACK")
            except MySQLError as error:
                raise _translated(error) from error
            except (OSError, TimeoutError) as error:
                log.warning("database.silent", error=repr(error))
                raise StoreUnavailable("The database does not answer.") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Bounded at both ends: the driver's connect timeout ends when a silent server's kernel accepts."""
        connection = self._database.connection()
        async with asyncio.timeout(self._limits.connect + _SERVER_SLACK_SECONDS):
            await connection.__aenter__()
        try:
            yield connection
        finally:
            async with asyncio.timeout(_SERVER_SLACK_SECONDS):
                await connection.__aexit__()

    async def _run(self, connection: Connection, statement: str) -> None:
        """For statements that read nothing."""
        async with asyncio.timeout(self._limits.connect + _SERVER_SLACK_SECONDS):
            await connection.execute(sa.text(statement))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.acquire):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("Too many reads are going on; try again in a moment.") from error
        try:
            yield
        finally:
            self._slots.release()


def session_settings(statement_seconds: float) -> str:
    """One SET for both kinds of server: each runs the comments meant for it and skips the other's.

    The quotient of two sums gets enough decimals that ranking by it agrees with exact arithmetic.
    """
    return (
        "SET SESSION div_precision_increment = 16, time_zone = '+00:00', collation_connection = 'utf8mb4_bin'"
        " /*M!100100 , tx_read_only = 1, tx_isolation = 'REPEATABLE-READ',"
        f" max_statement_time = {statement_seconds:.3f} */"
        " /*!80000 , transaction_read_only = 1, transaction_isolation = 'REPEATABLE-READ',"
        f" max_execution_time = {int(statement_seconds * 1000)} */"
    )


def _translated(error: MySQLError) -> Exception:
    if error_number(error) in _TIMEOUT_CODES:
        return ReadTooSlow()
    log.warning("database.failed", error=repr(error))
    return StoreUnavailable("The database does not answer.")
