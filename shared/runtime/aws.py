"""AWS clients with timeouts and capped retries. Credentials come from the usual chain (role, environment)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from shared.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

USER_AGENT = "sellersync/0.1"

AWS_OUTAGES: tuple[type[Exception], ...] = (ClientError, BotoCoreError, aiohttp.ClientError, OSError)
"""What a call raises when AWS refuses it or does not answer. TimeoutError is an OSError."""


@asynccontextmanager
async def answering_within(seconds: float, unavailable: Callable[[], Exception]) -> AsyncIterator[None]:
    """Bounds a call, its retries included, and raises `unavailable()` from whatever it fails with."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except AWS_OUTAGES as error:
        raise unavailable() from error


class AwsClients:
    """Opens clients that all carry this service's endpoint, region, timeouts and retry cap.

    Every method returns an async context manager; main.py enters it for the life of the app.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._session = aioboto3.Session(region_name=settings.aws_region)
        self._endpoint_url = settings.aws_endpoint_url
        self._settings = settings

    def _config(self, *, read_timeout: float | None = None, pool: int = 20) -> AioConfig:
        settings = self._settings
        return AioConfig(
            connect_timeout=settings.aws_connect_timeout_seconds,
            read_timeout=read_timeout or settings.aws_read_timeout_seconds,
            retries={"max_attempts": settings.aws_max_attempts, "mode": "standard"},
            max_pool_connections=pool,
            # Both cost a twentieth of every call: calls are typed where they are written, and a fixed name (to be found
            # in access logs by) need not be put together anew each time.
            parameter_validation=False,
            user_agent=USER_AGENT,
            # Path style works on every S3 there is, emulators and buckets with dots included.
            s3={"addressing_style": "path"},
        )

    def s3(self) -> "AbstractAsyncContextManager[S3Client]":
        return self._session.client("s3", endpoint_url=self._endpoint_url, config=self._config())

    def sns(self) -> "AbstractAsyncContextManager[SNSClient]":
        return self._session.client("sns", endpoint_url=self._endpoint_url, config=self._config())

    def dynamodb(self) -> "AbstractAsyncContextManager[DynamoDBClient]":
        return self._session.client("dynamodb", endpoint_url=self._endpoint_url, config=self._config())

    @asynccontextmanager
    async def sqs(self, poll_seconds: int = 20) -> "AsyncIterator[SQSClient]":
        """A long poll answers only after its wait, so the read timeout leaves room for it."""
        read_timeout = self._settings.aws_read_timeout_seconds + poll_seconds
        async with self._session.client(
            "sqs", endpoint_url=self._endpoint_url, config=self._config(read_timeout=read_timeout)
        ) as client:
            yield client
