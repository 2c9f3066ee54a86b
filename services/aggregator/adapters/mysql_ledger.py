"""The one transaction that stores a feed's end: fence, what it takes back, contributions, totals, status, counts, the
events and the history (P1-P3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from pymysql.err import IntegrityError

from services.aggregator.adapters.mysql_contributions import MySqlContributions
from services.aggregator.adapters.mysql_corrections import all_corrections, corrections_beside
from services.aggregator.adapters.mysql_history import write_history
from services.aggregator.adapters.mysql_locked_feeds import LockedFeed, lock_feed
from services.aggregator.adapters.mysql_outages import mysql_outages
from services.aggregator.adapters.mysql_outbox_entries import announce
from services.aggregator.adapters.mysql_relations import Relations
from services.aggregator.adapters.mysql_times import database_time, naive
from services.aggregator.adapters.mysql_totals import add_to_totals, take_back
from services.aggregator.errors import CorrectionsCountOn, LeaseLost, NoLongerSame, Outage, SameContent
from services.aggregator.ports import ContributionBatches
from services.aggregator.rules.feed_announcements import outcome_body, replaced_event
from services.aggregator.rules.feed_history import Step, end_of
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion
from services.aggregator.rules.feed_succession import Decision, Succession, permitted
from shared.runtime.mysql import MySqlPool, MySqlSession
from shared.runtime.mysql_errors import DUPLICATE_KEY, error_number, retry_contention
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import ProcessingStatus

log = structlog.get_logger(__name__)

_COUNT_CONTENT = "UPDATE feeds SET counted_sha256 = %s WHERE feed_id = %s"

_FREE_CONTENT = "UPDATE feeds SET counted_sha256 = NULL WHERE feed_id = %s"

_REPLACED = """
UPDATE feeds SET counted_sha256 = NULL, replaced_by = %s, fence = %s,
    processing_status = COALESCE(earlier_status, processing_status), earlier_status = NULL, reprocess_options = NULL,
    lease_owner = NULL, lease_expires_at = NULL, percent = NULL, updated_at = %s
WHERE feed_id = %s"""

# A link that an earlier run made stays: what it took back then is not there to be found again.
_FINISH = """
UPDATE feeds SET processing_status = %s, phase = %s, percent = NULL, sha256 = %s, layout = %s, recognised = %s,
    options = %s, rows_received = %s, rows_accepted = %s, rows_rejected = %s, rows_duplicate = %s, rows_skipped = %s,
    issue_totals = %s, error_code = %s, error_message = %s, report_uri = %s, rejected_uri = %s, raw_uri = %s,
    duplicate_of = %s, replaces = COALESCE(%s, replaces), replaced_by = %s, corrects = %s, withdrawn_at = NULL,
    earlier_status = NULL, reprocess_options = NULL, lease_owner = NULL, lease_expires_at = NULL,
    finished_at = %s, updated_at = %s
WHERE feed_id = %s"""

_STAND = """
UPDATE feeds SET processing_status = earlier_status, phase = 'store', percent = NULL, earlier_status = NULL,
    reprocess_options = NULL, lease_owner = NULL, lease_expires_at = NULL, updated_at = %s
WHERE feed_id = %s"""


class MySqlLedger:
    """Implements ports.Ledger."""

    def __init__(self, pool: MySqlPool, contributions: MySqlContributions | None = None) -> None:
        self._pool = pool
        self._contributions = contributions or MySqlContributions()

    async def commit(
        self,
        claim: Claimed,
        conclusion: Conclusion,
        contributions: ContributionBatches | None,
        listed: Mapping[str, int] | None = None,
    ) -> None:
        def told(number: int, code: int) -> None:
            log.info("ledger.contended", feed_id=str(claim.feed.feed_id), attempt=number, mysql_error=code)

        async def attempt() -> None:
            async with self._pool.transaction() as session:
                await self._store(session, claim, conclusion, contributions, listed)

        with mysql_outages():
            await retry_contention(attempt, on_retry=told)

    async def _store(
        self,
        session: MySqlSession,
        claim: Claimed,
        conclusion: Conclusion,
        contributions: ContributionBatches | None,
        listed: Mapping[str, int] | None,
    ) -> None:
        succession = Succession()
        if conclusion.status is ProcessingStatus.DONE:
            relations = Relations(session, claim.feed, conclusion.options or FeedOptions())
            # Every row that this touches is locked here, in the order of ids, before anything is changed.
            decision = await relations.decide(conclusion.sha256, listed, counts=conclusion.counts, lock=True)
            succession = _may_end(conclusion, decision)
        own = await lock_feed(session, claim.feed.feed_id)
        if own is None or own.fence != claim.fence or own.status is not ProcessingStatus.IN_PROGRESS:
            raise LeaseLost
        if claim.stands and conclusion.status is not ProcessingStatus.DONE:
            await _leave_standing(session, claim, conclusion, own)
            return
        # The report is written already: it has to have said what is true now.
        beside = await corrections_beside(session, own.feed_id, succession.takes_place_of)
        still_counting = all_corrections(beside)
        if still_counting != conclusion.still_counting:
            raise CorrectionsCountOn(still_counting)
        if own.counts:
            await take_back(session, own.feed_id)
            await session.later(_FREE_CONTENT, (str(own.feed_id),))
        for feed_id, corrections in beside.items():
            await _take_the_place_of(session, claim, feed_id, corrections)
        if conclusion.adds_to_totals:
            await _count_content(session, claim, conclusion)
            if contributions:
                await self._contributions.insert(session, claim, contributions)
            await add_to_totals(session, claim.feed.feed_id, conclusion.counts.rows_accepted)
        # Asked last: what comes before may take a minute, and the feed is not finished until then.
        at = await database_time(session)
        conclusion = replace(conclusion, replaces=succession.replaces)
        await _finish(session, claim, conclusion, at)
        await announce(session, *outcome_body(claim, conclusion, at), at)
        took = [Step(own.feed_id, "replaces", claim.owner, {"feed_id": each}) for each in succession.takes_place_of]
        corrected = conclusion.corrects
        if corrected:
            took.append(Step(own.feed_id, "corrects", claim.owner, {"feed_id": corrected}))
            took.append(Step(corrected, "corrected", claim.owner, {"by": own.feed_id}))
        await write_history(session, *took, end_of(claim, conclusion))


def _may_end(conclusion: Conclusion, decision: Decision) -> Succession:
    succession = permitted(decision)
    same = succession.duplicate_of
    if same and same.feed_id != conclusion.duplicate_of:
        raise SameContent(same.feed_id, same.rows_received)
    if conclusion.duplicate_of and not same:
        # What it takes the place of may be what took that one's place: stored so, nothing would count.
        raise NoLongerSame
    return succession


async def _take_the_place_of(
    session: MySqlSession, claim: Claimed, feed_id: UUID, still_counting: Sequence[UUID]
) -> None:
    """What it counted is taken back, a reprocessing of it that is under way is over; it is announced and remembered.

    What its corrections count stays, and may be in the new feed as well: they are named, so that somebody can decide.
    """
    other = await lock_feed(session, feed_id)
    if other is None or other.replaced_by:
        return
    rows = await take_back(session, feed_id) if other.counts else 0
    at = await database_time(session)
    changed = other.next_step()
    await session.later(_REPLACED, (str(claim.feed.feed_id), changed.fence, naive(at), str(feed_id)))
    event = replaced_event(changed, claim.owner, at, claim.feed.feed_id, rows, still_counting)
    await announce(session, event, event.model_dump_json(), at)
    named = " ".join(map(str, still_counting)) or None
    detail = {"by": claim.feed.feed_id, "rows_taken_back": rows, "still_counting": named}
    await write_history(session, Step(feed_id, "replaced", claim.owner, detail))


async def _leave_standing(session: MySqlSession, claim: Claimed, conclusion: Conclusion, own: LockedFeed) -> None:
    """Reading it again changed nothing: the earlier result, its books and its contribution stay as they are."""
    at = await database_time(session)
    await session.later(_STAND, (naive(at), str(own.feed_id)))
    await announce(session, *outcome_body(claim, conclusion, at, own.counts_of_rows), at)
    await write_history(session, end_of(claim, conclusion))


async def _count_content(session: MySqlSession, claim: Claimed, conclusion: Conclusion) -> None:
    """Claims these bytes for this feed. The unique key lets one feed win, also when several come at once."""
    try:
        await session.change(_COUNT_CONTENT, (conclusion.sha256, str(claim.feed.feed_id)))
    except IntegrityError as error:
        if error_number(error) != DUPLICATE_KEY:
            raise
        relations = Relations(session, claim.feed, conclusion.options or FeedOptions())
        same = await relations.same_content(conclusion.sha256 or "")
        if same is None:
            raise Outage("a feed with the same bytes is about to change") from error
        raise SameContent(same.feed_id, same.rows_received) from error


async def _finish(session: MySqlSession, claim: Claimed, conclusion: Conclusion, at: datetime) -> None:
    counts, error = conclusion.counts, conclusion.error
    await session.later(
        _FINISH,
        (
            conclusion.status.value,
            conclusion.phase.value,
            conclusion.sha256,
            conclusion.layout,
            conclusion.recognised.model_dump_json() if conclusion.recognised else None,
            conclusion.options.model_dump_json() if conclusion.options else None,
            counts.rows_received,
            counts.rows_accepted,
            counts.rows_rejected,
            counts.rows_duplicate,
            counts.rows_skipped,
            json.dumps([total.model_dump(mode="json") for total in conclusion.issue_totals]),
            error.code if error else None,
            error.message if error else None,
            conclusion.report_uri,
            conclusion.rejected_uri,
            conclusion.raw_uri,
            _text(conclusion.duplicate_of),
            _text(conclusion.replaces),
            _text(conclusion.replaced_by),
            _text(conclusion.corrects),
            naive(at),
            naive(at),
            str(claim.feed.feed_id),
        ),
    )


def _text(feed_id: UUID | None) -> str | None:
    return str(feed_id) if feed_id else None
