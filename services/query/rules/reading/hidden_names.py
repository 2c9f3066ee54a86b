"""Declines where a name that is also a word of the language would be dropped as that word (P5)."""

from collections.abc import Sequence

from services.query.rules.plan import Dimension, Period, ValueFilter
from services.query.rules.reading.word_names import spans_like_names
from services.query.rules.reading.words import LONGEST_NAME_WORDS, Word, flat, name_texts, split_words
from services.query.rules.suggestions import decline
from services.query.rules.values import KnownValue, same_name


def refuse_hidden_names(
    question: str, known: Sequence[KnownValue], filters: Sequence[ValueFilter], period: Period | None
) -> None:
    """`filters` and `period` are what the question was read as. Raises Declined."""
    words = split_words(question)
    taken = _words_of_names(filters, question, words)
    for first, last in spans_like_names(question, words):
        if taken.issuperset(range(first, last + 1)) or _is_of_a_longer_period(
            period, question, words[first : last + 1]
        ):
            continue
        for text in name_texts(question, words, first, last):
            named = next((one for one in known if _is_called(one, text)), None)
            if named is not None:
                raise decline(
                    f"“{text}” is a word of the language and the name of a {named.dimension} as well: write it in"
                    " quotation marks if the name is meant, and leave it out or put it differently if not."
                )


def _is_called(one: KnownValue, text: str) -> bool:
    # A currency's code is meant only in capitals.
    return text == one.value or (one.dimension is not Dimension.CURRENCY and same_name(text, one.value))


def _words_of_names(filters: Sequence[ValueFilter], question: str, words: Sequence[Word]) -> set[int]:
    """The words that stand for the filters."""
    named = [value for chosen in filters for value in chosen.values]
    taken: set[int] = set()
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST_NAME_WORDS, len(words))):
            texts = name_texts(question, list(words), first, last)
            if any(same_name(text, value) for text in texts for value in named):
                taken.update(range(first, last + 1))
    return taken


def _is_of_a_longer_period(period: Period | None, question: str, span: Sequence[Word]) -> bool:
    """ "for March 2026" is a period whatever is called March; "for March" may be either."""
    if period is None:
        return False
    phrase, text = flat(period.phrase), flat(question[span[0].start : span[-1].end])
    return f" {text} " in f" {phrase} " and len(phrase.split()) > len(text.split()) + 1
