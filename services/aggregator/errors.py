"""Why the aggregator does not do what it was asked, one class per reason."""

from collections.abc import Sequence
from uuid import UUID

from shared.runtime.problems import NotFound, ProblemError, Unavailable


class AggregatorError(Exception):
    """Base of all that this service raises on purpose; the docstring is the default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class UnreadableFeed(AggregatorError):
    """This file cannot be processed; the feed is FATAL."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MissingObject(AggregatorError):
    """The object, or this version of it, is not in the bucket."""


class Outage(AggregatorError):
    """Something this service needs does not answer; the same call may succeed later. Never a reason for FATAL."""


class EngineFull(Outage):
    """The reading engine's memory does not suffice for this at once: less at a time, or later, it may."""


class Occupied(Outage):
    """Others are at work on this feed, or on so many that this would have to wait; ask again in a moment."""


class ReadingHangs(AggregatorError):
    """A feed is read for longer than any should be, and its thread cannot be interrupted."""


class LeaseLost(AggregatorError):
    """Another worker has taken this feed over, or it is finished: nothing of ours may be stored."""


class SameContent(AggregatorError):
    """A feed with the same bytes counts already."""

    def __init__(self, feed_id: UUID, rows_received: int) -> None:
        super().__init__(f"the same bytes count already as feed {feed_id}")
        self.feed_id = feed_id
        self.rows_received = rows_received


class NoLongerSame(AggregatorError):
    """The feed with the same bytes counts no longer: this one has to be read after all."""


class RelationRefused(AggregatorError):
    """The feed that this one is to replace or correct cannot be; this one is FATAL."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MustWait(AggregatorError):
    """Another feed has to end before this one can."""

    def __init__(self, feed_id: UUID) -> None:
        super().__init__(f"feed {feed_id} has to end first")


class NewerVersion(AggregatorError):
    """A newer version of the same object is applied: this one may change nothing."""

    def __init__(self, by: UUID) -> None:
        super().__init__(f"a newer version of the object is applied, as feed {by}")
        self.by = by


class CorrectionsCountOn(AggregatorError):
    """Corrections of the feed whose place this one takes count on, other ones than its report says."""

    def __init__(self, feeds: Sequence[UUID]) -> None:
        super().__init__(f"{len(feeds)} corrections of what is replaced count on")
        self.feeds = tuple(feeds)


class BooksDoNotClose(AggregatorError):
    """What would be stored is not what was counted: a fault of ours, and nothing is stored (P1)."""


class NoSuchFeed(NotFound):
    """There is no feed with this id, or it is not the caller's to change."""


class WrongState(ProblemError):
    """The feed is not in a state in which this can be done."""

    status = 409
    slug = "wrong-state"
    title = "Not in this state"


class StoreUnavailable(Unavailable):
    """A store that this needs does not answer; the same call may succeed later."""
