"""Loads one feed into the engine: plain rows as sums per group, every other row as its line and what rules it breaks.

1. groups: the file is scanned once, at full speed, and plain rows are summed as they stand
2. the texts of groups that are not plainly right are judged, once per group
3. only if there are rows that are not plain, or ids to compare: which lines they are, in a second, narrower scan
4. those lines alone are fetched and judged, rule by rule
5. lines with an identity that came before are found: hashes narrow the search, the values decide
"""

# ruff: noqa: S608 - what is pasted is our own tables and names; values go in as parameters

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.aggregator.adapters.duckdb_group_rows import group_rows
from services.aggregator.adapters.duckdb_line_faults import mark_faults
from services.aggregator.adapters.duckdb_plain_scan import ID_HASH, KEYS, PlainScan
from services.aggregator.adapters.duckdb_row_sql import Judging, lines_sql
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.duckdb_sort_contributions import KEY, sort_contributions
from services.aggregator.adapters.plain_lines import add_up_plain_lines
from services.aggregator.ports import Contribution
from services.aggregator.rules.rule_bits import ERROR_BITS, SKIP_BITS

USABLE = f"mask & {ERROR_BITS | SKIP_BITS} = 0"
"""A row that counts, unless it repeats another."""
_TEXTS = ", ".join(KEYS)
_GROUP_TEXTS = ", ".join(f"groups.{key}" for key in KEYS)
_JUDGED = "groups JOIN judged ON line = groups.rowid"
_VALUES = ("product_id", "product_name", "category", "currency", "sale_date", "quantity", "amount", "revenue")


class NotAsExpected(Exception):
    """The scanner found other lines than the file has, or other rows than the rules: nothing of it may be used."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text file whose records stand on one line each. `lines`: how many it has."""

    path: Path
    line_end: bytes
    lines: int
    is_framed: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """What there is now in the session, beside the table `contributions`, instead of which there may be a list.

    plain_rows: how many rows were counted in groups, repeats included. has_rows: the tables `lines` (n, l) and `rows`,
    with what each of those lines is (see Judging). has_repeats: the table `repeats` (line, same, counted), of lines
    whose identity came before, and `suspects`: lines that were counted in groups, judged for comparison.
    """

    plain_rows: int
    has_rows: bool
    has_repeats: bool
    contributions: list[Contribution] | None = None


class FeedLoader:
    """Used once: a reading that is given up leaves tables behind, and they go with their session."""

    def __init__(self, session: FeedSession, judging: Judging, seller_id: str, object_day: date) -> None:
        self._session = session
        self._judging = judging
        self._object_day = object_day
        self._parameters = judging.parameters(seller_id, object_day)
        self._head_lines = judging.layout.first_line - 1
        self._has_ids = "transaction_id" in judging.layout.columns.position

    def scan(self, scan: PlainScan) -> None:
        """Step 1. May raise what the engine raises for a file that is not one record per line."""
        group_rows(self._session, scan)

    def load(self, source: Source, scan: PlainScan) -> Loaded:
        """Steps 2 to 5, after `scan`. Raises NotAsExpected, or what the engine raises, as above."""
        settled = scan.settled()
        [(scanned, odd, unsettled)] = self._session.fetch(
            f"""SELECT CAST(coalesce(sum(transactions), 0) AS BIGINT),
                       CAST(coalesce(sum(transactions) FILTER (NOT plain), 0) AS BIGINT),
                       count(*) FILTER (plain AND NOT {settled}) FROM groups""",
            self._used(settled),
        )
        if scanned != source.lines:
            raise NotAsExpected(f"{source.lines} lines, {scanned} scanned")
        counts = f"mask = 0 AND {scan.is_same_item()}"
        bad = self._judge_groups(settled, counts) if unsettled else 0
        has_odd = odd + bad > self._head_lines
        plain_rows = scanned - odd - bad
        if has_odd or self._has_ids:
            narrow = scan.rows_sql(all_plain=not has_odd, with_keys=bad > 0)
            self._session.create("scanned", narrow, {"path": str(scan.path)})
        if has_odd:
            self._session.create("odd", self._odd_lines(f"NOT ({counts})" if bad else None))
            self._fetch_lines(source, "odd")
            self._judge("rows", "lines")
        judged = self._session.count("SELECT count(*) FROM rows") if has_odd else 0
        if plain_rows + judged != source.lines - self._head_lines:
            raise NotAsExpected(f"{plain_rows} rows counted, {judged} judged, {source.lines} lines: one was lost")
        has_suspects = self._has_ids and self._find_suspects(source, has_rows=has_odd)
        loaded = Loaded(plain_rows, has_odd, self._has_ids and self._find_repeats(has_odd, has_suspects))
        self._add_up(loaded, self._groups_parts(scan, counts if unsettled else None))
        return loaded

    def load_small(self, source: Source, scan: PlainScan) -> Loaded:
        """Instead of all that, a small file without the engine if all of it is plain, else line by line. Raises as
        `load` does."""
        # Bytes that are no text were found when its facts were gathered.
        text = source.path.read_bytes().decode("utf-8-sig")
        contributions = add_up_plain_lines(text, source.lines, scan, self._object_day)
        if contributions is None:
            if not source.is_framed and '"' in text:
                raise NotAsExpected("a record may go over several lines")
            self._session.think_less()
            return self.load_lines(source)
        rows = source.lines - self._head_lines
        return Loaded(rows, has_rows=False, has_repeats=False, contributions=contributions)

    def load_lines(self, source: Source) -> Loaded:
        """Instead of all that, every line is judged by itself. Raises NotAsExpected."""
        self._fetch_lines(source, None)
        self._judge("rows", "lines")
        loaded = Loaded(0, has_rows=True, has_repeats=self._has_ids and self._find_repeats(True, False))
        self._add_up(loaded, [])
        return loaded

    def _used(self, sql: str) -> dict[str, object]:
        return {name: value for name, value in self._parameters.items() if f"${name}" in sql}

    def _judge_groups(self, settled: str, counts: str) -> int:
        """Step 2. How many rows are in groups that break a rule, or else do not count as they stand."""
        groups = f"(SELECT rowid AS n, {_TEXTS} FROM groups WHERE plain AND NOT {settled})"
        self._session.create("judged", self._judging.groups_sql(groups), self._parameters)
        return self._session.count(f"SELECT sum(transactions) FROM {_JUDGED} WHERE NOT ({counts})")

    def _odd_lines(self, is_bad: str | None) -> str:
        """Step 3. The numbers (n) of lines that the groups do not count. `is_bad`: which judged groups, if any."""
        is_odd = "NOT plain"
        if is_bad:
            hashes = f"SELECT DISTINCT hash({_GROUP_TEXTS}) AS key_hash FROM {_JUDGED} WHERE {is_bad}"
            self._session.create("bad", hashes)
            is_odd = "(NOT plain OR key_hash IN (SELECT key_hash FROM bad))"
        return f"SELECT rowid + 1 AS n FROM scanned WHERE {is_odd} AND rowid >= {self._head_lines}"

    def _fetch_lines(self, source: Source, table: str | None) -> None:
        """Step 4. Adds those lines whose numbers are in a table, or all."""
        lines = lines_sql(source.line_end)
        path = {"path": str(source.path)}
        if table is None:
            self._session.create("lines", lines, path)
            if (found := self._session.count("SELECT count(*) FROM lines")) != source.lines:
                raise NotAsExpected(f"{source.lines} lines, {found} scanned")
        elif self._session.has("lines"):
            self._session.fetch(
                f"INSERT INTO lines SELECT n, l FROM ({lines}) WHERE n IN (SELECT n FROM {table})", path
            )
        else:
            self._session.create("lines", f"SELECT n, l FROM ({lines}) WHERE n IN (SELECT n FROM {table})", path)
        if not source.is_framed:
            mark_faults(self._session, self._judging.layout.delimiter)

    def _judge(self, table: str, lines: str) -> None:
        self._session.create(table, self._judging.lines_sql(lines), self._parameters)

    def _find_suspects(self, source: Source, *, has_rows: bool) -> bool:
        """Step 5. Whether there are lines that the groups count, with an identity that may not be theirs alone."""
        counted = f"id_hash IS NOT NULL{' AND plain' if has_rows else ''}"
        hashes = [f"SELECT id_hash AS h FROM scanned WHERE {counted}"]
        if has_rows:
            hashes.append(f"SELECT {ID_HASH} FROM rows WHERE {USABLE} AND transaction_id <> ''")
        self._session.create("twice", f"SELECT h FROM ({' UNION ALL '.join(hashes)}) GROUP BY h HAVING count(*) > 1")
        if not self._session.count("SELECT count(*) FROM twice"):
            return False
        again = f"SELECT rowid + 1 AS n FROM scanned WHERE {counted} AND id_hash IN (SELECT h FROM twice)"
        apart = "AND n NOT IN (SELECT n FROM odd)" if has_rows else ""
        self._session.create("again", f"SELECT n FROM ({again}) WHERE n > {self._head_lines} {apart}")
        self._fetch_lines(source, "again")
        self._judge("suspects", "(SELECT * FROM lines WHERE n IN (SELECT n FROM again))")
        if self._session.count("SELECT count(*) FROM suspects WHERE mask IS DISTINCT FROM 0"):
            raise NotAsExpected("a row was counted as plain, and judged otherwise")
        return True

    def _find_repeats(self, has_rows: bool, has_suspects: bool) -> bool:
        """Lines that come after one with their identity: with the same values, or with others."""
        tables = ["SELECT *, false AS counted FROM rows"] if has_rows else []
        tables += ["SELECT *, true AS counted FROM suspects"] if has_suspects else []
        if not tables:
            return False
        every = f"""(SELECT *, {ID_HASH} AS h FROM ({" UNION ALL ".join(tables)})
                     WHERE {USABLE} AND transaction_id <> '')"""
        value = f"struct_pack({', '.join(f'{column} := {column}' for column in _VALUES)})"
        self._session.create(
            "repeats",
            f"""WITH several AS MATERIALIZED (SELECT h FROM {every} GROUP BY h HAVING count(*) > 1)
                SELECT line, value = first AS same, counted FROM (
                    SELECT line, counted, value, first_value(value) OVER same AS first, row_number() OVER same AS nth
                    FROM (SELECT *, {value} AS value FROM {every} WHERE h IN (SELECT h FROM several))
                    WINDOW same AS (PARTITION BY transaction_id, item ORDER BY line))
                WHERE nth > 1""",
        )
        return self._session.count("SELECT count(*) FROM repeats") > 0

    def _groups_parts(self, scan: PlainScan, counts: str | None) -> list[str]:
        """What the groups add: as they stand, and where they were judged and count, as they were understood."""
        sums = "quantity, amount, revenue, transactions"
        parts = [
            f"""SELECT {scan.day()} AS sale_date, product_id, {scan.product_name()} AS product_name, category, currency,
                {sums} FROM groups WHERE plain AND {scan.settled()}"""
        ]
        if counts:
            understood = ", ".join(f"judged.{column}" for column in KEY.split(", "))
            of_groups = ", ".join(f"groups.{column}" for column in sums.split(", "))
            parts.append(f"SELECT {understood}, {of_groups} FROM {_JUDGED} WHERE {counts}")
        return parts

    def _add_up(self, loaded: Loaded, parts: list[str]) -> None:
        """What counts, once, in key order. What the groups count of repeated lines is taken out again."""
        # Groups that nothing joins are sums already.
        total = parts[0] if len(parts) == 1 else ""
        if loaded.has_rows:
            once = USABLE + (" AND line NOT IN (SELECT line FROM repeats)" if loaded.has_repeats else "")
            parts = [*parts, f"SELECT {KEY}, quantity, amount, revenue, 1 AS transactions FROM rows WHERE {once}"]
        if loaded.has_repeats and self._session.has("suspects"):
            again = "line IN (SELECT line FROM repeats WHERE counted)"
            parts = [
                *parts,
                f"SELECT {KEY}, -quantity, -amount, -revenue, -1 AS transactions FROM suspects WHERE {again}",
            ]
        if len(parts) > 1 or not total:
            total = f"""SELECT {KEY}, CAST(sum(quantity) AS BIGINT) AS quantity, sum(amount) AS amount,
                sum(revenue) AS revenue, CAST(sum(transactions) AS BIGINT) AS transactions
                FROM ({" UNION ALL ".join(parts)}) GROUP BY {KEY} HAVING sum(transactions) <> 0"""
        keys = " UNION ALL ".join(f"SELECT {KEY} FROM ({part})" for part in parts)
        groups = self._session.count("SELECT count(*) FROM groups") if self._session.has("groups") else 0
        sort_contributions(self._session, total, keys, self._used(keys), about=groups)
        self._session.drop("groups", "judged", "scanned", "odd", "bad", "twice", "again")
