"""The read flow with fakes: pages, the receipt that stands in for a feed, and whose records are shown."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuids

from services.query.errors import UnknownFeed
from services.query.ports import KeyedRecord
from services.query.read_records import ReadRecords
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.page_keys import TransactionKey
from services.query.rules.records import ErrorFilter, FeedFilter, SalesFilter, TransactionRecord
from shared.runtime.problems import InvalidRequest
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType, FeedView, HistoryEntry, ProcessingStatus, Receipt
from tests.flow.query.fakes import FakeErrorLog, FakeFeeds, FakeHistory, FakeReceipts, FakeSales

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


def receipt(seller_id: str = "acme", options: FeedOptions | None = None, feed_id: UUID | None = None) -> Receipt:
    return Receipt(
        feed_id=feed_id or uuid4(),
        seller_id=seller_id,
        feed_type=FeedType.TRANSACTIONS,
        file_name="f.csv",
        bucket="uploads",
        object_key="acme/f.csv",
        size_bytes=3,
        sha256="a" * 64,
        correlation_id="c",
        received_at=MOMENT,
        options=options or FeedOptions(),
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
    history: FakeHistory | None = None,
) -> ReadRecords:
    return ReadRecords(
        sales or FakeSales(),
        feeds or FakeFeeds(),
        receipts or FakeReceipts(),
        log or FakeErrorLog(),
        history or FakeHistory(),
    )


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


async def test_a_waiting_feed_says_what_it_will_replace_or_correct() -> None:
    other = uuid4()
    replacing, correcting = receipt(options=FeedOptions(replaces=other)), receipt(options=FeedOptions(corrects=other))
    records = flow(receipts=FakeReceipts([replacing, correcting]))
    shown = [await records.feed(known.feed_id, UNCONFINED) for known in (replacing, correcting)]
    assert [(one.replaces, one.corrects) for one in shown] == [(other, None), (None, other)]


def steps(count: int) -> list[HistoryEntry]:
    return [
        HistoryEntry(at=MOMENT + timedelta(seconds=number), event="claimed", actor=f"w-{number}")
        for number in range(count)
    ]


@pytest.mark.parametrize(("held", "limit", "pages"), [(1, 1, 1), (3, 3, 1), (4, 3, 2)])
async def test_a_history_is_paged_in_order(held: int, limit: int, pages: int) -> None:
    feed_id = uuid4()
    records = flow(history=FakeHistory(steps={feed_id: steps(held)}))
    found: list[HistoryEntry] = []
    cursor: str | None = None
    for _ in range(pages):
        page = await records.history(feed_id, cursor, limit, UNCONFINED)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
    assert (found, cursor) == (steps(held), None)


async def test_a_feed_without_recorded_steps_has_been_received() -> None:
    uploaded = receipt(feed_id=uuids.uuid7())
    known = receipt()
    records = flow(feeds=FakeFeeds([feed(known, ProcessingStatus.DONE)]), receipts=FakeReceipts([uploaded]))
    for feed_id, actor in ((uploaded.feed_id, "ingest"), (known.feed_id, "s3")):
        page = await records.history(feed_id, None, 10, UNCONFINED)
        assert page.items == [HistoryEntry(at=MOMENT, event="received", actor=actor)]
        assert page.next is None


async def test_a_history_is_its_sellers_and_its_cursor_its_own() -> None:
    known = receipt()
    records = flow(
        feeds=FakeFeeds([feed(known, ProcessingStatus.DONE)]), history=FakeHistory(steps={known.feed_id: steps(2)})
    )
    with pytest.raises(UnknownFeed):
        await records.history(known.feed_id, None, 1, Confinement("globex"))
    with pytest.raises(UnknownFeed):
        await records.history(uuid4(), None, 1, UNCONFINED)
    page = await records.history(known.feed_id, None, 1, UNCONFINED)
    with pytest.raises(InvalidRequest):
        await records.history(uuid4(), page.next, 1, UNCONFINED)


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
