"""CPU seconds of the processes of a benchmark, from Linux's /proc: what bounds a flow is who used the processors."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(session_leader: int) -> float:
    """Of all processes in the session that `session_leader` (a pid) leads, those that it has buried included."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The program's name, in brackets, may hold blanks: what follows it is counted from there.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session_leader:
            total += sum(int(ticks) for ticks in fields[11:15]) / _TICKS
    return total


class CpuMeter:
    """Counts from its making on."""

    def __init__(self, session_leaders: Mapping[str, int]) -> None:
        self._leaders = session_leaders
        self._before = self._now()

    def used(self) -> dict[str, float]:
        """Seconds per name."""
        return {name: seconds - self._before[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._leaders.items()}
