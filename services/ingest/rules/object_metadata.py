"""What travels with the object: S3 user metadata, which must be ASCII and below 2 KB."""

from uuid import UUID

from services.ingest.rules.file_names import metadata_name
from services.ingest.rules.upload_options import UploadOptions


def object_metadata(feed_id: UUID, options: UploadOptions, shown_name: str, correlation_id: str) -> dict[str, str]:
    """The aggregator reads these; `file-name` is percent-encoded UTF-8. A single put adds `sha256`."""
    return {
        "feed-id": str(feed_id),
        "feed-type": str(options.feed_type),
        "seller-id": options.seller_id,
        "file-name": metadata_name(shown_name),
        "correlation-id": correlation_id,
    }
