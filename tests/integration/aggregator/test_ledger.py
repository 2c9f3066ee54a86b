"""The one transaction in which a feed ends: P1, P2 and P3 on a real database."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal, localcontext

import pytest

from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.errors import BooksDoNotClose, LeaseLost, Outage, SameContent
from services.aggregator.ports import Contribution
from services.aggregator.rules.feed_identity import FeedIdentity
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import duplicate, failed
from services.aggregator.rules.feed_succession import Succession
from shared.runtime.mysql import MySqlPool
from shared.schemas.events import FeedFailed, FeedProcessed, Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, FeedError
from tests.integration.aggregator.records import Records, contribution, done, dropped, in_batches

FEED = dropped("acme/a.csv")
SHIRT, SOCK, HAT = (contribution(name, transactions) for name, transactions in (("shirt", 3), ("sock", 1), ("hat", 2)))


@pytest.fixture
def feeds(pool: MySqlPool) -> MySqlFeeds:
    return MySqlFeeds(pool, lease_seconds=60)


@pytest.fixture
def ledger(pool: MySqlPool) -> MySqlLedger:
    return MySqlLedger(pool)


async def claimed(feeds: MySqlFeeds, feed: FeedIdentity = FEED, owner: str = "w1") -> Claimed:
    claim = await feeds.claim(feed, owner)
    assert isinstance(claim, Claimed), claim
    return claim


async def everything(records: Records) -> list[object]:
    tables = ("feeds", "contributions", "totals", "outbox")
    return [await records.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608


async def test_a_feed_ends_with_contributions_totals_counts_and_one_event(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    claim = await claimed(feeds)
    await ledger.commit(claim, done(HAT, SHIRT, SOCK, rejected=4), in_batches(HAT, SHIRT, SOCK))
    feed = await records.feed(FEED.feed_id)
    assert feed["processing_status"] == "DONE"
    assert [feed[f"rows_{part}"] for part in ("received", "accepted", "rejected")] == [10, 6, 4]
    assert feed["counted_sha256"] == feed["sha256"] == "a" * 64
    assert (feed["lease_owner"], feed["lease_expires_at"]) == (None, None)
    assert feed["finished_at"] >= feed["started_at"]
    [event] = await records.events()
    assert isinstance(event, FeedProcessed)
    assert event.counts == Counts(rows_received=10, rows_accepted=6, rows_rejected=4)
    assert event.occurred_at.replace(tzinfo=None) == feed["finished_at"]
    assert (event.attempt, event.worker) == (1, "w1")
    assert {name: row["transactions"] for name, row in (await records.totals()).items()} == {
        "hat": 2,
        "shirt": 3,
        "sock": 1,
    }
    await records.assert_books_close()


async def test_totals_are_the_sum_over_all_feeds(feeds: MySqlFeeds, ledger: MySqlLedger, records: Records) -> None:
    for number in range(3):
        claim = await claimed(feeds, dropped(f"acme/{number}.csv"))
        await ledger.commit(claim, done(SHIRT, SOCK, sha256=f"{number}" * 64), in_batches(SHIRT, SOCK))
    assert (await records.totals())["shirt"]["transactions"] == 9
    await records.assert_books_close()


async def test_an_old_worker_that_comes_back_changes_nothing(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    """The fence: its lease ran out, another worker has the feed."""
    old = await claimed(feeds, owner="old")
    await records.expire_lease(FEED.feed_id)
    new = await claimed(feeds, owner="new")
    before = await everything(records)
    with pytest.raises(LeaseLost):
        await ledger.commit(old, done(SHIRT), in_batches(SHIRT))
    error = FeedError(code="format/unknown_layout", message="no")
    with pytest.raises(LeaseLost):
        await ledger.commit(old, failed(error, Phase.READ), None)
    assert await everything(records) == before
    await ledger.commit(new, done(SHIRT), in_batches(SHIRT))
    finished = await everything(records)
    with pytest.raises(LeaseLost):
        await ledger.commit(old, done(SHIRT), in_batches(SHIRT))
    assert await everything(records) == finished


async def test_a_worker_that_released_its_feed_cannot_store_it(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    claim = await claimed(feeds)
    await feeds.release(claim)
    with pytest.raises(LeaseLost):
        await ledger.commit(claim, done(SHIRT), in_batches(SHIRT))
    assert await records.totals() == {}


async def test_the_same_commit_twice_counts_once(feeds: MySqlFeeds, ledger: MySqlLedger, records: Records) -> None:
    claim = await claimed(feeds)
    await ledger.commit(claim, done(SHIRT), in_batches(SHIRT))
    with pytest.raises(LeaseLost):
        await ledger.commit(claim, done(SHIRT), in_batches(SHIRT))
    assert (await records.totals())["shirt"]["transactions"] == 3
    await records.assert_books_close()


async def test_a_fatal_feed_adds_nothing_and_is_announced(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    error = FeedError(code="format/unknown_layout", message="no layout fits 😀")
    await ledger.commit(await claimed(feeds), failed(error, Phase.READ, "b" * 64), None)
    feed = await records.feed(FEED.feed_id)
    assert (feed["processing_status"], feed["error_code"], feed["phase"]) == ("FATAL", error.code, "read")
    assert feed["counted_sha256"] is None, "the same bytes may be handed in again"
    [event] = await records.events()
    assert isinstance(event, FeedFailed)
    assert event.error == error
    assert await records.totals() == {}
    await records.assert_books_close()


async def test_the_same_bytes_count_once_and_the_second_feed_says_so(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    await ledger.commit(await claimed(feeds), done(SHIRT), in_batches(SHIRT))
    second = await claimed(feeds, dropped("acme/b.csv"))
    early = await feeds.look_ahead(second, FeedOptions(), "a" * 64, None)
    assert isinstance(early, Succession)
    assert early.duplicate_of
    with pytest.raises(SameContent) as late:
        await ledger.commit(second, done(SHIRT), in_batches(SHIRT))
    assert early.duplicate_of.feed_id == late.value.feed_id == FEED.feed_id
    await ledger.commit(second, duplicate(FEED.feed_id, late.value.rows_received, "a" * 64), None)
    row = await records.feed(second.feed.feed_id)
    assert (row["processing_status"], row["duplicate_of"], row["rows_duplicate"]) == ("DONE", str(FEED.feed_id), 3)
    assert (await records.totals())["shirt"]["transactions"] == 3
    await records.assert_books_close()


async def test_the_same_bytes_committed_at_once_count_once(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    claims = [await claimed(feeds, dropped(f"acme/{number}.csv")) for number in range(4)]
    ends = await asyncio.gather(
        *(ledger.commit(claim, done(SHIRT), in_batches(SHIRT)) for claim in claims), return_exceptions=True
    )
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "SameContent", "SameContent", "SameContent"]
    assert (await records.totals())["shirt"]["transactions"] == 3


async def test_the_same_bytes_of_a_fatal_feed_or_another_seller_are_no_duplicate(
    feeds: MySqlFeeds, ledger: MySqlLedger
) -> None:
    error = FeedError(code="format/unknown_layout", message="no")
    await ledger.commit(await claimed(feeds), failed(error, Phase.READ, "a" * 64), None)
    await ledger.commit(await claimed(feeds, dropped("bob/a.csv")), done(SHIRT), in_batches(SHIRT))
    await ledger.commit(await claimed(feeds, dropped("acme/b.csv")), done(SHIRT), in_batches(SHIRT))


async def test_books_that_do_not_close_are_not_stored(feeds: MySqlFeeds, ledger: MySqlLedger, records: Records) -> None:
    claim = await claimed(feeds)
    before = await everything(records)
    with pytest.raises(BooksDoNotClose, match="6 rows accepted, 5 in the contributions"):
        await ledger.commit(claim, done(HAT, SHIRT, SOCK), in_batches(HAT, SHIRT))
    assert await everything(records) == before


async def test_money_and_text_arrive_exactly(feeds: MySqlFeeds, ledger: MySqlLedger, records: Records) -> None:
    money = "123456789012345678901234567890.1234"
    names = ["näïve 😀", 'it\'s "quoted" \\ back', "Näïve 😀", "naive", "NAIVE", "a\u0301", "á", "%s", "trailing "]
    for number in range(7):
        groups = [contribution(name, 1, money) for name in names]
        claim = await claimed(feeds, dropped(f"acme/{number}.csv"))
        await ledger.commit(claim, done(*groups, sha256=f"{number}" * 64), in_batches(*groups, size=4))
    totals = await records.totals()
    assert set(totals) == set(names)
    with localcontext(prec=60):
        assert {row["amount"] for row in totals.values()} == {7 * Decimal(money)}
        assert {row["revenue"] for row in totals.values()} == {7 * Decimal(money)}
    await records.assert_books_close()


@pytest.mark.parametrize(
    "wrong",
    [
        contribution("x" * 256),
        contribution("shirt", money=str(10**35)),
        contribution("shirt", transactions=2**63),
    ],
)
async def test_what_does_not_fit_is_refused_and_never_cut(
    wrong: Contribution, feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    claim = await claimed(feeds)
    with pytest.raises(Exception, match=r"too long|Out of range"):
        await ledger.commit(claim, done(wrong), in_batches(wrong))
    assert await records.rows("SELECT 1 FROM contributions") == []


async def test_negative_groups_reduce_totals(feeds: MySqlFeeds, ledger: MySqlLedger, records: Records) -> None:
    returned = Contribution(SHIRT.sale_date, "", "shirt", "", "", -2, Decimal("10.5"), Decimal("-11.0"), 1)
    await ledger.commit(await claimed(feeds), done(SHIRT), in_batches(SHIRT))
    await ledger.commit(
        await claimed(feeds, dropped("acme/b.csv")), done(returned, sha256="b" * 64), in_batches(returned)
    )
    shirt = (await records.totals())["shirt"]
    assert (shirt["quantity"], str(shirt["revenue"]), shirt["transactions"]) == (4, "-1.0000", 4)


async def test_a_commit_that_meets_a_lock_starts_over_until_it_is_through(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records, pool: MySqlPool
) -> None:
    await ledger.commit(await claimed(feeds), done(SHIRT), in_batches(SHIRT))
    claim = await claimed(feeds, dropped("acme/b.csv"))
    started = 0

    async def counted() -> AsyncIterator[list[Contribution]]:
        nonlocal started
        started += 1
        yield [SHIRT]

    async with pool.transaction() as session:  # longer than a lock wait, which is 2 s in these tests
        await session.change("UPDATE totals SET quantity = quantity + 0, transactions = transactions + 0")
        await session.rows("SELECT * FROM totals FOR UPDATE")
        committing = asyncio.create_task(ledger.commit(claim, done(SHIRT, sha256="b" * 64), counted))
        while started < 2:
            await asyncio.sleep(0.05)
    await committing
    assert started >= 2
    assert (await records.totals())["shirt"]["transactions"] == 6
    await records.assert_books_close()


async def test_feeds_of_one_seller_that_commit_at_once_all_count(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records
) -> None:
    """Overlapping groups in opposite orders: key order avoids most deadlocks, retries take care of the rest."""
    names = [f"product {number}" for number in range(200)]
    claims = [await claimed(feeds, dropped(f"acme/{number}.csv")) for number in range(8)]
    groups = [[contribution(name) for name in (names if number % 2 else reversed(names))] for number in range(8)]
    await asyncio.gather(
        *(
            ledger.commit(claim, done(*own, sha256=f"{number}" * 64), in_batches(*own, size=50))
            for number, (claim, own) in enumerate(zip(claims, groups, strict=True))
        )
    )
    assert {row["transactions"] for row in (await records.totals()).values()} == {8}
    await records.assert_books_close()


async def test_a_connection_lost_midway_is_an_outage_and_stores_nothing(
    feeds: MySqlFeeds, ledger: MySqlLedger, records: Records, pool: MySqlPool
) -> None:
    claim = await claimed(feeds)
    before = await everything(records)

    async def then_killed() -> AsyncIterator[list[Contribution]]:
        yield [SHIRT]
        await records.kill_other_sessions()
        yield [SOCK]

    with pytest.raises(Outage):
        await ledger.commit(claim, done(SHIRT, SOCK), then_killed)
    assert await everything(records) == before
    await ledger.commit(claim, done(SHIRT, SOCK), in_batches(SHIRT, SOCK))
    await records.assert_books_close()
