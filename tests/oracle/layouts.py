"""Which column is which: headers, presets, the commissioned four columns, and the delimiter."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.oracle.fatal import Fatal
from tests.oracle.records import Record, split_records
from tests.oracle.values import is_blank

DELIMITERS = ",;\t|"
COMMISSIONED = ["product_name", "quantity", "amount", "revenue"]
RETURNED = ["rejected_line", "rejected_code", "rejected_field", "rejected_message"]

Ranks = list[list[str]]
"""A field's names: those of an earlier list come before those of a later one; within one they exclude each other."""

ALIASES: dict[str, Ranks] = {
    "product_id": [["product_id"], ["sku", "seller_sku"], ["asin"]],
    "product_name": [["product_name", "product", "title", "item_name", "product_title"]],
    "quantity": [["quantity", "qty", "units", "units_sold", "quantity_sold"]],
    "amount": [["amount", "unit_price", "price", "unit_amount"]],
    "revenue": [["revenue", "total", "line_total", "total_price", "total_revenue"]],
    "transaction_id": [["transaction_id", "order_id", "transaction"]],
    "line_id": [["line_id", "line_item_id", "order_item_id"]],
    "category": [["category", "product_category"]],
    "currency": [["currency", "currency_code"]],
    "occurred_at": [
        ["occurred_at", "date", "sale_date", "order_date", "transaction_date", "purchase_date", "timestamp"]
    ],
    "seller_id": [["seller_id", "seller", "merchant_id"]],
}
AMAZON: dict[str, Ranks] = {
    "transaction_id": [["amazon-order-id"]],
    "line_id": [["order-item-id"]],
    "occurred_at": [["purchase-date"]],
    "product_name": [["product-name"]],
    "product_id": [["sku"], ["asin"]],
    "quantity": [["quantity"]],
    "currency": [["currency"]],
    "revenue": [["item-price"]],
    "order_status": [["order-status"]],
    "item_status": [["item-status"]],
}
SHOPIFY: dict[str, Ranks] = {
    "transaction_id": [["Name"]],
    "occurred_at": [["Created at"]],
    "product_name": [["Lineitem name"]],
    "product_id": [["Lineitem sku"]],
    "quantity": [["Lineitem quantity"]],
    "amount": [["Lineitem price"]],
    "currency": [["Currency"]],
    "financial_status": [["Financial Status"]],
}
PRESETS = {
    "amazon_all_orders": (["amazon-order-id", "item-price"], AMAZON),
    "shopify_orders": (["Name", "Lineitem quantity", "Lineitem name", "Lineitem price"], SHOPIFY),
}


@dataclass(frozen=True)
class Layout:
    """`position`: where each field stands. `header`: the cells of the header, [] without one."""

    name: str
    delimiter: str
    width: int
    position: dict[str, int]
    rows: list[Record]
    header: list[str] = field(default_factory=list)

    @property
    def ignored(self) -> list[str]:
        """Columns that are not read, but for those that a rejected.csv adds."""
        returned = {fold(name) for name in RETURNED}
        used = self.position.values()
        return [
            name.strip()
            for at, name in enumerate(self.header)
            if at not in used and fold(name) and fold(name) not in returned
        ]


def fold(name: str) -> str:
    """Case, spaces, hyphens and underscores make no difference."""
    return "".join(c for c in name.casefold() if not is_blank(c) and c not in "-_\n")


def recognise(text: str) -> Layout:
    """Raises Fatal."""
    first_line, delimiters = 1, DELIMITERS
    first, _, rest = text.partition("\n")
    if first[:4].casefold() == "sep=" and len(first.rstrip(" \t")) <= 5:
        if first[4:5] not in DELIMITERS or not first[4:5]:
            raise Fatal("format/unknown_delimiter")
        first_line, delimiters, text = 2, first[4], rest
    if all(is_blank(c) or c in "\n" + delimiters for c in text):
        raise Fatal("format/empty_file")
    feed = _Text(text, first_line, delimiters)
    return _with_header(feed) or _headerless(feed)


@dataclass(frozen=True)
class _Text:
    text: str
    first_line: int
    delimiters: str

    def rows(self, delimiter: str) -> Iterator[Record]:
        """All records but the blank ones."""
        for record in split_records(self.text, delimiter, self.first_line):
            if not all(is_blank(c) or c in "\n" + delimiter for c in record.raw):
                yield record


def _with_header(feed: _Text) -> Layout | None:
    firsts = {d: next(feed.rows(d), None) for d in feed.delimiters}
    headers = {d: [fold(cell) for cell in first.cells] for d, first in firsts.items() if first}
    for preset, (needed, table) in PRESETS.items():
        for delimiter, names in headers.items():
            if all(fold(name) in names for name in needed):
                return _assign(preset, delimiter, table, list(feed.rows(delimiter)))
    aliases = {fold(name) for ranks in ALIASES.values() for rank in ranks for name in rank}
    known = {delimiter: sum(name in aliases for name in names) for delimiter, names in headers.items()}
    delimiter = max(known, key=lambda d: known[d])
    if known[delimiter] < 2:
        return None
    return _assign("header", delimiter, ALIASES, list(feed.rows(delimiter)))


def _assign(layout: str, delimiter: str, table: dict[str, Ranks], records: list[Record]) -> Layout:
    names = [fold(cell) for cell in records[0].cells]
    while not names[-1]:
        names.pop()
    position: dict[str, int] = {}
    for field_name, ranks in table.items():
        for rank in ranks:
            found = [at for at, name in enumerate(names) if name in map(fold, rank)]
            if len(found) > 1:
                raise Fatal("format/duplicate_columns")
            if found:
                position[field_name] = found[0]
                break
    has_product = "product_name" in position or "product_id" in position
    has_money = "amount" in position or "revenue" in position
    if not has_product or "quantity" not in position or not has_money:
        raise Fatal("format/missing_columns")
    return Layout(layout, delimiter, len(names), position, records[1:], records[0].cells[: len(names)])


def _headerless(feed: _Text) -> Layout:
    """Most rows must have exactly four columns."""
    written = {delimiter: list(feed.rows(delimiter)) for delimiter in feed.delimiters}
    fits = [delimiter for delimiter, records in written.items() if _most_have_four_columns(records)]
    if not fits:
        raise Fatal("format/unknown_layout")
    if len(fits) > 1:
        raise Fatal("format/ambiguous_delimiter")
    return Layout("headerless", fits[0], 4, {name: at for at, name in enumerate(COMMISSIONED)}, written[fits[0]])


def _most_have_four_columns(records: list[Record]) -> bool:
    four = [r for r in records if len(r.cells) >= 4 and all(map(is_blank, "".join(r.cells[4:]))) and not r.fault]
    return len(four) * 2 > len(records)
