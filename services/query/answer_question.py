"""THE FLOW of `POST /api/queries`: question → plan → SQL → answer, or a reason why not.

The interpreter, rules or a model, only ever fills a plan. The plan is checked against the question and the store,
compiled by our own code, and run read-only under the caller's confinement.
"""

from collections.abc import Callable
from datetime import date

import structlog

from services.query.errors import Declined
from services.query.ports import Interpreter, PlanRunner
from services.query.rules.answers import Answer, as_cells
from services.query.rules.checks import checked
from services.query.rules.confinement import Confinement
from services.query.rules.reading.candidates import candidate_names
from services.query.rules.sentences import answer, understood

log = structlog.get_logger(__name__)


class AnswerQuestion:
    """`today` gives the present day in UTC."""

    def __init__(self, interpreter: Interpreter, runner: PlanRunner, today: Callable[[], date]) -> None:
        self._interpreter = interpreter
        self._runner = runner
        self._today = today

    async def answer(self, question: str, as_of: date | None, confinement: Confinement) -> Answer:
        """Raises Declined, InterpreterUnavailable, StoreUnavailable, ReadTooSlow."""
        day = as_of or self._today()
        try:
            known = await self._runner.known_values(candidate_names(question), confinement)
            plan = checked(await self._interpreter.read(question, day, known), question, known)
        except Declined as declined:
            log.info("question.declined", interpreter=self._interpreter.name, reason=declined.reason)
            raise
        run = await self._runner.run(plan, confinement)
        log.info("question.answered", interpreter=self._interpreter.name, rows=len(run.rows))
        return Answer(
            question=question,
            as_of=day,
            answer=answer(plan, run.rows, run.coverage, truncated=run.truncated),
            understood=understood(plan, day),
            results=[as_cells(row) for row in run.rows],
            truncated=run.truncated,
            plan=plan,
            sql=run.sql,
            parameters=run.parameters,
            coverage=run.coverage,
            interpreter=self._interpreter.name,
        )
