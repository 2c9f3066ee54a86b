"""A whole feed: what is counted, what is rejected and why, and what it adds up to."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from functools import partial

from tests.oracle.layouts import Layout, fold, recognise
from tests.oracle.records import Record, decode
from tests.oracle.rows import ERROR, INFO, WARNING, Asked, Fault, Judged, Sale, judge, structural_fault
from tests.oracle.values import trimmed

RAW_CHARACTERS = 500
Key = tuple[date, str, str, str, str]


@dataclass(frozen=True, order=True)
class Told:
    """One issue. `line` is 0 for what concerns the feed as a whole."""

    line: int
    code: str
    severity: str
    field: str
    raw: str


@dataclass(frozen=True)
class Sums:
    """What one group adds up to."""

    quantity: int
    amount: Decimal
    revenue: Decimal
    transactions: int


@dataclass
class Books:
    """All that a feed comes to. `totals`: rows per code. `issues` are sorted."""

    received: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    skipped: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    issues: list[Told] = field(default_factory=list)
    contributions: dict[Key, Sums] = field(default_factory=dict)


@dataclass(frozen=True)
class RejectedRow:
    """`cells` is None for a row that could not be matched with the columns. `codes`: its errors."""

    line: int
    raw: str
    cells: list[str] | None
    codes: frozenset[tuple[str, str]]


@dataclass
class Expected:
    """What a reader must make of a feed."""

    layout: Layout
    books: Books
    rejected_rows: list[RejectedRow]


def expect(content: bytes, asked: Asked | None = None) -> Expected:
    """Raises Fatal."""
    asked = asked or Asked()
    layout = recognise(decode(content, asked.charset))
    feed = _Feed(layout, asked)
    for record in layout.rows:
        feed.take(record)
    return Expected(layout, feed.closed(), feed.rejected_rows)


class _Feed:
    def __init__(self, layout: Layout, asked: Asked) -> None:
        self._layout, self._asked = layout, asked
        self._books = Books()
        self._sales: list[Sale] = []
        self._known: dict[tuple[str, str, str], Sale] = {}
        self._orders: dict[str, dict[str, str]] = {}
        self.rejected_rows: list[RejectedRow] = []

    def take(self, record: Record) -> None:
        self._books.received += 1
        code = structural_fault(record.cells, record.fault, self._layout.width)
        if code:
            self._reject(record, [Fault(code)], None)
            return
        cells = {name: record.cells[at] for name, at in self._layout.position.items()}
        if self._layout.name == "shopify_orders":
            cells = self._with_order(cells)
        if skipped := _skip(self._layout.name, cells):
            self._books.skipped += 1
            self._tell(record, [skipped])
            return
        judged = judge(cells, self._layout, self._asked)
        if judged.sale is None:
            self._reject(record, judged.faults, record.cells)
            return
        if trimmed(cells.get("financial_status", "")).lower() == "partially_refunded":
            judged.faults.append(Fault("validation/partially_refunded", WARNING, None))
        self._count(record, judged, judged.sale)

    def _with_order(self, cells: dict[str, str]) -> dict[str, str]:
        """A continuation line takes what stands on its order's first line alone."""
        name = trimmed(cells["transaction_id"])
        order = self._orders.setdefault(name, cells) if name else cells
        carried = {
            part: order[part]
            for part in ("occurred_at", "currency", "financial_status")
            if part in cells and not trimmed(cells[part])
        }
        return cells | carried

    def _count(self, record: Record, judged: Judged, sale: Sale) -> None:
        if judged.identity is None or judged.identity not in self._known:
            if judged.identity is not None:
                self._known[judged.identity] = sale
            self._sales.append(sale)
            self._books.accepted += 1
            self._tell(record, judged.faults)
        elif self._known[judged.identity] == sale:
            self._books.duplicate += 1
            self._tell(record, [*judged.faults, Fault("validation/duplicate", WARNING, "transaction_id")])
        else:
            conflict = Fault("validation/conflicting_duplicate", ERROR, "transaction_id")
            self._reject(record, [*judged.faults, conflict], record.cells)

    def _reject(self, record: Record, faults: list[Fault], cells: list[str] | None) -> None:
        self._books.rejected += 1
        self._tell(record, faults)
        codes = frozenset((fault.code, fault.field or "") for fault in faults if fault.severity == ERROR)
        self.rejected_rows.append(RejectedRow(record.line, record.raw, cells and cells[: self._layout.width], codes))

    def _tell(self, record: Record, faults: list[Fault]) -> None:
        if not faults:
            return
        raw = shown(record.raw[:RAW_CHARACTERS])
        for fault in faults:
            self._books.issues.append(Told(record.line, fault.code, fault.severity, fault.field or "", raw))

    def closed(self) -> Books:
        books = self._books
        rows = {(told.line, told.code) for told in books.issues}
        books.totals = dict(Counter(code for _, code in rows))
        tell = partial(Told, line=0, field="", raw="")
        if self._layout.header and books.received == 0:
            books.issues.append(tell(code="format/no_rows", severity=WARNING))
        if self._layout.ignored:
            books.issues.append(tell(code="format/ignored_columns", severity=INFO))
        books.issues.sort()
        books.contributions = _sums(self._sales)
        return books


def shown(raw: str) -> str:
    """How a reader shows line ends, NUL and noncharacters in an issue's text is its own affair."""
    text = raw.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return "".join("\ufffd" if c == "\0" or 0xFDD0 <= ord(c) <= 0xFDEF else c for c in text)


def _skip(layout: str, cells: dict[str, str]) -> Fault | None:
    """Rows that a marketplace's export holds though nothing was sold."""
    if layout == "amazon_all_orders":
        states = {trimmed(cells.get(name, "")).lower() for name in ("order_status", "item_status")}
        for state, code in (("cancelled", "skipped/cancelled_order"), ("pending", "skipped/pending_order")):
            if state in states:
                return Fault(code, INFO, None)
    if layout == "shopify_orders":
        state = trimmed(cells.get("financial_status", "")).lower()
        if state in ("voided", "refunded"):
            return Fault(f"skipped/{state}_order", INFO, None)
    return None


def _sums(sales: list[Sale]) -> dict[Key, Sums]:
    groups: dict[Key, list[Sale]] = {}
    for sale in sales:
        key = (sale.sale_date, sale.product_id, sale.product_name, sale.category, sale.currency)
        groups.setdefault(key, []).append(sale)
    with localcontext(prec=60):
        return {
            key: Sums(
                sum(sale.quantity for sale in group),
                sum((sale.amount for sale in group), Decimal(0)),
                sum((sale.revenue for sale in group), Decimal(0)),
                len(group),
            )
            for key, group in groups.items()
        }


def is_personal(layout: str, column: str) -> bool:
    """Whether a preset's column holds the buyers' data, and is dropped before anything is written."""
    name = fold(column)
    if layout == "amazon_all_orders":
        return name.startswith(("buyer", "recipient", "shipaddress", "shipphone", "invoicebusiness")) or name in map(
            fold, ("ship-city", "ship-state", "ship-postal-code", "ship-country", "purchase-order-number", "cpf")
        )
    if layout == "shopify_orders":
        of_address = name.startswith(("billing", "shipping")) and name not in ("shipping", "shippingmethod")
        return of_address or name in map(fold, ("Email", "Phone", "Notes", "Note Attributes"))
    return False
