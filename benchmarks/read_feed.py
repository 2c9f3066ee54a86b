"""Reading a feed: ours (every row validated) beside a bare DuckDB `read_csv` + `GROUP BY` of the same file.

    .venv/bin/python -m benchmarks.read_feed [--rows 1000000] [--runs 3]

Each contender runs in a process of its own, in turn, so that memory is its own and noise hits both. Prints the best
time of each, the ratio, and the peak resident memory.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import ReadRequest

PRODUCTS, DAYS = 2_000, 30


def write_feed(path: Path, rows: int) -> None:
    """A CSV with a header, about 80 bytes a row and 60,000 groups; every row is valid."""
    rng = random.Random(7)
    start = date(2026, 1, 1)
    names = [f"Product number {number:05d} of the benchmark" for number in range(PRODUCTS)]
    with path.open("w") as out:
        out.write("product_id,product_name,category,currency,occurred_at,quantity,amount\n")
        for _ in range(rows):
            product = rng.randrange(PRODUCTS)
            day = start + timedelta(days=rng.randrange(DAYS))
            cents = 100 + product * 7 % 9_900
            out.write(
                f"SKU-{product:05d},{names[product]},Category {product % 20},EUR,{day},"
                f"{rng.randint(1, 9)},{cents // 100}.{cents % 100:02d}\n"
            )


def ours(path: Path, scratch: Path) -> int:
    with DuckDbFeedReader(scratch, memory_limit_mb=400, threads=2) as reader:
        feed = reader.read(path, ReadRequest("bench", datetime.now(UTC).date()))
        groups = sum(len(batch) for batch in feed.contributions(5_000))
        if feed.counts.rows_accepted != feed.counts.rows_received:
            raise AssertionError(feed.counts)
        feed.close()
    return groups


def bare_duckdb(path: Path, scratch: Path) -> int:
    engine = duckdb.connect(config={"memory_limit": "400MB", "threads": 2, "temp_directory": str(scratch / "spill")})
    groups = engine.execute(
        """SELECT product_id, product_name, category, currency, occurred_at,
                  sum(quantity), sum(amount), sum(quantity * amount), count(*)
           FROM read_csv(?, header=true, delim=',', columns={'product_id': 'VARCHAR', 'product_name': 'VARCHAR',
               'category': 'VARCHAR', 'currency': 'VARCHAR', 'occurred_at': 'DATE', 'quantity': 'BIGINT',
               'amount': 'DECIMAL(18,4)'}) GROUP BY ALL""",
        [str(path)],
    ).fetchall()
    return len(groups)


CONTENDERS: dict[str, Callable[[Path, Path], int]] = {"ours": ours, "bare-duckdb": bare_duckdb}


def run_one(name: str, path: Path, scratch: Path) -> None:
    started = time.perf_counter()
    groups = CONTENDERS[name](path, scratch)
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "groups": groups, "peak_mb": peak_mb}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("CONTENDER", "FEED", "SCRATCH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, feed, scratch = arguments.one
        run_one(name, Path(feed), Path(scratch))
        return
    with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as directory:
        feed = Path(directory) / "feed.csv"
        write_feed(feed, arguments.rows)
        size_mb = feed.stat().st_size / 1e6
        print(f"{arguments.rows:,} rows, {size_mb:.0f} MB; best of {arguments.runs}")
        best: dict[str, dict[str, float]] = {}
        for _ in range(arguments.runs):
            for name in CONTENDERS:
                command = [sys.executable, "-m", "benchmarks.read_feed", "--one", name, str(feed), directory]
                answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
                result: dict[str, float] = json.loads(answer.stdout)
                if name not in best or result["seconds"] < best[name]["seconds"]:
                    best[name] = result
        for name, result in best.items():
            ratio = result["seconds"] / best["bare-duckdb"]["seconds"]
            print(
                f"{name:12} {result['seconds']:7.2f} s   {ratio:4.2f} × bare   "
                f"peak {result['peak_mb']:4.0f} MB   {result['groups']:,.0f} groups"
            )


if __name__ == "__main__":
    main()
