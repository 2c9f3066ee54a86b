"""A receipt of which only a part arrives is no receipt: it is to be asked for again."""

# ruff: noqa: N803 - the arguments are called as AWS calls them

from uuid import UUID

import pytest

from services.aggregator.adapters.s3_receipts import S3Receipts
from services.aggregator.errors import Outage
from tests.faults.aggregator.memory_s3 import Body

FEED_ID = UUID("01a20073-d180-7bf2-b00f-8844b2a13bdb")


class HalfAnswers:
    """An S3Client whose bodies end early."""

    async def get_object(self, *, Bucket: str, Key: str) -> dict[str, object]:
        content = b'{"feed_id": "01a20073-d180-7bf2-b00f-8844b2a13bdb", "seller_id"'
        return {"ContentLength": 2 * len(content), "Body": Body(content, breaks_off=False)}


async def test_a_truncated_receipt_is_an_outage() -> None:
    with pytest.raises(Outage, match="ended after"):
        await S3Receipts(HalfAnswers(), "receipts").find(FEED_ID)  # type: ignore[arg-type] # as much as is called
