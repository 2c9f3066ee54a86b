"""What can be wrong with a row, and how it is told."""

from enum import StrEnum

from pydantic import Field

from shared.schemas.base import Contract


class Severity(StrEnum):
    """ERROR rejects the row (or fails the feed); WARNING is told and counts all the same."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Issue(Contract):
    """One thing that is wrong with one row.

    `line` is the physical line on which the row starts, from 1, header included; absent for what
    concerns the feed as a whole. `raw` is the row's text as it came, cut to a bounded length.
    """

    code: str = Field(pattern=r"^[a-z]+/[a-z0-9_]+$", examples=["validation/invalid_quantity"])
    severity: Severity
    message: str
    line: int | None = Field(default=None, ge=1)
    field: str | None = None
    raw: str | None = None


class IssueTotal(Contract):
    """How many rows of a feed have an issue of one code."""

    code: str
    severity: Severity
    rows: int = Field(ge=0)
