"""What the aggregator announces is what subscribers were promised: the recorded events, attributes, sizes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from services.aggregator.adapters.sns_feed_events import BATCH_BYTES, batches
from services.aggregator.outbox_ports import OutboxEvent
from services.aggregator.rules.feed_announcements import (
    EVENT_BYTES_LIMIT,
    Announcement,
    ChangedFeed,
    cancelled_event,
    outcome_body,
    replaced_event,
    withdrawn_event,
)
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import Conclusion, superseded
from services.aggregator.rules.work_order import WORK_ORDER
from shared.schemas.events import (
    FEED_EVENT,
    FeedCancelled,
    FeedChange,
    FeedEvent,
    FeedFailed,
    FeedFailure,
    FeedOutcome,
    FeedProcessed,
    FeedReplaced,
    FeedReprocessFailed,
    FeedWithdrawn,
    Phase,
)
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import ProcessingStatus

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "tests/samples/events").glob("*.json"))
KINDS = {kind.__name__ for parent in (FeedFailure, FeedChange) for kind in parent.__subclasses__()} | {"FeedProcessed"}


def claim_of(event: FeedOutcome | FeedCancelled) -> Claimed:
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
    outcome = event if isinstance(event, FeedOutcome) else None
    return Claimed(
        feed=feed,
        fence=event.sequence,
        attempt=outcome.attempt if outcome else 1,
        owner=event.worker if isinstance(event, FeedOutcome) else event.actor,
        started_at=outcome.started_at if outcome else event.occurred_at,
    )


def conclusion_of(event: FeedOutcome) -> Conclusion:
    conclusion = Conclusion(
        status=ProcessingStatus.DONE,
        counts=event.counts,
        options=FeedOptions(corrects=event.corrects),
        issue_totals=tuple(event.issue_totals),
        issues=tuple(event.issues),
        report_uri=event.report_uri,
        rejected_uri=event.rejected_uri,
        replaces=event.replaces,
    )
    if isinstance(event, FeedProcessed):
        return replace(conclusion, duplicate_of=event.duplicate_of)
    assert isinstance(event, FeedFailed | FeedReprocessFailed)
    return replace(
        conclusion,
        status=ProcessingStatus.FATAL,
        error=event.error,
        phase=Phase(event.phase),
        raw_uri=event.raw_uri,
    )


def made_again(event: FeedEvent) -> Announcement:
    """What the aggregator announces when that happens which the recorded event tells of."""
    if isinstance(event, FeedOutcome):
        standing = event.counts if isinstance(event, FeedReprocessFailed) else None
        return outcome_body(claim_of(event), conclusion_of(event), event.occurred_at, standing)[0]
    if isinstance(event, FeedCancelled) and event.replaced_by:
        return outcome_body(claim_of(event), superseded(event.replaced_by, None), event.occurred_at)[0]
    feed = ChangedFeed(
        **{name: getattr(event, name) for name in ("feed_id", "seller_id", "feed_type", "file_name", "bucket")},
        object_key=event.object_key,
        correlation_id=event.correlation_id,
        counts=event.counts,
        fence=event.sequence,
    )
    match event:
        case FeedWithdrawn():
            return withdrawn_event(feed, event.actor, event.occurred_at, event.rows_taken_back)
        case FeedReplaced():
            return replaced_event(feed, event.actor, event.occurred_at, event.replaced_by, event.rows_taken_back)
        case FeedCancelled():
            return cancelled_event(feed, event.actor, event.occurred_at)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_happens_is_announced_as_recorded(path: Path) -> None:
    text = path.read_text()
    event = made_again(FEED_EVENT.validate_json(text))
    made, recorded = json.loads(event.model_dump_json()), json.loads(text)
    # Optional fields that came later say nothing in events that were recorded before them.
    came_later = {name for name, value in made.items() if name not in recorded and value is None}
    assert {name: made[name] for name in made.keys() - came_later} == recorded | {"event_id": str(event.event_id)}
    assert FEED_EVENT.validate_python(event) == event


def test_the_notifier_is_sent_every_kind_of_event_and_no_work_orders() -> None:
    [policy] = [each for each in filter_policies() if "event_type" in each]
    assert set(policy["event_type"]) == KINDS
    assert WORK_ORDER not in KINDS


def filter_policies() -> list[dict[str, list[str]]]:
    class Template(yaml.SafeLoader):
        """Takes CloudFormation's !Ref, !Sub and the like for what they hold."""

    Template.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))
    template = yaml.load((ROOT / "deploy/cloudformation/data-plane.yaml").read_text(), Loader=Template)  # noqa: S506
    return [
        resource["Properties"].get("FilterPolicy", {})
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SNS::Subscription"
    ]


def test_subscriptions_filter_by_attributes_that_events_have() -> None:
    """Attributes are the outbox's columns; a filter on any other would drop everything in silence."""
    policies = filter_policies()
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
