"""Samples Python processes with py-spy while a benchmark runs: where the time goes, function by function."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Without holding the process still: a moment's torn stack costs less than a slower flow.
_RECORD = ("record", "--nonblocking", "--format", "raw", "--rate", "200")


@contextmanager
def sampled(processes: Mapping[str, int], directory: Path | None) -> Iterator[None]:
    """Leaves `<name>.folded` (stacks, as flame graphs take them) per process in `directory`; nothing without one."""
    if directory is None:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    program = str(Path(sys.executable).with_name("py-spy"))
    files = {name: directory / f"{name}.folded" for name in processes}
    samplers = [
        subprocess.Popen(
            [program, *_RECORD, "--output", str(files[name]), "--pid", str(pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, pid in processes.items()
    ]
    try:
        yield
    finally:
        for sampler in samplers:
            sampler.send_signal(2)  # what Ctrl-C sends: py-spy writes what it has
        for sampler in samplers:
            sampler.wait(30)
    for name, file in files.items():
        print(f"    {name}, share of its samples in a function and what that calls ({file}):")
        for frame, share in heaviest(file, 40):
            print(f"      {share:5.1%} {frame}")


def heaviest(folded: Path, most: int) -> list[tuple[str, float]]:
    """The frames that are on most stacks, each with its share of all samples."""
    stacks: Counter[str] = Counter()
    total = 0
    for line in folded.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        total += int(count)
        for frame in set(stack.split(";")):
            stacks[frame] += int(count)
    return [(frame, count / total) for frame, count in stacks.most_common(most)]
