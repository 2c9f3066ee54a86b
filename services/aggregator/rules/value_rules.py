"""Rules of what a row's cells say, and whether a row says it twice. For the words see row_rules.py."""

from services.aggregator.rules.currencies import ISO_4217
from services.aggregator.rules.row_rule import (
    MAX_ID,
    MAX_NAME,
    UNIT_ROUNDING,
    RowRule,
    error,
    money_rules,
    text_rules,
    warning,
)

_AMBIGUOUS_DATE = (
    "dates_are_iso AND regexp_full_match(occurred_at_text, "
    r"'(0?[1-9]|1[0-2])[./-](0?[1-9]|1[0-2])[./-]([0-9]{2}|[0-9]{4})([ T].*)?')"
)
_DATES = "YYYY-MM-DD or YYYYMMDD, optionally with a time and a zone, such as 2026-03-04T10:15:00Z"

CURRENCIES = ",".join(("", *sorted(ISO_4217), ""))

VALUE_RULES: tuple[RowRule, ...] = (
    error(
        "authorization/seller_mismatch",
        "seller_id",
        "seller_id_text <> '' AND seller_id_text <> seller",
        "This row names another seller than the one the feed belongs to.",
        "A seller reports for itself only.",
    ),
    error(
        "validation/missing_value",
        "product_name",
        "product_name_text = '' AND product_id_text = ''",
        "The row names no product: it needs a product_name or a product_id.",
        "Nothing can be added up without knowing what was sold.",
    ),
    *text_rules("product_name", MAX_NAME),
    *text_rules("product_id", MAX_ID),
    error(
        "validation/missing_value",
        "quantity",
        "quantity_text = ''",
        "The quantity is missing.",
        "There is no harmless default: 0 and 1 would both be guesses.",
    ),
    error(
        "validation/invalid_quantity",
        "quantity",
        "quantity_text <> '' AND NOT quantity_is_written",
        "The quantity is not a whole number such as 3, 5.0 or -2.",
        "Units are counted whole; 1,000 and 1.000 have two readings.",
    ),
    error(
        "validation/out_of_range",
        "quantity",
        "quantity_is_written AND quantity IS NULL",
        "The quantity is beyond 1,000,000,000.",
        "Sums must stay exact, and a larger figure is a mistake.",
    ),
    error(
        "validation/missing_value",
        "amount",
        "amount_text = '' AND revenue_text = ''",
        "Both amount and revenue are missing; one of them is needed.",
        "Either follows from the other, but not from nothing.",
    ),
    *money_rules("amount"),
    *money_rules("revenue"),
    error(
        "validation/negative_amount",
        "amount",
        "amount_given < 0",
        "The amount (the price of one unit) is negative. For a return make the quantity negative instead.",
        "A return is units coming back, not a price below nothing.",
    ),
    error(
        "validation/sign_mismatch",
        "revenue",
        "sign(quantity) * sign(revenue_given) < 0",
        "Quantity and revenue have opposite signs.",
        "Either a sale brings money or a return gives it back; one of the signs is wrong.",
    ),
    error(
        "validation/out_of_range",
        "revenue",
        "revenue_text = '' AND quantity IS NOT NULL AND amount_given >= 0 AND revenue IS NULL",
        "Quantity times amount is too large: revenue must stay below 100,000,000,000,000.",
        "Sums must stay exact, and a larger figure is a mistake.",
    ),
    *text_rules("category", MAX_ID),
    error(
        "validation/invalid_currency",
        "currency",
        f"currency <> '' AND (length(currency) <> 3 OR NOT contains('{CURRENCIES}', ',' || currency || ','))",
        "The currency is not a three-letter ISO 4217 code such as EUR or USD.",
        "Totals are kept per currency; an unknown one would be a total that nobody can use.",
    ),
    error(
        "validation/missing_value",
        "occurred_at",
        "occurred_at_text = ''",
        "The date is missing.",
        "The feed has a date column, so a blank date is a gap and not a choice.",
    ),
    error(
        "validation/ambiguous_date",
        "occurred_at",
        _AMBIGUOUS_DATE,
        f"The date can be read as day-month or month-day. Accepted: {_DATES}.",
        "A guess would put the sale into another month.",
    ),
    error(
        "validation/invalid_date",
        "occurred_at",
        f"occurred_at_text <> '' AND sale_date IS NULL AND NOT ({_AMBIGUOUS_DATE})",
        f"The date is not one. Accepted: {_DATES}.",
        "Only this order of year, month and day has one reading everywhere.",
    ),
    error(
        "validation/date_out_of_range",
        "occurred_at",
        "(sale_date < DATE '1970-01-01' OR sale_date > last_date)",
        "The date lies before 1970 or more than a year ahead.",
        "Such a date is a typing error or an unset clock.",
    ),
    *text_rules("transaction_id", MAX_ID),
    *text_rules("line_id", MAX_ID),
    warning(
        "validation/missing_product_name",
        "product_name",
        "has_names AND product_name_text = ''",
        "The product name is blank; the product_id stands in for it.",
        "The sale is identified, but will look odd in lists.",
    ),
    warning(
        "validation/partially_refunded",
        "payment_status",
        "lower(payment_status_text) = 'partially_refunded'",
        "This order was refunded in part; the line counts in full.",
        "The export does not say which of its lines the refund concerns.",
    ),
    warning(
        "validation/zero_quantity",
        "quantity",
        "quantity = 0",
        "The quantity is zero; the row counts, but sells nothing.",
        "Some systems write such rows on purpose, others by mistake.",
    ),
    warning(
        "validation/revenue_mismatch",
        "revenue",
        f"abs(revenue_given - quantity * CAST(amount_given AS DECIMAL(28,4))) > abs(quantity) * {UNIT_ROUNDING}",
        "The revenue is not quantity times amount; the reported revenue counts.",
        "Discounts explain it; so does a wrong column. The seller knows which.",
    ),
)

DUPLICATE = warning(
    "validation/duplicate",
    "transaction_id",
    "",
    "This transaction line is already in this feed with the same values; it counts once.",
    "Exports repeat lines; counting them again would invent sales.",
)
CONFLICT = error(
    "validation/conflicting_duplicate",
    "transaction_id",
    "",
    "This transaction line is already in this feed with other values; the first one counts.",
    "Which of the two is true is for the seller to say.",
)
