"""Ugly files as sellers send them; the JSON beside each file says what must be read out of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.errors import UnreadableFeed
from tests.unit.aggregator.feed_readings import read_path

SAMPLES = Path(__file__).parents[2] / "samples" / "feeds"


def outcome(reader: DuckDbFeedReader, path: Path) -> dict[str, Any]:
    try:
        reading = read_path(reader, path)
    except UnreadableFeed as error:
        return {"error": {"code": error.code, "message": error.message}}
    return {
        "layout": reading.layout,
        "counts": {name: n for name, n in reading.counts.model_dump().items() if n},
        "issues": [f"{i.line or '-'} {i.code} {i.field or '-'} {i.raw or '-'}" for i in reading.issues],
        "contributions": [
            f"{c.sale_date} {c.product_id or '-'} {c.product_name} {c.category or '-'} {c.currency or '-'}: "
            f"{c.quantity} units, {c.amount} amount, {c.revenue} revenue, {c.transactions} rows"
            for c in reading.contributions
        ],
    }


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.csv")), ids=lambda path: path.stem)
def test_a_sample_is_read_as_is_written_beside_it(feed_reader: DuckDbFeedReader, path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert outcome(feed_reader, path) == expected
