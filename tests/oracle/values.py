"""What one cell may hold, and what it means. Every function gives a value or the code of what is wrong."""

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

_CURRENCIES = """
AED ARS AUD BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KWD MAD MXN MYR
NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR
"""
ISO_4217 = frozenset(_CURRENCIES.split())
"""Enough of them for random feeds and samples; what those hold beyond this list is no code at all."""

DIGITS = frozenset("0123456789")
LIMIT = Decimal(10) ** 14

remembered = lru_cache(maxsize=10_000)
"""Feeds say the same things again and again."""


def is_blank(character: str) -> bool:
    """White space on a line: Unicode's spaces and separators, tab, and the byte order mark."""
    return character in "\t\v\f\ufeff" or unicodedata.category(character) in ("Zs", "Zl", "Zp")


@remembered
def trimmed(cell: str) -> str:
    """A cell without white space and line ends at its edges."""
    start, end = 0, len(cell)
    while start < end and (cell[start] == "\n" or is_blank(cell[start])):
        start += 1
    while end > start and (cell[end - 1] == "\n" or is_blank(cell[end - 1])):
        end -= 1
    return cell[start:end]


@remembered
def text(cell: str) -> str:
    """As it is kept: trimmed, unguarded, line ends as spaces, in normal form C."""
    kept = trimmed(cell)
    if kept[:1] == "'" and kept[1:2] in ("=", "+", "-", "@", "\t", "\r"):
        kept = trimmed(kept[1:])
    return unicodedata.normalize("NFC", kept.replace("\n", " "))


@remembered
def text_faults(kept: str, limit: int) -> tuple[str, ...]:
    faults = []
    if any(unicodedata.category(c) == "Cc" or 0xFDD0 <= ord(c) <= 0xFDEF for c in kept):
        faults.append("validation/control_character")
    if len(kept) > limit:
        faults.append("validation/too_long")
    return tuple(faults)


def _all_digits(part: str) -> bool:
    return part != "" and set(part) <= DIGITS


def _unsigned(cell: str) -> tuple[int, str]:
    if cell[:1] in ("+", "-"):
        return (-1 if cell[0] == "-" else 1), cell[1:]
    return 1, cell


@remembered
def quantity(cell: str, decimal_sign: str) -> int | str:
    sign, body = _unsigned(cell)
    whole, dot, zeros = body.partition(decimal_sign)
    if not _all_digits(whole) or (dot and (zeros == "" or set(zeros) != {"0"} or len(zeros) == 3)):
        return "validation/invalid_quantity"
    number = sign * int(whole)
    return number if abs(number) <= 10**9 else "validation/out_of_range"


@remembered
def money(cell: str, field: str, decimal_sign: str) -> Decimal | str:
    """`field`: amount or revenue."""
    sign, body = _unsigned(cell)
    parts = _with_comma(body) if decimal_sign == "," else _with_either(body)
    if isinstance(parts, str):
        return "validation/ambiguous_number"
    if parts is None:
        return f"validation/invalid_{field}"
    whole, fraction = parts
    if len(fraction.rstrip("0")) > 4:
        return "validation/too_many_decimals"
    number = Decimal(f"{'-' if sign < 0 else ''}{whole or '0'}.{fraction or '0'}")
    return number if abs(number) < LIMIT else "validation/out_of_range"


def _with_either(body: str) -> tuple[str, str] | str | None:
    """A dot is the decimal sign unless the number can only be read otherwise."""
    commas, dots = body.count(","), body.count(".")
    if commas and dots:
        decimal, group = (".", ",") if body.rfind(".") > body.rfind(",") else (",", ".")
        whole, _, fraction = body.rpartition(decimal)
        digits = _thousands(whole, group)
        return (digits, fraction) if digits and _all_digits(fraction) else None
    if commas > 1 or dots > 1:
        digits = _thousands(body, "," if commas else ".")
        return (digits, "") if digits else None
    if commas and _thousands(body, ","):
        return "ambiguous"
    return _plain(body, "," if commas else ".")


def _with_comma(body: str) -> tuple[str, str] | None:
    whole, comma, fraction = body.partition(",")
    if "." not in whole:
        return _plain(body, ",")
    digits = _thousands(whole, ".")
    return (digits, fraction) if digits and (not comma or _all_digits(fraction)) else None


def _plain(body: str, decimal: str) -> tuple[str, str] | None:
    whole, sign, fraction = body.partition(decimal)
    if not sign:
        return (whole, "") if _all_digits(whole) else None
    return (whole, fraction) if _all_digits(fraction) and (whole == "" or _all_digits(whole)) else None


def _thousands(whole: str, group: str) -> str | None:
    """The digits of a number written in groups of three, None if it is not."""
    first, *others = whole.split(group)
    if not others or not _all_digits(first) or len(first) > 3 or first == "0":
        return None
    if not all(_all_digits(part) and len(part) == 3 for part in others):
        return None
    return first + "".join(others)


@remembered
def day(cell: str, date_format: str | None) -> date | str:
    if date_format is not None:
        try:
            return datetime.strptime(cell, date_format).date()  # noqa: DTZ007 - the day is taken as written
        except ValueError:
            return "validation/invalid_date"
    if _is_ambiguous(cell):
        return "validation/ambiguous_date"
    written, rest = (cell[:10], cell[10:]) if cell[4:5] == "-" else (f"{cell[:4]}-{cell[4:6]}-{cell[6:8]}", cell[8:])
    shape = "".join("9" if c in DIGITS else c for c in written)
    if shape != "9999-99-99" or not _is_time_and_zone(rest):
        return "validation/invalid_date"
    try:
        return date(int(written[:4]), int(written[5:7]), int(written[8:]))
    except ValueError:
        return "validation/invalid_date"


def _is_ambiguous(cell: str) -> bool:
    """Two numbers that could both be months, then a year, then maybe a time."""
    written = cell.replace("T", " ").split(" ")[0]
    for sign in "/.-":
        parts = written.split(sign)
        if len(parts) == 3 and all(map(_all_digits, parts)):
            a, b, year = parts
            return len(a) < 3 and len(b) < 3 and len(year) in (2, 4) and 1 <= int(a) <= 12 and 1 <= int(b) <= 12
    return False


def _is_time_and_zone(rest: str) -> bool:
    time = ""
    if rest[:1] in ("T", " ") and rest[1:2] in DIGITS:
        end = next((at for at, c in enumerate(rest) if at > 0 and c not in DIGITS and c not in ":."), len(rest))
        time, rest = rest[1:end], rest[end:]
        if not _is_time(time):
            return False
    zone = rest.removeprefix(" ") if rest != " " else "?"
    return zone in ("", "Z") or (zone[0] in "+-" and _is_offset(zone[1:]))


def _is_time(time: str) -> bool:
    main, dot, fraction = time.partition(".")
    parts = main.split(":")
    if len(parts) not in (2, 3) or not all(len(part) == 2 and _all_digits(part) for part in parts):
        return False
    if dot and (len(parts) != 3 or not _all_digits(fraction)):
        return False
    return int(parts[0]) < 24 and all(int(part) < 60 for part in parts[1:])


def _is_offset(offset: str) -> bool:
    digits = offset.replace(":", "", 1) if offset[2:3] == ":" else offset
    return len(digits) == 4 and _all_digits(digits) and int(digits[:2]) < 24 and int(digits[2:]) < 60


def currency(cell: str) -> str:
    """Upper case, of ASCII letters alone."""
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in cell)
