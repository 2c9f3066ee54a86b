"""Loops beside the routes: a dead one is seen, all are stopped."""

import asyncio

from shared.runtime.background import BackgroundLoops
from tests.waiting import until


class Loop:
    """Runs until it is told to stop, or until `fault` is set."""

    def __init__(self) -> None:
        self.fault = asyncio.Event()
        self.ended = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        waits = [asyncio.create_task(self.fault.wait()), asyncio.create_task(self._stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.fault.is_set():
            raise ValueError("a fault of ours")
        self.ended = True

    def stop(self) -> None:
        self._stopping.set()


async def test_all_loops_are_stopped_with_the_app() -> None:
    loops = [Loop(), Loop()]
    async with BackgroundLoops(loops, grace_seconds=5).running() as running:
        await running.check()
    assert all(loop.ended for loop in loops)


async def test_a_loop_that_died_makes_the_service_unhealthy() -> None:
    fine, dying = Loop(), Loop()
    async with BackgroundLoops([fine, dying], grace_seconds=5).running() as running:
        dying.fault.set()

        async def seen() -> bool:
            try:
                await running.check()
            except RuntimeError as error:
                return "Loop is not running" in str(error)
            return False

        await until(seen)
    assert fine.ended
