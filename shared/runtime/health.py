"""Liveness and readiness: /health/live says the process runs, /health/ready that it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""Raises if what it looks at is not usable."""

CHECK_TIMEOUT_SECONDS = 2.0


class Health(BaseModel):
    """`checks` names each dependency and says `ok` or what is wrong with it."""

    status: str
    checks: dict[str, str] = {}


def health_routes(checks: Callable[[], Mapping[str, Check]]) -> APIRouter:
    """Routes that run `checks()` at each call, all at once, each with a timeout."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", summary="The process runs")
    async def live() -> Health:
        return Health(status="ok")

    @router.get("/ready", summary="Everything it needs answers", responses={503: {"model": Health}})
    async def ready(response: Response) -> Health:
        named = dict(checks())
        outcomes = await asyncio.gather(*(_outcome(name, check) for name, check in named.items()))
        results = dict(zip(named, outcomes, strict=True))
        healthy = all(outcome == "ok" for outcome in outcomes)
        response.status_code = 200 if healthy else 503
        return Health(status="ok" if healthy else "unavailable", checks=results)

    return router


async def _outcome(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS} s"
    except Exception as error:
        # The class says enough to an operator and nothing to a stranger; the log has the rest.
        log.warning("health.check_failed", check=name, error=repr(error))
        return type(error).__name__
    return "ok"
