"""Options come from the form or from headers; what they cannot mean is refused."""

import pytest

from services.ingest.errors import InvalidField
from services.ingest.rules.upload_options import OfferedOptions, UploadOptions
from shared.schemas.feeds import FeedType


def _decided(fields: list[tuple[str, str]], headers: dict[str, list[str]] | None = None) -> UploadOptions:
    offered = OfferedOptions(headers or {}, "house")
    for name, value in fields:
        offered.take(name, value)
    return offered.decided()


def test_nothing_said_is_the_default_seller_and_transactions() -> None:
    assert _decided([]) == UploadOptions("house", FeedType.TRANSACTIONS)


def test_a_field_or_a_header_names_the_seller_and_both_may_agree() -> None:
    named = UploadOptions("acme", FeedType.TRANSACTIONS)
    assert _decided([("seller_id", " acme ")]) == named
    assert _decided([], {"X-Seller-Id": ["acme"], "X-Feed-Type": ["transactions"]}) == named
    assert _decided([("seller_id", "acme")], {"X-Seller-Id": ["acme"]}) == named


@pytest.mark.parametrize(
    ("fields", "headers", "says"),
    [
        ([("seller_id", "acme")], {"X-Seller-Id": ["zeta"]}, "'acme' in the form and 'zeta' in X-Seller-Id"),
        ([("seller_id", "")], {}, "seller_id is empty"),
        ([], {"X-Seller-Id": [" "]}, "seller_id is empty"),
        ([("seller_id", "a/b")], {}, "'a/b' is not valid"),
        ([("seller_id", "a" * 65)], {}, "is not valid"),
        ([("seller_id", "ünïcode")], {}, "is not valid"),
        ([], {"X-Seller-Id": ["-a"]}, "'-a' is not valid"),
        ([("feed_type", "klingon")], {}, "no feed_type 'klingon'"),
        ([], {"X-Feed-Type": ["Transactions"]}, "no feed_type 'Transactions'"),
        ([("seller_id", "a"), ("seller_id", "a")], {}, "given twice"),
        ([], {"X-Seller-Id": ["a", "a"]}, "given 2 times"),
        ([("sheet", "1")], {}, "unknown field 'sheet'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    fields: list[tuple[str, str]], headers: dict[str, list[str]], says: str
) -> None:
    with pytest.raises(InvalidField, match=says):
        _decided(fields, headers)


def test_a_refusal_says_what_is_accepted() -> None:
    with pytest.raises(InvalidField) as unknown_type:
        _decided([("feed_type", "x")])
    assert unknown_type.value.suggestions == ["transactions"]
    with pytest.raises(InvalidField) as unknown_field:
        _decided([("x", "x")])
    assert unknown_field.value.suggestions == ["fields are: feed_type, seller_id"]
