"""What a session asks of the driver."""

import asyncio
import warnings
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from shared.runtime.mysql import MySqlSession


class WaitingCursor:
    """Its statement takes until `answered`; then one row was loaded, with two warnings."""

    rowcount = 1
    _result = SimpleNamespace(warning_count=2)

    def __init__(self) -> None:
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    async def execute(self, _: str) -> None:
        self.asked.set()
        await self.answered.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Nothing is held."""


def session_with(cursor: WaitingCursor) -> MySqlSession:
    def cursor_of(*_: type[Any]) -> WaitingCursor:
        return cursor

    return MySqlSession(SimpleNamespace(cursor=cursor_of), 60)


async def test_loads_that_overlap_leave_the_filters_of_warnings_alone() -> None:
    before = list(warnings.filters)
    first, second = WaitingCursor(), WaitingCursor()
    loads = []
    for cursor in (first, second):
        loads.append(asyncio.create_task(session_with(cursor).load("LOAD DATA")))
        await asyncio.wait_for(cursor.asked.wait(), 10)
        assert warnings.filters == before
    for cursor, load in zip((first, second), loads, strict=True):
        cursor.answered.set()
        assert await asyncio.wait_for(load, 10) == (1, 2)
    assert warnings.filters == before
