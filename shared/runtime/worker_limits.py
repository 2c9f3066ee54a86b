"""What a queue consumer is told about how much to do at once, how long to wait, and how senders share it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from shared.runtime.retry_policy import Backoff
from shared.runtime.settings import WorkerSettings
from shared.runtime.sqs_queue import QueueMessage


class Worker(Protocol):
    """What an app's lifespan runs beside its routes."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Seconds unless named otherwise. `concurrency`: messages in work; `prefetch`: further ones that wait here."""

    concurrency: int
    visibility: int
    poll: int
    grace: float
    backoff: Backoff
    prefetch: int = 0

    @classmethod
    def of(cls, settings: WorkerSettings) -> Self:
        """What the settings of a consuming service say."""
        return cls(
            concurrency=settings.worker_concurrency,
            visibility=settings.visibility_seconds,
            poll=settings.poll_seconds,
            grace=settings.shutdown_grace_seconds,
            backoff=Backoff(settings.retry_base_seconds, settings.retry_max_seconds),
            prefetch=settings.worker_prefetch,
        )


@dataclass(frozen=True, slots=True)
class Sharing:
    """How senders share the worker. `overflow_url`: the queue to which a sender's messages give way that fill the
    places of the others; read beside the first one. Docs: docs/decisions/0010-one-flood-starves-nobody.md."""

    sender_of: Callable[[QueueMessage], str]
    overflow_url: str | None = None
