"""Which feed an object is, and whose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.aggregator.rules.feed_identity import (
    FeedIdentity,
    ObjectFacts,
    ObjectRef,
    dropped_feed_id,
    identify,
    is_folder_marker,
)

MINTED = UUID("019a0000-0000-7000-8000-000000000001")
MOMENT = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def facts(key: str, **metadata: str) -> ObjectFacts:
    ref = ObjectRef("uploads", key, "v1", "e1")
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    return ObjectFacts(ref=ref, size_bytes=10, last_modified=MOMENT, metadata=named)


def best(found: ObjectFacts) -> FeedIdentity:
    return identify(found.ref, found, "house")[0]


def test_an_upload_is_the_feed_that_ingest_minted_and_else_the_one_its_object_makes_it() -> None:
    found = facts(f"acme/{MINTED}/a.csv", feed_id=str(MINTED))
    minted, fallback = identify(found.ref, found, "house")
    assert minted.feed_id == MINTED
    assert fallback.feed_id == dropped_feed_id(found.ref)


@pytest.mark.parametrize(
    ("key", "feed_id"),
    [
        (f"acme/{MINTED}/a.csv", None),  # a key that looks like ingest's, without its metadata
        (f"acme/{MINTED}/a.csv", "019a0000-0000-7000-8000-000000000002"),
        ("acme/a.csv", str(MINTED)),  # metadata copied to another key
        (f"acme/{str(MINTED).upper()}/a.csv", str(MINTED)),
        (f"{MINTED}/a.csv", str(MINTED)),
        ("acme/x/a.csv", "not-an-id"),
    ],
)
def test_an_imitation_is_known_by_its_object_alone(key: str, feed_id: str | None) -> None:
    found = facts(key, **({"feed_id": feed_id} if feed_id else {}))
    assert [feed.feed_id for feed in identify(found.ref, found, "house")] == [dropped_feed_id(found.ref)]


def test_a_dropped_object_is_the_same_feed_at_every_delivery_and_another_with_another_content() -> None:
    ref = ObjectRef("uploads", "acme/a.csv", "v1", "e1")
    assert dropped_feed_id(ref) == dropped_feed_id(replace(ref, etag=None))
    assert dropped_feed_id(ref) == UUID("bfb2e87a-30ef-556e-9050-a1e0fd8941d6")  # stored ids depend on it
    others = [replace(ref, version_id="v2"), replace(ref, key="acme/b.csv"), replace(ref, bucket="b")]
    assert len({dropped_feed_id(ref), *map(dropped_feed_id, others)}) == 4
    unversioned = replace(ref, version_id=None)
    assert dropped_feed_id(unversioned) != dropped_feed_id(replace(unversioned, etag="e2"))


@pytest.mark.parametrize(
    ("key", "metadata", "seller", "code"),
    [
        ("acme/a.csv", {}, "acme", None),
        ("acme/deep/er/a.csv", {}, "acme", None),
        ("a.csv", {}, "house", None),
        ("a.csv", {"seller_id": "acme"}, "acme", None),
        ("acme/a.csv", {"seller_id": "acme"}, "acme", None),
        ("acme/a.csv", {"seller_id": "bob"}, "acme", "authorization/seller_mismatch"),
        ("my shop/a.csv", {}, "house", "reference/invalid_seller"),
        ("/a.csv", {}, "house", "reference/invalid_seller"),
        ("acme\n/a.csv", {}, "house", "reference/invalid_seller"),
        (f"{'x' * 65}/a.csv", {}, "house", "reference/invalid_seller"),
        ("a.csv", {"seller_id": "../etc"}, "house", "reference/invalid_seller"),
        ("acme/a.csv", {"feed_type": "transactions"}, "acme", None),
        ("acme/a.csv", {"feed_type": "horoscopes"}, "acme", "reference/invalid_option"),
        ("acme/a.csv", {"replaces": str(MINTED), "decimal_separator": ","}, "acme", None),
    ],
)
def test_whose_it_is_and_what_is_objected(key: str, metadata: dict[str, str], seller: str, code: str | None) -> None:
    feed = best(facts(key, **metadata))
    assert feed.seller_id == seller
    assert (feed.objection.code if feed.objection else None) == code


def test_the_name_is_the_uploaders_where_ingest_kept_it_else_the_keys() -> None:
    assert best(facts("acme/a/b.csv")).file_name == "b.csv"
    assert best(facts("acme/a/b.csv", file_name="Ums%C3%A4tze%20%2B%20mehr.csv")).file_name == "Umsätze + mehr.csv"
    assert len(best(facts(f"acme/{'x' * 900}.csv")).file_name) == 255


def test_a_correlation_id_is_taken_over_if_it_is_one_and_is_else_the_feeds_own() -> None:
    assert best(facts("acme/a.csv", correlation_id="req-1")).correlation_id == "req-1"
    for offered in ("no good", "good\n", "", "x" * 65):
        feed = best(facts("acme/a.csv", correlation_id=offered))
        assert feed.correlation_id == str(feed.feed_id)


def test_what_is_not_there_any_more_is_said_so_under_the_id_its_key_names() -> None:
    ref = ObjectRef("uploads", f"acme/{MINTED}/a.csv", "v1", None)
    minted, fallback = identify(ref, None, "house")
    assert (minted.feed_id, fallback.feed_id) == (MINTED, dropped_feed_id(ref))
    assert minted.objection
    assert minted.objection.code == "reference/missing_object"


def test_only_an_empty_object_is_a_folder() -> None:
    folder = ObjectRef("uploads", "acme/", "v1", "e1")
    assert is_folder_marker(folder, 0)
    assert not is_folder_marker(folder, 12)
    assert not is_folder_marker(replace(folder, key="acme/empty.csv"), 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (("v1", "e1"), ("v1", "e1"), True),
        (("v1", "e1"), ("v2", "e1"), False),
        (("v1", None), (None, None), True),
        ((None, "e1"), (None, "e2"), False),
        ((None, "e1"), ("v1", "e1"), True),
        ((None, "e1"), ("v1", "e2"), False),
    ],
)
def test_sameness_is_judged_by_what_both_sides_say(
    ours: tuple[str | None, str | None], theirs: tuple[str | None, str | None], same: bool
) -> None:
    assert ObjectRef("b", "k", *ours).is_same_as(ObjectRef("b", "k", *theirs)) is same
    assert not ObjectRef("b", "k", *ours).is_same_as(ObjectRef("b", "other", *ours))


@pytest.mark.parametrize(
    ("minted_at", "believed"),
    [
        (MOMENT - timedelta(milliseconds=137), True),
        (MOMENT - timedelta(hours=5), True),  # a long upload
        (MOMENT - timedelta(days=8), False),
        (MOMENT + timedelta(hours=1), False),
    ],
)
def test_an_upload_was_received_when_its_id_was_minted_if_that_can_be(minted_at: datetime, believed: bool) -> None:
    milliseconds = int(minted_at.timestamp() * 1000)
    minted = UUID(int=milliseconds << 80 | 0x7000_8000_0000_0000_0001)
    identity = best(facts(f"acme/{minted}/a.csv", feed_id=str(minted)))
    assert identity.feed_id == minted
    assert identity.received_at == (minted_at if believed else MOMENT)
    assert best(facts("acme/dropped.csv")).received_at == MOMENT
