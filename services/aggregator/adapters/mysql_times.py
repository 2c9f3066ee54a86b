"""MySQL's DATETIME has no zone; ours are UTC."""

from datetime import UTC, datetime
from typing import overload

from services.aggregator.errors import Outage
from shared.runtime.mysql import MySqlSession


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


async def database_time(session: MySqlSession) -> datetime:
    """Now, in UTC, by the one clock that all workers share."""
    row = await session.row("SELECT UTC_TIMESTAMP(6) AS now")
    if row is None:
        raise Outage("the database does not tell its time")
    return utc(row["now"])
