"""Named periods: "last month", "in March 2026", "between 3 and 9 March 2026", "since 1 June" …

Rules, stated in every answer through the days that were read:
- A month, day, quarter or week without a year is the latest one that has begun by `as_of`.
- "last N days" end with `as_of`; "last N months" (weeks, quarters, years) are the N whole ones before the present one.
- Weeks are ISO weeks, from Monday. "between", "from … to", "until", "since" include the days that they name;
  "after" and "before" do not. "since" ends with `as_of`.
- Dates with slashes have two readings and are not read at all.
"""

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.query.rules.plan import EARLIEST_DAY, Dimension
from services.query.rules.vocabulary import COUNTED, GROUPING, MONTH_NUMBERS, NOUNS, NUMBERS, SUPERLATIVES

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


@dataclass(frozen=True, slots=True)
class Found:
    """A period in words [first, last)."""

    first: int
    last: int
    days: Days


def find_periods(words: Words, as_of: date) -> list[Found]:
    """Every period named, from left to right. The words of each are its own."""
    reader = _Reader(words, as_of)
    found: list[Found] = []
    position = 0
    while position < len(words):
        read = reader.period(position)
        if read is None:
            position += 1
            continue
        last, days = read
        found.append(Found(position, last, days))
        position = last
    return found


class _Reader:
    """Reads at a position; each method answers (the position behind, the days) or None."""

    def __init__(self, words: Words, as_of: date) -> None:
        self._words = words
        self._as_of = as_of

    def _at(self, position: int) -> str:
        return (self._words[position] or "") if position < len(self._words) else ""

    def _has(self, position: int, *expected: str) -> bool:
        return all(self._at(position + offset) == word for offset, word in enumerate(expected))

    def period(self, at: int) -> tuple[int, Days] | None:
        return self._range(at) or self._open(at) or self._to_date(at) or self._several(at) or self._one(at)

    def _one(self, at: int) -> tuple[int, Days] | None:
        """in A · A"""
        word = self._at(at)
        preposition = word in ("in", "during", "for", "on", "throughout", "over", "of", "from")
        begin = at + 1 if preposition else at
        read = self._span(begin)
        if read is None:
            return None
        last, days = read
        if word == "from":
            if days.unit is not Dimension.YEAR or last != at + 2:
                return None
            return last, Days(days.start, days.end, "“from” with a year alone is read as in that year", days.unit)
        if word == "over" and self._at(begin)[:1].isdecimal():
            # "over 2000" may as well be a condition.
            return None
        return None if self._means_something_else(at, begin, last) else read

    def _means_something_else(self, at: int, begin: int, last: int) -> bool:
        """ "may" and "march" are verbs too; "top 2000 products" and "2000 units" are no years; "by week" groups."""
        before = self._at(at - 1) if at else ""
        if at == begin and last == begin + 1 and self._at(begin) in ("may", "march"):
            return True
        if at == begin and before in GROUPING:
            return True
        return self._at(begin)[:1].isdecimal() and (before in SUPERLATIVES or self._at(last) in COUNTED)

    def _range(self, at: int) -> tuple[int, Days] | None:
        """between A and B · from A to B · A to B"""
        first = self._at(at)
        begin = at + 1 if first in ("between", "from") else at
        joints = ("and",) if first == "between" else ("to", "until", "till", "through")
        for joint in range(begin + 1, min(begin + 6, len(self._words))):
            if self._at(joint) not in joints:
                continue
            latter = self._span(joint + 1)
            if latter is None:
                continue
            former = self._span(begin, partner=latter[1])
            if former is not None and former[0] == joint:
                return latter[0], Days(former[1].start, latter[1].end, former[1].assumption or latter[1].assumption)
        return None

    def _several(self, at: int) -> tuple[int, Days] | None:
        """in A and B, where B follows A: one period without a gap"""
        begin = at + 1 if self._at(at) in ("in", "during", "for") else at
        for joint in range(begin + 1, min(begin + 4, len(self._words))):
            if self._at(joint) != "and" or (latter := self._span(joint + 1)) is None:
                continue
            former = self._span(begin, partner=latter[1])
            if former is None or former[0] != joint or former[1].end is None:
                continue
            if latter[1].start == former[1].end + timedelta(days=1):
                return latter[0], Days(former[1].start, latter[1].end, former[1].assumption or latter[1].assumption)
        return None

    def _open(self, at: int) -> tuple[int, Days] | None:
        """since A · after A · before A · until A · up to A"""
        word = self._at(at)
        begin = at + 2 if self._has(at, "up", "to") else at + 1
        if word not in ("since", "after", "before", "until", "till", "through", "up"):
            return None
        read = self._span(begin)
        if read is None:
            return None
        last, days = read
        if days.start is None or days.end is None:
            return None
        match word:
            case "since":
                return last, Days(days.start, self._as_of, days.assumption)
            case "after":
                return last, Days(days.end + timedelta(days=1), None, days.assumption)
            case "before":
                return last, Days(None, days.start - timedelta(days=1), days.assumption)
            case _:
                return last, Days(None, days.end, days.assumption)

    def _to_date(self, at: int) -> tuple[int, Days] | None:
        """year to date · so far this year · this year so far"""
        units = {"ytd": "year", "mtd": "month"}
        if self._at(at) in units:
            return at + 1, Days(_first_day(self._as_of, NOUNS[units[self._at(at)]]), self._as_of)
        for unit in ("year", "quarter", "month", "week"):
            start = _first_day(self._as_of, NOUNS[unit])
            if self._has(at, unit, "to", "date"):
                return at + 3, Days(start, self._as_of)
            if self._has(at, "so", "far", "this", unit) or self._has(at, "this", unit, "so", "far"):
                return at + 4, Days(start, self._as_of)
        return None

    def _span(self, at: int, partner: Days | None = None) -> tuple[int, Days] | None:
        """One day, month, quarter, year or relative period. `partner` completes what A leaves out in "A to B"."""
        if self._has(at, "the"):
            at += 1
        unit = self._at(at)
        named = at + 2 if self._has(at + 1, "of") else at + 1
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
        if found := _ISO_DAY.match(self._at(at)):
            day = date(*(int(part) for part in found.groups()))
            return at + 1, Days(day, day, unit=Dimension.DAY)
        if found := _ISO_MONTH.match(self._at(at)):
            return at + 1, _whole(date(int(found[1]), int(found[2]), 1), Dimension.MONTH)
        return None

    def _day(self, at: int, partner: Days | None) -> tuple[int, Days] | None:
        """3 March 2026 · March 3 2026 · 3 (of the month that follows)"""
        if number := _DAY.match(self._at(at)):
            behind = at + 2 if self._has(at + 1, "of") else at + 1
            month = MONTH_NUMBERS.get(self._at(behind))
            if month is not None:
                return self._dated(behind + 1, month, int(number[1]), partner)
            if partner is not None and partner.unit is Dimension.DAY and partner.start is not None:
                day = partner.start.replace(day=int(number[1]))
                return at + 1, Days(day, day, unit=Dimension.DAY)
        month = MONTH_NUMBERS.get(self._at(at))
        number = _DAY.match(self._at(at + 1))
        if month is not None and number:
            return self._dated(at + 2, month, int(number[1]), partner)
        return None

    def _dated(self, at: int, month: int, day: int, partner: Days | None) -> tuple[int, Days]:
        if _YEAR.match(self._at(at)):
            found = date(int(self._at(at)), month, day)
            return at + 1, Days(found, found, unit=Dimension.DAY)
        if partner is not None and partner.start is not None:
            found = date(partner.start.year, month, day)
            return at, Days(found, found, partner.assumption, Dimension.DAY)
        found = _latest(lambda year: date(year, month, day), self._as_of)
        return at, Days(found, found, f"the latest {day} {calendar.month_name[month]} by {self._as_of}", Dimension.DAY)

    def _month(self, at: int, partner: Days | None) -> tuple[int, Days] | None:
        month = MONTH_NUMBERS.get(self._at(at))
        if month is None:
            return None
        behind = at + 2 if self._has(at + 1, "of") and _YEAR.match(self._at(at + 2)) else at + 1
        if _YEAR.match(self._at(behind)):
            return behind + 1, _whole(date(int(self._at(behind)), month, 1), Dimension.MONTH)
        if partner is not None and partner.start is not None:
            return at + 1, _whole(date(partner.start.year, month, 1), Dimension.MONTH, partner.assumption)
        start = _latest(lambda year: date(year, month, 1), self._as_of)
        assumption = f"the latest {calendar.month_name[month]} that has begun by {self._as_of}"
        return at + 1, _whole(start, Dimension.MONTH, assumption)

    def _quarter(self, at: int) -> tuple[int, Days] | None:
        """q1 2026 · 2026 q1 · first quarter of 2026 · q1"""
        year: str | None = None
        if _YEAR.match(self._at(at)) and _QUARTER.match(self._at(at + 1)):
            year, number, behind = self._at(at), int(self._at(at + 1)[1]), at + 2
        elif found := _QUARTER.match(self._at(at)):
            number, behind = int(found[1]), at + 1
        elif self._at(at) in _ORDINALS and self._has(at + 1, "quarter"):
            number, behind = _ORDINALS[self._at(at)], at + 2
        else:
            return None
        if year is None:
            named = behind + 1 if self._has(behind, "of") else behind
            if _YEAR.match(self._at(named)):
                year, behind = self._at(named), named + 1
        month = number * 3 - 2
        if year is not None:
            return behind, _whole(date(int(year), month, 1), Dimension.QUARTER)
        start = _latest(lambda known: date(known, month, 1), self._as_of)
        return behind, _whole(start, Dimension.QUARTER, f"the latest quarter {number} that has begun by {self._as_of}")

    def _week(self, at: int) -> tuple[int, Days] | None:
        if not self._has(at, "week") or not self._at(at + 1).isdecimal():
            return None
        week, behind = int(self._at(at + 1)), at + 2
        named = behind + 1 if self._at(behind) in ("of", "in") else behind
        if _YEAR.match(self._at(named)):
            return named + 1, _whole(date.fromisocalendar(int(self._at(named)), week, 1), Dimension.WEEK)
        start = _latest(lambda year: date.fromisocalendar(year, week, 1), self._as_of)
        return behind, _whole(start, Dimension.WEEK, f"the latest ISO week {week} that has begun by {self._as_of}")

    def _year(self, at: int) -> tuple[int, Days] | None:
        if not _YEAR.match(self._at(at)):
            return None
        return at + 1, _whole(date(int(self._at(at)), 1, 1), Dimension.YEAR)

    def _relative(self, at: int) -> tuple[int, Days] | None:
        word, after = self._at(at), self._at(at + 1)
        if word in ("today", "yesterday"):
            day = self._as_of - timedelta(days=word == "yesterday")
            return at + 1, Days(day, day, unit=Dimension.DAY)
        unit = NOUNS.get(after) if after in ("day", "week", "month", "quarter", "year") else None
        if unit is not None and word in ("this", "current"):
            return at + 2, _whole(_first_day(self._as_of, unit), unit)
        if unit is not None and word in ("last", "previous"):
            return at + 2, _whole(_first_day(_first_day(self._as_of, unit) - timedelta(days=1), unit), unit)
        return self._counted(at) if word in ("last", "past", "previous") else None

    def _counted(self, at: int) -> tuple[int, Days] | None:
        """last 30 days · past 6 months"""
        text = self._at(at + 1)
        count = int(text) if text.isdecimal() else NUMBERS.get(text, 0)
        unit = NOUNS.get(self._at(at + 2))
        if not 0 < count <= _MOST_UNITS or unit is None or not unit.is_time:
            return None
        behind = at + 3
        if unit is Dimension.DAY:
            for tail in (("inclusive", "of", "today"), ("including", "today")):
                if self._has(behind, *tail):
                    behind += len(tail)
            return behind, Days(self._as_of - timedelta(days=count - 1), self._as_of, unit=unit)
        end = _first_day(self._as_of, unit) - timedelta(days=1)
        start = end
        for _ in range(count):
            start = _first_day(start, unit) - timedelta(days=1)
        return behind, Days(start + timedelta(days=1), end, unit=unit)


def _first_day(day: date, unit: Dimension) -> date:
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
    end = (
        start if unit is Dimension.DAY else _first_day(start + timedelta(days=longest[unit]), unit) - timedelta(days=1)
    )
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
