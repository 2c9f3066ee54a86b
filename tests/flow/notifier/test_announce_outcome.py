"""One event, one entry, one notification: through repeats, races, crashes and outages."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.announce_outcome import Announced, AnnounceOutcome, InOtherHands
from services.notifier.errors import LogUnavailable, NotificationsUnavailable
from services.notifier.worker import OutcomeWorker
from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.sqs_queue import QueueMessage
from shared.schemas.events import FeedEvent, FeedProcessed
from tests.flow.notifier.fakes import FakeLog, FakeTopic
from tests.unit.notifier.events import SAMPLE_NAMES, sample, sample_text

CLAIM = timedelta(seconds=60)


class Notifier:
    """The flow, its worker, its fakes, and a clock that moves when told to."""

    def __init__(self) -> None:
        self.log = FakeLog()
        self.topic = FakeTopic()
        self.now = datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
        self.announce = AnnounceOutcome(self.log, self.topic, CLAIM, now=lambda: self.now)
        self._worker = OutcomeWorker(self.announce)

    async def deliver(self, body: str, receive_count: int = 1) -> Disposition:
        return await self._worker(QueueMessage("m-1", "r-1", body, receive_count))

    def announced(self) -> list[str]:
        """Ids of what was published, in order."""
        return [str(notification.notification_id) for notification in self.topic.published]


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
def event() -> FeedEvent:
    return sample("feed_processed_with_rejects")


@pytest.mark.parametrize("name", SAMPLE_NAMES)
async def test_every_outcome_is_recorded_and_announced(notifier: Notifier, name: str) -> None:
    assert await notifier.deliver(sample_text(name)) == Done()
    [item] = notifier.log.items.values()
    assert item.announced_at == notifier.now
    assert notifier.announced() == [str(sample(name).event_id)]


async def test_a_repeated_event_changes_nothing(notifier: Notifier) -> None:
    for _ in range(10):
        assert await notifier.deliver(sample_text("feed_processed")) == Done()
    assert len(notifier.log.items) == 1
    assert len(notifier.topic.published) == 1


async def test_events_in_any_order_are_each_announced_once(notifier: Notifier) -> None:
    names = [*reversed(SAMPLE_NAMES), *SAMPLE_NAMES]
    for name in names:
        assert await notifier.deliver(sample_text(name)) == Done()
    assert len(notifier.log.items) == len(SAMPLE_NAMES)
    assert notifier.announced() == [str(sample(name).event_id) for name in reversed(SAMPLE_NAMES)]


async def test_two_deliveries_at_once_publish_once(notifier: Notifier, event: FeedProcessed) -> None:
    notifier.topic.gate = asyncio.Event()
    first = asyncio.create_task(notifier.announce(event))
    await asyncio.wait_for(notifier.topic.entered.wait(), 10)
    waits = []
    for receive_count in range(1, 10):
        disposition = await notifier.deliver(event.model_dump_json(), receive_count)
        assert isinstance(disposition, Retry)
        waits.append(disposition.after_seconds)
    # Soon at first; never past the claim's end; and its end comes before the tenth and last try.
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 61.0, 61.0, 61.0]
    notifier.topic.gate.set()
    assert await first == Announced()
    assert await notifier.announce(event) == Announced(repeated=True)
    assert len(notifier.topic.published) == 1


async def test_many_deliveries_at_once_publish_once(notifier: Notifier, event: FeedProcessed) -> None:
    await asyncio.gather(*(notifier.announce(event) for _ in range(20)))
    assert len(notifier.topic.published) == 1


async def test_a_crash_before_the_publish_is_made_up_for_when_the_claim_runs_out(
    notifier: Notifier, event: FeedProcessed
) -> None:
    notifier.topic.gate = asyncio.Event()
    crashing = asyncio.create_task(notifier.announce(event))
    await asyncio.wait_for(notifier.topic.entered.wait(), 10)
    crashing.cancel()
    await asyncio.gather(crashing, return_exceptions=True)
    notifier.topic.gate.set()
    waiting = await notifier.announce(event)
    assert isinstance(waiting, InOtherHands)
    assert notifier.announced() == []
    notifier.now += timedelta(seconds=waiting.seconds)
    assert await notifier.announce(event) == Announced()
    assert notifier.announced() == [str(event.event_id)]


async def test_a_crash_after_the_publish_repeats_it_under_the_same_id(notifier: Notifier, event: FeedProcessed) -> None:
    notifier.log.failing = {"mark_announced"}
    with pytest.raises(LogUnavailable):
        await notifier.announce(event)
    notifier.log.failing = set()
    notifier.now += CLAIM
    assert await notifier.announce(event) == Announced()
    assert await notifier.announce(event) == Announced(repeated=True)
    assert notifier.announced() == [str(event.event_id)] * 2
    assert len(notifier.log.items) == 1


async def test_with_the_topic_down_the_entry_is_kept_and_the_next_try_need_not_wait(
    notifier: Notifier, event: FeedProcessed
) -> None:
    notifier.topic.down = True
    assert isinstance(await notifier.deliver(event.model_dump_json()), Retry)
    [item] = notifier.log.items.values()
    assert item.announced_at is None
    notifier.topic.down = False
    assert await notifier.deliver(event.model_dump_json()) == Done()
    assert notifier.announced() == [str(event.event_id)]


async def test_with_topic_and_log_down_the_reason_told_is_the_topic(notifier: Notifier, event: FeedProcessed) -> None:
    notifier.topic.down = True
    notifier.log.failing = {"release"}
    with pytest.raises(NotificationsUnavailable):
        await notifier.announce(event)


async def test_nothing_is_announced_that_is_not_recorded(notifier: Notifier, event: FeedProcessed) -> None:
    notifier.log.failing = {"record"}
    assert await notifier.deliver(event.model_dump_json()) == Retry(
        "The processing log does not answer; try again.", None
    )
    assert notifier.announced() == []


@pytest.mark.parametrize(
    "body", ["{", "{}", json.dumps(json.loads(sample_text("feed_processed")) | {"event_version": 2})]
)
async def test_what_cannot_be_read_goes_to_the_dead_letter_queue(notifier: Notifier, body: str) -> None:
    assert isinstance(await notifier.deliver(body), Reject)
    assert not notifier.log.items
    assert not notifier.topic.published
