"""One upload while its body arrives: the fields so far, one part's buffer, the hash, the length.

file ends within the first part ─► one put, after the whole body is known to be good
it does not                     ─► multipart upload, part by part, with the fields known by then
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

from services.ingest.errors import EmptyFile, InvalidField, LateField, NoFile, SecondFile, TooLarge
from services.ingest.ports import OpenUpload, UploadStore
from services.ingest.rules.file_names import object_key, shown_name
from services.ingest.rules.form_reader import FILE_FIELD, Field, FileBytes, FileEnded, FileStarted, FormEvent
from services.ingest.rules.object_metadata import object_metadata
from services.ingest.rules.upload_options import OfferedOptions, UploadOptions


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is in the store now."""

    options: UploadOptions
    name: str
    key: str
    size_bytes: int
    sha256: str


class IncomingFile:
    """The state of one upload while its body arrives: fields so far, one part's buffer, hash, length."""

    def __init__(
        self,
        uploads: UploadStore,
        offered: OfferedOptions,
        feed_id: UUID,
        correlation_id: str,
        *,
        max_bytes: int,
        part_size: Callable[[int], int],
    ) -> None:
        self._uploads = uploads
        self._offered = offered
        self._max_bytes = max_bytes
        self._part_size = part_size
        self._feed_id = feed_id
        self._correlation_id = correlation_id
        self._name = ""  # a shown name is never empty
        self._hash = hashlib.sha256()
        self._size = 0
        self._buffer = BytesIO()
        self._part = 1
        self._open: OpenUpload | None = None
        self._key = ""

    async def take(self, event: FormEvent) -> None:
        """One event of the body, in order. Raises UploadRefused, by reason."""
        match event:
            case Field(name, value):
                if self._open:
                    raise LateField(
                        f"the field {name[:64]!r} comes after a large file: send fields before it, or as headers"
                    )
                self._offered.take(name, value)
            case FileStarted(field_name, offered_name):
                if field_name != FILE_FIELD:
                    raise InvalidField(f"unknown file field {field_name[:64]!r}: the file goes in {FILE_FIELD!r}")
                if self._name:
                    raise SecondFile
                self._name = shown_name(offered_name)
            case FileBytes(data):
                await self._append(data)
            case FileEnded():
                # Known now, so said now; the rest of the body need not arrive first.
                if not self._size:
                    raise EmptyFile

    async def finish(self) -> StoredFile:
        """The body is complete: makes the object exist. Raises NoFile, StoreUnavailable."""
        if not self._name:
            raise NoFile
        options = self._offered.decided()
        sha256 = self._hash.hexdigest()
        if self._open:
            if self._buffer.tell():
                await self._send_part(self._open)
            await self._open.complete()
        else:
            metadata = self._place(options) | {"sha256": sha256}
            self._buffer.seek(0)
            await self._uploads.put(self._key, self._buffer, metadata)
        return StoredFile(options, self._name, self._key, self._size, sha256)

    async def abandon(self) -> None:
        """Leaves nothing of an upload that was not finished."""
        if self._open:
            await self._open.abort()

    async def _append(self, data: memoryview) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge(f"at most {self._max_bytes:,} bytes are taken")
        self._hash.update(data)
        self._buffer.write(data)
        # Only when there is more than one part can hold: a file of exactly one part is still a single put.
        if self._buffer.tell() > self._part_size(self._part):
            if not self._open:
                metadata = self._place(self._offered.decided())
                self._open = await self._uploads.open(self._key, metadata)
            await self._send_part(self._open)

    async def _send_part(self, upload: OpenUpload) -> None:
        part, self._buffer = self._buffer, BytesIO()
        self._part += 1
        part.seek(0)
        await upload.add_part(part)

    def _place(self, options: UploadOptions) -> dict[str, str]:
        """Decides the object's key; returns its metadata."""
        self._key = object_key(options.seller_id, str(self._feed_id), self._name)
        return object_metadata(self._feed_id, options, self._name, self._correlation_id)
