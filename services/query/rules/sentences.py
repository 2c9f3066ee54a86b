"""A plan and its answer in words. Numbers are written exactly as in the results."""

import calendar
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from services.query.rules.answers import Coverage
from services.query.rules.plan import Dimension, Metric, Period, Plan

_MOST_NAMED = 5
"""First places that one sentence names."""

METRIC_NAMES = {
    Metric.QUANTITY: "quantity",
    Metric.AMOUNT: "amount (the sum of the rows' unit prices)",
    Metric.REVENUE: "revenue",
    Metric.TRANSACTIONS: "transactions",
    Metric.AVERAGE_PRICE: "average price (revenue ÷ quantity)",
    Metric.REVENUE_PER_TRANSACTION: "revenue per transaction",
    Metric.UNITS_PER_TRANSACTION: "units per transaction",
    Metric.PRODUCTS: "number of products",
    Metric.SELLERS: "number of sellers",
}


def understood(plan: Plan, as_of: date) -> str:
    """One paragraph that says everything the plan says."""
    parts = [_listed([METRIC_NAMES[metric] for metric in plan.metrics])]
    if plan.groups:
        parts[0] += f" by {_listed(list(plan.groups))}"
    parts += [*_conditions(plan), _days(plan.period)]
    if plan.ranking is not None:
        parts.append(_order(plan))
    sentence = ", ".join(parts)
    stated = [f"{sentence[0].upper()}{sentence[1:]}.", *(f"Taken as: {taken}." for taken in plan.assumptions)]
    return " ".join([*stated, f"As of {as_of}."])


def _conditions(plan: Plan) -> list[str]:
    return [f"{chosen.dimension} {_listed([f'“{value}”' for value in chosen.values], 'or')}" for chosen in plan.filters]


def _days(period: Period | None) -> str:
    match (period.start, period.end) if period else (None, None):
        case (None, None):
            return "all days"
        case (start, None):
            return f"from {start} on"
        case (None, end):
            return f"up to {end}"
        case (start, end):
            return f"{start} to {end}" if start != end else f"on {start}"


def _order(plan: Plan) -> str:
    ranking = plan.ranking
    assert ranking is not None  # noqa: S101 - the caller asked
    name = METRIC_NAMES[ranking.metric].split(" (")[0]
    within = list(dict.fromkeys([*ranking.within, *([Dimension.CURRENCY] if plan.measures_money else [])]))
    scope = f" within each {_listed(list(within))}" if within else ""
    if ranking.places is None:
        return f"{ranking.direction} {name} first{scope}"
    places = "place" if ranking.places == 1 else f"{ranking.places} places"
    return f"the {places} with the {ranking.direction} {name}{scope}, ties included"


def answer(plan: Plan, rows: Sequence[Mapping[str, Any]], coverage: Coverage, *, truncated: bool) -> str:
    """One sentence, two where something must be added. Names stand as the store spells them, also at the start."""
    if not rows:
        conditions = "; ".join([*_conditions(plan), _days(plan.period)])
        held = (
            f" Without these conditions there are sales from {coverage.data_from} to {coverage.data_to}."
            if coverage.data_from
            else ""
        )
        return f"No sales match ({conditions}).{held}"
    first = _first_rows(plan, rows)
    shown = "; ".join(_row(plan, row) for row in first[:_MOST_NAMED])
    unnamed = len(first) - _MOST_NAMED
    shown += f"; and {unnamed} more" if unnamed > 0 else ""
    if len(first) < len(rows) or truncated:
        count = f"More than {len(rows)}" if truncated else str(len(rows))
        shown = f"{count} rows; {'the first is' if len(first) == 1 else 'the first are'} {shown}"
    elif not _names(plan, first[0]):
        # Our own word; a name keeps its spelling.
        shown = shown[0].upper() + shown[1:]
    pending = coverage.feeds_in_progress
    waiting = f" {pending} feed{'s' if pending > 1 else ''} in progress may add to this." if pending else ""
    return f"{shown} ({_days(plan.period)}).{waiting}"


def _first_rows(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every first place, of each currency and of each group that is ranked within; all rows of a plain total."""
    if not plan.dimensions:
        return list(rows)
    if plan.ranking is None:
        return [rows[0]]
    if plan.ranking.places is not None:
        return [row for row in rows if row.get("place") == 1] or [rows[0]]
    scopes = [*plan.ranking.within, *([Dimension.CURRENCY] if plan.measures_money else [])]
    first: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(tuple(_named(scope, row) for scope in scopes), row)
    return list(first.values())


def _row(plan: Plan, row: Mapping[str, Any]) -> str:
    names = _names(plan, row)
    measured = [
        f"{METRIC_NAMES[metric].split(' (')[0]} {_figure(row.get(metric.value))}{_unit(metric, row)}"
        for metric in plan.metrics
    ]
    return f"{', '.join(names)}: {_listed(measured)}" if names else _listed(measured)


def _names(plan: Plan, row: Mapping[str, Any]) -> list[str]:
    """What the row is of. A currency stands behind the money, if there is any."""
    names = [_named(dimension, row) for dimension in plan.dimensions if dimension is not Dimension.CURRENCY]
    if Dimension.CURRENCY in plan.dimensions and not plan.measures_money:
        names.append(_named(Dimension.CURRENCY, row))
    return names


def _named(dimension: Dimension, row: Mapping[str, Any]) -> str:
    match dimension:
        case Dimension.PRODUCT:
            found = row.get("product_name") or row.get("product_id")
        case _:
            found = row.get(dimension.value)
    if isinstance(found, date):
        return _time(dimension, found)
    return str(found) if found is not None else f"unknown {dimension}"


def _time(unit: Dimension, first_day: date) -> str:
    match unit:
        case Dimension.WEEK:
            return f"week from {first_day}"
        case Dimension.MONTH:
            return f"{calendar.month_name[first_day.month]} {first_day.year}"
        case Dimension.QUARTER:
            return f"Q{(first_day.month + 2) // 3} {first_day.year}"
        case Dimension.YEAR:
            return str(first_day.year)
        case _:
            return first_day.isoformat()


def _figure(value: Any) -> str:
    if value is None:
        return "none"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _unit(metric: Metric, row: Mapping[str, Any]) -> str:
    if not metric.is_money:
        return ""
    return f" {row.get('currency') or '(unknown currency)'}"


def _listed(words: Sequence[str], joint: str = "and") -> str:
    return f"{', '.join(words[:-1])} {joint} {words[-1]}" if len(words) > 1 else words[0]
