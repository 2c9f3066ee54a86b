"""The aggregator's tables as far as this service reads them; a contract test holds them against its migration."""

from datetime import UTC, datetime

import sqlalchemy as sa

_METADATA = sa.MetaData()

_MONEY = sa.Numeric(38, 4)


def _sales_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("seller_id", sa.String(64)),
        sa.Column("sale_date", sa.Date),
        sa.Column("group_key", sa.LargeBinary(16)),
        sa.Column("product_id", sa.String(128)),
        sa.Column("product_name", sa.String(255)),
        sa.Column("category", sa.String(128)),
        sa.Column("currency", sa.String(3)),
        sa.Column("quantity", sa.BigInteger),
        sa.Column("amount", _MONEY),
        sa.Column("revenue", _MONEY),
        sa.Column("transactions", sa.BigInteger),
    ]


feeds = sa.Table(
    "feeds",
    _METADATA,
    sa.Column("feed_id", sa.String(36)),
    sa.Column("seller_id", sa.String(64)),
    sa.Column("feed_type", sa.String(32)),
    sa.Column("file_name", sa.String(255)),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("sha256", sa.String(64)),
    sa.Column("counted_sha256", sa.String(64)),
    sa.Column("correlation_id", sa.String(64)),
    sa.Column("processing_status", sa.String(16)),
    sa.Column("earlier_status", sa.String(16)),
    sa.Column("phase", sa.String(16)),
    sa.Column("percent", sa.SmallInteger),
    sa.Column("lease_expires_at", sa.DateTime),
    sa.Column("attempts", sa.Integer),
    sa.Column("rows_received", sa.BigInteger),
    sa.Column("rows_accepted", sa.BigInteger),
    sa.Column("rows_rejected", sa.BigInteger),
    sa.Column("rows_duplicate", sa.BigInteger),
    sa.Column("rows_skipped", sa.BigInteger),
    # Text, not JSON: pydantic reads it, and MariaDB and MySQL differ only in how they store it.
    sa.Column("issue_totals", sa.Text),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_message", sa.Text),
    sa.Column("recognised", sa.Text),
    sa.Column("report_uri", sa.String(1500)),
    sa.Column("rejected_uri", sa.String(1500)),
    sa.Column("duplicate_of", sa.String(36)),
    sa.Column("replaces", sa.String(36)),
    sa.Column("replaced_by", sa.String(36)),
    sa.Column("corrects", sa.String(36)),
    sa.Column("withdrawn_at", sa.DateTime),
    sa.Column("received_at", sa.DateTime),
    sa.Column("started_at", sa.DateTime),
    sa.Column("finished_at", sa.DateTime),
)
"""One row per feed that a worker has seen. `counted_sha256`: NULL unless it counts now; `earlier_status`: of the result
that stands while it is read again."""

feed_history = sa.Table(
    "feed_history",
    _METADATA,
    sa.Column("id", sa.BigInteger),
    sa.Column("feed_id", sa.String(36)),
    sa.Column("at", sa.DateTime),
    sa.Column("event", sa.String(32)),
    sa.Column("actor", sa.String(128)),
    sa.Column("detail", sa.Text),
)
"""The steps of each feed's life; of one feed, in the order of `id`."""

contributions = sa.Table("contributions", _METADATA, sa.Column("feed_id", sa.String(36)), *_sales_columns())
"""What each feed adds to each group. A row counts only while its feed does: see mysql_conditions.counting."""

totals = sa.Table("totals", _METADATA, *_sales_columns())
"""The sum over contributions, kept in the same transaction as they are."""

READ_TABLES = (feeds, feed_history, contributions, totals)


def as_utc(stored: datetime) -> datetime:
    """Times are stored in UTC, without saying so."""
    return stored.replace(tzinfo=UTC)
