"""Lists and summary over a real database: exact numbers, stable pages, only what counts."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.runtime.cursors import encode_cursor
from tests.integration.query.planted import Feed, Sale, Sum, plant, sums


async def _all(api: httpx.AsyncClient, path: str, **parameters: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await api.get(path, params=parameters | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return items


def _identity(feed: Feed, sale: Sale) -> tuple[object, ...]:
    return (
        sale.day.isoformat(),
        feed.seller_id,
        str(feed.feed_id),
        sale.product_id or None,
        sale.name,
        sale.category or None,
        sale.currency or None,
    )


def _shown_identity(record: dict[str, Any]) -> tuple[object, ...]:
    names = ("sale_date", "seller_id", "feed_id", "product_id", "product_name", "category", "currency")
    return tuple(record[name] for name in names)


def _shown_sum(item: dict[str, Any], prefix: str = "") -> Sum:
    return Sum(
        item[f"{prefix}quantity"],
        Decimal(item[f"{prefix}amount"]),
        Decimal(item[f"{prefix}revenue"]),
        item["transactions"],
    )


async def test_every_contribution_of_a_done_feed_is_a_record_with_its_exact_numbers(
    api: httpx.AsyncClient, planted: list[Feed]
) -> None:
    records = await _all(api, "/api/transactions", limit="1000")

    assert {_shown_identity(record): _shown_sum(record) for record in records} == sums(planted, _identity)
    files = {str(feed.feed_id): feed.file_name for feed in planted}
    for record in records:
        assert record["file_name"] == files[record["feed_id"]]
        assert record["revenue"].partition(".")[2].isdigit()
        assert len(record["revenue"].partition(".")[2]) == 4
        quantity = record["quantity"]
        expected = (Decimal(record["revenue"]) / quantity).quantize(Decimal("0.0001")) if quantity else None
        assert record["average_price"] == (str(expected) if expected is not None else None)


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_together_are_the_whole_list_in_order(
    api: httpx.AsyncClient, planted: list[Feed], limit: int
) -> None:
    if limit == 1:
        whole = await _all(api, "/api/transactions", limit="1000", seller_id="acme", end_date="2026-01-20")
        paged = await _all(api, "/api/transactions", limit="1", seller_id="acme", end_date="2026-01-20")
    else:
        whole = await _all(api, "/api/transactions", limit="1000")
        paged = await _all(api, "/api/transactions", limit=str(limit))
    assert paged == whole
    assert len(whole) > 5
    order = [(record["sale_date"], record["seller_id"], record["feed_id"]) for record in whole]
    assert order == sorted(order)


async def test_filters_choose_and_both_days_are_included(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    days = sorted({sale.day for feed in planted for sale in feed.sales})
    first, last = days[10], days[30]

    def chosen(feed: Feed, sale: Sale) -> tuple[object, ...] | None:
        inside = first <= sale.day <= last and feed.seller_id == "acme" and sale.category == "Shoes"
        return _identity(feed, sale) if inside else None

    records = await _all(
        api,
        "/api/transactions",
        seller_id="acme",
        product_category="Shoes",
        start_date=str(first),
        end_date=str(last),
    )

    expected = sums(planted, chosen)
    assert expected
    assert {_shown_identity(record) for record in records} == set(expected)
    of_feed = await _all(api, "/api/transactions", feed_id=str(planted[2].feed_id), limit="9")
    assert {_shown_identity(record) for record in of_feed} == {_identity(planted[2], s) for s in planted[2].sales}
    assert len(of_feed) == len(planted[2].sales)


async def test_staged_contributions_are_not_seen(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    staged = next(feed for feed in planted if feed.status != "DONE")
    assert staged.sales
    assert await _all(api, "/api/transactions", feed_id=str(staged.feed_id)) == []


async def test_summary_is_exact_per_product_and_currency_and_its_totals_cover_all_pages(
    api: httpx.AsyncClient, planted: list[Feed]
) -> None:
    products = sums(planted, lambda _, sale: (sale.product_id or None, sale.name, sale.currency or None))
    currencies = sums(planted, lambda _, sale: (sale.currency or None,))

    items = await _all(api, "/api/transactions/summary", limit="4")
    page = (await api.get("/api/transactions/summary", params={"limit": "1"})).json()

    shown = {(item["product_id"], item["product_name"], item["currency"]): _shown_sum(item, "total_") for item in items}
    assert shown == products
    assert len(items) == len(products)
    assert {(total["currency"],): _shown_sum(total, "total_") for total in page["totals"]} == currencies
    for total in page["totals"]:
        exact = Decimal(total["total_revenue"]) / total["total_quantity"]
        assert Decimal(total["average_price"]) == exact.quantize(Decimal("0.0001"))


async def test_summary_filters_apply_to_items_and_totals_alike(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    def chosen(feed: Feed, sale: Sale) -> tuple[object, ...] | None:
        inside = sale.day >= date(2026, 2, 1) and feed.seller_id == "globex" and sale.category == "Grocery"
        return (sale.currency or None,) if inside else None

    answer = await api.get(
        "/api/transactions/summary",
        params={"start_date": "2026-02-01", "seller_id": "globex", "product_category": "Grocery"},
    )

    expected = sums(planted, chosen)
    assert {(total["currency"],): _shown_sum(total, "total_") for total in answer.json()["totals"]} == expected
    assert {item["product_name"] for item in answer.json()["items"]} == {"Café Crème — 250 g"}


async def test_a_product_that_returns_cancel_out_is_listed_with_zeros(
    api: httpx.AsyncClient, migrated_database_url: str
) -> None:
    day = date(2025, 5, 5)
    sold = Feed("returner", [Sale(day, "Umbrella", 3, Decimal("30.0000"))])
    returned = Feed("returner", [Sale(day, "Umbrella", -3, Decimal("-30.0000"))])
    plant(migrated_database_url, [sold, returned])

    answer = (await api.get("/api/transactions/summary", params={"seller_id": "returner"})).json()

    assert answer["items"] == [
        {
            "product_id": None,
            "product_name": "Umbrella",
            "currency": None,
            "total_quantity": 0,
            "total_amount": "2.0000",
            "total_revenue": "0.0000",
            "average_price": None,
            "transactions": 2,
        }
    ]


async def test_numbers_beyond_a_float_stay_exact(api: httpx.AsyncClient, migrated_database_url: str) -> None:
    huge = Decimal("1234567890123456789012345678901234.5678")
    sales = [Sale(date(2025, 6, day), "Gold", 1, huge, amount=huge) for day in (1, 2)]
    plant(migrated_database_url, [Feed("goldsmith", sales)])

    records = await _all(api, "/api/transactions", seller_id="goldsmith")
    summary = (await api.get("/api/transactions/summary", params={"seller_id": "goldsmith"})).json()

    assert [record["revenue"] for record in records] == [str(huge)] * 2
    assert summary["totals"][0]["total_revenue"] == "2469135780246913578024691357802469.1356"
    assert summary["totals"][0]["average_price"] == str(huge)


async def test_paging_neither_repeats_nor_loses_records_while_others_arrive(
    api: httpx.AsyncClient, migrated_database_url: str
) -> None:
    def day(number: int) -> date:
        return date(2025, 7, number)

    early = Feed("pager", [Sale(day(n), "Lamp", 1, Decimal(n)) for n in range(2, 12)])
    plant(migrated_database_url, [early])
    first = (await api.get("/api/transactions", params={"seller_id": "pager", "limit": 4})).json()
    plant(
        migrated_database_url,
        [Feed("pager", [Sale(day(1), "Early", 1, Decimal(1)), Sale(day(20), "Late", 1, Decimal(1))])],
    )

    rest = await _all(api, "/api/transactions", seller_id="pager", limit="4", cursor=first["next"])

    names = [record["product_name"] for record in first["items"] + rest]
    assert names == ["Lamp"] * 10 + ["Late"]


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "W10",
        encode_cursor(["transactions", "2026-13-01", "acme", str(UUID(int=1)), "00" * 16]),
        encode_cursor(["transactions", "2026-01-01", "acme", str(UUID(int=1)), "00"]),
        encode_cursor(["transactions", "2026-01-01", "acme", "no feed", "00" * 16]),
        encode_cursor(["transactions", "2026-01-01", "a\x00'; DROP TABLE feeds", str(UUID(int=1)), "00" * 16]),
        encode_cursor(["summary", "Lamp", "", ""]),
        encode_cursor(["transactions", "2026-01-01", "müller", str(UUID(int=1)), "00" * 16]),
    ],
)
async def test_a_cursor_that_was_not_handed_out_is_refused(api: httpx.AsyncClient, cursor: str) -> None:
    answer = await api.get("/api/transactions", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:sellersync:problem:invalid-request"


@pytest.mark.parametrize("text", ["Ünïcødé – 价格", "x' OR '1'='1", "a%sb%(c)s", "\\"])
async def test_texts_of_any_kind_are_only_compared(api: httpx.AsyncClient, planted: list[Feed], text: str) -> None:
    answer = await api.get("/api/transactions", params={"product_category": text})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    cursor = encode_cursor(["summary", text, text, "EUR"])
    answer = await api.get("/api/transactions/summary", params={"cursor": cursor})
    assert answer.status_code == 200, answer.text


async def test_a_category_is_compared_exactly(api: httpx.AsyncClient, planted: list[Feed]) -> None:
    assert await _all(api, "/api/transactions", product_category="shoes") == []
    assert await _all(api, "/api/transactions", product_category="Shoes")


def test_the_planted_feeds_are_what_the_tests_think(planted: list[Feed]) -> None:
    assert any(sale.quantity < 0 for feed in planted for sale in feed.sales)
    assert {feed.received_at for feed in planted} > {datetime(2026, 4, 1, 12, 0, 0, 123456, tzinfo=UTC)}
