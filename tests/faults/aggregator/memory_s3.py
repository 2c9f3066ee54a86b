"""S3 in memory, as far as the aggregator calls it, behind a client that each process has its own of.

What a client is told is kept beyond its process; bodies end early or break off.
"""

# ruff: noqa: N803 - the arguments are called as AWS calls them

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientPayloadError

from tests.faults.aggregator.failing_calls import answered, refused, struck
from tests.faults.aggregator.planted_faults import OF_BODIES, OF_CALLS, Life


@dataclass(frozen=True)
class StoredObject:
    key: str
    version: str
    content: bytes
    stored_at: datetime
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass
class Buckets:
    """Objects by bucket, oldest first; only `uploads` keeps versions."""

    uploads: list[StoredObject] = field(default_factory=list)
    others: dict[tuple[str, str], bytes] = field(default_factory=dict)


class Body:
    """What a GET answers with; it may end early, or break off."""

    def __init__(self, content: bytes, breaks_off: bool) -> None:
        self._content = content
        self._breaks_off = breaks_off

    async def read(self, amount: int = -1) -> bytes:
        if self._breaks_off:
            raise ClientPayloadError("the connection broke off (planted)")
        taken, self._content = (self._content, b"") if amount < 0 else (self._content[:amount], self._content[amount:])
        return taken

    def close(self) -> None:
        self._content = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryS3:
    """An S3Client."""

    def __init__(self, buckets: Buckets, life: Life) -> None:
        self._buckets = buckets
        self._life = life

    async def get_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        kind = await struck(self._life, f"get_object {Bucket}", OF_BODIES)
        if Bucket == "uploads":
            item = self._find(Key, VersionId)
            facts = {"VersionId": item.version, "LastModified": item.stored_at, "Metadata": item.metadata}
            content = item.content
        else:
            facts, content = {}, self._buckets.others.get((Bucket, Key), b"")
            if not content:
                raise refused("NoSuchKey", "GetObject")
        sent = content[: len(content) // 2] if kind == "truncated" else content
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        return facts | {"ContentLength": len(content), "ETag": etag, "Body": Body(sent, kind == "broken_off")}

    async def list_object_versions(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        await struck(self._life, f"list_object_versions {Bucket}", OF_CALLS)
        found = [item for item in reversed(self._buckets.uploads) if item.key.startswith(Prefix)]
        return {"Versions": [{"Key": item.key, "VersionId": item.version} for item in found[:MaxKeys]]}

    async def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:
        await struck(self._life, "put_object", OF_CALLS)
        self._buckets.others[Bucket, Key] = Body
        await answered(self._life, "put_object")
        return {}

    async def copy_object(
        self, *, Bucket: str, Key: str, CopySource: dict[str, str], Tagging: str, TaggingDirective: str
    ) -> dict[str, Any]:
        await struck(self._life, "copy_object", OF_CALLS)
        self._buckets.others[Bucket, Key] = self._find(CopySource["Key"], CopySource.get("VersionId")).content
        await answered(self._life, "copy_object")
        return {}

    def _find(self, key: str, version: str | None) -> StoredObject:
        for item in reversed(self._buckets.uploads):
            if item.key == key and version in (None, item.version):
                return item
        raise refused("NoSuchVersion", "GetObject")
