"""Finds the one superlative of a question: its direction, how many places, and what it ranks."""

from dataclasses import dataclass

from services.query.rules.plan import MOST_PLACES, Dimension, Direction
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import (
    GROUPING,
    NOUNS,
    NUMBERS,
    PLURALS,
    SELF_EXPLAINING,
    SELLING,
    SUPERLATIVE_TAILS,
    SUPERLATIVES,
    TIME_ADJECTIVES,
)
from services.query.rules.suggestions import decline


@dataclass(frozen=True, slots=True)
class Superlative:
    """`last` is the word behind it. `explains_itself`: it says by what it ranks even without a measure."""

    direction: Direction
    places: int | None
    targets: list[Dimension]
    is_plural: bool
    explains_itself: bool
    last: int


def read_superlative(sheet: Sheet) -> Superlative | None:
    """top 5 best selling products · which seller has the highest … · the worst month. Raises Declined for two."""
    starts = [at for at in range(len(sheet.words)) if _is_superlative(sheet, at)]
    if not starts:
        return None
    first, last = _extent(sheet, starts[0])
    if starts[-1] >= last:
        raise decline("The question asks for more than one ranking; ask for one at a time.")
    words = [sheet.free(at) or "" for at in range(first, last)]
    directions = {SUPERLATIVES[word] for word in words if word in SUPERLATIVES}
    numbers = [number for word in words if (number := _number(word)) is not None]
    if len(directions) > 1:
        raise decline("The question asks for more than one ranking; ask for one at a time.")
    if "best" in words and (sheet.free(last) or "").startswith("seller"):
        raise decline("“Best seller” may be a product or a seller: say best-selling products, or sellers by revenue.")
    target = _target(sheet, first, last)
    if target is not None and target < first and (asked := _number(sheet.free(target - 1) or "")) is not None:
        numbers.append(asked)
        sheet.claim(target - 1, target)
    _check_places(numbers)
    sheet.claim(first, last)
    noun = sheet.claim(target, target + 1).lower() if target is not None else ""
    plain = noun.strip(".?!:()")
    dimension = NOUNS.get(plain, TIME_ADJECTIVES.get(plain))
    return Superlative(
        direction=directions.pop(),
        places=numbers[0] if numbers else None,
        targets=[dimension] if dimension else [],
        is_plural=plain in PLURALS,
        explains_itself=any(word in SELF_EXPLAINING for word in words)
        or (words[-1] in ("most", "least") and any(word in SELLING for word in sheet.free_words())),
        last=last,
    )


def _check_places(numbers: list[int]) -> None:
    if len(numbers) > 1:
        raise decline("The question says twice how many places it asks for.")
    if numbers and not 1 <= numbers[0] <= MOST_PLACES:
        raise decline(f"A ranking has 1 to {MOST_PLACES} places.")


def _is_superlative(sheet: Sheet, at: int) -> bool:
    # "at least" and "at most" are conditions.
    return sheet.free(at) in SUPERLATIVES and sheet.free(at - 1) != "at"


def _number(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdecimal() else NUMBERS.get(word)


def _extent(sheet: Sheet, at: int) -> tuple[int, int]:
    """The words that belong to it: 5 best selling · top 5 best-selling"""
    first = at - 1 if at > 0 and _number(sheet.free(at - 1) or "") is not None else at
    last = at + 1
    while (word := sheet.free(last)) and (
        word in SUPERLATIVES or word in SUPERLATIVE_TAILS or _number(word) is not None
    ):
        last += 1
    return first, last


def _target(sheet: Sheet, first: int, last: int) -> int | None:
    """Where the noun stands that says what is ranked."""
    for at in range(1, first):
        # which seller has the highest … · which 3 products had the highest …
        asked = at - 2 if _number(sheet.free(at - 1) or "") is not None else at - 1
        if sheet.free(at) in NOUNS and sheet.free(asked) in ("which", "what"):
            return at
    before = first - 1 if sheet.free(first - 1) == "the" else first
    if sheet.free(before - 1) in ("with", "had", "has") and sheet.free(before - 2) in NOUNS:
        # the month with the highest …
        return before - 2
    for at in range(last, len(sheet.words)):
        word = sheet.free(at)
        if word in GROUPING:
            return None
        if word in NOUNS or word in TIME_ADJECTIVES:
            return at
    return None
