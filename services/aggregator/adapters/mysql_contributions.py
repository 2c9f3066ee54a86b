"""A feed's groups into the `contributions` table, exactly: many at a time, and none cut, clamped or rounded.

Few groups go in one INSERT from JSON_TABLE, which needs no right beyond INSERT. Many go with LOAD DATA LOCAL INFILE,
at half the cost, where the server allows it; where it does not, or has anything to say about a row, they go the first
way. docs/decisions/0011-load-data-for-many-groups.md has the figures.
"""

import asyncio
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import IO

import structlog
from pymysql.err import MySQLError

from services.aggregator.errors import Outage
from services.aggregator.ports import Contribution, ContributionBatches
from services.aggregator.rules.feed_lease import Claimed
from shared.runtime.mysql import MySqlSession
from shared.runtime.mysql_errors import error_number

log = structlog.get_logger(__name__)

LOADED_FROM_GROUPS = 1_000
"""Below, a file and its loading cost more than they save."""

INSERTED_GROUPS = 2_000
"""In one INSERT: of the widest, so many stay below MariaDB's max_allowed_packet of 16 MiB."""

NOT_ALLOWED = frozenset({1148, 2068, 3948, 3950, 4166})
"""What servers and drivers say when `local_infile` is off at one end: MySQL 8 and 9, MariaDB, libraries."""

_COLUMNS = "sale_date, product_id, product_name, category, currency, quantity, amount, revenue, transactions"

_KEY = "LEFT(UNHEX(SHA2(CONCAT_WS(CHAR(31), {0}product_id, {0}product_name, {0}category, {0}currency), 256)), 16)"

# Every column leaves JSON_TABLE as text that is wider than its target: MariaDB would cut, clamp or zero a typed one
# silently, whereas the strict INSERT refuses on both servers. So does money never pass through a double.
_INSERT = f"""
INSERT INTO contributions (feed_id, seller_id, group_key, {_COLUMNS})
SELECT %s, %s, {_KEY.format("g.")},
       g.sale_date, g.product_id, g.product_name, g.category, g.currency, g.quantity, g.amount, g.revenue,
       g.transactions
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
    sale_date VARCHAR(40) CHARACTER SET utf8mb4 PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    product_id VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    product_name VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    category VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    currency VARCHAR(40) CHARACTER SET utf8mb4 PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    quantity VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    amount VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    revenue VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    transactions VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR)) AS g"""  # noqa: S608

# With LOCAL, the server turns errors into warnings, strict mode or not: it cuts and clamps, and says so in their count.
_LOAD = f"""
LOAD DATA LOCAL INFILE %s INTO TABLE contributions CHARACTER SET utf8mb4
FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'
({_COLUMNS})
SET feed_id = %s, seller_id = %s, group_key = {_KEY.format("")}"""

_TABS = _COLUMNS.count(",")
_SPECIAL = re.compile(r"[\\\n\r\0]")
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class MySqlContributions:
    """One for a process: it remembers whether its server lets it load. Call it inside the feed's transaction.

    What is loaded passes through a file in `scratch`; None: the system's temporary directory.
    """

    def __init__(self, scratch: Path | None = None, *, may_load: bool = True) -> None:
        self._scratch = scratch
        self._may_load = may_load

    async def insert(self, session: MySqlSession, claim: Claimed, contributions: ContributionBatches) -> None:
        """All groups of the feed."""
        async for unordered in contributions():
            batch = sorted(unordered, key=_place)
            if not self._may_load or len(batch) < LOADED_FROM_GROUPS or not await self._load(session, claim, batch):
                await _insert(session, claim, batch)

    async def _load(self, session: MySqlSession, claim: Claimed, batch: Sequence[Contribution]) -> bool:
        """Whether the batch is stored; if not, none of it is."""
        async with self._written(batch) as path:
            await session.change("SAVEPOINT before_load")
            try:
                loaded, warnings = await session.load(_LOAD, (path, str(claim.feed.feed_id), claim.feed.seller_id))
            except MySQLError as error:
                if error_number(error) not in NOT_ALLOWED:
                    raise
                log.info("contributions.not_loaded", reason=str(error))
                self._may_load = False
                return False
        if warnings == 0 and loaded == len(batch):
            return True
        # The INSERT that follows says which row it is, and refuses it.
        log.warning("contributions.load_undone", groups=len(batch), loaded=loaded, warnings=warnings)
        await session.change("ROLLBACK TO SAVEPOINT before_load")
        return False

    @asynccontextmanager
    async def _written(self, batch: Sequence[Contribution]) -> AsyncIterator[str]:
        """The path of the batch as a file. Raises Outage where the local disk is at fault, not the database."""
        with ExitStack() as opened:
            try:
                file = opened.enter_context(tempfile.NamedTemporaryFile(prefix="contributions-", dir=self._scratch))
                await asyncio.to_thread(_write, batch, file)
            except OSError as error:
                raise Outage(f"the local disk does not take a feed's groups: {error!r}") from error
            yield file.name


async def _insert(session: MySqlSession, claim: Claimed, batch: Sequence[Contribution]) -> None:
    for start in range(0, len(batch), INSERTED_GROUPS):
        groups = json.dumps([_as_texts(group) for group in batch[start : start + INSERTED_GROUPS]], ensure_ascii=False)
        await session.later(_INSERT, (str(claim.feed.feed_id), claim.feed.seller_id, groups))


def _write(batch: Sequence[Contribution], file: IO[bytes]) -> None:
    lines = []
    for group in batch:
        line = "\t".join(_as_texts(group))
        # Eight tabs are ours; a ninth, or anything else that would end a field, is the seller's.
        if line.count("\t") > _TABS or _SPECIAL.search(line):
            line = "\t".join(text.translate(_ESCAPED) for text in _as_texts(group))
        lines.append(line)
    file.write(("\n".join(lines) + "\n").encode())
    file.flush()


def _place(group: Contribution) -> tuple[date, bytes]:
    """Where the group comes in every index of the table: rows that come in order are appended, others split pages.

    The key is what the statements compute; were it not, they would only be slower.
    """
    named = "\x1f".join((group.product_id, group.product_name, group.category, group.currency))
    return group.sale_date, hashlib.sha256(named.encode()).digest()


def _as_texts(group: Contribution) -> list[str]:
    return [
        group.sale_date.isoformat(),
        group.product_id,
        group.product_name,
        group.category,
        group.currency,
        str(group.quantity),
        format(group.amount, "f"),
        format(group.revenue, "f"),
        str(group.transactions),
    ]
