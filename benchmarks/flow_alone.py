"""The aggregator with a reader that does next to nothing: what everything around the reading engine costs.

    .venv/bin/python -m benchmarks.small_feeds --flow-alone

Runs as `python -m benchmarks.flow_alone`, with the environment of `python -m services.aggregator`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from benchmarks.one_by_one import split_and_sum
from services.aggregator.main import create_app, open_aggregator
from services.aggregator.ports import Contribution, FeedReader, ReadRequest
from services.aggregator.rules.layouts import HEADERLESS
from services.aggregator.settings import AggregatorSettings
from shared.runtime.serve import serve
from shared.schemas.feeds import Counts, Recognised
from shared.schemas.issues import Issue, IssueTotal


class SplitFeed:
    """Implements ReadFeed for a flawless feed of four columns."""

    def __init__(self, path: Path, request: ReadRequest) -> None:
        rows, sums = split_and_sum(path.read_text())
        self.recognised = Recognised(format="csv", layout=HEADERLESS)
        self.counts = Counts(rows_received=len(rows), rows_accepted=len(rows))
        self.issue_totals: list[IssueTotal] = []
        self.issue_count = 0
        self._groups = [
            Contribution(request.object_day, "", name, "", "", *values) for name, values in sorted(sums.items())
        ]

    def first_issues(self, limit: int) -> list[Issue]:
        return []

    def write_rejected(self, path: Path) -> int:
        return 0

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        for start in range(0, len(self._groups), batch_size):
            yield self._groups[start : start + batch_size]

    def close(self) -> None:
        pass


class SplitReader:
    """Implements FeedReader."""

    def read(self, path: Path, request: ReadRequest) -> SplitFeed:
        return SplitFeed(path, request)


def open_split(_settings: AggregatorSettings, _directory: Path) -> AbstractContextManager[FeedReader]:
    return nullcontext(SplitReader())


if __name__ == "__main__":
    settings = AggregatorSettings()
    serve("aggregator", settings, lambda: create_app(settings, partial(open_aggregator, open_reader=open_split)))
