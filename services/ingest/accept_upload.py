"""THE FLOW: a multipart body comes in, an object and its receipt are stored, and only then is the upload accepted.

    chunks ─► FormReader ─► events ─► IncomingFile: hash, count, one part at a time ─► object store
    body complete ─► object exists ─► receipt exists ─► UploadAccepted

Memory holds at most the part being filled and the part being sent, whatever the file's size (P7). Whatever goes
wrong before the object exists leaves nothing behind.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
import uuid_utils.compat as uuids

from services.ingest.errors import ReceiptNotWritten, StoreUnavailable, TooLarge
from services.ingest.incoming_file import IncomingFile, StoredFile
from services.ingest.ports import ReceiptStore, UploadStore
from services.ingest.rules.form_reader import MAX_FORM_OVERHEAD_BYTES, FormReader
from services.ingest.rules.part_sizes import part_size
from services.ingest.rules.upload_options import OfferedOptions
from shared.runtime.retry_policy import Backoff
from shared.schemas.feeds import Receipt, UploadAccepted, minted_at

log = structlog.get_logger(__name__)

RECEIPT_BACKOFF = Backoff(base_seconds=0.2, max_seconds=2.0)

ABANDON_SECONDS = 15.0
"""How long cleaning up after a failed upload may take; the caller waits for it."""


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What an operator decides, and what S3 asks for. `receipt_attempts` counts the first try."""

    max_upload_bytes: int
    default_seller_id: str
    public_base_url: str = ""
    receipt_attempts: int = 3
    part_size: Callable[[int], int] = part_size


class AcceptUpload:
    """Takes one upload at a time per call; calls share nothing but the stores."""

    def __init__(
        self,
        uploads: UploadStore,
        receipts: ReceiptStore,
        rules: UploadRules,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._uploads = uploads
        self._receipts = receipts
        self._rules = rules
        self._pause = pause

    def check_length(self, content_length: int | None) -> None:
        """Refuses by what the client announces, before it sends anything. Raises TooLarge."""
        limit = self._rules.max_upload_bytes
        if content_length is not None and content_length > limit + MAX_FORM_OVERHEAD_BYTES:
            raise TooLarge(f"at most {limit:,} bytes are taken")

    async def __call__(
        self,
        boundary: bytes,
        body: AsyncIterator[bytes],
        *,
        headers: Mapping[str, Sequence[str]],
        correlation_id: str,
    ) -> UploadAccepted:
        """Raises services.ingest.errors.UploadRefused, by reason, and whatever `body` raises."""
        feed_id: UUID = uuids.uuid7()
        options = OfferedOptions(headers, self._rules.default_seller_id)
        incoming = IncomingFile(
            self._uploads,
            options,
            feed_id,
            correlation_id,
            max_bytes=self._rules.max_upload_bytes,
            part_size=self._rules.part_size,
        )
        try:
            stored = await self._receive(FormReader(boundary), body, incoming)
        except BaseException:
            await _even_if_cancelled(incoming.abandon())
            raise
        await self._leave_receipt(feed_id, stored, correlation_id)
        log.info(
            "upload.accepted",
            feed_id=str(feed_id),
            seller_id=stored.options.seller_id,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
        )
        return UploadAccepted(
            feed_id=feed_id,
            seller_id=stored.options.seller_id,
            feed_type=stored.options.feed_type,
            file_name=stored.name,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            status_url=f"{self._rules.public_base_url.rstrip('/')}/api/feeds/{feed_id}",
            correlation_id=correlation_id,
            options=stored.options.feed,
        )

    async def _receive(self, form: FormReader, body: AsyncIterator[bytes], incoming: IncomingFile) -> StoredFile:
        received = 0
        async for chunk in body:
            received += len(chunk)
            # The file is limited where it is counted; this bounds everything around it.
            self.check_length(received)
            for event in form.feed(chunk):
                await incoming.take(event)
        form.finish()
        return await incoming.finish()

    async def _leave_receipt(self, feed_id: UUID, stored: StoredFile, correlation_id: str) -> None:
        receipt = Receipt(
            feed_id=feed_id,
            seller_id=stored.options.seller_id,
            feed_type=stored.options.feed_type,
            file_name=stored.name,
            bucket=self._uploads.bucket,
            object_key=stored.key,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            correlation_id=correlation_id,
            received_at=minted_at(feed_id) or datetime.now(UTC),
            options=stored.options.feed,
        )
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._receipts.write(receipt)
            except StoreUnavailable as error:
                log.warning("receipt.failed", feed_id=str(feed_id), attempt=attempt, error=str(error.__cause__))
                if attempt >= self._rules.receipt_attempts:
                    # The object exists and its event is out, so it cannot be taken back honestly.
                    raise ReceiptNotWritten(
                        f"the file is stored as feed {feed_id} and may be processed, but its receipt could not be"
                        " written; send the file again: the same bytes count once",
                        headers=error.headers,
                    ) from error
            await self._pause(RECEIPT_BACKOFF.delay(attempt))


async def _even_if_cancelled(work: Awaitable[None]) -> None:
    """Finishes `work` within ABANDON_SECONDS though this task is being cancelled."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=ABANDON_SECONDS)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=ABANDON_SECONDS)
        raise
    finally:
        if not task.done():
            task.cancel()
