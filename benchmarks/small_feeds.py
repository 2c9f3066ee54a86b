"""1,000 feeds of 200 rows through the whole flow, beside a plain script that takes them one by one.

    .venv/bin/python -m benchmarks.small_feeds [--feeds 1000] [--aggregators 1 2] [--seed 7]

Ours: from the first put of an object until every feed is DONE, logged in DynamoDB and announced, the putting included;
four services as processes of their own, every promise kept, totals compared with what was put. The script
(benchmarks/one_by_one.py) finds its files in the bucket already. Both use one emulator and one database server, in
the same run. Prints files per second, the ratio, and whose CPU it was.
"""

import argparse
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.cpu_seconds import CpuMeter
from benchmarks.handed_in import HandedIn
from benchmarks.one_by_one import OneByOne
from benchmarks.profile import sampled
from benchmarks.running_product import (
    AGGREGATOR,
    RunningProduct,
    aws_client,
    connect,
    running_foundations,
    running_product,
)
from deploy.local.foundations import Foundations

SELLERS, PRODUCTS = 20, 40
PUTTERS = 4
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class SmallFeed:
    key: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What all feeds together hold."""

    quantity: int
    revenue: Decimal
    transactions: int


def small_feeds(count: int, rows: int, seed: int) -> tuple[list[SmallFeed], Expected]:
    """Commissioned four-column feeds, no two alike, of twenty sellers with forty products each."""
    rng = random.Random(seed)
    feeds, quantity, revenue = [], 0, Decimal(0)
    for number in range(count):
        lines = []
        for _ in range(rows):
            product, units = rng.randrange(PRODUCTS), rng.randint(1, 9)
            price = Decimal(rng.randint(100, 9_999)) / 100
            lines.append(f"Product {product:03d},{units},{price},{units * price}\n")
            quantity += units
            revenue += units * price
        feeds.append(SmallFeed(f"seller-{number % SELLERS:02d}/feed-{number:05d}.csv", "".join(lines).encode()))
    return feeds, Expected(quantity, revenue, count * rows)


def put_all(put: Callable[[SmallFeed], object], feeds: list[SmallFeed]) -> float:
    """Seconds."""
    started = time.perf_counter()
    with ThreadPoolExecutor(PUTTERS) as threads:
        list(threads.map(put, feeds))
    return time.perf_counter() - started


def script(foundations: Foundations, feeds: list[SmallFeed], expected: Expected, *, in_batches: bool) -> float:
    """Files per second of the plain script."""
    access = foundations.database.provision("one_by_one")
    contender = OneByOne(foundations.aws, access.read_write, in_batches=in_batches)
    try:
        put_all(lambda feed: contender.put(feed.key, feed.content), feeds)
        processes = {child.name: child.pid for child in foundations.children() if child.pid}
        meter, own = CpuMeter(processes), time.process_time()
        seconds = contender.process([feed.key for feed in feeds])
        used = meter.used() | {"script": time.process_time() - own}
        assert contender.totals() == (expected.quantity, expected.revenue, expected.transactions)
    finally:
        contender.close()
        foundations.database.server.drop("one_by_one")
    report(f"plain script, rows {'by executemany' if in_batches else 'one by one'}", len(feeds), seconds, used)
    return len(feeds) / seconds


def ours(
    foundations: Foundations,
    feeds: list[SmallFeed],
    expected: Expected,
    aggregators: int,
    module: str,
    profiles: Path | None,
) -> float:
    """Files per second of the product."""
    with running_product(foundations, f"small{aggregators}", aggregators, module=module) as product:
        plane = product.stack.plane
        sellers = HandedIn(foundations.aws, plane.uploads_bucket, [feed.key for feed in feeds])
        python = {name: pid for name, pid in product.processes().items() if name != "mariadb"}
        with sampled(python, profiles):
            meter, started, own = CpuMeter(product.processes()), time.perf_counter(), time.process_time()
            putting = put_all(lambda feed: sellers.put(feed.key, feed.content), feeds)
            wait_until_announced(product, len(feeds))
            seconds, used = time.perf_counter() - started, meter.used()
            used["putting and watching"] = time.process_time() - own
        verify(product, feeds, expected)
    report(f"sellersync, {aggregators} aggregator{'s' if aggregators > 1 else ''}", len(feeds), seconds, used)
    processors = os.cpu_count() or 1
    bound = processors * len(feeds) / sum(used.values())
    print(
        f"    last object put after {putting:.1f} s; if {processors} processors did nothing else: {bound:.0f} files/s"
    )
    return len(feeds) / seconds


def wait_until_announced(product: RunningProduct, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (announced := product.announced()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{announced} of {count} feeds announced after {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.1)


def verify(product: RunningProduct, feeds: list[SmallFeed], expected: Expected) -> None:
    """Every feed DONE once, the books closed, every outcome logged and announced."""
    sums = (expected.quantity, expected.revenue, expected.transactions)
    with connect(product.stack.database.read_write) as database, database.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), SUM(processing_status = 'DONE' AND duplicate_of IS NULL) FROM feeds")
        assert cursor.fetchone() == (len(feeds), len(feeds))
        for table in ("totals", "contributions"):
            cursor.execute(f"SELECT SUM(quantity), SUM(revenue), SUM(transactions) FROM {table}")  # noqa: S608
            assert cursor.fetchone() == sums, table
        cursor.execute("SELECT COUNT(*), SUM(published_at IS NOT NULL) FROM outbox")
        assert cursor.fetchone() == (len(feeds), len(feeds))
    logged: set[str] = set()
    pages = aws_client(product.stack.aws, "dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=product.stack.plane.processing_log_table, ConsistentRead=True):
        logged |= {item["feed_id"]["S"] for item in page["Items"] if "notified_at" in item}
    assert len(logged) == len(feeds)


def report(who: str, files: int, seconds: float, cpu: dict[str, float]) -> None:
    print(f"{who}: {files:,} files in {seconds:.1f} s = {files / seconds:.1f} files/s")
    shares = ", ".join(f"{name} {used:.1f} s ({1000 * used / files:.1f} ms a file)" for name, used in cpu.items())
    print(f"    CPU: {shares}; together {sum(cpu.values()) / seconds:.2f} processors", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--aggregators", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", type=Path, metavar="DIRECTORY", help="sample the processes with py-spy")
    parser.add_argument("--flow-alone", action="store_true", help="with a reader that does next to nothing")
    parser.add_argument("--only-ours", action="store_true", help="without the scripts")
    arguments = parser.parse_args()
    module = "benchmarks.flow_alone" if arguments.flow_alone else AGGREGATOR
    feeds, expected = small_feeds(arguments.feeds, arguments.rows, arguments.seed)
    with running_foundations() as foundations:
        scripts = (
            {}
            if arguments.only_ours
            else {
                name: script(foundations, feeds, expected, in_batches=in_batches)
                for name, in_batches in (("the script", False), ("the one with executemany", True))
            }
        )
        for aggregators in arguments.aggregators:
            rate = ours(foundations, feeds, expected, aggregators, module, arguments.profile)
            for name, plain in scripts.items():
                print(f"    ratio: {rate / plain:.2f} × {name}", flush=True)


if __name__ == "__main__":
    main()
