"""Every statement that any read sends holds the caller to its own seller (P6)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.query.adapters.mysql_answers import MySqlAnswers, as_text
from services.query.adapters.mysql_corrections import select_corrections
from services.query.adapters.mysql_feeds import MySqlFeeds
from services.query.adapters.mysql_history import MySqlHistory
from services.query.adapters.mysql_reads import MySqlReads
from services.query.adapters.mysql_sales import MySqlSales
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.page_keys import FeedKey, HistoryKey, ProductKey, TransactionKey
from services.query.rules.plan import Dimension, Metric, Period, Plan, Ranking, ValueFilter
from services.query.rules.records import FeedFilter, SalesFilter
from shared.schemas.feeds import ProcessingStatus

CALLER = Confinement("the-caller")
FEED_ID = uuid4()


class Recorder:
    """Stands for the database, as reads and as their snapshot: holds nothing, keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[sa.Select[Any]] = []

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["Recorder"]:
        yield self

    async def rows(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        self.sent.append(statement)
        return []

    async def row(self, statement: sa.Select[Any]) -> None:
        self.sent.append(statement)


CHOSEN = SalesFilter(date(2026, 1, 1), date(2026, 2, 1), "another", "Shoes")
OF_FEED = SalesFilter(feed_id=FEED_ID)
RECORD = TransactionKey(date(2026, 1, 1), "another", FEED_ID, bytes(16))
NEWEST = FeedKey(datetime(2026, 1, 1, tzinfo=UTC), FEED_ID)
RANKED = Plan(
    metrics=[Metric.REVENUE],
    dimensions=[Dimension.SELLER],
    filters=[ValueFilter(dimension=Dimension.SELLER, values=["another"])],
    period=Period(start=date(2026, 1, 1), phrase="since then"),
    ranking=Ranking(metric=Metric.REVENUE, places=3),
)


async def _corrections(reads: MySqlReads, whose: Confinement) -> None:
    """As MySqlFeeds asks for those of the feeds that it found; the recorder finds none."""
    async with reads.snapshot() as snapshot:
        await snapshot.rows(select_corrections([FEED_ID], whose))


Read = Callable[[MySqlReads, Confinement], Awaitable[object]]
READS: dict[str, tuple[int, Read]] = {
    "records": (1, lambda reads, whose: MySqlSales(reads).records(SalesFilter(), None, 5, whose)),
    "records of a seller": (1, lambda reads, whose: MySqlSales(reads).records(CHOSEN, RECORD, 5, whose)),
    "records of a feed": (
        1,
        lambda reads, whose: MySqlSales(reads).records(OF_FEED, None, 5, whose),
    ),
    "products and currencies": (2, lambda reads, whose: MySqlSales(reads).summary(SalesFilter(), None, 5, whose)),
    "chosen ones": (2, lambda reads, whose: MySqlSales(reads).summary(CHOSEN, ProductKey("a", "b", ""), 5, whose)),
    "feeds": (1, lambda reads, whose: MySqlFeeds(reads).newest(FeedFilter(), None, 5, whose)),
    "chosen feeds": (
        1,
        lambda reads, whose: MySqlFeeds(reads).newest(FeedFilter("another", ProcessingStatus.DONE), NEWEST, 5, whose),
    ),
    "corrections of feeds": (1, lambda reads, whose: _corrections(reads, whose)),
    "steps of a feed": (1, lambda reads, whose: MySqlHistory(reads).steps(FEED_ID, None, 5, whose)),
    "further steps": (1, lambda reads, whose: MySqlHistory(reads).steps(FEED_ID, HistoryKey(FEED_ID, 7), 5, whose)),
    "one feed": (1, lambda reads, whose: MySqlFeeds(reads).one(FEED_ID, whose)),
    "names": (5, lambda reads, whose: MySqlAnswers(reads, 5).known_values(["another", "EUR"], whose)),
    "a total": (4, lambda reads, whose: MySqlAnswers(reads, 5).run(Plan(metrics=[Metric.REVENUE]), whose)),
    "a ranking": (4, lambda reads, whose: MySqlAnswers(reads, 5).run(RANKED, whose)),
}


@pytest.mark.parametrize("read", READS)
async def test_every_select_is_bound_to_the_callers_seller(read: str) -> None:
    count, run = READS[read]
    recorder = Recorder()
    await run(cast("MySqlReads", recorder), CALLER)
    assert len(recorder.sent) >= count
    for statement in recorder.sent:
        text, parameters = as_text(statement)
        tables = re.findall(r"FROM (\w+)", text)
        for table in tables:
            markers = re.findall(rf"\b{table}\.seller_id = :(\w+)", text)
            assert any(parameters[marker] == CALLER.seller_id for marker in markers), text
        bound = [name for name, value in parameters.items() if value == CALLER.seller_id]
        assert len(bound) >= len(tables) >= 1, text


@pytest.mark.parametrize("read", READS)
async def test_an_operator_is_bound_to_no_seller(read: str) -> None:
    recorder = Recorder()
    await READS[read][1](cast("MySqlReads", recorder), UNCONFINED)
    assert all(CALLER.seller_id not in as_text(statement)[1].values() for statement in recorder.sent)
