"""The query service's settings; main.py alone reads them. README.md has the table."""

from pydantic import Field, SecretStr

from services.query.rules.plan import MOST_PLACES
from shared.runtime.settings import ServiceSettings


class QuerySettings(ServiceSettings):
    port: int = Field(default=8003, ge=1, le=65_535)

    database_url: SecretStr
    """mysql://user:password@host:port/database[?tls_ca=path]; a user that may only SELECT is enough."""
    processing_log_table: str
    receipts_bucket: str
    error_bucket: str

    database_connections: int = Field(default=10, ge=1, le=200)
    database_connect_seconds: float = Field(default=3.0, gt=0, le=60)
    database_acquire_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long a read waits for a free connection before it is answered 503."""
    database_statement_seconds: float = Field(default=15.0, ge=0.1, le=600)
    """How long one statement may run; the server itself ends it then."""

    max_concurrent_downloads: int = Field(default=8, ge=1, le=16)
    """Reports and rejected rows handed out at once; each holds one of the S3 client's 20 connections."""
    download_wait_seconds: float = Field(default=5.0, ge=0, le=60)
    """How long a further one waits before it is answered 503."""
    download_seconds: float = Field(default=3_600.0, gt=0)
    """How long one may take as a whole."""

    answer_rows: int = Field(default=MOST_PLACES, ge=1, le=10_000)
    """How many rows the answer to a question holds at most."""

    openai_api_key: SecretStr | None = None
    """Given: a model reads the questions. Not given: the built-in rules do."""
    openai_base_url: str | None = None
    openai_model: str = "gpt-4.1-mini"
    model_seconds: float = Field(default=20.0, gt=0, le=120)
    """How long one call of the model may take."""
    model_retries: int = Field(default=1, ge=0, le=5)
