"""The notifier's AWS: the emulator with the real data plane; for the processing log moto as well."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest

from deploy.local.aws_access import REGION
from deploy.local.data_plane import DataPlane
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.processing_log import NEWEST_ERRORS_INDEX, SELLER_ERRORS_INDEX

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

    from tests.conftest import EmulatedAws


@dataclass(frozen=True, slots=True)
class Aws:
    """Clients as the notifier has them, and the data plane they work on."""

    url: str
    plane: DataPlane
    sqs: "SQSClient"
    sns: "SNSClient"
    dynamodb: "DynamoDBClient"


@dataclass(frozen=True, slots=True)
class Table:
    """A processing log and a client for it."""

    dynamodb: "DynamoDBClient"
    name: str


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
async def aws(emulator: "EmulatedAws", credentials: None) -> AsyncIterator[Aws]:
    clients = AwsClients(ServiceSettings(aws_endpoint_url=emulator.endpoint_url))
    async with clients.sqs(1) as sqs, clients.sns() as sns, clients.dynamodb() as dynamodb:
        yield Aws(emulator.endpoint_url, emulator.plane, sqs, sns, dynamodb)


@pytest.fixture(params=["moto", "emulator"])
def table_place(request: pytest.FixtureRequest, credentials: None) -> tuple[str, str]:
    """Endpoint and table. moto cannot deploy the template, so there the table is made by hand."""
    if request.param == "moto":
        url: str = request.getfixturevalue("moto_url")
        return url, _make_table(url)
    emulator: EmulatedAws = request.getfixturevalue("emulator")
    return emulator.endpoint_url, emulator.plane.processing_log_table


@pytest.fixture
async def table(table_place: tuple[str, str]) -> AsyncIterator[Table]:
    url, name = table_place
    async with AwsClients(ServiceSettings(aws_endpoint_url=url)).dynamodb() as dynamodb:
        yield Table(dynamodb, name)


def _make_table(url: str) -> str:
    name = f"processing-log-{secrets.token_hex(4)}"
    attributes = ("feed_id", "entry_id", "error_stream", "error_seller")
    boto3.client("dynamodb", endpoint_url=url, region_name=REGION).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
        KeySchema=_keys("feed_id"),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _keys(hash_key), "Projection": {"ProjectionType": "ALL"}}
            for index, hash_key in [(NEWEST_ERRORS_INDEX, "error_stream"), (SELLER_ERRORS_INDEX, "error_seller")]
        ],
    )
    return name


def _keys(hash_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": "entry_id", "KeyType": "RANGE"},
    ]
