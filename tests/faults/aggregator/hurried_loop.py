"""An event loop whose clock runs fast: what the product waits for passes in a twentieth of the time.

Only asyncio's own waiting is hurried; the database and its clock are not. So the product's pauses, polls and timeouts
can stay in the runs without costing them.
"""

import asyncio
import selectors

HURRY = 20
"""Seconds of the loop's clock in one of the wall's."""


class _HurriedSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / HURRY)


class HurriedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_HurriedSelector())

    def time(self) -> float:
        return super().time() * HURRY
