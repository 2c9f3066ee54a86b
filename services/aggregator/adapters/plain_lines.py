"""Adds up a small file whose every line is plain with one regular expression, without the engine.

What one statement costs the engine, however few rows there are, would be most of the time that a small file takes. As
in duckdb_plain_scan, what counts as plain decides about speed, never about the outcome: of a file that holds anything
else nothing is told here, and every line of it is judged.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import chain, repeat

from services.aggregator.adapters.duckdb_dates import ISO_TIME
from services.aggregator.adapters.duckdb_line_framing import FAULT
from services.aggregator.adapters.duckdb_plain_scan import IDS, ITEMS, QUANTITY, TEXT, PlainScan, money_pattern
from services.aggregator.adapters.duckdb_row_sql import latest_day
from services.aggregator.ports import Contribution
from services.aggregator.rules.row_rule import MAX_ID, MAX_NAME, UNIT_ROUNDING
from services.aggregator.rules.row_rules import CURRENCIES

_TEXTS = ("product_id", "product_name", "category", "currency", "occurred_at")
"""What lines are grouped by."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY_LENGTH = len("2026-03-04")
_FIRST_DAY = date(1970, 1, 1)
_ID = re.compile(TEXT)
_MOST_COLUMNS = 100
"""Of a wider file the pattern would take longer, and more memory, than it saves."""
_PLACES = Decimal("0.0001")
_TOLERATED = Decimal(UNIT_ROUNDING)

Columns = Mapping[str, Iterable[str]]
"""By field, one cell for each line, without quotes and blanks around it."""
Key = tuple[date, str, str, str, str]
Sums = tuple[int, Decimal, Decimal, int]
"""quantity, amount, revenue, lines"""
_NOTHING: Sums = (0, Decimal(0), Decimal(0), 0)


class _NotPlainError(Exception):
    """Something that only the rules can judge."""


def add_up_plain_lines(text: str, lines: int, scan: PlainScan, object_day: date) -> list[Contribution] | None:
    """What `text`, of so many lines, adds to each group, in key order; None if a line of it is not plain.

    Of `scan` everything but the path is used. Rows without a date are of `object_day`.
    """
    layout, style = scan.layout, scan.style
    is_told = "amount" in layout.columns.position and layout.columns.width <= _MOST_COLUMNS
    if not is_told or layout.preset or style.date_form_is_declared:
        return None
    if (scan.is_framed and FAULT in text) or (style.is_padded and '"' in text):
        return None
    sums: dict[Key, Sums] = {}
    try:
        columns = _columns(text.replace("\r\n", "\n"), lines - (layout.first_line - 1), scan)
        _require_plain_ids(columns)
        if scan.has_ids:
            _require_no_repeats(columns)
        for texts, added in _sums_by_text(columns).items():
            key = _key(texts, scan, object_day)
            sums[key] = _plus(sums.get(key, _NOTHING), added)
    except _NotPlainError:
        return None
    return [_contribution(key, sums[key]) for key in sorted(sums)]


def _columns(text: str, rows: int, scan: PlainScan) -> Columns:
    layout, style = scan.layout, scan.style
    field_at = {position: field for field, position in layout.columns.position.items()}
    fields = tuple(field_at.get(position, "") for position in range(layout.columns.width))
    forms = {
        "quantity": QUANTITY,
        "amount": money_pattern("amount", style),
        "revenue": f"({money_pattern('revenue', style)})?",
        "occurred_at": _DAY + (ISO_TIME if style.has_times else ""),
        "seller_id": f"({re.escape(scan.seller_id)})?",
    }
    blanks, surplus = " *" if style.is_padded else "", style.cells - len(fields)
    start = 0
    for _ in range(layout.first_line - 1):
        start = text.find("\n", start) + 1
    found = _line_pattern(layout.delimiter, fields, tuple(forms.items()), blanks, surplus).findall(text, start)
    if not rows or len(found) != rows:
        raise _NotPlainError
    around = '"' if '"' in text else " " if style.is_padded else ""
    columns = dict(zip(filter(None, fields), zip(*found, strict=True), strict=True))
    return {field: [cell.strip(around) for cell in cells] if around else cells for field, cells in columns.items()}


@lru_cache(maxsize=64)
def _line_pattern(
    delimiter: str, fields: tuple[str, ...], forms: tuple[tuple[str, str], ...], blanks: str, surplus: int
) -> re.Pattern[str]:
    """A line of which each field's cell is a group, as it stands; of a form of its own, if it has one in `forms`."""
    between = re.escape(delimiter)
    form_of = {field: re.sub(r"(?<!\\)\((?!\?)", "(?:", form) for field, form in forms}

    def cell(field: str) -> str:
        form = form_of.get(field)
        either = f'"{form}"|{blanks}{form}{blanks}' if form else f'"[^"\r\n]*"|[^"\r\n{between}]*'
        return f"({either})" if field else f"(?:{either})"

    return re.compile(f"^{between.join(map(cell, fields))}{between}{{0,{surplus}}}$", re.MULTILINE)


def _require_plain_ids(columns: Columns) -> None:
    for text in chain.from_iterable(columns.get(field, ()) for field in IDS):
        if text and (len(text) > MAX_ID or not _ID.fullmatch(text)):
            raise _NotPlainError


def _require_no_repeats(columns: Columns) -> None:
    seen: set[tuple[str, str, str]] = set()
    for transaction, *items in zip(columns["transaction_id"], *_of(columns, ITEMS), strict=False):
        if not transaction:
            continue
        kind, item = next(((kind, item) for kind, item in zip(ITEMS, items, strict=True) if item), ("", ""))
        if (transaction, kind, item) in seen:
            raise _NotPlainError
        seen.add((transaction, kind, item))


def _sums_by_text(columns: Columns) -> dict[tuple[str, ...], Sums]:
    sums: dict[tuple[str, ...], Sums] = {}
    numbers = _of(columns, ("quantity", "amount", "revenue"))
    for texts, units, price, given in zip(zip(*_of(columns, _TEXTS), strict=False), *numbers, strict=False):
        quantity, amount = int(units), _money(price)
        revenue = quantity * amount
        if given:
            expected, revenue = revenue, _money(given)
            if revenue * quantity < 0 or abs(revenue - expected) > abs(quantity) * _TOLERATED:
                raise _NotPlainError
        sums[texts] = _plus(sums.get(texts, _NOTHING), (quantity, amount, revenue, 1))
    return sums


def _of(columns: Columns, fields: tuple[str, ...]) -> list[Iterable[str]]:
    return [columns.get(field, repeat("")) for field in fields]


def _money(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def _plus(one: Sums, other: Sums) -> Sums:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def _key(texts: tuple[str, ...], scan: PlainScan, object_day: date) -> Key:
    product_id, product_name, category, currency, occurred_at = texts
    if "product_name" not in scan.layout.columns.position:
        product_name = product_id
    if not product_name or (currency and (len(currency) != 3 or f",{currency}," not in CURRENCIES)):
        raise _NotPlainError
    for text, most in ((product_id, MAX_ID), (product_name, MAX_NAME), (category, MAX_ID)):
        if not _is_plain(text, most):
            raise _NotPlainError
    day = _day(occurred_at) if "occurred_at" in scan.layout.columns.position else object_day
    if occurred_at and not _FIRST_DAY <= day <= latest_day(object_day):
        raise _NotPlainError
    return day, product_id, product_name, category, currency


def _is_plain(text: str, most: int) -> bool:
    """Whether it is understood as it stands: nothing is taken off around it, composed anew, or refused."""
    is_trimmed = text == text.strip(" ") and not text.startswith("'")
    return is_trimmed and text.isprintable() and len(text.encode()) <= most and unicodedata.is_normalized("NFC", text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:_DAY_LENGTH])
    except ValueError as error:
        raise _NotPlainError from error


def _contribution(key: Key, sums: Sums) -> Contribution:
    quantity, amount, revenue, lines = sums
    return Contribution(*key, quantity, amount.quantize(_PLACES), revenue.quantize(_PLACES), lines)
