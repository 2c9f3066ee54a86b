"""The steps of a feed's life, written in the transaction that takes them."""

import json

from services.aggregator.adapters.mysql_times import naive
from services.aggregator.rules.feed_history import Step
from shared.runtime.mysql import MySqlSession

_ACTOR_LENGTH = 128
_ENTRY = "(%s, COALESCE(%s, UTC_TIMESTAMP(6)), %s, %s, %s)"


async def write_history(session: MySqlSession, *steps: Step) -> None:
    """In their order."""
    values: list[object] = []
    for step in steps:
        detail = json.dumps(step.texts(), ensure_ascii=False)
        values += [str(step.feed_id), naive(step.at), step.event, step.actor[:_ACTOR_LENGTH], detail]
    entries = ", ".join([_ENTRY] * len(steps))
    await session.later(
        f"INSERT INTO feed_history (feed_id, at, event, actor, detail) VALUES {entries}",  # noqa: S608 - places only
        values,
    )
