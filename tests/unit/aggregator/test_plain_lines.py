"""What a small file's plain lines add up to without the engine, and what is left to the rules."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from services.aggregator.adapters.duckdb_plain_scan import PlainScan
from services.aggregator.adapters.plain_lines import add_up_plain_lines
from services.aggregator.ports import Contribution
from services.aggregator.rules.feed_sample import take_sample
from services.aggregator.rules.layouts import recognise
from services.aggregator.rules.row_style import row_style_of
from shared.schemas.feed_options import FeedOptions

DAY = date(2026, 11, 24)
HEADER = "Product name,SKU,Quantity,Unit price,Revenue,Currency,Order id,Date,Seller id,Note\n"
SHIRT = 'Shirt,S-1,2,9.50,19.00,EUR,o-1,2026-11-01,acme,"a, b"\n'


def added(text: str, *, framed: bool = False, **options: object) -> list[Contribution] | None:
    given = FeedOptions.model_validate(options)
    layout = recognise(take_sample(iter([text])))
    style = row_style_of(layout.columns, layout.sample, given)
    line_end = b"\r\n" if "\r\n" in text else b"\n"
    scan = PlainScan(Path("unused"), line_end, layout, style, "acme", is_framed=framed)
    return add_up_plain_lines(text, text.count("\n"), scan, DAY)


def group(name: str, quantity: int, amount: str, revenue: str, lines: int) -> Contribution:
    return Contribution(DAY, "", name, "", "", quantity, Decimal(amount), Decimal(revenue), lines)


@pytest.mark.parametrize(
    "text",
    [
        "shirt,2,1.5,3\nhat,1,2,\nshirt,-1,1.5,-1.5\n",
        "shirt;2;1,5;3\nhat;1;2;\nshirt;-1;1,50;-1,5\n",
        "shirt,2,1.5,3\r\nhat,1,2,\r\nshirt,-1,1.5,-1.5\r\n",
        '"shirt","2","1.5","3"\n"hat","1","2",""\nshirt,-1,1.5,-1.5\n',
        " shirt, 2, 1.5, 3\nhat ,1,2 ,\nshirt,-1,1.5,-1.5\n",
        "shirt,2,1.5,3,,\nhat,1,2,,,\nshirt,-1,1.5,-1.5\n",
        "sep=|\nshirt|2|1.5|3\nhat|1|2|\nshirt|-1|1.5|-1.5\n",
    ],
)
def test_plain_lines_are_added_up_however_they_are_written(text: str) -> None:
    assert added(text) == [group("hat", 1, "2", "2", 1), group("shirt", 1, "3", "1.5", 2)]


def test_every_column_counts() -> None:
    assert added(HEADER + SHIRT) == [
        Contribution(date(2026, 11, 1), "S-1", "Shirt", "", "EUR", 2, Decimal("9.5"), Decimal(19), 1)
    ]
    assert added(HEADER + SHIRT + SHIRT.replace("o-1", "o-2").replace("11-01", "11-01T23:59:59Z"))
    assert added(HEADER.replace("Unit", "unit").replace("Shirt", "Käse") + SHIRT)
    assert added("Käse,1,2,2\nÉté,1,2,2\n") == [group("Käse", 1, "2", "2", 1), group("Été", 1, "2", "2", 1)]


@pytest.mark.parametrize(
    ("plain", "odd"),
    [
        ("Shirt,", ","),
        ("Shirt,", " \u00a0Shirt,"),
        ("Shirt,", "'=1,"),
        ("Shirt,", "Shi\u200brt,"),
        ("Shirt,", "Cafe\u0301,"),
        ("Shirt,", "S" * 256 + ","),
        ("Shirt,", "ä" * 128 + ","),
        ("Shirt,", '5" pipe,'),
        ("Shirt,", '"5"" pipe",'),
        ("Shirt,", '"two\nlines",'),
        ("Shirt,", "\ufdd2format/x\ufdd21\ufdd2,"),
        ("S-1", "S" * 129),
        (",2,", ",0,"),
        (",2,", ",2.0,"),
        (",2,", ",1000000,"),
        (",2,", ',"2,'),
        ("9.50", "9.50001"),
        ("9.50", "1,000.00"),
        ("9.50", "-9.50"),
        ("19.00", "-19.00"),
        ("19.00", "19.02"),
        ("19.00", "1e1"),
        ("EUR", "eur"),
        ("EUR", "XYZ"),
        ("o-2", "o" * 129),
        ("o-2", "ö-2"),
        ("2026-11-01", "2026-11-31"),
        ("2026-11-01", "01.11.2026"),
        ("2026-11-01", "2027-11-26"),
        ("2026-11-01", "1969-12-31"),
        ("acme", "rival"),
        ("\n", ",more\n"),
        ("\n", "\n\n"),
    ],
)
def test_of_a_file_with_anything_else_nothing_is_told(plain: str, odd: str) -> None:
    second = SHIRT.replace("o-1", "o-2")
    assert plain in second

    assert added(HEADER + SHIRT + second, framed=True) is not None
    assert added(HEADER + SHIRT + second.replace(plain, odd), framed=True) is None


def test_of_a_wide_file_nothing_is_told_for_its_pattern_would_cost_more_than_it_saves() -> None:
    for more, is_told in ((96, True), (97, False)):
        text = "product,qty,price,more" + ",x" * more + "\nshirt,1,2," + "," * more + "\n"
        assert (added(text) is not None) == is_told


def test_what_repeats_is_left_to_the_rules() -> None:
    assert added(HEADER + SHIRT + SHIRT) is None
    assert added(HEADER + SHIRT + SHIRT.replace("S-1", "S-2")) is not None
    assert added(HEADER + SHIRT.replace("o-1", "") * 2) is not None


def test_what_the_uploader_declared_is_followed() -> None:
    text = "shirt;2;1,125;2,25\n"
    assert added(text) is None
    assert added(text, decimal_separator=",") == [group("shirt", 2, "1.125", "2.25", 1)]
    assert added(HEADER + SHIRT, date_format="%Y-%m-%d") is None
