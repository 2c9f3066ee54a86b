"""Layouts of real marketplaces' exports, by name: which header tells them, what their columns mean, what is private.

Sources: Amazon Selling Partner API, "Flat File All Orders Report"; Shopify Help Center, "Exporting orders to a CSV
file". Columns are compared as columns.fold() leaves them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.aggregator.rules.columns import Columns, KnownNames, fold, names_of, read_header


@dataclass(frozen=True, slots=True)
class Preset:
    """`signature`: columns that only this export has. `names`: the only ones that mean something in it.

    `personal`: beginnings of the names of columns with buyers' personal data: dropped before anything is written.
    `carried`: fields that an order's further lines leave blank, and take from its first.
    """

    name: str
    signature: frozenset[str]
    names: KnownNames
    personal: tuple[str, ...]
    carried: tuple[str, ...] = ()

    def is_personal(self, column: str) -> bool:
        return fold(column).startswith(self.personal)


def _folded(*names: str) -> tuple[str, ...]:
    return tuple(fold(name) for name in names)


AMAZON_ALL_ORDERS = Preset(
    name="amazon_all_orders",
    signature=frozenset(_folded("amazon-order-id", "item-price")),
    names=names_of(
        {
            "transaction_id": (("amazon-order-id",),),
            "line_id": (("order-item-id",),),
            "occurred_at": (("purchase-date",),),
            "order_status": (("order-status",),),
            "item_status": (("item-status",),),
            "product_name": (("product-name",),),
            "product_id": (("sku",), ("asin",)),
            "quantity": (("quantity",),),
            "currency": (("currency",),),
            # The price of the whole line, not of one unit.
            "revenue": (("item-price",),),
        }
    ),
    personal=_folded(
        "buyer",
        "recipient",
        "purchaser",
        "ship-address",
        "ship-city",
        "ship-state",
        "ship-postal-code",
        "ship-country",
        "ship-phone",
        "bill-address",
        "bill-city",
        "bill-state",
        "bill-postal-code",
        "bill-country",
        "bill-name",
        "bill-phone",
        "invoice-business",
        "license",
        "purchase-order-number",
        "address-type",
        "delivery-instructions",
        "gift-message",
        "customized-url",
        "customized-page",
        "cpf",
        "tax-registration",
        "customer",
    ),
)

SHOPIFY_ORDERS = Preset(
    name="shopify_orders",
    signature=frozenset(_folded("Name", "Lineitem quantity", "Lineitem name", "Lineitem price")),
    names=names_of(
        {
            "transaction_id": (("Name",),),
            "occurred_at": (("Created at",),),
            "payment_status": (("Financial Status",),),
            "product_name": (("Lineitem name",),),
            "product_id": (("Lineitem sku",),),
            "quantity": (("Lineitem quantity",),),
            "amount": (("Lineitem price",),),
            "currency": (("Currency",),),
        }
    ),
    personal=_folded(
        "Email",
        "Phone",
        "Billing",
        "Shipping Name",
        "Shipping Street",
        "Shipping Address",
        "Shipping Company",
        "Shipping City",
        "Shipping Zip",
        "Shipping Province",
        "Shipping Country",
        "Shipping Phone",
        "Notes",
        "Note Attributes",
        "Customer",
        "Accepts Marketing",
        "Receipt Number",
        "Device ID",
    ),
    carried=("occurred_at", "currency", "payment_status"),
)

PRESETS = (AMAZON_ALL_ORDERS, SHOPIFY_ORDERS)


def preset_of(header: Sequence[str]) -> Preset | None:
    """The preset whose export this header is."""
    names = {fold(cell) for cell in header}
    return next((preset for preset in PRESETS if preset.signature <= names), None)


def columns_of(header: Sequence[str]) -> Columns:
    """What a header's columns mean: as its preset has it, if it has one."""
    preset = preset_of(header)
    return read_header(header, preset.names) if preset else read_header(header)
