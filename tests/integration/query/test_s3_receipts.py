"""Receipts as ingest leaves them."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from services.query.adapters.s3_receipts import S3Receipts
from services.query.errors import StoreUnavailable
from shared.runtime.aws import AwsClients
from shared.runtime.settings import ServiceSettings
from shared.schemas.feeds import FeedType, Receipt
from tests.split_bodies import SplitAnswers, in_pieces

TEXT = (Path(__file__).parents[2] / "samples" / "receipts" / "receipt.json").read_bytes()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


async def test_a_receipt_is_found_by_its_feed(moto_url: str) -> None:
    receipt = Receipt(
        feed_id=uuid4(),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="März.csv",
        bucket="uploads",
        object_key="acme/1/M_rz.csv",
        size_bytes=0,
        sha256="a" * 64,
        correlation_id="c",
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    async with AwsClients(ServiceSettings(aws_endpoint_url=moto_url)).s3() as s3:
        await s3.create_bucket(Bucket="receipts")
        await s3.put_object(Bucket="receipts", Key=f"{receipt.feed_id}.json", Body=receipt.model_dump_json().encode())
        assert await S3Receipts(s3, "receipts", 5.0).one(receipt.feed_id) == receipt
        assert await S3Receipts(s3, "receipts", 5.0).one(uuid4()) is None
        with pytest.raises(StoreUnavailable):
            await S3Receipts(s3, "no-such-bucket", 5.0).one(receipt.feed_id)


async def test_a_store_that_is_away_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = ServiceSettings(aws_endpoint_url="http://127.0.0.1:1", aws_max_attempts=1)
    async with AwsClients(settings).s3() as s3:
        with pytest.raises(StoreUnavailable):
            await S3Receipts(s3, "receipts", 5.0).one(uuid4())


async def test_a_receipt_that_comes_in_pieces_is_found_and_one_that_is_cut_off_is_a_store_that_is_away() -> None:
    receipt = Receipt.model_validate_json(TEXT)
    split = SplitAnswers(in_pieces(TEXT))
    assert await S3Receipts(split, "receipts", 5.0).one(receipt.feed_id) == receipt  # type: ignore[arg-type] # as much as is called
    cut = SplitAnswers(in_pieces(TEXT)[:2], size_bytes=len(TEXT))
    with pytest.raises(StoreUnavailable):
        await S3Receipts(cut, "receipts", 5.0).one(receipt.feed_id)  # type: ignore[arg-type] # as above
