"""Local disk for feeds in work, and nothing left behind by processes that were killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "aggregator-"
_LOCK = "in-use"


@contextmanager
def work_dir(parent: Path | None) -> Iterator[Path]:
    """A directory of this process's own under `parent`; those of dead processes are removed first.

    A process holds a lock on a file in its directory: the kernel lets go of it however the process ends.
    """
    root = parent or Path(tempfile.gettempdir()) / "sellersync"
    root.mkdir(parents=True, exist_ok=True)
    # Under the root's lock, so that nobody sweeps a directory whose owner has not locked it yet.
    with _locked(root / _LOCK):
        _sweep(root)
        own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        in_use = _open_lock(own / _LOCK)
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        yield own
    finally:
        os.close(in_use)
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _sweep(root: Path) -> None:
    for left in root.glob(f"{_PREFIX}*"):
        # BlockingIOError: its process lives.
        with suppress(OSError):
            lock = _open_lock(left / _LOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
