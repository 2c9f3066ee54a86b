"""A plan and its answer in words. Numbers are written exactly as in the results."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from services.query.rules.answers import Coverage
from services.query.rules.plan import Dimension, Metric, Period, Plan

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
    parts += [
        f"{chosen.dimension} {_listed([f'“{value}”' for value in chosen.values], 'or')}" for chosen in plan.filters
    ]
    parts.append(_days(plan.period))
    if plan.ranking is not None:
        parts.append(_order(plan))
    sentence = ", ".join(parts)
    stated = [f"{sentence[0].upper()}{sentence[1:]}.", *(f"Taken as: {taken}." for taken in plan.assumptions)]
    return " ".join([*stated, f"As of {as_of}."])


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
    """One sentence, two where something must be added."""
    if not rows:
        held = f"; there are sales from {coverage.data_from} to {coverage.data_to}" if coverage.data_from else ""
        return f"No sales match ({_days(plan.period)}){held}."
    if len(rows) == 1 or not plan.dimensions:
        said = "; ".join(_row(plan, row) for row in rows)
    else:
        count = f"more than {len(rows)}" if truncated else str(len(rows))
        said = f"{count} rows; the first is {_row(plan, rows[0])}"
    pending = coverage.feeds_in_progress
    waiting = f" {pending} feed{'s' if pending > 1 else ''} in progress may add to this." if pending else ""
    return f"{said[0].upper()}{said[1:]} ({_days(plan.period)}).{waiting}"


def _row(plan: Plan, row: Mapping[str, Any]) -> str:
    names = [_named(dimension, row) for dimension in plan.dimensions if dimension is not Dimension.CURRENCY]
    measured = [
        f"{METRIC_NAMES[metric].split(' (')[0]} {_figure(row.get(metric.value))}{_unit(metric, row)}"
        for metric in plan.metrics
    ]
    if Dimension.CURRENCY in plan.dimensions and not plan.measures_money:
        names.append(row.get("currency") or "unknown currency")
    return f"{', '.join(names)}: {_listed(measured)}" if names else _listed(measured)


def _named(dimension: Dimension, row: Mapping[str, Any]) -> str:
    match dimension:
        case Dimension.PRODUCT:
            found = row.get("product_name") or row.get("product_id")
        case _:
            found = row.get(dimension.value)
    return str(found) if found is not None else f"unknown {dimension}"


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
