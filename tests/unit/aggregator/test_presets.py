"""Amazon's and Shopify's own exports: what counts, what is skipped, and that no buyer is ever named."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from services.aggregator.rules.presets import AMAZON_ALL_ORDERS, SHOPIFY_ORDERS, Preset
from tests.oracle.books import Books, expect, is_personal
from tests.oracle.layouts import fold
from tests.oracle.random_feeds import Dialect, Table, dialects, file_of
from tests.oracle.random_presets import PERSONAL, amazon_tables, shopify_tables
from tests.oracle.readings import Readers, Reading, read
from tests.oracle.returned_csv import RETURNED
from tests.oracle.slow_settings import slow_is_fine

PRESETS = Path(__file__).parents[2] / "samples" / "feeds" / "presets"
FILES = sorted(path for path in PRESETS.iterdir() if path.suffix != ".json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("presets")


def told(layout: str, books: Books) -> dict[str, Any]:
    """What came out, in the words of the JSON files. How a row's text is told without its buyer is left open."""
    counts = {name: getattr(books, name) for name in ("received", "accepted", "rejected", "duplicate", "skipped")}
    return {
        "layout": layout,
        "counts": {f"rows_{name}": number for name, number in counts.items() if number},
        "issues": [
            f"{line:>3} {severity} {code} {field}"
            for line, code, severity, field in sorted(
                (t.line, t.code, str(t.severity), "-" if _is_about_the_order(t.code) else t.field or "-")
                for t in books.issues
                if t.code != "format/ignored_columns"
            )
        ],
        "contributions": sorted(
            f"{day} {product_id or '-'} {name} {currency or '-'}: {sums.quantity} units, "
            f"{sums.amount:.4f} amount, {sums.revenue:.4f} revenue, {sums.transactions} rows"
            for (day, product_id, name, _, currency), sums in books.contributions.items()
        ),
    }


def _is_about_the_order(code: str) -> bool:
    return code.startswith("skipped/") or code == "validation/partially_refunded"


def _names_no_buyer(reading: Reading) -> None:
    for issue in reading.issues:
        assert PERSONAL.lower() not in (issue.raw or "").lower(), issue
        assert PERSONAL.lower() not in issue.message.lower(), issue
    assert PERSONAL.lower().encode() not in reading.rejected.lower()
    header = next(csv.reader(io.StringIO(reading.rejected.decode("utf-8-sig"), newline="")))
    assert [name for name in header if is_personal(reading.layout, name)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_export_is_read_as_is_written_beside_it(feed_readers: Readers, tmp_path: Path, path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    reading = read(feed_readers, tmp_path, path.read_bytes())
    assert told(reading.layout, reading.books) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_oracle_reads_a_recorded_export_so_too(path: Path) -> None:
    found = expect(path.read_bytes())
    assert told(found.layout.name, found.books) == json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("preset", "personal", "kept"),
    [
        (
            AMAZON_ALL_ORDERS,
            "ship-city ship-state ship-postal-code ship-country cpf purchase-order-number address-type buyer-email "
            "buyer-name buyer-phone-number buyer-company-name buyer-tax-registration-id buyer-vat-number "
            "buyer-citizen-id recipient-name ship-address-1 ship-phone-number bill-name bill-address-1 bill-city "
            "bill-phone-number invoice-business-legal-name invoice-business-address invoice-business-tax-id "
            "licensee-name license-number license-state customized-url customized-page gift-message-text "
            "delivery-instructions",
            "amazon-order-id merchant-order-id purchase-date last-updated-date order-status fulfillment-channel "
            "sales-channel ship-service-level product-name sku asin item-status quantity currency item-price item-tax "
            "shipping-price gift-wrap-price item-promotion-discount ship-promotion-discount promotion-ids "
            "is-business-order price-designation order-invoice-type",
        ),
        (
            SHOPIFY_ORDERS,
            "Email Phone Accepts_Marketing Billing_Name Billing_Street Billing_Address1 Billing_Company Billing_Zip "
            "Billing_Province_Name Billing_Phone Shipping_Name Shipping_Street Shipping_Address2 Shipping_Company "
            "Shipping_City Shipping_Zip Shipping_Province Shipping_Province_Name Shipping_Country Shipping_Phone Notes "
            "Note_Attributes Receipt_Number Device_ID",
            "Name Financial_Status Paid_at Currency Subtotal Shipping Shipping_Method Taxes Total Discount_Code "
            "Created_at Lineitem_quantity Lineitem_name Lineitem_sku Vendor Tags Source Payment_Method Refunded_Amount",
        ),
    ],
    ids=["amazon", "shopify"],
)
def test_of_the_documented_columns_those_about_buyers_are_personal(preset: Preset, personal: str, kept: str) -> None:
    assert [name for name in personal.split() if not preset.is_personal(name)] == []
    assert [name for name in kept.split() if preset.is_personal(name)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_buyer_is_named_in_anything_that_is_written(feed_readers: Readers, tmp_path: Path, path: Path) -> None:
    reading = read(feed_readers, tmp_path, path.read_bytes())
    assert reading.rejected_rows == reading.books.rejected > 0
    _names_no_buyer(reading)


@settings(slow_is_fine, max_examples=50)
@given(table=amazon_tables() | shopify_tables(), dialect=dialects())
def test_the_reader_and_the_oracle_agree_on_random_exports(
    feed_readers: Readers, folder: Path, table: Table, dialect: Dialect
) -> None:
    feed = file_of(table, dialect)
    expected = expect(feed.content, feed.asked)
    reading = read(feed_readers, folder, feed.content, feed.asked)
    assert told(reading.layout, reading.books) == told(expected.layout.name, expected.books)
    assert {c: n for c, n in reading.books.totals.items() if n} == expected.books.totals
    _names_no_buyer(reading)


@settings(slow_is_fine, max_examples=30)
@given(table=amazon_tables() | shopify_tables())
def test_a_line_sent_back_mended_counts_on_its_orders_day_and_in_its_currency(
    feed_readers: Readers, folder: Path, table: Table
) -> None:
    """Also a continuation line that comes back without its order's first line."""
    quantity = next(at for at, name in enumerate(table.header) if "quantity" in name)
    rows = [row for row in table.rows if row[quantity] in ("1", "2")]
    fine = read(feed_readers, folder, file_of(replace(table, rows=rows), Dialect()).content)
    spoilt = [[*row[:quantity], "?", *row[quantity + 1 :]] for row in rows]
    sent = read(feed_readers, folder, file_of(replace(table, rows=spoilt), Dialect()).content)
    returned = list(csv.reader(io.StringIO(sent.rejected.decode("utf-8-sig"), newline="")))
    column = [fold(name) for name in returned[0]].index(fold(table.header[quantity]))
    line = [fold(name) for name in returned[0]].index(fold(RETURNED[0]))
    for row in returned[1:]:
        row[column] = rows[int(row[line]) - 2][quantity]
    mended = io.StringIO(newline="")
    csv.writer(mended).writerows(returned)
    back = read(feed_readers, folder, mended.getvalue().encode())
    assert back.books.contributions == fine.books.contributions
