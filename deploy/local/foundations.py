"""What the services stand on: a database server and the emulator of AWS. Shared by stacks, and by tests without one."""

from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.aws_access import AwsAccess
from deploy.local.child_process import Child
from deploy.local.database_server import DatabaseAccess, DatabaseServer, DatabaseUrl
from deploy.local.emulator import Emulator, provide_ministack
from deploy.local.errors import DatabaseRefused
from deploy.local.mariadb import MariaDb, provide_programs
from deploy.local.network_ports import free_port
from deploy.local.terminal import Progress

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".local"
_DATABASE_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FoundationsPlan:
    """`database_url`: a server that is already there, instead of a private one. A port of 0 means a free one."""

    state: Path = STATE
    tools: Path = STATE / "tools"
    database_url: str | None = None
    emulator_port: int = 0

    @property
    def logs(self) -> Path:
        return self.state / "logs"


@dataclass
class DatabaseFoundation:
    """The server, ours or given. On a given server whose login may not create databases, its own one is used as is."""

    plan: FoundationsPlan
    progress: Progress
    private: MariaDb | None = None
    _server: DatabaseServer | None = None
    _may_administer: bool | None = None

    @property
    def server(self) -> DatabaseServer:
        if self._server is None:
            raise DatabaseRefused("the database has not been started")
        return self._server

    @property
    def may_administer(self) -> bool:
        if self._may_administer is None:
            self._may_administer = self.private is not None or self.server.may_administer()
        return self._may_administer

    def start(self) -> None:
        if self.plan.database_url:
            self._server = DatabaseServer(DatabaseUrl.parse(self.plan.database_url))
            self._server.require_answering(_DATABASE_ANSWER_SECONDS)
            self.progress.say("database", f"using {self._server.url.without_password}")
            return
        programs = provide_programs(self.plan.logs / "apt.log", self.progress)
        self.private = MariaDb(self.plan.state / "mariadb", self.plan.logs / "mariadb.log", programs)
        self._server = self.private.start(self.progress)

    def stop(self) -> None:
        if self.private is not None:
            self.private.stop()

    def provision(self, database: str) -> DatabaseAccess:
        """A database with its two users; or the given address for both, where no more is allowed."""
        if self.may_administer:
            return self.server.provision(database)
        if not self.server.url.database:
            raise DatabaseRefused("DATABASE_URL names no database, and its login may not create one")
        return DatabaseAccess(read_write=self.server.url, read_only=self.server.url)


@dataclass
class Foundations:
    """Start and stop of both, in order."""

    plan: FoundationsPlan
    progress: Progress
    database: DatabaseFoundation = field(init=False)
    _emulator: Emulator | None = None

    def __post_init__(self) -> None:
        self.database = DatabaseFoundation(self.plan, self.progress)

    def start(self) -> None:
        self.plan.state.mkdir(parents=True, exist_ok=True)
        self.database.start()
        self.start_emulator()

    def start_emulator(self) -> None:
        program = provide_ministack(self.plan.tools, self.progress)
        port = self.plan.emulator_port or free_port()
        self._emulator = Emulator(program, self.plan.state / "aws", self.plan.logs / "emulator.log", port)
        self._emulator.start(self.progress)

    @property
    def aws(self) -> AwsAccess:
        if self._emulator is None:
            raise RuntimeError("the emulator has not been started")
        return self._emulator.access

    def children(self) -> list[Child]:
        database = [self.database.private.child] if self.database.private and self.database.private.child else []
        return [*database, *([self._emulator.child] if self._emulator else [])]

    def stop(self) -> None:
        """In reverse order; the emulator first, because it writes its state only now."""
        try:
            if self._emulator is not None:
                self._emulator.stop()
        finally:
            self.database.stop()
