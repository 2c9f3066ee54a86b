"""One process of the stack: its own environment and log file; watched, and stopped within a grace period."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.errors import ChildDied, NotInTime

# What any program needs from the developer's environment: where things are, how to speak, whom to trust.
_INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ")
_INHERITED_PARTS = ("CERT", "CA_BUNDLE", "_PROXY", "_proxy", "SSL_")


def base_environment() -> dict[str, str]:
    """The developer's environment without what could change a service's behaviour behind its settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or any(part in name for part in _INHERITED_PARTS)
    }


class Child:
    """A child process. It leads its own session, so that Ctrl-C in the terminal reaches only the stack, which then
    stops its children in order."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        log_path: Path,
        cwd: Path,
        grace_seconds: float = 30.0,
    ) -> None:
        self.name = name
        self.environment = dict(environment)
        self.log_path = log_path
        self._argv = list(argv)
        self._cwd = cwd
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._log_mode = "wb"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before its first start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, or start it again; the log of earlier starts of this object is kept."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open(self._log_mode) as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._log_mode = "ab"

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, wait for the grace period, then SIGKILL. Quiet if it is not running."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(self._grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait(self, timeout_seconds: float) -> int:
        """Wait for its own end; the exit code. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process.wait(timeout_seconds)

    def kill(self) -> None:
        """SIGKILL, at once, to the process and to what it started."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def require_alive(self) -> None:
        """Raise ChildDied with the last lines of the log."""
        if self.alive:
            return
        code = self.exit_code
        how = f"ended with {code}" if code is None or code >= 0 else f"was ended by {signal.Signals(-code).name}"
        raise ChildDied(f"{self.name} {how}; the end of {self.log_path}:\n{self.tail()}")

    def tail(self, lines: int = 25) -> str:
        if not self.log_path.exists():
            return ""
        with self.log_path.open(errors="replace") as log:
            return "".join(f"    {line}" for line in deque(log, maxlen=lines)).rstrip()

    def wait_until(self, what: str, is_so: Callable[[], bool], timeout_seconds: float) -> None:
        """Poll `is_so`. Raise ChildDied as soon as this child is dead, NotInTime when the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            self.require_alive()
            if is_so():
                return
            if time.monotonic() > deadline:
                waited = f"{self.name} was not {what} within {timeout_seconds:.0f} s"
                raise NotInTime(f"{waited}; the end of {self.log_path}:\n{self.tail()}")
            time.sleep(0.05)
