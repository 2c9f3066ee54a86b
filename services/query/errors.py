"""Why the query service does not answer, one class per reason; the docstring is the default detail."""

from collections.abc import Mapping

from shared.runtime.problems import NotFound, ProblemError, Unavailable


class QueryProblem(ProblemError):
    """Base of all that this service raises on purpose."""


class UnknownFeed(QueryProblem, NotFound):
    """There is no feed of this id."""


class FeedNotFinished(QueryProblem):
    """The feed is not finished: there is nothing to hand back yet. Ask again."""

    status = 409
    slug = "feed-not-finished"
    title = "The feed is not finished"
    default_headers: Mapping[str, str] = {"Retry-After": "5"}


class NoRejectedRows(QueryProblem, NotFound):
    """No row of this feed was rejected, so there is none to hand back."""

    slug = "no-rejected-rows"
    title = "No rejected rows"


class NoLongerKept(QueryProblem, NotFound):
    """This was handed out once and is no longer kept."""

    slug = "no-longer-kept"
    title = "No longer kept"


class StoreUnavailable(QueryProblem, Unavailable):
    """A store that this answer needs does not answer."""

    slug = "store-unavailable"


class ReadTooSlow(QueryProblem, Unavailable):
    """The read took longer than it may; a narrower period or a filter makes it faster."""

    slug = "read-too-slow"
    title = "The read took too long"


class Declined(QueryProblem):
    """The question is not one that can be answered without guessing."""

    status = 422
    slug = "question-declined"
    title = "The question was not answered"


class InterpreterUnavailable(QueryProblem, Unavailable):
    """The model that interprets questions does not answer."""

    slug = "interpreter-unavailable"
