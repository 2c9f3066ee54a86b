"""What every service's FastAPI app has: correlation ids, request logs, problems, health, metrics."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
import uuid_utils.compat as uuids
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.health import Check, health_routes
from shared.runtime.metrics import HTTP_REQUESTS, HTTP_SECONDS
from shared.runtime.problems import InvalidRequest, add_problem_handlers
from shared.schemas.base import CORRELATION_ID

log = structlog.get_logger("http")

CORRELATION_HEADER = "x-correlation-id"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]


def build_app(
    *,
    title: str,
    description: str,
    lifespan: Lifespan,
    routers: list[APIRouter],
    checks: Callable[[], Mapping[str, Check]],
) -> FastAPI:
    """An app with the routes given plus /health, /metrics and /docs. `checks` is asked at each readiness call."""
    app = FastAPI(
        title=f"sellersync {title}",
        description=description,
        version="0.1.0",
        lifespan=lifespan,
        dependencies=[Depends(_each_query_parameter_once)],
    )
    app.add_middleware(CorrelationMiddleware)
    add_problem_handlers(app)
    for router in routers:
        app.include_router(router)
    app.include_router(health_routes(checks))

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def only_query_parameters(*known: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency for one route: a query parameter that it does not know is refused, not ignored."""
    names = f"known are: {', '.join(known)}" if known else "none are known here"

    async def check(request: Request) -> None:
        if unknown := sorted(set(request.query_params) - set(known)):
            raise InvalidRequest(f"unknown query parameters: {', '.join(unknown)}; {names}")

    return check


no_query_parameters = only_query_parameters()
"""Dependency for routes without parameters."""


async def _each_query_parameter_once(request: Request) -> None:
    """Of two values one would be dropped in silence. No route takes a list."""
    names = [name for name, _ in request.query_params.multi_items()]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRequest(f"query parameters given more than once: {', '.join(repeated)}; give each of them once")


class CorrelationMiddleware:
    """Binds one correlation id per request, logs the request once, counts it. Plain ASGI: bodies stream through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = scope["correlation_id"] = _correlation_id(scope)
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (CORRELATION_HEADER.encode(), correlation_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                # The route's template, not the path: a metric's labels must stay few.
                route = getattr(scope.get("route"), "path", "unmatched")
                HTTP_REQUESTS.labels(scope["method"], route, str(status)).inc()
                HTTP_SECONDS.labels(scope["method"], route).observe(seconds)
                if not route.startswith(("/health", "/metrics")):
                    log.info(
                        "request.answered",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        milliseconds=round(seconds * 1000, 1),
                    )


def _correlation_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == CORRELATION_HEADER.encode():
            offered: str = value.decode("latin-1")
            if CORRELATION_ID.fullmatch(offered):
                return offered
    return str(uuids.uuid7())


def current_correlation_id() -> str:
    """The id bound to the request or feed in work; a new one outside of any."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(bound or uuids.uuid7())
