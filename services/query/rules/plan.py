"""What a question can be read as: a closed vocabulary of measures, dimensions, filters, one period, one ranking.

A plan holds names and dates only, never SQL. Whoever writes it, rules or a model, it is compiled by the same code.
"""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from shared.schemas.base import Contract

EARLIEST_DAY = date(1970, 1, 1)
MOST_PLACES = 1000


class Metric(StrEnum):
    """What is measured. Ratios are ratios of sums, never averages of averages."""

    QUANTITY = "quantity"
    AMOUNT = "amount"
    REVENUE = "revenue"
    TRANSACTIONS = "transactions"
    AVERAGE_PRICE = "average_price"
    REVENUE_PER_TRANSACTION = "revenue_per_transaction"
    UNITS_PER_TRANSACTION = "units_per_transaction"
    PRODUCTS = "products"
    SELLERS = "sellers"

    @property
    def is_money(self) -> bool:
        """Money of several currencies is never added up."""
        return self in _MONEY

    @property
    def ratio_of(self) -> tuple["Metric", "Metric"] | None:
        """The two sums that it is a ratio of."""
        return _RATIOS.get(self)


_MONEY = frozenset({Metric.AMOUNT, Metric.REVENUE, Metric.AVERAGE_PRICE, Metric.REVENUE_PER_TRANSACTION})
_RATIOS = {
    Metric.AVERAGE_PRICE: (Metric.REVENUE, Metric.QUANTITY),
    Metric.REVENUE_PER_TRANSACTION: (Metric.REVENUE, Metric.TRANSACTIONS),
    Metric.UNITS_PER_TRANSACTION: (Metric.QUANTITY, Metric.TRANSACTIONS),
}


class Dimension(StrEnum):
    """What it is measured by. Periods are named by their first day."""

    PRODUCT = "product"
    CATEGORY = "category"
    SELLER = "seller"
    CURRENCY = "currency"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def is_time(self) -> bool:
        return self in _TIME


_TIME = frozenset({Dimension.DAY, Dimension.WEEK, Dimension.MONTH, Dimension.QUARTER, Dimension.YEAR})


class Direction(StrEnum):
    """Which end of an order comes first."""

    HIGHEST = "highest"
    LOWEST = "lowest"


class ValueFilter(Contract):
    """Only sales whose dimension has one of these values; a product's value is its name or its id."""

    dimension: Dimension
    values: list[str] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _not_a_time(self) -> Self:
        if self.dimension.is_time:
            raise ValueError("a period is given by its dates, not as a filter")
        return self


class Period(Contract):
    """Days, both included; an open end is null. `phrase` is the part of the question that it was read from."""

    start: date | None = None
    end: date | None = None
    phrase: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is None and self.end is None:
            raise ValueError("a period needs a first or a last day")
        if any(day is not None and day < EARLIEST_DAY for day in (self.start, self.end)):
            raise ValueError(f"a period cannot begin or end before {EARLIEST_DAY}")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError("a period cannot end before it begins")
        return self


class Ranking(Contract):
    """The order of the answer, and how many places of it are wanted (null: all). Ties share a place.

    Places are counted within each currency where money is involved, and within each value of `within`.
    """

    metric: Metric
    direction: Direction = Direction.HIGHEST
    places: int | None = Field(default=None, ge=1, le=MOST_PLACES)
    within: list[Dimension] = Field(default_factory=list, max_length=3)


class Plan(Contract):
    """A question, understood."""

    metrics: list[Metric] = Field(min_length=1, max_length=9)
    dimensions: list[Dimension] = Field(default_factory=list, max_length=4)
    filters: list[ValueFilter] = Field(default_factory=list, max_length=4)
    period: Period | None = None
    ranking: Ranking | None = None
    assumptions: list[str] = Field(default_factory=list, max_length=10)
    """What was settled by a stated rule rather than by the question's own words."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.metrics)) != len(self.metrics) or len(set(self.dimensions)) != len(self.dimensions):
            raise ValueError("a measure or a dimension is named twice")
        filtered = [chosen.dimension for chosen in self.filters]
        if len(set(filtered)) != len(filtered):
            raise ValueError("a dimension is filtered twice")
        if self.ranking is not None:
            self._check_ranking(self.ranking)
        return self

    def _check_ranking(self, ranking: Ranking) -> None:
        if ranking.metric not in self.metrics:
            raise ValueError("the ranking's measure is not among the measures")
        if not set(ranking.within) <= set(self.dimensions):
            raise ValueError("the ranking is within a dimension that is not among the dimensions")
        ranked = set(self.dimensions) - set(ranking.within)
        if self.measures_money:
            # Money of one currency is not more or less than money of another.
            ranked -= {Dimension.CURRENCY}
        if ranking.places is not None and not ranked:
            raise ValueError("there is nothing to rank")

    @property
    def measures_money(self) -> bool:
        return any(metric.is_money for metric in self.metrics)

    @property
    def groups(self) -> list[Dimension]:
        """The dimensions, and the currency wherever money is measured."""
        if self.measures_money and Dimension.CURRENCY not in self.dimensions:
            return [*self.dimensions, Dimension.CURRENCY]
        return list(self.dimensions)
