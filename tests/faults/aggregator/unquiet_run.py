"""One run: a random world, workers that faults strike while they work on it, and what is left when it is quiet."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from services.aggregator.errors import NoSuchFeed, StoreUnavailable, WrongState
from services.aggregator.ports import FeedReader
from services.aggregator.rules.callers import OPERATOR
from shared.runtime.mysql import MySqlPool
from tests.faults.aggregator.audited_books import Auditor
from tests.faults.aggregator.living_process import LivingProcess, Outside, open_process
from tests.faults.aggregator.memory_topic_and_queues import Queues, Topic
from tests.faults.aggregator.mortal_process import Crash
from tests.faults.aggregator.planted_faults import Faults, Moments
from tests.faults.aggregator.promises_at_work import PromisesAtWork
from tests.faults.aggregator.random_world import GARBAGE, Asked, World, event_about
from tests.faults.aggregator.sequential_model import Certainty, Step

NOISY_SECONDS = 30.0
QUIET_SECONDS = 400.0
"""Of the hurried clock: how long faults may strike, and the deadline for everything to come to rest after them."""


PATIENCE_SECONDS = 2.0
"""Likewise: for which nothing has to move before leases run out, at first."""


@dataclass
class Crew:
    """The processes that live now, by their place; each is followed by another one when it ends."""

    outside: Outside
    rng: Random
    living: dict[int, LivingProcess] = field(default_factory=dict)
    born: int = 0
    closing: bool = False

    async def keep_one(self, place: int) -> None:
        while not self.closing:
            self.born += 1
            name = f"w{place}.{self.born}"
            async with open_process(self.outside, name, self.rng) as process:
                self.living[place] = process
                await process.life.over.wait()
            # Before it is missed.
            await self.outside.time_passes(name)

    def any(self) -> LivingProcess:
        return self.rng.choice(list(self.living.values()))

    async def close(self, keeping: list["asyncio.Task[None]"]) -> None:
        self.closing = True
        for process in self.living.values():
            process.life.over.set()
        await asyncio.gather(*keeping)


class UnquietRun:
    def __init__(self, world: World, admin: MySqlPool, url: str, work_dir: Path, engine: FeedReader | None) -> None:
        self._world = world
        self._admin = admin
        self._rng = Random(f"run of {world.seed}")
        self.faults = Faults(world.seed)
        self._moments = Moments()
        self._promises = PromisesAtWork(admin, world)
        self._queues = Queues(self._promises.may_delete, self._rng, self._moments)
        self._promises.queues = self._queues
        self._topic = Topic(self._promises.may_announce)
        self._outside = Outside(
            url=url,
            work_dir=work_dir,
            buckets=world.buckets,
            queues=self._queues,
            topic=self._topic,
            faults=self.faults,
            moments=self._moments,
            engine=engine,
            kill=self._promises.kill,
            leases_run_out=self._promises.leases_run_out,
        )
        self._steps: dict[str, list[Step]] = {seller: [] for seller in world.sellers}

    async def __call__(self) -> None:
        """Raises AssertionError if a promise is broken."""
        crew = Crew(self._outside, self._rng)
        keeping = [asyncio.create_task(crew.keep_one(place)) for place in range(self._rng.choice([1, 2, 2, 3]))]
        try:
            await self._noise(crew)
            await self._come_to_rest()
        finally:
            await crew.close(keeping)
        assert not self._queues.broken_promises, self._queues.broken_promises
        assert not self._topic.broken_promises, self._topic.broken_promises
        assert set(self._queues.bodies("dead")) == set(self._world.messages) & {GARBAGE}, "P4: what is given up"
        await Auditor(self._admin, self._world, self._topic.taken).audit(self._steps)

    # --- noise ------------------------------------------------------------------------------------------------------

    async def _noise(self, crew: Crew) -> None:
        """Messages come, people ask, rivals lock, processes are shut down; faults strike until they are used up."""
        people = [asyncio.create_task(self._deliver()), asyncio.create_task(self._ask(crew))]
        if self._rng.random() < 0.3:
            people.append(asyncio.create_task(self._rival()))
        if self._rng.random() < 0.3:
            people.append(asyncio.create_task(self._shut_one_down(crew)))
        await asyncio.gather(*people)
        with suppress(TimeoutError):
            async with asyncio.timeout(NOISY_SECONDS):
                await self._work_off(enough=lambda: self.faults.spent)
        self.faults.stop()

    async def _deliver(self) -> None:
        """Some at once, the others after a while."""
        messages = self._world.messages
        at_once = self._rng.randint(1, len(messages))
        for number, body in enumerate(messages):
            if number >= at_once:
                await self._moments.pass_by(self._rng.randint(5, 80))
            self._queues.send("uploads", body)

    async def _ask(self, crew: Crew) -> None:
        for asked in self._world.asked:
            await self._moments.pass_by(self._rng.randint(1, 250))
            certainty = await self._ask_one(crew, asked)
            if certainty:
                seller = next(feed.seller for feed in self._world.feeds if feed.feed_id == asked.feed_id)
                self._steps[seller].append(Step(asked, certainty))

    async def _ask_one(self, crew: Crew, asked: Asked) -> Certainty | None:
        """None if it was refused: then nothing may have changed."""
        process = crew.any()
        process.life.told(f"{asked.verb} {asked.feed_id} {asked.overrides}")
        try:
            match asked.verb:
                case "withdraw":
                    await process.changes.withdraw(asked.feed_id, OPERATOR)
                case "cancel":
                    await process.changes.cancel(asked.feed_id, OPERATOR)
                case "reprocess":
                    await process.changes.reprocess(asked.feed_id, OPERATOR, asked.overrides)
        except (WrongState, NoSuchFeed):
            return None
        except (StoreUnavailable, Crash):
            return "perhaps"
        return "done"

    async def _rival(self) -> None:
        for _ in range(3):
            await self._moments.pass_by(self._rng.randint(5, 60))
            ids = [str(feed.feed_id) for feed in self._world.feeds]
            self._rng.shuffle(ids)
            await self._promises.rival(ids)

    async def _shut_one_down(self, crew: Crew) -> None:
        await self._moments.pass_by(self._rng.randint(5, 300))
        crew.any().life.over.set()

    # --- rest -------------------------------------------------------------------------------------------------------

    async def _come_to_rest(self) -> None:
        """No fault strikes any more; every event comes once more, and late."""
        if self._rng.random() < 0.3:
            for feed in self._world.feeds:
                self._queues.send("uploads", event_about(feed.ref))
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._work_off(enough=lambda: False)
        except TimeoutError:
            raise AssertionError(f"it never came to rest: {await self._promises.left_over()}") from None

    async def _work_off(self, enough: Callable[[], bool]) -> None:
        """Until nothing is left to do. Where nothing moves, time passes: leases run out that nobody gave back."""
        loop = asyncio.get_running_loop()
        patience, moved_at, left = PATIENCE_SECONDS, loop.time(), -1
        while not enough():
            still = len(self._queues.bodies("uploads", "overflow"))
            if not still and not await self._promises.waiting_in_outbox():
                return
            if still != left:
                left, moved_at = still, loop.time()
            elif loop.time() > moved_at + patience:
                await self._promises.leases_run_out()
                patience, moved_at = patience * 2, loop.time()
            await self._queues.change(0.5)
