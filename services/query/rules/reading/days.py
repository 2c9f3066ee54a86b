"""Reads one day, month, quarter, year or relative period at a place in a question: "5 March 2026", "last month"."""

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.query.rules.plan import EARLIEST_DAY, Dimension
from services.query.rules.reading.vocabulary import MONTH_NUMBERS, NOUNS, NUMBERS

_YEAR = re.compile(r"^(?:19|20)\d\d$")
_ISO_MONTH = re.compile(r"^((?:19|20)\d\d)-(\d\d)$")
_ISO_DAY = re.compile(r"^((?:19|20)\d\d)-(\d\d)-(\d\d)$")
_DAY = re.compile(r"^(\d{1,2})(?:st|nd|rd|th)?$")
_QUARTER = re.compile(r"^q([1-4])$")
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_MOST_UNITS = 1000

Words = Sequence[str | None]
"""Plain words; None where a word already has another meaning."""


@dataclass(frozen=True, slots=True)
class Days:
    """Days, both included, None for an open end; `assumption` says what was not in the words."""

    start: date | None
    end: date | None
    assumption: str | None = None
    unit: Dimension | None = None


class DayReader:
    """Reads at a position; each method answers (the position behind, the days) or None."""

    def __init__(self, words: Words, as_of: date) -> None:
        self._words = words
        self.as_of = as_of

    def at(self, position: int) -> str:
        return (self._words[position] or "") if position < len(self._words) else ""

    def has(self, position: int, *expected: str) -> bool:
        return all(self.at(position + offset) == word for offset, word in enumerate(expected))

    def span(self, at: int, partner: Days | None = None) -> tuple[int, Days] | None:
        """One day, month, quarter, year or relative period. `partner` completes what A leaves out in "A to B"."""
        if self.has(at, "the"):
            at += 1
        unit = self.at(at)
        named = at + 2 if self.has(at + 1, "of") else at + 1
        try:
            if unit in ("year", "month", "quarter") and (read := self._atom(named, partner)):
                # "the year 2025", but not "by month last year".
                return read if read[1].unit is NOUNS[unit] else None
            return self._atom(at, partner)
        except (ValueError, OverflowError):
            # No such day: 31 April, week 54, a thousand years ago.
            return None

    def _atom(self, at: int, partner: Days | None) -> tuple[int, Days] | None:
        return (
            self._iso(at)
            or self._day(at, partner)
            or self._month(at, partner)
            or self._quarter(at)
            or self._week(at)
            or self._year(at)
            or self._relative(at)
        )

    def _iso(self, at: int) -> tuple[int, Days] | None:
        if found := _ISO_DAY.match(self.at(at)):
            day = date(*(int(part) for part in found.groups()))
            return at + 1, Days(day, day, unit=Dimension.DAY)
        if found := _ISO_MONTH.match(self.at(at)):
            return at + 1, _whole(date(int(found[1]), int(found[2]), 1), Dimension.MONTH)
        return None

    def _day(self, at: int, partner: Days | None) -> tuple[int, Days] | None:
        """3 March 2026 · March 3 2026 · 3 (of the month that follows)"""
        if number := _DAY.match(self.at(at)):
            behind = at + 2 if self.has(at + 1, "of") else at + 1
            month = MONTH_NUMBERS.get(self.at(behind))
            if month is not None:
                return self._dated(behind + 1, month, int(number[1]), partner)
            if partner is not None and partner.unit is Dimension.DAY and partner.start is not None:
                day = partner.start.replace(day=int(number[1]))
                return at + 1, Days(day, day, unit=Dimension.DAY)
        month = MONTH_NUMBERS.get(self.at(at))
        number = _DAY.match(self.at(at + 1))
        if month is not None and number:
            return self._dated(at + 2, month, int(number[1]), partner)
        return None

    def _dated(self, at: int, month: int, day: int, partner: Days | None) -> tuple[int, Days]:
        if _YEAR.match(self.at(at)):
            found = date(int(self.at(at)), month, day)
            return at + 1, Days(found, found, unit=Dimension.DAY)
        if partner is not None and partner.start is not None:
            found = date(partner.start.year, month, day)
            return at, Days(found, found, partner.assumption, Dimension.DAY)
        found = _latest(lambda year: date(year, month, day), self.as_of)
        return at, Days(found, found, f"the latest {day} {calendar.month_name[month]} by {self.as_of}", Dimension.DAY)

    def _month(self, at: int, partner: Days | None) -> tuple[int, Days] | None:
        month = MONTH_NUMBERS.get(self.at(at))
        if month is None:
            return None
        behind = at + 2 if self.has(at + 1, "of") and _YEAR.match(self.at(at + 2)) else at + 1
        if _YEAR.match(self.at(behind)):
            return behind + 1, _whole(date(int(self.at(behind)), month, 1), Dimension.MONTH)
        if partner is not None and partner.start is not None:
            return at + 1, _whole(date(partner.start.year, month, 1), Dimension.MONTH, partner.assumption)
        start = _latest(lambda year: date(year, month, 1), self.as_of)
        assumption = f"the latest {calendar.month_name[month]} that has begun by {self.as_of}"
        return at + 1, _whole(start, Dimension.MONTH, assumption)

    def _quarter(self, at: int) -> tuple[int, Days] | None:
        """q1 2026 · 2026 q1 · first quarter of 2026 · q1"""
        year: str | None = None
        if _YEAR.match(self.at(at)) and _QUARTER.match(self.at(at + 1)):
            year, number, behind = self.at(at), int(self.at(at + 1)[1]), at + 2
        elif found := _QUARTER.match(self.at(at)):
            number, behind = int(found[1]), at + 1
        elif self.at(at) in _ORDINALS and self.has(at + 1, "quarter"):
            number, behind = _ORDINALS[self.at(at)], at + 2
        else:
            return None
        if year is None:
            named = behind + 1 if self.has(behind, "of") else behind
            if _YEAR.match(self.at(named)):
                year, behind = self.at(named), named + 1
        month = number * 3 - 2
        if year is not None:
            return behind, _whole(date(int(year), month, 1), Dimension.QUARTER)
        start = _latest(lambda known: date(known, month, 1), self.as_of)
        return behind, _whole(start, Dimension.QUARTER, f"the latest quarter {number} that has begun by {self.as_of}")

    def _week(self, at: int) -> tuple[int, Days] | None:
        if not self.has(at, "week") or not self.at(at + 1).isdecimal():
            return None
        week, behind = int(self.at(at + 1)), at + 2
        named = behind + 1 if self.at(behind) in ("of", "in") else behind
        if _YEAR.match(self.at(named)):
            return named + 1, _whole(date.fromisocalendar(int(self.at(named)), week, 1), Dimension.WEEK)
        start = _latest(lambda year: date.fromisocalendar(year, week, 1), self.as_of)
        return behind, _whole(start, Dimension.WEEK, f"the latest ISO week {week} that has begun by {self.as_of}")

    def _year(self, at: int) -> tuple[int, Days] | None:
        if not _YEAR.match(self.at(at)):
            return None
        return at + 1, _whole(date(int(self.at(at)), 1, 1), Dimension.YEAR)

    def _relative(self, at: int) -> tuple[int, Days] | None:
        word, after = self.at(at), self.at(at + 1)
        if word in ("today", "yesterday"):
            day = self.as_of - timedelta(days=word == "yesterday")
            return at + 1, Days(day, day, unit=Dimension.DAY)
        unit = NOUNS.get(after) if after in ("day", "week", "month", "quarter", "year") else None
        if unit is not None and word in ("this", "current"):
            return at + 2, _whole(first_day(self.as_of, unit), unit)
        if unit is not None and word in ("last", "previous"):
            return at + 2, _whole(first_day(first_day(self.as_of, unit) - timedelta(days=1), unit), unit)
        return self._counted(at) if word in ("last", "past", "previous") else None

    def _counted(self, at: int) -> tuple[int, Days] | None:
        """last 30 days · past 6 months"""
        text = self.at(at + 1)
        count = int(text) if text.isdecimal() else NUMBERS.get(text, 0)
        unit = NOUNS.get(self.at(at + 2))
        if not 0 < count <= _MOST_UNITS or unit is None or not unit.is_time:
            return None
        behind = at + 3
        if unit is Dimension.DAY:
            for tail in (("inclusive", "of", "today"), ("including", "today")):
                if self.has(behind, *tail):
                    behind += len(tail)
            return behind, Days(self.as_of - timedelta(days=count - 1), self.as_of, unit=unit)
        end = first_day(self.as_of, unit) - timedelta(days=1)
        start = end
        for _ in range(count):
            start = first_day(start, unit) - timedelta(days=1)
        return behind, Days(start + timedelta(days=1), end, unit=unit)


def first_day(day: date, unit: Dimension) -> date:
    match unit:
        case Dimension.WEEK:
            return day - timedelta(days=day.weekday())
        case Dimension.MONTH:
            return day.replace(day=1)
        case Dimension.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Dimension.YEAR:
            return day.replace(month=1, day=1)
        case _:
            return day


def _whole(start: date, unit: Dimension, assumption: str | None = None) -> Days:
    """The whole unit that begins with `start`."""
    longest = {Dimension.DAY: 1, Dimension.WEEK: 7, Dimension.MONTH: 31, Dimension.QUARTER: 92, Dimension.YEAR: 366}
    end = start if unit is Dimension.DAY else first_day(start + timedelta(days=longest[unit]), unit) - timedelta(days=1)
    return Days(start, end, assumption, unit)


def _latest(of_year: Callable[[int], date], as_of: date) -> date:
    """The latest day of this kind by `as_of`. Raises ValueError if no recent year has one (31 April, week 54)."""
    for year in range(as_of.year, max(as_of.year - 9, EARLIEST_DAY.year), -1):
        try:
            day = of_year(year)
        except ValueError:
            # 29 February and ISO week 53 are not in every year.
            continue
        if day <= as_of:
            return day
    raise ValueError("there is no such day")
