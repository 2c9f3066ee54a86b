"""The error bucket: the raw file of a FATAL feed, every feed's report, and its rejected rows."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

from services.aggregator.adapters.s3_outages import s3_outages
from services.aggregator.errors import MissingObject
from services.aggregator.rules.feed_identity import FeedIdentity
from shared.schemas.reports import FeedReport

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PART_BYTES = 256 * 1024 * 1024
"""A larger object is copied in parts: S3 copies at most 5 GiB in one call, and each call has to end in time."""
UPLOAD_BYTES = 8 * 1024 * 1024
"""A larger rejected.csv is sent in parts of this size, one in memory at a time."""
PARTS_LIMIT = 10_000
RAW_TAG = "kind=raw"
"""The bucket's lifecycle rule that expires raw files finds them by it."""
_NAME_LENGTH = 200
_CSV = "text/csv; charset=utf-8"


class S3ErrorBucket:
    """Implements ports.ErrorBucket. Keys: `{seller_id}/{feed_id}/` and then `raw/<name>`, the same bytes whoever
    copies them, or `report.json` and `rejected.csv`: those of every claim but the first below `fence-<n>/`, so that
    nobody under another fence changes them."""

    def __init__(
        self, s3: "S3Client", bucket: str, *, part_bytes: int = PART_BYTES, upload_bytes: int = UPLOAD_BYTES
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._part_bytes = part_bytes
        self._upload_bytes = upload_bytes

    async def keep_raw(self, feed: FeedIdentity) -> str | None:
        name = feed.ref.key.rstrip("/").rpartition("/")[2][-_NAME_LENGTH:] or "file"
        key = f"{feed.seller_id}/{feed.feed_id}/raw/{name}"
        source: dict[str, str] = {"Bucket": feed.ref.bucket, "Key": feed.ref.key}
        if feed.ref.version_id:
            source["VersionId"] = feed.ref.version_id
        copied: dict[str, Any] = {"CopySource": source}
        if feed.ref.etag and not feed.ref.version_id:
            copied["CopySourceIfMatch"] = f'"{feed.ref.etag}"'
        try:
            with s3_outages():
                if (feed.size_bytes or 0) > self._part_bytes:
                    await self._copy_in_parts(key, copied, feed.size_bytes or 0)
                else:
                    await self._s3.copy_object(
                        Bucket=self._bucket, Key=key, Tagging=RAW_TAG, TaggingDirective="REPLACE", **copied
                    )
        except MissingObject:
            return None
        return f"s3://{self._bucket}/{key}"

    async def _copy_in_parts(self, key: str, copied: dict[str, Any], size: int) -> None:
        part_bytes = max(self._part_bytes, -(-size // PARTS_LIMIT))
        upload = await self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, Tagging=RAW_TAG)
        target: dict[str, Any] = {"Bucket": self._bucket, "Key": key, "UploadId": upload["UploadId"]}
        parts: list[Any] = []
        try:
            for number, start in enumerate(range(0, size, part_bytes), start=1):
                span = f"bytes={start}-{min(start + part_bytes, size) - 1}"
                part = await self._s3.upload_part_copy(**target, **copied, PartNumber=number, CopySourceRange=span)
                parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
            await self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        except BaseException:
            await self._s3.abort_multipart_upload(**target)
            raise

    async def keep_report(self, report: FeedReport, fence: int) -> str:
        key = _place(report.header.seller_id, report.header.feed_id, fence) + "report.json"
        with s3_outages():
            await self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=report.model_dump_json(indent=1).encode(),
                ContentType="application/json",
            )
        return f"s3://{self._bucket}/{key}"

    async def keep_rejected(self, feed: FeedIdentity, fence: int, path: Path) -> str:
        key = _place(feed.seller_id, feed.feed_id, fence) + "rejected.csv"
        target: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        size = (await asyncio.to_thread(path.stat)).st_size
        file = await asyncio.to_thread(path.open, "rb")
        try:
            with s3_outages():
                if size <= self._upload_bytes:
                    body = await asyncio.to_thread(file.read)
                    await self._s3.put_object(**target, Body=body, ContentType=_CSV)
                else:
                    await self._upload_in_parts(target, file, size)
        finally:
            await asyncio.to_thread(file.close)
        return f"s3://{self._bucket}/{key}"

    async def _upload_in_parts(self, target: dict[str, Any], file: BinaryIO, size: int) -> None:
        """One part in memory at a time."""
        part_bytes = max(self._upload_bytes, -(-size // PARTS_LIMIT))
        upload = await self._s3.create_multipart_upload(**target, ContentType=_CSV)
        target = target | {"UploadId": upload["UploadId"]}
        parts: list[Any] = []
        try:
            while part := await asyncio.to_thread(file.read, part_bytes):
                number = len(parts) + 1
                answer = await self._s3.upload_part(**target, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            await self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        except BaseException:
            await self._s3.abort_multipart_upload(**target)
            raise


def _place(seller_id: str, feed_id: UUID, fence: int) -> str:
    """Each claim of the feed has a place of its own, and the row names that of the claim whose result stands: a worker
    that wakes up late, or one that reads the feed anew, changes nothing that was handed back."""
    return f"{seller_id}/{feed_id}/" + (f"fence-{fence}/" if fence > 1 else "")
