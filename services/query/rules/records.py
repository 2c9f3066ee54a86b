"""What the read endpoints show: aggregated records, products' totals, and the filters that choose them."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Contract, Money
from shared.schemas.feeds import ProcessingStatus

_QUANTITY = "Units sold less units returned"
_AMOUNT = "The sum of the rows' unit prices: not money taken, and no average. See `revenue` and `average_price`."
_REVENUE = "Money taken: as reported, else quantity × unit price of each row."
_AVERAGE_PRICE = "revenue ÷ quantity, rounded to four decimals, half to even; null where the quantities cancel out."
_TRANSACTIONS = "How many accepted rows of the feeds this is the sum of."


@dataclass(frozen=True, slots=True)
class SalesFilter:
    """Which sales; None means any. Both days are included."""

    start_date: date | None = None
    end_date: date | None = None
    seller_id: str | None = None
    product_category: str | None = None
    feed_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """Which feeds; `status` is the status as shown, not as stored."""

    seller_id: str | None = None
    status: ProcessingStatus | None = None


@dataclass(frozen=True, slots=True)
class ErrorFilter:
    """Which entries of the processing log."""

    seller_id: str | None = None
    feed_id: UUID | None = None


class TransactionRecord(Contract):
    """What one feed adds to one group: a seller's day, product, category and currency."""

    sale_date: date = Field(description="The day of the sales, as the feed has it; of its upload where it has none.")
    seller_id: str = Field(description="Whose sales.", examples=["acme"])
    feed_id: UUID = Field(description="The feed that this came in with: see `GET /api/feeds/{feed_id}`.")
    file_name: str = Field(description="That feed's file.", examples=["sales-2026-03.csv"])
    product_id: str | None = Field(description="null: the feed names none.", examples=["SKU-1"])
    product_name: str | None = Field(
        description="As in the feed; the product_id where it has no name.", examples=["Basic White T-Shirt"]
    )
    category: str | None = Field(description="null: the feed names none.", examples=["Shirts"])
    currency: str | None = Field(description="Three letters; null: the feed names none.", examples=["EUR"])
    quantity: int = Field(description=f"{_QUANTITY} of this group.", examples=[15])
    amount: Money = Field(description=_AMOUNT, examples=["20.0000"])
    revenue: Money = Field(description=_REVENUE, examples=["300.0000"])
    average_price: Money | None = Field(description=_AVERAGE_PRICE, examples=["20.0000"])
    transactions: int = Field(description=_TRANSACTIONS, examples=[1])


class ProductTotal(Contract):
    """All matching sales of one product in one currency.

    A product is listed while at least one accepted row counts, also where returns cancel its sales out.
    """

    product_id: str | None = Field(description="null: the feeds name none.", examples=["SKU-1"])
    product_name: str | None = Field(
        description="As in the feeds; the product_id where they have no name.", examples=["Basic White T-Shirt"]
    )
    currency: str | None = Field(description="Three letters; null: the feeds name none.", examples=["EUR"])
    total_quantity: int = Field(description=f"{_QUANTITY}.", examples=[15])
    total_amount: Money = Field(description=_AMOUNT, examples=["20.0000"])
    total_revenue: Money = Field(description=_REVENUE, examples=["300.0000"])
    average_price: Money | None = Field(description=_AVERAGE_PRICE, examples=["20.0000"])
    transactions: int = Field(description=_TRANSACTIONS, examples=[1])


class CurrencyTotal(Contract):
    """All matching sales in one currency; never a sum across currencies."""

    currency: str | None = Field(description="Three letters; null: the feeds name none.", examples=["EUR"])
    total_quantity: int = Field(description=f"{_QUANTITY}.", examples=[15])
    total_amount: Money = Field(description=_AMOUNT, examples=["20.0000"])
    total_revenue: Money = Field(description=_REVENUE, examples=["300.0000"])
    average_price: Money | None = Field(description=_AVERAGE_PRICE, examples=["20.0000"])
    transactions: int = Field(description=_TRANSACTIONS, examples=[1])


class SummaryPage(Contract):
    """`totals` covers every matching row, not only the page's; one entry per currency."""

    items: list[ProductTotal]
    totals: list[CurrencyTotal] = Field(description="One per currency, over everything that matches.")
    next: str | None = Field(default=None, description="The cursor of the next page; null on the last one.")
