"""Reading a feed, every row validated: ours beside a bare DuckDB `read_csv` + `GROUP BY` and pandas, on the same file.

    .venv/bin/python -m benchmarks.read_feed [--rows 5000000] [--runs 3] [--with plain ids unique faults]

    plain    60,000 groups, every row valid      ids     the same with a transaction id per row, all different
    unique   nearly every row a group of its own  faults  1 row in 100 is rejected

Each contender runs in a process of its own, in turn, so that memory is its own and noise hits all alike. Prints the
best time of each, its CPU seconds, the ratio to the bare one, and the peak resident memory. pandas needs
`uv sync --all-extras --group benchmarks`, and is left out above 10 million rows.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb

from services.aggregator.adapters.duckdb_feeds import DuckDbFeedReader
from services.aggregator.ports import ReadRequest

PRODUCTS, DAYS = 2_000, 30
SHAPES = ("plain", "ids", "unique", "faults")
PANDAS_ROWS = 10_000_000


def write_feed(path: Path, rows: int, shape: str) -> None:
    """A CSV with a header, about 80 bytes a row."""
    with path.open("w") as out:
        ids = "transaction_id," if shape == "ids" else ""
        out.write(f"{ids}product_id,product_name,category,currency,occurred_at,quantity,amount\n")
        out.writelines(_lines(rows, shape))


def _lines(rows: int, shape: str) -> Iterator[str]:
    rng = random.Random(7)
    days = [str(date(2026, 1, 1) + timedelta(days=day)) for day in range(DAYS)]
    for row in range(rows):
        product = row if shape == "unique" else rng.randrange(PRODUCTS)
        cents = 100 + product * 7 % 9_900
        quantity = "many" if shape == "faults" and row % 100 == 17 else rng.randint(1, 9)
        identity = f"T-{row:010d}," if shape == "ids" else ""
        yield (
            f"{identity}SKU-{product:05d},Product number {product:05d} of the benchmark,Category {product % 20},EUR,"
            f"{days[rng.randrange(DAYS)]},{quantity},{cents // 100}.{cents % 100:02d}\n"
        )


def ours(path: Path, scratch: Path, shape: str) -> int:
    with DuckDbFeedReader(scratch, memory_limit_mb=400, threads=2) as reader:
        feed = reader.read(path, ReadRequest("bench", datetime.now(UTC).date()))
        groups = sum(len(batch) for batch in feed.contributions(5_000))
        counts = feed.counts
        expected = counts.rows_received - (counts.rows_received + 82) // 100 * (shape == "faults")
        if counts.rows_accepted != expected:
            raise AssertionError(counts)
        feed.close()
    return groups


def bare_duckdb(path: Path, scratch: Path, shape: str) -> int:
    engine = duckdb.connect(config={"memory_limit": "400MB", "threads": 2, "temp_directory": str(scratch / "spill")})
    ids = "'transaction_id': 'VARCHAR'," if shape == "ids" else ""
    answer = engine.execute(
        f"""SELECT product_id, product_name, category, currency, occurred_at,
                  sum(quantity), sum(amount), sum(quantity * amount), count(*)
           FROM read_csv(?, header=true, delim=',', columns={{{ids} 'product_id': 'VARCHAR', 'product_name': 'VARCHAR',
               'category': 'VARCHAR', 'currency': 'VARCHAR', 'occurred_at': 'DATE', 'quantity': 'BIGINT',
               'amount': 'DECIMAL(18,4)'}}, ignore_errors={shape == "faults"}) GROUP BY ALL""",  # noqa: S608 - our own
        [str(path)],
    )
    groups = 0
    while batch := answer.fetchmany(5_000):
        groups += len(batch)
    return groups


def with_pandas(path: Path, _: Path, shape: str) -> int:
    import pandas as pd

    frame = pd.read_csv(path)
    if shape == "faults":
        frame = frame[pd.to_numeric(frame["quantity"], errors="coerce").notna()]
        frame["quantity"] = frame["quantity"].astype(int)
    if shape == "ids":
        frame = frame.drop_duplicates("transaction_id")
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"])
    frame["revenue"] = frame["quantity"] * frame["amount"]
    keys = ["product_id", "product_name", "category", "currency", "occurred_at"]
    return len(frame.groupby(keys)[["quantity", "amount", "revenue"]].sum())


CONTENDERS: dict[str, Callable[[Path, Path, str], int]] = {
    "bare-duckdb": bare_duckdb,
    "ours": ours,
    "pandas": with_pandas,
}


def run_one(name: str, path: Path, scratch: Path, shape: str) -> None:
    # Not from the start of the process: imports cost each contender the same, which would flatter the ratio.
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    groups = CONTENDERS[name](path, scratch, shape)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "groups": groups, "peak_mb": used.ru_maxrss / 1024}))


def compare(rows: int, runs: int, shape: str) -> None:
    names = [name for name in CONTENDERS if name != "pandas" or (rows <= PANDAS_ROWS and find_spec("pandas"))]
    with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as directory:
        feed = Path(directory) / "feed.csv"
        write_feed(feed, rows, shape)
        print(f"{shape}: {rows:,} rows, {feed.stat().st_size / 1e6:.0f} MB; best of {runs}", flush=True)
        best: dict[str, dict[str, float]] = {}
        for _ in range(runs):
            for name in names:
                command = [sys.executable, "-m", "benchmarks.read_feed", "--one", name, str(feed), directory, shape]
                answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1_800)
                result: dict[str, float] = json.loads(answer.stdout)
                if name not in best or result["seconds"] < best[name]["seconds"]:
                    best[name] = result
        for name, result in best.items():
            print(
                f"  {name:12} {result['seconds']:7.2f} s   {result['seconds'] / best['bare-duckdb']['seconds']:4.2f} × "
                f"bare   CPU {result['cpu']:6.2f} s ({result['cpu'] / best['bare-duckdb']['cpu']:4.2f} ×)   "
                f"peak {result['peak_mb']:4.0f} MB   {result['groups']:,.0f} groups",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--with", dest="shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, feed, scratch, shape = arguments.one
        run_one(name, Path(feed), Path(scratch), shape)
        return
    for shape in arguments.shapes:
        compare(arguments.rows, arguments.runs, shape)


if __name__ == "__main__":
    main()
