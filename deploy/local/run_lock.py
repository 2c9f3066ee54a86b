"""One `make run` per tree; and what an earlier one left behind when it was killed is cleared away."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.local.child_process import Child
from deploy.local.errors import AlreadyRunning

_LEFTOVER_GRACE_SECONDS = 20.0


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the tree's lock. Raises AlreadyRunning, naming the process that has it. A dead process holds no lock."""
    state.mkdir(parents=True, exist_ok=True)
    path = state / "run.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(
                f"the stack already runs in this tree (process {lock.read().strip() or 'unknown'}); stop that one first"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def record_children(state: Path, children: Sequence[Child]) -> None:
    """Remember who was started, for `clear_leftovers` of a later run."""
    known = [
        {"name": child.name, "pid": child.pid, "started": started}
        for child in children
        if child.pid and (started := _started(child.pid))
    ]
    (state / "children.json").write_text(json.dumps(known))


def clear_leftovers(state: Path) -> list[str]:
    """Stop the recorded processes that still run, the last started first; their names. Call it with the lock held."""
    path = state / "children.json"
    try:
        known = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    cleared = []
    for entry in reversed(known):
        # The number may belong to another program by now.
        if _started(entry["pid"]) == entry["started"]:
            _end(entry["pid"], entry["started"])
            cleared.append(entry["name"])
    path.unlink(missing_ok=True)
    return cleared


def _end(pid: int, started: str) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _LEFTOVER_GRACE_SECONDS
    while _started(pid) == started:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _started(pid: int) -> str:
    """When the process with this number began, which tells it from any other that had or gets the number; '' if none.

    Unlike its command line it is right from the fork on: a child that is recorded at once has not yet called exec.
    """
    if Path("/proc/self/stat").exists():
        try:
            # Field 22, counted behind the command's closing parenthesis, which may itself hold spaces.
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if state == "Z" else fields[18]
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()
