"""Every rejected row of a feed that DuckDB has read, in line order, a batch at a time."""

# ruff: noqa: S608 - what is pasted is our own tables and rules

from collections.abc import Iterator

from services.aggregator.adapters.duckdb_line_framing import shown_text
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.rejected_csv import RejectedRow
from services.aggregator.rules.layouts import Layout, split_record
from services.aggregator.rules.row_rules import CONFLICT
from services.aggregator.rules.rule_bits import ERROR_BITS, STRUCTURAL_BITS, broken_rules
from shared.schemas.issues import Severity

_BATCH = 5_000


def rejected_rows(session: FeedSession, layout: Layout, line_offset: int) -> Iterator[RejectedRow]:
    """Blocking. `cells` are as they came; a row that could not be split has its whole text instead."""
    parts = [f"SELECT line, mask FROM rows WHERE mask & {ERROR_BITS} <> 0"] if session.has("rows") else []
    parts += ["SELECT line, 0 AS mask FROM repeats WHERE NOT same"] if session.has("repeats") else []
    session.drop("rejected")
    session.create("rejected", f"SELECT line, mask FROM ({' UNION ALL '.join(parts)}) ORDER BY line")
    carried = _carried(layout)
    start = 0
    while batch := session.fetch(
        f"""SELECT line, mask, l, {_FIRST_LINE if carried else "NULL"}
            FROM (SELECT line, mask FROM rejected WHERE rowid >= $start AND rowid < $start + {_BATCH}) AS rejected_batch
            JOIN lines ON n = line ORDER BY line""",
        {"start": start},
    ):
        for line, mask, framed, first_framed in batch:
            rule = next((rule for rule in broken_rules(mask) if rule.severity is Severity.ERROR), CONFLICT)
            text, taken = shown_text(framed)
            cells = None if rule.structural else split_record(text, layout.delimiter)
            if cells and first_framed:
                first = split_record(shown_text(first_framed)[0], layout.delimiter)
                for position in carried:
                    cells[position] = cells[position].strip() or first[position]
            yield RejectedRow(line + line_offset, rule, rule.told(taken), cells, text)
        start += _BATCH


def _carried(layout: Layout) -> list[int]:
    """Where values stand that a row takes from its order's first: alone, and sent back, it would lack them."""
    fields = layout.preset.carried if layout.preset else ()
    return [layout.columns.position[field] for field in fields if field in layout.columns.position]


# Of the row's order's first line, if that could be split.
_FIRST_LINE = f"""
    (SELECT f.l FROM lines AS f JOIN rows AS s ON s.line = f.n AND s.mask & {STRUCTURAL_BITS} = 0 WHERE f.n = (
        SELECT min(o.line) FROM rows AS o WHERE o.transaction_id <> '' AND o.transaction_id = (
            SELECT r.transaction_id FROM rows AS r WHERE r.line = rejected_batch.line)))"""
