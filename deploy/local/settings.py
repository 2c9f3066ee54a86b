"""What a developer can set for `make run`: in the environment, on make's command line, or in .env."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.database_server import DatabaseUrl
from deploy.local.service_environments import SERVICES


class LocalSettings(BaseSettings):
    """Names are the field names in capitals; .env.example lists them."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    ingest_port: int = Field(default=8001, ge=1, le=65_535)
    aggregator_port: int = Field(default=8002, ge=1, le=65_535)
    query_port: int = Field(default=8003, ge=1, le=65_535)
    notifier_port: int = Field(default=8004, ge=1, le=65_535)
    emulator_port: int = Field(default=4566, ge=1, le=65_535)
    database_url: str | None = None
    sample: bool = True
    """`SAMPLE=no` starts without the sample feed."""

    @property
    def database_name(self) -> str | None:
        """The database that DATABASE_URL names, if it does."""
        return (DatabaseUrl.parse(self.database_url).database or None) if self.database_url else None

    def service_ports(self) -> dict[str, int]:
        return {service: getattr(self, f"{service}_port") for service in SERVICES}

    def variables_of_ports(self) -> dict[str, int]:
        """Environment variable -> port, of everything that listens on a port the developer can choose."""
        services = {f"{service.upper()}_PORT": port for service, port in self.service_ports().items()}
        return {**services, "EMULATOR_PORT": self.emulator_port}


def load_dotenv(path: Path) -> None:
    """Put what .env says into the environment; what is set there already wins. An empty value says nothing."""
    for name, value in dotenv_values(path).items():
        if value and not os.environ.get(name):
            os.environ[name] = value
