"""What people read: what happened comes first, the numbers are right, and nothing can break the line."""

import pytest
from hypothesis import given

from services.notifier.rules.wording import SUBJECT_MAX_CHARACTERS, headline, subject, text
from shared.schemas.events import FeedEvent, FeedFailed, FeedProcessed
from shared.schemas.feeds import Counts
from shared.schemas.issues import IssueTotal, Severity
from tests.unit.notifier.events import events, sample


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("feed_processed", "21 of 21 rows counted: sales 2026-03.csv"),
        ("feed_processed_with_rejects", "18 of 21 rows counted, 1 rejected, 1 duplicate, 1 skipped: sales 2026-03.csv"),
        ("feed_processed_duplicate", "Feed already counted, not counted again: sales 2026-03.csv"),
        ("feed_processed_without_rows", "Feed without rows, nothing to count: sales 2026-03.csv"),
        ("feed_failed_unreadable", "Feed failed, nothing counted: sales 2026-03.csv"),
        ("feed_failed_with_books", "Feed failed, nothing counted: sales 2026-03.csv"),
        ("feed_reprocess_failed", "Feed could not be read anew, its earlier result stands: sales 2026-03.csv"),
        ("feed_withdrawn", "Feed withdrawn, 18 rows no longer counted: sales 2026-03.csv"),
        ("feed_replaced", "Feed replaced by another, 18 rows no longer counted: sales 2026-03.csv"),
        ("feed_cancelled", "Feed cancelled, nothing counted: sales 2026-03.csv"),
        ("feed_cancelled_superseded", "Feed cancelled, nothing counted: sales 2026-03.csv"),
    ],
)
def test_a_subject_says_what_happened(name: str, line: str) -> None:
    assert subject(sample(name)) == line


def test_numbers_are_readable_and_one_row_is_one_row() -> None:
    event = sample("feed_processed").model_copy(
        update={"counts": Counts(rows_received=1_234_567, rows_accepted=1_234_560, rows_rejected=7)}
    )
    assert headline(event) == "1,234,560 of 1,234,567 rows counted, 7 rejected"
    one = event.model_copy(update={"counts": Counts(rows_received=1, rows_accepted=1)})
    assert headline(one) == "1 of 1 row counted"


def test_a_text_has_the_books_what_was_wrong_and_where_the_report_is() -> None:
    event = sample("feed_processed_with_rejects")
    assert isinstance(event, FeedProcessed)
    assert event.report_uri
    lines = text(event).splitlines()
    assert "Rows received  21" in lines
    assert "  rejected      1" in lines
    assert "  validation/invalid_quantity (ERROR): 1 row" in lines
    assert f"The report: {event.report_uri}" in lines
    assert f"Correlation id {event.correlation_id}." in lines


def test_a_failure_says_why_and_where_the_file_is() -> None:
    event = sample("feed_failed_unreadable")
    assert isinstance(event, FeedFailed)
    said = text(event)
    assert "could not be processed. None of its rows count." in said
    assert f"Why: {event.error.message} ({event.error.code})" in said
    assert str(event.raw_uri) in said
    assert "Rows received" not in said  # the file was not read to its end: there are no books to show


def test_a_duplicate_names_the_feed_that_counts() -> None:
    event = sample("feed_processed_duplicate")
    assert isinstance(event, FeedProcessed)
    assert f"the same bytes as feed {event.duplicate_of}" in text(event)


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    totals = [IssueTotal(code=f"validation/code_{n}", severity=Severity.ERROR, rows=n) for n in range(30)]
    said = text(sample("feed_processed").model_copy(update={"issue_totals": totals})).splitlines()
    first = said.index("What was found:") + 1
    assert said[first] == "  validation/code_29 (ERROR): 29 rows"
    assert said[first + 20] == "  and 10 more; the report has all of them"


def test_a_file_name_cannot_forge_a_line_or_a_header() -> None:
    event = sample("feed_processed").model_copy(update={"file_name": "a\r\nBcc: x\u2028\u202ey\x00.csv"})
    assert subject(event) == "21 of 21 rows counted: a  Bcc: x  y .csv"
    assert "\nBcc" not in text(event)


def test_letters_that_ascii_lacks_are_spelt_or_marked() -> None:
    event = sample("feed_processed").model_copy(update={"file_name": "Umsätze 売上.csv"})
    assert subject(event) == "21 of 21 rows counted: Umsatze ??.csv"
    assert "Umsätze 売上.csv" in text(event)


@given(events)
def test_every_subject_is_fit_for_sns(event: FeedEvent) -> None:
    line = subject(event)
    assert 0 < len(line) <= SUBJECT_MAX_CHARACTERS < 100
    assert line.isascii()
    assert line.isprintable()
    assert line[0].isalnum()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("feed_processed_replacing", "It takes the place of feed 0195608f-3c1a-7000-8000-0000000000f0."),
        ("feed_processed_replacing", "The rejected rows, to be fixed and sent again: s3://sellersync-dev-errors"),
        ("feed_processed_correcting", "It corrects feed 0195608f-3c1a-7000-8000-0000000000f0."),
        ("feed_reprocess_failed", "What it counted before counts on, unchanged."),
        ("feed_reprocess_failed", "Why: byte 0x80 at offset 17 is no cp1252 text (format/invalid_encoding)"),
        ("feed_withdrawn", "was withdrawn: 18 rows of it left the totals."),
        ("feed_replaced", "was replaced by feed 0195608f-3c1a-7000-8000-0000000000f1: 18 rows of it left the totals."),
        ("feed_cancelled", "was cancelled before it was applied. None of its rows count."),
        ("feed_cancelled_superseded", "A newer version of the same file is applied, as feed 0195608f"),
    ],
)
def test_a_text_says_what_became_of_the_feed_and_of_others(name: str, sentence: str) -> None:
    assert sentence in text(sample(name))


def test_a_replacement_tells_of_corrections_that_count_on() -> None:
    event = sample("feed_replaced")
    assert "correction" not in text(event)
    corrected = event.model_copy(update={"still_counting": [event.feed_id]})
    assert "1 correction of it counts on; withdraw what the new feed has as well." in text(corrected)


def test_what_is_no_end_of_a_feed_is_not_called_finished() -> None:
    assert "finished 2026-03-04" in text(sample("feed_processed"))
    assert "changed 2026-03-04" in text(sample("feed_withdrawn"))
