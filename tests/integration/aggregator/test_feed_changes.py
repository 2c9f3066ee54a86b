"""Withdrawing, cancelling and reprocessing on a real database: what leaves the totals, what stays, what is told."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.aggregator.adapters.mysql_feed_changes import MySqlFeedChanges
from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.errors import LeaseLost, NoSuchFeed, Occupied, RelationRefused, WrongState
from services.aggregator.rules.callers import OPERATOR, Caller
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectFacts, ObjectRef, identify
from services.aggregator.rules.feed_lease import AlreadyTerminal, Claimed
from services.aggregator.rules.feed_outcome import failed
from services.aggregator.rules.reading_progress import Progress
from shared.runtime.mysql import MySqlLimits, MySqlPool
from shared.runtime.mysql_address import MySqlAddress
from shared.schemas.events import FeedCancelled, FeedReprocessFailed, FeedWithdrawn, Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import Counts, FeedError, FeedType, ProcessingStatus, Receipt
from shared.schemas.s3_events import S3Notification
from tests.integration.aggregator.records import Records, done, dropped, in_batches
from tests.integration.aggregator.test_relations import HAT, SHIRT, SOCK, A, Applying, B, transactions, version

FEED = dropped("acme/a.csv")
NO_LAYOUT = FeedError(code="format/unknown_layout", message="no")
MINTED = UUID("019a0000-0000-7000-8000-000000000001")


@pytest.fixture
def applying(pool: MySqlPool) -> Applying:
    return Applying(pool)


@pytest.fixture
def changes(pool: MySqlPool) -> MySqlFeedChanges:
    return MySqlFeedChanges(pool)


def receipt() -> Receipt:
    return Receipt(
        feed_id=MINTED,
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="a.csv",
        bucket="uploads",
        object_key=f"acme/{MINTED}/a.csv",
        size_bytes=8,
        sha256=A,
        correlation_id="c",
        received_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def uploaded() -> FeedIdentity:
    """What the event about that upload names, when it comes."""
    ref = ObjectRef("uploads", f"acme/{MINTED}/a.csv", "v1", "e1")
    facts = ObjectFacts(ref, 8, datetime(2026, 11, 1, tzinfo=UTC), {"feed-id": str(MINTED)})
    return identify(ref, facts, "house")[0]


async def orders(records: Records) -> list[ObjectRef]:
    """The objects that work was ordered for."""
    rows = await records.rows("SELECT body FROM outbox WHERE event_type = 'ReprocessRequested' ORDER BY id")
    found = [S3Notification.model_validate_json(row["body"]).records[0] for row in rows]
    assert all(record.is_object_created for record in found)
    return [
        ObjectRef(
            record.s3.bucket.name, record.s3.object.decoded_key, record.s3.object.version_id, record.s3.object.etag
        )
        for record in found
    ]


async def test_what_a_withdrawn_feed_counted_leaves_the_totals_once(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT, SOCK)
    await applying.apply(dropped("acme/b.csv"), B, SHIRT)
    first = await changes.withdraw(FEED.feed_id, OPERATOR)
    again = await changes.withdraw(FEED.feed_id, OPERATOR)
    assert (first.processing_status, first.rows_taken_back, again.rows_taken_back) == (ProcessingStatus.DONE, 4, 0)
    assert first.withdrawn_at == again.withdrawn_at is not None
    assert await transactions(records) == {"shirt": 3}
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["rows_accepted"], row["counted_sha256"]) == ("DONE", 4, None)
    [told] = [event for event in await records.events() if isinstance(event, FeedWithdrawn)]
    assert (told.rows_taken_back, told.actor, told.sequence) == (4, "operator", 2)
    assert await records.history(FEED.feed_id) == ["received", "claimed", "applied", "withdrawn"]
    await applying.apply(dropped("acme/again.csv"), A, SHIRT)
    await records.assert_books_close()


async def test_many_withdrawals_at_once_are_one(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    answers = await asyncio.gather(*(changes.withdraw(FEED.feed_id, OPERATOR) for _ in range(8)))
    assert sorted(answer.rows_taken_back for answer in answers) == [*[0] * 7, 3]
    await records.assert_books_close()


async def test_a_late_event_of_a_withdrawn_feed_finds_it_as_it_is(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.withdraw(FEED.feed_id, OPERATOR)
    assert isinstance(await applying.feeds.claim(FEED, "w2"), AlreadyTerminal)
    assert await transactions(records) == {}


async def test_corrections_of_a_withdrawn_feed_stand_by_themselves_and_are_named(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    fixed = dropped("acme/fixed.csv")
    await applying.apply(FEED, A, SHIRT, rejected=2)
    await applying.apply(fixed, B, HAT, corrects=FEED.feed_id)
    withdrawn = await changes.withdraw(FEED.feed_id, OPERATOR)
    assert withdrawn.corrections_counting == [fixed.feed_id]
    assert await transactions(records) == {"hat": 2}
    await changes.withdraw(fixed.feed_id, OPERATOR)
    assert (await changes.withdraw(FEED.feed_id, OPERATOR)).corrections_counting == []
    await records.assert_books_close()


async def test_nobody_changes_what_is_not_there_or_not_theirs(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    bob = Caller("bob", seller_id="bob")
    for feed_id, caller in ((UUID(int=1), OPERATOR), (FEED.feed_id, bob)):
        for change in (
            changes.withdraw(feed_id, caller),
            changes.cancel(feed_id, caller, None),
            changes.reprocess(feed_id, caller, {}),
        ):
            with pytest.raises(NoSuchFeed):
                await change
    assert await transactions(records) == {"shirt": 3}
    assert (await changes.withdraw(FEED.feed_id, Caller("acme", seller_id="acme"))).rows_taken_back == 3


async def test_a_feed_that_no_worker_has_seen_is_cancelled_before_its_event_comes(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    for _ in range(2):
        cancelled = await changes.cancel(MINTED, OPERATOR, receipt())
        assert cancelled.processing_status is ProcessingStatus.CANCELLED
    assert isinstance(await applying.feeds.claim(uploaded(), "w1"), AlreadyTerminal)
    [told] = await records.events()
    assert isinstance(told, FeedCancelled)
    assert (told.feed_id, told.sequence, told.replaced_by) == (MINTED, 1, None)
    assert await records.history(MINTED) == ["received", "cancelled"]
    await records.assert_books_close()


async def test_cancelling_and_claiming_at_once_end_in_one_of_both(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    for number in range(10):
        feed_id = UUID(int=MINTED.int + number)
        key = f"acme/{feed_id}/a.csv"
        its_receipt = receipt().model_copy(update={"feed_id": feed_id, "object_key": key})
        feed = replace(uploaded(), feed_id=feed_id, ref=replace(uploaded().ref, key=key))
        claim, cancelled = await asyncio.gather(
            applying.feeds.claim(feed, "w1"), changes.cancel(feed_id, OPERATOR, its_receipt), return_exceptions=True
        )
        taken = isinstance(claim, Claimed)
        assert isinstance(cancelled, WrongState) == taken, (claim, cancelled)
        assert (await records.feed(feed_id))["processing_status"] == ("IN_PROGRESS" if taken else "CANCELLED")


async def test_a_feed_whose_worker_died_can_be_cancelled_and_the_worker_stores_nothing(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    claim = await applying.claim(FEED)
    with pytest.raises(WrongState, match="a worker has it"):
        await changes.cancel(FEED.feed_id, OPERATOR, None)
    await records.expire_lease(FEED.feed_id)
    await changes.cancel(FEED.feed_id, OPERATOR, None)
    with pytest.raises(LeaseLost):
        await applying.commit(claim, A, SHIRT)
    assert isinstance(await applying.feeds.claim(FEED, "w2"), AlreadyTerminal)
    await records.assert_books_close()


async def test_what_a_feed_counts_stays_counted_until_its_new_reading_is_committed(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT, SOCK)
    asked = await changes.reprocess(FEED.feed_id, OPERATOR, {"charset": "cp1252"})
    assert asked.processing_status is ProcessingStatus.IN_QUEUE
    assert await orders(records) == [FEED.ref]
    assert await transactions(records) == {"shirt": 3, "sock": 1}
    await records.assert_books_close()
    claim = await applying.claim(FEED)
    assert (claim.run, claim.stands, claim.overrides) == (2, True, {"charset": "cp1252"})
    assert await transactions(records) == {"shirt": 3, "sock": 1}
    conclusion = replace(done(SHIRT, HAT, sha256=A), options=FeedOptions(charset="cp1252"))
    await applying.ledger.commit(claim, conclusion, in_batches(SHIRT, HAT))
    assert await transactions(records) == {"shirt": 3, "hat": 2}
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["earlier_status"], row["reprocess_options"]) == ("DONE", None, None)
    assert json.loads(row["options"])["charset"] == "cp1252"
    assert await records.history(FEED.feed_id) == [
        *("received", "claimed", "applied", "reprocess_requested", "claimed", "applied")
    ]
    await records.assert_books_close()


async def test_a_reading_anew_that_fails_leaves_the_earlier_result_standing(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.reprocess(FEED.feed_id, OPERATOR, {"charset": "cp1252"})
    await applying.ledger.commit(await applying.claim(FEED), failed(NO_LAYOUT, Phase.READ, A), None)
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["error_code"], row["rows_accepted"]) == ("DONE", None, 3)
    assert row["counted_sha256"] == A
    told = (await records.events_of(FEED.feed_id))[-1]
    assert isinstance(told, FeedReprocessFailed)
    assert (told.error, told.counts) == (NO_LAYOUT, Counts(rows_received=3, rows_accepted=3))
    assert (await records.history(FEED.feed_id))[-1] == "reprocess_failed"
    assert isinstance(await applying.feeds.claim(FEED, "w2"), AlreadyTerminal)
    await records.assert_books_close()


async def test_what_was_corrected_does_not_count_again_when_the_original_is_read_anew(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    """With its right options it rejects nothing any more: the corrections have to go before it may count so."""
    fixed, again = dropped("acme/fixed.csv"), {"charset": "cp1252"}
    await applying.apply(FEED, A, SHIRT, rejected=2)
    await applying.apply(fixed, B, HAT, corrects=FEED.feed_id)
    await changes.reprocess(FEED.feed_id, OPERATOR, again)
    claim = await applying.claim(FEED)
    for rejected in (0, 1):
        with pytest.raises(RelationRefused) as refused:
            await applying.commit(claim, A, SHIRT, HAT, rejected=rejected)
        assert refused.value.code == "reference/corrected_already"
    assert await transactions(records) == {"shirt": 3, "hat": 2}
    error = FeedError(code=refused.value.code, message=refused.value.message)
    await applying.ledger.commit(claim, failed(error, Phase.STORE, A), None)
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["rows_accepted"], row["rows_rejected"]) == ("DONE", 3, 2)
    told = (await records.events_of(FEED.feed_id))[-1]
    assert isinstance(told, FeedReprocessFailed)
    assert told.error.code == "reference/corrected_already"

    await changes.withdraw(fixed.feed_id, OPERATOR)
    await changes.reprocess(FEED.feed_id, OPERATOR, again)
    await applying.apply(FEED, A, SHIRT, HAT)
    assert await transactions(records) == {"shirt": 3, "hat": 2}
    await records.assert_books_close()


@pytest.mark.parametrize("first", ["original", "correction"])
async def test_a_correction_and_its_original_read_anew_at_once_bring_nothing_twice(
    first: str, applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT, rejected=2)
    await changes.reprocess(FEED.feed_id, OPERATOR, {"charset": "cp1252"})
    again, fixed = await applying.claim(FEED), await applying.claim(dropped("acme/fixed.csv"))
    commits = [applying.commit(again, A, SHIRT, HAT), applying.commit(fixed, B, HAT, corrects=FEED.feed_id)]
    ends = await asyncio.gather(*(commits if first == "original" else commits[::-1]), return_exceptions=True)
    [refused] = [end for end in ends if end is not None]
    assert isinstance(refused, RelationRefused)
    assert refused.code in ("reference/corrected_already", "reference/too_many_corrections")
    assert await transactions(records) == {"shirt": 3, "hat": 2}


async def test_a_fatal_feed_that_is_read_anew_counts_and_fails_anew_if_it_does(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    other = FeedError(code="format/binary", message="it is none")
    await applying.ledger.commit(await applying.claim(FEED), failed(NO_LAYOUT, Phase.READ, A), None)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.ledger.commit(await applying.claim(FEED), failed(other, Phase.READ, A), None)
    assert (await records.feed(FEED.feed_id))["error_code"] == "format/binary"
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.apply(FEED, A, SHIRT)
    row = await records.feed(FEED.feed_id)
    assert (row["processing_status"], row["error_code"], row["runs"]) == ("DONE", None, 3)
    assert await transactions(records) == {"shirt": 3}
    await records.assert_books_close()


async def test_asking_again_while_it_waits_orders_the_same_work_again(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    for _ in range(3):
        await changes.reprocess(FEED.feed_id, OPERATOR, {})
    assert await orders(records) == [FEED.ref] * 3
    assert (await records.history(FEED.feed_id)).count("reprocess_requested") == 1
    claim = await applying.claim(FEED)
    assert claim.run == 2
    with pytest.raises(WrongState, match="A worker has it"):
        await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.commit(claim, A, HAT)
    # The orders that were not needed find it as it is.
    assert isinstance(await applying.feeds.claim(FEED, "w2"), AlreadyTerminal)
    assert await transactions(records) == {"hat": 2}
    await records.assert_books_close()


async def test_a_reprocessing_that_waits_can_be_called_off(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    assert (await changes.cancel(FEED.feed_id, OPERATOR, None)).processing_status is ProcessingStatus.DONE
    assert isinstance(await applying.feeds.claim(FEED, "w2"), AlreadyTerminal)
    assert await transactions(records) == {"shirt": 3}
    assert (await records.history(FEED.feed_id))[-1] == "reprocess_cancelled"
    await records.assert_books_close()


async def test_withdrawing_ends_a_reading_anew_that_is_under_way(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    claim = await applying.claim(FEED)
    assert (await changes.withdraw(FEED.feed_id, OPERATOR)).rows_taken_back == 3
    with pytest.raises(LeaseLost):
        await applying.commit(claim, A, SHIRT)
    assert await transactions(records) == {}
    await records.assert_books_close()


async def test_a_withdrawn_or_cancelled_feed_counts_again_only_if_it_is_asked_for(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.withdraw(FEED.feed_id, OPERATOR)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.apply(FEED, A, SHIRT)
    assert (await records.feed(FEED.feed_id))["withdrawn_at"] is None
    await changes.cancel(MINTED, OPERATOR, receipt())
    await changes.reprocess(MINTED, OPERATOR, {})
    assert (await orders(records))[-1] == ObjectRef("uploads", uploaded().ref.key, None, None)
    await applying.apply(uploaded(), B, HAT)
    assert await transactions(records) == {"shirt": 3, "hat": 2}
    assert (await records.feed(MINTED))["object_version"] == "v1", "it learns which content it is"


async def test_a_replaced_feed_is_neither_withdrawn_nor_read_anew(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await applying.apply(dropped("acme/b.csv"), B, HAT, replaces=FEED.feed_id)
    for change in (changes.withdraw(FEED.feed_id, OPERATOR), changes.reprocess(FEED.feed_id, OPERATOR, {})):
        with pytest.raises(WrongState) as refused:
            await change
        assert refused.value.reason == "REPLACED"
    assert await transactions(records) == {"hat": 2}


async def test_sequences_only_grow_whatever_happens_to_a_feed(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    await applying.apply(FEED, A, SHIRT)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.apply(FEED, A, HAT)
    await changes.withdraw(FEED.feed_id, OPERATOR)
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await changes.reprocess(FEED.feed_id, OPERATOR, {})
    await applying.apply(FEED, A, SOCK)
    rows = await records.rows("SELECT sequence FROM outbox WHERE feed_id = %s ORDER BY id", str(FEED.feed_id))
    sequences = [row["sequence"] for row in rows]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 7
    assert (await records.feed(FEED.feed_id))["fence"] == sequences[-1]


async def test_a_replacement_that_is_read_anew_stays_one_and_takes_nothing_back_twice(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    new = dropped("acme/b.csv")
    await applying.apply(FEED, A, SHIRT)
    for group in (HAT, SOCK):
        await applying.apply(new, B, group, replaces=FEED.feed_id)
        await records.assert_books_close()
        await changes.reprocess(new.feed_id, OPERATOR, {})
    assert await transactions(records) == {"sock": 1}
    assert [type(event).__name__ for event in await records.events_of(FEED.feed_id)] == [
        "FeedProcessed",
        "FeedReplaced",
    ]


async def test_a_newer_version_that_is_read_anew_keeps_its_link(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    first, second = version(1), version(2)
    await applying.version(first, A, SHIRT)
    await applying.version(second, B, HAT)
    await changes.reprocess(second.feed_id, OPERATOR, {})
    await applying.version(second, B, SOCK)
    assert (await records.feed(second.feed_id))["replaces"] == str(first.feed_id)
    assert await transactions(records) == {"sock": 1}
    await records.assert_books_close()


async def test_an_older_version_that_is_read_anew_while_a_newer_one_is_applied_does_not_come_back(
    applying: Applying, changes: MySqlFeedChanges, records: Records
) -> None:
    """It failed, was asked for anew, and before that a newer version came."""
    first, second = version(1), version(2)
    await applying.ledger.commit(await applying.claim(first), failed(NO_LAYOUT, Phase.READ, A), None)
    await changes.reprocess(first.feed_id, OPERATOR, {})
    await applying.version(second, B, HAT)
    await applying.version(first, A, SHIRT)
    assert await transactions(records) == {"hat": 2}
    row = await records.feed(first.feed_id)
    assert (row["processing_status"], row["replaced_by"]) == ("CANCELLED", str(second.feed_id))
    await records.assert_books_close()


async def test_changes_that_wait_for_a_locked_feed_leave_connections_to_the_feeds_in_work(
    applying: Applying, pool: MySqlPool, migrated_database_url: str
) -> None:
    await applying.apply(FEED, A, SHIRT)
    in_work = await applying.claim(dropped("acme/b.csv"))
    limits = MySqlLimits(connections=4, acquire=0.5, lock_wait=2)
    shared = MySqlPool(MySqlAddress.parse(migrated_database_url), limits)
    changes = MySqlFeedChanges(shared, at_once=2, wait_seconds=1.0)
    try:
        async with pool.transaction() as rival:
            await rival.row("SELECT feed_id FROM feeds WHERE feed_id = %s FOR UPDATE", (str(FEED.feed_id),))
            asked = [asyncio.create_task(changes.withdraw(FEED.feed_id, OPERATOR)) for _ in range(8)]
            async with asyncio.timeout(8):
                while not all(task.done() for task in asked):
                    await MySqlFeeds(shared, 60).renew(in_work, Progress())
                    await asyncio.wait(asked, timeout=0.1)
        assert {type(task.exception()) for task in asked} == {Occupied}
        assert (await changes.withdraw(FEED.feed_id, OPERATOR)).rows_taken_back == 3
    finally:
        await shared.close()
