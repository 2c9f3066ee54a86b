"""What every plan must pass before it is compiled, whoever wrote it: it says nothing that the question does not."""

from collections.abc import Sequence

from services.query.rules.plan import Period, Plan, ValueFilter
from services.query.rules.reading.hidden_names import refuse_hidden_names
from services.query.rules.reading.words import flat
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
    refuse_hidden_names(question, known, plan.filters, plan.period)
    return plan


def _check_phrase(period: Period, question: str) -> None:
    if flat(period.phrase) not in flat(question):
        raise decline(f"The period “{period.phrase}” does not stand in the question.")


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
