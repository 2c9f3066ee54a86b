"""Calls that are made at about the same time go out as one: what a batch API is for, without waiting for a batch.

The first call goes out at once, with whoever else calls in the same turn of the event loop; those that come while it is
on its way go together in the next one. Under load batches grow by themselves; an idle caller waits for nobody.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Send = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""One call for all items; per item its result, or what was wrong with that one alone."""


class Coalescer(Generic[Item, Result]):
    """At most `most` items in a call, of `most_weight` together at most; an item that is heavier goes alone.

    `linger_seconds`: how long to wait for more before a call that is not full, where nobody is in a hurry.
    """

    def __init__(
        self,
        send: Send[Item, Result],
        *,
        most: int,
        weigh: Callable[[Item], int] = lambda _: 0,
        most_weight: int = 0,
        linger_seconds: float = 0.0,
    ) -> None:
        self._send = send
        self._most = most
        self._weigh = weigh
        self._most_weight = most_weight
        self._linger_seconds = linger_seconds
        self._waiting: deque[tuple[Item, int, asyncio.Future[Result]]] = deque()
        self._sender: asyncio.Task[None] | None = None
        # The sender serves many callers: it must not log under the name of the first of them.
        self._context = contextvars.copy_context()

    async def __call__(self, item: Item) -> Result:
        """Raises what the call raised, or what it said of this item. If cancelled before it went out, it does not."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, self._weigh(item), future))
        if self._sender is None:
            self._sender = loop.create_task(self._send_all(), context=self._context)
        return await future

    async def _send_all(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while self._waiting:
                await asyncio.sleep(0 if len(self._waiting) >= self._most else self._linger_seconds)
                batch = self._next_batch()
                if batch:
                    await self._send_batch(batch)
        finally:
            self._sender = None
            # Only if this task was cancelled: nobody else would answer them.
            for _, future in batch:
                future.cancel()
            while self._waiting:
                self._waiting.popleft()[2].cancel()

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        weight = 0
        while self._waiting and len(batch) < self._most:
            item, own_weight, future = self._waiting[0]
            if batch and self._most_weight and weight + own_weight > self._most_weight:
                break
            self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
                weight += own_weight
        return batch

    async def _send_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._send([item for item, _ in batch])
        except Exception as error:  # handed to every caller: each decides for itself
            results = [error] * len(batch)
        if len(results) != len(batch):
            told = f"{len(results)} results for {len(batch)} items: whose they are cannot be told"
            results = [RuntimeError(told)] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
