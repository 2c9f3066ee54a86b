"""What MySQL's errors mean: the server is away, two transactions met, or the statement itself is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from pymysql.err import InterfaceError, MySQLError, OperationalError

from shared.runtime.retry_policy import Backoff

Result = TypeVar("Result")

DUPLICATE_KEY = 1062
LOCK_WAIT_TIMEOUT = 1205
DEADLOCK = 1213
CONTENTION = frozenset({LOCK_WAIT_TIMEOUT, DEADLOCK})
"""What two transactions can do to each other through no fault of theirs: try again."""

OUTAGES: tuple[type[Exception], ...] = (OperationalError, InterfaceError, OSError, TimeoutError)
"""What the pool's methods raise when the store, and not the statement, is at fault."""


def error_number(error: BaseException) -> int | None:
    """MySQL's own number of an error, where it has one."""
    number = error.args[0] if isinstance(error, MySQLError) and error.args else None
    return number if isinstance(number, int) else None


def is_connection_lost(error: MySQLError) -> bool:
    """Whether the connection cannot be used any more: client errors (2000 and up), or none at all."""
    number = error_number(error)
    return number is None or number == 0 or 2000 <= number < 3000


async def retry_contention(
    attempt: Callable[[], Awaitable[Result]],
    *,
    attempts: int = 8,
    retried: Collection[int] = CONTENTION,
    backoff: Backoff | None = None,
    on_retry: Callable[[int, int], None] | None = None,
) -> Result:
    """Runs `attempt` again after what is to be `retried`, `attempts` times at most; then raises the last error."""
    backoff = backoff or Backoff(base_seconds=0.02, max_seconds=2.0)
    number = 1
    while True:
        try:
            return await attempt()
        except MySQLError as error:
            code = error_number(error)
            if code is None or code not in retried or number >= attempts:
                raise
            if on_retry:
                on_retry(number, code)
        await asyncio.sleep(backoff.delay(number))
        number += 1
