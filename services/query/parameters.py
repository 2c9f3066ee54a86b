"""The query parameters and the body that the routes take. What is not declared here is refused (422)."""

import re
import unicodedata
from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from services.query.rules.plan import EARLIEST_DAY
from services.query.rules.records import ErrorFilter, FeedFilter, SalesFilter
from shared.schemas.base import SellerId
from shared.schemas.feeds import ProcessingStatus
from shared.schemas.pages import PAGE_DEFAULT, PAGE_MAX

CURSOR_MAX_CHARACTERS = 4_000
QUESTION_MAX_CHARACTERS = 500
LATEST_DAY = date(2199, 12, 31)

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_as_iso(value: object) -> object:
    """Without this, a number would be read as seconds since 1970, and a timestamp as its day."""
    if isinstance(value, str) and not _ISO_DAY.fullmatch(value):
        raise ValueError("a day is written as YYYY-MM-DD")
    if not isinstance(value, str | date | None):
        raise ValueError("a day is written as YYYY-MM-DD")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


def _within_reach(day: date) -> date:
    if not EARLIEST_DAY <= day <= LATEST_DAY:
        raise ValueError(f"the day must lie between {EARLIEST_DAY} and {LATEST_DAY}")
    return day


def _as_stored(name: str) -> str:
    return unicodedata.normalize("NFC", name)


Day = Annotated[date, BeforeValidator(_written_as_iso), Field(examples=["2026-03-01"])]
Category = Annotated[
    str, StringConstraints(min_length=1, max_length=128), AfterValidator(_as_stored), Field(examples=["Shirts"])
]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PageParameters(_Parameters):
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="Items per page.")
    cursor: str | None = Field(
        default=None, min_length=1, max_length=CURSOR_MAX_CHARACTERS, description="`next` of the page before this one."
    )


class SalesParameters(PageParameters):
    start_date: Day | None = Field(default=None, description="First day, included.")
    end_date: Day | None = Field(default=None, description="Last day, included.")
    product_category: Category | None = Field(default=None, description="Exactly as in the feed, case included.")
    seller_id: SellerId | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError("start_date is after end_date")
        return self

    def chosen(self, feed_id: UUID | None = None) -> SalesFilter:
        return SalesFilter(
            start_date=self.start_date,
            end_date=self.end_date,
            seller_id=self.seller_id,
            product_category=self.product_category,
            feed_id=feed_id,
        )


class TransactionParameters(SalesParameters):
    feed_id: UUID | None = Field(default=None, description="Only what this feed contributed.")


class ErrorParameters(PageParameters):
    seller_id: SellerId | None = None
    feed_id: UUID | None = None

    def chosen(self) -> ErrorFilter:
        return ErrorFilter(seller_id=self.seller_id, feed_id=self.feed_id)


class FeedParameters(PageParameters):
    seller_id: SellerId | None = None
    status: ProcessingStatus | None = Field(default=None, description="`processing_status` as shown.")

    def chosen(self) -> FeedFilter:
        return FeedFilter(seller_id=self.seller_id, status=self.status)


class Question(_Parameters):
    """A question in plain language, and the day that "last month" and the like are counted from (default: today)."""

    query: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUESTION_MAX_CHARACTERS)
    ] = Field(examples=["top 3 products by revenue in March 2026"])
    as_of: Annotated[Day, AfterValidator(_within_reach)] | None = None
