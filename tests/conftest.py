"""Real parts for the tests: a database server, the emulator with a data plane, and the whole stack.

Each is started once per session, on free ports, with its own state in a temporary directory, and only if a test asks:

    database_url            module    an empty database of its own, `mysql://user:password@host:port/database`
    database                module    the same with its SELECT-only user beside it (DatabaseAccess)
    migrated_database_url   module    likewise, with the schema in place
    migrated_database       module
    emulator                module    AWS on this machine, with a data plane of the module's own (EmulatedAws)
    stack                   session   everything, four services included; shared, so tests use their own seller ids

`DATABASE_URL` in the environment names a server to use instead of a private MariaDB.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.aws_access import AwsAccess
from deploy.local.data_plane import DataPlane, deploy_data_plane_now
from deploy.local.database_server import DatabaseAccess
from deploy.local.foundations import STATE, DatabaseFoundation, Foundations, FoundationsPlan
from deploy.local.stack import Stack, StackPlan, migrate
from deploy.local.terminal import Silence

_LOGS_KEPT = STATE / "test-logs"
QUICK = {"aggregator": {"LEASE_SECONDS": "10", "VISIBILITY_SECONDS": "10"}, "notifier": {"VISIBILITY_SECONDS": "10"}}
"""So that what waits for a lease or for a message to come back does not wait a minute."""


@dataclass(frozen=True, slots=True)
class EmulatedAws:
    """`environment()` is what a service needs to reach it; `plane` names the buckets, queues, topics and the table."""

    access: AwsAccess
    plane: DataPlane

    @property
    def endpoint_url(self) -> str:
        return self.access.endpoint_url or ""

    @property
    def region(self) -> str:
        return self.access.region

    def environment(self) -> dict[str, str]:
        return self.access.environment()


@pytest.fixture(scope="session")
def foundations() -> Iterator[Foundations]:
    """Not started: the fixtures below start what they need of it."""
    state = Path(tempfile.mkdtemp(prefix="sellersync-tests-"))
    plan = FoundationsPlan(state=state, database_url=os.environ.get("DATABASE_URL") or None)
    made = Foundations(plan, Silence())
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(_LOGS_KEPT, ignore_errors=True)
        if plan.logs.exists():
            shutil.copytree(plan.logs, _LOGS_KEPT)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def aws_access(foundations: Foundations) -> AwsAccess:
    foundations.start_emulator()
    return foundations.aws


@pytest.fixture(scope="session")
def database_foundation(foundations: Foundations) -> DatabaseFoundation:
    database = foundations.database
    database.start()
    if not database.may_administer and database.server.tables():
        pytest.exit("DATABASE_URL names a database that is not empty, and its login may not create another one", 2)
    return database


class StackHolder:
    """The session's stack. Where only one database may be used, modules that want an empty one make it step aside."""

    def __init__(self) -> None:
        self.stack: Stack | None = None
        self._aside = False

    def step_aside(self) -> None:
        if self.stack is not None and not self._aside:
            self.stack.stop()
            self._aside = True

    def come_back(self, database: DatabaseFoundation) -> None:
        if self.stack is not None and self._aside:
            database.server.drop_tables()
            self.stack.start()
            self._aside = False


@pytest.fixture(scope="session")
def stack_holder() -> StackHolder:
    return StackHolder()


@pytest.fixture(scope="module")
def database(database_foundation: DatabaseFoundation, stack_holder: StackHolder) -> Iterator[DatabaseAccess]:
    if not database_foundation.may_administer:
        stack_holder.step_aside()
        database_foundation.server.drop_tables()
        yield database_foundation.provision("")
        database_foundation.server.drop_tables()
        return
    name = f"sellersync_t{secrets.token_hex(4)}"
    try:
        yield database_foundation.provision(name)
    finally:
        database_foundation.server.drop(name)


@pytest.fixture(scope="module")
def database_url(database: DatabaseAccess) -> str:
    return str(database.read_write)


@pytest.fixture(scope="module")
def migrated_database(database: DatabaseAccess, foundations: Foundations) -> DatabaseAccess:
    migrate(str(database.read_write), foundations.plan.logs / "migration.log")
    return database


@pytest.fixture(scope="module")
def migrated_database_url(migrated_database: DatabaseAccess) -> str:
    return str(migrated_database.read_write)


@pytest.fixture(scope="module")
def emulator(aws_access: AwsAccess) -> EmulatedAws:
    return EmulatedAws(aws_access, deploy_data_plane_now(aws_access, f"t{secrets.token_hex(4)}"))


@pytest.fixture(scope="session")
def _session_stack(
    foundations: Foundations,
    aws_access: AwsAccess,
    database_foundation: DatabaseFoundation,
    stack_holder: StackHolder,
) -> Iterator[Stack]:
    name = f"e{secrets.token_hex(4)}"
    scratch = f"sellersync_{name}"
    stack = Stack(foundations, StackPlan(name=name, database=scratch, overrides=QUICK), Silence())
    try:
        stack.start()
        stack_holder.stack = stack
        yield stack
    finally:
        stack.stop()
        if database_foundation.may_administer:
            database_foundation.server.drop(scratch)
        else:
            database_foundation.server.drop_tables()


@pytest.fixture
def stack(_session_stack: Stack, stack_holder: StackHolder, database_foundation: DatabaseFoundation) -> Stack:
    stack_holder.come_back(database_foundation)
    return _session_stack
