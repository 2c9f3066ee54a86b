"""S3s to run ingest against: moto in this process, and the emulator with the real data plane."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and a client for it, with the settings that ingest uses."""

    s3: "S3Client"
    name: str

    async def keys(self) -> list[str]:
        return [found["Key"] for found in (await self.s3.list_objects_v2(Bucket=self.name)).get("Contents", [])]

    async def unfinished(self) -> int:
        """Multipart uploads that were neither completed nor aborted."""
        return len((await self.s3.list_multipart_uploads(Bucket=self.name)).get("Uploads", []))


@pytest.fixture
async def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bucket]:
    """An empty bucket, once on each of the two."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with AwsClients(ServiceSettings(aws_endpoint_url=s3_url)).s3() as s3:
        name = f"uploads-{secrets.token_hex(4)}"
        await s3.create_bucket(Bucket=name)
        yield Bucket(s3, name)
