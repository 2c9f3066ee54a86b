"""Changes of feeds that do what a test says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.aggregator.errors import NoSuchFeed
from services.aggregator.rules.callers import Caller
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feeds import Receipt


@dataclass
class ToldChanges:
    """Feed changes that answer, or raise, as told; they keep what they were asked."""

    answer: FeedChanged | Exception | None = None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def withdraw(self, feed_id: UUID, caller: Caller) -> FeedChanged:
        return self._answer("withdraw", feed_id, caller)

    async def cancel(self, feed_id: UUID, caller: Caller, receipt: Receipt | None) -> FeedChanged:
        return self._answer("cancel", feed_id, caller, receipt)

    async def reprocess(self, feed_id: UUID, caller: Caller, overrides: Mapping[str, str | None]) -> FeedChanged:
        return self._answer("reprocess", feed_id, caller, dict(overrides))

    def _answer(self, *asked: object) -> FeedChanged:
        self.asked.append(asked)
        if isinstance(self.answer, FeedChanged):
            return self.answer
        raise self.answer or NoSuchFeed
