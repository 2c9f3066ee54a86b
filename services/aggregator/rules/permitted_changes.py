"""What may be done to a feed without its being read, and why not. Raises WrongState with a sentence for people."""

from dataclasses import dataclass
from uuid import UUID

from services.aggregator.errors import WrongState
from shared.schemas.feeds import ProcessingStatus


@dataclass(frozen=True, slots=True)
class FeedState:
    """`waits`: no live worker has it. `earlier_status`: reprocessing was asked for and is not over."""

    status: ProcessingStatus
    waits: bool
    earlier_status: ProcessingStatus | None = None
    replaced_by: UUID | None = None
    withdrawn: bool = False

    @property
    def standing(self) -> ProcessingStatus:
        return self.earlier_status or self.status


@dataclass(frozen=True, slots=True)
class AlreadySo:
    """Nothing to do, and nothing wrong."""


@dataclass(frozen=True, slots=True)
class WithdrawFeed:
    """Take back what it counts; a reprocessing that is under way is over with it."""


@dataclass(frozen=True, slots=True)
class CancelFeed:
    """It was never applied and will not be."""


@dataclass(frozen=True, slots=True)
class DropReprocessing:
    """It goes back to what it was before reprocessing was asked for."""

    status: ProcessingStatus


@dataclass(frozen=True, slots=True)
class AskForRun:
    """One run more; until it is over, `earlier` is what the feed is."""

    earlier: ProcessingStatus | None


@dataclass(frozen=True, slots=True)
class OrderAgain:
    """It waits already: the order goes out once more."""

    earlier: None = None


def may_withdraw(feed: FeedState) -> AlreadySo | WithdrawFeed:
    if feed.withdrawn and feed.earlier_status is None:
        return AlreadySo()
    if feed.standing is not ProcessingStatus.DONE:
        hint = "it can be cancelled while it is IN_QUEUE" if not feed.status.is_terminal else "nothing of it counts"
        raise WrongState(f"Only a DONE feed can be withdrawn; this one is {feed.status}: {hint}.", reason=feed.status)
    if feed.replaced_by:
        raise WrongState(f"It counts no longer: feed {feed.replaced_by} replaced it.", reason="REPLACED")
    return WithdrawFeed()


def may_cancel(feed: FeedState) -> AlreadySo | CancelFeed | DropReprocessing:
    if feed.status is ProcessingStatus.CANCELLED:
        return AlreadySo()
    if not feed.waits:
        hints = {
            ProcessingStatus.IN_PROGRESS: "a worker has it",
            ProcessingStatus.DONE: "it is applied; withdraw it instead",
            ProcessingStatus.FATAL: "it has failed, and nothing of it counts",
        }
        message = f"Only a feed that is IN_QUEUE can be cancelled; this one is {feed.status}: {hints[feed.status]}."
        raise WrongState(message, reason=feed.status)
    return DropReprocessing(feed.earlier_status) if feed.earlier_status else CancelFeed()


def may_reprocess(feed: FeedState) -> AskForRun | OrderAgain:
    """A feed that waits, also for the first time, may be ordered again: its message may have been given up."""
    if feed.replaced_by:
        message = f"Feed {feed.replaced_by} took its place; reprocess that one, or hand the file in again."
        raise WrongState(message, reason="REPLACED")
    if feed.status.is_terminal:
        return AskForRun(feed.status)
    if not feed.waits:
        raise WrongState("A worker has it at this moment; ask again when it has ended.", reason=feed.status)
    return OrderAgain()
