"""Lists: one page at a time, by cursor."""

from typing import Generic, TypeVar

from pydantic import Field

from shared.schemas.base import Contract

Item = TypeVar("Item")

PAGE_DEFAULT = 100
PAGE_MAX = 1_000


class Page(Contract, Generic[Item]):
    """`next` is the cursor of the following page, null on the last."""

    items: list[Item]
    next: str | None = Field(default=None)
