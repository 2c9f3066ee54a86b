"""Aggregated sales as lists: records from the contributions of feeds that count, products' totals from the totals."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.query.adapters.mysql_conditions import Condition, confined_select, counting, following, within_days
from services.query.adapters.mysql_reads import MySqlReads, Row
from services.query.adapters.mysql_tables import contributions, feeds, totals
from services.query.ports import KeyedRecord, Summary
from services.query.rules.averages import ratio
from services.query.rules.confinement import Confinement
from services.query.rules.page_keys import ProductKey, TransactionKey
from services.query.rules.records import CurrencyTotal, ProductTotal, SalesFilter, TransactionRecord


class MySqlSales:
    """Reads sales."""

    def __init__(self, reads: MySqlReads) -> None:
        self._reads = reads

    async def records(
        self, chosen: SalesFilter, after: TransactionKey | None, limit: int, confinement: Confinement
    ) -> list[KeyedRecord]:
        """At most `limit` records after a key, by (sale_date, seller_id, feed_id, group)."""
        async with self._reads.snapshot() as snapshot:
            rows = await snapshot.rows(select_records(chosen, after, limit, confinement))
        return [_keyed_record(row) for row in rows]

    async def summary(
        self, chosen: SalesFilter, after: ProductKey | None, limit: int, confinement: Confinement
    ) -> Summary:
        """At most `limit` products after a key, by (name, id, currency), and the totals of all that match."""
        async with self._reads.snapshot() as snapshot:
            products = await snapshot.rows(select_products(chosen, after, limit, confinement))
            currencies = await snapshot.rows(select_currencies(chosen, confinement))
        return Summary(
            [ProductTotal(**_known(row, "product_id", "product_name"), **_sums(row)) for row in products],
            [CurrencyTotal(**_sums(row)) for row in currencies],
        )


def select_records(
    chosen: SalesFilter, after: TransactionKey | None, limit: int, confinement: Confinement
) -> sa.Select[Any]:
    c = contributions.c
    joined = [*contributions.c, feeds.c.file_name]
    statement = (
        confined_select(joined, contributions, confinement)
        .join(feeds, feeds.c.feed_id == c.feed_id)
        .where(counting(), *_matching(contributions, chosen))
        # In the order written, so that a page is a walk along one index and never a sort of everything.
        .prefix_with("STRAIGHT_JOIN")
        .limit(limit)
    )
    if chosen.feed_id is not None:
        statement = statement.where(c.feed_id == str(chosen.feed_id))
        order = ["sale_date", "group_key"]  # the primary key's, within a feed
    elif chosen.seller_id is not None or confinement.seller_id is not None:
        statement = statement.with_hint(contributions, "FORCE INDEX (by_seller_and_day)", "mysql")
        order = ["sale_date", "feed_id", "group_key"]
    else:
        # Left to itself, MySQL sorts the whole table for a first page.
        statement = statement.with_hint(contributions, "FORCE INDEX (by_day)", "mysql")
        order = ["sale_date", "seller_id", "feed_id", "group_key"]
    if after is not None:
        place = {
            "sale_date": after.sale_date,
            "seller_id": after.seller_id,
            "feed_id": str(after.feed_id),
            # As hexadecimal text: aiomysql 0.3.2 fails on bound bytes.
            "group_key": sa.func.unhex(after.group_key.hex()),
        }
        # The first condition alone says nothing new; with it, every server begins at that day.
        statement = statement.where(c.sale_date >= after.sale_date)
        statement = statement.where(following([c[name] for name in order], [place[name] for name in order]))
    return statement.order_by(*(c[name] for name in order))


def select_products(
    chosen: SalesFilter, after: ProductKey | None, limit: int, confinement: Confinement
) -> sa.Select[Any]:
    t = totals.c
    order = [t.product_name, t.product_id, t.currency]
    statement = (
        confined_select([*order, *_summed()], totals, confinement)
        .where(*_matching(totals, chosen))
        .group_by(*order)
        .having(sa.func.sum(t.transactions) > 0)
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(following(order, (after.product_name, after.product_id, after.currency)))
    return statement


def select_currencies(chosen: SalesFilter, confinement: Confinement) -> sa.Select[Any]:
    """One row per currency: a currency code has three letters, so their number needs no limit of its own."""
    t = totals.c
    return (
        confined_select([t.currency, *_summed()], totals, confinement)
        .where(*_matching(totals, chosen))
        .group_by(t.currency)
        .having(sa.func.sum(t.transactions) > 0)
        .order_by(t.currency)
    )


def _matching(table: sa.Table, chosen: SalesFilter) -> list[Condition]:
    conditions = within_days(table.c.sale_date, chosen.start_date, chosen.end_date)
    if chosen.seller_id is not None:
        conditions.append(table.c.seller_id == chosen.seller_id)
    if chosen.product_category is not None:
        conditions.append(table.c.category == chosen.product_category)
    return conditions


def _summed() -> list[sa.Label[Any]]:
    return [sa.func.sum(totals.c[name]).label(name) for name in ("quantity", "amount", "revenue", "transactions")]


def _known(row: Row, *names: str) -> dict[str, str | None]:
    """Unknown dimensions are '' in the store and null in answers."""
    return {name: row[name] or None for name in names}


def _sums(row: Row) -> dict[str, Any]:
    return {
        **_known(row, "currency"),
        "total_quantity": int(row["quantity"]),
        "total_amount": row["amount"],
        "total_revenue": row["revenue"],
        "average_price": ratio(row["revenue"], row["quantity"]),
        "transactions": int(row["transactions"]),
    }


def _keyed_record(row: Row) -> KeyedRecord:
    feed_id = UUID(row["feed_id"])
    record = TransactionRecord(
        sale_date=row["sale_date"],
        seller_id=row["seller_id"],
        feed_id=feed_id,
        file_name=row["file_name"],
        **_known(row, "product_id", "product_name", "category", "currency"),
        quantity=row["quantity"],
        amount=row["amount"],
        revenue=row["revenue"],
        average_price=ratio(row["revenue"], row["quantity"]),
        transactions=row["transactions"],
    )
    return KeyedRecord(TransactionKey(row["sale_date"], row["seller_id"], feed_id, row["group_key"]), record)
