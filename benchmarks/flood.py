"""One seller hands in 300 feeds at once; another hands in one every second: how long does the other wait?

    .venv/bin/python -m benchmarks.flood [--feeds 300] [--others 8] [--every 1.0] [--flow-alone]

Twice in one run: with turns and the overflow lane (docs/decisions/0010-one-flood-starves-nobody.md), and without
either, as a queue by itself would serve them. A wait is the time from the put of the other seller's feed until it is
stored as DONE.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from benchmarks.handed_in import HandedIn
from benchmarks.running_product import AGGREGATOR, RunningProduct, connect, running_foundations, running_product
from benchmarks.small_feeds import SmallFeed, put_all, small_feeds, wait_until_announced

WITHOUT = {"aggregator": {"SHARE_FAIRLY": "false"}}


def flood(product: RunningProduct, flood_feeds: Sequence[SmallFeed], others: Sequence[SmallFeed], every: float) -> None:
    """Hands them in and prints how long the others' feeds took."""
    feeds = [*flood_feeds, *others]
    sellers = HandedIn(product.stack.aws, product.stack.plane.uploads_bucket, [feed.key for feed in feeds])
    started = time.perf_counter()
    put_all(lambda feed: sellers.put(feed.key, feed.content), [*flood_feeds])
    put_in = time.perf_counter() - started
    for number, feed in enumerate(others):
        time.sleep(max(0.0, started + put_in + number * every - time.perf_counter()))
        sellers.put(feed.key, feed.content)
    wait_until_announced(product, len(feeds))
    everything = time.perf_counter() - started
    waits = waits_of(product, others[0].key.partition("/")[0])
    assert len(waits) == len(others)
    waited = f"{statistics.median(waits):.1f} s (median), {max(waits):.1f} s (most)"
    print(
        f"    the other's {len(waits)} feeds waited {waited}; all {len(feeds)} done after {everything:.1f} s",
        flush=True,
    )


def waits_of(product: RunningProduct, seller: str) -> list[float]:
    """Seconds from when each object was stored (known to the whole second) to when its feed was."""
    with connect(product.stack.database.read_write) as database, database.cursor() as cursor:
        cursor.execute(
            "SELECT TIMESTAMPDIFF(MICROSECOND, received_at, finished_at) / 1e6 FROM feeds"
            " WHERE seller_id = %s AND processing_status = 'DONE' ORDER BY received_at",
            (seller,),
        )
        return [float(row[0]) for row in cursor.fetchall()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--others", type=int, default=8)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--flow-alone", action="store_true", help="with a reader that does next to nothing")
    arguments = parser.parse_args()
    module = "benchmarks.flow_alone" if arguments.flow_alone else AGGREGATOR
    feeds, _ = small_feeds(arguments.feeds + arguments.others, 200, 11)
    flooding = [SmallFeed(f"flooder/{number}.csv", feed.content) for number, feed in enumerate(feeds)]
    others = [SmallFeed(f"other/{number}.csv", feed.content) for number, feed in enumerate(feeds[arguments.feeds :])]
    with running_foundations() as foundations:
        for name, title, overrides in (("without", "without turns", WITHOUT), ("turns", "with turns", {})):
            print(f"{title}: {arguments.feeds} feeds of one seller, then {len(others)} of another", flush=True)
            with running_product(foundations, f"flood{name}", overrides=overrides, module=module) as product:
                flood(product, flooding[: arguments.feeds], others, arguments.every)


if __name__ == "__main__":
    main()
