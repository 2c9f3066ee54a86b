"""The answer in one sentence: every currency's winner, names as they are spelt, periods as people say them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.query.rules.plan import Dimension, Metric, Period, Plan, Ranking, ValueFilter
from services.query.rules.sentences import answer
from tests.flow.query.fakes import COVERAGE

REVENUE, UNITS, SELLER = Metric.REVENUE, Metric.QUANTITY, Dimension.SELLER


def said(plan: Plan, *rows: dict[str, Any], truncated: bool = False) -> str:
    return answer(plan, rows, COVERAGE, truncated=truncated)


def row(seller: str, revenue: int, currency: str | None = "EUR", **more: Any) -> dict[str, Any]:
    return {"seller": seller, "currency": currency, "revenue": Decimal(revenue), **more}


def top(places: int | None, *within: Dimension) -> Plan:
    ranking = Ranking(metric=REVENUE, places=places, within=list(within))
    return Plan(metrics=[REVENUE], dimensions=[*within, SELLER], ranking=ranking)


def test_each_currency_has_its_winner_and_one_who_ties_is_a_winner_too() -> None:
    rows = [row("delta", 9, place=1), row("acme", 8, place=2), row("globex", 7, "USD", place=1)]
    assert said(top(2), *rows) == ("3 rows; the first are delta: revenue 9 EUR; globex: revenue 7 USD (all days).")
    assert said(top(1), rows[0], rows[2]) == "delta: revenue 9 EUR; globex: revenue 7 USD (all days)."
    assert said(top(1), rows[0], row("acme", 9, place=1)) == "delta: revenue 9 EUR; acme: revenue 9 EUR (all days)."
    assert said(top(None), *rows) == "3 rows; the first are delta: revenue 9 EUR; globex: revenue 7 USD (all days)."


def test_a_sentence_names_so_many_winners_and_counts_the_others() -> None:
    rows = [row(f"s{number}", 1, f"X{number:02}", place=1) for number in range(9)]
    sentence = said(top(1), *rows)
    assert sentence.count("revenue") == 5
    assert sentence.endswith("; and 4 more (all days).")
    assert said(top(1), *rows, truncated=True).startswith("More than 9 rows; the first are s0: ")


def test_each_group_that_is_ranked_within_has_its_winner() -> None:
    rows = [row("acme", 9, category=None, place=1), row("acme", 9, category="Shoes", place=1)]
    assert said(top(1, Dimension.CATEGORY), *rows) == (
        "unknown category, acme: revenue 9 EUR; Shoes, acme: revenue 9 EUR (all days)."
    )


def test_a_name_keeps_its_spelling_at_the_start() -> None:
    assert said(Plan(metrics=[UNITS], dimensions=[SELLER]), {"seller": "delta", "quantity": 3}).startswith("delta: ")
    assert said(Plan(metrics=[UNITS]), {"quantity": 3}) == "Quantity 3 (all days)."


@pytest.mark.parametrize(
    ("unit", "named"),
    [
        (Dimension.DAY, "2026-04-01"),
        (Dimension.WEEK, "week from 2026-04-01"),
        (Dimension.MONTH, "April 2026"),
        (Dimension.QUARTER, "Q2 2026"),
        (Dimension.YEAR, "2026"),
    ],
)
def test_periods_are_named_as_people_say_them(unit: Dimension, named: str) -> None:
    plan = Plan(metrics=[UNITS], dimensions=[unit])
    assert said(plan, {unit.value: date(2026, 4, 1), "quantity": 3}) == f"{named}: quantity 3 (all days)."


def test_where_nothing_matches_the_conditions_are_named() -> None:
    plan = Plan(
        metrics=[UNITS],
        filters=[ValueFilter(dimension=SELLER, values=["acme"])],
        period=Period(start=date(2020, 1, 1), end=date(2020, 1, 31), phrase="in January 2020"),
    )
    assert said(plan) == (
        "No sales match (seller “acme”; 2020-01-01 to 2020-01-31)."
        " Without these conditions there are sales from 2026-01-01 to 2026-03-31."
    )
