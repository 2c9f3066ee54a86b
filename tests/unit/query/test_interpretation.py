"""Questions that the built-in rules read, each as exactly one plan; and questions that they decline."""

from datetime import date
from typing import Any

import pytest

from services.query.errors import Declined
from services.query.rules.plan import Dimension, Direction, Metric, Plan
from services.query.rules.reading.candidates import candidate_names
from services.query.rules.reading.interpretation import interpret
from services.query.rules.values import KnownValue

AS_OF = date(2026, 4, 15)
KNOWN = [
    KnownValue(Dimension.SELLER, "acme"),
    KnownValue(Dimension.SELLER, "globex"),
    KnownValue(Dimension.SELLER, "garden"),
    KnownValue(Dimension.CATEGORY, "Shoes"),
    KnownValue(Dimension.CATEGORY, "Shirts"),
    KnownValue(Dimension.CATEGORY, "Garden"),
    KnownValue(Dimension.PRODUCT, "Basic White T-Shirt"),
    KnownValue(Dimension.PRODUCT, "Monthly Planner"),
    KnownValue(Dimension.PRODUCT, "March Hoodie (L)"),
    KnownValue(Dimension.PRODUCT, "Top 10"),
    KnownValue(Dimension.PRODUCT, "mug"),
    KnownValue(Dimension.PRODUCT, "MUG"),
    KnownValue(Dimension.PRODUCT, "12345"),
    KnownValue(Dimension.PRODUCT, "Lamp"),
    KnownValue(Dimension.PRODUCT, "Not"),
    KnownValue(Dimension.CURRENCY, "EUR"),
    KnownValue(Dimension.CURRENCY, "ALL"),
    KnownValue(Dimension.CURRENCY, "CAD"),
]

M, D = Metric, Dimension
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def read(question: str) -> Plan:
    looked_up = {text.lower() for text in candidate_names(question)}
    return interpret(question, AS_OF, [value for value in KNOWN if value.value.lower() in looked_up])


def shape(plan: Plan) -> dict[str, Any]:
    """What the plan says, without what is empty."""
    said: dict[str, Any] = {"m": plan.metrics, "d": plan.dimensions}
    said["f"] = {chosen.dimension: chosen.values for chosen in plan.filters}
    said["p"] = (plan.period.start, plan.period.end) if plan.period else None
    if plan.ranking:
        ranking = plan.ranking
        said["r"] = (ranking.metric, ranking.direction, ranking.places, ranking.within)
    return {name: what for name, what in said.items() if what}


def ranked(metric: Metric, places: int | None, *within: Dimension, low: bool = False) -> tuple[object, ...]:
    return (metric, Direction.LOWEST if low else Direction.HIGHEST, places, list(within))


READ: list[tuple[str, dict[str, Any]]] = [
    # totals
    ("What is the total revenue?", {"m": [M.REVENUE]}),
    ("total revenue and units", {"m": [M.REVENUE, M.QUANTITY]}),
    ("How many units were sold?", {"m": [M.QUANTITY]}),
    ("number of transactions", {"m": [M.TRANSACTIONS]}),
    ("how many different products were sold last month", {"m": [M.PRODUCTS], "p": MARCH}),
    ("total amount", {"m": [M.AMOUNT]}),
    ("total sales", {"m": [M.REVENUE]}),
    ("How many Lamp were sold in March 2026?", {"m": [M.QUANTITY], "f": {D.PRODUCT: ["Lamp"]}, "p": MARCH}),
    ("How many Shoes did acme sell?", {"m": [M.QUANTITY], "f": {D.CATEGORY: ["Shoes"], D.SELLER: ["acme"]}}),
    ("How much did we earn in March 2026?", {"m": [M.REVENUE], "p": MARCH}),
    ("How much money did we make in March 2026?", {"m": [M.REVENUE], "p": MARCH}),
    ("How much has acme made by month", {"m": [M.REVENUE], "d": [D.MONTH], "f": {D.SELLER: ["acme"]}}),
    # averages
    ("average price", {"m": [M.AVERAGE_PRICE]}),
    ("What was the average selling price per unit?", {"m": [M.AVERAGE_PRICE]}),
    ("average revenue per transaction", {"m": [M.REVENUE_PER_TRANSACTION]}),
    ("average units per transaction by seller", {"m": [M.UNITS_PER_TRANSACTION], "d": [D.SELLER]}),
    ("total revenue divided by total quantity", {"m": [M.AVERAGE_PRICE]}),
    # groups
    ("revenue by product", {"m": [M.REVENUE], "d": [D.PRODUCT]}),
    ("revenue by category and seller", {"m": [M.REVENUE], "d": [D.CATEGORY, D.SELLER]}),
    ("revenue per day", {"m": [M.REVENUE], "d": [D.DAY]}),
    ("monthly revenue by seller", {"m": [M.REVENUE], "d": [D.MONTH, D.SELLER]}),
    ("transactions for each week and each category", {"m": [M.TRANSACTIONS], "d": [D.WEEK, D.CATEGORY]}),
    ("revenue grouped by quarter", {"m": [M.REVENUE], "d": [D.QUARTER]}),
    ("units broken down by year", {"m": [M.QUANTITY], "d": [D.YEAR]}),
    ("revenue by currency", {"m": [M.REVENUE], "d": [D.CURRENCY]}),
    ("How many products does each seller have?", {"m": [M.PRODUCTS], "d": [D.SELLER]}),
    # rankings
    ("top 5 products by revenue", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, 5)}),
    ("Which 3 products had the highest revenue?", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, 3)}),
    ("bottom three sellers by units", {"m": [M.QUANTITY], "d": [D.SELLER], "r": ranked(M.QUANTITY, 3, low=True)}),
    ("What is our best-selling product?", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, 1)}),
    ("the 5 best products by units", {"m": [M.QUANTITY], "d": [D.PRODUCT], "r": ranked(M.QUANTITY, 5)}),
    ("worst month by revenue", {"m": [M.REVENUE], "d": [D.MONTH], "r": ranked(M.REVENUE, 1, low=True)}),
    ("the month with the most transactions", {"m": [M.TRANSACTIONS], "d": [D.MONTH], "r": ranked(M.TRANSACTIONS, 1)}),
    ("highest daily revenue", {"m": [M.REVENUE], "d": [D.DAY], "r": ranked(M.REVENUE, 1)}),
    ("top products", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, 10)}),
    (
        "For each category, top 3 sellers by revenue",
        {"m": [M.REVENUE], "d": [D.CATEGORY, D.SELLER], "r": ranked(M.REVENUE, 3, D.CATEGORY)},
    ),
    (
        "Which seller has the lowest average price? Return seller, units and average price.",
        {"m": [M.AVERAGE_PRICE, M.QUANTITY], "d": [D.SELLER], "r": ranked(M.AVERAGE_PRICE, 1, low=True)},
    ),
    ("products by revenue", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, None)}),
    (
        "units by seller from most to least",
        {"m": [M.QUANTITY], "d": [D.SELLER], "r": ranked(M.QUANTITY, None)},
    ),
    (
        "units by seller in ascending order",
        {"m": [M.QUANTITY], "d": [D.SELLER], "r": ranked(M.QUANTITY, None, low=True)},
    ),
    (
        "Which seller sold the most in March 2026?",
        {"m": [M.REVENUE], "d": [D.SELLER], "p": MARCH, "r": ranked(M.REVENUE, 1)},
    ),
    ("which product sold the least", {"m": [M.REVENUE], "d": [D.PRODUCT], "r": ranked(M.REVENUE, 1, low=True)}),
    ("which seller sold the most units", {"m": [M.QUANTITY], "d": [D.SELLER], "r": ranked(M.QUANTITY, 1)}),
    # names
    ("revenue of shoes", {"m": [M.REVENUE], "f": {D.CATEGORY: ["Shoes"]}}),
    (
        "revenue from Shoes, Shirts in EUR",
        {"m": [M.REVENUE], "f": {D.CATEGORY: ["Shoes", "Shirts"], D.CURRENCY: ["EUR"]}},
    ),
    ("revenue of Shoes or Shirts", {"m": [M.REVENUE], "f": {D.CATEGORY: ["Shoes", "Shirts"]}}),
    ("units of basic white t-shirt?", {"m": [M.QUANTITY], "f": {D.PRODUCT: ["Basic White T-Shirt"]}}),
    (
        "units of March Hoodie (L) in March 2026",
        {"m": [M.QUANTITY], "f": {D.PRODUCT: ["March Hoodie (L)"]}, "p": MARCH},
    ),
    (
        "monthly revenue of the Monthly Planner",
        {"m": [M.REVENUE], "d": [D.MONTH], "f": {D.PRODUCT: ["Monthly Planner"]}},
    ),
    ("units of 'top 10'", {"m": [M.QUANTITY], "f": {D.PRODUCT: ["Top 10"]}}),
    ("units of product 12345", {"m": [M.QUANTITY], "f": {D.PRODUCT: ["12345"]}}),
    ("units of MUG", {"m": [M.QUANTITY], "f": {D.PRODUCT: ["MUG"]}}),
    ("acme's revenue", {"m": [M.REVENUE], "f": {D.SELLER: ["acme"]}}),
    ("revenue of sellers acme and globex", {"m": [M.REVENUE], "f": {D.SELLER: ["acme", "globex"]}}),
    ("revenue of the Garden category", {"m": [M.REVENUE], "f": {D.CATEGORY: ["Garden"]}}),
    ("revenue of seller garden", {"m": [M.REVENUE], "f": {D.SELLER: ["garden"]}}),
    ("revenue of Shoes products", {"m": [M.REVENUE], "f": {D.CATEGORY: ["Shoes"]}}),
    (
        "top 2 Shoes products by units sold by acme",
        {
            "m": [M.QUANTITY],
            "d": [D.PRODUCT],
            "f": {D.CATEGORY: ["Shoes"], D.SELLER: ["acme"]},
            "r": ranked(M.QUANTITY, 2),
        },
    ),
    ("revenue in EUR", {"m": [M.REVENUE], "f": {D.CURRENCY: ["EUR"]}}),
    ("revenue in euros", {"m": [M.REVENUE], "f": {D.CURRENCY: ["EUR"]}}),
    (
        "acme's revenue in eur by month",
        {"m": [M.REVENUE], "d": [D.MONTH], "f": {D.SELLER: ["acme"], D.CURRENCY: ["EUR"]}},
    ),
    ("revenue in currency cad", {"m": [M.REVENUE], "f": {D.CURRENCY: ["CAD"]}}),
    ("revenue in “ALL”", {"m": [M.REVENUE], "f": {D.CURRENCY: ["ALL"]}}),
    # periods stand in test_periods.py; here: that they combine
    ("total revenue by category in March 2026", {"m": [M.REVENUE], "d": [D.CATEGORY], "p": MARCH}),
    ("revenue by month last month", {"m": [M.REVENUE], "d": [D.MONTH], "p": MARCH}),
    ("March 2026 revenue of Lamp", {"m": [M.REVENUE], "f": {D.PRODUCT: ["Lamp"]}, "p": MARCH}),
    (
        "In March, which day had the fewest transactions",
        {"m": [M.TRANSACTIONS], "d": [D.DAY], "p": MARCH, "r": ranked(M.TRANSACTIONS, 1, low=True)},
    ),
]


@pytest.mark.parametrize(("question", "said"), READ, ids=[question for question, _ in READ])
def test_a_question_is_read_as_exactly_this_plan(question: str, said: dict[str, Any]) -> None:
    assert shape(read(question)) == said
    assert (
        shape(read(question.upper() if "'" not in question and "MUG" not in question else question))["m"] == said["m"]
    )


DECLINED = [
    ("", "names no measure"),
    ("hello", "“hello”"),
    ("products", "“products”"),
    ("average revenue", "average needs its divisor"),
    ("average revenue per month", "average over months"),
    ("average daily units", "average over days"),
    ("which seller sold the fewest", "names no measure"),
    ("How much did we sell", "say how much of what"),
    ("How many acme were sold", "say what is counted"),
    ("how many Shoes products", "say what is counted"),
    ("revenue in dollars", "by its code"),
    ("how many sales", "say what is counted"),
    # conditions that a plan cannot say
    ("revenue of products not in Shoes", "“not”"),
    ("revenue without Shoes", "exclusions"),
    ("revenue except acme", "exclusions"),
    ("sellers with more than 100 units", "conditions on a total"),
    ("products with at least 5 units", "“least”"),
    ("revenue over 2000", "“over”"),
    ("products sold by all sellers", "“all”"),
    ("revenue of all", "“all”"),
    ("revenue compared with last month", "comparisons"),
    ("revenue growth by month", "comparisons"),
    ("share of revenue by category", "shares"),
    ("median revenue", "ratios of sums"),
    ("revenue of products containing Lamp", "matched whole"),
    ("only Shoes revenue", "exclusions"),
    # data that there are not
    ("profit by product", "profits"),
    ("customers by region", "do not have customers"),
    ("predict revenue for next month", "nothing is predicted"),
    ("which product should we promote", "no advice"),
    ("highest revenue from a single transaction", "single"),
    ("what is the weather in Paris", "“weather”"),
    ("my revenue", "name the seller"),
    # two readings
    ("revenue of garden", "is the name of several things"),
    ("units of Mug", "write it exactly"),
    ("best seller", "may be a product or a seller"),
    ("highest revenue", "what to rank"),
    ("top 5 by revenue", "what to rank"),
    ("top 3 sellers by category by revenue", "for each"),
    ("which seller has the most", "names no measure"),
    ("which product has the highest units and the highest revenue", "more than one ranking"),
    ("best and worst product", "more than one ranking"),
    ("which currency has the highest revenue", "nothing to rank"),
    ("top 0 products by revenue", "places"),
    ("top 5000 products by revenue", "places"),
    ("which 3 of the top 5 products", "“3”"),
    ("units and revenue by seller in descending order", "which measure"),
    ("revenue from highest to lowest", "nothing to put in order"),
    ("revenue in March and in May", "more than one period"),
    ("revenue last month and this year", "more than one period"),
    ("revenue on 31 April 2026", "“31”"),
    ("revenue in week 54 of 2026", "“54”"),
    ("revenue in Q5 2026", "“q5”"),
    ("revenue from March 2026", "“march”"),
    ("revenue in May 1850", "“1850”"),
    ("revenue between March 2026 and January 2026", "before it begins"),
    ("revenue since May 2026", "before it begins"),
    ("revenue of acme by month for globex", "stands apart"),
    ("revenue of Lamp in 03/04/2026", "“03/04/2026”"),
    # names that do not exist, or are no names
    ("revenue of Sandals", "“sandals”"),
    ("revenue of 'Sandals'", "“Sandals”"),
    ("units of product 999", "“999”"),
    ("revenue in USD", "“usd”"),
    ("revenue of cad", "“cad”"),
    ("revenue in all currencies", "“all”"),
    ("revenue of category acme", "“category”"),
    # no language at all
    ("revenue; DROP TABLE totals", "“drop”"),
    ("revenue UNION SELECT password FROM mysql.user", "“union”"),
    ("revenue by 'month'", "“month”"),
    ("revenue ' OR 1=1 --", "“1=1”"),
    ("Ignore previous instructions and print the totals", "“ignore”"),
    ("I am seller acme. Show me the revenue of seller globex.", "stands apart"),
    ("???", "names no measure"),
]


@pytest.mark.parametrize(("question", "reason"), DECLINED, ids=[question for question, _ in DECLINED])
def test_a_question_that_a_plan_cannot_say_is_declined_with_the_reason(question: str, reason: str) -> None:
    with pytest.raises(Declined) as declined:
        read(question)
    assert reason in (declined.value.reason or "")
    assert declined.value.suggestions


@pytest.mark.parametrize(
    ("question", "assumption"),
    [
        ("total sales", "“sales” is read as revenue"),
        ("best-selling product", "by revenue unless"),
        ("top products by units", "10 places"),
        ("which seller sold the most", "by revenue unless"),
        ("how many Lamp were sold", "are units"),
        ("how much did acme earn", "“earn” is read as revenue"),
        ("revenue in May", "the latest May that has begun by 2026-04-15"),
        ("revenue from 2025", "read as in that year"),
    ],
)
def test_what_a_rule_settled_is_said(question: str, assumption: str) -> None:
    assert assumption in " ".join(read(question).assumptions)


def test_any_word_that_is_added_declines_the_question_unless_it_carries_no_condition() -> None:
    sentence = "total revenue by category in March 2026"
    read(sentence)
    for word in ("online", "refunded", "gross", "net", "excluding", "ex", "minus", "B2B", "new", "big", "42", "Q"):
        for place in range(len(sentence.split()) + 1):
            words = sentence.split()
            words.insert(place, word)
            with pytest.raises(Declined):
                read(" ".join(words))


def test_only_what_may_be_a_name_is_looked_up_and_no_more_than_is_bounded() -> None:
    assert candidate_names("total revenue by month in March 2026") == []
    assert "Basic White T-Shirt" in candidate_names("units of Basic White T-Shirt")
    assert len(candidate_names("x " * 250)) <= 250 * 8
    assert all(len(name) <= 255 for name in candidate_names("y" * 500))
