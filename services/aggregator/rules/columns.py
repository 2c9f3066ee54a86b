"""The one table of column names that sellers use, and what a feed's header means by it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

AliasTable = Mapping[str, tuple[tuple[str, ...], ...]]

ALIASES: AliasTable = {
    # field -> groups in order of rank. Two columns of one group are two columns for one field, which is refused;
    # of two columns in different groups the first group's counts and the other is ignored.
    "product_id": (("product id",), ("sku", "seller sku"), ("asin",)),
    "product_name": (("product name", "product", "title", "item name", "product title"),),
    "quantity": (("quantity", "qty", "units", "units sold", "quantity sold"),),
    "amount": (("amount", "unit price", "price", "unit amount"),),
    "revenue": (("revenue", "total", "line total", "total price", "total revenue"),),
    "transaction_id": (("transaction id", "order id", "transaction"),),
    "line_id": (("line id", "line item id", "order item id"),),
    "category": (("category", "product category"),),
    "currency": (("currency", "currency code"),),
    "occurred_at": (
        ("occurred at", "date", "sale date", "order date", "transaction date", "purchase date", "timestamp"),
    ),
    "seller_id": (("seller id", "seller", "merchant id"),),
}

STATUSES: tuple[str, ...] = ("order_status", "item_status", "payment_status")
"""What a column can mean in presets only."""

FIELDS: tuple[str, ...] = (*ALIASES, *STATUSES)
"""All that a column can mean."""

COMMISSIONED: tuple[str, ...] = ("product_name", "quantity", "amount", "revenue")
"""The columns of a feed without a header, in their order."""

RETURNED_COLUMNS: tuple[str, ...] = ("rejected line", "rejected code", "rejected field", "rejected message")
"""What a rejected.csv adds to the seller's own columns; ignored without a word when it comes back."""


def fold(name: str) -> str:
    """A column name without what sellers vary: case, spaces, hyphens, underscores."""
    return re.sub(r"[\s\-_\u00a0\ufeff]+", "", name).casefold()


_RETURNED = frozenset(fold(name) for name in RETURNED_COLUMNS)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each field of a feed stands (zero-based), out of `width` columns, and what was ignored."""

    width: int
    position: dict[str, int]
    ignored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()


KnownNames = Mapping[str, tuple[str, int]]
"""Folded column name → the field it means, and its rank among the columns for that field."""


def names_of(aliases: AliasTable) -> KnownNames:
    return {
        fold(name): (field, rank) for field, groups in aliases.items() for rank, g in enumerate(groups) for name in g
    }


_GENERIC = names_of(ALIASES)


def known_names(cells: Sequence[str]) -> int:
    """How many of these cells are names of columns; a header has at least two."""
    return sum(fold(cell) in _GENERIC for cell in cells)


def is_returned(column: str) -> bool:
    """Whether a rejected.csv added this column."""
    return fold(column) in _RETURNED


def read_header(cells: Sequence[str], names: KnownNames = _GENERIC) -> Columns:
    """Assigns a header's cells to fields. The caller refuses the feed when `missing` or `doubled` is not empty."""
    width = max((i + 1 for i, cell in enumerate(cells) if fold(cell)), default=0)
    best: dict[str, tuple[int, int]] = {}
    ignored: list[str] = []
    doubled: set[str] = set()
    for position, cell in enumerate(cells[:width]):
        known = names.get(fold(cell))
        if known is None:
            if fold(cell) and not is_returned(cell):
                ignored.append(cell.strip())
            continue
        name, rank = known
        if name not in best or rank < best[name][0]:
            if name in best:
                ignored.append(cells[best[name][1]].strip())
                doubled.discard(name)
            best[name] = (rank, position)
        elif rank == best[name][0]:
            doubled.add(name)
        else:
            ignored.append(cell.strip())
    found = {name: position for name, (_, position) in best.items()}
    return Columns(width, found, tuple(ignored), _missing(found), tuple(sorted(doubled)))


def _missing(found: dict[str, int]) -> tuple[str, ...]:
    wanted = (("product_name", "product_id"), ("quantity",), ("amount", "revenue"))
    return tuple(" or ".join(names) for names in wanted if not any(name in found for name in names))
