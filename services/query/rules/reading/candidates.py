"""Which parts of a question may be names that only the store knows."""

from collections.abc import Sequence

from services.query.rules.reading.vocabulary import CURRENCY_WORDS, KNOWN_WORDS, NOUNS
from services.query.rules.reading.word_names import spans_like_names, stands_behind_kind
from services.query.rules.reading.words import LONGEST_NAME_WORDS, Word, name_texts, split_words

NAME_MAX_CHARACTERS = 255


def candidate_names(question: str) -> list[str]:
    """Every text to look up, each once; at most LONGEST_NAME_WORDS per word of the question."""
    words = split_words(question)
    texts: dict[str, None] = {}
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST_NAME_WORDS, len(words))):
            if may_be_name(question, words, first, last):
                texts.update(dict.fromkeys(name_texts(question, words, first, last)))
            texts.update(dict.fromkeys(currency_codes(words, first, last)))
    for first, last in spans_like_names(question, words):
        texts.update(dict.fromkeys(name_texts(question, words, first, last)))
    return [text for text in texts if len(text) <= NAME_MAX_CHARACTERS]


def may_be_name(question: str, words: Sequence[Word], first: int, last: int) -> bool:
    """A word of the language means what the language says, unless it is quoted or behind its kind; so do numbers."""
    span = words[first : last + 1]
    if len(span) > 1 and any(word.quoted is not None for word in span):
        return False
    if span[0].quoted is not None:
        return True
    if any(word.plain not in KNOWN_WORDS and not word.plain.isdecimal() for word in span):
        return True
    if first > 0 and words[first - 1].plain in NOUNS and span[0].plain.isdecimal():
        return True
    return bool(currency_codes(words, first, last)) or stands_behind_kind(question, words, first, last)


def currency_codes(words: Sequence[Word], first: int, last: int) -> list[str]:
    """in euros · in usd: the code that is meant, in capitals. Elsewhere a code is written in capitals."""
    word = words[first]
    if first != last or word.quoted is not None or first == 0 or words[first - 1].plain not in ("in", "currency"):
        return []
    if word.plain in CURRENCY_WORDS:
        return [CURRENCY_WORDS[word.plain]]
    looks_like_code = len(word.plain) == 3 and word.plain.isascii() and word.plain.isalpha()
    return [word.plain.upper()] if looks_like_code and word.plain not in KNOWN_WORDS else []
