"""How a value that has a type (a JSON or Parquet number, an Excel date) is written as the text of a cell.

The text is then judged like any seller's own. So it must have one reading, and be the value: nothing here repairs
what the rules would refuse, and no decimal passes through a float that was none before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from math import isfinite

from services.aggregator.rules.presets import columns_of

MONEY = frozenset(("amount", "revenue"))
NUMBERS = MONEY | {"quantity"}
TEXTS = frozenset(("product_id", "product_name", "category", "transaction_id", "line_id"))

_MONEY_STEP = Decimal("0.0001")
_BINARY_DIGITS = 15
"""Decimal digits that a binary float of 64 bits always holds; Excel shows no more."""


class Unfit(Exception):
    """A value that no cell of this column can hold; `code` is that of the row rule that tells it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


NESTED = "format/nested_value"


def fields_of(names: Sequence[str]) -> list[str | None]:
    """The field that each column feeds, None for those that are ignored."""
    field_at = {position: field for field, position in columns_of(names).position.items()}
    return [field_at.get(position) for position in range(len(names))]


@dataclass(frozen=True, slots=True)
class Writing:
    """How this feed's sender wants numbers and dates to be read; typed values are written the same way."""

    decimal_separator: str = "."
    date_format: str | None = None

    def number(self, written: str, field: str | None) -> str:
        """A decimal number as JSON writes it. Only what has a fifth decimal in a column of money is rounded."""
        if field not in NUMBERS:
            return written
        whole, _, decimals = written.partition(".")
        if "e" in written or "E" in written:
            if field in MONEY:
                written = _rounded(written)
        elif field == "quantity" and not decimals.strip("0"):
            written = whole
        elif field in MONEY and len(decimals) > 4:
            written = _rounded(written)
        return self._signed(written)

    def exact(self, value: Decimal | int, field: str | None) -> str:
        """A decimal of a fixed number of places, kept as it is."""
        written = f"{value:f}" if isinstance(value, Decimal) else str(value)
        if field == "quantity" and "." in written:
            whole, _, decimals = written.partition(".")
            written = written if decimals.strip("0") else whole
        return self._signed(written) if field in NUMBERS else written

    def binary(self, value: float, field: str | None) -> str:
        """A binary float: in columns of money the nearest number of four decimals to the one it is written as."""
        if not isfinite(value):
            return str(value)
        written = repr(value)
        if field == "quantity":
            written = format(value, f".{_BINARY_DIGITS}g")
        if "e" in written:
            written = f"{Decimal(written):f}"
        if field in MONEY and len(written.partition(".")[2]) > 4:
            written = _rounded(written)
        if "." in written:
            written = written.rstrip("0").rstrip(".")
        return self._signed(written) if field in NUMBERS else written

    def boolean(self, value: bool, field: str | None) -> str:
        """`true` or `false`, which no rule takes for a number or a date. Raises Unfit where any text would do."""
        if field in TEXTS:
            raise Unfit(NESTED)
        return "true" if value else "false"

    def moment(self, value: date, field: str | None) -> str:
        """A date, or a timestamp: with a zone it is told in UTC."""
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a day has no zone
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        if field == "occurred_at" and self.date_format:
            if "%y" in self.date_format.replace("%%", "") and not 1969 <= moment.year <= 2068:
                # Two digits would name another century. This form is none that the format asks for: it is refused.
                return moment.isoformat()
            # A format may ask for a zone; the day of a time without one is taken as written.
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).strftime(self.date_format)
        if moment.tzinfo is None and moment.time() == moment.time().min:
            return moment.date().isoformat()
        return moment.isoformat().replace("+00:00", "Z")

    def _signed(self, written: str) -> str:
        whole, point, decimals = written.partition(".")
        if not point or self.decimal_separator == ".":
            return written
        # Three decimals after a comma would look like thousands to some.
        return f"{whole}{self.decimal_separator}{decimals}{'0' * (len(decimals) == 3)}"


def _rounded(written: str) -> str:
    """To four decimals, half even; as written if it has no fifth, or is larger than any money."""
    try:
        value = Decimal(written)
    except InvalidOperation:  # an exponent beyond all bounds
        return written
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -4 or value.adjusted() > 20:
        return written
    with localcontext(prec=60):
        return f"{value.quantize(_MONEY_STEP, ROUND_HALF_EVEN):f}"
