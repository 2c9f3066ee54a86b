"""HTTP in → one call of a flow → HTTP out."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Request, Response, params
from fastapi.responses import JSONResponse, StreamingResponse

from services.query.answer_question import AnswerQuestion
from services.query.download_response import DownloadResponse
from services.query.hand_back_results import HandBackResults
from services.query.parameters import (
    ErrorParameters,
    FeedParameters,
    PageParameters,
    Question,
    SalesParameters,
    TransactionParameters,
)
from services.query.read_records import ReadRecords
from services.query.rules.answers import Answer
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.handed_back import attachment
from services.query.rules.records import SummaryPage, TransactionRecord
from shared.runtime.app import no_query_parameters, only_query_parameters
from shared.runtime.problems import PROBLEM_RESPONSES
from shared.schemas.feeds import FeedView, HistoryEntry
from shared.schemas.pages import Page
from shared.schemas.processing_log import LogEntry
from shared.schemas.reports import FeedReport

router = APIRouter(responses=PROBLEM_RESPONSES)

_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows as they came, each with its line, code, field and message",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Downloads:
    """The flow that hands results back, and how long one may take on its way."""

    results: HandBackResults
    seconds: float


def confinement_of(_: Request) -> Confinement:
    """Whose rows this caller may see. Callers are not authenticated yet, so every one is an operator."""
    return UNCONFINED


def _records(request: Request) -> ReadRecords:
    records: ReadRecords = request.state.records
    return records


def _questions(request: Request) -> AnswerQuestion:
    questions: AnswerQuestion = request.state.questions
    return questions


def _downloads(request: Request) -> Downloads:
    downloads: Downloads = request.state.downloads
    return downloads


Caller = Annotated[Confinement, Depends(confinement_of)]
Records = Annotated[ReadRecords, Depends(_records)]
Questions = Annotated[AnswerQuestion, Depends(_questions)]
Handed = Annotated[Downloads, Depends(_downloads)]


def _only(parameters: type[PageParameters]) -> list[params.Depends]:
    """Refuses every query parameter that is none of the model's."""
    return [Depends(only_query_parameters(*parameters.model_fields))]


@router.get(
    "/api/transactions",
    tags=["sales"],
    summary="Aggregated sales, with the file that each came from",
    dependencies=_only(TransactionParameters),
)
async def transactions(
    parameters: Annotated[TransactionParameters, Query()], records: Records, caller: Caller
) -> Page[TransactionRecord]:
    """One record per feed, day, product, category and currency, of feeds that are DONE, neither withdrawn nor replaced.

    In the order of sale_date, seller_id, feed_id. Records that are added while you page neither repeat nor hide
    others. Money is a string with its exact decimals.
    """
    chosen = parameters.chosen(parameters.feed_id)
    return await records.transactions(chosen, parameters.cursor, parameters.limit, caller)


@router.get(
    "/api/transactions/summary",
    tags=["sales"],
    summary="Totals per product, and over all of them",
    dependencies=_only(SalesParameters),
)
async def summary(parameters: Annotated[SalesParameters, Query()], records: Records, caller: Caller) -> SummaryPage:
    """Totals per product and currency by name, and in `totals`, per currency, over everything that matches.

    A product is listed while at least one accepted row counts, also where returns cancel its sales out.
    Sums are never made across currencies.
    """
    return await records.summary(parameters.chosen(), parameters.cursor, parameters.limit, caller)


@router.get(
    "/api/errors",
    tags=["feeds"],
    summary="What went wrong with feeds, newest first",
    dependencies=_only(ErrorParameters),
)
async def errors(parameters: Annotated[ErrorParameters, Query()], records: Records, caller: Caller) -> Page[LogEntry]:
    """Entries of the processing log with severity WARNING (rows were rejected or noted) or ERROR (the feed failed)."""
    return await records.errors(parameters.chosen(), parameters.cursor, parameters.limit, caller)


@router.get(
    "/api/feeds",
    tags=["feeds"],
    summary="Feeds, newest first",
    dependencies=_only(FeedParameters),
)
async def feeds(parameters: Annotated[FeedParameters, Query()], records: Records, caller: Caller) -> Page[FeedView]:
    """Feeds that a worker has taken up. One that still waits is found by its id."""
    return await records.feeds(parameters.chosen(), parameters.cursor, parameters.limit, caller)


@router.get(
    "/api/feeds/{feed_id}",
    tags=["feeds"],
    summary="One feed: status, counts, times",
    dependencies=[Depends(no_query_parameters)],
)
async def feed(feed_id: UUID, records: Records, caller: Caller) -> FeedView:
    """Known from the moment the upload was answered. Accepted is not applied: only DONE means that it counts."""
    return await records.feed(feed_id, caller)


@router.get(
    "/api/feeds/{feed_id}/history",
    tags=["feeds"],
    summary="What happened to a feed, step by step",
    dependencies=_only(PageParameters),
)
async def history(
    feed_id: UUID, parameters: Annotated[PageParameters, Query()], records: Records, caller: Caller
) -> Page[HistoryEntry]:
    """In the order in which it happened, with who or what did it. A feed that still waits has only been received."""
    return await records.history(feed_id, parameters.cursor, parameters.limit, caller)


@router.get(
    "/api/feeds/{feed_id}/report",
    tags=["feeds"],
    summary="The report on a finished feed",
    dependencies=[Depends(no_query_parameters)],
    responses={200: {"model": FeedReport}},
)
async def report(feed_id: UUID, downloads: Handed, caller: Caller) -> Response:
    """All counts, every code with its number of rows, and the first issues with line, field and message.

    409 with `Retry-After` until the feed has ended for the first time; 404 once the report is no longer kept.
    """
    found = await downloads.results.report(feed_id, caller)
    if isinstance(found, FeedReport):
        return JSONResponse(found.model_dump(mode="json"))
    return DownloadResponse(found, "application/json", seconds=downloads.seconds)


@router.get(
    "/api/feeds/{feed_id}/rejected",
    tags=["feeds"],
    summary="The rejected rows of a finished feed, to be fixed and sent again",
    dependencies=[Depends(no_query_parameters)],
    response_class=StreamingResponse,
    responses=_CSV,
)
async def rejected(feed_id: UUID, downloads: Handed, caller: Caller) -> Response:
    """Every rejected row, complete, as CSV. Fix it and upload it with `corrects` naming this feed.

    404 `no-rejected-rows` if there are none; 409 with `Retry-After` until the feed has ended for the first time.
    """
    found, file_name = await downloads.results.rejected_rows(feed_id, caller)
    headers = {"Content-Disposition": attachment(file_name)}
    return DownloadResponse(found, "text/csv; charset=utf-8", seconds=downloads.seconds, headers=headers)


@router.post(
    "/api/queries",
    tags=["questions"],
    summary="Ask in plain language",
    dependencies=[Depends(no_query_parameters)],
)
async def queries(
    question: Annotated[
        Question,
        Body(
            openapi_examples={
                "totals": {"value": {"query": "total revenue by category in March 2026"}},
                "ranking": {"value": {"query": "top 3 products by units last month", "as_of": "2026-04-15"}},
                "average": {"value": {"query": "average price per unit for each seller since 2026-01-01"}},
            }
        ),
    ],
    questions: Questions,
    caller: Caller,
) -> Answer:
    """The answer says what was understood, which SQL was run, and which feeds it rests on.

    A question that cannot be answered without guessing is declined with 422: `reason` says why, `suggestions` what
    can be asked. Totals and averages (average price, revenue or units per transaction), by product, category,
    seller, currency, day, week, month, quarter or year, ranked, in one period, for products, categories, sellers
    and currencies that exist.
    """
    return await questions.answer(question.query, question.as_of, caller)
