"""Reads a queue message: the event as it was published, or inside SNS's envelope if raw delivery is off."""

import json

from pydantic import ValidationError

from services.notifier.errors import UnreadableEvent
from shared.schemas.events import FEED_EVENT, FeedEvent


def read_event(body: str) -> FeedEvent:
    """Raises UnreadableEvent, which names what is wrong and never what the message holds.

    Fields that are not known here are let through: a publisher may be a version ahead. A change that a reader must
    understand comes with another `event_version`, and that is refused.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # nested deeper than Python reads
        raise UnreadableEvent("the message is not JSON") from error
    if isinstance(message, dict) and message.get("Type") == "Notification" and isinstance(message.get("Message"), str):
        body = message["Message"]
    try:
        return FEED_EVENT.validate_json(body, extra="ignore")
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'message'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        ]
        raise UnreadableEvent("; ".join(faults)) from error
