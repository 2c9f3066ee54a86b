"""One feed that DuckDB has read: its books, issues, rejected rows and contributions, asked of its tables."""

# ruff: noqa: S608 - what is pasted is our own tables and rules

from collections.abc import Iterator
from pathlib import Path

from services.aggregator.adapters.duckdb_line_framing import shown_text
from services.aggregator.adapters.duckdb_load_feed import Loaded
from services.aggregator.adapters.duckdb_rejected_rows import rejected_rows
from services.aggregator.adapters.duckdb_row_sql import split_sql
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.duckdb_sort_contributions import KEY
from services.aggregator.adapters.rejected_csv import write_rejected_csv
from services.aggregator.ports import Contribution
from services.aggregator.rules.feed_issues import NO_ROWS, ignored_columns
from services.aggregator.rules.layouts import HEADERLESS, Layout
from services.aggregator.rules.row_rules import CONFLICT, DUPLICATE
from services.aggregator.rules.rule_bits import (
    ERROR_BITS,
    SKIP_BITS,
    STRUCTURAL_BITS,
    broken_rules,
    code_masks,
    total_of,
)
from shared.schemas.feeds import Counts, Recognised
from shared.schemas.issues import Issue, IssueTotal

_RAW_CHARACTERS = 500


class DuckDbReadFeed:
    """See ReadFeed. Everything is counted when this is made; queries afterwards only fetch.

    `line_offset`: what is added to a line's number in the text to give its number in the file that was handed in.
    """

    def __init__(
        self,
        session: FeedSession,
        layout: Layout,
        recognised: Recognised,
        loaded: Loaded,
        *,
        notes: tuple[Issue, ...] = (),
        line_offset: int = 0,
    ) -> None:
        self._session = session
        self._layout = layout
        self._line_offset = line_offset
        self.recognised = recognised
        self._loaded = loaded
        self.counts, row_totals, row_issues = self._count()
        self._has_row_issues = bool(row_totals)
        if not self._has_row_issues:
            session.drop("lines", "rows")
        self._feed_issues = [*_feed_issues(layout, self.counts), *notes]
        feed_totals = [IssueTotal(code=i.code, severity=i.severity, rows=0) for i in self._feed_issues]
        self.issue_totals: list[IssueTotal] = feed_totals + row_totals
        self.issue_count = len(self._feed_issues) + row_issues

    def first_issues(self, limit: int) -> list[Issue]:
        """See ReadFeed."""
        if not self._has_row_issues:
            return self._feed_issues[:limit]
        kept = "NULL::VARCHAR[]" if self._layout.preset is None else split_sql(self._layout.delimiter)
        told = ["SELECT line, mask, NULL::BOOLEAN AS same FROM rows WHERE mask <> 0"] if self._loaded.has_rows else []
        # A row that repeats another broke no rule of its own, but may have warnings.
        if self._loaded.has_repeats:
            judged = [table for table in ("rows", "suspects") if self._session.has(table)]
            masks = " UNION ALL ".join(f"SELECT line, mask FROM {table}" for table in judged)
            told = [f"{part} AND line NOT IN (SELECT line FROM repeats)" for part in told]
            told.append(f"SELECT line, mask, same FROM repeats JOIN ({masks}) USING (line)")
        rows = self._session.fetch(
            f"""SELECT line, mask, same, left(l, {_RAW_CHARACTERS * 2}), {kept}
                FROM (SELECT * FROM ({" UNION ALL ".join(told)}) ORDER BY line LIMIT $limit) JOIN lines ON n = line
                ORDER BY line""",
            {"limit": limit},
        )
        issues = list(self._feed_issues)
        for line, mask, same, raw, cells in rows:
            issues.extend(_row_issues(line + self._line_offset, mask, same, self._shown(raw, mask, cells)))
        return issues[:limit]

    def write_rejected(self, path: Path) -> int:
        """See ReadFeed."""
        rows = rejected_rows(self._session, self._layout, self._line_offset) if self.counts.rows_rejected else ()
        return write_rejected_csv(path, self._layout, rows)

    def contributions(self, batch_size: int) -> Iterator[list[Contribution]]:
        """See ReadFeed."""
        start = 0
        if (groups := self._loaded.contributions) is not None:
            yield from (groups[start : start + batch_size] for start in range(0, len(groups), batch_size))
            return
        while batch := self._session.fetch(
            f"""SELECT {KEY}, quantity, amount, revenue, transactions FROM contributions
                WHERE rowid >= $start AND rowid < $start + $size ORDER BY rowid""",
            {"start": start, "size": batch_size},
        ):
            yield [Contribution(*row) for row in batch]
            start += batch_size

    def close(self) -> None:
        """See ReadFeed."""
        self._session.close()

    def _shown(self, raw: str, mask: int, cells: list[str] | None) -> str | None:
        """A row's text, without what is personal; nothing of one whose cells may stand in each other's columns."""
        preset = self._layout.preset
        if preset is None or cells is None:
            return raw
        if mask & STRUCTURAL_BITS:
            return None
        return self._layout.delimiter.join(
            cell for name, cell in zip(self._layout.header, cells, strict=False) if not preset.is_personal(name)
        )

    def _count(self) -> tuple[Counts, list[IssueTotal], int]:
        """The books, the rows of each code, and how many issues there are.

        Each class is counted where it is, none by subtraction, so that a lost row breaks the books.
        """
        loaded, session = self._loaded, self._session
        if loaded.contributions is None:
            accepted = session.count("SELECT CAST(sum(transactions) AS BIGINT) FROM contributions")
        else:
            accepted = sum(group.transactions for group in loaded.contributions)
        of_masks, duplicates, conflicts = [], 0, 0
        if loaded.has_rows:
            of_masks = session.fetch("SELECT mask, count(*) FROM rows WHERE mask IS NOT NULL GROUP BY mask")
        if loaded.has_repeats:
            [(duplicates, conflicts)] = session.fetch(
                "SELECT count(*) FILTER (same), count(*) FILTER (NOT same) FROM repeats"
            )
        counts = Counts(
            rows_received=loaded.plain_rows + sum(rows for _, rows in of_masks),
            rows_accepted=accepted,
            rows_rejected=sum(rows for mask, rows in of_masks if mask & ERROR_BITS) + conflicts,
            rows_duplicate=duplicates,
            rows_skipped=sum(rows for mask, rows in of_masks if mask & SKIP_BITS),
        )
        found = {code: sum(rows for m, rows in of_masks if m & bits) for code, bits in code_masks().items()}
        found |= {DUPLICATE.code: duplicates, CONFLICT.code: conflicts}
        issues = sum(rows * int(mask).bit_count() for mask, rows in of_masks) + duplicates + conflicts
        return counts, [total_of(code, rows) for code, rows in found.items() if rows], issues


def _feed_issues(layout: Layout, counts: Counts) -> list[Issue]:
    issues = [ignored_columns(layout.columns.ignored)] if layout.columns.ignored else []
    return [NO_ROWS, *issues] if layout.name != HEADERLESS and counts.rows_received == 0 else issues


def _row_issues(line: int, mask: int, same: bool | None, raw: str | None) -> Iterator[Issue]:
    text, taken = (None, 1) if raw is None else shown_text(raw)
    repeat = () if same is None else (DUPLICATE,) if same else (CONFLICT,)
    for rule in (*repeat, *broken_rules(mask)):
        message = rule.told(taken)
        yield Issue(
            code=rule.code,
            severity=rule.severity,
            message=message,
            line=line,
            field=rule.field,
            raw=text and text[:_RAW_CHARACTERS],
        )
