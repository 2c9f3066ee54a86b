"""What travels with the object: S3 user metadata, which must be ASCII and at most 2 KB."""

from collections.abc import Mapping
from uuid import UUID

from services.ingest.errors import InvalidField
from services.ingest.rules.file_names import metadata_name
from services.ingest.rules.upload_options import UploadOptions

MAX_BYTES = 2_048
"""Names and values together: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
_SHA256_BYTES = len("sha256") + 64


def object_metadata(feed_id: UUID, options: UploadOptions, shown_name: str, correlation_id: str) -> dict[str, str]:
    """The aggregator reads these; `file-name` is percent-encoded UTF-8. A single put adds `sha256`.

    Raises InvalidField if S3 would not take them.
    """
    metadata = {
        "feed-id": str(feed_id),
        "feed-type": str(options.feed_type),
        "seller-id": options.seller_id,
        "file-name": metadata_name(shown_name),
        "correlation-id": correlation_id,
        **options.feed.to_metadata(),
    }
    surplus = _size(metadata) + _SHA256_BYTES - MAX_BYTES
    if surplus > 0:
        raise InvalidField(
            f"the file's name and the options are {surplus} bytes too long together to be stored with the file",
            reason="each letter that is not ASCII takes 6 to 12 bytes",
            suggestions=["a shorter file name", "a shorter date_format or sheet"],
        )
    return metadata


def _size(metadata: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in metadata.items())
