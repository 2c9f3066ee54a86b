"""Wires the query service: settings → clients → adapters → flows → routes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypedDict

import structlog
from fastapi import FastAPI

from services.query.adapters.dynamo_log import DynamoLog
from services.query.adapters.mysql_answers import MySqlAnswers
from services.query.adapters.mysql_feeds import MySqlFeeds
from services.query.adapters.mysql_history import MySqlHistory
from services.query.adapters.mysql_reads import MySqlReads, ReadLimits
from services.query.adapters.mysql_sales import MySqlSales
from services.query.adapters.s3_error_bucket import S3ErrorBucket
from services.query.adapters.s3_receipts import S3Receipts
from services.query.answer_question import AnswerQuestion
from services.query.hand_back_results import HandBackResults
from services.query.ports import ErrorBucket, ErrorLog, Feeds, History, Interpreter, PlanRunner, Receipts, Sales
from services.query.read_records import ReadRecords
from services.query.routes import Downloads, router
from services.query.rules.reading.interpretation import OfflineInterpreter
from services.query.settings import QuerySettings
from shared.runtime.app import build_app
from shared.runtime.aws import AwsClients
from shared.runtime.health import Check
from shared.runtime.mysql_address import MySqlAddress

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What is read, and how to see whether it answers."""

    sales: Sales
    feeds: Feeds
    receipts: Receipts
    error_log: ErrorLog
    plans: PlanRunner
    history: History
    error_bucket: ErrorBucket
    checks: dict[str, Check] = field(default_factory=dict)


class State(TypedDict):
    """What routes find on `request.state`."""

    records: ReadRecords
    questions: AnswerQuestion
    downloads: Downloads


OpenOutside = Callable[[], AbstractAsyncContextManager[Outside]]


def create_app(settings: QuerySettings | None = None, open_outside: OpenOutside | None = None) -> FastAPI:
    """The app. Settings come from the environment, the outside is real, unless given (tests give fakes)."""
    settings = settings or QuerySettings()
    open_outside = open_outside or (lambda: _real_outside(settings))
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with open_outside() as outside, open_interpreter(settings) as interpreter:
            log.info("interpreter.chosen", interpreter=interpreter.name)
            checks.update(outside.checks)
            records = ReadRecords(outside.sales, outside.feeds, outside.receipts, outside.error_log, outside.history)
            results = HandBackResults(records.feed, outside.error_bucket)
            yield {
                "records": records,
                "questions": AnswerQuestion(interpreter, outside.plans, _today),
                "downloads": Downloads(results, settings.download_seconds),
            }

    return build_app(
        title="query",
        description="Reads the totals, the feeds and their errors back, over REST and in plain language.",
        lifespan=lifespan,
        routers=[router],
        checks=lambda: checks,
    )


@asynccontextmanager
async def open_interpreter(settings: QuerySettings) -> AsyncIterator[Interpreter]:
    """The built-in rules, or a model where a key is given. LangChain is imported only then: it takes seconds."""
    if settings.openai_api_key is None:
        yield OfflineInterpreter()
        return
    from services.query.adapters import langchain_interpreter

    access = langchain_interpreter.ModelAccess(
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        seconds=settings.model_seconds,
        retries=settings.model_retries,
    )
    async with langchain_interpreter.open_interpreter(access) as interpreter:
        yield interpreter


def _today() -> date:
    return datetime.now(UTC).date()


@asynccontextmanager
async def _real_outside(settings: QuerySettings) -> AsyncIterator[Outside]:
    reads = MySqlReads(
        MySqlAddress.parse(settings.database_url.get_secret_value()),
        ReadLimits(
            connections=settings.database_connections,
            connect=settings.database_connect_seconds,
            acquire=settings.database_acquire_seconds,
            statement=settings.database_statement_seconds,
        ),
    )
    clients = AwsClients(settings)
    async with clients.s3() as s3, clients.dynamodb() as dynamodb:
        await reads.open()
        try:
            error_log = DynamoLog(dynamodb, settings.processing_log_table, settings.aws_call_seconds)
            receipts = S3Receipts(s3, settings.receipts_bucket, settings.aws_call_seconds)
            error_bucket = S3ErrorBucket(
                s3,
                settings.error_bucket,
                settings.aws_call_seconds,
                downloads=settings.max_concurrent_downloads,
                wait_seconds=settings.download_wait_seconds,
            )
            yield Outside(
                sales=MySqlSales(reads),
                feeds=MySqlFeeds(reads),
                receipts=receipts,
                error_log=error_log,
                plans=MySqlAnswers(reads, settings.answer_rows),
                history=MySqlHistory(reads),
                error_bucket=error_bucket,
                checks={
                    "database": reads.check,
                    "processing_log": error_log.check,
                    "receipts": receipts.check,
                    "errors": error_bucket.check,
                },
            )
        finally:
            await reads.close()
