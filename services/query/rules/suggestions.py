"""What a declined question is answered with: why, and what would be understood."""

from pydantic import ValidationError

from services.query.errors import Declined
from shared.runtime.validation_messages import fault_in_words

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
    reason = reason[:1].upper() + reason[1:]
    if not reason.endswith((".", "!", "?")):
        reason += "."
    return Declined(f"{reason} Nothing was guessed.", reason=reason, suggestions=SUGGESTIONS)


def faults_in_words(error: ValidationError) -> str:
    """Why a plan makes no sense, for the one who asked."""
    faults = [fault_in_words(dict(fault)) for fault in error.errors()]
    # What a plan says of itself as a whole is a sentence; what is wrong with one field needs the field's name.
    kinds = [fault["type"] for fault in error.errors()]
    return "; ".join(
        message if kind == "value_error" else f"{field}: {message}"
        for kind, (field, message) in zip(kinds, faults, strict=True)
    )
