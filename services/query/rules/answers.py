"""What `POST /api/queries` answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import Field

from services.query.rules.plan import Plan
from shared.schemas.base import Contract

Cell = str | int | None
Parameter = str | int | date | None


class Coverage(Contract):
    """What the answer rests on, from the same snapshot of the store as the results."""

    start: date | None = Field(description="First day asked for; null: no first day.")
    end: date | None = Field(description="Last day asked for, included; null: no last day.")
    data_from: date | None = Field(description="First day for which the store has sales at all.")
    data_to: date | None = Field(description="Last day for which the store has sales at all.")
    feeds_counted: int = Field(
        description="Feeds that count (DONE, neither withdrawn nor replaced) and whose rows are part of the results."
    )
    rows_rejected: int = Field(
        description="Rows that were rejected in feeds of the sellers asked for that count and were received in the"
        " period (UTC days) or have sales in it. Of which product or category such a row was is not known: the other"
        " conditions of the question do not apply here. What was withdrawn or replaced is left out; a row that was"
        " rejected again in a correction is counted once."
    )
    rows_corrected: int = Field(
        default=0, description="Rows that were accepted since, in feeds that correct these: so much less is missing."
    )
    feeds_failed: int = Field(
        description="Feeds of the sellers asked for that were received in the period (UTC days) and are FATAL:"
        " none of their rows is counted."
    )
    feeds_in_progress: int = Field(description="Feeds that are begun or queued again, and not counted yet.")


@dataclass(frozen=True, slots=True)
class PlanRun:
    """A plan's rows and how they were got."""

    rows: list[dict[str, Any]]
    truncated: bool
    sql: str
    parameters: dict[str, Any]
    coverage: Coverage


def as_cells(row: Mapping[str, Any]) -> dict[str, Cell]:
    """A row as JSON has it: money as a string with its decimals, days as ISO dates."""
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Cell:
    match value:
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case str() | int() | None:
            return value
        case _:
            raise TypeError(f"no cell holds {type(value).__name__}")


class Answer(Contract):
    """`results` has one object per row: the dimensions asked for, then the measures; money as exact strings."""

    question: str = Field(examples=["total revenue by category in March 2026"])
    as_of: date = Field(description="The day that “last month” and the like are counted from.")
    answer: str = Field(examples=["2 rows; the first is Shirts: revenue 300.0000 EUR (2026-03-01 to 2026-03-31)."])
    understood: str = Field(examples=["Revenue by category and currency, 2026-03-01 to 2026-03-31. As of 2026-04-15."])
    results: list[dict[str, Cell]]
    truncated: bool = Field(description="Whether there are more rows than are shown.")
    plan: Plan
    sql: str = Field(description="What was run; values are bound to its markers, never pasted in.")
    parameters: dict[str, Parameter]
    coverage: Coverage
    interpreter: str = Field(examples=["rules"])
