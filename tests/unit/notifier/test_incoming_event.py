"""Queue messages: the event itself, or in SNS's envelope; anything else is refused, with the reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.errors import UnreadableEvent
from services.notifier.rules.incoming_event import read_event
from tests.unit.notifier.events import SAMPLE_NAMES, sample, sample_text


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_an_event_is_read_raw_or_in_its_envelope(name: str) -> None:
    envelope = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:0:t", "Message": sample_text(name)}
    assert read_event(sample_text(name)) == read_event(json.dumps(envelope)) == sample(name)


def test_a_field_that_is_not_known_yet_is_let_through() -> None:
    event = json.loads(sample_text("feed_failed_unreadable"))
    event["later"] = 1
    event["counts"]["rows_later"] = 1
    event["error"]["later"] = []
    assert read_event(json.dumps(event)) == sample("feed_failed_unreadable")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"event_version": 2}, "event_version"),
        ({"event_type": "FeedExploded"}, "FeedExploded"),
        ({"feed_id": "x"}, "feed_id"),
        ({"counts": {"rows_received": 2, "rows_accepted": 1}}, "the books do not close"),
        ({"error": None}, "error"),
    ],
)
def test_another_version_or_shape_is_refused(change: dict[str, object], says: str) -> None:
    event = json.loads(sample_text("feed_failed_unreadable")) | change
    with pytest.raises(UnreadableEvent, match=says):
        read_event(json.dumps(event))


@pytest.mark.parametrize("body", ["", "{", "[" * 5_000, "[]", "null", "1", '"x"', "{}", '{"Type": "Notification"}'])
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(UnreadableEvent):
        read_event(body)


@given(st.text())
def test_noise_is_refused_and_nothing_worse(body: str) -> None:
    with pytest.raises(UnreadableEvent):
        read_event(body)


def test_a_refusal_does_not_repeat_what_the_message_holds() -> None:
    event = json.loads(sample_text("feed_processed")) | {"feed_id": "secret-value"}
    with pytest.raises(UnreadableEvent) as refusal:
        read_event(json.dumps(event))
    assert "secret-value" not in str(refusal.value)
