"""MySQL through aiomysql: a bounded pool whose every wait has a timeout, and sessions that all behave alike.

Why not aiomysql's own pool: it does not wake its waiters when a connection comes back broken, and has no hook
for setting up a new session.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiomysql
from pymysql.err import InterfaceError, MySQLError

from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.mysql_errors import is_connection_lost

Row = Mapping[str, Any]

KILL_SECONDS = 3.0

LATER_CHARACTERS = 1 << 16
"""What waits to go out later is no longer."""

_SETUP = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    # Gap locks of the default level would let feeds of one seller deadlock on rows that neither touches.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
)


@dataclass(frozen=True, slots=True)
class MySqlLimits:
    """Connections, and seconds."""

    connections: int = 8
    connect: float = 5.0
    acquire: float = 15.0
    statement: float = 60.0
    lock_wait: int = 5
    idle_in_server: int = 120
    """The server drops a session that is silent for so long, and its locks with it: our process may be gone."""


class _CountingWarnings(aiomysql.Cursor):  # type: ignore[misc] # it ships no types
    """Leaves the server's warnings at their number. The driver would fetch each and hand it to Python's `warnings`: its
    filters are the whole process's, so none can be set for one statement among others that run meanwhile."""

    async def _show_warnings(self, conn: Any) -> None:
        """Does nothing."""


class MySqlSession:
    """One connection, in hand of one task."""

    def __init__(self, connection: Any, statement_seconds: float) -> None:
        self._connection = connection
        self._statement_seconds = statement_seconds
        self._later: list[str] = []

    async def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        """All rows, each by column name: for statements whose result is known to be small."""
        async with asyncio.timeout(self._statement_seconds), self._connection.cursor(aiomysql.DictCursor) as cursor:
            await self._execute(cursor, self._with_values(sql, arguments))
            return list(await cursor.fetchall())

    async def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        found = await self.rows(sql, arguments)
        return found[0] if found else None

    async def change(self, sql: str, arguments: Sequence[object] = ()) -> int:
        """Rows changed, as MySQL counts them: a row set to what it was does not count."""
        async with asyncio.timeout(self._statement_seconds), self._connection.cursor() as cursor:
            return await self._execute(cursor, self._with_values(sql, arguments))

    async def later(self, sql: str, arguments: Sequence[object] = ()) -> None:
        """For a statement of a transaction whose answer nobody needs: it goes out with the next one that somebody does,
        in one packet, before it. What the server has against it is raised there; it carries out nothing after it."""
        self._later.append(self._with_values(sql, arguments))
        if sum(map(len, self._later)) > LATER_CHARACTERS:
            await self.change("DO 0")

    async def rollback(self) -> None:
        """What was to go out later does not."""
        self._later.clear()
        await self.change("ROLLBACK")

    def require_all_sent(self) -> None:
        """Outside of a transaction nothing may come that would send it: then it would be lost in silence."""
        if self._later:
            raise RuntimeError(f"{len(self._later)} statements were never sent")

    async def load(self, sql: str, arguments: Sequence[object] = ()) -> tuple[int, int]:
        """A LOAD DATA LOCAL INFILE: rows loaded, and warnings, of which each may be a value that was cut."""
        async with asyncio.timeout(self._statement_seconds), self._connection.cursor(_CountingWarnings) as cursor:
            loaded = await self._execute(cursor, self._with_values(sql, arguments))
            return loaded, int(cursor._result.warning_count)

    async def _execute(self, cursor: Any, statement: str) -> int:
        before, self._later = self._later, []
        await cursor.execute(";\n".join([*before, statement]))
        for _ in before:
            await cursor.nextset()
        return int(cursor.rowcount)

    def _with_values(self, sql: str, arguments: Sequence[object]) -> str:
        return str(sql % tuple(self._connection.escape(argument) for argument in arguments))


class MySqlPool:
    """At most `limits.connections` connections, opened when first needed, so that a service starts without its store.

    One more is opened for a moment to end a statement whose caller is gone. Methods raise one of
    mysql_errors.OUTAGES when the store does not answer.
    """

    def __init__(self, address: MySqlAddress, limits: MySqlLimits | None = None, *, local_infile: bool = False) -> None:
        """`local_infile`: let the server read files of this process, which LOAD DATA LOCAL INFILE needs."""
        self._address = address
        self._local_infile = local_infile
        self._limits = limits or MySqlLimits()
        self._slots = asyncio.Semaphore(self._limits.connections)
        self._idle: deque[Any] = deque()
        self._tls = address.tls()
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MySqlSession]:
        """A session in autocommit mode. Any exception but one the server answered closes its connection."""
        async with asyncio.timeout(self._limits.acquire):
            await self._slots.acquire()
        try:
            connection = await self._ready_connection()
            healthy = False
            try:
                session = MySqlSession(connection, self._limits.statement)
                yield session
                session.require_all_sent()
                healthy = True
            except MySQLError as error:
                healthy = not is_connection_lost(error)
                raise
            except (asyncio.CancelledError, TimeoutError):
                await self._end_statement(connection)
                raise
            finally:
                self._take_back(connection, healthy)
        finally:
            self._slots.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MySqlSession]:
        """Commits when the block ends, rolls back when it raises. Keep it short."""
        async with self.session() as session:
            await session.later("START TRANSACTION")
            try:
                yield session
            except MySQLError as error:
                if not is_connection_lost(error):
                    await session.rollback()
                raise
            except Exception:
                # The connection answers still (a refusal of our own): roll back at once rather than by closing.
                with suppress(MySQLError, OSError, TimeoutError):
                    await session.rollback()
                raise
            await session.change("COMMIT")

    async def ping(self) -> None:
        async with self.session() as session:
            await session.row("SELECT 1")

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            connection = self._idle.pop()
            with suppress(MySQLError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await connection.ensure_closed()
            connection.close()

    async def _ready_connection(self) -> Any:
        if self._closed:
            raise InterfaceError("the pool is closed")
        while self._idle:
            connection = self._idle.pop()
            if await self._is_alive(connection):
                return connection
            connection.close()
        async with asyncio.timeout(self._limits.connect):
            return await self._connect()

    async def _is_alive(self, connection: Any) -> bool:
        if connection.closed:
            return False
        if asyncio.get_running_loop().time() - connection.last_usage < 1.0:
            return True
        try:
            async with asyncio.timeout(self._limits.connect):
                await connection.ping(reconnect=False)
        except (MySQLError, OSError, TimeoutError):
            return False
        return True

    async def _connect(self) -> Any:
        """Has no timeout of its own."""
        address = self._address
        connection = await aiomysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            db=address.database,
            charset="utf8mb4",
            autocommit=True,
            # Ours ends it in time: theirs is an asyncio.wait_for, which may swallow a cancellation up to Python 3.11.
            connect_timeout=None,
            ssl=self._tls,
            program_name="sellersync",
            local_infile=self._local_infile,
        )
        try:
            session = MySqlSession(connection, self._limits.connect)
            for statement in _SETUP:
                await session.change(statement)
            await session.change(
                "SET SESSION innodb_lock_wait_timeout = %s, wait_timeout = %s",
                (self._limits.lock_wait, self._limits.idle_in_server),
            )
        except BaseException:
            connection.close()
            raise
        return connection

    async def _end_statement(self, connection: Any) -> None:
        """Ends what the server still does for a caller who is gone: it would go on, and keep its locks, for minutes.

        The id is the server's own. If another server answers by now (a failover, a proxy), the worst is that one more
        session of this same user is cut off: its transaction rolls back and is tried again.
        """
        kill = asyncio.ensure_future(self._kill(connection.thread_id()))
        await asyncio.wait({kill}, timeout=KILL_SECONDS)
        if not kill.done():
            kill.cancel()

    async def _kill(self, thread_id: int) -> None:
        with suppress(MySQLError, OSError):
            other = await self._connect()
            try:
                await MySqlSession(other, KILL_SECONDS).change("KILL %s", (thread_id,))
            finally:
                other.close()

    def _take_back(self, connection: Any, healthy: bool) -> None:
        if healthy and not connection.closed and not self._closed and not connection.get_transaction_status():
            self._idle.append(connection)
        else:
            connection.close()
