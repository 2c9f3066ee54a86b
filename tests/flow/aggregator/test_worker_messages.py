"""From a queue message to done, retry or reject, with messages as AWS documents them and as emulators vary them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.aggregator.apply_feed import Applied, Finished, NotAFeed
from services.aggregator.errors import LeaseLost, MustWait, Outage
from services.aggregator.rules.feed_identity import ObjectRef
from services.aggregator.rules.feed_lease import HeldElsewhere
from services.aggregator.rules.work_order import work_order
from services.aggregator.worker import FeedUploads
from shared.runtime.dispositions import Disposition, Done, Reject, Retry
from shared.runtime.sqs_queue import QueueMessage
from tests.samples.recorded import recorded, recorded_text

KEY = "acme/Umsätze März+April 2026.csv"
ETAG = "402078fa426e5b91f68bc85cd7af3565"


@dataclass
class Flow:
    """Answers as told, and remembers what it was asked."""

    answer: Callable[[ObjectRef], Applied] = lambda _: Finished()
    asked: list[tuple[ObjectRef, int | None]] = field(default_factory=list)
    last_tries: list[bool] = field(default_factory=list)

    async def __call__(self, ref: ObjectRef, size_bytes: int | None, is_last_try: bool) -> Applied:
        self.last_tries.append(is_last_try)
        self.asked.append((ref, size_bytes))
        return self.answer(ref)


async def handle(flow: Flow, body: str, receive_count: int = 1) -> Disposition:
    return await FeedUploads(flow)(QueueMessage("m", "r", body, receive_count))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("s3_put_aws", "096fKKXTRTtl3on89fVO.nfljtsv6qko"),
        ("s3_put_aws_unversioned", None),
        ("s3_put_ministack", "a0844714-1223-4dd9-89ed-691cf8b62820"),
        ("s3_put_moto", None),
    ],
)
async def test_every_shape_names_the_same_object(name: str, version: str | None) -> None:
    flow = Flow()
    assert await handle(flow, recorded_text(name)) == Done()
    assert flow.asked == [(ObjectRef("uploads", KEY, version, ETAG), 18)]


@pytest.mark.parametrize("name", ["s3_multipart_aws", "s3_multipart_ministack"])
async def test_a_multipart_upload_is_an_upload(name: str) -> None:
    flow = Flow()
    assert await handle(flow, recorded_text(name)) == Done()
    assert flow.asked[0][0].key == "acme/big.csv"


async def test_a_version_called_null_is_none() -> None:
    body = recorded("s3_put_aws")
    body["Records"][0]["s3"]["object"]["versionId"] = "null"
    flow = Flow()
    await handle(flow, json.dumps(body))
    assert flow.asked[0][0].version_id is None


@pytest.mark.parametrize("name", ["s3_test_aws", "s3_test_ministack", "s3_test_moto", "s3_removed_aws"])
async def test_what_is_no_upload_is_done_without_work(name: str) -> None:
    flow = Flow()
    assert await handle(flow, recorded_text(name)) == Done()
    assert flow.asked == []


@pytest.mark.parametrize("body", ["", "this is no JSON", "{}", "[]", '{"Records": []}', '{"Records": [{"s3": 1}]}'])
async def test_what_nobody_can_read_is_rejected(body: str) -> None:
    assert isinstance(await handle(Flow(), body), Reject)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("key", ""),
        ("key", "k" * 1_025),
        ("key", "%C3%A9" * 513),
        ("versionId", "v" * 256),
        ("versionId", "é"),
        ("eTag", "e" * 129),
        ("bucket", "No_Bucket"),
    ],
)
async def test_what_names_no_possible_object_is_rejected_at_once(where: str, what: str) -> None:
    body = recorded("s3_put_aws")
    entity = body["Records"][0]["s3"]
    entity["bucket" if where == "bucket" else "object"]["name" if where == "bucket" else where] = what
    assert isinstance(await handle(Flow(), json.dumps(body)), Reject)


@pytest.mark.parametrize("error", [Outage, LeaseLost])
async def test_an_outage_is_tried_again_with_backoff(error: Callable[[], Exception]) -> None:
    def fail(_: ObjectRef) -> Applied:
        raise error()

    outcome = await handle(Flow(fail), recorded_text("s3_put_aws"))
    assert isinstance(outcome, Retry)
    assert outcome.after_seconds is None, "the worker's backoff decides"


async def test_a_feed_that_waits_for_another_does_not_wear_out_its_message() -> None:
    def wait(_: ObjectRef) -> Applied:
        raise MustWait(UUID(int=1))

    waits = []
    for receive_count in range(1, 11):
        outcome = await handle(Flow(wait), recorded_text("s3_put_aws"), receive_count)
        assert isinstance(outcome, Retry)
        assert outcome.after_seconds is not None
        waits.append(outcome.after_seconds)
    assert waits[0] < 1.0, "the other one has mostly ended by then"
    assert sum(waits) > 2_400, "ten tries last longer than a large feed"


async def test_a_fault_of_our_own_is_not_swallowed() -> None:
    def fail(_: ObjectRef) -> Applied:
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError):
        await handle(Flow(fail), recorded_text("s3_put_aws"))


async def test_the_flow_is_told_when_the_queue_gives_no_further_try() -> None:
    flow = Flow()
    for receive_count in (1, 2, 3, 4):
        await FeedUploads(flow, max_receives=3)(QueueMessage("m", "r", recorded_text("s3_put_aws"), receive_count))
    assert flow.last_tries == [False, False, True, True]


async def test_a_feed_in_other_hands_comes_back_when_its_lease_is_over() -> None:
    outcome = await handle(Flow(lambda _: HeldElsewhere(UUID(int=1), 30.0)), recorded_text("s3_put_aws"))
    assert isinstance(outcome, Retry)
    assert outcome.after_seconds == 30.5


async def test_a_message_with_several_objects_is_done_when_all_are() -> None:
    body = recorded("s3_put_aws")
    other = json.loads(json.dumps(body["Records"][0]).replace("acme/", "bob/"))
    body["Records"] += [other, recorded("s3_removed_aws")["Records"][0]]

    def acme_waits(ref: ObjectRef) -> Applied:
        return HeldElsewhere(UUID(int=1), 30.0) if ref.key.startswith("acme") else NotAFeed()

    flow = Flow(acme_waits)
    assert isinstance(await handle(flow, json.dumps(body)), Retry)
    assert [ref.key.partition("/")[0] for ref, _ in flow.asked] == ["acme", "bob"], "one that waits holds up no other"
    assert await handle(Flow(), json.dumps(body)) == Done()


@pytest.mark.parametrize(
    ("name", "sequencer"),
    [("s3_put_aws", "0055AED6DCD90281E5"), ("s3_put_ministack", "00000660DE5606C99B"), ("s3_put_moto", None)],
)
async def test_the_sequencer_goes_with_the_object_where_there_is_one(name: str, sequencer: str | None) -> None:
    flow = Flow()
    await handle(flow, recorded_text(name))
    assert flow.asked[0][0].sequencer == sequencer


async def test_a_sequencer_that_is_no_number_is_none() -> None:
    body = recorded("s3_put_aws")
    body["Records"][0]["s3"]["object"]["sequencer"] = "soon"
    flow = Flow()
    assert await handle(flow, json.dumps(body)) == Done()
    assert flow.asked[0][0].sequencer is None


@pytest.mark.parametrize(
    "ref", [ObjectRef("uploads", KEY, "v+1/2", ETAG), ObjectRef("uploads", "a%2Fb c+d.csv", None, None)]
)
async def test_a_work_order_names_exactly_its_object(ref: ObjectRef) -> None:
    flow = Flow()
    assert await handle(flow, work_order(ref, datetime(2026, 11, 22, tzinfo=UTC))) == Done()
    assert flow.asked == [(ref, None)]
