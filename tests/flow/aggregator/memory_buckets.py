"""The buckets in memory: uploads, error bucket, receipts; they keep what they were told, in order."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.aggregator.errors import MissingObject
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectFacts, ObjectRef
from shared.schemas.feeds import Receipt
from shared.schemas.reports import FeedReport
from tests.flow.aggregator.steps import Step, no_step

BUCKET = "uploads"
STORED_AT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


@dataclass
class MemoryUploads:
    """A versioned bucket. `at` is told of every call, before it does anything."""

    at: Step = no_step
    objects: dict[tuple[str, str], tuple[ObjectFacts, bytes]] = field(default_factory=dict)

    def put(self, key: str, content: bytes, **metadata: str) -> ObjectRef:
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        return self.put_at(key, content, STORED_AT, named)

    def put_at(
        self,
        key: str,
        content: bytes,
        stored_at: datetime,
        metadata: Mapping[str, str] | None = None,
        sequencer: str | None = None,
    ) -> ObjectRef:
        """One more version of the key; the sequencer is the event's to tell."""
        version = f"v{len(self.objects) + 1}"
        ref = ObjectRef(BUCKET, key, version, hashlib.md5(content, usedforsecurity=False).hexdigest())
        self.objects[key, version] = (ObjectFacts(ref, len(content), stored_at, metadata or {}), content)
        return replace(ref, sequencer=sequencer)

    def delete(self, ref: ObjectRef) -> None:
        del self.objects[ref.key, ref.version_id or ""]

    async def describe(self, ref: ObjectRef) -> ObjectFacts:
        self.at("describe")
        return self._find(ref)[0]

    async def download(self, facts: ObjectFacts, path: Path, fetched: Callable[[int], None]) -> str:
        self.at("download")
        content = self._find(facts.ref)[1]
        await asyncio.to_thread(path.write_bytes, content)
        fetched(len(content))
        return hashlib.sha256(content).hexdigest()

    async def list_versions(self, ref: ObjectRef) -> Mapping[str, int]:
        self.at("list_versions")
        own = [version for key, version in self.objects if key == ref.key]
        return {version: rank for rank, version in enumerate(reversed(own))}

    def _find(self, ref: ObjectRef) -> tuple[ObjectFacts, bytes]:
        try:
            return self.objects[ref.key, ref.version_id or ""]
        except KeyError as error:
            raise MissingObject from error


def _place(fence: int) -> str:
    return f"fence-{fence}/" if fence > 1 else ""


@dataclass
class MemoryErrorBucket:
    """The latest report and rejected rows of each feed, and the URIs of all that was written."""

    at: Step = no_step
    raws: dict[UUID, str] = field(default_factory=dict)
    reports: dict[UUID, FeedReport] = field(default_factory=dict)
    rejected: dict[UUID, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    gone: bool = False

    async def keep_raw(self, feed: FeedIdentity) -> str | None:
        self.at("keep_raw")
        if self.gone or feed.size_bytes is None:
            return None
        self.raws[feed.feed_id] = feed.ref.key
        return f"s3://errors/{feed.feed_id}/raw"

    async def keep_report(self, report: FeedReport, fence: int) -> str:
        self.at("keep_report")
        self.reports[report.header.feed_id] = report
        uri = f"s3://errors/{report.header.feed_id}/{_place(fence)}report.json"
        self.written.append(uri)
        return uri

    async def keep_rejected(self, feed: FeedIdentity, fence: int, path: Path) -> str:
        self.at("keep_rejected")
        self.rejected[feed.feed_id] = await asyncio.to_thread(path.read_text)
        uri = f"s3://errors/{feed.feed_id}/{_place(fence)}rejected.csv"
        self.written.append(uri)
        return uri


@dataclass
class MemoryReceipts:
    at: Step = no_step
    receipts: dict[UUID, Receipt] = field(default_factory=dict)

    async def find(self, feed_id: UUID) -> Receipt | None:
        self.at("find_receipt")
        return self.receipts.get(feed_id)
