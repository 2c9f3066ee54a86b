"""An SQS client of moto's server, and how to make and look into queues."""

import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.literals import QueueAttributeNameType


@pytest.fixture
async def sqs(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["SQSClient"]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with AwsClients(ServiceSettings(aws_endpoint_url=moto_url)).sqs() as client:
        yield client


class Queues:
    """Queues of this test's own."""

    def __init__(self, sqs: "SQSClient") -> None:
        self._sqs = sqs

    async def make(self, name: str, dead_letters: str | None = None) -> str:
        """With `dead_letters`, the URL of another queue, messages go there after three receives."""
        attributes: dict[QueueAttributeNameType, str] = {}
        if dead_letters:
            answer = await self._sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
            policy = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": 3}
            attributes["RedrivePolicy"] = json.dumps(policy)
        name = f"{name}-{time.monotonic_ns()}"
        return (await self._sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]

    async def left(self, queue: str) -> int:
        """Messages in the queue, hidden ones included."""
        answer = await self._sqs.get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        )
        return sum(int(count) for count in answer["Attributes"].values())

    async def are_empty(self, *queues: str) -> bool:
        return not any([await self.left(queue) for queue in queues])


@pytest.fixture
def queues(sqs: "SQSClient") -> Queues:
    return Queues(sqs)
