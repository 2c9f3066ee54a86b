"""`kill -9` of the aggregator while it works on a million rows, on the whole stack, and a restart."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from deploy.local.stack import Stack
from shared.schemas.feeds import Counts, FeedView, ProcessingStatus
from tests.e2e.conftest import inbox, product, seller
from tests.e2e.product import Inbox, Product, eventually

__all__ = ["inbox", "product", "seller"]

ROWS = 1_000_000
PRODUCTS = 2_000
SECONDS = "6"
"""Of lease, commit and visibility: what a test can wait for."""


@pytest.fixture
def impatient(stack: Stack) -> Iterator[Stack]:
    """The stack, whose aggregator comes back to a dead worker's feed within seconds."""
    child = stack.child("aggregator")
    usual = dict(child.environment)
    stack.stop_service("aggregator")
    child.environment.update(LEASE_SECONDS=SECONDS, VISIBILITY_SECONDS=SECONDS, COMMIT_SECONDS=SECONDS)
    stack.start_service("aggregator")
    try:
        yield stack
    finally:
        stack.stop_service("aggregator")
        child.environment.update(usual)
        stack.start_service("aggregator")


@pytest.mark.timeout(300)
def test_a_feed_whose_worker_was_killed_is_counted_logged_and_told_once(
    impatient: Stack, product: Product, seller: str, inbox: Inbox
) -> None:
    rows = "".join(f"product {number % PRODUCTS},1,2.50,2.50\n" for number in range(ROWS - 2))
    accepted = product.upload(f"{rows}broken,x,1,1\nbroken,,1,1\n".encode(), "million.csv", seller_id=seller)
    path = f"/api/feeds/{accepted.feed_id}"

    def in_work() -> FeedView | None:
        feed = FeedView.model_validate(product.get(path))
        return feed if feed.processing_status is ProcessingStatus.IN_PROGRESS else None

    eventually(in_work, "the feed in progress")
    impatient.kill_service("aggregator")
    assert not FeedView.model_validate(product.get(path)).processing_status.is_terminal, "killed too late to prove much"
    assert product.all("/api/transactions", seller_id=seller) == [], "nothing counts before everything does"

    impatient.start_service("aggregator")

    def finished() -> FeedView | None:
        feed = FeedView.model_validate(product.get(path))
        return feed if feed.processing_status.is_terminal else None

    feed = eventually(finished, "the feed finished after the restart", within=120)
    assert feed.processing_status is ProcessingStatus.DONE
    assert feed.counts == Counts(rows_received=ROWS, rows_accepted=ROWS - 2, rows_rejected=2)
    assert feed.attempts >= 2

    items = product.all("/api/transactions", seller_id=seller)
    assert len(items) == PRODUCTS
    assert sum(item["transactions"] for item in items) == ROWS - 2
    assert sum(Decimal(item["revenue"]) for item in items) == Decimal("2.50") * (ROWS - 2)

    inbox.about(accepted.feed_id)
    eventually(lambda: product.all_queues_done() or None, "all queues empty")
    assert len(product.log_of(accepted.feed_id)) == 1
    assert [told.feed_id for told, _ in inbox.collect()] == [accepted.feed_id]
