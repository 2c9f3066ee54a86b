"""How calls to AWS fail in a run: refused, not answered, or done without the caller's hearing of it."""

from botocore.exceptions import ClientError

from tests.faults.aggregator.planted_faults import AFTER_CALLS, Life


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "planted"}}, operation)


async def struck(life: Life, step: str, kinds: tuple[str, ...]) -> str | None:
    """Raises what a call raises that is refused, or not answered."""
    kind = await life.at(step, kinds)
    if kind == "refused":
        raise refused("ServiceUnavailable", step)
    if kind == "silent":
        raise TimeoutError("no answer (planted)")
    return kind


async def answered(life: Life, step: str) -> None:
    """Done is done, but the caller may never hear of it."""
    if await life.at(f"after {step}", AFTER_CALLS) == "answer_lost":
        raise ConnectionResetError("the answer was lost (planted)")
