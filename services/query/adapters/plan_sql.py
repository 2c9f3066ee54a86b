"""Compiles a plan into one SELECT. A plan's names become bound parameters; everything else here is fixed text."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.query.adapters.mysql_conditions import Condition, confined_select, within_days
from services.query.adapters.mysql_tables import totals
from services.query.rules.confinement import Confinement
from services.query.rules.plan import Dimension, Direction, Metric, Period, Plan, Ranking, ValueFilter

PLACE = "place"

_t = totals.c
_DAY = "totals.sale_date"
# Fixed text of ours, in functions that MariaDB and MySQL share.
_DIMENSIONS: dict[Dimension, list[sa.ColumnElement[Any]]] = {
    Dimension.PRODUCT: [_t.product_id, _t.product_name],
    Dimension.CATEGORY: [_t.category],
    Dimension.SELLER: [_t.seller_id.label("seller")],
    Dimension.CURRENCY: [_t.currency],
    Dimension.DAY: [_t.sale_date.label("day")],
    Dimension.WEEK: [sa.literal_column(f"SUBDATE({_DAY}, WEEKDAY({_DAY}))", sa.Date).label("week")],
    Dimension.MONTH: [sa.literal_column(f"SUBDATE({_DAY}, DAYOFMONTH({_DAY}) - 1)", sa.Date).label("month")],
    Dimension.QUARTER: [
        sa.literal_column(f"TIMESTAMPADD(MONTH, (QUARTER({_DAY}) - 1) * 3, MAKEDATE(YEAR({_DAY}), 1))", sa.Date).label(
            "quarter"
        )
    ],
    Dimension.YEAR: [sa.literal_column(f"MAKEDATE(YEAR({_DAY}), 1)", sa.Date).label("year")],
}
_SUMS: dict[Metric, sa.ColumnElement[Any]] = {
    Metric.QUANTITY: sa.func.sum(_t.quantity),
    Metric.AMOUNT: sa.func.sum(_t.amount),
    Metric.REVENUE: sa.func.sum(_t.revenue),
    Metric.TRANSACTIONS: sa.func.sum(_t.transactions),
    Metric.PRODUCTS: sa.literal_column("COUNT(DISTINCT totals.product_id, totals.product_name)", sa.BigInteger),
    Metric.SELLERS: sa.func.count(sa.distinct(_t.seller_id)),
}


def compile_plan(plan: Plan, confinement: Confinement, limit: int) -> sa.Select[Any]:
    """At most `limit` rows: the plan's groups, its measures and the parts of its ratios; a place if it ranks."""
    groups = [column for dimension in plan.groups for column in _DIMENSIONS[dimension]]
    columns = [*groups, *(_measure(metric).label(metric.value) for metric in measures(plan))]
    if plan.ranking is not None and plan.ranking.places is not None:
        columns.append(_place(plan, plan.ranking))
    statement = (
        confined_select(columns, totals, confinement)
        .where(*plan_conditions(plan.filters, plan.period, totals))
        .group_by(*(_expression(column) for column in groups))
        .having(sa.func.sum(_t.transactions) > 0, *_rankable(plan.ranking))
    )
    if plan.ranking is None:
        return statement.order_by(*(_expression(column) for column in groups)).limit(limit)
    ranked = statement.subquery("ranked")
    chosen = sa.select(*ranked.c).order_by(*_order(ranked, plan, plan.ranking, groups)).limit(limit)
    if plan.ranking.places is not None:
        chosen = chosen.where(ranked.c[PLACE] <= plan.ranking.places)
    return chosen


def measures(plan: Plan) -> list[Metric]:
    """The plan's measures, each ratio followed by the sums that it was made of, so that it can be checked."""
    wanted: list[Metric] = []
    for metric in plan.metrics:
        wanted += [metric, *(metric.ratio_of or ())]
    return list(dict.fromkeys(wanted))


def plan_conditions(filters: Sequence[ValueFilter], period: Period | None, table: sa.Table) -> list[Condition]:
    """For `totals` and `contributions` alike: the rows that the plan is about."""
    conditions = within_days(table.c.sale_date, period.start, period.end) if period else []
    for chosen in filters:
        match chosen.dimension:
            case Dimension.PRODUCT:
                named = table.c.product_name.in_(chosen.values)
                conditions.append(sa.or_(named, table.c.product_id.in_(chosen.values)))
            case Dimension.SELLER:
                conditions.append(table.c.seller_id.in_(chosen.values))
            case Dimension.CATEGORY:
                conditions.append(table.c.category.in_(chosen.values))
            case Dimension.CURRENCY:
                conditions.append(table.c.currency.in_(chosen.values))
            case _:
                raise ValueError(f"{chosen.dimension} is no filter")
    return conditions


def _measure(metric: Metric) -> sa.ColumnElement[Any]:
    if metric.ratio_of is None:
        return _SUMS[metric]
    total, parts = metric.ratio_of
    return _SUMS[total] / sa.func.nullif(_SUMS[parts], sa.literal_column("0"))


def _expression(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return column.element if isinstance(column, sa.Label) else column


def _directed(column: sa.ColumnElement[Any], ranking: Ranking) -> sa.ColumnElement[Any]:
    return column.desc() if ranking.direction is Direction.HIGHEST else column.asc()


def _partition(plan: Plan, ranking: Ranking) -> list[Dimension]:
    """What places are counted within: as asked, and each currency wherever money is measured."""
    if plan.measures_money and Dimension.CURRENCY not in ranking.within:
        return [*ranking.within, Dimension.CURRENCY]
    return list(ranking.within)


def _place(plan: Plan, ranking: Ranking) -> sa.Label[Any]:
    partition = [_expression(column) for dimension in _partition(plan, ranking) for column in _DIMENSIONS[dimension]]
    # RANK, not ROW_NUMBER: groups with the same value share a place, and none of them is dropped by chance.
    return (
        sa.func.rank().over(partition_by=partition, order_by=_directed(_measure(ranking.metric), ranking)).label(PLACE)
    )


def _rankable(ranking: Ranking | None) -> list[Condition]:
    """A ratio that cannot be formed has no place."""
    if ranking is None or ranking.metric.ratio_of is None:
        return []
    return [_SUMS[ranking.metric.ratio_of[1]] != sa.literal_column("0")]


def _order(
    ranked: sa.Subquery, plan: Plan, ranking: Ranking, groups: Sequence[sa.ColumnElement[Any]]
) -> list[sa.ColumnElement[Any]]:
    names = [column.name for dimension in _partition(plan, ranking) for column in _DIMENSIONS[dimension]]
    by_group = [ranked.c[column.name] for column in groups if column.name not in names]
    return [*(ranked.c[name] for name in names), _directed(ranked.c[ranking.metric.value], ranking), *by_group]
