"""A 5-million-row, 400 MB feed from S3 event to committed, beside the least that could do: DuckDB and LOAD DATA.

    .venv/bin/python -m benchmarks.whole_feed [--rows 5000000] [--runs 3]

Ours: from the end of the upload until the feed is DONE, through S3, SQS, the aggregator and the one transaction; what
the download and the reading take of it is in the aggregator's log. Bare: a DuckDB `read_csv` + `GROUP BY` of the same
file from local disk, its result written as CSV and loaded with `LOAD DATA LOCAL INFILE` into a table with a primary
key, on the same server. In turn, in the same run; prints the best time of each, the ratio, and whose CPU it was.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.cpu_seconds import CpuMeter
from benchmarks.read_feed import write_feed
from benchmarks.running_product import RunningProduct, aws_client, connect, running_foundations, running_product
from deploy.local.database_server import DatabaseUrl
from deploy.local.foundations import Foundations

DEADLINE_SECONDS = 900.0

_TABLE = """CREATE TABLE bare (product_id VARCHAR(128), product_name VARCHAR(255), category VARCHAR(128),
    currency VARCHAR(3), sale_date DATE, quantity BIGINT, amount DECIMAL(38,4), revenue DECIMAL(38,4),
    transactions BIGINT, PRIMARY KEY (sale_date, product_id, product_name, category, currency))"""

_GROUPED = """COPY (SELECT product_id, product_name, category, currency, occurred_at, sum(quantity), sum(amount),
        sum(quantity * amount), count(*)
    FROM read_csv('{feed}', header=true, delim=',', columns={{'product_id': 'VARCHAR', 'product_name': 'VARCHAR',
        'category': 'VARCHAR', 'currency': 'VARCHAR', 'occurred_at': 'DATE', 'quantity': 'BIGINT',
        'amount': 'DECIMAL(18,4)'}}) GROUP BY ALL) TO '{groups}' (HEADER false, DELIMITER '\t')"""


def bare(feed: Path, database: DatabaseUrl, scratch: Path) -> float:
    """Seconds."""
    groups = scratch / "groups.tsv"
    with connect(database, local_infile=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS bare")
            cursor.execute(_TABLE)
        started = time.perf_counter()
        engine = duckdb.connect(config={"memory_limit": "400MB", "threads": 2, "temp_directory": str(scratch)})
        engine.execute(_GROUPED.format(feed=feed, groups=groups))
        with connection.cursor() as cursor:
            cursor.execute("LOAD DATA LOCAL INFILE %s INTO TABLE bare", (str(groups),))
        connection.commit()
        return time.perf_counter() - started


def ours(feed: Path, product: RunningProduct, number: int) -> tuple[float, dict[str, float]]:
    """Seconds from the end of the upload to DONE; CPU seconds per process."""
    key = f"bench-{number}/feed.csv"
    aws_client(product.stack.aws, "s3").upload_file(str(feed), product.stack.plane.uploads_bucket, key)
    started, meter = time.perf_counter(), CpuMeter(product.processes())
    until(lambda: _status(product.stack.database.read_write, key) in ("DONE", "FATAL"))
    seconds, used = time.perf_counter() - started, meter.used()
    status = _status(product.stack.database.read_write, key)
    assert status == "DONE", status
    return seconds, used


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.05)


def _status(database: DatabaseUrl, key: str) -> str | None:
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT processing_status FROM feeds WHERE object_key = %s", (key,))
        row = cursor.fetchone()
    return str(row[0]) if row else None


def compare(foundations: Foundations, feed: Path, scratch: Path, runs: int) -> None:
    best_bare, best_ours = float("inf"), float("inf")
    cpu: dict[str, float] = {}
    with running_product(foundations, "whole") as product:
        for number in range(runs):
            best_bare = min(best_bare, bare(feed, product.stack.database.read_write, scratch))
            seconds, used = ours(feed, product, number)
            if seconds < best_ours:
                best_ours, cpu = seconds, used
    print(f"bare DuckDB + LOAD DATA: {best_bare:.2f} s")
    print(f"sellersync, from event to committed: {best_ours:.2f} s = {best_ours / best_bare:.2f} × bare")
    print("    CPU: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in cpu.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as directory:
        scratch = Path(directory)
        feed = scratch / "feed.csv"
        write_feed(feed, arguments.rows, "plain")
        print(f"{arguments.rows:,} rows, {feed.stat().st_size / 1e6:.0f} MB; best of {arguments.runs}", flush=True)
        with running_foundations() as foundations:
            compare(foundations, feed, scratch, arguments.runs)


if __name__ == "__main__":
    main()
