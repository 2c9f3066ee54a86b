"""A processing log and a topic in memory that fail, or stand still, when told to."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from services.notifier.errors import LogUnavailable, NotificationsUnavailable
from services.notifier.ports import AlreadyAnnounced, Claim, ClaimResult, Granted, HeldElsewhere
from shared.schemas.events import ClientNotification
from shared.schemas.processing_log import LogEntry


@dataclass
class Item:
    """An entry and how far its announcement is."""

    entry: LogEntry
    claim: Claim | None = None
    announced_at: datetime | None = None


@dataclass
class FakeLog:
    """`failing` names the calls that fail."""

    items: dict[str, Item] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)

    def fail(self, call: str) -> None:
        if call in self.failing:
            raise LogUnavailable

    async def record(self, entry: LogEntry, claim: Claim) -> ClaimResult:
        self.fail("record")
        item = self.items.setdefault(entry.entry_id, Item(entry))
        if item.announced_at:
            return AlreadyAnnounced()
        if item.claim and item.claim.until > claim.now:
            return HeldElsewhere(item.claim.until)
        item.claim = claim
        return Granted()

    async def mark_announced(self, entry: LogEntry, at: datetime) -> None:
        self.fail("mark_announced")
        item = self.items[entry.entry_id]
        item.announced_at, item.claim = at, None

    async def release(self, entry: LogEntry, claim: Claim) -> None:
        self.fail("release")
        item = self.items[entry.entry_id]
        if item.claim and item.claim.token == claim.token:
            item.claim = None


@dataclass
class FakeTopic:
    """`gate`, if set, holds publishes back until it is."""

    published: list[ClientNotification] = field(default_factory=list)
    down: bool = False
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, notification: ClientNotification) -> None:
        self.entered.set()
        if self.gate:
            await self.gate.wait()
        if self.down:
            raise NotificationsUnavailable
        self.published.append(notification)
