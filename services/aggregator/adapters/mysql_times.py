"""MySQL's DATETIME has no zone; ours are UTC."""

from datetime import UTC, datetime
from typing import overload


def utc(moment: datetime) -> datetime:
    """A stored time, saying so."""
    return moment.replace(tzinfo=UTC)


@overload
def naive(moment: datetime) -> datetime: ...
@overload
def naive(moment: None) -> None: ...
@overload
def naive(moment: datetime | None) -> datetime | None: ...
def naive(moment: datetime | None) -> datetime | None:
    """A time as it is stored."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None
