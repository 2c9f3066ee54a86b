"""docs/feeds.md tells sellers every code that a feed or a row can get, and none that does not exist."""

import re
from pathlib import Path

from services.aggregator.rules.row_rules import CONFLICT, DUPLICATE, RULES

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"\b(?:format|validation|reference|authorization)/[a-z_]+\b")
DOCUMENTED = set(CODE.findall((ROOT / "docs/feeds.md").read_text()))


def _used() -> set[str]:
    """Codes as they stand in the aggregator's source, and those that the rule table builds."""
    source = "\n".join(path.read_text() for path in (ROOT / "services/aggregator").rglob("*.py"))
    written = {code for code in re.findall(r'"([^"\s{}]+)"', source) if CODE.fullmatch(code)}
    return written | {rule.code for rule in (*RULES, DUPLICATE, CONFLICT)}


def test_every_code_is_documented() -> None:
    assert _used() - DOCUMENTED == set()


def test_no_code_is_invented() -> None:
    assert DOCUMENTED - _used() == set()
