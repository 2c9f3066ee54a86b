"""Ingest's receipts: what is known of an upload before any worker has seen it."""

from typing import TYPE_CHECKING
from uuid import UUID

from services.aggregator.adapters.s3_uploads import storage_outages
from services.aggregator.errors import MissingObject, Outage
from shared.schemas.feeds import Receipt

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_RECEIPT_MAX_BYTES = 65_536


class S3Receipts:
    """Implements ports.Receipts on `<feed_id>.json` objects."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    async def find(self, feed_id: UUID) -> Receipt | None:
        try:
            with storage_outages():
                answer = await self._s3.get_object(Bucket=self._bucket, Key=f"{feed_id}.json")
                body = answer["Body"]
                async with body:  # closes it; what it yields is the bare response, whose read() takes no limit
                    text: bytes = await body.read(_RECEIPT_MAX_BYTES)
        except MissingObject:
            return None
        if len(text) != answer["ContentLength"]:
            raise Outage(f"the receipt of {feed_id} ended after {len(text)} of {answer['ContentLength']} bytes")
        return Receipt.model_validate_json(text)
