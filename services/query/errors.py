"""Why the query service does not answer, one class per reason; the docstring is the default detail."""

from shared.runtime.problems import NotFound, ProblemError, Unavailable


class QueryProblem(ProblemError):
    """Base of all that this service raises on purpose."""


class UnknownFeed(QueryProblem, NotFound):
    """There is no feed of this id."""


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
