"""Wires the notifier: settings → AWS clients → adapters → flow → worker. It has no routes of its own yet."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from services.notifier.adapters.dynamo_log import DynamoLog
from services.notifier.adapters.sns_client_notifications import SnsClientNotifications
from services.notifier.announce_outcome import AnnounceOutcome
from services.notifier.ports import ClientNotifications, ProcessingLog
from services.notifier.settings import NotifierSettings
from services.notifier.worker import OutcomeWorker
from shared.runtime.app import build_app
from shared.runtime.aws import AwsClients
from shared.runtime.background import BackgroundLoops
from shared.runtime.health import Check
from shared.runtime.sqs_worker import SqsWorker
from shared.runtime.worker_limits import WorkerLimits

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Outside:
    """What the notifier talks to, and how to see whether it answers."""

    sqs: "SQSClient"
    processing_log: ProcessingLog
    notifications: ClientNotifications
    checks: dict[str, Check] = field(default_factory=dict)


OpenOutside = Callable[[], AbstractAsyncContextManager[Outside]]


def create_app(settings: NotifierSettings | None = None, open_outside: OpenOutside | None = None) -> FastAPI:
    """The app. Settings come from the environment and the outside is AWS, unless given (tests give fakes)."""
    settings = settings or NotifierSettings()
    open_outside = open_outside or (lambda: _aws(settings))
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with open_outside() as outside:
            announce = AnnounceOutcome(
                outside.processing_log, outside.notifications, timedelta(seconds=settings.claim_seconds)
            )
            worker = SqsWorker(
                outside.sqs,
                settings.notifier_queue_url,
                OutcomeWorker(announce),
                WorkerLimits.of(settings),
                dlq_url=settings.notifier_dlq_url,
            )
            async with BackgroundLoops([worker], settings.shutdown_grace_seconds).running() as loops:
                checks.update(outside.checks | {"loops": loops.check})
                yield {}

    return build_app(
        title="notifier",
        description="Writes the processing log and tells clients how their feeds ended.",
        lifespan=lifespan,
        routers=[],
        checks=lambda: checks,
    )


@asynccontextmanager
async def _aws(settings: NotifierSettings) -> AsyncIterator[Outside]:
    clients = AwsClients(settings)
    async with AsyncExitStack() as stack:
        sqs = await stack.enter_async_context(clients.sqs(settings.poll_seconds))
        processing_log = DynamoLog(
            await stack.enter_async_context(clients.dynamodb()),
            settings.processing_log_table,
            timedelta(days=settings.log_retention_days),
            settings.aws_call_seconds,
        )
        notifications = SnsClientNotifications(
            await stack.enter_async_context(clients.sns()),
            settings.client_notifications_topic_arn,
            settings.aws_call_seconds,
        )

        async def check_queue() -> None:
            await sqs.get_queue_attributes(QueueUrl=settings.notifier_queue_url, AttributeNames=["QueueArn"])

        yield Outside(
            sqs,
            processing_log,
            notifications,
            {"queue": check_queue, "processing_log": processing_log.check, "notifications": notifications.check},
        )
