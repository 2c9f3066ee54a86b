"""Claims, leases and fences on a real database."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.errors import LeaseLost, Outage
from services.aggregator.rules.feed_identity import identify
from services.aggregator.rules.feed_lease import AlreadyTerminal, Claimed, HeldElsewhere, OtherObject
from services.aggregator.rules.feed_outcome import failed
from services.aggregator.rules.reading_progress import Progress
from shared.runtime.mysql import MySqlLimits, MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from shared.schemas.events import Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError, ProcessingStatus
from tests.integration.aggregator.records import Records, done, dropped

FEED = dropped("acme/a.csv")


@pytest.fixture
def feeds(pool: MySqlPool) -> MySqlFeeds:
    return MySqlFeeds(pool, lease_seconds=60)


async def claimed(feeds: MySqlFeeds, owner: str = "w1") -> Claimed:
    claim = await feeds.claim(FEED, owner)
    assert isinstance(claim, Claimed)
    return claim


async def test_a_new_feed_is_recorded_and_claimed(feeds: MySqlFeeds, records: Records) -> None:
    claim = await claimed(feeds)
    assert (claim.fence, claim.attempt, claim.owner) == (1, 1, "w1")
    row = await records.feed(FEED.feed_id)
    assert row["processing_status"] == "IN_PROGRESS"
    assert row["lease_owner"] == "w1"
    assert row["object_key"] == "acme/a.csv"
    assert row["received_at"].isoformat() == "2026-11-01T12:00:00"
    assert 59 < (row["lease_expires_at"] - row["started_at"]).total_seconds() < 61
    assert claim.started_at.tzinfo


async def test_a_live_lease_is_left_alone(feeds: MySqlFeeds) -> None:
    await claimed(feeds)
    other = await feeds.claim(FEED, "w2")
    assert isinstance(other, HeldElsewhere)
    assert 50 < other.seconds <= 60


async def test_of_many_workers_that_claim_at_once_one_gets_the_feed(feeds: MySqlFeeds, records: Records) -> None:
    claims = await asyncio.gather(*(feeds.claim(FEED, f"w{number}") for number in range(10)))
    assert sorted(type(claim).__name__ for claim in claims) == ["Claimed"] + ["HeldElsewhere"] * 9
    assert (await records.feed(FEED.feed_id))["fence"] == 1


async def test_an_expired_lease_is_taken_over_under_the_next_fence(feeds: MySqlFeeds, records: Records) -> None:
    old = await claimed(feeds, "old")
    await records.expire_lease(FEED.feed_id)
    new = await claimed(feeds, "new")
    assert (new.fence, new.attempt) == (old.fence + 1, 2)
    with pytest.raises(LeaseLost):
        await feeds.renew(old, Progress())
    await feeds.release(old)
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["lease_owner"]) == ("IN_PROGRESS", "new"), "not the old one's to release"


async def test_a_renewed_lease_lasts_from_then_on(feeds: MySqlFeeds, records: Records) -> None:
    claim = await claimed(feeds)
    await records.expire_lease(FEED.feed_id)
    await feeds.renew(claim, Progress())
    assert isinstance(await feeds.claim(FEED, "w2"), HeldElsewhere)


async def test_a_released_feed_is_in_the_queue_and_free(feeds: MySqlFeeds, records: Records) -> None:
    await feeds.release(await claimed(feeds))
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["lease_owner"], row["lease_expires_at"]) == ("IN_QUEUE", None, None)
    assert (await claimed(feeds, "w2")).fence == 2


async def test_a_finished_feed_is_never_claimed_again(feeds: MySqlFeeds, pool: MySqlPool) -> None:
    error = FeedError(code="format/unknown_layout", message="no")
    await MySqlLedger(pool).commit(await claimed(feeds), failed(error, Phase.READ), None)
    assert await feeds.claim(FEED, "w2") == AlreadyTerminal(FEED.feed_id, ProcessingStatus.FATAL)


async def test_an_id_that_belongs_to_another_object_is_not_given(feeds: MySqlFeeds, records: Records) -> None:
    await claimed(feeds)
    imitation = replace(FEED, ref=replace(FEED.ref, key="acme/other.csv"))
    assert await feeds.claim(imitation, "w2") == OtherObject()
    assert (await records.feed(FEED.feed_id))["object_key"] == "acme/a.csv"


async def test_a_recorded_object_is_found_under_the_id_it_has(feeds: MySqlFeeds) -> None:
    stranger = replace(FEED, feed_id=UUID(int=5))
    assert await feeds.find_known([stranger, FEED]) is None
    await claimed(feeds)
    assert await feeds.find_known([stranger, FEED]) == FEED.feed_id
    assert await feeds.find_known([replace(FEED, ref=replace(FEED.ref, version_id="v2"))]) is None


async def test_what_a_feed_was_read_with_is_known_to_its_seller(feeds: MySqlFeeds, pool: MySqlPool) -> None:
    assert await feeds.options_of(FEED.feed_id, "acme") is None
    claim = await claimed(feeds)
    assert await feeds.options_of(FEED.feed_id, "acme") is None
    options = FeedOptions(decimal_separator=",")
    unread = failed(FeedError(code="format/unknown_layout", message="no"), Phase.READ)
    await MySqlLedger(pool).commit(claim, replace(unread, options=options), None)
    assert await feeds.options_of(FEED.feed_id, "acme") == options
    assert await feeds.options_of(FEED.feed_id, "rival") is None


async def test_names_outside_of_ascii_are_kept_as_they_are(feeds: MySqlFeeds, records: Records) -> None:
    feed = dropped("acme/Umsätze 😀.csv")
    await feeds.claim(feed, "w1")
    row = await records.feed(feed.feed_id)
    assert (row["object_key"], row["file_name"]) == ("acme/Umsätze 😀.csv", "Umsätze 😀.csv")


async def test_a_claim_does_not_wait_for_a_commit_that_is_under_way(
    feeds: MySqlFeeds, pool: MySqlPool, records: Records
) -> None:
    await claimed(feeds)
    async with pool.transaction() as session:
        await session.rows("SELECT 1 FROM feeds WHERE feed_id = %s FOR UPDATE", (str(FEED.feed_id),))
        async with asyncio.timeout(1):
            assert isinstance(await feeds.claim(FEED, "w2"), HeldElsewhere)


async def test_a_database_that_is_away_is_an_outage() -> None:
    nowhere = MySqlAddress(host="127.0.0.1", port=1, user="u", password="p", database="d")
    away = MySqlPool(nowhere, MySqlLimits(connect=1))
    feeds = MySqlFeeds(away, 60)
    claim = Claimed(feed=FEED, fence=1, attempt=1, owner="w", started_at=done().counts and FEED.received_at)  # type: ignore[arg-type] # any time
    for call in (
        feeds.claim(FEED, "w"),
        feeds.renew(claim, Progress()),
        feeds.release(claim),
        feeds.find_known([FEED]),
    ):
        with pytest.raises(Outage):
            await call
    with pytest.raises(Outage):
        await MySqlLedger(away).commit(claim, done(), None)


async def test_every_renewal_shows_how_far_the_feed_is(feeds: MySqlFeeds, records: Records) -> None:
    claim = await claimed(feeds)
    row = await records.feed(FEED.feed_id)
    assert (row["phase"], row["percent"]) == ("receive", 0)
    await feeds.renew(claim, Progress(Phase.VALIDATE, 55))
    row = await records.feed(FEED.feed_id)
    assert (row["phase"], row["percent"]) == ("validate", 55)
    await feeds.release(claim)
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["phase"], row["percent"]) == ("IN_QUEUE", None, None)
    assert await records.history(FEED.feed_id) == ["received", "claimed", "released"]


async def test_a_feed_whose_object_is_gone_is_still_its_sellers(feeds: MySqlFeeds) -> None:
    named = dropped("stock.csv", seller_id="acme", file_name="M%C3%A4rz.csv")
    first = await feeds.claim(named, "w1")
    assert isinstance(first, Claimed)
    await feeds.release(first)
    [gone] = identify(named.ref, None, "house")
    assert gone.seller_id == "house"
    again = await feeds.claim(gone, "w2")
    assert isinstance(again, Claimed)
    assert (again.feed.seller_id, again.feed.file_name) == ("acme", "März.csv")
    assert again.feed.objection, "and it cannot be read"
