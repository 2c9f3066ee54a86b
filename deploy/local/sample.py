"""Shows that it works: sends the sample feed through the real upload endpoint and prints what can be read back."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from deploy.local.errors import SampleFailed
from deploy.local.terminal import Progress, table

SAMPLE_FEED = Path(__file__).with_name("sample_transactions.csv")
QUESTION = "Which 3 products had the highest revenue?"
_TERMINAL = ("DONE", "FATAL", "CANCELLED")
_FOLLOW_SECONDS = 60.0
_HTTP_SECONDS = 30.0


class Sample:
    """`ingest` and `query` are the services' addresses."""

    def __init__(self, ingest: str, query: str, progress: Progress) -> None:
        self._ingest = ingest
        self._query = query
        self._progress = progress
        self._http = httpx.Client(timeout=_HTTP_SECONDS)

    def store_is_empty(self) -> bool:
        return not self._get("/api/feeds", {"limit": "1"})["items"]

    def submit_and_show(self) -> None:
        """Raises SampleFailed if it does not end DONE with every row accounted for."""
        feed = self._follow(self._submit())
        counts = feed["counts"]
        told = ", ".join(
            f"{counts[f'rows_{name}']} {name}" for name in ("accepted", "rejected", "duplicate", "skipped")
        )
        self._progress.say("sample", f"{feed['processing_status']}: {counts['rows_received']} rows received, {told}")
        if feed["processing_status"] != "DONE":
            raise SampleFailed(f"the sample feed ended {feed['processing_status']}: {feed['error']}")
        self._show()

    def _submit(self) -> dict[str, Any]:
        self._progress.say("sample", f"uploading {SAMPLE_FEED.name} to {self._ingest}/api/transactions/upload")
        with SAMPLE_FEED.open("rb") as file:
            answer = self._http.post(
                f"{self._ingest}/api/transactions/upload", files={"file": (SAMPLE_FEED.name, file, "text/csv")}
            )
        return _body(answer, httpx.codes.ACCEPTED)

    def _follow(self, accepted: Mapping[str, Any]) -> dict[str, Any]:
        status_url = urljoin(self._query, accepted["status_url"])
        self._progress.say("sample", f"accepted; following {status_url}")
        deadline = time.monotonic() + _FOLLOW_SECONDS
        while True:
            feed = _body(self._http.get(status_url), httpx.codes.OK)
            if feed["processing_status"] in _TERMINAL:
                return feed
            if time.monotonic() > deadline:
                raise SampleFailed(f"still {feed['processing_status']} after {_FOLLOW_SECONDS:.0f} s: see .local/logs/")
            time.sleep(0.1)

    def _show(self) -> None:
        aggregates = self._get("/api/transactions")["items"]
        summary = self._get("/api/transactions/summary")
        print(f"\nGET {self._query}/api/transactions\n")
        print(_columns(aggregates, ("product_name", "sale_date", "quantity", "average_price", "revenue", "file_name")))
        print(f"\nGET {self._query}/api/transactions/summary\n")
        print(_columns(summary["items"], ("product_name", "total_quantity", "total_revenue", "transactions")))
        for total in summary["totals"]:
            print("  totals: " + ", ".join(f"{name} {value}" for name, value in total.items() if value is not None))
        print(f"\nPOST {self._query}/api/queries  {QUESTION}\n")
        print(self._answer())

    def _answer(self) -> str:
        answered = _body(self._http.post(f"{self._query}/api/queries", json={"query": QUESTION}), httpx.codes.OK)
        results = answered["results"]
        rows = _columns(results, tuple(results[0])) if results else "  (no rows)"
        return f"  {answered['answer']}\n\n{rows}"

    def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        return _body(self._http.get(f"{self._query}{path}", params=parameters), httpx.codes.OK)


def _body(answer: httpx.Response, expected: int) -> dict[str, Any]:
    if answer.status_code != expected:
        raise SampleFailed(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}")
    body: dict[str, Any] = answer.json()
    return body


def _columns(items: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    """A table of these columns, without those that are empty throughout."""
    shown = [name for name in names if any(item.get(name) is not None for item in items)]
    return table(shown, [["" if item.get(name) is None else str(item[name]) for name in shown] for item in items])
