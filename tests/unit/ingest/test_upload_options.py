"""Options come from the form or from headers; what they cannot mean is refused."""

from decimal import Decimal
from uuid import UUID

import pytest

from services.ingest.errors import InvalidField
from services.ingest.rules.upload_options import HEADERS, OfferedOptions, UploadOptions
from shared.schemas.feed_options import FeedOptions, OnError
from shared.schemas.feeds import FeedType

FEED = "0195608f-3c1a-7000-8000-000000000001"
OTHER = "0195608f-3c1a-7000-8000-000000000002"


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


def test_every_option_of_a_feed_may_be_a_field_or_a_header() -> None:
    said = {
        "charset": "Windows-1252",
        "date_format": "%d/%m/%Y",
        "decimal_separator": ",",
        "sheet": "Umsätze",
        "on_error": "skip_file",
        "max_rejected_percent": "2.5",
        "replaces": FEED,
    }
    meant = FeedOptions(
        charset="cp1252",
        date_format="%d/%m/%Y",
        decimal_separator=",",
        sheet="Umsätze",
        on_error=OnError.SKIP_FILE,
        max_rejected_percent=Decimal("2.5"),
        replaces=UUID(FEED),
    )
    assert _decided(list(said.items())).feed == meant
    in_headers = {HEADERS[name]: [value] for name, value in said.items() if value.isascii()}
    assert _decided([("sheet", "Umsätze")], in_headers).feed == meant
    assert _decided([("corrects", FEED)]).feed == FeedOptions(corrects=UUID(FEED))
    assert set(HEADERS) == {"seller_id", "feed_type", *FeedOptions.model_fields}


@pytest.mark.parametrize(
    ("option", "one", "other"),
    [
        ("charset", "UTF-8", "utf8"),
        ("max_rejected_percent", "5", "5.0"),
        ("replaces", FEED, FEED.upper()),
    ],
)
def test_a_header_and_a_field_agree_if_they_mean_the_same(option: str, one: str, other: str) -> None:
    assert _decided([(option, other)], {HEADERS[option]: [one]}) == _decided([(option, one)])


@pytest.mark.parametrize(
    ("fields", "headers", "says"),
    [
        (
            [("seller_id", "acme")],
            {"X-Seller-Id": ["zeta"]},
            "'acme' in the form and differs from the header X-Seller-Id",
        ),
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
        ([("color", "1")], {}, "unknown field 'color'"),
        ([("charset", "klingon-8")], {}, "'klingon-8' is no character set that is known"),
        ([("charset", "base64")], {}, "no character set of text files"),
        ([("date_format", "%d/%m")], {}, "needs exactly one year"),
        ([], {"X-Date-Format": ["%d/%m/%Q"]}, "%Q is not read in a date_format"),
        ([("decimal_separator", ";")], {}, "decimal_separator: Input should be '.' or ','"),
        ([("sheet", "s" * 32)], {}, "sheet: .* at most 31 characters"),
        ([("on_error", "stop")], {}, "on_error: Input should be 'continue' or 'skip_file'"),
        ([("max_rejected_percent", "100.1")], {}, "less than or equal to 100"),
        ([("max_rejected_percent", "NaN")], {}, "max_rejected_percent"),
        ([("replaces", "the last one")], {}, "replaces: .* UUID"),
        ([("replaces", "")], {}, "replaces is empty"),
        ([("charset", "utf-8")], {"X-Charset": ["cp1252"]}, "differs from the header X-Charset"),
        ([("sheet", "a"), ("sheet", "a")], {}, "given twice"),
        ([], {"X-Sheet": ["a", "a"]}, "given 2 times"),
        ([], {"X-Sheet": ["Ums\xc3\xa4tze"]}, "not ASCII: send sheet as a form field"),
        ([("replaces", FEED), ("corrects", OTHER)], {}, "either replaces another or corrects it"),
        ([("corrects", OTHER)], {"X-Replaces": [FEED]}, "either replaces another or corrects it"),
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
    assert unknown_field.value.suggestions == [
        "fields are: charset, corrects, date_format, decimal_separator, feed_type, max_rejected_percent, on_error,"
        " replaces, seller_id, sheet"
    ]
    for option in FeedOptions.model_fields:
        with pytest.raises(InvalidField) as impossible:
            _decided([(option, "%" * 70)])
        assert impossible.value.reason == FeedOptions.model_fields[option].description
        # What is suggested is accepted.
        for suggestion in impossible.value.suggestions or [""]:
            name, _, value = suggestion.partition("=")
            assert name == option
            _decided([(name, value)])
