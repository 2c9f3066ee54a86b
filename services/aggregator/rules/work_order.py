"""The order to take up an object once more, in the words of the event that first told of it.

So it is read by whoever reads the uploads queue, and repeating it is as harmless as a repeated event: only the feed's
row says whether there is work.
"""

import json
from datetime import UTC, datetime
from urllib.parse import quote_plus

from services.aggregator.rules.feed_identity import ObjectRef

WORK_ORDER = "ReprocessRequested"
"""The outbox's event_type of entries that go to the uploads queue; no event of this name is announced."""


def work_order(ref: ObjectRef, at: datetime) -> str:
    """The queue message. Object versions and eTags that are not known are left out."""
    item = {"key": quote_plus(ref.key, safe="/"), "versionId": ref.version_id, "eTag": ref.etag}
    record = {
        "eventName": "ObjectCreated:Reprocess",
        "eventTime": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "s3": {
            "bucket": {"name": ref.bucket},
            "object": {name: value for name, value in item.items() if value is not None},
        },
    }
    return json.dumps({"Records": [record]})
