"""How a feed happens to be written, told from its first rows. It decides about speed alone, never about a value."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.aggregator.rules.columns import Columns
from shared.schemas.feed_options import FeedOptions

_COMMA_DECIMALS = re.compile(r"[+-]?[0-9]+,[0-9]+")
_MONEY = ("amount", "revenue")


@dataclass(frozen=True, slots=True)
class RowStyle:
    """`cells`: how many a row has, empty ones from trailing delimiters included. `is_padded`: blanks surround values.

    `comma`: the money columns written with a decimal comma; `comma_is_declared`: the uploader said so.
    `has_times`: a time follows the day; `date_form_is_declared`: days are written in a form of the uploader's own.
    """

    cells: int
    is_padded: bool
    comma: frozenset[str]
    comma_is_declared: bool
    has_times: bool
    date_form_is_declared: bool


def row_style_of(columns: Columns, rows: Sequence[Sequence[str]], options: FeedOptions) -> RowStyle:
    """`rows`: the cells of some of the first rows."""
    declared = options.decimal_separator == ","
    comma = {
        money
        for money in _MONEY
        if money in columns.position
        and (declared or any(_COMMA_DECIMALS.fullmatch(cell) for cell in _column(columns, rows, money)))
    }
    return RowStyle(
        cells=max([columns.width, *(len(row) for row in rows if not any(row[columns.width :]))]),
        is_padded=any(cell != cell.strip(" ") for row in rows for cell in row),
        comma=frozenset(comma),
        comma_is_declared=declared,
        date_form_is_declared=options.date_format is not None,
        has_times=options.date_format is None
        and any(len(cell) > len("2026-03-04") for cell in _column(columns, rows, "occurred_at")),
    )


def _column(columns: Columns, rows: Sequence[Sequence[str]], field: str) -> list[str]:
    position = columns.position.get(field)
    return [row[position].strip() for row in rows if position is not None and position < len(row)]
