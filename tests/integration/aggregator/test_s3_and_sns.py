"""The S3 and SNS adapters against two emulators that differ: moto, and ministack with the real data plane."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.aggregator.adapters.s3_error_bucket import S3ErrorBucket
from services.aggregator.adapters.s3_receipts import S3Receipts
from services.aggregator.adapters.s3_uploads import S3Uploads
from services.aggregator.adapters.sns_feed_events import SnsFeedEvents
from services.aggregator.adapters.sqs_work_orders import SqsWorkOrders
from services.aggregator.errors import MissingObject, Outage
from services.aggregator.outbox_ports import OutboxEvent
from services.aggregator.rules.feed_identity import FeedIdentity, ObjectRef, identify
from services.aggregator.rules.feed_lease import Claimed
from services.aggregator.rules.feed_outcome import failed, report_of
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.events import Phase
from shared.schemas.feeds import FeedError, FeedType, Receipt
from shared.schemas.reports import FeedReport
from tests.conftest import EmulatedAws
from tests.waiting import until

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CONTENT = b"T-Shirt,15,20,300\n" * 1000


def untold(_: int) -> None:
    """For who does not follow a download."""


@dataclass
class Place:
    """Two buckets of one emulator."""

    s3: "S3Client"
    uploads: str
    errors: str
    emulator: str

    async def put(self, key: str, content: bytes = CONTENT, bucket: str | None = None, **metadata: str) -> ObjectRef:
        bucket = bucket or self.uploads
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        answer = await self.s3.put_object(Bucket=bucket, Key=key, Body=content, Metadata=named)
        return ObjectRef(bucket, key, answer.get("VersionId"), answer["ETag"].strip('"'))

    async def content(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return await (await self.s3.get_object(Bucket=bucket, Key=key))["Body"].read()


@pytest.fixture(params=["moto", "ministack"])
async def place(
    request: pytest.FixtureRequest, moto_url: str, emulator: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    if request.param == "moto":
        async with AwsClients(ServiceSettings(aws_endpoint_url=moto_url)).s3() as s3:
            made = Place(s3, f"uploads-{secrets.token_hex(4)}", f"errors-{secrets.token_hex(4)}", "moto")
            for bucket in (made.uploads, made.errors):
                await s3.create_bucket(Bucket=bucket)
            await s3.put_bucket_versioning(Bucket=made.uploads, VersioningConfiguration={"Status": "Enabled"})
            yield made
    else:
        async with AwsClients(ServiceSettings(aws_endpoint_url=emulator.endpoint_url)).s3() as s3:
            yield Place(s3, emulator.plane.uploads_bucket, emulator.plane.error_bucket, "ministack")


@pytest.mark.parametrize("at_once_bytes", [100, 1 << 20])
async def test_an_object_is_described_and_downloaded_as_it_was_at_its_version(
    at_once_bytes: int, place: Place, tmp_path: Path
) -> None:
    uploads = S3Uploads(place.s3, at_once_bytes)
    first = await place.put("acme/ä b+c.csv", feed_id="x", file_name="%C3%A4")
    await place.put("acme/ä b+c.csv", b"other")
    facts = await uploads.describe(first)
    assert facts.ref == first
    assert facts.size_bytes == len(CONTENT)
    assert facts.metadata == {"feed-id": "x", "file-name": "%C3%A4"}
    assert facts.last_modified.tzinfo
    assert await uploads.download(facts, tmp_path / "raw", untold) == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "raw").read_bytes() == CONTENT


async def test_an_event_without_a_version_finds_it_or_sees_that_the_object_changed(place: Place) -> None:
    uploads = S3Uploads(place.s3)
    ref = await place.put("acme/a.csv")
    assert (await uploads.describe(replace(ref, version_id=None))).ref == ref
    assert (await uploads.describe(replace(ref, version_id=None, etag=None))).ref == ref
    await place.put("acme/a.csv", b"other")
    with pytest.raises(MissingObject):
        await uploads.describe(replace(ref, version_id=None))


async def test_what_is_not_there_is_missing_and_a_missing_bucket_an_outage(place: Place, tmp_path: Path) -> None:
    uploads = S3Uploads(place.s3, at_once_bytes=100)
    ref = await place.put("acme/gone.csv")
    facts = await uploads.describe(ref)
    await place.s3.delete_object(Bucket=ref.bucket, Key=ref.key, VersionId=ref.version_id or "")
    for gone in (ref, replace(ref, key="acme/never.csv", version_id=None)):
        with pytest.raises(MissingObject):
            await uploads.describe(gone)
    with pytest.raises(MissingObject):
        await uploads.download(facts, tmp_path / "raw", untold)
    with pytest.raises(Outage):
        await uploads.describe(replace(ref, bucket="no-such-bucket-anywhere"))


async def test_a_small_object_comes_along_with_its_description(place: Place, tmp_path: Path) -> None:
    ref = await place.put("acme/small.csv")
    facts = await S3Uploads(place.s3).describe(ref)
    assert facts.content == CONTENT
    await place.s3.delete_object(Bucket=ref.bucket, Key=ref.key, VersionId=ref.version_id or "")
    assert await S3Uploads(place.s3).download(facts, tmp_path / "raw", untold) == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "raw").read_bytes() == CONTENT


async def test_a_body_that_is_not_as_long_as_described_is_an_outage(place: Place, tmp_path: Path) -> None:
    uploads = S3Uploads(place.s3, at_once_bytes=100)
    facts = await uploads.describe(await place.put("acme/short.csv"))
    with pytest.raises(Outage, match="ended after"):
        await uploads.download(replace(facts, size_bytes=facts.size_bytes + 1), tmp_path / "raw", untold)


@pytest.mark.parametrize("part_bytes", [1 << 20, 6 << 20])
async def test_the_raw_file_is_kept_as_it_was_and_marked_for_expiry(place: Place, part_bytes: int) -> None:
    content = b"x" * (11 << 20) if part_bytes > 1 << 20 else CONTENT
    ref = await place.put("acme/dir/bad file ä.csv", content)
    await place.put("acme/dir/bad file ä.csv", b"other")
    facts = await S3Uploads(place.s3).describe(ref)
    [feed] = identify(facts.ref, facts, "house")
    uri = await S3ErrorBucket(place.s3, place.errors, part_bytes=part_bytes).keep_raw(feed)
    assert uri == f"s3://{place.errors}/acme/{feed.feed_id}/raw/bad file ä.csv"
    assert await place.content(uri) == content
    if place.emulator == "ministack" and len(content) > part_bytes:
        return  # it ignores the tags of multipart uploads
    key = uri.removeprefix(f"s3://{place.errors}/")
    assert (await place.s3.get_object_tagging(Bucket=place.errors, Key=key))["TagSet"] == [
        {"Key": "kind", "Value": "raw"}
    ]


async def test_a_raw_file_that_is_gone_is_not_kept(place: Place) -> None:
    ref = await place.put("acme/bad.csv")
    facts = await S3Uploads(place.s3).describe(ref)
    [feed] = identify(facts.ref, facts, "house")
    await place.s3.delete_object(Bucket=ref.bucket, Key=ref.key, VersionId=ref.version_id or "")
    assert await S3ErrorBucket(place.s3, place.errors).keep_raw(feed) is None


async def test_a_report_is_kept_as_json(place: Place) -> None:
    facts = await S3Uploads(place.s3).describe(await place.put("acme/bad.csv"))
    [feed] = identify(facts.ref, facts, "house")
    claim = Claimed(feed=feed, fence=1, attempt=1, owner="w", started_at=facts.last_modified)
    error = FeedError(code="format/unknown_layout", message="no layout fits")
    report = report_of(claim, failed(error, Phase.READ), facts.last_modified)
    bucket = S3ErrorBucket(place.s3, place.errors)
    uri = await bucket.keep_report(report, 3)
    assert uri == f"s3://{place.errors}/acme/{feed.feed_id}/fence-3/report.json"
    other = report.model_copy(update={"issues_omitted": 7})
    assert await bucket.keep_report(other, 2) != uri, "whoever has another fence has another place"
    assert FeedReport.model_validate_json(await place.content(uri)) == report


@pytest.mark.parametrize(("size", "fence", "name"), [(100, 1, "rejected.csv"), (13 << 20, 4, "fence-4/rejected.csv")])
async def test_rejected_rows_are_kept_whole_each_claims_in_their_own_place(
    place: Place, tmp_path: Path, size: int, fence: int, name: str
) -> None:
    [feed] = await _feeds(place, "acme/bad.csv")
    path = tmp_path / "rejected.csv"
    content = (b"line,code,raw\n" * (size // 14 + 1))[:size]
    path.write_bytes(content)
    uri = await S3ErrorBucket(place.s3, place.errors, upload_bytes=5 << 20).keep_rejected(feed, fence, path)
    assert uri == f"s3://{place.errors}/acme/{feed.feed_id}/{name}"
    assert await place.content(uri) == content
    head = await place.s3.head_object(Bucket=place.errors, Key=uri.removeprefix(f"s3://{place.errors}/"))
    assert head["ContentType"] == "text/csv; charset=utf-8"


async def _feeds(place: Place, key: str) -> tuple[FeedIdentity, ...]:
    facts = await S3Uploads(place.s3).describe(await place.put(key))
    return identify(facts.ref, facts, "house")


async def test_versions_of_a_key_are_listed_newest_first_and_of_no_other_key(place: Place) -> None:
    key = f"acme/{secrets.token_hex(4)}.csv"
    refs = [await place.put(key, content) for content in (b"1", b"2", b"3")]
    await place.put(f"{key}.bak", b"4")
    listed = await S3Uploads(place.s3).list_versions(refs[0])
    assert sorted(listed, key=lambda version: listed[version]) == [ref.version_id for ref in reversed(refs)]


async def test_a_download_tells_how_far_it_is(place: Place, tmp_path: Path) -> None:
    uploads = S3Uploads(place.s3)
    content, told = b"x" * (3 << 20), list[int]()
    facts = await uploads.describe(await place.put("acme/big.csv", content))
    await uploads.download(facts, tmp_path / "raw", told.append)
    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] == len(content)


async def test_a_receipt_is_found_or_is_none(place: Place) -> None:
    receipt = Receipt(
        feed_id=UUID("019a0000-0000-7000-8000-000000000001"),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="a.csv",
        bucket=place.uploads,
        object_key="acme/a.csv",
        size_bytes=8,
        sha256="0" * 64,
        correlation_id="c",
        received_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    receipts = S3Receipts(place.s3, place.errors)
    await place.put(f"{receipt.feed_id}.json", receipt.model_dump_json().encode(), bucket=place.errors)
    assert await receipts.find(receipt.feed_id) == receipt
    assert await receipts.find(UUID(int=1)) is None


async def test_work_orders_reach_the_uploads_queue(emulator: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    queue_url = emulator.plane.feed_uploads_queue_url
    order = OutboxEvent(7, "7", "ReprocessRequested", "f", "acme", "transactions", "INFO", '{"Records": []}')
    async with AwsClients(ServiceSettings()).sqs() as sqs:
        assert await SqsWorkOrders(sqs, queue_url, 5).publish([order]) == {7}
        bodies: list[str] = []

        async def arrived() -> bool:
            answer = await sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
            bodies.extend(message["Body"] for message in answer.get("Messages", []))
            return order.body in bodies

        await until(arrived)
        with pytest.raises(Outage):
            await SqsWorkOrders(sqs, f"{queue_url}-none", 5).publish([order])


async def test_an_s3_that_is_away_is_an_outage() -> None:
    async with AwsClients(ServiceSettings(aws_endpoint_url="http://127.0.0.1:1", aws_max_attempts=1)).s3() as s3:
        with pytest.raises(Outage):
            await S3Uploads(s3).describe(ObjectRef("b", "k", None, None))


async def test_events_reach_the_notifiers_queue_with_their_attributes(
    emulator: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    clients = AwsClients(ServiceSettings())
    sample = (Path(__file__).parents[2] / "samples/events/feed_processed.json").read_text()
    events = [OutboxEvent(n, str(n), "FeedProcessed", "f", "acme", "transactions", "INFO", sample) for n in range(12)]
    async with clients.sns() as sns, clients.sqs() as sqs:
        topic = SnsFeedEvents(sns, emulator.plane.feed_events_topic_arn, 5)
        assert await topic.publish(events) == frozenset(range(12))
        answer = await sqs.receive_message(
            QueueUrl=emulator.plane.notifier_queue_url, WaitTimeSeconds=5, MessageAttributeNames=["All"]
        )
        [message] = answer["Messages"]
        assert message["Body"] == sample
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        assert attributes == {
            "event_type": "FeedProcessed",
            "seller_id": "acme",
            "feed_type": "transactions",
            "severity": "INFO",
        }
        with pytest.raises(Outage):
            await SnsFeedEvents(sns, f"{emulator.plane.feed_events_topic_arn}-none", 5).publish(events[:1])
    async with AwsClients(ServiceSettings(aws_endpoint_url="http://127.0.0.1:1", aws_max_attempts=1)).sns() as sns:
        with pytest.raises(Outage):
            await SnsFeedEvents(sns, emulator.plane.feed_events_topic_arn, 5).publish(events[:1])


async def test_where_no_versions_are_kept_an_overwritten_object_is_missing_and_never_mistaken(
    place: Place, tmp_path: Path
) -> None:
    bucket = f"plain-{secrets.token_hex(4)}"
    await place.s3.create_bucket(Bucket=bucket)
    uploads, errors = S3Uploads(place.s3, at_once_bytes=100), S3ErrorBucket(place.s3, place.errors)
    facts = await uploads.describe(await place.put("acme/a.csv", bucket=bucket))
    assert facts.ref.version_id is None
    await uploads.download(facts, tmp_path / "raw", untold)
    [feed] = identify(facts.ref, facts, "house")
    assert await errors.keep_raw(feed)
    await place.put("acme/a.csv", b"other", bucket=bucket)
    with pytest.raises(MissingObject):
        await uploads.download(facts, tmp_path / "raw", untold)
    if place.emulator == "ministack":  # moto ignores the condition on a copy's source
        assert await errors.keep_raw(feed) is None
