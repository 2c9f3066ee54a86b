"""One message from the feed-uploads queue → the flow, once per object in it → done, retry, or reject."""

import json
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_plus

import structlog
from pydantic import ValidationError

from services.aggregator.apply_feed import Applied
from services.aggregator.errors import LeaseLost, MustWait, Outage
from services.aggregator.rules.feed_identity import ObjectRef
from services.aggregator.rules.feed_lease import HeldElsewhere, wait_for_lease
from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.sqs_queue import QueueMessage
from shared.schemas.s3_events import S3Notification, S3Record

log = structlog.get_logger(__name__)

_SEQUENCER = re.compile(r"^[0-9A-Fa-f]{1,64}$")
"""As AWS documents it; of another form it could not be compared."""

Apply = Callable[[ObjectRef, int | None, bool], Awaitable[Applied]]
"""The flow: an object, its size, where the event has one, and whether this is the last try that the queue gives."""


class FeedUploads:
    """A Handler. Any exception that leaves it makes the worker loop try the message again, with backoff (P4).

    `max_receives`: the queue hands a message out so often; None: nobody knows, and no try is the last.
    """

    def __init__(self, apply: Apply, max_receives: int | None = None) -> None:
        self._apply = apply
        self._max_receives = max_receives

    async def __call__(self, message: QueueMessage) -> Disposition:
        try:
            notification = S3Notification.model_validate_json(message.body)
        except ValidationError as error:
            return Reject(f"not an S3 notification: {error.error_count()} faults, first {error.errors()[0]['msg']}")
        if notification.is_test:
            log.info("queue.test_event")
        # Every object gets its turn before the message is judged: one that must wait holds up no other.
        retries = [
            retry
            for record in notification.records
            if record.is_object_created and (retry := await self._one(record, message.receive_count))
        ]
        if not retries:
            return Done()
        waits = [retry.after_seconds for retry in retries if retry.after_seconds is not None]
        return Retry("; ".join(retry.reason for retry in retries), max(waits) if len(waits) == len(retries) else None)

    async def _one(self, record: S3Record, receive_count: int) -> Retry | None:
        is_last = self._max_receives is not None and receive_count >= self._max_receives
        try:
            outcome = await self._apply(_ref(record), record.s3.object.size, is_last)
        except MustWait as error:
            # That feed may take as long as any: the tries of this one last longer, unless that one waits as well.
            return Retry(str(error), wait_for_lease(0, receive_count))
        except (Outage, LeaseLost) as error:
            return Retry(str(error))
        if isinstance(outcome, HeldElsewhere):
            reason = f"feed {outcome.feed_id} is with another worker"
            return Retry(reason, wait_for_lease(outcome.seconds, receive_count))
        return None


def sender_of(message: QueueMessage) -> str:
    """The first segment of the first object's key, which is its seller; '' where there is none. Decides turns only."""
    try:
        key = json.loads(message.body)["Records"][0]["s3"]["object"]["key"]
        segment, slash, _ = unquote_plus(key).partition("/")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return segment if slash else ""


def _ref(record: S3Record) -> ObjectRef:
    item = record.s3.object
    # "null" is what all unversioned contents of a key are called: it names none of them.
    version = item.version_id if item.version_id != "null" else None
    etag = item.etag.strip('"') if item.etag else None
    sequencer = item.sequencer if item.sequencer and _SEQUENCER.match(item.sequencer) else None
    return ObjectRef(record.s3.bucket.name, item.decoded_key, version, etag, sequencer)
