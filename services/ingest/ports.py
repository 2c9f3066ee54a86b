"""What the flow needs from the outside, as Protocols; adapters/ has the real ones, tests have small fakes."""

from collections.abc import Mapping
from io import BytesIO
from typing import Protocol

from shared.schemas.feeds import Receipt


class OpenUpload(Protocol):
    """An object that is being written part by part. Nothing of it exists for others until `complete`.

    Every method raises services.ingest.errors.StoreUnavailable when the store does not do it in time.
    """

    async def add_part(self, body: BytesIO) -> None:
        """Takes over `body`. Returns once there is room for one more part, so a slow store slows the client."""
        ...

    async def complete(self) -> None: ...

    async def abort(self) -> None:
        """Removes what was sent. Does not raise: what remains then expires by the bucket's lifecycle rule."""
        ...


class UploadStore(Protocol):
    """Where uploaded files go. Raises services.ingest.errors.StoreUnavailable."""

    @property
    def bucket(self) -> str: ...

    async def put(self, key: str, body: BytesIO, metadata: Mapping[str, str]) -> None:
        """A file that fits in one part."""
        ...

    async def open(self, key: str, metadata: Mapping[str, str]) -> OpenUpload:
        """Begins a file of unknown length."""
        ...


class ReceiptStore(Protocol):
    """Where receipts go. Raises services.ingest.errors.StoreUnavailable."""

    async def write(self, receipt: Receipt) -> None: ...
