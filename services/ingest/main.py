"""Wires ingest: settings → S3 client → adapters → flow → routes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypedDict

from fastapi import FastAPI

from services.ingest.accept_upload import ABANDON_SECONDS, AcceptUpload, UploadRules
from services.ingest.adapters.s3_receipts import S3Receipts
from services.ingest.adapters.s3_uploads import S3Uploads
from services.ingest.ports import ReceiptStore, UploadStore
from services.ingest.routes import Patience, UploadDoor, router
from services.ingest.settings import IngestSettings
from shared.runtime.app import build_app
from shared.runtime.aws import AwsClients
from shared.runtime.health import Check


@dataclass(frozen=True, slots=True)
class Outside:
    """Where uploads and receipts go, and how to see whether these places answer."""

    uploads: UploadStore
    receipts: ReceiptStore
    checks: dict[str, Check] = field(default_factory=dict)


class State(TypedDict):
    """What routes find on `request.state`."""

    door: UploadDoor


OpenOutside = Callable[[], AbstractAsyncContextManager[Outside]]


def create_app(settings: IngestSettings | None = None, open_outside: OpenOutside | None = None) -> FastAPI:
    """The app. Settings come from the environment and the outside is S3, unless given (tests give fakes)."""
    settings = settings or IngestSettings()
    open_outside = open_outside or (lambda: _aws(settings))
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with open_outside() as outside:
            checks.update(outside.checks)
            accept = AcceptUpload(
                outside.uploads,
                outside.receipts,
                UploadRules(
                    max_upload_bytes=settings.max_upload_bytes,
                    default_seller_id=settings.default_seller_id,
                    public_base_url=str(settings.public_base_url or ""),
                ),
            )
            patience = Patience(
                idle=settings.body_idle_seconds, upload=settings.upload_seconds, slot=settings.upload_slot_wait_seconds
            )
            door = UploadDoor(accept, settings.max_concurrent_uploads, patience)
            try:
                yield {"door": door}
            finally:
                # The server cancels what outlasts the grace period, and does not wait for it to clean up.
                await door.emptied(ABANDON_SECONDS)

    return build_app(
        title="ingest",
        description="Takes feeds in: stores the file as it comes, leaves a receipt, answers 202.",
        lifespan=lifespan,
        routers=[router],
        checks=lambda: checks,
    )


@asynccontextmanager
async def _aws(settings: IngestSettings) -> AsyncIterator[Outside]:
    async with AwsClients(settings).s3() as s3:
        uploads = S3Uploads(s3, settings.uploads_bucket, settings.s3_call_seconds)
        receipts = S3Receipts(s3, settings.receipts_bucket, settings.s3_call_seconds)
        yield Outside(uploads, receipts, {"uploads": uploads.check, "receipts": receipts.check})
