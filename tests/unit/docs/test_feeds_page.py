"""docs/feeds.md tells sellers every code that a feed or a row can get, and none that does not exist."""

import re
from pathlib import Path

from services.aggregator.rules.file_signatures import SIGNATURES
from services.aggregator.rules.row_rules import CONFLICT, DUPLICATE, RULES

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"\b(?:format|validation|reference|authorization|skipped|internal)/[a-z_]+\b")
PAGE = (ROOT / "docs/feeds.md").read_text()
OF_ROWS, OF_FEEDS = PAGE.split("## What fails a whole feed", 1)
DOCUMENTED = set(CODE.findall(PAGE))


def _used() -> set[str]:
    """Codes as they stand in the aggregator's source, and those that the rule table builds."""
    source = "\n".join(path.read_text() for path in (ROOT / "services/aggregator").rglob("*.py"))
    written = {code for code in re.findall(r'"([^"\s{}]+)"', source) if CODE.fullmatch(code)}
    return written | {rule.code for rule in (*RULES, DUPLICATE, CONFLICT)}


def test_every_code_is_documented() -> None:
    assert _used() - DOCUMENTED == set()


def test_codes_of_rows_and_of_feeds_stand_where_they_belong() -> None:
    of_rows = {rule.code for rule in (*RULES, DUPLICATE, CONFLICT)}
    assert of_rows <= set(CODE.findall(OF_ROWS))
    signatures = {refusal.code for _, refusal in SIGNATURES}
    identity = set(CODE.findall((ROOT / "services/aggregator/rules/feed_identity.py").read_text()))
    assert signatures | identity <= set(CODE.findall(OF_FEEDS))


def test_no_code_is_invented() -> None:
    assert DOCUMENTED - _used() == set()
