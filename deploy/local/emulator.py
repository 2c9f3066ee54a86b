"""AWS on this machine: ministack, in its own isolated tool environment, with its state on disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx

from deploy.local.aws_access import REGION, AwsAccess
from deploy.local.child_process import Child, base_environment
from deploy.local.errors import ProgramMissing
from deploy.local.network_ports import LOOPBACK
from deploy.local.terminal import Progress

MINISTACK = "ministack==1.5.33"
_START_SECONDS = 60.0
_INSTALL_SECONDS = 600.0
_NOWHERE = "unix:///nonexistent/docker.sock"


def find_uv() -> str:
    """UV as the Makefile (or uv itself) exports it, else from PATH, else where the Makefile puts it."""
    ours = Path(__file__).parents[2] / ".local" / "uv" / "bin"
    uv = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=ours)
    if not uv:
        raise ProgramMissing("uv is missing: use `make run`, which provides it, or put uv on PATH")
    return uv


def provide_ministack(tools: Path, progress: Progress) -> Path:
    """The program's path; installed below `tools` once, because it needs another botocore than the services do."""
    home = tools / MINISTACK.replace("==", "-")
    program = home / "bin" / "ministack"
    if program.exists():
        return program
    progress.say("emulator", f"installing {MINISTACK}")
    environment = base_environment() | {
        "UV_TOOL_DIR": str(home / "tools"),
        "UV_TOOL_BIN_DIR": str(home / "bin"),
        "UV_PYTHON_DOWNLOADS": "never",
        **{name: value for name, value in os.environ.items() if name.startswith("UV_INDEX")},
    }
    installed = subprocess.run(
        [find_uv(), "tool", "install", "--force", "--quiet", "--python", sys.executable, MINISTACK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if installed.returncode != 0 or not program.exists():
        raise ProgramMissing(f"{MINISTACK} cannot be installed:\n{installed.stderr.strip()}")
    return program


class Emulator:
    """One ministack process. It writes its state when it stops cleanly, and only then."""

    def __init__(self, program: Path, directory: Path, log_path: Path, port: int) -> None:
        self._directory = directory
        self._port = port
        self.access = AwsAccess(endpoint_url=f"http://{LOOPBACK}:{port}")
        self.child = Child(
            "emulator",
            [str(program)],
            environment=base_environment() | self._settings(),
            log_path=log_path,
            cwd=directory,
            grace_seconds=60.0,
        )

    def _settings(self) -> dict[str, str]:
        return {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._directory / "s3"),
            "TMPDIR": str(self._directory),
            # What nobody here uses and would listen on further ports, or reach for the machine's containers.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": _NOWHERE,
            **self.access.environment(),
        }

    def start(self, progress: Progress) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.child.start()
        self.child.wait_until("answering", self._is_healthy, _START_SECONDS)
        progress.say("emulator", f"answers at {self.access.endpoint_url}")

    def stop(self) -> None:
        self.child.stop()

    def _is_healthy(self) -> bool:
        try:
            answer = httpx.get(f"{self.access.endpoint_url}/_ministack/health", timeout=2.0)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
