"""Which content of a key is the newer one."""

from datetime import datetime, timedelta

import pytest

from services.aggregator.rules.version_order import OrderUnknown, VersionPlace, is_newer, ranked

NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - as the database has it
LATER = NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("0055aed6dcd90281e5", "0055AED6DCD90281E6"),  # hexadecimal has no case
        ("0055AED6DCD90281E5", "0055AED6DCD90281E501"),  # padded with zeros on the right
        ("0055AED6DCD90281E5", "0056"),  # so that the shorter one may be the newer one
    ],
)
def test_sequencers_decide_as_aws_says_whatever_the_clocks_say(older: str, newer: str) -> None:
    old, new = VersionPlace("v1", older, LATER), VersionPlace("v2", newer, NOON)
    assert is_newer(new, old)
    assert not is_newer(old, new)


def test_where_one_has_no_sequencer_the_times_decide() -> None:
    old, new = VersionPlace("v1", "FF", NOON), VersionPlace("v2", None, LATER)
    assert is_newer(new, old)
    assert not is_newer(old, new)


@pytest.mark.parametrize(("one", "other"), [(None, None), ("00A0", "00A")])
def test_within_one_second_the_buckets_own_list_decides(one: str | None, other: str | None) -> None:
    old, new = VersionPlace("v1", one, NOON, LATER), VersionPlace("v2", other, NOON, NOON)
    with pytest.raises(OrderUnknown):
        is_newer(new, old)
    listed = {"v2": 0, "v1": 1}
    assert is_newer(new, old, listed)
    assert not is_newer(old, new, listed)
    with pytest.raises(OrderUnknown):
        is_newer(old, new, {"v1": 0})  # the other one may have come since


def test_what_a_fresh_list_lacks_of_those_asked_about_before_is_older_than_all_it_has() -> None:
    assert ranked({"v3": 0, "v2": 1}, {"v1", "v2"}) == {"v3": 0, "v2": 1, "v1": 2}


def test_without_versions_what_could_be_described_later_is_newer() -> None:
    old, new = VersionPlace(None, None, NOON, NOON), VersionPlace(None, None, NOON, LATER)
    assert is_newer(new, old)
    assert not is_newer(old, new)
    assert not is_newer(VersionPlace(None, None, NOON, None), old)
