"""Finds the names of products, categories, sellers and currencies in a question: whole, longest first."""

from collections.abc import Sequence

from services.query.rules.plan import Dimension, ValueFilter
from services.query.rules.reading.candidates import currency_codes, may_be_name
from services.query.rules.reading.joints import Named, refuse_mixed_lists
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import NOUNS, SUPERLATIVES
from services.query.rules.reading.word_names import JOINTS
from services.query.rules.reading.words import LONGEST_NAME_WORDS, name_texts
from services.query.rules.suggestions import decline
from services.query.rules.values import KnownValue, best_spelling, same_name


def read_names(sheet: Sheet, known: Sequence[KnownValue]) -> list[ValueFilter]:
    """One filter per dimension that is named. Raises Declined where a name has two readings."""
    names: list[Named] = []
    for length in range(LONGEST_NAME_WORDS, 0, -1):
        for first in range(len(sheet.words) - length + 1):
            if any(sheet.is_claimed(at) for at in range(first, first + length)):
                continue
            if not may_be_name(sheet.question, sheet.words, first, first + length - 1):
                continue
            if (name := _match(sheet, first, first + length, known)) is not None:
                sheet.claim_name(first, first + length)
                names.append(name)
    names.sort()
    sheet.names = names
    for name in names:
        _claim_noun(sheet, name)
    refuse_mixed_lists(sheet, names)
    _check_lists(sheet, names)
    dimensions = list(dict.fromkeys(dimension for _, _, dimension, _ in names))
    return [
        ValueFilter(
            dimension=dimension,
            values=list(dict.fromkeys(value for _, _, of, value in names if of is dimension)),
        )
        for dimension in dimensions
    ]


def _match(sheet: Sheet, first: int, last: int, known: Sequence[KnownValue]) -> Named | None:
    texts = name_texts(sheet.question, sheet.words, first, last - 1)
    for text in [*texts, *currency_codes(sheet.words, first, last - 1)]:
        spellings: dict[Dimension, list[str]] = {}
        for candidate in known:
            # A currency's code is meant only in capitals: ALL, TOP and TRY are words as well.
            alike = (
                text == candidate.value
                if candidate.dimension is Dimension.CURRENCY
                else same_name(text, candidate.value)
            )
            if alike:
                spellings.setdefault(candidate.dimension, []).append(candidate.value)
        if spellings:
            dimension = _dimension(sheet, first, last, text, list(spellings))
            spelt = best_spelling(text, spellings[dimension])
            if len(spelt) > 1:
                raise decline(f"“{text}” may be {' or '.join(f'“{name}”' for name in spelt)}: write it exactly.")
            return first, last, dimension, spelt[0]
    return None


def _dimension(sheet: Sheet, first: int, last: int, text: str, possible: list[Dimension]) -> Dimension:
    """What the name names: there is one reading, or the noun beside it decides."""
    if len(possible) == 1:
        return possible[0]
    for at in (first - 1, last):
        noun = NOUNS.get(sheet.free(at) or "")
        if noun in possible:
            return noun
    readings = " or ".join(f"{dimension} “{text}”" for dimension in possible)
    raise decline(f"“{text}” is the name of several things: say {readings}.")


def _claim_noun(sheet: Sheet, name: Named) -> None:
    """seller acme · the Garden category · Garden products"""
    first, last, dimension, _ = name
    if NOUNS.get(sheet.free(first - 1) or "") is dimension and not _introduces(sheet, first - 2):
        sheet.claim(first - 1, first)
    noun = NOUNS.get(sheet.free(last) or "")
    if noun is dimension:
        sheet.claim(last, last + 1)
    elif noun is Dimension.PRODUCT and not any(word in SUPERLATIVES or word == "which" for word in sheet.free_words()):
        # Sales are of products anyway; after a superlative they are what is ranked.
        sheet.claim(last, last + 1)


def _introduces(sheet: Sheet, at: int) -> bool:
    """Whether the noun behind this word says what the rows are, and so is not the name's."""
    return sheet.free(at) in ("by", "per", "each", "every", "which", "what")


def _check_lists(sheet: Sheet, names: Sequence[Named]) -> None:
    """Several names of one dimension are taken together only where they stand in one list."""
    latest: dict[Dimension, int] = {}
    for first, last, dimension, value in names:
        if dimension in latest:
            between = range(latest[dimension], first)
            for at in between:
                if sheet.free(at) not in JOINTS and not sheet.is_claimed(at):
                    raise decline(
                        f"“{value}” stands apart from the other {dimension} named; ask one question for each."
                    )
                if sheet.free(at) in JOINTS:
                    sheet.claim(at, at + 1)
        latest[dimension] = last
