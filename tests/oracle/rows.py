"""The rules that one row is held to, on its own."""

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from tests.oracle import values
from tests.oracle.layouts import Layout
from tests.oracle.values import LIMIT, is_blank, text, trimmed

ERROR, WARNING, INFO = "ERROR", "WARNING", "INFO"
MAX_NAME, MAX_ID = 255, 128


@dataclass(frozen=True)
class Asked:
    """What is asked of a feed beside its bytes."""

    seller_id: str = "seller-1"
    object_day: date = date(2026, 3, 4)
    charset: str | None = None
    date_format: str | None = None
    decimal_separator: str = "."

    @property
    def last_day(self) -> date:
        """A year ahead."""
        try:
            return self.object_day.replace(year=self.object_day.year + 1)
        except ValueError:  # 29 February
            return date(self.object_day.year + 1, 3, 1)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row: code, severity, field."""

    code: str
    severity: str = ERROR
    field: str | None = None


@dataclass(frozen=True)
class Sale:
    """A row that may count."""

    sale_date: date
    product_id: str
    product_name: str
    category: str
    currency: str
    quantity: int
    amount: Decimal
    revenue: Decimal


@dataclass
class Judged:
    """A row's faults, and what it says if none of them rejects it."""

    faults: list[Fault] = field(default_factory=list)
    sale: Sale | None = None
    identity: tuple[str, str, str] | None = None

    def add(self, code: str, of: str | None) -> None:
        self.faults.append(Fault(code, ERROR, of))


def structural_fault(cells: list[str], fault: str | None, width: int) -> str | None:
    """Why a row's cells cannot be matched with the columns."""
    if fault:
        return fault
    if any(not is_blank(c) and c != "\n" for cell in cells[width:] for c in cell):
        return "format/too_many_columns"
    if len(cells) < width:
        return "format/too_few_columns"
    return None


def judge(cells: dict[str, str], layout: Layout, asked: Asked) -> Judged:
    """`cells`: the row's cell of every field that the feed has."""
    judged = Judged()
    seller = trimmed(cells.get("seller_id", ""))
    if seller and seller != asked.seller_id:
        judged.add("authorization/seller_mismatch", "seller_id")
    texts = {name: text(cells.get(name, "")) for name in ("product_name", "product_id", "category")}
    texts |= {name: text(cells.get(name, "")) for name in ("transaction_id", "line_id")}
    if not texts["product_name"] and not texts["product_id"]:
        judged.add("validation/missing_value", "product_name")
    for name, kept in texts.items():
        for code in values.text_faults(kept, MAX_NAME if name == "product_name" else MAX_ID):
            judged.add(code, name)
    code_of_currency = values.currency(trimmed(cells.get("currency", "")))
    if code_of_currency and code_of_currency not in values.ISO_4217:
        judged.add("validation/invalid_currency", "currency")
    sold_on = _day(judged, cells, asked)
    quantity, amount, revenue = _figures(judged, cells, asked)
    if judged.faults:
        return judged
    assert sold_on is not None
    assert quantity is not None
    name = texts["product_name"] or texts["product_id"]
    if not texts["product_name"] and "product_name" in layout.position:
        judged.faults.append(Fault("validation/missing_product_name", WARNING, "product_name"))
    price, taken = _completed(judged, quantity, amount, revenue)
    judged.sale = Sale(sold_on, texts["product_id"], name, texts["category"], code_of_currency, quantity, price, taken)
    if texts["transaction_id"]:
        judged.identity = (texts["transaction_id"], *_item(texts["line_id"], texts["product_id"], name))
    return judged


def _item(line_id: str, product_id: str, name: str) -> tuple[str, str]:
    if line_id:
        return "line", line_id
    return ("product", product_id) if product_id else ("name", name)


def _day(judged: Judged, cells: dict[str, str], asked: Asked) -> date | None:
    if "occurred_at" not in cells:
        return asked.object_day
    cell = trimmed(cells["occurred_at"])
    read = values.day(cell, asked.date_format) if cell else "validation/missing_value"
    if isinstance(read, str):
        judged.add(read, "occurred_at")
        return None
    if not date(1970, 1, 1) <= read <= asked.last_day:
        judged.add("validation/date_out_of_range", "occurred_at")
    return read


def _figures(judged: Judged, cells: dict[str, str], asked: Asked) -> tuple[int | None, Decimal | None, Decimal | None]:
    quantity: int | None = None
    cell = trimmed(cells["quantity"])
    counted = values.quantity(cell, asked.decimal_separator) if cell else "validation/missing_value"
    if isinstance(counted, str):
        judged.add(counted, "quantity")
    else:
        quantity = counted
    money: dict[str, Decimal] = {}
    written = {name: trimmed(cells.get(name, "")) for name in ("amount", "revenue")}
    if not any(written.values()):
        judged.add("validation/missing_value", "amount")
    for name, cell in written.items():
        read = values.money(cell, name, asked.decimal_separator) if cell else None
        if isinstance(read, str):
            judged.add(read, name)
        elif read is not None:
            money[name] = read
    amount, revenue = money.get("amount"), money.get("revenue")
    if amount is not None and amount < 0:
        judged.add("validation/negative_amount", "amount")
    if quantity and revenue and (quantity < 0) != (revenue < 0):
        judged.add("validation/sign_mismatch", "revenue")
    if not written["revenue"] and quantity is not None and amount is not None and amount >= 0:
        with localcontext(prec=60):
            if abs(quantity * amount) >= LIMIT:
                judged.add("validation/out_of_range", "revenue")
    return quantity, amount, revenue


def _completed(
    judged: Judged, quantity: int, amount: Decimal | None, revenue: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Amount and revenue, one of them derived if it is absent; and the warnings that they call for."""
    if quantity == 0:
        judged.faults.append(Fault("validation/zero_quantity", WARNING, "quantity"))
    with localcontext(prec=60):
        if amount is not None and revenue is not None:
            if abs(revenue - quantity * amount) > abs(quantity) * Decimal("0.005"):
                judged.faults.append(Fault("validation/revenue_mismatch", WARNING, "revenue"))
            return amount, revenue
        if amount is not None:
            return amount, quantity * amount
        assert revenue is not None
        price = revenue / quantity if quantity else Decimal(0)
        return price.quantize(Decimal("0.0001"), ROUND_HALF_EVEN), revenue
