"""What the read endpoints show: aggregated records, products' totals, and the filters that choose them."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Contract, Money
from shared.schemas.feeds import ProcessingStatus


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
    """What one feed adds to one group: a seller's day, product, category and currency.

    Dimensions that the feed did not name are null. `amount` is the sum of the rows' unit prices;
    `average_price` is revenue ÷ quantity, null where the quantities cancel out.
    """

    sale_date: date
    seller_id: str = Field(examples=["acme"])
    feed_id: UUID
    file_name: str = Field(examples=["sales-2026-03.csv"])
    product_id: str | None = Field(examples=["SKU-1"])
    product_name: str | None = Field(examples=["Basic White T-Shirt"])
    category: str | None = Field(examples=["Shirts"])
    currency: str | None = Field(examples=["EUR"])
    quantity: int = Field(examples=[15])
    amount: Money = Field(examples=["20.0000"])
    revenue: Money = Field(examples=["300.0000"])
    average_price: Money | None = Field(examples=["20.0000"])
    transactions: int = Field(examples=[1])


class ProductTotal(Contract):
    """All matching sales of one product in one currency.

    A product is listed while at least one accepted row counts, also where returns cancel its sales out.
    """

    product_id: str | None = Field(examples=["SKU-1"])
    product_name: str | None = Field(examples=["Basic White T-Shirt"])
    currency: str | None = Field(examples=["EUR"])
    total_quantity: int = Field(examples=[15])
    total_amount: Money = Field(examples=["20.0000"])
    total_revenue: Money = Field(examples=["300.0000"])
    average_price: Money | None = Field(examples=["20.0000"])
    transactions: int = Field(examples=[1])


class CurrencyTotal(Contract):
    """All matching sales in one currency; never a sum across currencies."""

    currency: str | None = Field(examples=["EUR"])
    total_quantity: int = Field(examples=[15])
    total_amount: Money = Field(examples=["20.0000"])
    total_revenue: Money = Field(examples=["300.0000"])
    average_price: Money | None = Field(examples=["20.0000"])
    transactions: int = Field(examples=[1])


class SummaryPage(Contract):
    """`totals` covers every matching row, not only the page's; one entry per currency."""

    items: list[ProductTotal]
    totals: list[CurrencyTotal]
    next: str | None = None
