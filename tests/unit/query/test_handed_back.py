"""What is handed back where no report is stored, and names that lead no file system, header or reader astray."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.rules.handed_back import attachment, plain_report, rejected_file_name
from shared.schemas.feeds import FeedType, FeedView, ProcessingStatus, Recognised


@pytest.mark.parametrize(
    ("file_name", "saved_as"),
    [
        ("sales.csv", "sales.rejected.csv"),
        ("Umsätze März.CSV", "Umsätze März.rejected.csv"),
        ("sales.csv.gz", "sales.rejected.csv"),
        ("sales.2026.03", "sales.2026.03.rejected.csv"),
        ("book.xlsx", "book.rejected.csv"),
        ("../../etc/passwd", "_.._etc_passwd.rejected.csv"),
        (r"C:\x.csv", "C__x.rejected.csv"),
        ("a\r\nSet-Cookie: b.csv", "aSet-Cookie_ b.rejected.csv"),
        ("gpj\u202evsc.csv", "gpjvsc.rejected.csv"),
        (".csv", "feed.rejected.csv"),
        ("...", "feed.rejected.csv"),
        ("年" * 255 + ".csv", "年" * 66 + ".rejected.csv"),
        ("x" * 255, "x" * 200 + ".rejected.csv"),
    ],
)
def test_the_name_says_what_it_is(file_name: str, saved_as: str) -> None:
    assert rejected_file_name(file_name) == saved_as


def test_a_header_says_the_name_twice() -> None:
    assert attachment(rejected_file_name("Umsätze.csv")) == (
        "attachment; filename=\"Ums_tze.rejected.csv\"; filename*=UTF-8''Ums%C3%A4tze.rejected.csv"
    )


@given(st.text(max_size=300))
def test_no_name_breaks_out_of_its_header(file_name: str) -> None:
    saved_as = rejected_file_name(file_name)
    assert not re.search(r'[/\\\x00-\x1f\x7f"]', saved_as)
    assert not saved_as.startswith(".")
    assert len(saved_as.encode()) <= 255
    header = attachment(saved_as)
    assert header.isascii()
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._ -]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", header)


def test_a_report_that_was_not_stored_says_all_that_is_known_of_the_feed() -> None:
    replaces, replaced_by, corrects, duplicate_of = (UUID(int=n) for n in range(4))
    feed = FeedView(
        feed_id=UUID(int=9),
        seller_id="acme",
        feed_type=FeedType.TRANSACTIONS,
        file_name="a.csv",
        processing_status=ProcessingStatus.DONE,
        duplicate_of=duplicate_of,
        replaces=replaces,
        replaced_by=replaced_by,
        corrects=corrects,
        recognised=Recognised(format="csv", layout="header"),
        correlation_id="c",
        received_at=datetime(2026, 3, 4, tzinfo=UTC),
    )
    header = plain_report(feed).header.model_dump()
    shown = feed.model_dump()
    assert {name: header[name] for name in header.keys() & shown.keys()} == {
        name: shown[name] for name in header.keys() & shown.keys()
    }
    assert {"recognised", "replaces", "replaced_by", "corrects", "duplicate_of"} <= header.keys() & shown.keys()
