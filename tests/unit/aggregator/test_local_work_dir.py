"""Local disk: a directory per process, and nothing left behind by the dead."""

import subprocess
import sys
from pathlib import Path

from services.aggregator.adapters.local_work_dir import work_dir

_HOLD = """
import sys, pathlib
from services.aggregator.adapters.local_work_dir import work_dir
with work_dir(pathlib.Path(sys.argv[1])) as own:
    (own / "raw").write_bytes(b"x")
    print(own, flush=True)
    sys.stdin.read()
"""


def hold(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    """Another process with a directory under `parent`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_directory_is_removed_at_the_end(tmp_path: Path) -> None:
    with work_dir(tmp_path / "work") as own:
        (own / "raw").write_bytes(b"x")
    assert not own.exists()


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path: Path) -> None:
    dying, left = hold(tmp_path)
    living, held = hold(tmp_path)
    end(dying)
    try:
        assert (left / "raw").exists()
        with work_dir(tmp_path) as own:
            assert not left.exists()
            assert (held / "raw").exists()
            assert own not in (left, held)
    finally:
        end(living)
