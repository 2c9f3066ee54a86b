"""Named periods: "last month", "in March 2026", "between 3 and 9 March 2026", "since 1 June" …

Rules, stated in every answer through the days that were read:
- A month, day, quarter or week without a year is the latest one that has begun by `as_of`.
- "last N days" end with `as_of`; "last N months" (weeks, quarters, years) are the N whole ones before the present one.
- Weeks are ISO weeks, from Monday. "between", "from … to", "until", "since" include the days that they name;
  "after" and "before" do not. "since" ends with `as_of`.
- Dates with slashes have two readings and are not read at all.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from services.query.rules.plan import Dimension
from services.query.rules.reading.days import DayReader, Days, Words, first_day
from services.query.rules.reading.vocabulary import COUNTED, GROUPING, NOUNS, SUPERLATIVES


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


class _Reader(DayReader):
    """Reads what is made of such days: ranges, open ends, periods up to now."""

    def period(self, at: int) -> tuple[int, Days] | None:
        return self._range(at) or self._open(at) or self._to_date(at) or self._several(at) or self._one(at)

    def _one(self, at: int) -> tuple[int, Days] | None:
        """in A · A"""
        word = self.at(at)
        preposition = word in ("in", "during", "for", "on", "throughout", "over", "of", "from")
        begin = at + 1 if preposition else at
        read = self.span(begin)
        if read is None:
            return None
        last, days = read
        if word == "from":
            if days.unit is not Dimension.YEAR or last != at + 2:
                return None
            return last, Days(days.start, days.end, "“from” with a year alone is read as in that year", days.unit)
        if word == "over" and self.at(begin)[:1].isdecimal():
            # "over 2000" may as well be a condition.
            return None
        return None if self._means_something_else(at, begin, last) else read

    def _means_something_else(self, at: int, begin: int, last: int) -> bool:
        """ "may" and "march" are verbs, "from March" may be since then, "2000 units" is no year, "by week" groups."""
        before = self.at(at - 1) if at else ""
        if at == begin and last == begin + 1 and self.at(begin) in ("may", "march"):
            return True
        if at == begin and (before in GROUPING or before in ("from", "over")):
            return True
        return self.at(begin)[:1].isdecimal() and (before in SUPERLATIVES or self.at(last) in COUNTED)

    def _range(self, at: int) -> tuple[int, Days] | None:
        """between A and B · from A to B · A to B"""
        first = self.at(at)
        begin = at + 1 if first in ("between", "from") else at
        joints = ("and",) if first == "between" else ("to", "until", "till", "through")
        for joint in range(begin + 1, min(begin + 6, len(self._words))):
            if self.at(joint) not in joints:
                continue
            latter = self.span(joint + 1)
            if latter is None:
                continue
            former = self.span(begin, partner=latter[1])
            if former is not None and former[0] == joint:
                return latter[0], Days(former[1].start, latter[1].end, former[1].assumption or latter[1].assumption)
        return None

    def _several(self, at: int) -> tuple[int, Days] | None:
        """in A and B, where B follows A: one period without a gap"""
        begin = at + 1 if self.at(at) in ("in", "during", "for") else at
        for joint in range(begin + 1, min(begin + 4, len(self._words))):
            if self.at(joint) != "and" or (latter := self.span(joint + 1)) is None:
                continue
            former = self.span(begin, partner=latter[1])
            if former is None or former[0] != joint or former[1].end is None:
                continue
            if latter[1].start == former[1].end + timedelta(days=1):
                return latter[0], Days(former[1].start, latter[1].end, former[1].assumption or latter[1].assumption)
        return None

    def _open(self, at: int) -> tuple[int, Days] | None:
        """since A · after A · before A · until A · up to A"""
        word = self.at(at)
        begin = at + 2 if self.has(at, "up", "to") else at + 1
        if word not in ("since", "after", "before", "until", "till", "through", "up"):
            return None
        read = self.span(begin)
        if read is None:
            return None
        last, days = read
        if days.start is None or days.end is None:
            return None
        match word:
            case "since":
                return last, Days(days.start, self.as_of, days.assumption)
            case "after":
                return last, Days(days.end + timedelta(days=1), None, days.assumption)
            case "before":
                return last, Days(None, days.start - timedelta(days=1), days.assumption)
            case _:
                return last, Days(None, days.end, days.assumption)

    def _to_date(self, at: int) -> tuple[int, Days] | None:
        """year to date · so far this year · this year so far"""
        units = {"ytd": "year", "mtd": "month"}
        if self.at(at) in units:
            return at + 1, Days(first_day(self.as_of, NOUNS[units[self.at(at)]]), self.as_of)
        for unit in ("year", "quarter", "month", "week"):
            start = first_day(self.as_of, NOUNS[unit])
            if self.has(at, unit, "to", "date"):
                return at + 3, Days(start, self.as_of)
            if self.has(at, "so", "far", "this", unit) or self.has(at, "this", unit, "so", "far"):
                return at + 4, Days(start, self.as_of)
        return None
