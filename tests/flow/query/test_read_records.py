"""The read flow with fakes: pages, the receipt that stands in for a feed, and whose records are shown."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from services.query.errors import UnknownFeed
from services.query.ports import KeyedRecord
from services.query.read_records import ReadRecords
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.page_keys import TransactionKey
from services.query.rules.records import ErrorFilter, FeedFilter, SalesFilter, TransactionRecord
from shared.schemas.feeds import FeedType, FeedView, ProcessingStatus, Receipt
from tests.flow.query.fakes import FakeErrorLog, FakeFeeds, FakeReceipts, FakeSales

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keyed(number: int) -> KeyedRecord:
    feed_id = UUID(int=number)
    record = TransactionRecord(
        sale_date=date(2026, 1, 1),
        seller_id="acme",
        feed_id=feed_id,
        file_name="f.csv",
        product_id=None,
        product_name="Lamp",
        category=None,
        currency=None,
        quantity=1,
        amount=Decimal("1.0000"),
        revenue=Decimal("1.0000"),
        average_price=Decimal("1.0000"),
        transactions=1,
    )
    return KeyedRecord(TransactionKey(record.sale_date, "acme", feed_id, bytes(16)), record)


def receipt(seller_id: str = "acme") -> Receipt:
    return Receipt(
        feed_id=uuid4(),
        seller_id=seller_id,
        feed_type=FeedType.TRANSACTIONS,
        file_name="f.csv",
        bucket="uploads",
        object_key="acme/f.csv",
        size_bytes=3,
        sha256="a" * 64,
        correlation_id="c",
        received_at=MOMENT,
    )


def feed(of: Receipt, status: ProcessingStatus, age: int = 0) -> FeedView:
    return FeedView(
        feed_id=of.feed_id,
        seller_id=of.seller_id,
        feed_type=of.feed_type,
        file_name=of.file_name,
        processing_status=status,
        correlation_id="c",
        received_at=MOMENT - timedelta(seconds=age),
    )


def flow(
    sales: FakeSales | None = None,
    feeds: FakeFeeds | None = None,
    receipts: FakeReceipts | None = None,
    log: FakeErrorLog | None = None,
) -> ReadRecords:
    return ReadRecords(sales or FakeSales(), feeds or FakeFeeds(), receipts or FakeReceipts(), log or FakeErrorLog())


@pytest.mark.parametrize(("held", "limit", "pages"), [(0, 3, 1), (3, 3, 1), (4, 3, 2), (7, 2, 4)])
async def test_pages_hold_everything_once_and_the_last_one_says_so(held: int, limit: int, pages: int) -> None:
    records = flow(FakeSales([keyed(number) for number in range(held)]))
    found: list[TransactionRecord] = []
    cursor: str | None = None
    for _ in range(pages):
        page = await records.transactions(SalesFilter(), cursor, limit, UNCONFINED)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
    assert cursor is None
    assert [record.feed_id.int for record in found] == list(range(held))


async def test_a_feed_that_no_worker_has_seen_is_in_the_queue_by_its_receipt() -> None:
    known = receipt()
    shown = await flow(receipts=FakeReceipts([known])).feed(known.feed_id, UNCONFINED)
    assert shown == feed(known, ProcessingStatus.IN_QUEUE).model_copy(
        update={"sha256": known.sha256, "size_bytes": known.size_bytes}
    )


async def test_what_the_worker_wrote_goes_before_the_receipt() -> None:
    known = receipt()
    records = flow(feeds=FakeFeeds([feed(known, ProcessingStatus.DONE)]), receipts=FakeReceipts([known]))
    assert (await records.feed(known.feed_id, UNCONFINED)).processing_status is ProcessingStatus.DONE


async def test_another_sellers_feed_looks_as_if_it_were_not_there() -> None:
    known = receipt("globex")
    for records in (
        flow(receipts=FakeReceipts([known])),
        flow(feeds=FakeFeeds([feed(known, ProcessingStatus.DONE)]), receipts=FakeReceipts([known])),
    ):
        assert await records.feed(known.feed_id, Confinement("globex"))
        with pytest.raises(UnknownFeed):
            await records.feed(known.feed_id, Confinement("acme"))
    with pytest.raises(UnknownFeed):
        await flow().feed(uuid4(), UNCONFINED)


async def test_errors_are_asked_for_the_caller_only() -> None:
    log = FakeErrorLog()
    records = flow(log=log)
    await records.errors(ErrorFilter(seller_id="globex"), None, 5, Confinement("acme"))
    assert log.asked == [(ErrorFilter("globex"), Confinement("acme"))]


async def test_feeds_are_paged_by_time() -> None:
    held = [feed(receipt(), ProcessingStatus.DONE, age) for age in range(5)]
    records = flow(feeds=FakeFeeds(held))
    first = await records.feeds(FeedFilter(), None, 3, UNCONFINED)
    second = await records.feeds(FeedFilter(), first.next, 3, UNCONFINED)
    assert (first.items + second.items, second.next) == (held, None)
