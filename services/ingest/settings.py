"""Ingest's settings; main.py alone reads them. README.md has the table."""

from pydantic import AnyHttpUrl, Field

from services.ingest.rules.part_sizes import MAX_OBJECT_BYTES
from shared.runtime.settings import ServiceSettings

GIB = 1024**3


class IngestSettings(ServiceSettings):
    port: int = Field(default=8001, ge=1, le=65_535)

    uploads_bucket: str
    receipts_bucket: str
    public_base_url: AnyHttpUrl | None = None
    """Put before `/api/feeds/{feed_id}` in status_url and Location; without it both are relative."""

    max_upload_bytes: int = Field(default=5 * GIB, ge=1, le=MAX_OBJECT_BYTES)
    max_concurrent_uploads: int = Field(default=16, ge=1, le=1_000)
    """Each holds up to two parts of 8 MiB (larger parts beyond 8 GB)."""
    upload_slot_wait_seconds: float = Field(default=10.0, ge=0, le=300)
    """How long an upload waits for its turn before it is answered 503."""
    body_idle_seconds: float = Field(default=30.0, gt=0, le=3_600)
    """How long a client may send nothing."""
    upload_seconds: float = Field(default=6 * 3_600.0, gt=0)
    """How long one upload may take as a whole."""
    s3_call_seconds: float = Field(default=120.0, gt=0, le=3_600)
    """How long one S3 call may take, retries included."""
