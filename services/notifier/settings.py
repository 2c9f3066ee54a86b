"""The notifier's settings; main.py alone reads them. README.md has the table."""

from typing import Self

from pydantic import Field, model_validator

from shared.runtime.settings import WorkerSettings


class NotifierSettings(WorkerSettings):
    port: int = Field(default=8004, ge=1, le=65_535)
    worker_concurrency: int = Field(default=20, ge=1, le=64)

    notifier_queue_url: str
    notifier_dlq_url: str | None = None
    """Where unreadable messages go at once; without it, the queue's redrive policy moves them after its tries."""
    client_notifications_topic_arn: str
    processing_log_table: str

    log_retention_days: int = Field(default=400, ge=1, le=36_500)
    claim_seconds: float = Field(default=60.0, gt=0, le=600)
    """How long one attempt may take to announce; after that another may."""

    @model_validator(mode="after")
    def _claim_outlives_its_work(self) -> Self:
        # Between the claim's beginning and the end of the publish lie up to three calls: put, update, publish.
        if self.claim_seconds < 3 * self.aws_call_seconds:
            raise ValueError("claim_seconds must be at least 3 × aws_call_seconds, or claims run out while in use")
        return self
