"""The words that the offline interpreter knows, as data. What is in no table here is not understood."""

from services.query.rules.plan import Dimension, Direction, Metric
from services.query.rules.reading.reasons import REASONS

METRIC_PHRASES: dict[str, Metric] = {
    "revenue": Metric.REVENUE,
    "revenues": Metric.REVENUE,
    "sales": Metric.REVENUE,
    "sales revenue": Metric.REVENUE,
    "turnover": Metric.REVENUE,
    "how much revenue": Metric.REVENUE,
    "how much turnover": Metric.REVENUE,
    "quantity": Metric.QUANTITY,
    "quantities": Metric.QUANTITY,
    "quantity sold": Metric.QUANTITY,
    "units": Metric.QUANTITY,
    "units sold": Metric.QUANTITY,
    "items sold": Metric.QUANTITY,
    "number of units": Metric.QUANTITY,
    "number of units sold": Metric.QUANTITY,
    "number of items sold": Metric.QUANTITY,
    "how many units": Metric.QUANTITY,
    "amount": Metric.AMOUNT,
    "amounts": Metric.AMOUNT,
    "transactions": Metric.TRANSACTIONS,
    "transaction count": Metric.TRANSACTIONS,
    "number of transactions": Metric.TRANSACTIONS,
    "how many transactions": Metric.TRANSACTIONS,
    "average price": Metric.AVERAGE_PRICE,
    "average price per unit": Metric.AVERAGE_PRICE,
    "average selling price": Metric.AVERAGE_PRICE,
    "average selling price per unit": Metric.AVERAGE_PRICE,
    "average unit price": Metric.AVERAGE_PRICE,
    "average revenue per unit": Metric.AVERAGE_PRICE,
    "revenue per unit": Metric.AVERAGE_PRICE,
    "revenue divided by quantity": Metric.AVERAGE_PRICE,
    "revenue divided by total quantity": Metric.AVERAGE_PRICE,
    "revenue divided by units": Metric.AVERAGE_PRICE,
    "revenue per transaction": Metric.REVENUE_PER_TRANSACTION,
    "average revenue per transaction": Metric.REVENUE_PER_TRANSACTION,
    "average transaction value": Metric.REVENUE_PER_TRANSACTION,
    "average value per transaction": Metric.REVENUE_PER_TRANSACTION,
    "units per transaction": Metric.UNITS_PER_TRANSACTION,
    "average units per transaction": Metric.UNITS_PER_TRANSACTION,
    "average number of units per transaction": Metric.UNITS_PER_TRANSACTION,
    "quantity per transaction": Metric.UNITS_PER_TRANSACTION,
    "average quantity per transaction": Metric.UNITS_PER_TRANSACTION,
    "number of products": Metric.PRODUCTS,
    "number of different products": Metric.PRODUCTS,
    "number of distinct products": Metric.PRODUCTS,
    "how many products": Metric.PRODUCTS,
    "how many different products": Metric.PRODUCTS,
    "how many distinct products": Metric.PRODUCTS,
    "number of sellers": Metric.SELLERS,
    "number of different sellers": Metric.SELLERS,
    "number of distinct sellers": Metric.SELLERS,
    "how many sellers": Metric.SELLERS,
    "how many different sellers": Metric.SELLERS,
    "how many distinct sellers": Metric.SELLERS,
}
LONGEST_METRIC_WORDS = max(len(phrase.split()) for phrase in METRIC_PHRASES)

EARNING = frozenset({"earn", "earned", "earns"})
MAKING = frozenset({"make", "makes", "made"})
"""With “how much”: what was earned is read as revenue, and the answer says so."""
SELLING = frozenset({"sell", "sells", "sold", "selling"})

CURRENCY_WORDS = {"euro": "EUR", "euros": "EUR"}
"""Words that name one currency; dollars and pounds are of several."""

SALES_ASSUMPTION = "“sales” is read as revenue"
READ_AS_REVENUE = frozenset({"sales"})

NOUNS: dict[str, Dimension] = {
    "product": Dimension.PRODUCT,
    "products": Dimension.PRODUCT,
    "category": Dimension.CATEGORY,
    "categories": Dimension.CATEGORY,
    "seller": Dimension.SELLER,
    "sellers": Dimension.SELLER,
    "currency": Dimension.CURRENCY,
    "currencies": Dimension.CURRENCY,
    "day": Dimension.DAY,
    "days": Dimension.DAY,
    "week": Dimension.WEEK,
    "weeks": Dimension.WEEK,
    "month": Dimension.MONTH,
    "months": Dimension.MONTH,
    "quarter": Dimension.QUARTER,
    "quarters": Dimension.QUARTER,
    "year": Dimension.YEAR,
    "years": Dimension.YEAR,
}
PLURALS = frozenset(noun for noun in NOUNS if noun.endswith("s"))

COUNTED = PLURALS | {"units", "items", "transactions", "pieces"}
"""What a number in front of it counts."""

TIME_ADJECTIVES: dict[str, Dimension] = {
    "daily": Dimension.DAY,
    "weekly": Dimension.WEEK,
    "monthly": Dimension.MONTH,
    "quarterly": Dimension.QUARTER,
    "yearly": Dimension.YEAR,
    "annual": Dimension.YEAR,
}

SUPERLATIVES: dict[str, Direction] = {
    **dict.fromkeys(("top", "best", "highest", "most", "largest", "biggest", "greatest", "peak"), Direction.HIGHEST),
    **dict.fromkeys(("best-selling", "top-selling", "best-performing", "top-performing"), Direction.HIGHEST),
    **dict.fromkeys(("bottom", "worst", "lowest", "least", "fewest", "smallest"), Direction.LOWEST),
    **dict.fromkeys(("worst-selling", "worst-performing"), Direction.LOWEST),
}
SELF_EXPLAINING = frozenset(word for word in SUPERLATIVES if word.startswith(("top", "best", "bottom", "worst")))
"""“Best” and “worst” of itself mean by revenue; “most” and “highest” do not say of what."""

SUPERLATIVE_TAILS = frozenset({"selling", "performing"})

NUMBERS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=1
    )
}

ORDER_PHRASES: dict[str, Direction] = {
    "from most to least": Direction.HIGHEST,
    "from highest to lowest": Direction.HIGHEST,
    "from high to low": Direction.HIGHEST,
    "highest first": Direction.HIGHEST,
    "in descending order": Direction.HIGHEST,
    "descending": Direction.HIGHEST,
    "from least to most": Direction.LOWEST,
    "from lowest to highest": Direction.LOWEST,
    "from low to high": Direction.LOWEST,
    "lowest first": Direction.LOWEST,
    "in ascending order": Direction.LOWEST,
    "ascending": Direction.LOWEST,
}

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
MONTH_NUMBERS = {
    **{name: number for number, name in enumerate(MONTHS, start=1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, start=1)},
    "sept": 9,
}

_PERIOD_WORDS = """
    today yesterday this current last past previous since after before until till through throughout to between
    during date far so ytd mtd first second third fourth q1 q2 q3 q4 st nd rd th from up
"""
PERIOD_WORDS = frozenset(_PERIOD_WORDS.split())

_FILLERS = """
    a an the of for in on from at with and is are was were be been do does did has have had there what which who
    show me give tell please us our we their its total totals overall sum how sold sell sells selling made make
    makes generate generates generated bring brings brought get gets got find calculate compute display can
    could you come comes came need
"""
FILLERS = frozenset(_FILLERS.split())
"""Words that carry no condition: the question means the same without them."""

OPENERS = frozenset({"list", "return", "report"})
"""Only at the start of a sentence: elsewhere `returns` and `reports` are things that one asks about."""

GROUPING = frozenset({"by", "per", "each", "every"})


def _known_words() -> frozenset[str]:
    phrases = " ".join([*METRIC_PHRASES, *ORDER_PHRASES])
    tables = (NOUNS, TIME_ADJECTIVES, SUPERLATIVES, NUMBERS, MONTH_NUMBERS, REASONS)
    words = {word for table in tables for word in table}
    return frozenset(
        words
        | set(phrases.split())
        | PERIOD_WORDS
        | FILLERS
        | OPENERS
        | GROUPING
        | SUPERLATIVE_TAILS
        | EARNING
        | set(CURRENCY_WORDS)
        | {"grouped", "broken", "down", "split", "sorted", "ordered", "ranked", "today", "inclusive", "including"}
    )


KNOWN_WORDS = _known_words()
"""A name made of these alone counts as a name only between quotation marks."""
