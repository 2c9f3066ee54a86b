"""One number over all phases, that never goes back."""

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.rules.reading_progress import Progress, ReadingProgress
from shared.schemas.events import Phase

PHASES = (Phase.RECEIVE, Phase.READ, Phase.VALIDATE, Phase.AGGREGATE, Phase.STORE)


def test_a_feed_goes_from_phase_to_phase() -> None:
    progress = ReadingProgress()
    assert progress.now == Progress(Phase.RECEIVE, 0)
    seen = []
    for phase in PHASES:
        for percent in (50, 100):
            progress.told(phase, percent)
            seen.append(progress.now)
    assert [shown.phase for shown in seen] == [phase for phase in PHASES for _ in range(2)]
    percents = [shown.percent for shown in seen]
    assert percents == sorted(set(percents))
    assert percents[-1] < 100, "it is finished when it is no longer in progress"


@given(st.lists(st.tuples(st.sampled_from(Phase), st.integers(-50, 200))))
def test_it_never_goes_back_whatever_it_is_told(told: list[tuple[Phase, int]]) -> None:
    progress = ReadingProgress()
    last = progress.now
    for phase, percent in told:
        progress.told(phase, percent)
        assert 0 <= last.percent <= progress.now.percent < 100
        last = progress.now
