"""Why the query service does not answer, one class per reason; the docstring is the default detail."""

from shared.runtime.problems import NotFound, ProblemError, Unavailable


class QueryProblem(ProblemError):
    """Base of all that this service raises on purpose."""

    def __init__(
        self, detail: str | None = None, *, reason: str | None = None, suggestions: list[str] | None = None
    ) -> None:
        super().__init__(detail or (self.__doc__ or "").strip(), reason=reason, suggestions=suggestions)


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
