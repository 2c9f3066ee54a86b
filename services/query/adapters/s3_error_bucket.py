"""The error bucket, read: objects that are handed out as they lie there, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from botocore.exceptions import ClientError

from services.query.errors import StoreUnavailable
from shared.runtime.aws import answering_within

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)

CHUNK_BYTES = 65_536


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("The store of reports and rejected rows does not answer.")


class S3ErrorBucket:
    """Implements ports.ErrorBucket. At most `downloads` objects are open at once: each holds a connection."""

    def __init__(
        self, s3: "S3Client", bucket: str, call_seconds: float, *, downloads: int, wait_seconds: float
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._call_seconds = call_seconds
        self._slots = asyncio.Semaphore(downloads)
        self._wait_seconds = wait_seconds

    async def check(self) -> None:
        """For readiness. Raises if the bucket cannot be reached."""
        await self._s3.head_bucket(Bucket=self._bucket)

    async def open(self, uri: str, seller_id: str, feed_id: UUID) -> "S3Object | None":
        place = f"s3://{self._bucket}/"
        if not uri.startswith(f"{place}{seller_id}/{feed_id}/"):
            # Whatever a row may say: nothing of another feed, and nothing of another bucket, is handed out.
            log.error("handout.elsewhere", feed_id=str(feed_id), uri=uri)
            return None
        await self._take_slot()
        try:
            async with answering_within(self._call_seconds, _unavailable):
                return await self._get(uri.removeprefix(place))
        except BaseException:
            self._slots.release()
            raise

    async def _take_slot(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("Too many files are being handed out; try again in a moment.") from error

    async def _get(self, key: str) -> "S3Object | None":
        try:
            answer = await self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                self._slots.release()
                return None
            raise
        return S3Object(answer["Body"], answer["ContentLength"], self._slots)


class S3Object:
    """Implements ports.OpenObject; holds one connection and one slot until it is closed."""

    def __init__(self, body: "StreamingBody", size_bytes: int, slots: asyncio.Semaphore) -> None:
        self._body = body
        self._slots = slots
        self._open = True
        self.size_bytes = size_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._body.read(CHUNK_BYTES):
            yield chunk

    async def close(self) -> None:
        """May be called again. Cuts the connection if the object was not read to its end."""
        if self._open:
            self._open = False
            self._slots.release()
            self._body.close()
