"""Ratios of exact sums, rounded once: half even, to the four decimals that money has."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

FOUR_DECIMALS = Decimal("0.0001")
_EXACT_ENOUGH = Context(prec=90, rounding=ROUND_HALF_EVEN)
"""Sums have at most 60 digits before the decimal point and the quotient keeps four behind it."""


def ratio(total: Decimal, parts: Decimal | int) -> Decimal | None:
    """`total` ÷ `parts` with four decimals; None where there is nothing to divide by."""
    if parts == 0:
        return None
    return _EXACT_ENOUGH.divide(total, Decimal(parts)).quantize(FOUR_DECIMALS, context=_EXACT_ENOUGH)
