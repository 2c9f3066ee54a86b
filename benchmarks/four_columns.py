"""The commissioned four-column format: ours, every row validated, beside a plain Python split-and-sum loop.

    .venv/bin/python -m benchmarks.four_columns [--rows 1000000] [--runs 3]

The loop reads line by line, splits at commas and sums per product into integers and Decimals (what money asks for); a
second one sums into floats, which is quicker and wrong in the last cent. Each contender runs in a process of its own,
in turn. Prints rows per second of the best run of each, and the ratios.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import ReadRequest

PRODUCTS = 2_000
Totals = tuple[int, Decimal, Decimal, int]
"""Quantity, amount, revenue, rows."""


def write_feed(path: Path, rows: int) -> None:
    """No header: product name, quantity, unit price, revenue."""
    rng = random.Random(7)
    with path.open("w") as out:
        for _ in range(rows):
            product, quantity = rng.randrange(PRODUCTS), rng.randint(1, 9)
            cents = 100 + product * 7 % 9_900
            taken = quantity * cents
            out.write(
                f"Product number {product:05d},{quantity},{cents // 100}.{cents % 100:02d},"
                f"{taken // 100}.{taken % 100:02d}\n"
            )


def ours(path: Path) -> Totals:
    with (
        tempfile.TemporaryDirectory() as scratch,
        DuckDbFeedReader(Path(scratch), memory_limit_mb=400, threads=2) as reader,
    ):
        feed = reader.read(path, ReadRequest("bench", datetime.now(UTC).date()))
        groups = [group for batch in feed.contributions(10_000) for group in batch]
        assert feed.counts.rows_accepted == feed.counts.rows_received
        feed.close()
    return (
        sum(group.quantity for group in groups),
        sum((group.amount for group in groups), Decimal(0)),
        sum((group.revenue for group in groups), Decimal(0)),
        sum(group.transactions for group in groups),
    )


def loop(path: Path, money: Callable[[str], Any]) -> Totals:
    sums: dict[str, list[Any]] = {}
    with path.open() as lines:
        for line in lines:
            name, quantity, amount, revenue = line.split(",")
            one = sums.get(name)
            if one is None:
                one = sums[name] = [0, money("0"), money("0"), 0]
            one[0] += int(quantity)
            one[1] += money(amount)
            one[2] += money(revenue)
            one[3] += 1
    return (
        sum(one[0] for one in sums.values()),
        sum((Decimal(one[1]) for one in sums.values()), Decimal(0)),
        sum((Decimal(one[2]) for one in sums.values()), Decimal(0)),
        sum(one[3] for one in sums.values()),
    )


CONTENDERS: dict[str, Callable[[Path], Totals]] = {
    "ours": ours,
    "loop, Decimal": lambda path: loop(path, Decimal),
    "loop, float": lambda path: loop(path, float),
}


def run_one(name: str, path: Path) -> None:
    started, cpu = time.perf_counter(), time.process_time()
    totals = CONTENDERS[name](path)
    answer = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps(answer | {"totals": [f"{total:.2f}" for total in totals]}))


def compare(feed: Path, rows: int, runs: int) -> None:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(runs):
        for name in CONTENDERS:
            command = [sys.executable, "-m", "benchmarks.four_columns", "--one", name, str(feed)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
            result: dict[str, Any] = json.loads(answer.stdout)
            if name not in best or result["seconds"] < best[name]["seconds"]:
                best[name] = result
    assert best["ours"]["totals"] == best["loop, Decimal"]["totals"], best
    for name, result in best.items():
        ratio = best[name]["seconds"] / best["ours"]["seconds"]
        print(
            f"{name:14} {rows / result['seconds']:>11,.0f} rows/s   CPU {result['cpu']:5.2f} s   "
            f"{'' if name == 'ours' else f'ours is {ratio:.2f} × as fast'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("CONTENDER", "FEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one[0], Path(arguments.one[1]))
        return
    with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as directory:
        feed = Path(directory) / "feed.csv"
        write_feed(feed, arguments.rows)
        print(f"{arguments.rows:,} rows, {feed.stat().st_size / 1e6:.0f} MB; best of {arguments.runs}", flush=True)
        compare(feed, arguments.rows, arguments.runs)


if __name__ == "__main__":
    main()
