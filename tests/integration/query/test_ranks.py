"""Ranks over a real database: ties, and ratios that differ in a late decimal."""

from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from tests.integration.query.planted import Feed, Sale, plant


async def _rows(api: httpx.AsyncClient, question: str) -> list[dict[str, Any]]:
    answer = await api.post("/api/queries", json={"query": question, "as_of": "2026-04-10"})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


async def test_those_who_tie_share_a_place_and_none_is_dropped(
    api: httpx.AsyncClient, migrated_database_url: str
) -> None:
    day = date(2024, 5, 5)
    sales = [Sale(day, name, quantity, Decimal(1)) for name, quantity in [("A", 5), ("B", 5), ("C", 9), ("D", 4)]]
    plant(migrated_database_url, [Feed("tied", sales)])
    answer = await _rows(api, "top 2 products by units in May 2024")
    shown = [(row["product_name"], row["quantity"], row["place"]) for row in answer]
    assert shown == [("C", 9, 1), ("A", 5, 2), ("B", 5, 2)]


async def test_a_ranking_by_a_ratio_agrees_with_exact_arithmetic(
    api: httpx.AsyncClient, migrated_database_url: str
) -> None:
    day = date(2024, 6, 6)
    close = [("A", 30_000_000, "10000000.0001"), ("B", 30_000_000, "10000000.0002"), ("None", 0, "5.0000")]
    plant(migrated_database_url, [Feed("ratios", [Sale(day, n, units, Decimal(money)) for n, units, money in close])])
    answer = await _rows(api, "which 2 products had the highest average price in June 2024")
    shown = [(row["product_name"], row["average_price"], row["place"]) for row in answer]
    assert shown == [("B", "0.3333", 1), ("A", "0.3333", 2)]
