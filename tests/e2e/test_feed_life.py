"""A feed's life beyond its first reading, on the real stack: corrected, replaced, read anew, withdrawn, remembered."""

import csv
import gzip
import io
from decimal import Decimal

from shared.schemas.feeds import Counts, ProcessingStatus
from tests.e2e.product import Product, eventually

FAULTY = b"transaction_id;product;qty;unit price;date\nA1;Shirt;2;9,50;2026-11-01\nA2;Shirt;two;9,50;2026-11-01\n"
ALL = FAULTY.replace(b"two", b"3") + b"A3;Hat;1;20,00;2026-11-02\n"


def revenues(product: Product, seller: str) -> dict[str, Decimal]:
    items = product.get("/api/transactions/summary", seller_id=seller)["items"]
    return {item["product_name"]: Decimal(item["total_revenue"]) for item in items}


def events(product: Product, feed_id: object) -> list[str]:
    return [entry["event"] for entry in product.all(f"/api/feeds/{feed_id}/history")]


def test_rejected_rows_come_back_are_mended_and_count_once(product: Product, seller: str) -> None:
    content = FAULTY.replace(b"two;9,50", b"two;1.500")
    faulty = product.finished(product.upload(content, "sales.csv", seller_id=seller, decimal_separator=",").feed_id)
    assert faulty.counts == Counts(rows_received=2, rows_accepted=1, rows_rejected=1)
    report = product.get(f"/api/feeds/{faulty.feed_id}/report")
    assert [(issue["line"], issue["field"], issue["code"]) for issue in report["issues"]] == [
        (3, "quantity", "validation/invalid_quantity")
    ]
    answer = product.http.get(
        f"{product.stack.url('query')}/api/feeds/{faulty.feed_id}/rejected", follow_redirects=True
    )
    returned = answer.content.decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(returned))
    assert (row["transaction_id"], row["qty"], row["rejected_code"]) == ("A2", "two", "validation/invalid_quantity")

    mended = returned.replace("two", "3").encode()
    correction = product.finished(
        product.upload(mended, "mended.csv", seller_id=seller, corrects=str(faulty.feed_id)).feed_id
    )

    assert correction.counts == Counts(rows_received=1, rows_accepted=1)
    assert revenues(product, seller) == {"Shirt": 19 + 3 * Decimal(1500)}, "read with the options of what it corrects"
    corrected = product.finished(faulty.feed_id)
    assert (corrected.corrected_by, corrected.rows_corrected) == ([correction.feed_id], 1)
    assert events(product, faulty.feed_id)[-1] == "corrected"


def test_a_replacement_takes_back_what_it_replaces_and_a_withdrawal_all_of_it(product: Product, seller: str) -> None:
    first = product.finished(product.upload(FAULTY, "sales.csv", seller_id=seller).feed_id)
    second = product.finished(
        product.upload(gzip.compress(ALL), "sales.csv.gz", seller_id=seller, replaces=str(first.feed_id)).feed_id
    )
    assert second.counts == Counts(rows_received=3, rows_accepted=3)
    assert second.recognised is not None
    assert second.recognised.compression == "gzip"
    assert revenues(product, seller) == {"Shirt": Decimal("47.50"), "Hat": Decimal(20)}
    assert product.finished(first.feed_id).replaced_by == second.feed_id

    changes = f"{product.stack.url('aggregator')}/api/feeds/{second.feed_id}"
    assert product.http.post(f"{changes}/reprocess").status_code == 202
    eventually(lambda: events(product, second.feed_id).count("applied") == 2, "the feed is read anew")
    assert revenues(product, seller) == {"Shirt": Decimal("47.50"), "Hat": Decimal(20)}

    for _ in range(2):
        answer = product.http.delete(changes)
        assert answer.status_code == 200, answer.text
    assert revenues(product, seller) == {}
    withdrawn = product.finished(second.feed_id)
    assert withdrawn.processing_status is ProcessingStatus.DONE
    assert withdrawn.withdrawn_at is not None
    assert events(product, second.feed_id).count("withdrawn") == 1


def test_a_new_version_of_a_key_takes_the_place_of_the_one_before(product: Product, seller: str) -> None:
    key = f"{seller}/daily.csv"
    old = product.drop(b"shirt,1,10,10\n", key)
    product.only_feed_of(seller)
    product.drop(b"shirt,2,10,20\nhat,1,5,5\n", key)
    expected = {"shirt": Decimal(20), "hat": Decimal(5)}
    eventually(lambda: revenues(product, seller) == expected, "the new version counts alone")
    product.repeat_s3_event(key, old, 3)
    eventually(product.all_queues_done, "the repeated events are worked off")
    assert revenues(product, seller) == expected
