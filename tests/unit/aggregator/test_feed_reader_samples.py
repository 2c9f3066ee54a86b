"""Ugly files as sellers send them; the JSON beside each file says what must be read out of it.

`options` is what the uploader said. `error.tells`: what the message must hold. An issue: line, code, field, raw text.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from services.aggregator.errors import UnreadableFeed
from tests.oracle.books import Books, expect
from tests.oracle.fatal import Fatal
from tests.oracle.readings import Readers, read
from tests.oracle.rows import Asked

SAMPLES = Path(__file__).parents[2] / "samples" / "feeds"
FILES = sorted(path for path in SAMPLES.glob("*") if path.is_file() and path.suffix != ".json")
NOT_TEXT = frozenset(("format/binary", "format/archive", "format/compressed", "format/unsupported"))
"""What the oracle, which reads text alone, has no opinion about."""


def expected_of(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.with_suffix(".json").read_text("utf-8")))


def asked_of(expected: dict[str, Any]) -> Asked:
    return Asked(**expected.get("options", {}))


def told(layout: str, books: Books) -> dict[str, Any]:
    """What came out, in the words of the JSON files."""
    counts = {name: getattr(books, name) for name in ("received", "accepted", "rejected", "duplicate", "skipped")}
    return {
        "layout": layout,
        "counts": {f"rows_{name}": number for name, number in counts.items() if number},
        "issues": sorted(
            f"{told.line or '-'} {told.severity} {told.code} {told.field or '-'} {told.raw or '-'}"
            for told in books.issues
        ),
        "contributions": sorted(
            f"{day} {product_id or '-'} {name} {category or '-'} {currency or '-'}: {sums.quantity} units, "
            f"{sums.amount:.4f} amount, {sums.revenue:.4f} revenue, {sums.transactions} rows"
            for (day, product_id, name, category, currency), sums in books.contributions.items()
        ),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_is_written_beside_it(feed_readers: Readers, tmp_path: Path, path: Path) -> None:
    expected = expected_of(path)
    if error := expected.get("error"):
        with pytest.raises(UnreadableFeed) as refused:
            read(feed_readers, tmp_path, path.read_bytes(), asked_of(expected))
        assert refused.value.code == error["code"]
        assert error.get("tells", "") in refused.value.message
        return
    reading = read(feed_readers, tmp_path, path.read_bytes(), asked_of(expected))
    assert told(reading.layout, reading.books) == _sorted(expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_oracle_reads_a_sample_so_too(path: Path) -> None:
    expected = expected_of(path)
    if error := expected.get("error"):
        if error["code"] not in NOT_TEXT:
            with pytest.raises(Fatal) as fatal:
                expect(path.read_bytes(), asked_of(expected))
            assert fatal.value.code == error["code"]
        return
    found = expect(path.read_bytes(), asked_of(expected))
    assert told(found.layout.name, found.books) == _sorted(expected)


def _sorted(expected: dict[str, Any]) -> dict[str, Any]:
    return {
        "layout": expected["layout"],
        "counts": expected["counts"],
        "issues": sorted(expected["issues"]),
        "contributions": sorted(expected["contributions"]),
    }
