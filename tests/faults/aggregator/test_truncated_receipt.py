"""A receipt of which only a part arrives is no receipt: it is to be asked for again. One that comes in parts is one."""

from pathlib import Path

import pytest

from services.aggregator.adapters.s3_receipts import S3Receipts
from services.aggregator.errors import Outage
from shared.schemas.feeds import Receipt
from tests.split_bodies import SplitAnswers, in_pieces

TEXT = (Path(__file__).parents[2] / "samples" / "receipts" / "receipt.json").read_bytes()
RECEIPT = Receipt.model_validate_json(TEXT)


async def test_a_truncated_receipt_is_an_outage() -> None:
    half = SplitAnswers([TEXT[: len(TEXT) // 2]], size_bytes=len(TEXT))
    with pytest.raises(Outage, match="ended after"):
        await S3Receipts(half, "receipts").find(RECEIPT.feed_id)  # type: ignore[arg-type] # as much as is called


async def test_a_receipt_that_comes_in_pieces_is_found() -> None:
    split = SplitAnswers(in_pieces(TEXT))
    found = await S3Receipts(split, "receipts").find(RECEIPT.feed_id)  # type: ignore[arg-type] # as above
    assert found == RECEIPT
