"""What every plan must pass before it is compiled, whoever wrote it: it says nothing that the question does not."""

from collections.abc import Sequence

from services.query.rules.plan import Dimension, Period, Plan, ValueFilter
from services.query.rules.reading.word_names import spans_like_names
from services.query.rules.reading.words import LONGEST_NAME_WORDS, Word, name_texts, split_words
from services.query.rules.suggestions import decline
from services.query.rules.values import KnownValue, best_spelling, same_name


def checked(plan: Plan, question: str, known: Sequence[KnownValue]) -> Plan:
    """The plan with its names as the store spells them. Raises Declined.

    `known` are the names of the question that the store has: any other in a plan was made up. The words that a
    period was read from must stand in the question.
    """
    if plan.period is not None:
        _check_phrase(plan.period, question)
    plan = plan.model_copy(update={"filters": [_existing(chosen, known) for chosen in plan.filters]})
    _check_names_like_words(plan, question, known)
    return plan


def _check_phrase(period: Period, question: str) -> None:
    if _flat(period.phrase) not in _flat(question):
        raise decline(f"The period “{period.phrase}” does not stand in the question.")


def _check_names_like_words(plan: Plan, question: str, known: Sequence[KnownValue]) -> None:
    """A name that is a word of the language as well must not be dropped as that word."""
    words = split_words(question)
    taken = _words_of_names(plan, question, words)
    for first, last in spans_like_names(question, words):
        if taken.issuperset(range(first, last + 1)) or _is_of_a_longer_period(plan, question, words, first, last):
            continue
        for text in name_texts(question, words, first, last):
            for one in known:
                if text == one.value or (one.dimension is not Dimension.CURRENCY and same_name(text, one.value)):
                    raise decline(
                        f"“{text}” is a word of the language and the name of a {one.dimension} as well: write it in"
                        " quotation marks if the name is meant, and leave it out or put it differently if not."
                    )


def _words_of_names(plan: Plan, question: str, words: list[Word]) -> set[int]:
    """The words that stand for the plan's filters."""
    named = [value for chosen in plan.filters for value in chosen.values]
    taken: set[int] = set()
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST_NAME_WORDS, len(words))):
            texts = name_texts(question, words, first, last)
            if any(same_name(text, value) for text in texts for value in named):
                taken.update(range(first, last + 1))
    return taken


def _is_of_a_longer_period(plan: Plan, question: str, words: list[Word], first: int, last: int) -> bool:
    """ "for March 2026" is a period whatever is called March; "for March" may be either."""
    if plan.period is None:
        return False
    phrase, text = _flat(plan.period.phrase), _flat(question[words[first].start : words[last].end])
    return f" {text} " in f" {phrase} " and len(phrase.split()) > len(text.split()) + 1


def _existing(chosen: ValueFilter, known: Sequence[KnownValue]) -> ValueFilter:
    names: list[str] = []
    for value in chosen.values:
        alike = [one.value for one in known if one.dimension is chosen.dimension and same_name(one.value, value)]
        spelt = best_spelling(value, alike)
        if not spelt:
            raise decline(f"The question names no {chosen.dimension} “{value}” that has sales.")
        if len(spelt) > 1:
            raise decline(f"“{value}” may be {' or '.join(f'“{name}”' for name in spelt)}: write it exactly.")
        names.append(spelt[0])
    return chosen.model_copy(update={"values": list(dict.fromkeys(names))})


def _flat(text: str) -> str:
    return " ".join(text.lower().split())
