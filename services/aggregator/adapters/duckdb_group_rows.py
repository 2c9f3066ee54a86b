"""Sums a feed's plain rows per group into the table `groups`, however many groups there are."""

from collections.abc import Sequence

import structlog

from services.aggregator.adapters.duckdb_plain_scan import PlainScan
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.errors import EngineFull

log = structlog.get_logger(__name__)

_PARTS = (1, 4, 16)
"""In how many scans the groups are made: more if the memory did not suffice for fewer."""


def group_rows(session: FeedSession, scan: PlainScan, attempts: Sequence[int] = _PARTS) -> None:
    """Makes the table `groups` (see PlainScan.groups_sql). May raise what the engine raises for a bad file.

    A single scan, unless there are tens of millions of groups: these do not fit even though the engine spills.
    """
    for parts in attempts:
        try:
            _group_in(parts, session, scan)
        except EngineFull:
            session.drop("groups")
            if parts == attempts[-1]:
                raise
            log.info("feed.too_many_groups_at_once", parts=parts)
        else:
            return


def _group_in(parts: int, session: FeedSession, scan: PlainScan) -> None:
    path = {"path": str(scan.path)}
    session.create("groups", scan.groups_sql(0, parts), path)
    for part in range(1, parts):
        session.fetch(f"INSERT INTO groups {scan.groups_sql(part, parts)}", path)
