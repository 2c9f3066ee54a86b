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
        {"name": child.name, "pid": child.pid, "command": _command_line(child.pid)} for child in children if child.pid
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
        if entry["command"] and _command_line(entry["pid"]) == entry["command"]:
            _end(entry["pid"], entry["command"])
            cleared.append(entry["name"])
    path.unlink(missing_ok=True)
    return cleared


def _end(pid: int, command: str) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _LEFTOVER_GRACE_SECONDS
    while _command_line(pid) == command:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _command_line(pid: int) -> str:
    """The command of a running process; empty if there is none with that number."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()
