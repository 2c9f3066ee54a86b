"""The whole thing on one machine: a data plane, a migrated database and the four services on the foundations."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.aws_access import AwsAccess
from deploy.local.child_process import Child, base_environment
from deploy.local.data_plane import DataPlane, deploy_data_plane_now
from deploy.local.database_server import DatabaseAccess
from deploy.local.errors import LocalStackError
from deploy.local.foundations import ROOT, Foundations
from deploy.local.network_ports import LOOPBACK, free_port
from deploy.local.service_environments import SERVICES, service_settings
from deploy.local.terminal import Progress

_MIGRATE_SECONDS = 120.0
_READY_SECONDS = 60.0
_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StackPlan:
    """`name` becomes the stage of the data plane and part of the database's name, unless that is given.

    Absent ports are free ones. `developer`: the environment of which a few settings reach the services.
    `overrides`: per service, further environment variables.
    """

    name: str = "local"
    ports: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    developer: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    database: str | None = None


def migrate(database_url: str, log_path: Path) -> None:
    """Bring the schema up to date, as the deployments do it. Raises LocalStackError with the end of the log."""
    child = Child(
        "migration",
        [sys.executable, "-m", "services.aggregator.migrate"],
        environment=base_environment() | {"DATABASE_URL": database_url},
        log_path=log_path,
        cwd=ROOT,
    )
    child.start()
    try:
        code = child.wait(_MIGRATE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        raise LocalStackError(f"the migration took longer than {_MIGRATE_SECONDS:.0f} s; see {log_path}") from None
    if code != 0:
        raise LocalStackError(f"the migration failed; the end of {log_path}:\n{child.tail()}")


class Stack:
    """Starts everything on foundations that are already up, and stops it again without touching them."""

    def __init__(self, foundations: Foundations, plan: StackPlan, progress: Progress) -> None:
        self._foundations = foundations
        self._plan = plan
        self._progress = progress
        self._plane: DataPlane | None = None
        self._database: DatabaseAccess | None = None
        self._services: dict[str, Child] = {}
        self._ports = {service: plan.ports.get(service) or free_port() for service in SERVICES}

    @property
    def aws(self) -> AwsAccess:
        return self._foundations.aws

    @property
    def plane(self) -> DataPlane:
        if self._plane is None:
            raise RuntimeError("the stack has not been started")
        return self._plane

    @property
    def database(self) -> DatabaseAccess:
        if self._database is None:
            raise RuntimeError("the stack has not been started")
        return self._database

    def url(self, service: str) -> str:
        """A service's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._ports[service]}"

    def child(self, service: str) -> Child:
        return self._services[service]

    def children(self) -> list[Child]:
        return list(self._services.values())

    def start(self, on_started: Callable[[], None] = lambda: None) -> None:
        """Returns when all are ready. `on_started` is called once their processes exist."""
        self._plane = deploy_data_plane_now(self.aws, self._plan.name, self._plan.parameters)
        self._progress.say("data plane", f"deployed as sellersync-{self._plan.name}")
        foundation = self._foundations.database
        self._database = foundation.provision(self._plan.database or f"sellersync_{self._plan.name}")
        if not foundation.may_administer:
            self._progress.say("database", "its login may not create users: the query service gets the same one")
        migrate(str(self.database.read_write), self._logs / "migration.log")
        self._progress.say("database", "migrated")
        for service in SERVICES:
            self._services[service] = self._make_child(service)
            self._services[service].start()
        on_started()
        for service in SERVICES:
            self.wait_until_ready(service)
            self._progress.say(service, f"ready at {self.url(service)}")

    def stop(self) -> None:
        """Ask all in reverse order, then wait for each within its grace period."""
        running = [self._services[service] for service in reversed(SERVICES) if service in self._services]
        for child in running:
            child.ask_to_stop()
        for child in running:
            child.stop()

    def start_service(self, service: str) -> None:
        """Start one again after `kill_service` or `stop_service`, on its old port, and wait until it is ready."""
        self._services[service].start()
        self.wait_until_ready(service)

    def stop_service(self, service: str) -> None:
        self._services[service].stop()

    def kill_service(self, service: str) -> None:
        """SIGKILL, as a crash would."""
        self._services[service].kill()

    def wait_until_ready(self, service: str) -> None:
        self._services[service].wait_until("ready", lambda: _is_ready(self.url(service)), _READY_SECONDS)

    def settings(self, service: str) -> dict[str, str]:
        """The environment variables that the service is started with, beside what every program needs."""
        own = service_settings(
            service,
            port=self._ports[service],
            aws=self.aws,
            plane=self.plane,
            database=self.database,
            work=self._foundations.plan.state / "work",
            developer=self._plan.developer,
        )
        if service == "ingest":
            # Without the single entrance, a feed's status is at another port than its upload.
            own["PUBLIC_BASE_URL"] = self.url("query")
        return own | dict(self._plan.overrides.get(service, {}))

    @property
    def _logs(self) -> Path:
        return self._foundations.plan.logs

    def _make_child(self, service: str) -> Child:
        settings = self.settings(service)
        if "WORK_DIR" in settings:
            Path(settings["WORK_DIR"]).mkdir(parents=True, exist_ok=True)
        return Child(
            service,
            [sys.executable, "-m", f"services.{service}"],
            environment=base_environment() | settings,
            log_path=self._logs / f"{service}.log",
            cwd=ROOT,
            grace_seconds=_GRACE_SECONDS,
        )


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
