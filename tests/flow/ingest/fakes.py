"""Outside in memory that fail when told to."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from services.ingest.errors import StoreUnavailable
from shared.schemas.feeds import Receipt

BUCKET = "uploads"


@dataclass
class FakeUploads:
    """Holds whole objects; `failing` names the calls that fail."""

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    open_uploads: int = 0
    part_sizes: list[int] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    """If set, parts are taken only once it is."""
    aborting: asyncio.Event = field(default_factory=asyncio.Event)
    abort_gate: asyncio.Event | None = None
    """If set, an abort is done only once it is."""

    @property
    def bucket(self) -> str:
        return BUCKET

    def fail(self, call: str) -> None:
        if call in self.failing:
            raise StoreUnavailable(headers={"Retry-After": "5"})

    async def put(self, key: str, body: BytesIO, metadata: Mapping[str, str]) -> None:
        self.fail("put")
        self.objects[key] = (body.read(), dict(metadata))

    async def open(self, key: str, metadata: Mapping[str, str]) -> "FakeOpenUpload":
        self.fail("open")
        self.open_uploads += 1
        return FakeOpenUpload(self, key, dict(metadata))


class FakeOpenUpload:
    def __init__(self, store: FakeUploads, key: str, metadata: dict[str, str]) -> None:
        self._store = store
        self._key = key
        self._metadata = metadata
        self._content = b""

    async def add_part(self, body: BytesIO) -> None:
        if self._store.gate:
            await self._store.gate.wait()
        self._store.fail("add_part")
        part = body.read()
        self._store.part_sizes.append(len(part))
        self._content += part

    async def complete(self) -> None:
        self._store.fail("complete")
        self._store.open_uploads -= 1
        self._store.objects[self._key] = (self._content, self._metadata)

    async def abort(self) -> None:
        self._store.aborting.set()
        if self._store.abort_gate:
            await self._store.abort_gate.wait()
        self._store.open_uploads -= 1


@dataclass
class FakeReceipts:
    """Fails the first `failures` times."""

    written: list[Receipt] = field(default_factory=list)
    failures: int = 0
    tries: int = 0

    async def write(self, receipt: Receipt) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise StoreUnavailable(headers={"Retry-After": "5"})
        self.written.append(receipt)
