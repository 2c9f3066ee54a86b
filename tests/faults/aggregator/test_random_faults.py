"""Hundreds of small random worlds, worked on by real workers that faults strike at every step: P1 to P4 hold.

Each run is drawn from a seed, which a failure names; the same seed makes the same world and about the same faults
(threads and the database keep a little chance of their own):

    CHAOS_SEED=17 CHAOS_RUNS=1 pytest tests/faults/aggregator/test_random_faults.py
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from shared.runtime.mysql import MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from tests.faults.aggregator.faulty_database import LIMITS
from tests.faults.aggregator.hurried_loop import HurriedLoop
from tests.faults.aggregator.planted_faults import KINDS, TARGETS, Faults
from tests.faults.aggregator.random_world import WorldMaker
from tests.faults.aggregator.unquiet_run import UnquietRun

RUNS = int(os.environ.get("CHAOS_RUNS", "504"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", "20261124"))
BATCH = 42
ENGINE_EVERY = 13
"""Every so many runs files are read by the real engine; else lines are, which costs a tenth."""

TOLD_STEPS = 600
"""Of a failed run's trace: the last ones, polling left out."""


# A process that dies closes nothing, nor does it wait for what it began.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbFeedReader]:
    with DuckDbFeedReader(tmp_path_factory.mktemp("engine"), memory_limit_mb=200, threads=1) as reader:
        yield reader


@pytest.fixture(scope="module")
def all_struck() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + RUNS, BATCH))
def test_whatever_strikes_wherever_the_promises_hold(
    first: int, migrated_database_url: str, engine: DuckDbFeedReader, tmp_path: Path, all_struck: Counter[str]
) -> None:
    seeds = range(first, min(first + BATCH, FIRST_SEED + RUNS))
    started = time.monotonic()
    # Kept from the output: to render thousands of lines costs as much as the runs.
    with capture_logs(), asyncio.Runner(loop_factory=HurriedLoop) as runner:
        struck = runner.run(_runs(seeds, migrated_database_url, engine, tmp_path))
    all_struck.update(struck)
    seconds = time.monotonic() - started
    print(f"{len(seeds)} runs in {seconds:.1f} s; {struck.total()} faults struck")  # noqa: T201 - pytest shows it with -s


@pytest.mark.skipif(RUNS < 500, reason="so few runs do not meet everything")
def test_every_kind_of_fault_struck_at_every_kind_of_step(all_struck: Counter[str]) -> None:
    """What never strikes proves nothing."""
    kinds = {name.partition(" at ")[0] for name in all_struck}
    assert kinds == KINDS
    for step in TARGETS:
        assert [name for name in all_struck if step in name], f"nothing struck at {step}"


async def _runs(seeds: range, url: str, engine: DuckDbFeedReader, tmp_path: Path) -> Counter[str]:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # processes that died leave loose ends
    struck: Counter[str] = Counter()
    admin = MySqlPool(MySqlAddress.parse(url), LIMITS)
    try:
        for seed in seeds:
            reads = engine if seed % ENGINE_EVERY == 0 else None
            world = WorldMaker(f"s{seed}", "engine" if reads else "lines").make()
            run = UnquietRun(world, admin, url, tmp_path, reads)
            try:
                await run()
            except BaseException as error:
                error.add_note(
                    f"CHAOS_SEED={seed} CHAOS_RUNS=1 plants it again; it struck with {dict(run.faults.struck)}"
                )
                error.add_note("\n".join(_told(run.faults)))
                raise
            struck += run.faults.struck
    finally:
        await admin.close()
    return struck


def _told(faults: Faults) -> list[str]:
    idle = ("receive_message", "SELECT o.id", "SELECT COUNT(*)")
    return [step for step in faults.trace if "***" in step or not any(each in step for each in idle)][-TOLD_STEPS:]
