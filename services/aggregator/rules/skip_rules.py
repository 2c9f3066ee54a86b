"""Rules of rows that are rightly not counted. For the words see row_rules.py."""

from services.aggregator.rules.row_rule import RowRule, skip

_ORDER_STATUS = ("order_status", "item_status")
_CANCELLED = " OR ".join(f"lower({status}_text) IN ('cancelled', 'canceled')" for status in _ORDER_STATUS)

SKIP_RULES: tuple[RowRule, ...] = (
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
)
