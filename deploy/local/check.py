"""`make test`: the checks that run nothing, then every test. All are run, whatever failed before; 1 if any did."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.foundations import ROOT

_BIN = Path(sys.executable).parent
STATIC: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", ("ruff", "format", "--check", "--quiet", ".")),
    ("lint", ("ruff", "check", "--quiet", ".")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports", "--no-cache")),
    ("template", ("cfn-lint", "deploy/cloudformation/*.yaml")),
)
THAT_COMPUTE = ("tests/unit", "tests/flow", "tests/contract")
THAT_WAIT = ("tests/integration", "tests/faults", "tests/e2e")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--static", action="store_true", help="only the checks that run nothing")
    parser.add_argument("pytest", nargs="*", help="handed on to pytest")
    arguments = parser.parse_args()
    failed = [name for name, command in STATIC if not _passes(name, command)]
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    if arguments.static:
        return 1 if failed else 0
    # pytest's closing line stays the last one.
    tests = _run(*arguments.pytest) if arguments.pytest else _run_side_by_side()
    return 1 if failed or tests != 0 else 0


def _run(*arguments: str) -> int:
    return subprocess.run([_BIN / "pytest", "--quiet", *arguments], cwd=ROOT, check=False).returncode


def _run_side_by_side() -> int:
    """Tests that compute beside tests that wait for servers; the output of the former is shown when both are done."""
    with tempfile.TemporaryFile("w+") as told:
        command = [str(_BIN / "pytest"), "--quiet", "-p", "no:cacheprovider", *THAT_COMPUTE]
        with subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT) as computing:
            failed = [_run(*THAT_WAIT), computing.wait()]
        told.seek(0)
        print(f"\n{', '.join(THAT_COMPUTE)}:\n{told.read().rstrip()}", flush=True)
    if failed[0]:
        print(f"failed: among {', '.join(THAT_WAIT)}", flush=True)
    return max(map(abs, failed))


def _passes(name: str, command: tuple[str, ...]) -> bool:
    """Says how it went; shows the tool's output only if it found something."""
    started = time.monotonic()
    program, *arguments = command
    # The import linter reads the tree from the path.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [_BIN / program, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    fine = done.returncode == 0
    print(f"{name:<10} {'ok' if fine else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
    if not fine:
        print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)
    return fine


if __name__ == "__main__":
    sys.exit(main())
