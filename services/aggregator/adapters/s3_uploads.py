"""The uploads bucket: what an object is, and its exact bytes on local disk."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from services.aggregator.adapters.s3_outages import s3_outages
from services.aggregator.errors import Outage
from services.aggregator.rules.feed_identity import ObjectFacts, ObjectRef

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
AT_ONCE_BYTES = 1024 * 1024
"""Held in memory per feed in work, from its description to its writing; a larger object is streamed."""
STALLED_AFTER_SECONDS = 60.0
VERSIONS_LISTED = 1_000


def exactly(ref: ObjectRef) -> dict[str, Any]:
    """Arguments that name this content: its version, or where the bucket keeps none, its eTag."""
    named: dict[str, Any] = {"Bucket": ref.bucket, "Key": ref.key}
    if ref.version_id:
        return named | {"VersionId": ref.version_id}
    # In quotes, as HTTP has it: AWS takes both forms, not every emulator does.
    return named | ({"IfMatch": f'"{ref.etag}"'} if ref.etag else {})


class S3Uploads:
    """Implements ports.Uploads. Most feeds are small: one GET tells what an object is and brings its bytes along."""

    def __init__(self, s3: "S3Client", at_once_bytes: int = AT_ONCE_BYTES) -> None:
        self._s3 = s3
        self._at_once_bytes = at_once_bytes

    async def describe(self, ref: ObjectRef) -> ObjectFacts:
        with s3_outages():
            answer = await self._s3.get_object(**exactly(ref))
            size_bytes = answer["ContentLength"]
            content: bytes | None = None
            if size_bytes <= self._at_once_bytes:
                async with answer["Body"] as body, asyncio.timeout(STALLED_AFTER_SECONDS):
                    content = await body.read()
                _require_whole(ref, len(content), size_bytes)
            else:
                # Its connection goes with it: nobody reads gigabytes in order to keep one.
                answer["Body"].close()
        version = answer.get("VersionId")
        return ObjectFacts(
            ref=ObjectRef(
                bucket=ref.bucket,
                key=ref.key,
                # "null" is what all unversioned contents of a key are called: it names none of them.
                version_id=version if version != "null" else None,
                etag=answer["ETag"].strip('"'),
            ),
            size_bytes=size_bytes,
            last_modified=answer["LastModified"],
            metadata={name.lower(): value for name, value in answer["Metadata"].items()},
            content=content,
        )

    async def list_versions(self, ref: ObjectRef) -> Mapping[str, int]:
        """See ports.Uploads. Keys that begin with this one come after it, so that its own versions come first."""
        with s3_outages():
            page = await self._s3.list_object_versions(Bucket=ref.bucket, Prefix=ref.key, MaxKeys=VERSIONS_LISTED)
        own = [version["VersionId"] for version in page.get("Versions", []) if version["Key"] == ref.key]
        return {version: rank for rank, version in enumerate(own)}

    async def download(self, facts: ObjectFacts, path: Path, fetched: Callable[[int], None]) -> str:
        if facts.content is not None:
            fetched(len(facts.content))
            return await asyncio.to_thread(_write, facts.content, path)
        digest = hashlib.sha256()
        written = 0

        def keep(chunk: bytes, file: BinaryIO) -> None:
            digest.update(chunk)
            file.write(chunk)

        with s3_outages():
            answer = await self._s3.get_object(**exactly(facts.ref))
            file = await asyncio.to_thread(path.open, "wb")
            try:
                body = answer["Body"]
                async with body:
                    while True:
                        async with asyncio.timeout(STALLED_AFTER_SECONDS):
                            chunk = await body.read(CHUNK_BYTES)
                        if not chunk:
                            break
                        written += len(chunk)
                        await asyncio.to_thread(keep, chunk, file)
                        fetched(written)
            finally:
                await asyncio.to_thread(file.close)
        _require_whole(facts.ref, written, facts.size_bytes)
        return digest.hexdigest()


def _write(content: bytes, path: Path) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _require_whole(ref: ObjectRef, received: int, size_bytes: int) -> None:
    if received != size_bytes:
        raise Outage(f"{ref.uri} ended after {received} of {size_bytes} bytes")
