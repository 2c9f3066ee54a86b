"""Receipts in S3: `<feed_id>.json`, so that a feed's status is known from the moment its upload is answered."""

from typing import TYPE_CHECKING

from services.ingest.errors import StoreUnavailable
from shared.runtime.aws import answering_within
from shared.schemas.feeds import Receipt

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class S3Receipts:
    """The receipts bucket. `call_seconds` bounds each call, its retries included."""

    def __init__(self, s3: "S3Client", bucket: str, call_seconds: float) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._call_seconds = call_seconds

    async def check(self) -> None:
        """Raises if the bucket cannot be reached."""
        await self._s3.head_bucket(Bucket=self._bucket)

    async def write(self, receipt: Receipt) -> None:
        """Raises StoreUnavailable."""
        async with answering_within(self._call_seconds, StoreUnavailable):
            await self._s3.put_object(
                Bucket=self._bucket,
                Key=f"{receipt.feed_id}.json",
                Body=receipt.model_dump_json(exclude_defaults=True).encode(),
                ContentType="application/json",
            )
