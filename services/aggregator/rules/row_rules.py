"""Every rule that a row is held to: one table, in the order in which a row's issues are told.

`when` is an SQL predicate over the parsed row, true where the rule is broken. Its words:

- `quantity_text`, `amount_text` …: the trimmed cell, '' where it is blank or the feed has no such column
- `quantity`, `amount`, `revenue`, `sale_date`: the parsed value, NULL where it cannot be read;
  amount and revenue after derivation, `amount_given` and `revenue_given` before. `amount_plain`: the number with
  `.` as its only sign, NULL unless it has one reading; `amount_is_exact`: it has at most four decimals
- `product_name`, `product_id`, `category`, `line_id`, `transaction_id`: the normalised text
- `fault`, `cells`, `surplus`: the framing's verdict, the number of cells, what stands beyond the last column
- `has_control`: the line holds a control character somewhere
- `width`: the number of columns; `has_names`: one is for product names; `dates_are_iso`: the uploader named no other
  form; `has_decimal_comma`: the uploader said so; `seller`, `last_date`: of this reading
"""

from services.aggregator.rules.currencies import ISO_4217
from services.aggregator.rules.row_rule import (
    MAX_ID,
    MAX_NAME,
    RowRule,
    error,
    money_rules,
    skip,
    text_rules,
    warning,
)
from shared.schemas.issues import Issue, Severity

_AMBIGUOUS_DATE = (
    "dates_are_iso AND regexp_full_match(occurred_at_text, "
    r"'(0?[1-9]|1[0-2])[./-](0?[1-9]|1[0-2])[./-]([0-9]{2}|[0-9]{4})([ T].*)?')"
)
_DATES = "YYYY-MM-DD or YYYYMMDD, optionally with a time and a zone, such as 2026-03-04T10:15:00Z"

_ORDER_STATUS = ("order_status", "item_status")
_CANCELLED = " OR ".join(f"lower({status}_text) IN ('cancelled', 'canceled')" for status in _ORDER_STATUS)

CURRENCIES = ",".join(("", *sorted(ISO_4217), ""))

RULES: tuple[RowRule, ...] = (
    error(
        "format/unclosed_quote",
        None,
        "fault = 'format/unclosed_quote'",
        "A quote opens in this row and is never closed.",
        "Everything after it is inside the quotes, so where the row ends is unknown.",
        structural=True,
    ),
    error(
        "format/stray_quote",
        None,
        "fault = 'format/stray_quote'",
        'Text follows a closing quote. Write a quote inside a quoted value twice: "5"" pipe".',
        "Where the value ends has two readings.",
        structural=True,
    ),
    error(
        "format/line_too_long",
        None,
        "fault = 'format/line_too_long'",
        "This row is too long, which may come from a quote that opens a value by mistake.",
        "Rows are read with bounded memory.",
        structural=True,
    ),
    error(
        "format/broken_json",
        None,
        "fault = 'format/broken_json'",
        "This is no JSON object.",
        "What a broken object was meant to say is unknown.",
        structural=True,
    ),
    error(
        "format/repeated_key",
        None,
        "fault = 'format/repeated_key'",
        "This JSON object has the same name twice.",
        "Which of its two values counts has two readings.",
        structural=True,
    ),
    error(
        "format/nested_value",
        None,
        "fault = 'format/nested_value'",
        "A column that is read holds a list, an object, or true or false where a single text or number belongs.",
        "Which part of it is the value is unknown.",
        structural=True,
    ),
    error(
        "format/cell_error",
        None,
        "fault = 'format/cell_error'",
        "A cell of a column that is read holds an error, such as #N/A or #REF!.",
        "The workbook itself does not know the value.",
        structural=True,
    ),
    error(
        "format/too_many_columns",
        None,
        "fault IS NULL AND surplus",
        "This row has more columns than the feed; a value that holds the delimiter must be quoted.",
        "Which value belongs to which column is unknown.",
        structural=True,
    ),
    error(
        "format/too_few_columns",
        None,
        "fault IS NULL AND cells < width",
        "This row has fewer columns than the feed.",
        "Which value is absent is unknown.",
        structural=True,
    ),
    skip(
        "skipped/cancelled_order",
        _ORDER_STATUS,
        _CANCELLED,
        "This order was cancelled; the line is not counted.",
        "Nothing was sold.",
    ),
    skip(
        "skipped/pending_order",
        _ORDER_STATUS,
        f"NOT ({_CANCELLED}) AND 'pending' IN (lower(order_status_text), lower(item_status_text))",
        "This order is pending; the line is not counted until a later report has it as sold.",
        "It may still be cancelled, and its price is not known.",
    ),
    skip(
        "skipped/voided_order",
        ("payment_status",),
        "lower(payment_status_text) = 'voided'",
        "The payment of this order was voided; the line is not counted.",
        "No money was taken.",
    ),
    skip(
        "skipped/refunded_order",
        ("payment_status",),
        "lower(payment_status_text) = 'refunded'",
        "This order was refunded; the line is not counted.",
        "The money went back.",
    ),
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
        # Half a cent per unit is what rounding unit prices to cents can explain.
        "abs(revenue_given - quantity * CAST(amount_given AS DECIMAL(28,4))) > abs(quantity) * 0.005",
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

NO_ROWS = Issue(
    code="format/no_rows",
    severity=Severity.WARNING,
    message="The file has a header but no rows; nothing was counted.",
)


def ignored_columns(names: tuple[str, ...]) -> Issue:
    """Tells which columns were not read."""
    shown = ", ".join(name[:60] for name in names[:20]) + (", …" if len(names) > 20 else "")
    message = f"Columns that are not known were ignored: {shown}."
    return Issue(code="format/ignored_columns", severity=Severity.INFO, message=message)
