"""The SQL of plans: everything that a plan names is bound, currencies are never added up, confinement holds."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.query.adapters.mysql_answers import as_text
from services.query.adapters.plan_sql import compile_plan
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.plan import Dimension, Metric, Period, Plan, Ranking, ValueFilter


def sql_of(plan: Plan, confinement: Confinement = UNCONFINED) -> tuple[str, dict[str, object]]:
    text, parameters = as_text(compile_plan(plan, confinement, 11))
    return " ".join(text.split()), parameters


def test_a_total_of_money_is_grouped_by_currency() -> None:
    sql, parameters = sql_of(Plan(metrics=[Metric.REVENUE]))
    assert sql == (
        "SELECT totals.currency, sum(totals.revenue) AS revenue FROM totals GROUP BY totals.currency"
        " HAVING sum(totals.transactions) > :sum_1 ORDER BY totals.currency LIMIT :param_1"
    )
    assert parameters == {"sum_1": 0, "param_1": 11}


def test_filters_and_days_are_bound_and_a_product_is_found_by_name_or_id() -> None:
    plan = Plan(
        metrics=[Metric.QUANTITY],
        filters=[
            ValueFilter(dimension=Dimension.PRODUCT, values=["x' OR '1'='1"]),
            ValueFilter(dimension=Dimension.CATEGORY, values=["a", "b"]),
        ],
        period=Period(start=date(2026, 3, 1), end=None, phrase="since then"),
    )
    sql, parameters = sql_of(plan)
    assert (
        "WHERE totals.sale_date >= :sale_date_1 AND (totals.product_name IN (:product_name_1_1)"
        " OR totals.product_id IN (:product_id_1_1)) AND totals.category IN (:category_1_1, :category_1_2)"
    ) in sql
    assert parameters["product_name_1_1"] == parameters["product_id_1_1"] == "x' OR '1'='1"
    assert parameters["sale_date_1"] == date(2026, 3, 1)


def test_places_are_counted_within_currencies_and_within_what_was_asked() -> None:
    plan = Plan(
        metrics=[Metric.AVERAGE_PRICE],
        dimensions=[Dimension.SELLER, Dimension.PRODUCT],
        ranking=Ranking(metric=Metric.AVERAGE_PRICE, places=2, within=[Dimension.SELLER]),
    )
    sql, _ = sql_of(plan)
    assert "rank() OVER (PARTITION BY totals.seller_id, totals.currency ORDER BY sum(totals.revenue)" in sql
    assert "sum(totals.quantity) != 0" in sql  # no place for what has no average
    assert "WHERE ranked.place <= :place_1" in sql


def test_counts_are_ranked_across_currencies() -> None:
    plan = Plan(
        metrics=[Metric.TRANSACTIONS],
        dimensions=[Dimension.CURRENCY],
        ranking=Ranking(metric=Metric.TRANSACTIONS, places=1),
    )
    assert "OVER (ORDER BY sum(totals.transactions) DESC)" in sql_of(plan)[0]


names = st.text(min_size=1, max_size=20)
plans = st.builds(
    Plan,
    metrics=st.lists(st.sampled_from(Metric), min_size=1, max_size=4, unique=True),
    dimensions=st.lists(st.sampled_from(Dimension), max_size=4, unique=True),
    filters=st.lists(
        st.builds(
            ValueFilter,
            dimension=st.sampled_from([Dimension.PRODUCT, Dimension.CATEGORY, Dimension.SELLER, Dimension.CURRENCY]),
            values=st.lists(names, min_size=1, max_size=3),
        ),
        max_size=3,
        unique_by=lambda chosen: chosen.dimension,
    ),
    period=st.none() | st.builds(Period, start=st.dates(date(1971, 1, 1)), phrase=names),
)


@given(plans, st.none() | names)
def test_no_plan_puts_a_name_into_the_sql_and_every_one_is_confined(plan: Plan, seller_id: str | None) -> None:
    confinement = Confinement(seller_id)

    sql, parameters = sql_of(plan, confinement)

    fixed = re.sub(r":\w+", "", sql)
    assert re.fullmatch(r"[\w\s.,()<>=!/+*-]*", fixed), "a quotation mark, or text that is not ours"
    bound = list(parameters.values())
    for chosen in plan.filters:
        assert all(value in bound for value in chosen.values)
    assert ("totals.seller_id = :seller_id_1" in sql) == (seller_id is not None)
    if seller_id is not None:
        assert parameters["seller_id_1"] == seller_id
    if any(metric.is_money for metric in plan.metrics):
        assert "totals.currency" in sql.split(" GROUP BY ")[1].split(" HAVING ")[0]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"metrics": []},
        {"metrics": ["profit"]},
        {"metrics": ["revenue", "revenue"]},
        {"metrics": ["revenue"], "dimensions": ["feed"]},
        {"metrics": ["revenue"], "filters": [{"dimension": "day", "values": ["2026-01-01"]}]},
        {"metrics": ["revenue"], "filters": [{"dimension": "seller", "values": []}]},
        {"metrics": ["revenue"], "period": {"phrase": "x"}},
        {"metrics": ["revenue"], "period": {"phrase": "x", "start": "2026-02-01", "end": "2026-01-01"}},
        {"metrics": ["revenue"], "period": {"phrase": "x", "start": "1950-02-01"}},
        {"metrics": ["revenue"], "ranking": {"metric": "quantity"}},
        {"metrics": ["revenue"], "ranking": {"metric": "revenue", "places": 1}},
        {"metrics": ["revenue"], "dimensions": ["currency"], "ranking": {"metric": "revenue", "places": 1}},
        {"metrics": ["revenue"], "dimensions": ["day"], "ranking": {"metric": "revenue", "within": ["seller"]}},
        {"metrics": ["revenue"], "sql": "SELECT 1"},
    ],
)
def test_a_plan_that_makes_no_sense_is_none(nonsense: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate(nonsense)
