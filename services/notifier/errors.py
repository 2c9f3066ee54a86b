"""Why an outcome could not be announced, one class per reason; the docstring is the default message."""


class NotifierError(Exception):
    """Base of all that this service raises on purpose."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class UnreadableEvent(NotifierError):
    """The message is no feed event of a version known here; no later try can read it."""


class LogUnavailable(NotifierError):
    """The processing log does not answer; try again."""


class NotificationsUnavailable(NotifierError):
    """The client-notifications topic does not answer; try again."""
