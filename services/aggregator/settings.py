"""What can be set for the aggregator; read by main (and migrate) only."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.settings import WorkDirSettings, WorkerSettings

GIBIBYTE = 1024**3


class AggregatorSettings(WorkerSettings, WorkDirSettings):
    """Environment variables are the field names in capitals. The defaults suit two cores and 2 GiB of memory."""

    port: int = Field(default=8002, ge=1, le=65_535)

    database_url: SecretStr
    """mysql://user:password@host:port/database, user and password percent-encoded; `?tls_ca=<path>` requires TLS."""
    database_connections: int = Field(default=8, ge=4, le=200)
    database_connect_seconds: float = Field(default=5.0, gt=0)
    database_acquire_seconds: float = Field(default=15.0, gt=0)
    database_statement_seconds: float = Field(default=300.0, gt=0)
    """Also the longest step of a commit: a feed's whole contribution joins the totals in one statement."""
    database_local_infile: bool = True
    """Load many groups with LOAD DATA LOCAL INFILE where the server allows it. It lets the server ask this process for
    files: turn it off where the server is not as trusted as the service."""
    database_lock_wait_seconds: int = Field(default=5, ge=1)

    changes_at_once: int = Field(default=2, ge=1, le=200)
    """Withdrawals, cancellations and reprocessings that may use connections at once; others wait 5 s, then get 503.
    Fewer than the connections: the others are for the feeds in work."""

    uploads_bucket: str
    error_bucket: str
    receipts_bucket: str
    """Ingest's; read only: what is known of an upload that no worker has seen yet."""
    feed_uploads_queue_url: str
    feed_uploads_dlq_url: str | None = None
    feed_overflow_queue_url: str | None = None
    """Where one seller's messages give way that fill the places of the others; without it they stay in the first."""
    share_fairly: bool = True
    """Sellers take turns; off, feeds are taken as the queue hands them out."""
    feed_events_topic_arn: str

    worker_concurrency: int = Field(default=4, ge=1, le=64)
    """Feeds in work at once, and reading threads; one seller has one less, so that another's turn comes."""
    worker_prefetch: int = Field(default=50, ge=0, le=200)
    worker_max_receives: int = Field(default=10, ge=1, le=1_000)
    """The maxReceiveCount of the uploads queue, or less: at that try, a feed whose reading meets a fault of ours ends
    FATAL instead of in the dead-letter queue."""

    max_feed_bytes: int = Field(default=5 * GIBIBYTE, ge=1)
    """A larger object is FATAL format/too_large, as is one that holds more when it is decompressed or unpacked.

    Disk in use per message in work: the object, what is decompressed from it, its rows as text; each at most this.
    """
    lease_seconds: float = Field(default=60.0, ge=1)
    """How long a feed stays with a worker that fell silent; renewed every third of it."""
    commit_seconds: float = Field(default=600.0, gt=0)
    """How long a feed's commit may take, all its statements and waits together; past it, the feed goes back to the
    queue. The lease lasts as long meanwhile: a worker that dies just then is missed only after it."""
    contribution_batch: int = Field(default=10_000, ge=1, le=50_000)
    """Groups held in memory at a time, and loaded in one statement, on their way to the database."""

    reader_memory_mb: int = Field(default=400, ge=64)
    """What the one reading engine may hold, shared by the feeds in work; it spills to disk beyond."""
    reader_threads: int = Field(default=2, ge=1)
    read_seconds: float = Field(default=3_600.0, gt=0)
    """How long a feed may be read; past it, it goes back to the queue, and the service is not ready while a thread
    hangs."""

    relay_poll_seconds: float = Field(default=2.0, gt=0)
    """How often the outbox is looked at when nothing woke the relay: events of workers that died are found so."""
    relay_retry_max_seconds: float = Field(default=30.0, gt=0)
    publish_timeout_seconds: float = Field(default=10.0, gt=0)
    outbox_keep_seconds: float = Field(default=7 * 86_400.0, gt=0)
    """Published events are deleted after this."""


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    migration_wait_seconds: int = Field(default=60, ge=0)
    """For the server to answer, and for another migration to end."""
    migration_statement_seconds: int = Field(default=3_600, ge=1)
