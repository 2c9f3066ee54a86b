"""A private MariaDB: its own data directory, socket and port; a server that was already there is never touched."""

import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.child_process import Child, base_environment
from deploy.local.database_server import DatabaseServer, DatabaseUrl
from deploy.local.errors import LocalStackError, ProgramMissing
from deploy.local.network_ports import LOOPBACK, free_port
from deploy.local.terminal import Progress

DEBIAN_PACKAGES = ("mariadb-server-core", "mariadb-client-core")
INSTALL_HINT = (
    "MariaDB is missing: install it (Debian and Ubuntu: apt-get install mariadb-server-core mariadb-client-core; "
    "macOS: brew install mariadb) or set DATABASE_URL=mysql://user:password@host:port/database"
)
# Debian keeps servers where an ordinary user's PATH does not look.
_MORE_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/libexec")
_SOCKET_PATH_BYTES = 107
_ADMIN = "sellersync_admin"
_START_SECONDS = 60.0
_INSTALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class MariaDbPrograms:
    """Where the server and its installer of system tables are."""

    server: str
    install_db: str


def find_programs() -> MariaDbPrograms | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_DIRECTORIES])
    server = shutil.which("mariadbd", path=path)
    install_db = shutil.which("mariadb-install-db", path=path)
    return MariaDbPrograms(server, install_db) if server and install_db else None


def provide_programs(log_path: Path, progress: Progress) -> MariaDbPrograms:
    """Find them, else install Debian's two core packages (no service is set up by these). Raises ProgramMissing."""
    if found := find_programs():
        return found
    as_root = _root_prefix()
    if as_root is None or not shutil.which("apt-get"):
        raise ProgramMissing(INSTALL_HINT)
    progress.say("mariadb", f"installing {' and '.join(DEBIAN_PACKAGES)} (about 20 MB)")
    environment = {**base_environment(), "DEBIAN_FRONTEND": "noninteractive"}
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES]):
            # A failed update is no reason to stop: the lists that are there may do.
            subprocess.run(
                [*as_root, "apt-get", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
    if found := find_programs():
        return found
    raise ProgramMissing(f"{INSTALL_HINT} (apt-get could not: see {log_path})")


def _root_prefix() -> list[str] | None:
    """What to put before a command that needs root; None if there is no way that asks no question."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


class MariaDb:
    """One server process on a free port of the loopback interface. Data stays in `directory` from start to start."""

    def __init__(self, directory: Path, log_path: Path, programs: MariaDbPrograms) -> None:
        self._directory = directory
        self._log_path = log_path
        self._programs = programs
        self.child: Child | None = None
        self._socket_directory: str | None = None

    def start(self, progress: Progress) -> DatabaseServer:
        """Create the data directory if there is none, start, wait for the first answer. A crash is recovered from."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            progress.say("mariadb", f"creating a private data directory in {self._directory}")
            self._create_data()
        port = free_port()
        child = self.child = Child(
            "mariadb",
            [
                self._programs.server,
                "--no-defaults",
                *self._as_user(),
                f"--datadir={self._data}",
                f"--socket={self._socket()}",
                f"--pid-file={self._directory}/pid",
                f"--tmpdir={self._directory}",
                f"--bind-address={LOOPBACK}",
                f"--port={port}",
                "--skip-name-resolve",
                "--local-infile=1",
                "--character-set-server=utf8mb4",
                "--default-time-zone=+00:00",
                "--innodb-buffer-pool-size=256M",
                "--max-connections=300",
            ],
            environment=base_environment(),
            log_path=self._log_path,
            cwd=self._directory,
        )
        child.start()
        password = self._password_file.read_text()
        server = DatabaseServer(DatabaseUrl(_ADMIN, password, LOOPBACK, port))
        child.wait_until("answering", server.is_answering, _START_SECONDS)
        progress.say("mariadb", f"answers on port {port}")
        return server

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _password_file(self) -> Path:
        return self._directory / "admin-password"

    def _socket(self) -> str:
        """In the directory, unless that is deeper than a socket's path may be long (107 characters)."""
        path = str(self._directory / "socket")
        if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
            return path
        if self._socket_directory is None:
            self._socket_directory = tempfile.mkdtemp(prefix="sellersync-db-")
        return f"{self._socket_directory}/socket"

    @staticmethod
    def _as_user() -> list[str]:
        # As root, the server refuses to start unless told whose rights to use.
        return [f"--user={getpass.getuser()}"] if os.geteuid() == 0 else []

    def _create_data(self) -> None:
        """Made aside and moved into place, so that an interrupted creation leaves nothing half-made."""
        fresh = self._directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(password)
        with tempfile.NamedTemporaryFile("w", suffix=".sql", dir=self._directory) as grants:
            grants.write(
                "FLUSH PRIVILEGES;\n"  # the installer runs without grants, and then CREATE USER is refused
                f"CREATE USER '{_ADMIN}'@'%' IDENTIFIED BY '{password}';\n"
                f"GRANT ALL PRIVILEGES ON *.* TO '{_ADMIN}'@'%' WITH GRANT OPTION;\n"
            )
            grants.flush()
            made = subprocess.run(
                [
                    self._programs.install_db,
                    "--no-defaults",
                    *self._as_user(),
                    f"--datadir={fresh}",
                    "--auth-root-authentication-method=socket",
                    "--skip-test-db",
                    "--skip-name-resolve",
                    f"--extra-file={grants.name}",
                ],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        if made.returncode != 0:
            raise LocalStackError(f"mariadb-install-db failed:\n{made.stdout[-2000:]}{made.stderr[-2000:]}")
        fresh.rename(self._data)
