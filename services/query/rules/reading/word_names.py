"""Words of the language that may be names all the same: "revenue for A", "units sold by us", "revenue of Total".

Such a word keeps the meaning that it has in the language. But where it stands as a name would, and something is
called so, there are two readings: it is looked up, and `checks.py` declines unless the plan has it as a name.
"""

from collections.abc import Sequence

from services.query.rules.reading.vocabulary import (
    FILLERS,
    GROUPING,
    KNOWN_WORDS,
    METRIC_PHRASES,
    MONTH_NUMBERS,
    NOUNS,
    SUPERLATIVES,
)
from services.query.rules.reading.words import LONGEST_NAME_WORDS, Word

JOINTS = frozenset({"and", "or", "&"})
ARTICLES = frozenset({"a", "an", "the"})
KINDS = frozenset({"product", "seller", "category", "currency"})
NAME_PREPOSITIONS = frozenset({"for", "of", "from", "by"})
_BOUNDARIES = JOINTS | NAME_PREPOSITIONS | {"in", "on", "at", "with", "since", "between", "during", "until", "per"}
_DETERMINERS = ARTICLES | {
    *("total", "overall", "our", "their", "its", "each", "every", "all", "any", "some", "both"),
    *("this", "current", "last", "past", "previous", "next", "first", "second", "third", "fourth"),
}
_ASKED_FOR_ME = frozenset({"show", "give", "tell", "get", "find", "bring", "list", "return", "report", "calculate"})
_NAMES_OF_TIME = frozenset(MONTH_NUMBERS) | {"q1", "q2", "q3", "q4"}
_ORDERED_BY = frozenset(" ".join(METRIC_PHRASES).split()) | set(NOUNS) | set(SUPERLATIVES) | GROUPING


def spans_like_names(question: str, words: Sequence[Word]) -> list[tuple[int, int]]:
    """Ranges of words [first, last], all of the language, that stand where a name is expected."""
    spans: list[tuple[int, int]] = []
    for first in _starts(question, words):
        for last in range(first, min(first + LONGEST_NAME_WORDS, len(words))):
            if not _is_language(words[last]):
                break
            spans.append((first, last))
    return spans


def ends_at(question: str, words: Sequence[Word], last: int) -> bool:
    """Whether the words behind `last` begin something else: nothing, a comma, a joint or a preposition follows."""
    if last + 1 >= len(words) or words[last + 1].opens_sentence:
        return True
    return comma_between(question, words, last) or words[last + 1].plain in _BOUNDARIES


def comma_between(question: str, words: Sequence[Word], at: int) -> bool:
    """Whether a comma stands between a word and the next."""
    return "," in question[words[at].end : words[at + 1].start]


def stands_behind_kind(question: str, words: Sequence[Word], first: int, last: int) -> bool:
    """for product A · in the category All: the noun says that a name follows, and the name ends the phrase."""
    if first < 2 or words[first - 1].plain not in KINDS or words[first - 1].quoted is not None:
        return False
    before = first - 3 if words[first - 2].plain in ARTICLES else first - 2
    introduced = before >= 0 and words[before].plain in {*JOINTS, "for", "of", "from", "in"}
    return introduced and all(_is_language(word) for word in words[first : last + 1]) and ends_at(question, words, last)


def _starts(question: str, words: Sequence[Word]) -> list[int]:
    starts: list[int] = []
    capitals_tell = any(not _is_capital(question, word) and not word.opens_sentence for word in words)
    for at, word in enumerate(words):
        if not _is_language(word):
            continue
        capital = capitals_tell and not word.opens_sentence and _is_capital(question, word)
        if (capital and word.plain not in _NAMES_OF_TIME) or _is_expected(question, words, at, starts):
            starts.append(at)
    return starts


def _is_expected(question: str, words: Sequence[Word], at: int, starts: Sequence[int]) -> bool:
    plain, ends = words[at].plain, ends_at(question, words, at)
    if plain in ("a", "an") and not ends and words[at + 1].plain in METRIC_PHRASES:
        # "A revenue" is no English: revenue is not counted.
        return True
    if plain in _DETERMINERS and not ends and not _is_capital(question, words[at]):
        return False
    before = words[at - 1].plain if at else ""
    if plain in ARTICLES and ends:
        return True
    if plain in ("me", "us") and before not in _ASKED_FOR_ME:
        return True
    if before in ARTICLES and at > 1:
        before = words[at - 2].plain
    if before == "by":
        return plain not in _ORDERED_BY
    if before in KINDS or (before in NAME_PREPOSITIONS and (at < 2 or words[at - 2].plain != "number")):
        return True
    return _is_listed(question, words, at, starts)


def _is_listed(question: str, words: Sequence[Word], at: int, starts: Sequence[int]) -> bool:
    """Beside "and", "or" or a comma whose other side may be a name."""
    if at > 1 and words[at - 1].plain in JOINTS:
        return at - 2 in starts or not _is_language(words[at - 2])
    if at > 0 and comma_between(question, words, at - 1):
        return at - 1 in starts or not _is_language(words[at - 1])
    if at + 2 < len(words) and words[at + 1].plain in JOINTS:
        return not _is_language(words[at + 2])
    return at + 1 < len(words) and comma_between(question, words, at) and not _is_language(words[at + 1])


def says_nothing(question: str, words: Sequence[Word], at: int) -> bool:
    """Whether a word without a condition stands as one would: "revenue for the", "of total", "revenue a".

    An article needs its noun; so does "total" behind "for" or "of". Only "us" and "me" may end a phrase.
    """
    plain = words[at].plain
    if not ends_at(question, words, at):
        return False
    if plain in ARTICLES:
        return True
    before = words[at - 1].plain if at else ""
    return before in NAME_PREPOSITIONS and plain in FILLERS - _BOUNDARIES - {"me", "us"}


def _is_language(word: Word) -> bool:
    return word.quoted is None and word.plain in KNOWN_WORDS


def _is_capital(question: str, word: Word) -> bool:
    first = next((letter for letter in question[word.start : word.end] if letter.isalnum()), "")
    return first.isupper() or first.isdecimal()
