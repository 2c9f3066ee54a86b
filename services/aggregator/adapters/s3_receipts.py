"""Ingest's receipts: what is known of an upload before any worker has seen it."""

from typing import TYPE_CHECKING
from uuid import UUID

from services.aggregator.adapters.s3_outages import s3_outages
from services.aggregator.errors import MissingObject
from shared.runtime.s3_bodies import read_whole
from shared.schemas.feeds import Receipt

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

RECEIPT_MAX_BYTES = 65_536
STALLED_AFTER_SECONDS = 10.0


class S3Receipts:
    """Implements ports.Receipts on `<feed_id>.json` objects. One that does not come whole is an Outage."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    async def find(self, feed_id: UUID) -> Receipt | None:
        try:
            with s3_outages():
                answer = await self._s3.get_object(Bucket=self._bucket, Key=f"{feed_id}.json")
                text = await read_whole(answer, RECEIPT_MAX_BYTES, STALLED_AFTER_SECONDS)
        except MissingObject:
            return None
        return Receipt.model_validate_json(text)
