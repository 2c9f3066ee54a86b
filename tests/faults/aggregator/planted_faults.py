"""Which faults strike at which step of a run: drawn from its seed, counted, and no more once told to stop."""

import asyncio
import random
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.aggregator.mortal_process import Crash

ANYWHERE = ("crash", "stall")
"""The process is gone; or it sleeps, its leases run out, and it comes back later."""

OF_STATEMENTS = (*ANYWHERE, "killed", "deadlock", "lock_timeout")
AFTER_STATEMENTS = ("crash", "answer_lost")
OF_CALLS = (*ANYWHERE, "refused", "silent")
OF_BODIES = (*OF_CALLS, "truncated", "broken_off")
OF_BATCHES = (*OF_CALLS, "entry_refused")
AFTER_CALLS = ("crash", "answer_lost")
OF_RECEIVING = (*OF_CALLS, "repeated")

KINDS = frozenset(
    kind
    for kinds in (OF_STATEMENTS, AFTER_STATEMENTS, OF_BODIES, OF_BATCHES, AFTER_CALLS, OF_RECEIVING)
    for kind in kinds
)

STALL_SECONDS = 1.5
"""At most, of the hurried clock: a stalled worker may hold locks that others wait for."""

TARGETS = (
    "after COMMIT",
    "before COMMIT",
    "INSERT INTO outbox",
    "contributions",
    "INSERT INTO totals",
    "UPDATE feeds SET",
    "UPDATE outbox SET",
    "get_object",
    "put_object",
    "copy_object",
    "publish_batch",
    "delete_message_batch",
    "change_message_visibility_batch",
    "send_message",
    "read",
)
"""Steps at which some runs strike again and again, so that rare ones get their share."""


BEDS = ("before START TRANSACTION", "before SELECT feed_id, seller_id", "get_object uploads", "put_object")
"""Where a worker falls asleep over a feed that others finish meanwhile: some runs have nothing but sleepers."""

POLLING = ("receive_message", "SELECT o.id FROM", "SELECT COUNT(*) AS")
"""Taken most of all, and least interesting."""


@dataclass
class Faults:
    """Of one run. The draw at a step depends on the seed and on how often that process came to that step before, and
    not on what others do meanwhile: so the same seed plants about the same faults again."""

    seed: str
    struck: Counter[str] = field(default_factory=Counter)
    trace: deque[str] = field(default_factory=lambda: deque(maxlen=4_000))
    stopped: bool = False

    def __post_init__(self) -> None:
        rng = random.Random(f"faults of {self.seed}")
        self._rate = 10 ** rng.uniform(-2.0, -0.9)
        self._target = rng.choice(TARGETS) if rng.random() < 0.6 else ""
        self._kinds = set(rng.sample(sorted(KINDS), rng.randint(1, 4))) if rng.random() < 0.5 else set(KINDS)
        if rng.random() < 0.2:
            self._target, self._kinds = rng.choice(BEDS), {"stall"}
        self._left = rng.randint(2, 12)
        self._crashes_left = rng.randint(1, 4)
        self._stalls_left = 4
        self._visits: Counter[str] = Counter()

    @property
    def spent(self) -> bool:
        return self.stopped or self._left <= 0

    def draw(self, who: str, step: str, kinds: tuple[str, ...]) -> str | None:
        """What strikes now, of `kinds`; None mostly. Called from reading threads too."""
        self.trace.append(f"{who}: {step}")
        if self.spent:
            return None
        place = f"{who}/{step}"
        self._visits[place] += 1
        drawn = zlib.crc32(f"{self.seed}/{place}/{self._visits[place]}".encode())
        rate = 0.35 if self._target and self._target in step else self._rate
        if any(each in step for each in POLLING):
            rate /= 8
        possible = [kind for kind in kinds if kind in self._kinds]
        if not possible or drawn % 10_000 >= rate * 10_000:
            return None
        kind = possible[(drawn // 10_000) % len(possible)]
        if (kind == "crash" and not self._crashes_left) or (kind == "stall" and not self._stalls_left):
            return None
        self._crashes_left -= kind == "crash"
        self._stalls_left -= kind == "stall"
        self._left -= 1
        self.struck[f"{kind} at {step}"] += 1
        self.trace.append(f"{who}: *** {kind} at {step}")
        return kind

    def stop(self) -> None:
        self.stopped = True


class Moments:
    """Waiting for what others do: until so many steps were taken, or until there is nothing else to do."""

    def __init__(self) -> None:
        self.steps = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def step(self) -> None:
        self.steps += 1
        if self._waiting:
            self._release(lambda due: due <= self.steps)

    def idle(self) -> None:
        """Nothing happens by itself any more: whoever would be next is."""
        if self._waiting:
            first = min(due for due, _ in self._waiting)
            self._release(lambda due: due == first)

    async def pass_by(self, steps: int, at_most: float = 20.0) -> None:
        """`at_most`: seconds of the hurried clock."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self.steps + steps, future))
        await asyncio.wait({future}, timeout=at_most)
        self._waiting = [waiting for waiting in self._waiting if waiting[1] is not future]

    def _release(self, is_due: Callable[[int], bool]) -> None:
        for due, future in self._waiting:
            if is_due(due) and not future.done():
                future.set_result(None)
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]


class Life:
    """Of one process. Dead, it takes no further step."""

    def __init__(
        self, name: str, faults: Faults, moments: Moments, time_passes: Callable[[str], Awaitable[None]]
    ) -> None:
        """`time_passes`: for everybody but the process of this name."""
        self.name = name
        self.dead = False
        self.over = asyncio.Event()
        self._faults = faults
        self._moments = moments
        self._time_passes = time_passes
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._awake.set()

    def die(self) -> None:
        self.dead = True
        self.over.set()

    def told(self, what: str) -> None:
        self._faults.trace.append(f"{self.name}: is asked to {what}")

    async def at(self, step: str, kinds: tuple[str, ...]) -> str | None:
        """A fault that the caller has to enact, if any. Raises Crash."""
        self._moments.step()
        kind = None if self.dead else self._faults.draw(self.name, step, kinds)
        if kind == "stall":
            await self._sleep(8 + zlib.crc32(step.encode()) % 60)
            kind = None
        await self._awake.wait()
        if kind == "crash":
            self.die()
        if self.dead:
            raise Crash(step)
        return kind

    async def _sleep(self, steps: int) -> None:
        """All of the process: nothing of it renews a lease or keeps a message hidden."""
        self._awake.clear()
        try:
            await self._time_passes(self.name)
            await self._moments.pass_by(steps, STALL_SECONDS)
        finally:
            self._awake.set()

    def at_in_thread(self, step: str) -> None:
        """The same for a reading thread, which can only crash."""
        kind = None if self.dead else self._faults.draw(self.name, step, ("crash",))
        if kind:
            self.dead = True
            self._loop.call_soon_threadsafe(self.over.set)
        if self.dead:
            raise Crash(step)
