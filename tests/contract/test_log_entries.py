"""Every event becomes an entry that the query service reads back as it was, and a notification; within AWS's limits."""

import json
from datetime import timedelta

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given, settings

from services.notifier.adapters.dynamo_log import item_attributes
from services.notifier.adapters.sns_client_notifications import message_by_protocol
from services.notifier.rules.client_notification import client_notification
from services.notifier.rules.log_entry import log_entry
from services.query.adapters.dynamo_log import read_entry
from shared.schemas.events import (
    FEED_EVENT,
    ClientNotification,
    FeedChange,
    FeedEvent,
    FeedFailed,
    FeedFailure,
    FeedProcessed,
    FeedReprocessFailed,
)
from shared.schemas.issues import Severity
from shared.schemas.processing_log import ERROR_STREAM, LogEntry
from tests.unit.notifier.events import SAMPLE_NAMES, events, sample, sample_text

ITEM_LIMIT = 400 * 1024
MESSAGE_LIMIT = 256 * 1024
RETENTION = timedelta(days=400)


def test_every_kind_of_event_has_a_sample() -> None:
    kinds = {kind for parent in (FeedFailure, FeedChange) for kind in parent.__subclasses__()} | {FeedProcessed}
    assert kinds == {type(sample(name)) for name in SAMPLE_NAMES}


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_recorded_event_is_still_what_is_published(name: str) -> None:
    recorded, published = json.loads(sample_text(name)), json.loads(FEED_EVENT.dump_json(sample(name)))
    # Optional fields that came later say nothing in events that were recorded before them.
    came_later = {field for field, value in published.items() if field not in recorded and value is None}
    assert {field: published[field] for field in published.keys() - came_later} == recorded


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_an_entry_says_what_the_event_said(name: str) -> None:
    event = sample(name)
    entry = log_entry(event)
    assert entry.entry_id == f"2026-03-04T10:11:12.345678Z#{event.event_id}"
    assert entry.object_uri == f"s3://{event.bucket}/{event.object_key}"
    same = set(type(event).model_fields) & set(LogEntry.model_fields)
    assert entry.model_dump(include=same) == event.model_dump(include=same)
    if isinstance(event, FeedChange):
        assert (entry.attempt, entry.worker) == (0, event.actor)
    assert (entry.error is not None) == isinstance(event, FeedFailed | FeedReprocessFailed)


@given(events)
@settings(max_examples=150)
def test_every_event_becomes_an_item_that_is_read_back(event: FeedEvent) -> None:
    entry = log_entry(event)
    attributes = item_attributes(entry, RETENTION)
    in_index = event.severity is not Severity.INFO
    assert attributes.get("error_stream") == (ERROR_STREAM if in_index else None)
    assert attributes.get("error_seller") == (event.seller_id if in_index else None)
    assert attributes["expires_at"] == int((event.occurred_at + RETENTION).timestamp())
    assert len(json.dumps(attributes, ensure_ascii=False).encode("utf-8", "surrogatepass")) < ITEM_LIMIT * 0.75
    serialize = TypeSerializer().serialize
    assert read_entry({name: serialize(value) for name, value in attributes.items()}) == entry


@given(events)
@settings(max_examples=150)
def test_every_event_becomes_a_notification_that_sns_takes(event: FeedEvent) -> None:
    notification = client_notification(event)
    message = message_by_protocol(notification)
    assert len(message.encode()) < MESSAGE_LIMIT * 0.9
    forms = json.loads(message)
    assert set(forms) == {"default", "email", "sqs", "https", "http", "lambda"}
    assert forms["default"] == forms["email"] == notification.text
    for program in ("sqs", "https", "http", "lambda"):
        assert ClientNotification.model_validate_json(forms[program]) == notification
    assert notification.notification_id == event.event_id
    assert notification.severity == event.severity
