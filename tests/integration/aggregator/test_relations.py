"""Feeds that replace, correct or supersede others, on a real database: P1 and P3 hold whatever meets whatever."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

import pytest

from services.aggregator.adapters.mysql_feeds import MySqlFeeds
from services.aggregator.adapters.mysql_ledger import MySqlLedger
from services.aggregator.errors import (
    CorrectionsCountOn,
    LeaseLost,
    MustWait,
    NewerVersion,
    NoLongerSame,
    RelationRefused,
    SameContent,
)
from services.aggregator.ports import Contribution
from services.aggregator.rules.feed_identity import FeedIdentity
from services.aggregator.rules.feed_lease import AlreadyTerminal, Claimed
from services.aggregator.rules.feed_outcome import Conclusion, duplicate, failed, superseded, warned
from services.aggregator.rules.feed_succession import permitted
from services.aggregator.rules.version_order import OrderUnknown
from shared.runtime.mysql import MySqlLimits, MySqlPool, MySqlSession, Row
from shared.runtime.mysql_address import MySqlAddress
from shared.schemas.events import FeedReplaced, Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError
from tests.integration.aggregator.records import Records, contribution, done, dropped, in_batches

SHIRT, SOCK, HAT = (contribution(name, transactions) for name, transactions in (("shirt", 3), ("sock", 1), ("hat", 2)))
A, B, C = (letter * 64 for letter in "abc")
NO_LAYOUT = FeedError(code="format/unknown_layout", message="no")


class Applying:
    """Feeds end as they would after being read."""

    def __init__(self, pool: MySqlPool) -> None:
        self.feeds = MySqlFeeds(pool, lease_seconds=60)
        self.ledger = MySqlLedger(pool)

    async def claim(self, feed: FeedIdentity, owner: str = "w1") -> Claimed:
        claim = await self.feeds.claim(feed, owner)
        assert isinstance(claim, Claimed), claim
        return claim

    async def commit(
        self, claim: Claimed, sha256: str, *groups: Contribution, rejected: int = 0, **options: UUID
    ) -> None:
        conclusion = replace(done(*groups, sha256=sha256, rejected=rejected), options=FeedOptions(**options))
        await self.ledger.commit(claim, conclusion, in_batches(*groups))

    async def apply(
        self, feed: FeedIdentity, sha256: str, *groups: Contribution, rejected: int = 0, **options: UUID
    ) -> None:
        await self.commit(await self.claim(feed), sha256, *groups, rejected=rejected, **options)

    async def version(self, feed: FeedIdentity, sha256: str, *groups: Contribution) -> None:
        """As the flow does it: what cannot count ends otherwise."""
        claim = await self.claim(feed)
        try:
            await self.commit(claim, sha256, *groups)
        except NewerVersion as newer:
            await self.ledger.commit(claim, superseded(newer.by, sha256), None)
        except SameContent as same:
            await self.ledger.commit(claim, duplicate(same.feed_id, same.rows_received, sha256), None)


@pytest.fixture
def applying(pool: MySqlPool) -> Applying:
    return Applying(pool)


def version(number: int, key: str = "acme/stock.csv", sequencer: str | None = "") -> FeedIdentity:
    """The n-th content of a key; all stored within one second."""
    feed = dropped(key, f"v{number}")
    order = f"00{number:04X}" if sequencer == "" else sequencer
    return replace(feed, ref=replace(feed.ref, etag=f"e{number}", sequencer=order))


async def transactions(records: Records) -> dict[str, int]:
    return {name: row["transactions"] for name, row in (await records.totals()).items()}


async def test_a_replacement_takes_the_other_back_and_adds_its_own(applying: Applying, records: Records) -> None:
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT, SOCK)
    await applying.apply(new, B, HAT, SHIRT, replaces=old.feed_id)
    assert await transactions(records) == {"shirt": 3, "hat": 2}, "a total that nothing adds to is gone"
    before, after = await records.feed(old.feed_id), await records.feed(new.feed_id)
    assert (before["processing_status"], before["replaced_by"]) == ("DONE", str(new.feed_id))
    assert before["counted_sha256"] is None
    assert before["rows_accepted"] == 4, "its own books stay what they were"
    assert (after["replaces"], after["rows_accepted"]) == (str(old.feed_id), 5)
    [told] = [event for event in await records.events() if isinstance(event, FeedReplaced)]
    assert (told.feed_id, told.replaced_by, told.rows_taken_back, told.sequence) == (old.feed_id, new.feed_id, 4, 2)
    assert await records.history(old.feed_id) == ["received", "claimed", "applied", "replaced"]
    assert await records.history(new.feed_id) == ["received", "claimed", "replaces", "applied"]
    await records.assert_books_close()


async def test_the_bytes_of_a_replaced_feed_may_count_again(applying: Applying, records: Records) -> None:
    old, new, again = (dropped(f"acme/{name}.csv") for name in ("old", "new", "again"))
    await applying.apply(old, A, SHIRT)
    await applying.apply(new, B, HAT, replaces=old.feed_id)
    await applying.apply(again, A, SHIRT)
    assert await transactions(records) == {"shirt": 3, "hat": 2}
    await records.assert_books_close()


async def test_the_same_bytes_naming_the_very_feed_are_its_replacement(applying: Applying, records: Records) -> None:
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT)
    await applying.apply(new, A, SHIRT, SOCK, replaces=old.feed_id)
    assert await transactions(records) == {"shirt": 3, "sock": 1}
    assert (await records.feed(new.feed_id))["duplicate_of"] is None
    await records.assert_books_close()


async def test_a_duplicate_that_replaces_another_takes_that_one_back_all_the_same(
    applying: Applying, records: Records
) -> None:
    counted, old, new = (dropped(f"acme/{name}.csv") for name in ("counted", "old", "new"))
    await applying.apply(counted, A, SHIRT)
    await applying.apply(old, B, HAT)
    claim = await applying.claim(new)
    with pytest.raises(SameContent) as same:
        await applying.commit(claim, A, SHIRT, replaces=old.feed_id)
    conclusion = duplicate(same.value.feed_id, same.value.rows_received, A, FeedOptions(replaces=old.feed_id))
    await applying.ledger.commit(claim, conclusion, None)
    assert await transactions(records) == {"shirt": 3}
    row = await records.feed(new.feed_id)
    assert (row["duplicate_of"], row["replaces"]) == (str(counted.feed_id), str(old.feed_id))
    await records.assert_books_close()


async def test_a_fatal_replacement_takes_nothing_back(applying: Applying, records: Records) -> None:
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT)
    options = FeedOptions(replaces=old.feed_id)
    await applying.ledger.commit(await applying.claim(new), failed(NO_LAYOUT, Phase.READ, B, options), None)
    assert await transactions(records) == {"shirt": 3}
    assert (await records.feed(old.feed_id))["replaced_by"] is None
    assert (await records.feed(new.feed_id))["replaces"] is None
    await records.assert_books_close()


async def test_what_cannot_be_replaced_or_corrected_stores_nothing(applying: Applying, records: Records) -> None:
    await applying.apply(dropped("bob/theirs.csv"), A, SHIRT)
    theirs = dropped("bob/theirs.csv").feed_id
    waiting = dropped("acme/waiting.csv")
    await applying.claim(waiting)
    claim = await applying.claim(dropped("acme/new.csv"))
    for relation in ("replaces", "corrects"):
        for named in (theirs, UUID(int=5)):
            with pytest.raises(RelationRefused) as refused:
                await applying.commit(claim, B, HAT, rejected=0, **{relation: named})
            assert refused.value.code == "reference/unknown_feed"
        with pytest.raises(MustWait):
            await applying.commit(claim, B, HAT, rejected=0, **{relation: waiting.feed_id})
    assert await transactions(records) == {"shirt": 3}
    await records.assert_books_close()


async def test_a_correction_adds_to_what_the_original_counts(applying: Applying, records: Records) -> None:
    original, fixed = dropped("acme/a.csv"), dropped("acme/fixed.csv")
    await applying.apply(original, A, SHIRT, rejected=5)
    await applying.apply(fixed, B, SHIRT, HAT, corrects=original.feed_id)
    assert await transactions(records) == {"shirt": 6, "hat": 2}
    assert (await records.feed(fixed.feed_id))["corrects"] == str(original.feed_id)
    assert (await records.history(original.feed_id))[-1] == "corrected"
    await records.assert_books_close()


async def test_corrections_at_once_bring_no_more_than_was_rejected(applying: Applying, records: Records) -> None:
    original = dropped("acme/a.csv")
    await applying.apply(original, A, SHIRT, rejected=5)
    claims = [await applying.claim(dropped(f"acme/{number}.csv")) for number in range(4)]
    ends = await asyncio.gather(
        *(applying.commit(claim, f"{n}" * 64, HAT, corrects=original.feed_id) for n, claim in enumerate(claims)),
        return_exceptions=True,
    )
    refused = [end for end in ends if isinstance(end, RelationRefused)]
    assert [end.code for end in refused] == ["reference/too_many_corrections"] * 2, ends
    assert await transactions(records) == {"shirt": 3, "hat": 4}
    await records.assert_books_close()


async def test_corrections_of_a_replaced_feed_count_on_and_are_named(applying: Applying, records: Records) -> None:
    original, fixed, new = (dropped(f"acme/{name}.csv") for name in ("a", "fixed", "new"))
    await applying.apply(original, A, SHIRT, rejected=2)
    await applying.apply(fixed, B, HAT, corrects=original.feed_id)
    claim = await applying.claim(new)
    early = permitted(await applying.feeds.look_ahead(claim, FeedOptions(replaces=original.feed_id), C, None))
    with pytest.raises(CorrectionsCountOn) as found:
        await applying.commit(claim, C, SOCK, replaces=original.feed_id)
    assert found.value.feeds == early.still_counting == (fixed.feed_id,)
    assert await transactions(records) == {"shirt": 3, "hat": 2}, "not before the report says so"
    conclusion = replace(done(SOCK, sha256=C), options=FeedOptions(replaces=original.feed_id))
    await applying.ledger.commit(claim, warned(conclusion, found.value.feeds), in_batches(SOCK))
    assert await transactions(records) == {"hat": 2, "sock": 1}
    [total] = json.loads((await records.feed(new.feed_id))["issue_totals"])
    assert total == {"code": "reference/corrections_still_count", "severity": "WARNING", "rows": 0}
    [told] = [event for event in await records.events() if isinstance(event, FeedReplaced)]
    assert told.still_counting == [fixed.feed_id]
    [step] = await records.rows("SELECT detail FROM feed_history WHERE event = 'replaced'")
    assert json.loads(step["detail"])["still_counting"] == str(fixed.feed_id)


async def test_a_replacement_that_warns_of_what_counts_no_longer_has_to_say_so(
    applying: Applying, records: Records
) -> None:
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT)
    claim = await applying.claim(new)
    conclusion = replace(done(SOCK, sha256=C), options=FeedOptions(replaces=old.feed_id))
    with pytest.raises(CorrectionsCountOn) as found:
        await applying.ledger.commit(claim, warned(conclusion, [UUID(int=5)]), in_batches(SOCK))
    assert found.value.feeds == ()
    await applying.ledger.commit(claim, warned(conclusion, found.value.feeds), in_batches(SOCK))
    assert await transactions(records) == {"sock": 1}
    await records.assert_books_close()


async def test_two_replacements_of_one_feed_at_once_leave_one(applying: Applying, records: Records) -> None:
    old = dropped("acme/old.csv")
    await applying.apply(old, A, SHIRT)
    claims = [await applying.claim(dropped(f"acme/{number}.csv")) for number in range(4)]
    ends = await asyncio.gather(
        *(applying.commit(claim, f"{n}" * 64, HAT, replaces=old.feed_id) for n, claim in enumerate(claims)),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", *["RelationRefused"] * 3]
    assert await transactions(records) == {"hat": 2}
    await records.assert_books_close()


GROUPS = {1: (A, SHIRT), 2: (B, SOCK), 3: (C, HAT)}


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
@pytest.mark.parametrize("sequencer", ["", None], ids=["sequencers", "times"])
async def test_versions_end_right_in_whatever_order_they_come(
    order: tuple[int, ...], sequencer: str | None, applying: Applying, records: Records
) -> None:
    for number in order:
        sha256, group = GROUPS[number]
        day = datetime(2026, 11, number, tzinfo=UTC)
        feed = replace(version(number, sequencer=sequencer), modified_at=day, received_at=day)
        await applying.version(feed, sha256, group)
    assert await transactions(records) == {"hat": 2}
    for number in (1, 2):
        assert (await records.feed(version(number).feed_id))["replaced_by"], "linked to a newer one"
    await records.assert_books_close()


async def test_a_late_version_ends_cancelled_and_says_which_is_newer(applying: Applying, records: Records) -> None:
    await applying.version(version(2), B, SOCK)
    await applying.version(version(1), A, SHIRT)
    late = await records.feed(version(1).feed_id)
    newer = str(version(2).feed_id)
    assert (late["processing_status"], late["replaced_by"], late["rows_received"]) == ("CANCELLED", newer, 0)
    [step] = await records.rows("SELECT detail FROM feed_history WHERE event = 'superseded'")
    assert newer in step["detail"]
    assert isinstance(await applying.feeds.claim(version(1), "w2"), AlreadyTerminal)
    await records.assert_books_close()


async def test_a_fatal_new_version_takes_nothing_back(applying: Applying, records: Records) -> None:
    await applying.version(version(1), A, SHIRT)
    await applying.ledger.commit(await applying.claim(version(3)), failed(NO_LAYOUT, Phase.READ, C), None)
    assert await transactions(records) == {"shirt": 3}
    await applying.version(version(2), B, SOCK)
    assert await transactions(records) == {"sock": 1}, "the newest that could be applied counts"
    await records.assert_books_close()


async def test_the_same_bytes_written_again_leave_the_first_version_counting(
    applying: Applying, records: Records
) -> None:
    await applying.version(version(1), A, SHIRT)
    await applying.version(version(2), A, SHIRT)
    assert (await records.feed(version(2).feed_id))["duplicate_of"] == str(version(1).feed_id)
    await applying.version(version(3), B, SOCK)
    assert await transactions(records) == {"sock": 1}
    await records.assert_books_close()


async def test_a_duplicate_whose_original_lost_its_place_meanwhile_has_to_be_read(
    applying: Applying, records: Records
) -> None:
    """Or nothing would count: the third takes the place of the second, which took that of the first."""
    await applying.version(version(1), A, SHIRT)
    third = await applying.claim(version(3))
    with pytest.raises(SameContent) as same:
        await applying.commit(third, A, SHIRT)
    await applying.version(version(2), B, SOCK)
    with pytest.raises(NoLongerSame):
        await applying.ledger.commit(third, duplicate(same.value.feed_id, same.value.rows_received, A), None)
    await applying.commit(third, A, SHIRT)
    assert await transactions(records) == {"shirt": 3}
    await records.assert_books_close()


async def test_versions_that_commit_at_once_leave_the_newest(applying: Applying, records: Records) -> None:
    for round_ in range(5):
        numbers = range(1, 7)
        claims = [await applying.claim(version(number, f"acme/{round_}.csv")) for number in numbers]

        async def end(claim: Claimed, number: int, round_: int = round_) -> None:
            sha256 = f"{round_}{number}" * 32
            try:
                await applying.commit(claim, sha256, contribution(f"r{round_}"), contribution(f"v{number}"))
            except NewerVersion as newer:
                await applying.ledger.commit(claim, superseded(newer.by, sha256), None)

        await asyncio.gather(*(end(claim, number) for claim, number in zip(claims, numbers, strict=True)))
    assert await transactions(records) == {**{f"r{round_}": 1 for round_ in range(5)}, "v6": 5}
    await records.assert_books_close()


class WatchedSession(MySqlSession):
    """Does something of ours once, right after the statement that lists an object's versions."""

    def __init__(self, session: MySqlSession, meanwhile: list[Callable[[], Awaitable[None]]]) -> None:
        self._session = session
        self._meanwhile = meanwhile

    async def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[Row]:
        found = await self._session.rows(sql, arguments)
        if "FORCE INDEX (by_object)" in sql and self._meanwhile:
            await self._meanwhile.pop()()
        return found

    async def change(self, sql: str, arguments: Sequence[object] = ()) -> int:
        return await self._session.change(sql, arguments)

    async def later(self, sql: str, arguments: Sequence[object] = ()) -> None:
        await self._session.later(sql, arguments)

    async def rollback(self) -> None:
        await self._session.rollback()


class WatchedPool(MySqlPool):
    def __init__(self, url: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(MySqlAddress.parse(url), MySqlLimits(connections=2))
        self._waiting = [meanwhile]

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MySqlSession]:
        async with super().session() as session:
            yield WatchedSession(session, self._waiting)


async def test_a_version_that_is_recorded_and_ends_while_another_commits_is_seen(
    applying: Applying, records: Records, migrated_database_url: str
) -> None:
    """The older one has listed the other versions and not locked its row yet; then a newer one comes, and ends."""
    old = await applying.claim(version(1))

    async def newer_ends() -> None:
        await applying.version(version(2), B, SOCK)

    pool = WatchedPool(migrated_database_url, newer_ends)
    try:
        with pytest.raises(NewerVersion):
            await MySqlLedger(pool).commit(old, done(SHIRT, sha256=A), in_batches(SHIRT))
    finally:
        await pool.close()
    assert await transactions(records) == {"sock": 1}


async def test_versions_of_one_second_without_sequencers_need_the_buckets_list(
    applying: Applying, records: Records
) -> None:
    when = datetime(2026, 11, 1, 12, tzinfo=UTC)
    first, second = (replace(version(number, sequencer=None), modified_at=when) for number in (1, 2))
    await applying.version(second, B, SOCK)
    claim = await applying.claim(first)
    with pytest.raises(OrderUnknown):
        await applying.commit(claim, A, SHIRT)
    with pytest.raises(NewerVersion):
        await applying.ledger.commit(claim, done(SHIRT, sha256=A), in_batches(SHIRT), {"v2": 0, "v1": 1})
    await applying.ledger.commit(claim, done(SHIRT, sha256=A), in_batches(SHIRT), {"v1": 0, "v2": 1})
    assert await transactions(records) == {"shirt": 3}
    await records.assert_books_close()


async def test_a_feed_that_is_replaced_while_it_is_read_anew_is_lost_to_its_worker(
    applying: Applying, records: Records
) -> None:
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT)
    await records.change(
        "UPDATE feeds SET earlier_status = 'DONE', processing_status = 'IN_QUEUE', runs = 2 WHERE feed_id = %s",
        str(old.feed_id),
    )
    again = await applying.claim(old)
    assert (again.run, again.stands) == (2, True)
    await applying.apply(new, B, HAT, replaces=old.feed_id)
    with pytest.raises(LeaseLost):
        await applying.commit(again, A, SHIRT, SOCK)
    assert await transactions(records) == {"hat": 2}
    assert (await records.feed(old.feed_id))["processing_status"] == "DONE"
    assert isinstance(await applying.feeds.claim(old, "w2"), AlreadyTerminal)
    await records.assert_books_close()


async def test_take_back_that_finds_no_totals_stores_nothing(applying: Applying, records: Records) -> None:
    """Books that were damaged by other hands are told, and never made worse."""
    old, new = dropped("acme/old.csv"), dropped("acme/new.csv")
    await applying.apply(old, A, SHIRT, SOCK)
    await records.change("DELETE FROM totals WHERE product_name = 'sock'")
    with pytest.raises(Exception, match="adds to 2 groups, 1 of them are in the totals"):
        await applying.apply(new, B, HAT, replaces=old.feed_id)
    assert await transactions(records) == {"shirt": 3}


def test_a_conclusion_without_options_is_one_with_defaults() -> None:
    assert Conclusion(status=done().status, counts=done().counts).options == FeedOptions()
