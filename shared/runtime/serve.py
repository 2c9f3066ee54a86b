"""Runs one service's app under uvicorn: `python -m services.<name>`."""

from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from shared.runtime.logs import configure_logs
from shared.runtime.settings import ServiceSettings


def serve(name: str, settings: ServiceSettings, create_app: Callable[[], FastAPI]) -> None:
    """Blocks until SIGTERM or SIGINT, then stops within the grace period."""
    configure_logs(name, settings.log_level, settings.log_format)
    uvicorn.run(
        create_app(),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_seconds),
    )
