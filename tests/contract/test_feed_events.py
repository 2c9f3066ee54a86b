"""What the aggregator announces is what subscribers were promised: the recorded events, attributes, sizes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from services.aggregator.adapters.sns_feed_events import BATCH_BYTES, batches
from services.aggregator.ports import OutboxEvent
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import EVENT_BYTES_LIMIT, Conclusion, event_body
from shared.schemas.events import FEED_EVENT, FeedFailed, FeedProcessed, Phase
from shared.schemas.feeds import ProcessingStatus

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "tests/samples/events").glob("*.json"))


def claim_of(event: FeedProcessed | FeedFailed) -> Claimed:
    feed = FeedIdentity(
        feed_id=event.feed_id,
        seller_id=event.seller_id,
        feed_type=event.feed_type,
        file_name=event.file_name,
        correlation_id=event.correlation_id,
        ref=ObjectRef(event.bucket, event.object_key, "v1", "e1"),
        size_bytes=1,
        received_at=None,
    )
    return Claimed(
        feed=feed, fence=event.sequence, attempt=event.attempt, owner=event.worker, started_at=event.started_at
    )


def conclusion_of(event: FeedProcessed | FeedFailed) -> Conclusion:
    conclusion = Conclusion(
        status=ProcessingStatus.DONE,
        counts=event.counts,
        issue_totals=tuple(event.issue_totals),
        issues=tuple(event.issues),
        report_uri=event.report_uri,
    )
    if isinstance(event, FeedProcessed):
        return replace(conclusion, duplicate_of=event.duplicate_of)
    return replace(
        conclusion,
        status=ProcessingStatus.FATAL,
        error=event.error,
        phase=Phase(event.phase),
        raw_uri=event.raw_uri,
    )


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_the_flow_concludes_is_announced_as_recorded(path: Path) -> None:
    text = path.read_text()
    recorded = FEED_EVENT.validate_json(text)
    event, body = event_body(claim_of(recorded), conclusion_of(recorded), recorded.occurred_at)
    assert json.loads(body) == json.loads(text) | {"event_id": str(event.event_id)}
    assert FEED_EVENT.validate_json(body) == event


def test_subscriptions_filter_by_attributes_that_events_have() -> None:
    """Attributes are the outbox's columns; a filter on any other would drop everything in silence."""

    class Template(yaml.SafeLoader):
        """Takes CloudFormation's !Ref, !Sub and the like for what they hold."""

    Template.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))
    template = yaml.load((ROOT / "deploy/cloudformation/data-plane.yaml").read_text(), Loader=Template)  # noqa: S506
    policies = [
        resource["Properties"].get("FilterPolicy", {})
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SNS::Subscription"
    ]
    assert policies
    for policy in policies:
        assert set(policy) <= {"event_type", "seller_id", "feed_type", "severity"}


def test_batches_stay_within_what_the_topic_takes() -> None:
    body = "x" * EVENT_BYTES_LIMIT
    events = [OutboxEvent(n, str(n), "FeedProcessed", str(n), "acme", "transactions", "INFO", body) for n in range(25)]
    small = [replace(event, body="{}") for event in events]
    assert [len(batch) for batch in batches(small)] == [10, 10, 5]
    assert [event for batch in batches(events) for event in batch] == events
    assert all(sum(len(event.body) for event in batch) <= BATCH_BYTES for batch in batches(events))
    assert list(batches([])) == []
