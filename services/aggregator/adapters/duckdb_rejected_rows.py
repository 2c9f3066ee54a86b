"""Every rejected row of a feed that DuckDB has read, in line order, a batch at a time."""

# ruff: noqa: S608 - what is pasted is our own tables and rules

from collections.abc import Iterator

from services.aggregator.adapters.duckdb_line_framing import FAULT, shown_text
from services.aggregator.adapters.duckdb_row_sql import split_sql
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.rejected_csv import RejectedRow
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.row_rules import CONFLICT
from services.aggregator.rules.rule_bits import ERROR_BITS, broken_rules
from shared.schemas.issues import Severity

_BATCH = 5_000


def rejected_rows(session: FeedSession, layout: Layout, line_offset: int) -> Iterator[RejectedRow]:
    """Blocking. `cells` are as they came; a row that could not be split has its whole text instead."""
    parts = [f"SELECT line, mask FROM rows WHERE mask & {ERROR_BITS} <> 0"] if session.has("rows") else []
    parts += ["SELECT line, 0 AS mask FROM repeats WHERE NOT same"] if session.has("repeats") else []
    session.drop("rejected")
    session.create("rejected", f"SELECT line, mask FROM ({' UNION ALL '.join(parts)}) ORDER BY line")
    start = 0
    while batch := session.fetch(
        f"""SELECT line, mask, l, CASE WHEN NOT starts_with(l, '{FAULT}') THEN {split_sql(layout.delimiter)} END
            FROM (SELECT line, mask FROM rejected WHERE rowid >= $start AND rowid < $start + {_BATCH})
            JOIN lines ON n = line ORDER BY line""",
        {"start": start},
    ):
        for line, mask, text, cells in batch:
            rule = next((rule for rule in broken_rules(mask) if rule.severity is Severity.ERROR), CONFLICT)
            fits = cells is not None and not rule.structural
            yield RejectedRow(line + line_offset, rule, cells if fits else None, shown_text(text)[0])
        start += _BATCH
