"""Marks single lines that are no record, in a file that needs no framing: stray or open quotes, too long a line."""

# ruff: noqa: S608 - what is pasted is our own patterns

import re

from services.aggregator.adapters.duckdb_line_framing import FAULT, MAX_RECORD_BYTES, fault_line
from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.adapters.record_grammar import RecordGrammar

_AT_ONCE = 10_000


def mark_faults(session: FeedSession, delimiter: str) -> None:
    """Puts a fault in the place of every line of the table `lines` that is not one well-formed record."""
    grammar = RecordGrammar(delimiter)
    d = re.escape(delimiter) if delimiter == "|" else delimiter
    cell = f'( *"([^"]|"")*" *| *([^ "{delimiter}][^{delimiter}]*)?)'
    sound = (
        f"""(NOT contains(l, '"') OR regexp_full_match(l, '{cell}({d}{cell})*')) AND strlen(l) <= {MAX_RECORD_BYTES}"""
    )
    broken = f"SELECT n, l FROM lines WHERE NOT starts_with(l, '{FAULT}') AND NOT ({sound}) LIMIT {_AT_ONCE}"
    while found := session.fetch(broken):
        session.fetch(
            """UPDATE lines SET l = marked.l FROM (SELECT unnest($numbers) AS n, unnest($texts) AS l) AS marked
               WHERE lines.n = marked.n""",
            {"numbers": [n for n, _ in found], "texts": [_fault(grammar, line.encode()) for _, line in found]},
        )


def _fault(grammar: RecordGrammar, line: bytes) -> str:
    if len(line) > MAX_RECORD_BYTES:
        code = "format/line_too_long"
    else:
        code = "format/stray_quote" if grammar.ended.match(line + b"\n") else "format/unclosed_quote"
    return fault_line(code, 1, line)
