"""What "and" joins: names of two kinds, or two measures with conditions of their own, have two readings."""

from collections.abc import Sequence
from itertools import pairwise

from services.query.rules.plan import Dimension
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import FILLERS, NOUNS
from services.query.rules.reading.word_names import JOINTS, comma_between
from services.query.rules.suggestions import decline

Named = tuple[int, int, Dimension, str]
"""A name in words [first, last): its dimension, and its spelling in the store."""


def refuse_mixed_lists(sheet: Sheet, names: Sequence[Named]) -> None:
    """Boots and Shirts, a product and a category: sales of either, or of the one within the other? Raises Declined."""
    for (_, behind, one_kind, one), (first, _, other_kind, other) in pairwise(names):
        if one_kind is other_kind:
            continue
        between = [sheet.free(at) for at in range(behind, first)]
        # What the names' own nouns are ("seller acme and category Shoes") has a meaning by now, and is None.
        if not all(word is None or word in FILLERS or word in JOINTS or word in NOUNS for word in between):
            continue
        commas = any(comma_between(sheet.question, sheet.words, at) for at in range(behind - 1, first))
        if commas or any(word in JOINTS for word in between):
            raise decline(
                f"“{one}” is a {one_kind} and “{other}” a {other_kind}: joined like this they may mean the sales of"
                f" either, or those of both at once. Ask one question for each, or join them with “in”, “from” or “of”"
                f" (“… of {one} in {other}”)."
            )


def refuse_measures_apart(sheet: Sheet) -> None:
    """revenue of acme and units in Shoes: does what the first measure is of hold for the second? Raises Declined."""
    for start in sorted(sheet.metric_starts)[1:]:
        if _begins_anew(sheet, start):
            raise decline(
                "Two measures with conditions between them have two readings: ask one question for each, or name the"
                " measures together (“revenue and units of …”)."
            )


def _begins_anew(sheet: Sheet, start: int) -> bool:
    """Whether "and" parts this measure, with or without names in front of it, from a condition before."""
    crossed_name = False
    for at in range(start - 1, -1, -1):
        if sheet.is_name(at):
            crossed_name = True
        elif sheet.free(at) in JOINTS:
            before = at - 1
            while sheet.free(before) in FILLERS:
                before -= 1
            return crossed_name or sheet.is_name(before) or before in sheet.period_words
        elif sheet.free(at) not in FILLERS:
            return False
    return False
