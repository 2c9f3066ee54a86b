"""Names that are words of the language, and lists of names: what has two readings is declined, nothing is dropped."""

from datetime import date

import pytest

from services.query.errors import Declined
from services.query.rules.checks import checked
from services.query.rules.plan import Dimension, Plan
from services.query.rules.reading.candidates import candidate_names
from services.query.rules.reading.interpretation import interpret
from services.query.rules.values import KnownValue

AS_OF = date(2026, 4, 15)
KNOWN = [
    *(KnownValue(Dimension.PRODUCT, name) for name in ("A", "B", "Boots", "The", "Total", "March", "Total Sales")),
    *(KnownValue(Dimension.SELLER, name) for name in ("us", "me", "acme", "Overall", "sold")),
    *(KnownValue(Dimension.CATEGORY, name) for name in ("Shoes", "Shirts", "On")),
    *(KnownValue(Dimension.CURRENCY, name) for name in ("EUR", "USD")),
]


def read(question: str, known: list[KnownValue] = KNOWN) -> Plan:
    looked_up = {text.lower() for text in candidate_names(question)}
    found = [value for value in known if value.value.lower() in looked_up]
    return checked(interpret(question, AS_OF, found), question, found)


@pytest.mark.parametrize(
    "question",
    [
        "revenue for A",
        "revenue for a",
        "revenue for A and B",
        "revenue for B and A",
        "revenue of B, A",
        "A and B revenue in March 2026",
        "revenue for us",
        "revenue for us last month",
        "revenue of acme and us",
        "units sold by us",
        "revenue for me",
        "A revenue",
        "us revenue in March 2026",
        "revenue with us",
        "how many A were sold",
        "what is the revenue for The",
        "revenue for Total",
        "revenue for total in March 2026",
        "monthly revenue of Total Sales",
        "revenue for Overall",
        "revenue in Overall",
        "revenue of The, by month",
        "revenue for March",
        "revenue in On",
    ],
)
def test_a_name_that_is_also_a_word_is_never_dropped(question: str) -> None:
    with pytest.raises(Declined) as declined:
        read(question)
    assert "write it in quotation marks if the name is meant" in declined.value.detail


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("revenue for “A”", ["A"]),
        ("revenue for 'A' and 'B'", ["A", "B"]),
        ("revenue for “us”", ["us"]),
        ("revenue for product A", ["A"]),
        ("revenue for product A in March 2026", ["A"]),
        ("revenue for the product A by month", ["A"]),
        ("units of seller us", ["us"]),
        ("revenue from seller us by month", ["us"]),
        ("revenue for seller acme", ["acme"]),
        ("revenue in category Shoes", ["Shoes"]),
        ("revenue of acme in Shoes", ["acme", "Shoes"]),
        ("revenue in euros", ["EUR"]),
        ("revenue in usd by month", ["USD"]),
        ("How many Boots were sold on 2 April 2026?", ["Boots"]),
        ("acme's Boots revenue", ["acme", "Boots"]),
        ("for acme, revenue and units in EUR", ["acme", "EUR"]),
        ("revenue and units of Boots by month", ["Boots"]),
    ],
)
def test_quoted_or_behind_its_noun_it_is_the_name(question: str, names: list[str]) -> None:
    assert [value for chosen in read(question).filters for value in chosen.values] == names


@pytest.mark.parametrize(
    "question",
    [
        "What is the total revenue in March 2026?",
        "show me the total revenue for March 2026",
        "Give us the revenue for 2026 by seller",
        "Total Revenue By Month",
        "TOTAL REVENUE OF THE YEAR 2025",
        "how many units were sold on 2 April 2026",
        "total revenue for each seller",
        "revenue by the month",
        "number of products sold in March 2026",
        "top 5 products by total sales",
    ],
)
def test_a_word_that_does_its_usual_work_is_no_name(question: str) -> None:
    assert read(question).filters == []


@pytest.mark.parametrize("question", ["revenue for A", "revenue of the", "revenue a in March 2026", "units of total"])
def test_a_word_that_says_nothing_where_a_name_belongs_is_not_passed_over(question: str) -> None:
    with pytest.raises(Declined, match="Not understood"):
        read(question, [])
    assert read("revenue for us", []).filters == []


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("revenue for Boots and Shirts", "“Boots” is a product and “Shirts” a category"),
        ("revenue for Shirts or Boots", "“Boots” a product"),
        ("revenue of Boots, Shirts", "“Boots” is a product"),
        ("revenue for seller acme and category Shoes", "“acme” is a seller"),
        ("revenue of Boots and Shirts and Lamp", "“Boots” is a product"),
        ("revenue of acme and units in Shoes", "Two measures"),
        ("revenue of acme and total units in Shoes", "Two measures"),
        ("acme's revenue and Shoes units", "Two measures"),
        ("revenue of acme and units", "Two measures"),
        ("revenue in March 2026 and units in Shoes", "Two measures"),
    ],
)
def test_what_and_joins_is_not_guessed(question: str, reason: str) -> None:
    with pytest.raises(Declined) as declined:
        read(question)
    assert reason in (declined.value.reason or "")
    assert declined.value.suggestions
