"""A reader of the simplest feeds there can be, and a gate to hold it at."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from services.aggregator.errors import UnreadableFeed
from services.aggregator.ports import Contribution, ReadRequest
from shared.schemas.events import Phase
from shared.schemas.feeds import Counts, Recognised
from shared.schemas.issues import Issue, IssueTotal, Severity
from tests.flow.aggregator.steps import Step, no_step


class LineReadFeed:
    """`name,rows` per line; a line that is no such thing is rejected."""

    def __init__(self, text: str, day: date, at: Step = no_step) -> None:
        self.at = at
        self.recognised = Recognised(format="lines", layout="lines")
        self.closed = 0
        self._issues: list[Issue] = []
        self._groups: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            name, _, rows = line.partition(",")
            if rows.isdigit():
                self._groups[name] = self._groups.get(name, 0) + int(rows)
            else:
                message = "rows is no number"
                self._issues.append(
                    Issue(code="validation/invalid_rows", severity=Severity.ERROR, message=message, line=number)
                )
        self._day = day

    @property
    def counts(self) -> Counts:
        accepted, rejected = sum(self._groups.values()), len(self._issues)
        return Counts(rows_received=accepted + rejected, rows_accepted=accepted, rows_rejected=rejected)

    @property
    def issue_totals(self) -> list[IssueTotal]:
        rejected = len(self._issues)
        return [IssueTotal(code="validation/invalid_rows", severity=Severity.ERROR, rows=rejected)] if rejected else []

    @property
    def issue_count(self) -> int:
        return len(self._issues)

    def first_issues(self, limit: int) -> list[Issue]:
        self.at("first_issues")
        return self._issues[:limit]

    def write_rejected(self, path: Path) -> int:
        self.at("write_rejected")
        path.write_text("".join(f"{issue.line},{issue.code}\n" for issue in self._issues))
        return len(self._issues)

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        self.at("contributions")
        groups = sorted(self._groups.items())
        for start in range(0, len(groups), batch_size):
            yield [self._contribution(*group) for group in groups[start : start + batch_size]]

    def _contribution(self, name: str, rows: int) -> Contribution:
        money = Decimal("1.10") * rows
        return Contribution(self._day, "", name, "", "", 2 * rows, money, 2 * money, rows)

    def close(self) -> None:
        self.closed += 1


class Gate:
    """Holds the reading thread that comes to it until the test lets it go."""

    def __init__(self) -> None:
        self._entered, self._leave = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._entered.set()
        self._leave.wait(10)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._leave.set()


@dataclass
class LineReader:
    """Reads `name,rows` lines. `meanwhile` runs in the reading thread, `at_what_was_read` when that is asked."""

    meanwhile: Callable[[], None] = lambda: None
    at: Step = no_step
    at_what_was_read: Step = no_step
    read_feeds: list[LineReadFeed] = field(default_factory=list)
    requests: list[ReadRequest] = field(default_factory=list)

    def read(self, path: Path, request: ReadRequest) -> LineReadFeed:
        self.at("read")
        text = path.read_text()
        self.meanwhile()
        if text.startswith("%PDF"):
            raise UnreadableFeed("format/unknown_layout", "no layout fits")
        request.told(Phase.VALIDATE, 50)
        self.requests.append(request)
        self.read_feeds.append(LineReadFeed(text, request.object_day, self.at_what_was_read))
        return self.read_feeds[-1]
