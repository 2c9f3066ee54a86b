"""One feed that DuckDB has read: tables of its own, from which its books, issues and contributions are asked."""

# ruff: noqa: S608 - values go in as parameters; what is pasted is our own tables and the path that the flow chose

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from services.aggregator.adapters.duckdb_line_framing import FAULT, JOIN, FramedText
from services.aggregator.adapters.duckdb_row_sql import lines_sql, rows_sql
from services.aggregator.adapters.prepared_text import PreparedText
from services.aggregator.ports import Contribution, ReadRequest
from services.aggregator.rules.layouts import WITH_HEADER, Layout
from services.aggregator.rules.row_rules import CONFLICT, DUPLICATE, NO_ROWS, ignored_columns
from services.aggregator.rules.rule_bits import ERROR_BITS, broken_rules, code_masks, total_of
from shared.schemas.feeds import Counts, Recognised
from shared.schemas.issues import Issue, IssueTotal

_RAW_CHARACTERS = 500
_KEY = "sale_date, product_id, product_name, category, currency"


class ParsedStatements:
    """Parses each statement once: it takes DuckDB longer than all else that it does for a small feed."""

    _LIMIT = 256

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._parsed: dict[str, duckdb.Statement] = {}

    def __call__(self, sql: str) -> duckdb.Statement:
        with self._lock:
            if sql not in self._parsed:
                if len(self._parsed) >= self._LIMIT:
                    self._parsed.clear()
                [self._parsed[sql]] = self._connection.extract_statements(sql)
            return self._parsed[sql]

    def close(self) -> None:
        """Lets go of the statements and of the engine."""
        with self._lock:
            self._parsed.clear()
            self._connection.close()


class DuckDbReadFeed:
    """See ReadFeed. Everything is counted when this is made; queries afterwards only fetch."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        statements: ParsedStatements,
        framed: FramedText,
        layout: Layout,
        request: ReadRequest,
        prepared: PreparedText,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._lock = threading.Lock()
        self._closed = False
        self._line_offset = prepared.line_offset
        self.recognised = Recognised(
            format=prepared.format,
            layout=layout.name,
            compression=prepared.compression,
            charset=prepared.charset,
            delimiter=None if prepared.is_ours else layout.delimiter,
            sheet=prepared.sheet,
        )
        try:
            self._load(framed, layout, request)
            self._find_repeats("transaction_id" in layout.columns.position)
            self._aggregate()
            self.counts, row_totals, row_issues = self._count()
            self._has_row_issues = bool(row_totals)
            if not self._has_row_issues:
                self._fetch("DROP TABLE lines")
        except BaseException:
            self.close()
            raise
        self._feed_issues = [*_feed_issues(layout, self.counts), *prepared.notes]
        feed_totals = [IssueTotal(code=i.code, severity=i.severity, rows=0) for i in self._feed_issues]
        self.issue_totals: list[IssueTotal] = feed_totals + row_totals
        self.issue_count = len(self._feed_issues) + row_issues

    def first_issues(self, limit: int) -> list[Issue]:
        """See ReadFeed."""
        if not self._has_row_issues:
            return self._feed_issues[:limit]
        rows = self._fetch(
            f"""SELECT line, mask, same, left(l, {_RAW_CHARACTERS * 2})
                FROM (SELECT line, mask, same FROM rows LEFT JOIN repeats USING (line)
                      WHERE mask <> 0 OR repeats.line IS NOT NULL ORDER BY line LIMIT $limit) JOIN lines ON n = line
                ORDER BY line""",
            {"limit": limit},
        )
        issues = list(self._feed_issues)
        for line, mask, same, raw in rows:
            issues.extend(_row_issues(line + self._line_offset, mask, same, raw))
        return issues[:limit]

    def write_rejected(self, path: Path) -> int:
        """See ReadFeed."""
        path.write_bytes(b"")
        return 0

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        """See ReadFeed."""
        start = 0
        while batch := self._fetch(
            f"""SELECT {_KEY}, quantity, amount, revenue, transactions FROM contributions
                WHERE rowid >= $start AND rowid < $start + $size ORDER BY rowid""",
            {"start": start, "size": batch_size},
        ):
            yield [Contribution(*row) for row in batch]
            start += batch_size

    def close(self) -> None:
        """See ReadFeed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._connection.close()

    def _fetch(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(self._statements(sql), parameters or {}).fetchall()

    def _load(self, framed: FramedText, layout: Layout, request: ReadRequest) -> None:
        # The one statement that is not the same for the next feed: it names the file.
        [(lines,)] = self._connection.execute(f"CREATE TEMP TABLE lines AS {lines_sql(framed)}").fetchall()
        if lines != framed.lines:
            raise RuntimeError(f"{framed.lines} lines were framed, but {lines} scanned: no line number is safe")
        position = layout.columns.position
        parameters = {
            "seller_id": (request.seller_id, "seller_id" in position),
            "object_day": (request.object_day, "occurred_at" not in position),
            "last_date": (_year_after(request.object_day), "occurred_at" in position),
        }
        self._fetch(
            f"CREATE TEMP TABLE rows AS {rows_sql(framed, layout)}",
            {name: value for name, (value, used) in parameters.items() if used},
        )

    def _find_repeats(self, has_transactions: bool) -> None:
        """Lines that come after a line with their identity. Hashes narrow the search; the values decide."""
        self._fetch("CREATE TEMP TABLE repeats (line BIGINT, same BOOLEAN)")
        if not has_transactions:
            return
        usable = f"mask & {ERROR_BITS} = 0 AND transaction_id <> ''"
        self._fetch(f"""
            INSERT INTO repeats
            WITH suspects AS MATERIALIZED (SELECT hash(transaction_id, item) AS h FROM rows WHERE {usable}
                              GROUP BY h HAVING count(*) > 1)
            SELECT line, value = first FROM (
                SELECT line, value, first_value(value) OVER same AS first, row_number() OVER same AS nth FROM (
                    SELECT *, struct_pack({", ".join(f"{c} := {c}" for c in _VALUES)}) AS value FROM rows
                    WHERE {usable} AND hash(transaction_id, item) IN (SELECT h FROM suspects))
                WINDOW same AS (PARTITION BY transaction_id, item ORDER BY line))
            WHERE nth > 1""")

    def _aggregate(self) -> None:
        self._fetch(f"""
            CREATE TEMP TABLE contributions AS
            SELECT {_KEY}, CAST(sum(quantity) AS BIGINT) AS quantity, sum(amount) AS amount, sum(revenue) AS revenue,
                   count(*) AS transactions
            FROM rows WHERE mask & {ERROR_BITS} = 0 AND line NOT IN (SELECT line FROM repeats)
            GROUP BY {_KEY} ORDER BY {_KEY}""")

    def _count(self) -> tuple[Counts, list[IssueTotal], int]:
        """The books, the rows of each code, and how many issues there are.

        Each class is counted where it is, none by subtraction, so that a lost row breaks the books.
        """
        of_masks = self._fetch("SELECT mask, count(*) FROM rows WHERE mask IS NOT NULL GROUP BY mask")
        [(accepted, duplicates, conflicts)] = self._fetch(
            """SELECT (SELECT CAST(coalesce(sum(transactions), 0) AS BIGINT) FROM contributions),
                      count(*) FILTER (same), count(*) FILTER (NOT same) FROM repeats"""
        )
        counts = Counts(
            rows_received=sum(rows for _, rows in of_masks),
            rows_accepted=accepted,
            rows_rejected=sum(rows for mask, rows in of_masks if mask & ERROR_BITS) + conflicts,
            rows_duplicate=duplicates,
        )
        found = {code: sum(rows for m, rows in of_masks if m & bits) for code, bits in code_masks().items()}
        found |= {DUPLICATE.code: duplicates, CONFLICT.code: conflicts}
        issues = sum(rows * int(mask).bit_count() for mask, rows in of_masks) + duplicates + conflicts
        return counts, [total_of(code, rows) for code, rows in found.items() if rows], issues


_VALUES = ("product_id", "product_name", "category", "currency", "sale_date", "quantity", "amount", "revenue")


def _year_after(day: date) -> date:
    return day.replace(year=day.year + 1) if (day.month, day.day) != (2, 29) else date(day.year + 1, 3, 1)


def _feed_issues(layout: Layout, counts: Counts) -> list[Issue]:
    issues = [ignored_columns(layout.columns.ignored)] if layout.columns.ignored else []
    return [NO_ROWS, *issues] if layout.name == WITH_HEADER and counts.rows_received == 0 else issues


def _row_issues(line: int, mask: int, same: bool | None, raw: str) -> Iterator[Issue]:
    lines = ""
    if raw.startswith(FAULT):
        _, _, taken, raw = raw.split(FAULT, 3)
        lines = f" It takes up {taken} lines, which were not read as rows." if int(taken) > 1 else ""
    text = raw.replace(JOIN, "\n")[:_RAW_CHARACTERS]
    repeat = () if same is None else (DUPLICATE,) if same else (CONFLICT,)
    for rule in (*repeat, *broken_rules(mask)):
        message = rule.message + lines
        yield Issue(code=rule.code, severity=rule.severity, message=message, line=line, field=rule.field, raw=text)
