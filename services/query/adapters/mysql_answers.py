"""Runs plans: the rows, what they rest on, and the names that a question may mean, all read-only."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from services.query.adapters.mysql_conditions import PENDING, confined_select, counting, within_days
from services.query.adapters.mysql_corrections import corrects_what_counts, rows_corrected
from services.query.adapters.mysql_reads import MySqlReads, Row, Snapshot
from services.query.adapters.mysql_tables import contributions, feeds, totals
from services.query.adapters.plan_sql import PLACE, compile_plan, measures, plan_conditions
from services.query.rules.answers import Coverage, PlanRun
from services.query.rules.averages import ratio
from services.query.rules.confinement import Confinement
from services.query.rules.plan import Dimension, Metric, Plan
from services.query.rules.values import KnownValue
from shared.schemas.feeds import ProcessingStatus

_VALUES_LIMIT = 100
"""Names of one dimension that one question can match, spellings included."""

_VALUE_COLUMNS = (
    (Dimension.PRODUCT, totals.c.product_name),
    (Dimension.PRODUCT, totals.c.product_id),
    (Dimension.CATEGORY, totals.c.category),
    (Dimension.SELLER, totals.c.seller_id),
)


class MySqlAnswers:
    """Answers plans. `row_cap` bounds what one answer may hold."""

    def __init__(self, reads: MySqlReads, row_cap: int) -> None:
        self._reads = reads
        self._row_cap = row_cap

    async def known_values(self, candidates: Sequence[str], confinement: Confinement) -> list[KnownValue]:
        found: dict[KnownValue, None] = {}
        if not candidates:
            return []
        async with self._reads.snapshot() as snapshot:
            for dimension, column in _VALUE_COLUMNS:
                for row in await snapshot.rows(_select_names(column, candidates, confinement)):
                    found[KnownValue(dimension, row[column.name])] = None
            for row in await snapshot.rows(_select_currencies(candidates, confinement)):
                found[KnownValue(Dimension.CURRENCY, row["currency"])] = None
        return list(found)

    async def run(self, plan: Plan, confinement: Confinement) -> PlanRun:
        statement = compile_plan(plan, confinement, self._row_cap + 1)
        async with self._reads.snapshot() as snapshot:
            rows = await snapshot.rows(statement)
            coverage = await _coverage(snapshot, plan, confinement)
        sql, parameters = as_text(statement)
        return PlanRun(
            rows=[_shown(row, plan) for row in rows[: self._row_cap]],
            truncated=len(rows) > self._row_cap,
            sql=sql,
            parameters=parameters,
            coverage=coverage,
        )


def as_text(statement: sa.Select[Any]) -> tuple[str, dict[str, Any]]:
    """The statement as a reader may see it, with named markers, and the values bound to them."""
    dialect = mysql.dialect(paramstyle="named")
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), dict(compiled.params)


def _select_names(column: sa.Column[Any], candidates: Sequence[str], confinement: Confinement) -> sa.Select[Any]:
    lowered = sorted({candidate.lower() for candidate in candidates})
    if column is totals.c.seller_id:
        # An ASCII column cannot even be compared with anything else.
        lowered = [candidate for candidate in lowered if candidate.isascii()]
    return (
        confined_select([column], totals, confinement)
        .where(sa.func.lower(column).in_(lowered), column != "")
        .distinct()
        .limit(_VALUES_LIMIT)
    )


def _select_currencies(candidates: Sequence[str], confinement: Confinement) -> sa.Select[Any]:
    """Codes are words too (ALL, TOP, TRY): only in capitals are they meant as codes."""
    codes = sorted(
        {candidate for candidate in candidates if len(candidate) == 3 and candidate.isupper() and candidate.isascii()}
    )
    return (
        confined_select([totals.c.currency], totals, confinement)
        .where(totals.c.currency.in_(codes), totals.c.currency != "")
        .distinct()
        .limit(_VALUES_LIMIT)
    )


async def _coverage(snapshot: Snapshot, plan: Plan, confinement: Confinement) -> Coverage:
    conditions = plan_conditions(plan.filters, plan.period, contributions)
    parts = confined_select([contributions.c.feed_id], contributions, confinement).where(*conditions)
    counted = await snapshot.row(
        confined_select([sa.func.count().label("feeds")], feeds, confinement).where(
            counting(), feeds.c.feed_id.in_(parts)
        )
    )
    lost = await snapshot.row(_select_losses(plan, confinement))
    pending = await snapshot.row(_select_pending(plan, confinement))
    days = await snapshot.row(
        confined_select(
            [sa.func.min(totals.c.sale_date).label("first"), sa.func.max(totals.c.sale_date).label("last")],
            totals,
            confinement,
        )
    )
    counted, lost, pending, days = counted or {}, lost or {}, pending or {}, days or {}
    return Coverage(
        start=plan.period.start if plan.period else None,
        end=plan.period.end if plan.period else None,
        data_from=days.get("first"),
        data_to=days.get("last"),
        feeds_counted=int(counted.get("feeds", 0)),
        rows_rejected=int(lost.get("rejected", 0)),
        rows_corrected=int(lost.get("corrected", 0)),
        feeds_failed=int(lost.get("failed", 0)),
        feeds_in_progress=int(pending.get("feeds", 0)),
    )


def _select_losses(plan: Plan, confinement: Confinement) -> sa.Select[Any]:
    """What did not get into the totals. Of a feed that lost all its rows, only its seller and its time are known.

    A feed that was withdrawn or replaced lost nothing: its rows are not asked for any more. What a correction rejects
    was rejected in the feed that it corrects, and is counted there.
    """
    counts = counting()
    failed = sa.and_(feeds.c.processing_status == ProcessingStatus.FATAL.value, feeds.c.replaced_by.is_(None))
    statement = _of_sellers(
        plan,
        confined_select(
            [
                _sum_where(sa.and_(counts, sa.not_(corrects_what_counts(confinement))), feeds.c.rows_rejected).label(
                    "rejected"
                ),
                _sum_where(counts, rows_corrected(confinement)).label("corrected"),
                _sum_where(failed, sa.literal_column("1", sa.Integer)).label("failed"),
            ],
            feeds,
            confinement,
        ).where(sa.or_(counts, failed)),
    )
    if plan.period is None:
        return statement
    start, end = plan.period.start, plan.period.end
    received = within_days(feeds.c.received_at, start, None)
    if end is not None:
        received.append(feeds.c.received_at < end + timedelta(days=1))
    # One look into the primary key per feed, which begins with feed_id and sale_date.
    sold = (
        confined_select([sa.literal_column("1")], contributions, confinement)
        .where(contributions.c.feed_id == feeds.c.feed_id, *within_days(contributions.c.sale_date, start, end))
        .correlate(feeds)
        .exists()
    )
    return statement.where(sa.or_(sa.and_(*received), sa.and_(counts, sold)))


def _sum_where(condition: sa.ColumnElement[bool], value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    none: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    return sa.func.coalesce(sa.func.sum(sa.case((condition, value), else_=none)), none)


def _select_pending(plan: Plan, confinement: Confinement) -> sa.Select[Any]:
    """What a feed in progress will bring is unknown, except whose it is."""
    statement = confined_select([sa.func.count().label("feeds")], feeds, confinement)
    return _of_sellers(plan, statement).where(feeds.c.processing_status.in_(PENDING))


def _of_sellers(plan: Plan, statement: sa.Select[Any]) -> sa.Select[Any]:
    sellers = [chosen.values for chosen in plan.filters if chosen.dimension is Dimension.SELLER]
    return statement.where(feeds.c.seller_id.in_(sellers[0])) if sellers else statement


def _shown(row: Row, plan: Plan) -> dict[str, Any]:
    """A row as answers have it: unknown dimensions null, counts as integers, ratios rounded once from exact sums."""
    shown: dict[str, Any] = {}
    wanted = {metric.value: metric for metric in measures(plan)}
    for name, value in row.items():
        if name not in wanted:
            shown[name] = int(value) if name == PLACE else (value if value != "" else None)
            continue
        metric = wanted[name]
        if metric.ratio_of is not None:
            total, parts = metric.ratio_of
            shown[name] = ratio(row[total.value], row[parts.value])
        else:
            shown[name] = value if metric in (Metric.AMOUNT, Metric.REVENUE) else int(value)
    return shown
