"""What ingest leaves behind is what the others read: receipts by the query service, metadata by the aggregator."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uuid_utils.compat as uuids
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef, identify
from services.ingest.rules.file_names import object_key, shown_name
from services.ingest.rules.object_metadata import object_metadata
from services.ingest.rules.upload_options import UploadOptions
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType, Receipt

SAMPLES = Path(__file__).parents[1] / "samples" / "receipts"
S3_METADATA_LIMIT = 2_048


@pytest.mark.parametrize("name", ["receipt.json", "receipt_with_options.json"])
def test_a_recorded_receipt_is_still_what_is_written(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    receipt = Receipt.model_validate_json(text)
    assert json.loads(receipt.model_dump_json(exclude_defaults=True)) == json.loads(text)


@given(st.text(max_size=300), st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"), st.sampled_from(FeedType))
def test_the_aggregator_sees_the_feed_that_ingest_stored(offered: str, seller_id: str, feed_type: FeedType) -> None:
    feed_id = uuids.uuid7()
    shown = shown_name(offered)
    correlation_id = "c" * 64
    metadata = object_metadata(feed_id, UploadOptions(seller_id, feed_type), shown, correlation_id) | {
        "sha256": "0" * 64
    }
    assert sum(len(name) + len(value.encode("ascii")) for name, value in metadata.items()) <= S3_METADATA_LIMIT
    ref = ObjectRef("uploads", object_key(seller_id, str(feed_id), shown), None, "etag")
    seen = identify(ref, ObjectFacts(ref, 1, datetime.now(UTC), metadata), "nobody")[0]
    assert (seen.feed_id, seen.seller_id, seen.feed_type) == (feed_id, seller_id, feed_type)
    assert (seen.file_name, seen.correlation_id, seen.objection) == (shown, correlation_id, None)


def test_the_aggregator_reads_the_options_that_ingest_was_given() -> None:
    options = FeedOptions.from_texts(
        {
            "charset": "windows-1252",
            "date_format": "%d. %B %Y 年",
            "decimal_separator": ",",
            "sheet": "Umsätze +1%",
            "on_error": "skip_file",
            "max_rejected_percent": "2.50",
            "corrects": "0195608f-3c1a-7000-8000-000000000001",
        }
    )
    metadata = object_metadata(uuids.uuid7(), UploadOptions("acme", FeedType.TRANSACTIONS, options), "a.csv", "c")
    assert all(value.isascii() and value == value.strip() for value in metadata.values())
    assert FeedOptions.from_metadata(metadata) == options
