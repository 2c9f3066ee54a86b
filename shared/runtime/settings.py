"""The settings that every service has. Each service's settings.py adds its own; main.py alone reads them."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.schemas.base import SellerId


class ServiceSettings(BaseSettings):
    """Read from the environment; names are the field names in capitals. No .env is read implicitly."""

    # A fault in one setting must not print the others: one of them is a password.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    shutdown_grace_seconds: float = Field(default=20.0, gt=0, le=600)

    aws_region: str = "us-east-1"
    aws_endpoint_url: str | None = None
    aws_connect_timeout_seconds: float = Field(default=3.0, gt=0)
    aws_read_timeout_seconds: float = Field(default=30.0, gt=0)
    aws_max_attempts: int = Field(default=3, ge=1, le=10)

    aws_call_seconds: float = Field(default=15.0, gt=0, le=600)
    """How long one call may take, its retries included; moving a file has limits of its own."""

    default_seller_id: SellerId = "default"
    """Whose a feed is when nothing says it: an upload without seller_id, an object key without a first segment."""


class WorkerSettings(ServiceSettings):
    """A service that consumes a queue."""

    worker_concurrency: int = Field(default=2, ge=1, le=64)
    """Messages in work at once."""
    worker_prefetch: int = Field(default=10, ge=0, le=200)
    """Further messages that wait here, hidden, for one of those to be done; after 5 s they are given back."""
    visibility_seconds: int = Field(default=60, ge=2, le=43_200)
    """How long a received message stays hidden; extended while its work goes on."""
    poll_seconds: int = Field(default=10, ge=0, le=20)
    """SQS long-poll wait."""
    retry_base_seconds: float = Field(default=1.0, gt=0)
    retry_max_seconds: float = Field(default=300.0, gt=0)


class WorkDirSettings(ServiceSettings):
    """A service that needs local disk for work in progress."""

    work_dir: Path | None = None
    """Where files in work are kept; a fresh directory in the system's temporary one if unset."""
