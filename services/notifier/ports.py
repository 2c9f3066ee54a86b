"""What the flow needs from the outside, as Protocols; adapters/ has the real ones, tests have small fakes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.schemas.events import ClientNotification
from shared.schemas.processing_log import LogEntry


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to announce one entry, until `until`. `token` names one attempt."""

    token: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """The entry is recorded, and this attempt may announce it."""


@dataclass(frozen=True, slots=True)
class AlreadyAnnounced:
    """The entry is recorded and was announced: a repeat."""


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """Another attempt is announcing it, or died while it did; after `until` it may be claimed."""

    until: datetime


ClaimResult = Granted | AlreadyAnnounced | HeldElsewhere


class ProcessingLog(Protocol):
    """The processing log. Every method raises services.notifier.errors.LogUnavailable."""

    async def record(self, entry: LogEntry, claim: Claim) -> ClaimResult:
        """Writes the entry unless it is there (an event repeated is one entry), and asks for the claim."""
        ...

    async def mark_announced(self, entry: LogEntry, at: datetime) -> None: ...

    async def release(self, entry: LogEntry, claim: Claim) -> None:
        """Gives a claim back, if it is still this one's."""
        ...


class ClientNotifications(Protocol):
    """Where clients listen. Raises services.notifier.errors.NotificationsUnavailable."""

    async def publish(self, notification: ClientNotification) -> None: ...
