"""Waiting in tests: on a condition, with a deadline; never for a fixed time."""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE_SECONDS = 20.0


async def until(condition: Callable[[], Awaitable[bool]], within: float = DEADLINE_SECONDS) -> None:
    """Returns once `condition()` is true; raises TimeoutError if it is not within `within` seconds."""
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.02)  # between two looks at something that cannot call us
