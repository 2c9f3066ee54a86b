"""The aggregator's pool on a real server, whose sessions are struck by what servers and networks do."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pymysql.err import OperationalError

from shared.runtime.mysql import MySqlLimits, MySqlPool, MySqlSession, Row
from shared.runtime.mysql_address import MySqlAddress
from shared.runtime.mysql_errors import DEADLOCK, LOCK_WAIT_TIMEOUT
from tests.faults.aggregator.hurried_loop import HURRY
from tests.faults.aggregator.mortal_process import Crash
from tests.faults.aggregator.planted_faults import AFTER_STATEMENTS, OF_STATEMENTS, Life

CONNECTION_LOST = 2013

LIMITS = MySqlLimits(
    connections=5, connect=10.0 * HURRY, acquire=15.0 * HURRY, statement=20.0 * HURRY, lock_wait=2, idle_in_server=120
)

Kill = Callable[[int], Awaitable[None]]
"""Ends the server's session of this id, as an operator, a failover or a proxy would."""


class FaultySession(MySqlSession):
    """Struck before a statement is sent, or after it was carried out and before anybody hears of it."""

    def __init__(self, session: MySqlSession, life: Life, kill: Kill) -> None:
        self._session = session
        self._life = life
        self._kill = kill

    async def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        await self._before(sql)
        return await self._session.rows(sql, arguments)

    async def change(self, sql: str, arguments: Sequence[object] = ()) -> int:
        await self._before(sql)
        changed = await self._session.change(sql, arguments)
        if await self._life.at(f"after {_named(sql)}", AFTER_STATEMENTS) == "answer_lost":
            self._raw.close()
            raise OperationalError(CONNECTION_LOST, "the answer was lost (planted)")
        return changed

    async def later(self, sql: str, arguments: Sequence[object] = ()) -> None:
        await self._before(sql)
        await self._session.later(sql, arguments)

    async def rollback(self) -> None:
        await self._before("ROLLBACK")
        await self._session.rollback()

    @property
    def _raw(self) -> Any:
        return self._session._connection

    async def _before(self, sql: str) -> None:
        match await self._life.at(f"before {_named(sql)}", OF_STATEMENTS):
            case "killed":
                await self._kill(self._raw.thread_id())
            case "deadlock":
                # Its victim's transaction is over before it hears of it.
                await self._session.rollback()
                raise OperationalError(DEADLOCK, "deadlock (planted)")
            case "lock_timeout":
                raise OperationalError(LOCK_WAIT_TIMEOUT, "lock wait timeout (planted)")


class FaultyPool(MySqlPool):
    def __init__(self, url: str, life: Life, kill: Kill) -> None:
        super().__init__(MySqlAddress.parse(url), LIMITS)
        self._life = life
        self._kill_session = kill

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MySqlSession]:
        async with super().session() as session:
            yield FaultySession(session, self._life, self._kill_session)

    async def _connect(self) -> Any:
        if self._life.dead:
            raise Crash("connect")
        return await super()._connect()

    async def _end_statement(self, connection: Any) -> None:
        # The dead end nothing: their server goes on until it notices.
        if not self._life.dead:
            await super()._end_statement(connection)


def _named(sql: str) -> str:
    return " ".join(sql.split()[:3])
