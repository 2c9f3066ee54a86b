"""Sales planted in the aggregator's tables, and the sums over them in Python decimals."""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pymysql

from shared.runtime.mysql_address import MySqlAddress

_SALE_COLUMNS = (
    "sale_date, group_key, product_id, product_name, category, currency, quantity, amount, revenue, transactions"
)


@dataclass(frozen=True, slots=True)
class Sale:
    """What one feed adds to one group; unknown dimensions are ''."""

    day: date
    name: str
    quantity: int
    revenue: Decimal
    amount: Decimal = Decimal("1.0000")
    product_id: str = ""
    category: str = ""
    currency: str = ""
    transactions: int = 1

    @property
    def group_key(self) -> bytes:
        text = chr(31).join((self.product_id, self.name, self.category, self.currency))
        return hashlib.sha256(text.encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed and what it adds. Unless it counts, its sales are staged: they must not be seen."""

    seller_id: str
    sales: list[Sale] = field(default_factory=list)
    status: str = "DONE"
    feed_id: UUID = field(default_factory=uuid4)
    file_name: str = "sales.csv"
    received_at: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    rejected: int = 0
    lease: timedelta | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """As the aggregator decides it, and then keeps it in `counted_sha256`."""
        applied = "DONE" in (self.status, self.extra.get("earlier_status"))
        return applied and not any(self.extra.get(end) for end in ("replaced_by", "withdrawn_at", "duplicate_of"))


def plant(url: str, feeds: Iterable[Feed]) -> None:
    """As the aggregator would have left them: contributions, and totals over those of the feeds that count."""
    with _connection(url) as connection, connection.cursor() as cursor:
        for feed in feeds:
            _plant_feed(cursor, feed)
        connection.commit()


def plant_history(url: str, feed_id: UUID, steps: Iterable[tuple[datetime, str, str, dict[str, str]]]) -> None:
    """Steps (at, event, actor, detail) in the order in which they were taken."""
    with _connection(url) as connection, connection.cursor() as cursor:
        for at, event, actor, detail in steps:
            cursor.execute(
                "INSERT INTO feed_history (feed_id, at, event, actor, detail) VALUES (%s, %s, %s, %s, %s)",
                (str(feed_id), at.replace(tzinfo=None), event, actor, json.dumps(detail)),
            )
        connection.commit()


def _connection(url: str) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    address = MySqlAddress.parse(url)
    return pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
        charset="utf8mb4",
        init_command="SET time_zone = '+00:00'",
    )


def _plant_feed(cursor: pymysql.cursors.Cursor, feed: Feed) -> None:
    accepted = sum(sale.transactions for sale in feed.sales)
    sha256 = hashlib.sha256(feed.feed_id.bytes).hexdigest()
    row = {
        "feed_id": str(feed.feed_id),
        "seller_id": feed.seller_id,
        "feed_type": "transactions",
        "file_name": feed.file_name,
        "bucket": "uploads",
        "object_key": f"{feed.seller_id}/{feed.feed_id}/{feed.file_name}",
        "size_bytes": 1234,
        "sha256": sha256,
        "counted_sha256": sha256 if feed.counts else None,
        "correlation_id": f"c-{feed.feed_id}",
        "processing_status": feed.status,
        "attempts": 1,
        "rows_received": accepted + feed.rejected,
        "rows_accepted": accepted,
        "rows_rejected": feed.rejected,
        "received_at": feed.received_at.replace(tzinfo=None),
        "updated_at": feed.received_at.replace(tzinfo=None),
        **feed.extra,
    }
    names, markers = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    cursor.execute(f"INSERT INTO feeds ({names}) VALUES ({markers})", row)  # noqa: S608 - names are ours
    if feed.lease is not None:
        cursor.execute(
            "UPDATE feeds SET lease_expires_at = TIMESTAMPADD(SECOND, %s, UTC_TIMESTAMP(6)) WHERE feed_id = %s",
            (int(feed.lease.total_seconds()), str(feed.feed_id)),
        )
    for sale in feed.sales:
        values = (
            sale.day,
            sale.group_key,
            sale.product_id,
            sale.name,
            sale.category,
            sale.currency,
            sale.quantity,
            sale.amount,
            sale.revenue,
            sale.transactions,
        )
        cursor.execute(
            f"INSERT INTO contributions (feed_id, seller_id, {_SALE_COLUMNS}) VALUES ({_markers(12)})",  # noqa: S608
            (str(feed.feed_id), feed.seller_id, *values),
        )
        if feed.counts:
            cursor.execute(
                f"INSERT INTO totals (seller_id, {_SALE_COLUMNS}) VALUES ({_markers(11)})"  # noqa: S608
                " ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity), amount = amount + VALUES(amount),"
                " revenue = revenue + VALUES(revenue), transactions = transactions + VALUES(transactions)",
                (feed.seller_id, *values),
            )


def _markers(count: int) -> str:
    return ", ".join(["%s"] * count)


@dataclass(frozen=True, slots=True)
class Sum:
    """Exact sums over sales."""

    quantity: int = 0
    amount: Decimal = Decimal(0)
    revenue: Decimal = Decimal(0)
    transactions: int = 0

    def plus(self, sale: Sale) -> "Sum":
        return replace(
            self,
            quantity=self.quantity + sale.quantity,
            amount=self.amount + sale.amount,
            revenue=self.revenue + sale.revenue,
            transactions=self.transactions + sale.transactions,
        )


def sums(feeds: Iterable[Feed], key: Callable[[Feed, Sale], Hashable | None]) -> dict[Any, Sum]:
    """Over the sales of feeds that count, by `key`; a sale whose key is None is left out."""
    found: dict[Any, Sum] = defaultdict(Sum)
    for feed in feeds:
        for sale in feed.sales if feed.counts else []:
            if (of := key(feed, sale)) is not None:
                found[of] = found[of].plus(sale)
    return dict(found)


PRODUCTS = [
    ("SKU-1", "Basic White T-Shirt", "Shirts"),
    ("", "Trail Runner", "Shoes"),
    ("SKU-3", "Café Crème — 250 g", "Grocery"),
    ("", "100% Wool %(x)s Scarf", ""),
    ("SKU-5", 'O\'Brien \\ "Mug"; DROP TABLE feeds; --', "Kitchen"),
    ("SKU-6", "Trail Runner", "Shoes"),
]


def many_feeds(seed: int = 7) -> list[Feed]:
    """Feeds of two sellers over January to March 2026, in two currencies and none, returns included."""
    draw = random.Random(seed)
    feeds = []
    for number in range(6):
        sales: dict[tuple[date, bytes], Sale] = {}
        for _ in range(40):
            product_id, name, category = draw.choice(PRODUCTS)
            sale = Sale(
                day=date(2026, 1, 1) + timedelta(days=draw.randrange(90)),
                name=name,
                product_id=product_id,
                category=category,
                currency=draw.choice(["EUR", "USD", ""]),
                quantity=draw.randint(-3, 20),
                amount=Decimal(draw.randint(0, 10**8)).scaleb(-4),
                revenue=Decimal(draw.randint(-(10**8), 10**12)).scaleb(-4),
                transactions=draw.randint(1, 5),
            )
            sales[sale.day, sale.group_key] = sale
        feeds.append(
            Feed(
                seller_id=("acme", "globex")[number % 2],
                sales=list(sales.values()),
                status="IN_PROGRESS" if number == 5 else "DONE",
                file_name=f"März {number}.csv",
                received_at=datetime(2026, 4, 1, 12, 0, number, 123456, tzinfo=UTC),
                rejected=number,
                lease=timedelta(minutes=5) if number == 5 else None,
            )
        )
    return feeds
