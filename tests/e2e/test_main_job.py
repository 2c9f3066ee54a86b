"""The main job, end to end: a file goes in; totals, a log record, a notification and readable answers come out."""

import csv
import hashlib
import io
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.schemas.feeds import Counts, ProcessingStatus
from shared.schemas.issues import Severity
from tests.e2e.product import Inbox, Product, eventually

SAMPLE = Path(__file__).parents[1] / "samples" / "feeds" / "sample_transactions.csv"
WITH_HEADER = b"""transaction_id,product_name,category,quantity,amount,revenue,currency,occurred_at
T-1,Basic White T-Shirt,Shirts,15,20,300,EUR,2026-03-01
T-2,Basic White T-Shirt,Shirts,5,20,100,EUR,2026-03-01T23:59:59Z
T-3,Linen Shirt,Shirts,2,44.95,89.90,EUR,2026-03-02
T-4,Canvas Sneakers,Shoes,1,45.5,45.5,EUR,2026-03-02
T-5,Canvas Sneakers,Shoes,1,52.25,52.25,USD,2026-04-01
T-6,Canvas Sneakers,Shoes,two,52.25,104.50,USD,2026-04-01
T-1,Basic White T-Shirt,Shirts,15,20,300,EUR,2026-03-01
"""

Totals = dict[str, tuple[int, Decimal, Decimal, int]]
"""Product -> quantity, sum of unit prices, revenue, rows."""


def totals_of(rows: list[tuple[str, str, str, str]]) -> Totals:
    """Added up the plain way, apart from the code under test."""
    totals: dict[str, tuple[int, Decimal, Decimal, int]] = defaultdict(lambda: (0, Decimal(0), Decimal(0), 0))
    for name, quantity, amount, revenue in rows:
        had = totals[name]
        totals[name] = (had[0] + int(quantity), had[1] + Decimal(amount), had[2] + Decimal(revenue), had[3] + 1)
    return dict(totals)


def totals_from(items: list[dict[str, Any]], prefix: str = "") -> Totals:
    return {
        item["product_name"]: (
            item[f"{prefix}quantity"],
            Decimal(item[f"{prefix}amount"]),
            Decimal(item[f"{prefix}revenue"]),
            item["transactions"],
        )
        for item in items
    }


def test_a_headerless_upload_becomes_totals_a_log_record_a_notification_and_answers(
    product: Product, seller: str, inbox: Inbox
) -> None:
    content = SAMPLE.read_bytes()
    rows = [tuple(row) for row in csv.reader(io.StringIO(content.decode()))]
    assert len(rows) == 21
    good = [(row[0], row[1], row[2], row[3]) for row in rows if row[1] != "seven"]
    before = datetime.now(UTC).date()

    accepted = product.upload(content, "März sales.csv", seller_id=seller)

    assert accepted.size_bytes == len(content)
    assert accepted.sha256 == hashlib.sha256(content).hexdigest()
    assert product.status(accepted).processing_status in ProcessingStatus  # known at once, whatever it is
    feed = product.finished(accepted.feed_id)
    assert feed.processing_status is ProcessingStatus.DONE
    assert feed.counts == Counts(rows_received=21, rows_accepted=20, rows_rejected=1)
    assert (feed.seller_id, feed.file_name, feed.sha256) == (seller, "März sales.csv", accepted.sha256)
    assert feed.correlation_id == accepted.correlation_id

    records = product.all("/api/transactions", seller_id=seller)
    assert totals_from(records) == totals_of(good)
    after = datetime.now(UTC).date()
    for record in records:
        assert record["feed_id"] == str(accepted.feed_id)
        assert record["file_name"] == "März sales.csv"
        assert str(before) <= record["sale_date"] <= str(after)
        assert isinstance(record["revenue"], str), "money is a string in JSON"
    summary = product.get("/api/transactions/summary", seller_id=seller)
    assert totals_from(summary["items"], "total_") == totals_of(good)
    (grand,) = summary["totals"]
    assert grand["transactions"] == 20
    assert Decimal(grand["total_revenue"]) == sum(Decimal(row[3]) for row in good)

    (rejected,) = eventually(lambda: product.all("/api/errors", seller_id=seller), "an entry in the error log")
    assert rejected["feed_id"] == str(accepted.feed_id)
    assert [(issue["code"], issue["line"]) for issue in rejected["issues"]] == [("validation/invalid_quantity", 15)]
    assert [entry["event_type"] for entry in product.log_of(accepted.feed_id)] == ["FeedProcessed"]

    notification, attributes = inbox.about(accepted.feed_id)
    assert attributes == {"event_type": "FeedProcessed", "seller_id": seller, "severity": "WARNING"}
    assert notification.counts == feed.counts
    assert notification.correlation_id == accepted.correlation_id
    assert "März sales.csv" in notification.text


def test_a_csv_with_a_header_is_summed_by_category_and_period_and_per_currency(product: Product, seller: str) -> None:
    accepted = product.upload(WITH_HEADER, seller_id=seller)

    feed = product.finished(accepted.feed_id)

    assert feed.processing_status is ProcessingStatus.DONE
    assert feed.counts == Counts(rows_received=7, rows_accepted=5, rows_rejected=1, rows_duplicate=1)
    records = product.all("/api/transactions", seller_id=seller)
    shirt = next(record for record in records if record["product_name"] == "Basic White T-Shirt")
    assert (shirt["sale_date"], shirt["category"], shirt["currency"]) == ("2026-03-01", "Shirts", "EUR")
    assert (shirt["quantity"], Decimal(shirt["revenue"]), shirt["transactions"]) == (20, Decimal(400), 2)

    def totals(**filters: str) -> dict[str, Decimal]:
        found = product.get("/api/transactions/summary", seller_id=seller, **filters)["totals"]
        return {total["currency"]: Decimal(total["total_revenue"]) for total in found}

    assert totals() == {"EUR": Decimal("535.40"), "USD": Decimal("52.25")}
    assert totals(product_category="Shirts") == {"EUR": Decimal("489.90")}
    assert totals(start_date="2026-03-02", end_date="2026-03-02") == {"EUR": Decimal("135.40")}
    assert totals(start_date="2026-03-01", end_date="2026-03-01") == {"EUR": Decimal(400)}
    assert totals(start_date="2026-05-01") == {}


def test_a_file_dropped_into_the_bucket_takes_the_same_path(product: Product, seller: str, inbox: Inbox) -> None:
    product.drop(b"Wool Scarf,2,32.5,65\nWool Scarf,1,32.5,32.5\n", f"{seller}/exports/week 12 + extra.csv")

    feed = product.only_feed_of(seller)

    assert feed.processing_status is ProcessingStatus.DONE
    assert feed.counts == Counts(rows_received=2, rows_accepted=2)
    assert feed.file_name == "week 12 + extra.csv"
    records = product.all("/api/transactions", seller_id=seller)
    assert totals_from(records) == {"Wool Scarf": (3, Decimal(65), Decimal("97.5"), 2)}
    notification, attributes = inbox.about(feed.feed_id)
    assert notification.event_type == "FeedProcessed"
    assert attributes["severity"] == "INFO"
    assert [entry["event_type"] for entry in product.log_of(feed.feed_id)] == ["FeedProcessed"]
    assert product.all("/api/errors", seller_id=seller) == []


def test_a_file_that_is_no_feed_ends_fatal_and_is_kept_with_its_report(
    product: Product, seller: str, inbox: Inbox
) -> None:
    content = b"this,is\nno,feed\nat,all\n"

    accepted = product.upload(content, "notes.csv", seller_id=seller)
    feed = product.finished(accepted.feed_id)

    assert feed.processing_status is ProcessingStatus.FATAL
    assert feed.error is not None
    assert feed.counts is not None
    assert feed.counts.rows_accepted == 0
    assert product.all("/api/transactions", seller_id=seller) == []
    kept = product.objects(product.plane.error_bucket, f"{seller}/{accepted.feed_id}/")
    assert kept["raw/notes.csv"] == content
    assert feed.report_uri is not None
    assert feed.error.code.encode() in kept[feed.report_uri.partition(f"{accepted.feed_id}/")[2]]

    notification, attributes = inbox.about(accepted.feed_id)
    assert notification.severity is Severity.ERROR
    assert attributes == {"event_type": "FeedFailed", "seller_id": seller, "severity": "ERROR"}
    assert notification.error == feed.error
    (entry,) = product.all("/api/errors", seller_id=seller)
    assert (entry["event_type"], entry["error"]["code"]) == ("FeedFailed", feed.error.code)


def test_one_event_delivered_ten_times_counts_once(product: Product, seller: str, inbox: Inbox) -> None:
    key = f"{seller}/once.csv"
    version = product.drop(b"Leather Belt,4,25,100\n", key)

    product.repeat_s3_event(key, version, times=10)

    feed = product.only_feed_of(seller)
    product.log_of(feed.feed_id)
    inbox.about(feed.feed_id)
    eventually(product.all_queues_done, "every delivery handled")
    records = product.all("/api/transactions", seller_id=seller)
    assert totals_from(records) == {"Leather Belt": (4, Decimal(25), Decimal(100), 1)}
    assert product.only_feed_of(seller).counts == Counts(rows_received=1, rows_accepted=1)
    assert len(product.log_of(feed.feed_id)) == 1
    assert len(inbox.collect(wait_seconds=1)) == 1


def test_the_same_bytes_sent_twice_count_once_and_the_second_says_so(product: Product, seller: str) -> None:
    first = product.finished(product.upload(b"Silk Tie,4,29.9,119.6\n", "a.csv", seller_id=seller).feed_id)

    second = product.finished(product.upload(b"Silk Tie,4,29.9,119.6\n", "b.csv", seller_id=seller).feed_id)

    assert second.processing_status is ProcessingStatus.DONE
    assert second.duplicate_of == first.feed_id
    assert second.counts == Counts(rows_received=1, rows_duplicate=1)
    (record,) = product.all("/api/transactions", seller_id=seller)
    assert (record["feed_id"], record["quantity"]) == (str(first.feed_id), 4)


def test_questions_are_answered_from_the_same_totals_or_declined(product: Product, seller: str) -> None:
    product.finished(product.upload(WITH_HEADER, seller_id=seller).feed_id)

    answer = product.ask("total revenue by seller in March 2026")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    revenue = {row["seller"]: Decimal(row["revenue"]) for row in body["results"] if row["currency"] == "EUR"}
    assert revenue[seller] == Decimal("535.40")
    assert body["sql"].lower().startswith("select")
    declined = product.ask("will it rain tomorrow?")
    assert declined.status_code == 422
    assert declined.headers["content-type"].startswith("application/problem+json")
    assert declined.json()["suggestions"]
