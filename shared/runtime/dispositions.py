"""What becomes of a message that was worked on: the handler says it, the host (worker loop, Lambda) does it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.runtime.sqs_queue import QueueMessage


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome is stored: delete the message."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. Hide the message for `after_seconds`, or by the backoff for its receive count."""

    reason: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Never: no later try can succeed. Move the message to the dead-letter queue now."""

    reason: str


Disposition = Done | Retry | Reject
Handler = Callable[[QueueMessage], Awaitable[Disposition]]
