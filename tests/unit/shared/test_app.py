"""What every service's app has: correlation ids, problems, health."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI

from shared.runtime import health
from shared.runtime.app import build_app, current_correlation_id, no_query_parameters
from shared.runtime.health import Check
from shared.runtime.problems import NotFound
from shared.schemas.problems import PROBLEM_JSON

routes = APIRouter()


@routes.get("/id", dependencies=[Depends(no_query_parameters)])
async def _id() -> str:
    return current_correlation_id()


@routes.get("/number/{number}")
async def _number(number: int) -> int:
    if number == 0:
        raise NotFound("there is no zero", suggestions=["one"])
    return 10 // (number - 1)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    yield {}


def _client(checks: Mapping[str, Check] | None = None) -> httpx.AsyncClient:
    app = build_app(title="test", description="", lifespan=_lifespan, routers=[routes], checks=lambda: checks or {})
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_correlation_id_is_taken_over_or_minted() -> None:
    async with _client() as client:
        given = await client.get("/id", headers={"x-correlation-id": "abc-1"})
        assert (given.json(), given.headers["x-correlation-id"]) == ("abc-1", "abc-1")
        minted = await client.get("/id")
        assert minted.json() == minted.headers["x-correlation-id"] != "abc-1"


async def test_a_correlation_id_that_would_forge_a_log_line_is_replaced() -> None:
    async with _client() as client:
        answer = await client.get("/id", headers={"x-correlation-id": 'x", "level": "info'})
        assert '"' not in answer.json()


async def test_problems_have_a_stable_type_and_what_would_help() -> None:
    async with _client() as client:
        answer = await client.get("/number/0")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert answer.json()["type"] == "urn:sellersync:problem:not-found"
        assert answer.json()["suggestions"] == ["one"]
        assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


async def test_an_unforeseen_error_leaks_nothing_and_can_be_traced() -> None:
    async with _client() as client:
        answer = await client.get("/number/1", headers={"x-correlation-id": "trace-me"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert "ZeroDivision" not in answer.text
        assert answer.json()["correlation_id"] == "trace-me"


@pytest.mark.parametrize(("path", "status"), [("/number/x", 422), ("/nowhere", 404), ("/id?surprise=1", 422)])
async def test_the_frameworks_own_refusals_are_problems_too(path: str, status: int) -> None:
    async with _client() as client:
        answer = await client.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("surprise=1&b=2", "unknown query parameters: b, surprise; none are known here"),
        ("a=1&a=1", "query parameters given more than once: a; give each of them once"),
    ],
)
async def test_no_query_parameter_is_dropped_in_silence(query: str, detail: str) -> None:
    async with _client() as client:
        answer = await client.get(f"/id?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


async def test_what_is_not_valid_is_said_in_words() -> None:
    async with _client() as client:
        answer = await client.get("/number/x")
    assert answer.json()["detail"] == "path.number: must be a whole number"


async def test_ready_names_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)

    async def fine() -> None: ...

    async def broken() -> None:
        raise ConnectionRefusedError("secret-host:3306")

    async def hung() -> None:
        await asyncio.Event().wait()

    async with _client({"a": fine}) as client:
        assert (await client.get("/health/ready")).status_code == 200
    async with _client({"a": fine, "b": broken, "c": hung}) as client:
        answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["a"] == "ok"
        assert answer.json()["checks"]["b"] == "ConnectionRefusedError"
        assert "no answer" in answer.json()["checks"]["c"]
        assert "secret-host" not in answer.text
        assert (await client.get("/health/live")).status_code == 200
