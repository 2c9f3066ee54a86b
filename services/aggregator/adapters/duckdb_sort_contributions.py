"""Puts what a feed adds into the table `contributions` in key order, however much it is."""

# ruff: noqa: S608 - what is pasted is our own names and numbers; values go in as parameters

from collections.abc import Mapping
from typing import Any

import structlog

from services.aggregator.adapters.duckdb_session import FeedSession
from services.aggregator.errors import EngineFull

log = structlog.get_logger(__name__)

KEY = "sale_date, product_id, product_name, category, currency"
"""What contributions are grouped by, and their order."""
_AT_ONCE = 6_000_000
_MORE = (1, 4, 16)
"""How many times as many ranges of keys there are than it takes, if the memory did not suffice for fewer."""
_SAMPLED_PER_PART = 200


def sort_contributions(
    session: FeedSession, rows: str, keys: str, parameters: Mapping[str, object], *, about: int, at_once: int = _AT_ONCE
) -> None:
    """Makes the table of the query `rows`, which has no key twice; `keys`: a query of all their keys, in any number.

    At once if there are `about` as many as that, else in several ranges: tens of millions cannot be merged even though
    the engine spills. `parameters` are those of both queries.
    """
    for more in _MORE:
        try:
            _sort_in((1 + about // at_once) * more, session, rows, keys, parameters)
        except EngineFull:
            session.drop("contributions")
            if more == _MORE[-1]:
                raise
            log.info("feed.too_much_to_sort_at_once", rows=about)
        else:
            return


def _sort_in(parts: int, session: FeedSession, rows: str, keys: str, parameters: Mapping[str, object]) -> None:
    bounds = _bounds(parts, session, keys, parameters) if parts > 1 else []
    for number, (low, high) in enumerate(zip([None, *bounds], [*bounds, None], strict=True)):
        terms, values = ["true"], dict(parameters)
        for name, is_in, bound in (("low", "NOT {}", low), ("high", "{}", high)):
            if bound:
                values |= {f"{name}_{place}": value for place, value in enumerate(bound)}
                terms.append(is_in.format(_is_below(name)))
        part = f"SELECT * FROM ({rows}) WHERE {' AND '.join(terms)} ORDER BY {KEY}"
        if number == 0:
            session.create("contributions", part, values)
        else:
            session.fetch(f"INSERT INTO contributions {part}", values)


def _is_below(bound: str) -> str:
    """Whether a key comes before another. The engine's own comparison of rows fails between two of them (2.0)."""
    is_below = "false"
    for place, column in reversed(list(enumerate(KEY.split(", ")))):
        is_below = f"({column} < ${bound}_{place} OR ({column} = ${bound}_{place} AND {is_below}))"
    return is_below


def _bounds(parts: int, session: FeedSession, keys: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Keys in order that cut all keys into about as many parts, of about the same size."""
    sample = f"SELECT {KEY} FROM ({keys}) USING SAMPLE reservoir({parts * _SAMPLED_PER_PART} ROWS)"
    sampled = session.fetch(f"SELECT DISTINCT * FROM ({sample}) ORDER BY {KEY}", dict(parameters))
    step = -(-len(sampled) // parts) or 1
    return sampled[step::step]
