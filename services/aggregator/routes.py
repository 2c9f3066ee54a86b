"""HTTP in → one call of a flow → HTTP out."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.aggregator.change_feed import ChangeFeed
from services.aggregator.rules.callers import OPERATOR, Caller
from shared.runtime.app import no_query_parameters
from shared.runtime.problems import PROBLEM_RESPONSES
from shared.schemas.feed_changes import FeedChanged
from shared.schemas.feed_options import FeedOptions, OnError

router = APIRouter(responses=PROBLEM_RESPONSES, tags=["feeds"], dependencies=[Depends(no_query_parameters)])


class OtherOptions(BaseModel):
    """Options to read with instead of those that the object came with; null asks for the default.

    Relations to other feeds are not among them: they stay what they were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    charset: str | None = Field(default=None, examples=["cp1252"])
    date_format: str | None = Field(default=None, examples=["%d/%m/%Y"])
    decimal_separator: str | None = Field(default=None, examples=[","])
    sheet: str | None = None
    on_error: OnError | None = None
    max_rejected_percent: Decimal | None = Field(default=None, examples=["5"])

    @model_validator(mode="after")
    def _can_be_meant(self) -> "OtherOptions":
        FeedOptions.from_texts({name: text for name, text in self.overrides().items() if text is not None})
        return self

    def overrides(self) -> dict[str, str | None]:
        """What was given, in texts."""
        given = self.model_dump(mode="json", include=self.model_fields_set)
        return {name: None if value is None else str(value) for name, value in given.items()}


def caller_of(_: Request) -> Caller:
    """Who asks, and whose feeds are theirs. Callers are not authenticated yet, so every one is an operator."""
    return OPERATOR


def _changes(request: Request) -> ChangeFeed:
    changes: ChangeFeed = request.state.changes
    return changes


WhoAsks = Annotated[Caller, Depends(caller_of)]
Changes = Annotated[ChangeFeed, Depends(_changes)]


@router.delete("/api/feeds/{feed_id}", summary="Withdraw a feed: what it counts leaves the totals")
async def withdraw(feed_id: UUID, changes: Changes, caller: WhoAsks) -> FeedChanged:
    """For a DONE feed; its status stays DONE, `withdrawn_at` says that it counts no longer.

    Feeds that correct it count on, and are named: each stands by itself. A feed that it replaced does not come back.
    The same bytes may be handed in again. Withdrawing twice is withdrawing once.
    """
    return await changes.withdraw(feed_id, caller)


@router.post("/api/feeds/{feed_id}/cancel", summary="Cancel a feed that waits in the queue")
async def cancel(feed_id: UUID, changes: Changes, caller: WhoAsks) -> FeedChanged:
    """For a feed that is IN_QUEUE, also one that no worker has seen yet: it ends CANCELLED, and nothing of it counts.

    A feed that waits to be reprocessed goes back to what it was. 409 once a worker has it, or it has ended.
    """
    return await changes.cancel(feed_id, caller)


@router.post(
    "/api/feeds/{feed_id}/reprocess",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Read a feed once more, with other options if need be",
)
async def reprocess(
    feed_id: UUID, changes: Changes, caller: WhoAsks, options: Annotated[OtherOptions | None, Body()] = None
) -> FeedChanged:
    """For a feed that has ended. What it counts stays counted until the new result takes its place, in one transaction;
    if a DONE feed cannot be read anew, its earlier result stands, and an event and its history say so.

    Accepted is not applied: follow `status_url`. Asking again while it waits orders the same work again.
    """
    return await changes.reprocess(feed_id, caller, options.overrides() if options else {})
