"""Ingest's receipts: what is known of an upload before any worker has seen it."""

from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from services.query.errors import StoreUnavailable
from shared.schemas.feeds import Receipt

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_RECEIPT_MAX_BYTES = 65_536


class S3Receipts:
    """Reads `<feed_id>.json` objects. Raises StoreUnavailable if S3 does not answer."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    async def one(self, feed_id: UUID) -> Receipt | None:
        try:
            answer = await self._s3.get_object(Bucket=self._bucket, Key=f"{feed_id}.json")
            body = answer["Body"]
            async with body:  # closes it; what it yields is the bare response, whose read() takes no limit
                text = await body.read(_RECEIPT_MAX_BYTES)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                return None
            raise StoreUnavailable("The receipts bucket does not answer.") from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise StoreUnavailable("The receipts bucket does not answer.") from error
        return Receipt.model_validate_json(text)
