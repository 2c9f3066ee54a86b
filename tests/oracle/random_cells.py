"""What random feeds hold in their cells: of every field what is fine, and what is not. Knows no rules."""

from dataclasses import dataclass

from hypothesis import strategies as st

_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"))
_FINE_NAMES = [
    *("Tee", "tee", "T\u00e9e", "Te\u0301e", "Mug", " Tee ", "\u3000Tee\u00a0", "\ufeffTee", "two\nlines", "Tee\n"),
    *("'=1+1", "=1+1", "-20 bag", "'-20 bag", "@home", "+1", "'tis", "''", "NULL", "#5", "\\", "a\u200db", "\u202eeeT"),
    *("\tTee", "'\tTee", "\u65e5\u672c \U0001f3bd", "a,b;c", '5"', 'say "hi"', '"'),
]
NAMES = st.one_of(
    st.sampled_from([*_FINE_NAMES, "a|b", "x" * 255, "e\u0301" * 255]),
    st.text(_LETTERS, min_size=1, max_size=6),
)
ODD_NAMES = ["", " ", "a\tb", "a\x07b", "a\0b", "a\x85b", "x" * 256, "e\u0301" * 256, "\x07" + "x" * 256]


def _pick(text: str) -> list[str]:
    return text.split(" ")


_IDS = ["", "P1", "P1", " P2", "p1", "007", "'@1", "x" * 128]
_ODD_IDS = ["x" * 129, "a\x01b", "\0"]
_DATES = [
    *_pick(
        "2026-03-01 2026-03-02 20260302 2026-03-01T10:00Z 20260301T23:59:59.999999 1970-01-01 2024-02-29 2027-03-04"
    ),
    *(
        "2026-03-01 10:15",
        "2026-03-01T00:00:00-11:00",
        "2026-03-01 10:15:59 +0530",
        "2026-03-01 10:15 Z",
        "2026-03-01Z",
    ),
]
_ODD_DATES = [
    *_pick(
        "03/04/2026 3.4.26 12-12-2026 25/12/2026 2026/03/04 2026-3-4 2026-0304 2026-02-29 2026-13-01 soon 1772582400"
    ),
    *_pick(
        "1969-12-31 2027-03-05 9999-12-31 2026-03-04T24:00 2026-03-04T10:15:60 2026-03-04T10 2026-03-04T10:15+25:00"
    ),
    *("", " ", "2026-03-04T10:15 CET", "2026-03-04t10:15", "2026-03-04T10:15z", "4 March 2026", "03/04/2026 10:00"),
    *("2026-03-04T10:15:00,5", "2026-03-04T10:15:00.", "2026-03-04  10:15", "2026-03-04T1:15", "\u0662026-03-04"),
]
DATE_FORMATS = {
    "%d/%m/%Y": (["01/03/2026", "31/12/2026", "29/02/2024"], ["03/31/2026", "29/02/2026"]),
    "%m/%d/%Y": (["03/01/2026", "12/31/2026", "03/02/2026"], ["31/12/2026", "13/01/2026"]),
    "%Y-%d-%m": (["2026-01-03", "2026-31-12", "2026-03-02"], ["2026-03-31"]),
    "%d.%m.%y": (["01.03.26", "31.12.25"], ["01.13.26", "01.03.2026"]),
    "%d %b %Y": (["01 Mar 2026", "31 Dec 2025"], ["01 Mär 2026", "31 Feb 2026"]),
    "%Y%m%d %H:%M:%S": (["20260301 10:15:00", "20251231 23:59:59"], ["20260301 24:00:00", "20260301 10:15:60"]),
    "%d.%m.%Y %H:%M": (["01.03.2026 10:15", "31.12.2025 00:00"], ["01.03.2026", "01.03.2026 24:00"]),
    "%Y-%m-%dT%H:%M:%S%z": (["2026-03-01T23:30:00-0500", "2026-03-02T00:30:00+0100"], ["2026-03-01T23:30:00"]),
    "%m/%d/%Y %I:%M %p": (["03/01/2026 11:15 PM", "03/02/2026 12:00 AM"], ["03/01/2026 13:15 PM"]),
}
_ODD_IN_ANY_FORMAT = ["", "soon", "2026-03-01", "20260301", "2026-3-1", "2026/03/01", "1"]


TRIPLES = [
    *("3 3.33 10", "3 3.33 10.005", "3 3.33 10.0051", "-3 3.33 -10.0051", "1 10 10.005", "1 10 9.9949", "2 5 0"),
    *("8 _ 0.0004", "8 _ 0.0012", "8 _ 0.0020", "3 _ 10", "-6 _ -10", "7 _ 99999999999999.9999", "0 5 3", "0 _ 3"),
    *("1000000000 99999.9999 _", "1000000000 100000 _", "3 1.2345 _", "0 5 _", "-2 5 _", "2 _ _", "-2 5 10", "2 5 -10"),
]
"""Quantity, amount and revenue at the borders of what one says about the other; _ is blank."""


@dataclass(frozen=True)
class Cells:
    """Per field: what is fine, and what is not; and quantity, amount and revenue together."""

    fine: dict[str, st.SearchStrategy[str]]
    odd: dict[str, st.SearchStrategy[str]]
    triples: list[list[str]]


def cells(decimal_separator: str, date_format: str | None) -> Cells:
    """Written with one decimal sign and one form of date."""
    point = decimal_separator == "."
    quantity = _pick("1 2 -3 7 0 +4 1000000000 007") + (_pick("8.0 5.00 -2.0") if point else _pick("8,0 5,00 -2,0"))
    odd_quantity = ["", " ", *_pick("x 1e3 2000000000 -1000000001 1.000 1,000 2.5 2,5 -- 5- 0x1 1_0 \uff15")]
    odd_quantity += ["5.0"] if not point else ["5,0"]
    money = _pick(
        "10 3 0 0.5 3.33 0.0001 .5 1.50000 99999999999999.9999" if point else "10 3 0,5 3,33 0,0001 ,5 1,50000"
    )
    money += _pick(
        "1,234.50 1.234,50 1,234,567 19,99 0,123 1234,5" if point else "1.234 1.234,50 1.234.567 1,234 19,99"
    )
    odd_money = _pick("abc 1e3 $5 1.2.3 1,2,3 (5) 100000000000000 -100000000000000 . , - 1_000 \uff15 1,23,456")
    odd_money += _pick("1,234 -1,234 1.23456 5." if point else "1.5 12.34 1,23456 5, 1.234,")
    odd_money += ["5 EUR", "1 234", "EUR 5"]
    dates, odd_dates = (_DATES, _ODD_DATES) if date_format is None else DATE_FORMATS[date_format]
    if date_format is not None:
        odd_dates = [*odd_dates, *_ODD_IN_ANY_FORMAT]
    revenue = [*money, "-10", "26.64", "0.0004", "0.0012", "-9.99"] if point else [*money, "-10", "26,64", "0,0012"]
    return Cells(
        fine={
            "product_name": NAMES,
            "product_id": st.sampled_from(_IDS),
            "quantity": st.sampled_from(quantity),
            "amount": st.sampled_from(["", *money]),
            "revenue": st.sampled_from(["", "", *revenue]),
            "transaction_id": st.sampled_from(["", "t1", "t2", "t3", " t1", "T1"]),
            "line_id": st.sampled_from(["", "", "1", "2"]),
            "category": st.sampled_from(["", "Apparel", "apparel", "Home & Garden", "x" * 128]),
            "currency": st.sampled_from(["", "EUR", "eur", "USD", "Jpy"]),
            "occurred_at": st.sampled_from(dates),
            "seller_id": st.sampled_from(["", "seller-1", " seller-1 "]),
        },
        odd={
            "product_name": st.sampled_from(ODD_NAMES),
            "product_id": st.sampled_from(_ODD_IDS),
            "quantity": st.sampled_from(odd_quantity),
            "amount": st.sampled_from([*odd_money, "-1", "-0.0001" if point else "-0,0001"]),
            "revenue": st.sampled_from(odd_money),
            "transaction_id": st.sampled_from(_ODD_IDS),
            "line_id": st.sampled_from(_ODD_IDS),
            "category": st.sampled_from(_ODD_IDS),
            "currency": st.sampled_from(["XXQ", "EURO", "E", "\u20ac", "u\u017fd", ",EU", "EUR USD"]),
            "occurred_at": st.sampled_from(odd_dates),
            "seller_id": st.sampled_from(["seller-2", "SELLER-1"]),
        },
        triples=[triple.replace("_", "").replace(".", decimal_separator).split(" ") for triple in TRIPLES],
    )
