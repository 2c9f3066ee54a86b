"""What the relay needs from the outside, as Protocols: committed events, and the topic and queue that they go to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event that is committed and not yet announced."""

    outbox_id: int
    event_id: str
    event_type: str
    feed_id: str
    seller_id: str
    feed_type: str
    severity: str
    body: str


Publish = Callable[[Sequence[OutboxEvent]], Awaitable[frozenset[int]]]
"""Takes events, gives back the outbox ids of those that were taken."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """How many events were taken by the topic, and how many it refused."""

    published: int
    refused: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far announcing lags behind: events waiting, and the oldest one's age in seconds."""

    events: int
    oldest_seconds: float


class Outbox(Protocol):
    """Events that were committed with their feeds. Every method may raise Outage."""

    async def publish_next(self, publish: Publish, limit: int) -> Relayed:
        """Hand the oldest waiting event of up to `limit` feeds to `publish`, and mark what it took, in one transaction.

        Several relays may call this at once: none sees what another has in hand.
        """
        ...

    async def backlog(self) -> Backlog: ...

    async def purge(self, older_than_seconds: float, limit: int) -> int:
        """Delete up to `limit` events published longer ago than that; how many."""
        ...


class FeedEvents(Protocol):
    """The topic on which a feed's end is announced."""

    async def publish(self, events: Sequence[OutboxEvent]) -> frozenset[int]:
        """The outbox ids of those that were taken; the others are to be tried again. Raises Outage."""
        ...
