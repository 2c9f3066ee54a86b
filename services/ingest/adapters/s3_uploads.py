"""Uploaded files in S3: a single put for small ones, a multipart upload with one part in flight for the rest."""

import asyncio
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import structlog

from services.ingest.errors import StoreUnavailable
from shared.runtime.aws import answering_within

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

log = structlog.get_logger(__name__)


class S3Uploads:
    """The uploads bucket. `call_seconds` bounds each call, its retries included."""

    def __init__(self, s3: "S3Client", bucket: str, call_seconds: float) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._call_seconds = call_seconds

    @property
    def bucket(self) -> str:
        return self._bucket

    async def check(self) -> None:
        """Raises if the bucket cannot be reached."""
        await self._s3.head_bucket(Bucket=self._bucket)

    async def put(self, key: str, body: BytesIO, metadata: Mapping[str, str]) -> None:
        async with answering_within(self._call_seconds, StoreUnavailable):
            await self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, Metadata=metadata)

    async def open(self, key: str, metadata: Mapping[str, str]) -> "S3MultipartUpload":
        async with answering_within(self._call_seconds, StoreUnavailable):
            answer = await self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, Metadata=metadata)
        return S3MultipartUpload(self._s3, self._bucket, key, answer["UploadId"], self._call_seconds)


class S3MultipartUpload:
    """Sends one part while the next is being filled; `add_part` waits for the one before."""

    def __init__(self, s3: "S3Client", bucket: str, key: str, upload_id: str, call_seconds: float) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._upload_id = upload_id
        self._call_seconds = call_seconds
        self._parts: list[CompletedPartTypeDef] = []
        self._in_flight: asyncio.Task[CompletedPartTypeDef] | None = None

    async def add_part(self, body: BytesIO) -> None:
        await self._settle()
        self._in_flight = asyncio.create_task(self._send(len(self._parts) + 1, body))

    async def complete(self) -> None:
        await self._settle()
        async with answering_within(self._call_seconds, StoreUnavailable):
            await self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )

    async def abort(self) -> None:
        if self._in_flight:
            # A part that arrives after the abort would stay.
            self._in_flight.cancel()
            await asyncio.gather(self._in_flight, return_exceptions=True)
        try:
            async with answering_within(self._call_seconds, StoreUnavailable):
                await self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)
            log.info("upload.aborted", key=self._key)
        except StoreUnavailable as error:
            # The bucket's lifecycle rule removes it within a day.
            log.warning("upload.abort_failed", key=self._key, error=str(error.__cause__))

    async def _settle(self) -> None:
        if self._in_flight:
            task, self._in_flight = self._in_flight, None
            self._parts.append(await task)

    async def _send(self, number: int, body: BytesIO) -> "CompletedPartTypeDef":
        async with answering_within(self._call_seconds, StoreUnavailable):
            answer = await self._s3.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=body
            )
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        return part
