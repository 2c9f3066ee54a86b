"""The bases of every contract model, and the value types they share."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints


class Contract(BaseModel):
    """A message or answer that this system writes: immutable, and no field it does not declare."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Foreign(BaseModel):
    """A message that somebody else writes: immutable, and tolerant of fields we do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _to_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(amount: Decimal) -> str:
    """Every decimal as stored, and never an exponent."""
    return format(amount, "f")


Timestamp = Annotated[AwareDatetime, PlainSerializer(_to_utc, return_type=str, when_used="json")]
"""RFC 3339 in UTC with microseconds, so that its text sorts as its time does."""

Money = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]
"""An exact amount; in JSON a string with its decimals, never a float."""

SellerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Names a seller; also the first segment of every object key, hence the narrow alphabet."""

CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What may be offered as one, as a whole; anything else is replaced by one of ours."""
