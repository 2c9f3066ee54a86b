"""Questions over a real database: exact answers, what they rest on, and nothing that was not asked for."""

from collections.abc import Hashable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.query.adapters.mysql_answers import MySqlAnswers
from services.query.adapters.mysql_reads import MySqlReads
from services.query.rules.confinement import Confinement
from services.query.rules.plan import Dimension, Metric, Plan
from services.query.rules.values import KnownValue
from tests.integration.query.planted import Feed, Sale, sums

FOUR = Decimal("0.0001")


async def _ask(api: httpx.AsyncClient, question: str, as_of: str = "2026-04-10") -> dict[str, Any]:
    answer = await api.post("/api/queries", json={"query": question, "as_of": as_of})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _declined(api: httpx.AsyncClient, question: str) -> dict[str, Any]:
    answer = await api.post("/api/queries", json={"query": question})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == "urn:sellersync:problem:question-declined"
    assert body["suggestions"]
    return body


async def test_a_total_is_one_row_per_currency_with_its_exact_sum(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "What is the total revenue in February 2026?")

    expected = sums(planted, lambda _, sale: (sale.currency or None,) if sale.day.month == 2 else None)
    assert {(row["currency"],): row["revenue"] for row in answer["results"]} == {
        key: str(total.revenue) for key, total in expected.items()
    }
    assert answer["coverage"]["start"] == "2026-02-01"
    assert answer["coverage"]["end"] == "2026-02-28"
    assert answer["interpreter"] == "rules"
    assert answer["as_of"] == "2026-04-10"


GROUPS: list[tuple[str, str, Any]] = [
    ("revenue by category", "category", lambda _, sale: sale.category or None),
    ("revenue by seller", "seller", lambda feed, _: feed.seller_id),
    ("daily revenue", "day", lambda _, sale: sale.day.isoformat()),
    ("revenue per week", "week", lambda _, sale: (sale.day - timedelta(sale.day.weekday())).isoformat()),
    ("revenue by month", "month", lambda _, sale: sale.day.replace(day=1).isoformat()),
    ("quarterly revenue", "quarter", lambda _, sale: "2026-01-01"),
    ("revenue by year", "year", lambda _, sale: "2026-01-01"),
]


@pytest.mark.parametrize(("question", "column", "key"), GROUPS)
async def test_groups_are_exact(
    api: httpx.AsyncClient, planted: list[Feed], question: str, column: str, key: Any
) -> None:
    answer = await _ask(api, question)

    expected = sums(planted, lambda feed, sale: (key(feed, sale), sale.currency or None))
    shown = {(row[column], row["currency"]): row["revenue"] for row in answer["results"]}
    assert shown == {group: str(total.revenue) for group, total in expected.items()}
    assert len(answer["results"]) == len(expected)
    assert not answer["truncated"]


async def test_an_average_is_a_ratio_of_sums_and_shows_them(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "average price by product")

    expected = sums(planted, lambda _, sale: (sale.product_id or None, sale.name, sale.currency or None))
    for row in answer["results"]:
        total = expected.pop((row["product_id"], row["product_name"], row["currency"]))
        assert (row["revenue"], row["quantity"]) == (str(total.revenue), total.quantity)
        assert row["average_price"] == str((total.revenue / total.quantity).quantize(FOUR))
    assert not expected


async def test_places_are_counted_within_each_currency(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "top 2 products by revenue")

    totals = sums(planted, lambda _, sale: (sale.currency or None, sale.name, sale.product_id or None))
    expected: list[Hashable] = []
    for currency in (None, "EUR", "USD"):
        ranked = sorted((-total.revenue, key) for key, total in totals.items() if key[0] == currency)
        expected += [key for _, key in ranked[:2]]
    assert [(row["currency"], row["product_name"], row["product_id"]) for row in answer["results"]] == expected
    assert [row["place"] for row in answer["results"]] == [1, 2] * 3


async def test_best_within_each_of_another_dimension(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "For each seller, which month had the lowest quantity?")

    totals = sums(planted, lambda feed, sale: (feed.seller_id, sale.day.month))
    for row in answer["results"]:
        month = date.fromisoformat(row["month"]).month
        assert row["quantity"] == totals[row["seller"], month].quantity
        assert row["quantity"] == min(total.quantity for (of, _), total in totals.items() if of == row["seller"])
    assert [row["seller"] for row in answer["results"]] == ["acme", "globex"]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("units of trail runner", lambda _, sale: sale.name == "Trail Runner"),
        ("units of “Trail Runner” in the Shoes category", lambda _, sale: sale.name == "Trail Runner"),
        ("units of product SKU-1", lambda _, sale: sale.product_id == "SKU-1"),
        ("units of Café Crème — 250 g", lambda _, sale: sale.name == "Café Crème — 250 g"),
        ('units of "100% Wool %(x)s Scarf"', lambda _, sale: sale.name.startswith("100%")),
        ("units from Shoes and Shirts", lambda _, sale: sale.category in ("Shoes", "Shirts")),
        ("units sold by acme in Grocery", lambda feed, sale: (feed.seller_id, sale.category) == ("acme", "Grocery")),
        ("acme's units in EUR", lambda feed, sale: (feed.seller_id, sale.currency) == ("acme", "EUR")),
        ("units between 3 and 9 March 2026", lambda _, sale: date(2026, 3, 3) <= sale.day <= date(2026, 3, 9)),
    ],
)
async def test_names_and_periods_choose_exactly_what_they_say(
    api: httpx.AsyncClient, planted: list[Feed], question: str, wanted: Any
) -> None:
    answer = await _ask(api, question)

    expected = sums(planted, lambda feed, sale: () if wanted(feed, sale) else None)
    assert [row["quantity"] for row in answer["results"]] == [total.quantity for total in expected.values()]
    assert expected


async def test_coverage_counts_the_feeds_that_the_rows_came_from(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "transactions of acme in the Grocery category in January 2026")

    def counts(feed: Feed, sale: Sale) -> bool:
        return feed.status == "DONE" and feed.seller_id == "acme" and sale.category == "Grocery" and sale.day.month == 1

    def sold_in_january(feed: Feed) -> bool:
        of_caller = feed.status == "DONE" and feed.seller_id == "acme"
        return of_caller and any(sale.day.month == 1 for sale in feed.sales)

    behind = [feed for feed in planted if any(counts(feed, sale) for sale in feed.sales)]
    days = [sale.day for feed in planted if feed.status == "DONE" for sale in feed.sales]
    assert behind
    assert answer["coverage"] == {
        "start": "2026-01-01",
        "end": "2026-01-31",
        "data_from": str(min(days)),
        "data_to": str(max(days)),
        "feeds_counted": len(behind),
        "rows_rejected": sum(feed.rejected for feed in planted if sold_in_january(feed)),
        "rows_corrected": 0,
        "feeds_failed": 0,
        "feeds_in_progress": 0,
    }
    everyone = await _ask(api, "transactions")
    assert everyone["coverage"]["feeds_in_progress"] == 1
    assert everyone["coverage"]["feeds_counted"] == sum(feed.status == "DONE" for feed in planted)


async def test_nothing_sold_is_said_and_not_made_up(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "revenue from 2050")
    assert answer["results"] == []
    assert answer["answer"].startswith("No sales match (2050-01-01 to 2050-12-31). Without ")


async def test_what_was_asked_never_stands_in_the_sql(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    answer = await _ask(api, "revenue of product SKU-5 in March 2026")
    assert "SKU-5" not in answer["sql"]
    assert "2026" not in answer["sql"]
    assert {"SKU-5", "2026-03-01", "2026-03-31"} <= set(map(str, answer["parameters"].values()))
    for marker in answer["parameters"]:
        assert f":{marker}" in answer["sql"]


@pytest.mark.parametrize(
    "question",
    [
        "revenue of product \"x' OR '1'='1\"",
        "revenue by month; DROP TABLE totals; --",
        "top products UNION SELECT user, password FROM mysql.user",
        "revenue of %(product_name_1)s",
        "revenue of :product_name_1",
        "revenue of \\' OR 1=1 #",
        "revenue where 1=1",
        "revenue of product “价格 ünknown”",
    ],
)
async def test_injections_are_declined_and_change_nothing(
    api: httpx.AsyncClient, planted: list[Feed], question: str
) -> None:
    await _declined(api, question)
    assert (await _ask(api, "number of sellers"))["results"] == [{"sellers": 2}]


async def test_an_answer_is_cut_at_the_row_cap_and_says_so(reads: MySqlReads, planted: list[Feed]) -> None:
    plan = Plan(metrics=[Metric.TRANSACTIONS], dimensions=[Dimension.DAY])
    run = await MySqlAnswers(reads, row_cap=3).run(plan, Confinement())
    assert len(run.rows) == 3
    assert run.truncated


async def test_a_confined_caller_sees_and_finds_only_its_own(reads: MySqlReads, planted: list[Feed]) -> None:
    answers = MySqlAnswers(reads, row_cap=1000)
    plan = Plan(metrics=[Metric.TRANSACTIONS], dimensions=[Dimension.SELLER])

    run = await answers.run(plan, Confinement("globex"))

    expected = sums(planted, lambda feed, _: feed.seller_id)
    assert run.rows == [{"seller": "globex", "transactions": expected["globex"].transactions}]
    assert run.coverage.feeds_counted == sum(feed.seller_id == "globex" and feed.status == "DONE" for feed in planted)
    assert await answers.known_values(["acme", "GLOBEX"], Confinement("globex")) == [
        KnownValue(Dimension.SELLER, "globex")
    ]
    assert await answers.known_values(["acme"], Confinement("globex")) == []
