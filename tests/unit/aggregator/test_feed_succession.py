"""Whose contribution a feed takes back, and whether it may count at all."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from services.aggregator.errors import MustWait, NewerVersion, RelationRefused
from services.aggregator.rules.feed_succession import (
    CorrectedRows,
    Decision,
    KnownFeed,
    Refused,
    Succession,
    Superseded,
    WaitsFor,
    permitted,
    succession,
)
from services.aggregator.rules.version_order import VersionPlace
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError, FeedType, ProcessingStatus


def known(number: int, status: ProcessingStatus = ProcessingStatus.DONE, *, counts: bool | None = None) -> KnownFeed:
    """Feed number n; as a version of a key, the n-th."""
    return KnownFeed(
        feed_id=UUID(int=number),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        status=status,
        counts=status is ProcessingStatus.DONE if counts is None else counts,
        place=VersionPlace(f"v{number}", f"{number:04X}", datetime(2026, 11, 22)),  # noqa: DTZ001 - as stored
    )


OWN = known(5, ProcessingStatus.IN_PROGRESS, counts=False)
OTHER = known(3)
NONE = FeedOptions()
REPLACES = FeedOptions(replaces=OTHER.feed_id)
CORRECTS = FeedOptions(corrects=OTHER.feed_id)


def decided(
    options: FeedOptions = NONE, named: KnownFeed | None = None, *versions: KnownFeed, same: KnownFeed | None = None
) -> Decision:
    return succession(OWN, options, named=named, versions=versions, same_content=same)


def test_a_feed_without_relations_takes_nothing_back() -> None:
    assert decided() == Succession()


@pytest.mark.parametrize(("brought", "before", "fits"), [(2, 0, True), (3, 0, False), (1, 1, True), (2, 1, False)])
def test_a_correction_brings_no_more_rows_than_were_rejected(brought: int, before: int, fits: bool) -> None:
    named, rows = replace(OTHER, rows_rejected=2), CorrectedRows(brought, 0, before)
    decision = succession(OWN, CORRECTS, named=named, versions=(), same_content=None, rows=rows)
    if fits:
        assert decision == Succession()
    else:
        assert isinstance(decision, Refused)
        assert decision.error.code == "reference/too_many_corrections"


@pytest.mark.parametrize(("rejected", "corrected", "fits"), [(2, 0, True), (2, 2, True), (1, 2, False), (0, 1, False)])
def test_a_feed_read_anew_rejects_no_fewer_rows_than_its_corrections_bring(
    rejected: int, corrected: int, fits: bool
) -> None:
    rows = CorrectedRows(5, rejected, corrected=corrected)
    for same in (None, known(2)):
        decision = succession(OWN, NONE, named=None, versions=(), same_content=same, rows=rows)
        if fits:
            assert decision == Succession((), same)
        else:
            assert isinstance(decision, Refused)
            assert decision.error.code == "reference/corrected_already"
            told = f"{rejected} rows of this feed are rejected" if same is None else f"count in feed {same.feed_id}"
            assert told in decision.error.message


def test_a_feed_that_replaces_the_one_with_its_bytes_is_judged_by_its_own_rows() -> None:
    decision = succession(
        OWN, REPLACES, named=OTHER, versions=(), same_content=OTHER, rows=CorrectedRows(5, 1, corrected=2)
    )
    assert isinstance(decision, Refused)
    assert "1 rows of this feed are rejected" in decision.error.message


def test_who_replaces_a_feed_brings_as_many_rows_as_it_likes() -> None:
    rows = CorrectedRows(100, 0)
    decision = succession(OWN, REPLACES, named=OTHER, versions=(), same_content=None, rows=rows)
    assert decision == Succession((OTHER.feed_id,))


def test_the_same_correction_once_more_is_a_duplicate_and_no_failure() -> None:
    named, rows = replace(OTHER, rows_rejected=2), CorrectedRows(2, 0, 2)
    decision = succession(OWN, CORRECTS, named=named, versions=(), same_content=known(2), rows=rows)
    assert decision == Succession((), known(2))


@pytest.mark.parametrize(
    ("newer", "by"),
    [
        ([known(6, counts=False), known(7)], 7),
        ([known(6), known(7, counts=False)], 6),
        ([known(6, counts=False), known(8, counts=False), known(7, counts=False)], 8),
    ],
)
def test_superseded_names_the_version_that_counts_else_the_newest(newer: list[KnownFeed], by: int) -> None:
    assert decided(NONE, None, *newer) == Superseded(UUID(int=by))


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        replace(OTHER, withdrawn=True, counts=False),
        replace(OTHER, status=ProcessingStatus.FATAL, counts=False),
        replace(OTHER, status=ProcessingStatus.CANCELLED, counts=False),
        replace(OTHER, replaced_by=OWN.feed_id, counts=False),  # by this very feed, in an earlier run
        replace(OTHER, status=ProcessingStatus.IN_PROGRESS),  # it is read anew, and counts meanwhile
    ],
)
def test_what_is_replaced_need_not_count_any_more(other: KnownFeed) -> None:
    assert decided(REPLACES, other) == Succession((OTHER.feed_id,))


@pytest.mark.parametrize(
    ("options", "other", "code"),
    [
        (REPLACES, None, "unknown_feed"),
        (CORRECTS, None, "unknown_feed"),
        (REPLACES, replace(OTHER, seller_id="bob"), "unknown_feed"),
        (REPLACES, OWN, "unknown_feed"),
        (CORRECTS, replace(OTHER, seller_id="bob"), "unknown_feed"),
        (REPLACES, replace(OTHER, replaced_by=UUID(int=8), counts=False), "replaced_feed"),
        (CORRECTS, replace(OTHER, replaced_by=UUID(int=8), counts=False), "replaced_feed"),
        (REPLACES, replace(OTHER, duplicate_of=UUID(int=8), counts=False), "duplicate_feed"),
        (CORRECTS, replace(OTHER, withdrawn=True, counts=False), "withdrawn_feed"),
        (CORRECTS, replace(OTHER, status=ProcessingStatus.FATAL, counts=False), "feed_not_applied"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could(
    options: FeedOptions, other: KnownFeed | None, code: str
) -> None:
    decision = decided(options, other)
    assert isinstance(decision, Refused)
    assert decision.error.code == f"reference/{code}"
    with pytest.raises(RelationRefused, match=decision.error.message[:20]):
        permitted(decision)


@pytest.mark.parametrize("options", [REPLACES, CORRECTS])
@pytest.mark.parametrize("status", [ProcessingStatus.IN_QUEUE, ProcessingStatus.IN_PROGRESS])
def test_a_feed_that_has_not_ended_is_waited_for(options: FeedOptions, status: ProcessingStatus) -> None:
    decision = decided(options, replace(OTHER, status=status, counts=False))
    assert decision == WaitsFor(OTHER.feed_id)
    with pytest.raises(MustWait):
        permitted(decision)


def test_a_correction_takes_nothing_back() -> None:
    assert decided(CORRECTS, OTHER) == Succession()


def test_an_older_version_that_counts_is_taken_back() -> None:
    assert decided(NONE, None, known(4)) == Succession((UUID(int=4),))
    assert decided(NONE, None, replace(known(4), status=ProcessingStatus.IN_QUEUE)) == Succession((UUID(int=4),))


@pytest.mark.parametrize(
    "older",
    [
        known(4, ProcessingStatus.FATAL),
        known(4, ProcessingStatus.IN_PROGRESS),
        known(4, counts=False),
        replace(known(4), seller_id="bob"),
    ],
)
def test_an_older_version_that_does_not_count_is_left_alone(older: KnownFeed) -> None:
    assert decided(NONE, None, older) == Succession()


@pytest.mark.parametrize("newer", [known(6), known(6, counts=False)])
def test_a_newer_version_that_is_applied_makes_this_one_late(newer: KnownFeed) -> None:
    """Also one that was withdrawn since: what it had replaced does not come back either."""
    decision = decided(NONE, None, newer, known(4))
    assert decision == Superseded(UUID(int=6))
    with pytest.raises(NewerVersion):
        permitted(decision)


@pytest.mark.parametrize("newer", [known(6, ProcessingStatus.FATAL), known(6, ProcessingStatus.IN_PROGRESS)])
def test_a_newer_version_that_is_not_applied_changes_nothing(newer: KnownFeed) -> None:
    assert decided(NONE, None, newer) == Succession()


def test_a_newer_version_that_is_a_duplicate_of_this_very_feed_does_not_keep_it_from_being_read_anew() -> None:
    duplicate = replace(known(6), duplicate_of=OWN.feed_id, counts=False)
    assert decided(NONE, None, duplicate) == Succession()
    assert decided(NONE, None, duplicate, known(7)) == Superseded(UUID(int=7))


def test_the_same_bytes_are_a_duplicate() -> None:
    assert decided(same=known(2)) == Succession((), known(2))


def test_the_same_bytes_of_the_very_feed_that_is_named_are_its_replacement() -> None:
    assert decided(REPLACES, OTHER, same=OTHER) == Succession((OTHER.feed_id,))


def test_the_same_bytes_of_another_feed_are_a_duplicate_and_the_one_named_is_taken_back_all_the_same() -> None:
    assert decided(REPLACES, OTHER, same=known(2)) == Succession((OTHER.feed_id,), known(2))


def test_the_same_bytes_of_an_older_version_leave_it_counting() -> None:
    assert decided(NONE, None, known(4), same=known(4)) == Succession((), known(4))
    assert decided(NONE, None, known(4), same=known(2)) == Succession((UUID(int=4),), known(2))


def test_a_refusal_says_its_reason() -> None:
    with pytest.raises(RelationRefused) as refused:
        permitted(Refused(FeedError(code="reference/unknown_feed", message="there is none")))
    assert (refused.value.code, refused.value.message) == ("reference/unknown_feed", "there is none")
