"""RFC 9457 problem details: the shape of every error answer."""

from pydantic import Field

from shared.schemas.base import Contract

PROBLEM_JSON = "application/problem+json"


class Problem(Contract):
    """`type` is a stable URN; `reason` and `suggestions` say what would be accepted, where that helps."""

    type: str = Field(examples=["urn:sellersync:problem:empty-file"])
    title: str
    status: int
    detail: str | None = None
    reason: str | None = None
    suggestions: list[str] | None = None
    errors: list[dict[str, str]] | None = None
    correlation_id: str | None = None
