"""The flow as an AWS Lambda function: an SQS batch in, `batchItemFailures` out.

Event source mapping with ReportBatchItemFailures; the function's timeout must be shorter than the queue's visibility
timeout. Source of the shapes: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol

import structlog

from services.aggregator.main import Aggregator, open_aggregator
from services.aggregator.settings import AggregatorSettings
from shared.runtime.aws import AwsClients
from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.logs import configure_logs
from shared.runtime.sqs_queue import QueueMessage

log = structlog.get_logger(__name__)

SPARE_SECONDS = 5.0
"""Kept of the function's time for giving up cleanly: feeds go back to the queue, failures are reported."""

DRAIN_SECONDS = 10.0


class LambdaContext(Protocol):
    """What is used of the context object that Lambda hands over."""

    def get_remaining_time_in_millis(self) -> int: ...


class LambdaHost:
    """Keeps one event loop, and on it the opened flow, for all invocations of one execution environment."""

    def __init__(
        self,
        settings: AggregatorSettings,
        open_flow: Callable[[AggregatorSettings], AbstractAsyncContextManager[Aggregator]] = open_aggregator,
    ) -> None:
        self._settings = settings
        self._open_flow = open_flow
        self._loop = asyncio.new_event_loop()
        self._opened = AsyncExitStack()
        self._aggregator: Aggregator | None = None

    def invoke(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
        """Every message that is not named among the failures is deleted by Lambda: its outcome is stored (P4)."""
        seconds = context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
        failed = self._loop.run_until_complete(self._handle_all(event.get("Records", []), seconds))
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def close(self) -> None:
        """For tests: Lambda freezes and drops environments without a word."""
        self._loop.run_until_complete(self._opened.aclose())
        self._loop.close()

    async def _handle_all(self, records: Sequence[Mapping[str, Any]], seconds: float) -> list[str]:
        if self._aggregator is None:
            self._aggregator = await self._opened.enter_async_context(self._open_flow(self._settings))
        aggregator = self._aggregator
        deadline = asyncio.get_running_loop().time() + seconds
        failed: list[str] = []
        # One after the other: the engine already uses every core there is, and order costs nothing.
        for record in records:
            message = _in_hand(record)
            with structlog.contextvars.bound_contextvars(message_id=message.message_id):
                if not await self._is_settled(aggregator, message, deadline):
                    failed.append(message.message_id)
        # Always at least a moment: events of the last invocation may be waiting too.
        await aggregator.relay.drain(max(1.0, min(DRAIN_SECONDS, deadline - asyncio.get_running_loop().time())))
        return failed

    async def _is_settled(self, aggregator: Aggregator, message: QueueMessage, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                disposition = await aggregator.handle(message)
                if isinstance(disposition, Reject):
                    disposition = await self._reject(message, disposition)
        except Exception as error:  # the message stays in the queue: nothing is lost here
            log.exception("message.failed", error=repr(error), receive_count=message.receive_count)
            return False
        if isinstance(disposition, Retry):
            log.info("message.retried", reason=disposition.reason)
        return isinstance(disposition, Done)

    async def _reject(self, message: QueueMessage, reject: Reject) -> Disposition:
        if self._settings.feed_uploads_dlq_url is None:
            return Retry(reject.reason)
        async with AwsClients(self._settings).sqs() as sqs:
            await sqs.send_message(QueueUrl=self._settings.feed_uploads_dlq_url, MessageBody=message.body)
        log.error("message.rejected", reason=reject.reason)
        return Done()


def _in_hand(record: Mapping[str, Any]) -> QueueMessage:
    return QueueMessage(
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        body=record["body"],
        receive_count=int(record.get("attributes", {}).get("ApproximateReceiveCount", "1")),
    )


_host: LambdaHost | None = None


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """What Lambda calls. The first invocation of an environment opens the flow."""
    global _host
    if _host is None:
        settings = AggregatorSettings()
        configure_logs("aggregator", settings.log_level, settings.log_format)
        _host = LambdaHost(settings)
    return _host.invoke(event, context)
