"""Work under a lease: renewed while it goes on, ended when it is lost, and by nothing else."""

import asyncio
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field

import pytest

from services.aggregator import held_lease
from services.aggregator.errors import LeaseLost, Outage
from services.aggregator.held_lease import HeldLease
from services.aggregator.rules.reading_progress import Progress, ReadingProgress
from shared.schemas.events import Phase


@dataclass
class Renewal:
    """Succeeds so often, then raises."""

    successes: int = 1_000_000
    error: Exception | None = None
    calls: int = 0
    shown: list[Progress] = field(default_factory=list)

    async def __call__(self, progress: Progress) -> None:
        self.calls += 1
        self.shown.append(progress)
        if self.error and self.calls > self.successes:
            raise self.error


class CountedProgress(ReadingProgress):
    """Counts how often it was looked at."""

    looks = 0

    @property
    def now(self) -> Progress:
        self.looks += 1
        return super().now


async def work_until(renewal: Renewal, calls: int) -> str:
    async with asyncio.timeout(5):
        while renewal.calls < calls:
            await asyncio.sleep(0.001)
    return "done"


async def test_the_result_is_the_works_and_the_lease_is_renewed_meanwhile() -> None:
    renewal = Renewal()
    assert await HeldLease(renewal, 0.005).during(work_until(renewal, 3)) == "done"


async def test_a_lost_lease_ends_the_work() -> None:
    renewal = Renewal(successes=2, error=LeaseLost())
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(LeaseLost):
        await HeldLease(renewal, 0.005).during(work())
    assert ended.is_set()
    assert renewal.calls == 3


async def test_it_ends_although_a_cancellation_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """As asyncio.wait_for loses it in Python 3.11, when what it waits for is done at that very moment."""
    monkeypatch.setattr(held_lease, "CANCEL_AGAIN_SECONDS", 0.01)
    renewing = asyncio.Event()

    async def renew(_: Progress) -> None:
        if not renewing.is_set():
            renewing.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async with asyncio.timeout(5):
        assert await HeldLease(renew, 0.005).during(renewing.wait())


async def test_a_store_that_is_away_does_not_end_it() -> None:
    renewal = Renewal(successes=0, error=Outage())
    assert await HeldLease(renewal, 0.005).during(work_until(renewal, 3)) == "done"


async def test_the_works_own_failure_comes_through() -> None:
    async def work() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it carries no message
        await HeldLease(Renewal(), 1).during(work())


async def test_short_pieces_of_work_do_not_put_the_renewal_off() -> None:
    renewal = Renewal()
    lease = HeldLease(renewal, 0.02)
    async with asyncio.timeout(5):
        while renewal.calls < 3:
            await lease.during(asyncio.sleep(0.001))


async def test_a_cancelled_caller_cancels_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    holding = asyncio.create_task(HeldLease(Renewal(), 1).during(work()))
    async with asyncio.timeout(5):
        await begun.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert ended.is_set()


async def test_progress_is_shown_before_the_lease_needs_it_and_only_when_it_moved() -> None:
    renewal, progress = Renewal(), CountedProgress()
    lease = HeldLease(renewal, 60, progress, 0.001)

    async def work() -> None:
        async with asyncio.timeout(5):
            while progress.looks < 5:
                await asyncio.sleep(0.001)
        assert renewal.shown == [], "nothing moved, and the lease is fresh"
        for percent in (10, 50):
            progress.told(Phase.READ, percent)
            await work_until(renewal, len(renewal.shown) + 1)

    await lease.during(work())
    assert [shown.phase for shown in renewal.shown] == [Phase.READ, Phase.READ]
    assert renewal.shown[0].percent < renewal.shown[1].percent


async def test_before_a_commit_the_lease_is_taken_for_it_unless_it_is_quick_and_all_began_just_now() -> None:
    renewal, for_commit, progress = Renewal(), Renewal(), ReadingProgress()
    progress.told(Phase.STORE, 50)
    young = HeldLease(renewal, 60, progress, 60, for_commit)
    await young.before_commit(is_quick=True)
    assert for_commit.shown == [], "most feeds end before that"
    await young.before_commit()
    old = HeldLease(renewal, 60, progress, 0, for_commit)
    await old.before_commit(is_quick=True)
    assert [shown.phase for shown in for_commit.shown] == [Phase.STORE] * 2
    assert renewal.calls == 0


@pytest.mark.parametrize(("error", "raised"), [(Outage(), None), (LeaseLost(), LeaseLost)])
async def test_a_lease_that_is_lost_is_noticed_when_it_is_shown(
    error: Exception, raised: type[Exception] | None
) -> None:
    progress = ReadingProgress()
    lease = HeldLease(Renewal(successes=0, error=error), 60, progress, 0)
    progress.told(Phase.STORE, 50)
    with pytest.raises(raised) if raised else nullcontext():
        await lease.before_commit()


async def test_progress_that_was_not_written_is_written_at_the_next_look() -> None:
    renewal, progress = Renewal(successes=0, error=Outage()), ReadingProgress()

    async def work() -> None:
        progress.told(Phase.STORE, 0)
        await work_until(renewal, 2)

    await HeldLease(renewal, 60, progress, 0.005).during(work())
    assert {shown.phase for shown in renewal.shown} == {Phase.STORE}
