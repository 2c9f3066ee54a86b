"""One bit per rule: a row carries the sum of those it breaks, from the engine to its issues and totals."""

from services.aggregator.rules.columns import Columns
from services.aggregator.rules.row_rule import RowRule
from services.aggregator.rules.row_rules import CONFLICT, DUPLICATE, RULES
from shared.schemas.issues import IssueTotal, Severity

ERROR_BITS = sum(1 << bit for bit, rule in enumerate(RULES) if rule.severity is Severity.ERROR)
STRUCTURAL_BITS = sum(1 << bit for bit, rule in enumerate(RULES) if rule.structural)
SKIP_BITS = sum(1 << bit for bit, rule in enumerate(RULES) if rule.severity is Severity.INFO)

_ALWAYS_THERE = frozenset(("product_name", "quantity", "amount", "revenue", None))
"""Rules of these are asked of every feed: of product_id or product_name, amount or revenue, one may stand for both."""
_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "skip"}


def rules_for(kind: str, columns: Columns) -> list[tuple[int, RowRule]]:
    """The rules of a kind (`structural`, `skip`, `error`, `warning`) that a feed with these columns can break; bits."""
    return [(bit, rule) for bit, rule in enumerate(RULES) if _kind(rule) == kind and is_asked(rule, columns)]


def is_asked(rule: RowRule, columns: Columns) -> bool:
    """Whether a feed with these columns can break the rule."""
    return rule.field in _ALWAYS_THERE or any(field in columns.position for field in rule.needs or (rule.field,))


def _kind(rule: RowRule) -> str:
    return "structural" if rule.structural else _KINDS[rule.severity]


def code_masks() -> dict[str, int]:
    """Per code the bits of all its rules, in the table's order."""
    masks: dict[str, int] = {}
    for bit, rule in enumerate(RULES):
        masks[rule.code] = masks.get(rule.code, 0) | (1 << bit)
    return masks


def broken_rules(mask: int) -> list[RowRule]:
    """The rules whose bits are set."""
    return [rule for bit, rule in enumerate(RULES) if mask >> bit & 1]


def total_of(code: str, rows: int) -> IssueTotal:
    """`rows` rows have an issue of this code."""
    severity = next(rule.severity for rule in (*RULES, DUPLICATE, CONFLICT) if rule.code == code)
    return IssueTotal(code=code, severity=severity, rows=rows)
