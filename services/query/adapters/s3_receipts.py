"""Ingest's receipts: what is known of an upload before any worker has seen it."""

from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import ClientError

from services.query.errors import StoreUnavailable
from shared.runtime.aws import answering_within
from shared.runtime.s3_bodies import read_whole
from shared.schemas.feeds import Receipt

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

RECEIPT_MAX_BYTES = 65_536


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("The receipts bucket does not answer.")


class S3Receipts:
    """Reads `<feed_id>.json` objects. Raises StoreUnavailable if S3 does not answer, or not with all of one."""

    def __init__(self, s3: "S3Client", bucket: str, call_seconds: float) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._call_seconds = call_seconds

    async def one(self, feed_id: UUID) -> Receipt | None:
        async with answering_within(self._call_seconds, _unavailable):
            text = await self._text(f"{feed_id}.json")
        return None if text is None else Receipt.model_validate_json(text)

    async def check(self) -> None:
        """For readiness. Raises if the bucket cannot be reached."""
        await self._s3.head_bucket(Bucket=self._bucket)

    async def _text(self, key: str) -> bytes | None:
        try:
            answer = await self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                return None
            raise
        return await read_whole(answer, RECEIPT_MAX_BYTES, self._call_seconds)
