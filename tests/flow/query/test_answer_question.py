"""The question flow with fakes: any interpreter's plan is checked before it is run."""

from collections.abc import Sequence
from datetime import date

import pytest

from services.query.answer_question import AnswerQuestion
from services.query.errors import Declined
from services.query.rules.answers import Answer
from services.query.rules.confinement import UNCONFINED, Confinement
from services.query.rules.plan import Dimension, Metric, Period, Plan, ValueFilter
from services.query.rules.reading.interpretation import OfflineInterpreter
from services.query.rules.values import KnownValue
from tests.flow.query.fakes import FakePlans

TODAY = date(2026, 4, 15)
SHOES = KnownValue(Dimension.CATEGORY, "Shoes")


class Fixed:
    """An interpreter that always reads the same."""

    name = "fixed"

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.asked: list[date] = []

    async def read(self, question: str, as_of: date, known: Sequence[KnownValue]) -> Plan:
        self.asked.append(as_of)
        return self.plan


def about(*names: str, dimension: Dimension = Dimension.CATEGORY, period: Period | None = None) -> Plan:
    filters = [ValueFilter(dimension=dimension, values=list(names))] if names else []
    return Plan(metrics=[Metric.REVENUE], filters=filters, period=period)


async def test_a_question_is_answered_with_all_that_it_rests_on() -> None:
    plans = FakePlans([SHOES], [{"currency": "EUR", "revenue": "12.5000"}, {"currency": None, "revenue": "1.0000"}])
    flow = AnswerQuestion(OfflineInterpreter(), plans, lambda: TODAY)

    answer = await flow.answer("total sales of shoes last month", None, UNCONFINED)

    assert answer.as_of == TODAY
    assert answer.understood == (
        "Revenue by currency, category “Shoes”, 2026-03-01 to 2026-03-31."
        " Taken as: “sales” is read as revenue. As of 2026-04-15."
    )
    assert answer.answer == "Revenue 12.5000 EUR; revenue 1.0000 (unknown currency) (2026-03-01 to 2026-03-31)."
    assert answer.results == plans.rows
    assert answer.interpreter == "rules"
    assert plans.ran == [(answer.plan, UNCONFINED)]


async def test_the_documented_answer_is_the_one_that_is_given() -> None:
    rows: list[dict[str, object]] = [
        {"category": "Shirts", "currency": "EUR", "revenue": "300.0000"},
        {"category": "Shoes", "currency": "EUR", "revenue": "120.0000"},
    ]
    documented = Answer.model_json_schema()["properties"]
    [question] = documented["question"]["examples"]
    given = await AnswerQuestion(OfflineInterpreter(), FakePlans([], rows), lambda: TODAY).answer(
        question, None, UNCONFINED
    )
    assert [given.answer] == documented["answer"]["examples"]
    assert [given.understood] == documented["understood"]["examples"]
    assert [given.interpreter] == documented["interpreter"]["examples"]


async def test_the_day_asked_for_is_the_day_counted_from() -> None:
    interpreter = Fixed(about())
    flow = AnswerQuestion(interpreter, FakePlans(), lambda: TODAY)
    assert (await flow.answer("revenue", date(2020, 2, 29), UNCONFINED)).as_of == date(2020, 2, 29)
    await flow.answer("revenue", None, UNCONFINED)
    assert interpreter.asked == [date(2020, 2, 29), TODAY]


async def test_a_plans_names_take_the_spelling_of_the_store() -> None:
    plans = FakePlans([SHOES])
    await AnswerQuestion(Fixed(about("SHOES")), plans, lambda: TODAY).answer("revenue of SHOES", None, UNCONFINED)
    assert plans.ran[0][0].filters == [ValueFilter(dimension=Dimension.CATEGORY, values=["Shoes"])]


@pytest.mark.parametrize(
    ("question", "plan", "reason"),
    [
        ("revenue of sneakers", about("Shoes"), "no category “Shoes”"),
        ("revenue of sandals", about("sandals"), "no category “sandals”"),
        ("revenue of shoes", about("shoes", dimension=Dimension.SELLER), "no seller “shoes”"),
        (
            "revenue in March",
            about(period=Period(start=date(2026, 4, 1), phrase="in April")),
            "does not stand in the question",
        ),
    ],
)
async def test_a_plan_that_says_more_than_the_question_is_not_run(question: str, plan: Plan, reason: str) -> None:
    plans = FakePlans([SHOES])
    flow = AnswerQuestion(Fixed(plan), plans, lambda: TODAY)
    with pytest.raises(Declined) as declined:
        await flow.answer(question, None, UNCONFINED)
    assert reason in (declined.value.reason or "")
    assert plans.ran == []


async def test_a_name_like_a_word_is_not_dropped_by_any_interpreter() -> None:
    plans = FakePlans([KnownValue(Dimension.PRODUCT, "Total")])
    flow = AnswerQuestion(Fixed(about()), plans, lambda: TODAY)
    with pytest.raises(Declined, match="quotation marks if the name is meant"):
        await flow.answer("revenue for Total", None, UNCONFINED)
    assert plans.ran == []
    await flow.answer("Total revenue", None, UNCONFINED)
    assert len(plans.ran) == 1


async def test_names_that_differ_only_in_case_are_not_chosen_between() -> None:
    plans = FakePlans([SHOES, KnownValue(Dimension.CATEGORY, "SHOES")])
    flow = AnswerQuestion(Fixed(about("shoes")), plans, lambda: TODAY)
    with pytest.raises(Declined, match="write it exactly"):
        await flow.answer("revenue of shoes", None, UNCONFINED)


async def test_the_callers_confinement_reaches_the_store() -> None:
    plans = FakePlans()
    await AnswerQuestion(Fixed(about()), plans, lambda: TODAY).answer("revenue", None, Confinement("acme"))
    assert plans.ran[0][1] == Confinement("acme")


async def test_nothing_to_show_is_said_in_words() -> None:
    answer = await AnswerQuestion(Fixed(about()), FakePlans(), lambda: TODAY).answer("revenue", None, UNCONFINED)
    assert answer.answer == (
        "No sales match (all days). Without these conditions there are sales from 2026-01-01 to 2026-03-31."
    )
