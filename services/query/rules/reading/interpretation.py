"""Reads a question as a plan, offline and always the same way, or declines it.

Every word of the question ends up with exactly one meaning: part of a name, of the period, of a measure, of the
ranking, of the grouping, or a word that carries no condition. If one word is left over, the question says
something that the plan would not, and it is declined (P5).
"""

from collections.abc import Sequence
from datetime import date

from pydantic import ValidationError

from services.query.rules.plan import Dimension, Direction, Metric, Period, Plan, Ranking
from services.query.rules.reading.groupings import Grouping, read_grouping
from services.query.rules.reading.hidden_names import refuse_hidden_names
from services.query.rules.reading.joints import refuse_measures_apart
from services.query.rules.reading.measures import read_metrics
from services.query.rules.reading.names import read_names
from services.query.rules.reading.periods import find_periods
from services.query.rules.reading.rankings import Superlative, read_superlative
from services.query.rules.reading.reasons import AVERAGE, REASONS
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import (
    FILLERS,
    NOUNS,
    OPENERS,
    ORDER_PHRASES,
    PLURALS,
)
from services.query.rules.reading.word_names import says_nothing
from services.query.rules.suggestions import decline, faults_in_words
from services.query.rules.values import KnownValue

DEFAULT_PLACES = 10


class OfflineInterpreter:
    """The interpreter that needs nothing but its tables."""

    name = "rules"

    async def read(self, question: str, as_of: date, known: Sequence[KnownValue]) -> Plan:
        """Raises Declined."""
        return interpret(question, as_of, known)


def interpret(question: str, as_of: date, known: Sequence[KnownValue]) -> Plan:
    """The plan that the question says, all of it and nothing else. Raises Declined."""
    sheet = Sheet.of(question)
    filters = read_names(sheet, known)
    period = _read_period(sheet, as_of)
    order = _read_order(sheet)
    superlative = read_superlative(sheet)
    metrics = read_metrics(sheet)
    grouping = read_grouping(sheet)
    refuse_measures_apart(sheet)
    _read_fillers(sheet, {*grouping.dimensions, *(superlative.targets if superlative else ())})
    refuse_hidden_names(question, known, filters, period)
    _refuse_leftovers(sheet, grouping)
    if not metrics and superlative is not None and superlative.explains_itself:
        metrics = [(-1, Metric.REVENUE)]
        sheet.assumptions.append(
            "“best”, “worst” and what “sold the most” or “the least” are by revenue unless the question names a measure"
        )
    if not metrics:
        raise decline("The question names no measure.")
    chosen = list(dict.fromkeys(metric for _, metric in metrics))
    ranking = _ranking(sheet, chosen, metrics, superlative, grouping, order)
    dimensions = list(dict.fromkeys([*grouping.dimensions, *(superlative.targets if superlative else ())]))
    try:
        return Plan(
            metrics=chosen,
            dimensions=dimensions,
            filters=filters,
            period=period,
            ranking=ranking,
            assumptions=sheet.assumptions,
        )
    except ValidationError as error:
        raise decline(faults_in_words(error)) from error


def _read_period(sheet: Sheet, as_of: date) -> Period | None:
    found = find_periods(sheet.free_words(), as_of)
    if len(found) > 1:
        raise decline("The question names more than one period; ask for one at a time.")
    for period in found:
        phrase = sheet.claim(period.first, period.last)
        sheet.period_words = range(period.first, period.last)
        if period.days.assumption:
            sheet.assumptions.append(f"“{phrase}”: {period.days.assumption}")
        try:
            return Period(start=period.days.start, end=period.days.end, phrase=phrase)
        except ValidationError as error:
            raise decline(f"“{phrase}”: {faults_in_words(error)}") from error
    return None


def _read_order(sheet: Sheet) -> Direction | None:
    """from most to least · in ascending order"""
    directions: list[Direction] = []
    for phrase in sorted(ORDER_PHRASES, key=len, reverse=True):
        while (at := sheet.find(phrase)) is not None:
            sheet.claim(at, at + len(phrase.split()))
            directions.append(ORDER_PHRASES[phrase])
    if len(directions) > 1:
        raise decline("The question names more than one order.")
    return directions[0] if directions else None


def _read_fillers(sheet: Sheet, shown: set[Dimension]) -> None:
    for at, word in enumerate(sheet.words):
        plain = sheet.free(at)
        if plain in FILLERS and says_nothing(sheet.question, sheet.words, at):
            continue
        if plain in FILLERS or (plain in OPENERS and word.opens_sentence) or plain == "&":
            sheet.claim(at, at + 1)
        elif plain in NOUNS and NOUNS[plain] in shown:
            # Named again, as in "… Return product and revenue."
            sheet.claim(at, at + 1)


def _refuse_leftovers(sheet: Sheet, grouping: Grouping) -> None:
    left = [(word.plain, word.quoted) for word in sheet.left_over()]
    if not left:
        return
    words = ", ".join(f"“{quoted or plain}”" for plain, quoted in left)
    if grouping.dimensions and any(plain in AVERAGE for plain, _ in left):
        unit = grouping.dimensions[0]
        raise decline(
            f"An average over {_plural(unit)} cannot be asked for yet: those without sales might count or not."
            f" Ask for the measure by {unit}, or for revenue or units per transaction."
        )
    reasons = list(dict.fromkeys(REASONS[plain] for plain, quoted in left if quoted is None and plain in REASONS))
    unknown = any(quoted is not None or plain not in REASONS for plain, quoted in left)
    if unknown and not reasons:
        reasons = ["it is no known product, category, seller or currency, and no word that is understood here"]
    raise decline(f"Not understood: {words} ({'; '.join(reasons)}).")


def _plural(unit: Dimension) -> str:
    return next(noun for noun in PLURALS if NOUNS[noun] is unit)


def _ranking(
    sheet: Sheet,
    chosen: list[Metric],
    metrics: list[tuple[int, Metric]],
    superlative: Superlative | None,
    grouping: Grouping,
    order: Direction | None,
) -> Ranking | None:
    by = next((metric for at, metric in metrics if at == sheet.order_metric_at), None)
    if superlative is None:
        if by is None and order is None:
            return None
        if by is None and len(chosen) > 1:
            raise decline("Say which measure the order is by.")
        if not grouping.dimensions:
            raise decline("There is nothing to put in order: say by product, category, seller, day or month.")
        return Ranking(metric=by or chosen[0], direction=order or Direction.HIGHEST)
    if order is not None and order is not superlative.direction:
        raise decline("The question names two orders.")
    asked_for = [dimension for dimension in grouping.dimensions if dimension not in superlative.targets]
    targets = superlative.targets or [dimension for dimension in asked_for if dimension not in grouping.each]
    if not targets:
        raise decline("Say what to rank: products, categories, sellers, days or months.")
    if any(dimension not in grouping.each for dimension in asked_for if dimension not in targets):
        raise decline("Say “for each …” to rank within each of them.")
    places = superlative.places
    if places is None:
        places = DEFAULT_PLACES if superlative.is_plural else 1
        if superlative.is_plural:
            sheet.assumptions.append(f"{DEFAULT_PLACES} places are shown unless the question says how many")
    return Ranking(
        metric=by or _ranked_metric(chosen, metrics, superlative),
        direction=superlative.direction,
        places=places,
        within=[dimension for dimension in asked_for if dimension in grouping.each],
    )


def _ranked_metric(chosen: list[Metric], metrics: list[tuple[int, Metric]], superlative: Superlative) -> Metric:
    """The only measure, or the one right behind the superlative: "the highest revenue"."""
    if len(chosen) == 1:
        return chosen[0]
    behind = [metric for at, metric in metrics if at == superlative.last]
    if behind:
        return behind[0]
    raise decline("Say which measure the ranking is by.")
