"""Named periods, to the day."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.rules.reading.days import Days
from services.query.rules.reading.periods import find_periods
from services.query.rules.reading.words import split_words

AS_OF = date(2026, 4, 15)  # a Wednesday


def found(text: str, as_of: date = AS_OF) -> list[Days]:
    return [period.days for period in find_periods([word.plain for word in split_words(text)], as_of)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-04-15", "2026-04-15"),
        ("yesterday", "2026-04-14", "2026-04-14"),
        ("this week", "2026-04-13", "2026-04-19"),
        ("last week", "2026-04-06", "2026-04-12"),
        ("this month", "2026-04-01", "2026-04-30"),
        ("in the current month", "2026-04-01", "2026-04-30"),
        ("last month", "2026-03-01", "2026-03-31"),
        ("last month\u2019s", "2026-03-01", "2026-03-31"),
        ("the previous quarter", "2026-01-01", "2026-03-31"),
        ("this quarter", "2026-04-01", "2026-06-30"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("last 7 days", "2026-04-09", "2026-04-15"),
        ("in the past 30 days, inclusive of today", "2026-03-17", "2026-04-15"),
        ("last 1 days", "2026-04-15", "2026-04-15"),
        ("last three months", "2026-01-01", "2026-03-31"),
        ("last 2 weeks", "2026-03-30", "2026-04-12"),
        ("over the last 2 years", "2024-01-01", "2025-12-31"),
        ("in March 2026", "2026-03-01", "2026-03-31"),
        ("in Feb. 2024", "2024-02-01", "2024-02-29"),
        ("in 2026-02", "2026-02-01", "2026-02-28"),
        ("in 2026", "2026-01-01", "2026-12-31"),
        ("for the year 2025", "2025-01-01", "2025-12-31"),
        ("in the month of March 2026", "2026-03-01", "2026-03-31"),
        ("on 2026-03-05", "2026-03-05", "2026-03-05"),
        ("on 5 March 2026", "2026-03-05", "2026-03-05"),
        ("on March 5th, 2026", "2026-03-05", "2026-03-05"),
        ("on the 5th of March 2026", "2026-03-05", "2026-03-05"),
        ("between 3 and 9 March 2026", "2026-03-03", "2026-03-09"),
        ("between 2026-03-01 and 2026-03-31", "2026-03-01", "2026-03-31"),
        ("from 28 February to 3 March 2026", "2026-02-28", "2026-03-03"),
        ("from January to March 2026", "2026-01-01", "2026-03-31"),
        ("from December 2025 through February 2026", "2025-12-01", "2026-02-28"),
        ("between 2024 and 2025", "2024-01-01", "2025-12-31"),
        ("from 2026-03-01 to today", "2026-03-01", "2026-04-15"),
        ("in January and February 2026", "2026-01-01", "2026-02-28"),
        ("last month and this month", "2026-03-01", "2026-04-30"),
        ("since 2026-03-01", "2026-03-01", "2026-04-15"),
        ("since March", "2026-03-01", "2026-04-15"),
        ("since yesterday", "2026-04-14", "2026-04-15"),
        ("after 2025", "2026-01-01", None),
        ("before March 2026", None, "2026-02-28"),
        ("until 2026-03-01", None, "2026-03-01"),
        ("up to March 2026", None, "2026-03-31"),
        ("year to date", "2026-01-01", "2026-04-15"),
        ("this month so far", "2026-04-01", "2026-04-15"),
        ("ytd", "2026-01-01", "2026-04-15"),
        ("Q1 2026", "2026-01-01", "2026-03-31"),
        ("in 2025 Q4", "2025-10-01", "2025-12-31"),
        ("in the first quarter of 2026", "2026-01-01", "2026-03-31"),
        ("week 12 of 2026", "2026-03-16", "2026-03-22"),
        # the latest that has begun
        ("in March", "2026-03-01", "2026-03-31"),
        ("in April", "2026-04-01", "2026-04-30"),
        ("in May", "2025-05-01", "2025-05-31"),
        ("on 16 April", "2025-04-16", "2025-04-16"),
        ("on 15 April", "2026-04-15", "2026-04-15"),
        ("on 29 February", "2024-02-29", "2024-02-29"),
        ("in Q2", "2026-04-01", "2026-06-30"),
        ("in Q3", "2025-07-01", "2025-09-30"),
        ("in week 50", "2025-12-08", "2025-12-14"),
    ],
)
def test_a_period_is_these_days(text: str, start: str | None, end: str | None) -> None:
    [days] = found(text)
    assert (str(days.start) if days.start else None, str(days.end) if days.end else None) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2026",
        "2026-02-30",
        "2026-13",
        "last 0 days",
        "last 2000 days",
        "past month",
        "next month",
        "over 2000",
        "top 2026 products",
        "2026 units",
        "in 2026 transactions",
        "by week 12",
        "may",
        "march",
        "1850",
        "between 3 and 9",
        "this",
        "since",
    ],
)
def test_what_is_no_period_or_has_two_readings_is_not_read(text: str) -> None:
    assert found(text) == []


def test_what_a_month_without_a_year_is_taken_for_is_said() -> None:
    assert found("in May")[0].assumption == "the latest May that has begun by 2026-04-15"
    assert found("in May 2025")[0].assumption is None


_WORDS = """
    in from to since between and last this of the march may 2026 2026-03-01 3 9 q1 week 12 month days today until
    before 31 february first quarter year so far
"""


@given(
    st.lists(st.sampled_from(_WORDS.split()), max_size=9),
    st.dates(date(1970, 1, 1), date(2199, 12, 31)),
)
def test_any_words_are_read_without_failing_and_each_word_once(words: list[str], as_of: date) -> None:
    periods = find_periods(words, as_of)
    for earlier, later in pairwise(periods):
        assert earlier.last <= later.first
    for period in periods:
        assert period.first < period.last <= len(words)
        assert period.days.start or period.days.end
