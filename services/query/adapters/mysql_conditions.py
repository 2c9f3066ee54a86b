"""What every statement's WHERE is made of. Confinement of SQL is applied here and nowhere else (P6)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.query.adapters.mysql_tables import feeds
from services.query.rules.confinement import Confinement
from shared.schemas.feeds import ProcessingStatus

Condition = sa.ColumnElement[bool]

PENDING = (ProcessingStatus.IN_QUEUE.value, ProcessingStatus.IN_PROGRESS.value)


def confined_select(
    columns: Sequence[sa.ColumnElement[Any]], table: sa.FromClause, confinement: Confinement
) -> sa.Select[Any]:
    """SELECT from a table, of the rows that this caller may see. Every statement, nested ones too, starts here."""
    statement = sa.select(*columns).select_from(table)
    if confinement.seller_id is not None:
        statement = statement.where(table.c.seller_id == confinement.seller_id)
    return statement


def counting(feed: sa.FromClause = feeds) -> Condition:
    """Whether a feed's contribution is in the totals, also while the feed is read anew (docs/decisions/0007)."""
    return feed.c.counted_sha256.is_not(None)


def within_days(column: sa.Column[Any], start: date | None, end: date | None) -> list[Condition]:
    """Both days are included."""
    conditions: list[Condition] = []
    if start is not None:
        conditions.append(column >= start)
    if end is not None:
        conditions.append(column <= end)
    return conditions


def following(
    columns: Sequence[sa.ColumnElement[Any]], values: Sequence[object], *, descending: bool = False
) -> Condition:
    """(a, b, …) > (x, y, …), or <, spelt out: servers use an index for this form and not for row values."""
    alternatives: list[Condition] = []
    for position, (column, value) in enumerate(zip(columns, values, strict=True)):
        equal = [earlier == known for earlier, known in zip(columns[:position], values[:position], strict=True)]
        beyond = column < value if descending else column > value
        alternatives.append(sa.and_(*equal, beyond))
    return sa.or_(*alternatives)
