"""What a declined question is answered with: why, and what would be understood."""

from services.query.errors import Declined

SUGGESTIONS = [
    "Measures: revenue, quantity (units), transactions, amount, average price (revenue ÷ quantity), revenue per"
    " transaction, units per transaction, number of products, number of sellers.",
    "Grouped by product, category, seller, currency, day, week, month, quarter or year.",
    "For products, categories, sellers or currencies that have sales, named exactly (in quotation marks if need be).",
    "In one period: “last month”, “in March 2026”, “in 2026”, “yesterday”, “last 7 days”, “since 2026-03-01”,"
    " “between 3 and 9 March 2026”, “from 2026-03-01 to 2026-03-31”.",
    "Ranked: “top 5 products by revenue in March 2026”, “which category had the lowest quantity last month”,"
    " “for each seller, top 3 products by units”.",
]


def decline(reason: str) -> Declined:
    """To be raised."""
    return Declined(f"{reason} Nothing was guessed.", reason=reason, suggestions=SUGGESTIONS)
