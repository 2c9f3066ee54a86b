"""Memory that does not grow with the feed, feeds read side by side, and nothing left behind."""

import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import pytest

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.errors import UnreadableFeed
from services.aggregator.ports import ReadRequest
from tests.unit.aggregator.feed_readings import Reading, read_path

ROOT = Path(__file__).parents[3]
PEAK = """
import sys
from datetime import date
from pathlib import Path
from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import ReadRequest

def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))

work, *feeds = map(Path, sys.argv[1:])
with DuckDbFeedReader(work, memory_limit_mb=100, threads=2) as reader:
    for path in feeds:
        feed = reader.read(path, ReadRequest("s", date(2026, 3, 4)))
        accepted = feed.counts.rows_accepted
        groups = sum(len(batch) for batch in feed.contributions(1000))
        issues = len(feed.first_issues(100))
        feed.close()
        print(accepted, groups, issues, peak())
"""


def _large(path: Path, rows: int) -> None:
    """Every row a group and a transaction of its own, with a quoted name; every tenth is rejected."""
    with path.open("w") as out:
        out.write("transaction_id,product_name,quantity,amount\n")
        out.writelines(
            f't{n},"Product, number {n} {"x" * 60}",{"x" if n % 10 == 0 else n % 7 + 1},{n % 100}.25\n'
            for n in range(rows)
        )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_feed_larger_than_the_memory_limit_is_read_within_it(tmp_path: Path) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    _large(small, 20_000)
    _large(large, 800_000)
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "work"), str(small), str(large)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (_, _, _, before), (accepted, groups, issues, after) = (map(int, line.split()) for line in run.stdout.splitlines())
    assert (accepted, groups, issues) == (720_000, 720_000, 100)
    # What DuckDB does not count towards its limit (allocator, CSV buffers) is allowed for; an unbounded reader needs
    # several times this for a file of 80 MB.
    assert after - before < 200_000, f"grew from {before} to {after} KiB"


def test_feeds_read_at_the_same_time_do_not_see_each_other(feed_reader: DuckDbFeedReader, tmp_path: Path) -> None:
    found: dict[int, Reading] = {}

    def read(number: int) -> None:
        path = tmp_path / f"{number}.csv"
        path.write_text(f"P{number},{number},1,{number}\nQ,x,1,1\n" * (200 * number))
        found[number] = read_path(feed_reader, path)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number in range(1, 9):
        assert found[number].counts.rows_accepted == found[number].counts.rows_rejected == 200 * number
        assert [(c.product_name, c.quantity) for c in found[number].contributions] == [(f"P{number}", 200 * number**2)]


def test_batches_are_whole_and_interleave_with_other_questions(feed_reader: DuckDbFeedReader, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("".join(f"P{n:04d},1,1,1\n" for n in range(2_500)) + "Q,x,1,1\n")
    feed = feed_reader.read(path, ReadRequest("s", date(2026, 3, 4)))
    batches = []
    for batch in feed.contributions(1_000):
        assert len(feed.first_issues(10)) == 1
        batches.append(batch)
    feed.close()
    assert [len(batch) for batch in batches] == [1_000, 1_000, 500]
    assert [c.product_name for batch in batches for c in batch] == [f"P{n:04d}" for n in range(2_500)]


def test_nothing_is_left_in_the_working_folder(tmp_path: Path) -> None:
    work = tmp_path / "work"
    path = tmp_path / "feed.csv"
    with DuckDbFeedReader(work) as reader:
        path.write_bytes(b"A,1,1,1\r\nB,1,1,1\r\n")
        feed = reader.read(path, ReadRequest("s", date(2026, 3, 4)))
        feed.close()
        path.write_bytes(b"A,1,1,1\r\n" * 100_000 + b"\xff")
        with pytest.raises(UnreadableFeed):
            reader.read(path, ReadRequest("s", date(2026, 3, 4)))
        assert [p for p in work.rglob("*") if p.is_file()] == []
    assert path.exists()
