"""Finds the measures of a question: those that it names, and what “how much” and “how many” ask for."""

from services.query.rules.plan import Dimension, Metric
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import (
    EARNING,
    LONGEST_METRIC_WORDS,
    MAKING,
    METRIC_PHRASES,
    READ_AS_REVENUE,
    SALES_ASSUMPTION,
)


def read_metrics(sheet: Sheet) -> list[tuple[int, Metric]]:
    """Measures and where they stand, in the question's order; longer phrases first, so that none is cut short."""
    found: list[tuple[int, Metric]] = []
    for length in range(LONGEST_METRIC_WORDS, 0, -1):
        for at in range(len(sheet.words) - length + 1):
            phrase = sheet.phrase(at, at + length)
            if phrase is None or phrase not in METRIC_PHRASES:
                continue
            sheet.claim(at, at + length)
            sheet.metric_starts.add(at)
            found.append((at, METRIC_PHRASES[phrase]))
            if phrase in READ_AS_REVENUE:
                sheet.assumptions.append(SALES_ASSUMPTION)
    return sorted(found + _read_how_many(sheet) + _read_how_much(sheet))


def _read_how_many(sheet: Sheet) -> list[tuple[int, Metric]]:
    """How many Boots were sold: units of what is named right behind it."""
    at = sheet.find("how many")
    named = next((name for name in sheet.names if at is not None and name[0] == at + 2), None)
    # "how many Shoes products" may ask for different products as well.
    if at is None or named is None or named[2] not in (Dimension.PRODUCT, Dimension.CATEGORY):
        return []
    if named[1] < len(sheet.words) and sheet.is_claimed(named[1]) and sheet.words[named[1]].plain.startswith("product"):
        return []
    written = sheet.claim(at, at + 2)
    sheet.metric_starts.add(at)
    sheet.assumptions.append(f"“{written} {named[3]}” are units")
    return [(at, Metric.QUANTITY)]


def _read_how_much(sheet: Sheet) -> list[tuple[int, Metric]]:
    """How much did we earn: money taken. "How much did we sell" does not say of what."""
    at = sheet.find("how much")
    verb = next((place for place, word in enumerate(sheet.free_words()) if word in EARNING | MAKING), None)
    if verb is None or (at is None and sheet.free(verb) not in EARNING):
        return []
    if at is not None:
        sheet.claim(at, at + 3 if sheet.free(at + 2) == "money" else at + 2)
    written = sheet.claim(verb, verb + 1)
    start = verb if at is None else at
    sheet.metric_starts.add(start)
    sheet.assumptions.append(f"what one “{written}” is read as revenue")
    return [(start, Metric.REVENUE)]
