"""Calls share a batch when they are made together, and every caller hears of its own item."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.runtime.coalesce import Coalescer


class Batches:
    """Doubles what it is sent; holds each batch until it may go, and keeps what was in it."""

    def __init__(self, *, held: bool = False) -> None:
        self.sent: list[list[int]] = []
        self.may_go = asyncio.Event()
        if not held:
            self.may_go.set()

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.sent.append(list(items))
        await self.may_go.wait()
        if 13 in items:
            raise OSError("the call failed")
        return [ValueError(f"not {item}") if item < 0 else 2 * item for item in items]


async def turns(count: int = 5) -> None:
    """Lets whoever is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_calls_made_together_share_a_batch_up_to_its_limit() -> None:
    batches = Batches()
    double = Coalescer(batches, most=3)
    assert await asyncio.gather(*(double(item) for item in range(5))) == [0, 2, 4, 6, 8]
    assert batches.sent == [[0, 1, 2], [3, 4]]


async def test_calls_made_while_one_is_on_its_way_go_together_in_the_next() -> None:
    batches = Batches(held=True)
    double = Coalescer(batches, most=10)
    calls = [asyncio.create_task(double(1))]
    await turns()
    calls += [asyncio.create_task(double(item)) for item in (2, 3)]
    await turns()
    assert batches.sent == [[1]]
    batches.may_go.set()
    assert await asyncio.gather(*calls) == [2, 4, 6]
    assert batches.sent == [[1], [2, 3]]


async def test_a_heavy_item_goes_alone_and_weights_bound_a_batch() -> None:
    batches = Batches()
    double = Coalescer(batches, most=10, weigh=lambda item: item, most_weight=10)
    await asyncio.gather(*(double(item) for item in (6, 4, 1, 50, 2)))
    assert batches.sent == [[6, 4], [1], [50], [2]]


async def test_what_is_wrong_with_one_item_is_told_to_its_caller_alone() -> None:
    double = Coalescer(Batches(), most=10)
    ends = await asyncio.gather(double(1), double(-2), double(3), return_exceptions=True)
    assert [repr(end) for end in ends] == ["2", "ValueError('not -2')", "6"]


async def test_a_call_that_failed_failed_for_all_of_them_and_the_next_goes_out() -> None:
    double = Coalescer(Batches(), most=2)
    ends = await asyncio.gather(double(13), double(1), double(2), return_exceptions=True)
    assert [type(end) for end in ends] == [OSError, OSError, int]
    assert await double(4) == 8


async def test_who_gave_up_before_its_batch_went_out_is_not_in_it() -> None:
    batches = Batches(held=True)
    double = Coalescer(batches, most=10)
    first = asyncio.create_task(double(1))
    await turns()
    given_up, other = asyncio.create_task(double(2)), asyncio.create_task(double(3))
    await turns()
    given_up.cancel()
    batches.may_go.set()
    assert list(await asyncio.gather(first, other)) == [2, 6]
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert batches.sent == [[1], [3]]


async def test_a_wrong_number_of_results_is_an_error_for_every_caller_and_the_next_call_goes_out() -> None:
    answers: list[list[int | Exception]] = [[2], [2, 4, 6], [8]]

    async def send(_: Sequence[int]) -> list[int | Exception]:
        return answers.pop(0)

    double = Coalescer(send, most=2)
    for _ in range(2):
        ends = await asyncio.gather(double(1), double(2), return_exceptions=True)
        assert [type(end) for end in ends] == [RuntimeError] * 2
    assert await double(4) == 8
