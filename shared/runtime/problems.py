"""Every error answer is RFC 9457 problem+json with a stable `type`."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.runtime.validation_messages import fault_in_words
from shared.schemas.problems import PROBLEM_JSON, Problem

log = structlog.get_logger(__name__)

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong",
        # Not `model=`: FastAPI would list it as application/json, which no error is.
        "content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}},
    }
}
"""For a router's `responses`: documents the shape of its errors."""


class ProblemError(Exception):
    """Raise a subclass anywhere under a route, and the caller gets the problem it names.

    A subclass's docstring is its default detail: what the caller reads.
    """

    status = 500
    slug = "internal-error"
    title = "Internal error"
    default_headers: Mapping[str, str] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        reason: str | None = None,
        suggestions: list[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or self.title).strip()
        super().__init__(self.detail)
        self.reason = reason
        self.suggestions = suggestions
        self.headers = {**self.default_headers, **(headers or {})}


class NotFound(ProblemError):
    """There is no such thing, or it is not the caller's to see."""

    status = 404
    slug = "not-found"
    title = "Not found"


class InvalidRequest(ProblemError):
    """The request is understood and cannot be meant."""

    status = 422
    slug = "invalid-request"
    title = "The request is not valid"


class Unavailable(ProblemError):
    """Something this service needs does not answer; the caller may try again."""

    status = 503
    slug = "unavailable"
    title = "Temporarily unavailable"
    default_headers: Mapping[str, str] = {"Retry-After": "5"}


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer for a problem, with the correlation id that the logs carry."""
    if problem.correlation_id is None:
        bound = structlog.contextvars.get_contextvars().get("correlation_id")
        problem = problem.model_copy(update={"correlation_id": bound})
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every exception that leaves a route into problem+json."""

    @app.exception_handler(ProblemError)
    async def _ours(_: Request, error: ProblemError) -> JSONResponse:
        problem = Problem(
            type=f"urn:sellersync:problem:{error.slug}",
            title=error.title,
            status=error.status,
            detail=error.detail,
            reason=error.reason,
            suggestions=error.suggestions,
        )
        return problem_response(problem, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        content_type = request.headers.get("content-type", "")
        faults = [fault_in_words(fault, content_type) for fault in error.errors()]
        errors = [{"field": field, "message": message} for field, message in faults]
        detail = "; ".join(f"{field}: {message}" for field, message in faults)
        return problem_response(
            Problem(
                type="urn:sellersync:problem:invalid-request",
                title=InvalidRequest.title,
                status=422,
                detail=detail,
                errors=errors,
            )
        )

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem_response(
            Problem(
                type=f"urn:sellersync:problem:http-{error.status_code}",
                title=str(error.detail),
                status=error.status_code,
            ),
            dict(error.headers) if error.headers else None,
        )

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.exception("request.failed", error=repr(error))
        return problem_response(
            Problem(
                type="urn:sellersync:problem:internal-error",
                title=ProblemError.title,
                status=500,
                # This handler runs outside our middleware, where the id is no longer bound.
                correlation_id=request.scope.get("correlation_id"),
            )
        )
