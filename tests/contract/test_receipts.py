"""What ingest leaves behind is what the others read: receipts by the query service, metadata by the aggregator."""

import json
from datetime import UTC, datetime
from pathlib import Path

import uuid_utils.compat as uuids
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef, identify
from services.ingest.rules.file_names import object_key, shown_name
from services.ingest.rules.object_metadata import object_metadata
from services.ingest.rules.upload_options import UploadOptions
from shared.schemas.feeds import FeedType, Receipt

SAMPLE = Path(__file__).parents[1] / "samples" / "receipts" / "receipt.json"
S3_METADATA_LIMIT = 2_048


def test_a_recorded_receipt_is_still_what_is_written() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    assert json.loads(Receipt.model_validate_json(text).model_dump_json()) == json.loads(text)


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
