"""What a feed is to be read with: its object's metadata, and what was asked for since."""

from decimal import Decimal
from uuid import UUID

import pytest

from services.aggregator.rules.given_options import options_of
from shared.schemas.feed_options import FeedOptions, OnError
from shared.schemas.feeds import FeedError

OTHER = UUID(int=7)


@pytest.mark.parametrize("name", ["date-format", "date_format", "Date-Format"])
def test_an_option_is_known_however_its_name_is_written(name: str) -> None:
    assert options_of({name: "%25d/%25m/%25Y"}, {}) == FeedOptions(date_format="%d/%m/%Y")


def test_what_else_an_object_carries_is_none_of_them() -> None:
    assert options_of({"feed-id": "x", "file-name": "y", "sha256": "z"}, {}) == FeedOptions()


@pytest.mark.parametrize(
    "metadata",
    [
        {"charset": "klingon-8"},
        {"date-format": "%d"},
        {"on-error": "explode"},
        {"max-rejected-percent": "101"},
        {"replaces": "last week's"},
        {"replaces": str(OTHER), "corrects": str(OTHER)},
    ],
)
def test_what_cannot_be_meant_is_said(metadata: dict[str, str]) -> None:
    refused = options_of(metadata, {})
    assert isinstance(refused, FeedError)
    assert refused.code == "reference/invalid_option"
    assert refused.message


def test_what_is_asked_for_later_takes_the_place_of_what_it_came_with_and_nothing_else() -> None:
    metadata = {"charset": "cp1252", "decimal-separator": ",", "replaces": str(OTHER)}
    assert options_of(metadata, {"charset": "latin-1", "decimal_separator": None}) == FeedOptions(
        charset="iso8859-1", replaces=OTHER
    )


def test_a_value_that_cannot_be_meant_can_be_mended_later() -> None:
    assert options_of({"charset": "klingon-8"}, {"charset": None}) == FeedOptions()
    strict = options_of({}, {"on_error": "skip_file", "max_rejected_percent": "0.5"})
    assert strict == FeedOptions(on_error=OnError.SKIP_FILE, max_rejected_percent=Decimal("0.5"))
