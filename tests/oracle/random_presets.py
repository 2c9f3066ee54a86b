"""Random exports of two marketplaces: orders in every state, lines that carry less than their order's first."""

from hypothesis import strategies as st

from tests.oracle.random_feeds import Table
from tests.oracle.rows import Asked

PERSONAL = "Zq9"
"""Stands in every cell about a buyer."""

_NAMES = st.sampled_from(["Tee", "Mug", "Wool Scarf, grey", ""])
_IDS = st.sampled_from(["TS-1", "MG-1", ""])
_QUANTITIES = st.sampled_from(["1", "2", "1", "0", "x", ""])
_PRICES = st.sampled_from(["10.00", "19.99", "0.00", "", "1,234"])
_CURRENCIES = st.sampled_from(["EUR", "USD", "", "EURO"])

AMAZON_COLUMNS = [
    *(
        "amazon-order-id",
        "purchase-date",
        "order-status",
        "sales-channel",
        "product-name",
        "sku",
        "asin",
        "item-status",
    ),
    *("quantity", "currency", "item-price", "item-tax", "ship-city", "ship-postal-code", "buyer-name", "cpf"),
]
SHOPIFY_COLUMNS = [
    *("Name", "Email", "Financial Status", "Currency", "Total", "Created at", "Lineitem quantity", "Lineitem name"),
    *("Lineitem price", "Lineitem sku", "Billing Name", "Shipping Zip", "Notes", "Phone"),
]


@st.composite
def amazon_tables(draw: st.DrawFn) -> Table:
    states = st.sampled_from(["Shipped", "Cancelled", "Pending", "CANCELLED", "pending", "Unshipped", ""])
    dates = st.sampled_from(["2026-03-01T09:14:22+00:00", "2026-03-02T00:00:00Z", "soon"])
    orders = st.sampled_from(["111-1", "111-2", "111-3"])
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        row = [draw(orders), draw(dates), draw(states), "Amazon.de", draw(_NAMES), draw(_IDS), "B01", draw(states)]
        row += [draw(_QUANTITIES), draw(_CURRENCIES), draw(_PRICES), "1.00", *[PERSONAL] * 4]
        rows.append(row)
    return Table(AMAZON_COLUMNS, AMAZON_COLUMNS, rows, Asked())


@st.composite
def shopify_tables(draw: st.DrawFn) -> Table:
    states = st.sampled_from(["paid", "pending", "refunded", "voided", "partially_refunded", "Refunded", ""])
    dates = st.sampled_from(["2026-02-28 23:30:00 -0500", "2026-03-02 10:00:00 +0100", "", "03/04/2026"])
    rows = []
    for order in draw(st.lists(st.sampled_from(["#1", "#2", "#3"]), max_size=4)):
        of_order = [draw(states), draw(_CURRENCIES), "99.99", draw(dates)]
        for number in range(draw(st.integers(1, 3))):
            shown = of_order if number == 0 else [""] * 4
            item = [draw(_QUANTITIES), draw(_NAMES), draw(_PRICES), draw(_IDS)]
            rows.append([order, PERSONAL, *shown, *item, *[PERSONAL] * 4])
    return Table(SHOPIFY_COLUMNS, SHOPIFY_COLUMNS, rows, Asked())
