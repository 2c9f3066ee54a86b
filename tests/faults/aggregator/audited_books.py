"""The promises, asserted of what a run left behind: in the tables, in the error bucket, and on the topic."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.runtime.mysql import MySqlPool, Row
from tests.faults.aggregator.random_world import Content, Handed, World
from tests.faults.aggregator.sequential_model import Fate, SequentialModel, Step

_PARTS = ("accepted", "rejected", "duplicate", "skipped")

_EVENT_OF_STEP = {
    "applied": "FeedProcessed",
    "duplicate": "FeedProcessed",
    "failed": "FeedFailed",
    "reprocess_failed": "FeedReprocessFailed",
    "superseded": "FeedCancelled",
    "cancelled": "FeedCancelled",
    "withdrawn": "FeedWithdrawn",
    "replaced": "FeedReplaced",
}
"""The steps of a feed's life that are announced."""

_READINGS = ("applied", "duplicate", "failed", "reprocess_failed", "superseded")
"""With which a worker's reading ends."""


class Auditor:
    """Of one run: reads everything once, then judges."""

    def __init__(self, pool: MySqlPool, world: World, announced: Sequence[str]) -> None:
        self._pool = pool
        self._world = world
        # What a run before this one left, where it failed, is not this one's.
        self._bodies = [body for body in announced if json.loads(body)["seller_id"] in world.sellers]
        self._announced = [json.loads(body) for body in self._bodies]

    async def audit(self, steps: Mapping[str, Sequence[Step]]) -> None:
        """`steps`: what was asked for of each seller's feeds, in order."""
        places = ", ".join(["%s"] * len(self._world.sellers))
        async with self._pool.session() as session:

            async def of_sellers(columns: str, table: str, order: str) -> list[Row]:
                sql = f"SELECT {columns} FROM {table} WHERE seller_id IN ({places}) ORDER BY {order}"  # noqa: S608
                return await session.rows(sql, self._world.sellers)

            feeds = {row["feed_id"]: row for row in await of_sellers("*", "feeds", "feed_id")}
            contributions = await of_sellers("*", "contributions", "feed_id")
            totals = await of_sellers("*", "totals", "seller_id")
            outbox = await of_sellers("*", "outbox", "id")
            ids = ", ".join(["%s"] * len(feeds))
            history = await session.rows(
                f"SELECT feed_id, event, detail FROM feed_history WHERE feed_id IN ({ids}) ORDER BY id",  # noqa: S608
                list(feeds),
            )
        self._every_feed_is_known(feeds)
        self._books_close(feeds, contributions)
        self._totals_are_the_sums(contributions, totals)
        for seller in self._world.sellers:
            self._ended_as_it_may(seller, feeds, steps.get(seller, ()))
        self._totals_are_what_the_files_say(feeds, totals)
        self._ended_by_the_last_to_claim(feeds, history)
        self._announced_as_stored(outbox)
        self._announced_what_happened(feeds, history)
        self._evidence_agrees(feeds)

    # --- P1 ---------------------------------------------------------------------------------------------------------

    def _every_feed_is_known(self, feeds: Mapping[str, Row]) -> None:
        assert set(feeds) == {str(feed.feed_id) for feed in self._world.feeds}

    def _books_close(self, feeds: Mapping[str, Row], contributions: Sequence[Row]) -> None:
        added: Counter[str] = Counter()
        for row in contributions:
            added[row["feed_id"]] += row["transactions"]
        for feed_id, feed in feeds.items():
            assert feed["rows_received"] == sum(feed[f"rows_{part}"] for part in _PARTS), f"P1: {feed}"
            expected = feed["rows_accepted"] if feed["counted_sha256"] else 0
            assert added[feed_id] == expected, f"P1: {added[feed_id]} rows in the contributions of {feed}"
            corrections = [each for each in feeds.values() if each["corrects"] == feed_id and each["counted_sha256"]]
            brought = sum(each["rows_accepted"] for each in corrections)
            assert brought <= feed["rows_rejected"], f"P1: corrections bring {brought} rows of {feed}"
        assert set(added) <= set(feeds), "P1: contributions of nobody"

    def _totals_are_the_sums(self, contributions: Sequence[Row], totals: Sequence[Row]) -> None:
        sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0])
        for row in contributions:
            group = sums[row["seller_id"], row["sale_date"], row["product_name"]]
            for place, measure in enumerate(("quantity", "amount", "revenue", "transactions")):
                group[place] += row[measure]
        stored = {
            (row["seller_id"], row["sale_date"], row["product_name"]): [
                row["quantity"],
                row["amount"],
                row["revenue"],
                row["transactions"],
            ]
            for row in totals
        }
        assert stored == dict(sums), "P1: totals are not the sums of the contributions"

    # --- P2 ---------------------------------------------------------------------------------------------------------

    def _ended_as_it_may(self, seller: str, feeds: Mapping[str, Row], steps: Sequence[Step]) -> None:
        handed = self._world.of(seller)
        rows = [feeds[str(feed.feed_id)] for feed in handed]
        ended = tuple(_shown(row) for row in rows)
        legal = {
            tuple(_expected(fate, feed) for fate, feed in zip(fates, handed, strict=True))
            for fates in SequentialModel(handed, steps).ends()
        }
        told = "\n".join(f"  {feed.order} {feed.feed_id} {end}" for feed, end in zip(handed, ended, strict=True))
        assert ended in legal, f"P2: {seller} ended as no order of {steps} could, of {len(legal)} ends:\n{told}"

    def _totals_are_what_the_files_say(self, feeds: Mapping[str, Row], totals: Sequence[Row]) -> None:
        expected: Counter[tuple[str, str]] = Counter()
        counting: Counter[tuple[str, Content]] = Counter()
        for handed in self._world.feeds:
            if feeds[str(handed.feed_id)]["counted_sha256"]:
                counting[handed.seller, handed.content] += 1
                for name, rows in handed.content.groups:
                    expected[handed.seller, name] += rows
        assert all(times == 1 for times in counting.values()), "P2: the same bytes count twice"
        stored: Counter[tuple[str, str]] = Counter()
        for row in totals:
            stored[row["seller_id"], row["product_name"]] += row["transactions"]
            assert row["quantity"] == 2 * row["transactions"], row
        assert stored == expected, "P2: the totals are not what is in the files that count"

    def _ended_by_the_last_to_claim(self, feeds: Mapping[str, Row], history: Sequence[Row]) -> None:
        """Whose lease ran out, or whose work was called off, stores nothing any more."""
        for feed_id in feeds:
            claimed: str | None = None
            for step in (step for step in history if step["feed_id"] == feed_id):
                fence = json.loads(step["detail"]).get("fence")
                if step["event"] == "claimed":
                    claimed = fence
                elif step["event"] in _READINGS:
                    assert fence == claimed, f"P2: {feed_id} {step['event']} under {fence}, claimed under {claimed}"
                    claimed = None
                elif step["event"] not in ("received", "corrects", "corrected", "replaces"):
                    claimed = None

    # --- P3 ---------------------------------------------------------------------------------------------------------

    def _announced_as_stored(self, outbox: Sequence[Row]) -> None:
        assert all(row["published_at"] for row in outbox), "P3: something waits in the outbox"
        stored = {row["event_id"]: row["body"] for row in outbox if row["event_type"] != "ReprocessRequested"}
        told: dict[str, str] = {}
        for body, event in zip(self._bodies, self._announced, strict=True):
            assert told.setdefault(event["event_id"], body) == body, f"P3: an event changed: {body}"
        assert told == stored, "P3: what was announced is not what was committed"

    def _announced_what_happened(self, feeds: Mapping[str, Row], history: Sequence[Row]) -> None:
        """In order, once each, at least: by what the feeds' lives and their rows say."""
        told: dict[str, dict[str, Any]] = defaultdict(dict)
        for event in self._announced:
            told[event["feed_id"]].setdefault(event["event_id"], event)
        for feed_id, feed in feeds.items():
            events = list(told[feed_id].values())
            sequences = [event["sequence"] for event in events]
            assert sequences == sorted(set(sequences)), f"P3: out of order: {sequences} of {feed_id}"
            lived = [step["event"] for step in history if step["feed_id"] == feed_id]
            happened = [_EVENT_OF_STEP[step] for step in lived if step in _EVENT_OF_STEP]
            types = [event["event_type"] for event in events]
            assert types == happened, f"P3: {feed_id} lived {lived}, announced is {types}"
            _assert_told_of(feed, events)

    # --- what is handed back ----------------------------------------------------------------------------------------

    def _evidence_agrees(self, feeds: Mapping[str, Row]) -> None:
        for feed in feeds.values():
            if feed["report_uri"]:
                report = json.loads(self._object(feed["report_uri"]))
                counts = {name: feed[name] for name in report["summary"]["counts"]}
                shown = (report["header"]["processing_status"], report["summary"]["counts"])
                assert shown == (feed["processing_status"], counts), f"P1: the report of {feed} says {shown}"
                totals = report["summary"]["issue_totals"]
                assert totals == json.loads(feed["issue_totals"]), f"P1: the report of {feed} found {totals}"
            if feed["processing_status"] == "FATAL":
                handed = next(each for each in self._world.feeds if str(each.feed_id) == feed["feed_id"])
                assert self._object(feed["raw_uri"]) == handed.content.as_bytes(self._world.reader), "P4: raw is lost"
            if feed["rejected_uri"]:
                lines = self._object(feed["rejected_uri"]).splitlines()
                assert len(lines) >= feed["rows_rejected"], "P1: rejected rows are missing"

    def _object(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self._world.buckets.others[bucket, key]


def _assert_told_of(feed: Row, events: Sequence[Mapping[str, Any]]) -> None:
    """The last word about a feed is what its row says."""
    types = [event["event_type"] for event in events]
    where = f"P3: {feed} was told as {types}"
    outcomes = [event for event in events if event["event_type"] in ("FeedProcessed", "FeedFailed")]
    match feed["processing_status"]:
        case "DONE":
            assert outcomes, where
            assert outcomes[-1]["event_type"] == "FeedProcessed", where
        case "FATAL":
            assert outcomes, where
            assert outcomes[-1]["event_type"] == "FeedFailed", where
        case "CANCELLED":
            # Cancelled by request, it may be replaced by name since.
            assert "FeedCancelled" in types, where
            assert types[-1] in ("FeedCancelled", "FeedReplaced"), where
        case other:
            raise AssertionError(f"P4: {feed['feed_id']} is left {other}")
    if outcomes and feed["processing_status"] != "CANCELLED":
        counts = outcomes[-1]["counts"]
        assert counts == {name: feed[name] for name in counts}, where
    if feed["replaced_by"] and feed["processing_status"] != "CANCELLED":
        assert types.count("FeedReplaced") == 1, where
    if feed["withdrawn_at"]:
        assert "FeedWithdrawn" in types, where


def _expected(fate: Fate, feed: Handed) -> tuple[object, ...]:
    content = feed.content
    accepted, rejected, received = content.accepted, content.rejected, content.accepted + content.rejected
    books = {
        "none": (0, 0, 0, 0, 0),
        "applied": (received, accepted, rejected, 0, 0),
        "skipped": (received, 0, rejected, 0, accepted),
        "duplicate": (received, 0, 0, received, 0),
    }[fate.books]
    links = (fate.duplicate_of, fate.replaces, fate.replaced_by)
    return (fate.status, fate.counts, fate.withdrawn, fate.error, *links, *books)


def _shown(row: Row) -> tuple[object, ...]:
    error = row["error_code"]
    links = (_id(row["duplicate_of"]), _id(row["replaces"]), _id(row["replaced_by"]))
    books = (row["rows_received"], *(row[f"rows_{part}"] for part in _PARTS))
    withdrawn = row["withdrawn_at"] is not None
    error = "unreadable" if error and error.startswith("format/") else error
    return (row["processing_status"], bool(row["counted_sha256"]), withdrawn, error, *links, *books)


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None
