"""Why the aggregator does not do what it was asked, one class per reason."""


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
