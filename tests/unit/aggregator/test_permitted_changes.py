"""What may be done to a feed in which state, and what is said when it may not."""

from uuid import UUID

import pytest

from services.aggregator.errors import WrongState
from services.aggregator.rules.permitted_changes import (
    AlreadySo,
    AskForRun,
    CancelFeed,
    DropReprocessing,
    FeedState,
    OrderAgain,
    WithdrawFeed,
    may_cancel,
    may_reprocess,
    may_withdraw,
)
from shared.schemas.feeds import ProcessingStatus

QUEUED = FeedState(ProcessingStatus.IN_QUEUE, waits=True)
WORKED_ON = FeedState(ProcessingStatus.IN_PROGRESS, waits=False)
ABANDONED = FeedState(ProcessingStatus.IN_PROGRESS, waits=True)
DONE = FeedState(ProcessingStatus.DONE, waits=False)
FATAL = FeedState(ProcessingStatus.FATAL, waits=False)
CANCELLED = FeedState(ProcessingStatus.CANCELLED, waits=False)
WITHDRAWN = FeedState(ProcessingStatus.DONE, waits=False, withdrawn=True)
REPLACED = FeedState(ProcessingStatus.DONE, waits=False, replaced_by=UUID(int=9))
ASKED_ANEW = FeedState(ProcessingStatus.IN_QUEUE, waits=True, earlier_status=ProcessingStatus.DONE)
READ_ANEW = FeedState(ProcessingStatus.IN_PROGRESS, waits=False, earlier_status=ProcessingStatus.DONE)
FAILED_ANEW = FeedState(ProcessingStatus.IN_QUEUE, waits=True, earlier_status=ProcessingStatus.FATAL)
UNDONE_ANEW = FeedState(ProcessingStatus.IN_QUEUE, waits=True, earlier_status=ProcessingStatus.DONE, withdrawn=True)


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (DONE, WithdrawFeed()),
        (WITHDRAWN, AlreadySo()),
        (ASKED_ANEW, WithdrawFeed()),
        (READ_ANEW, WithdrawFeed()),  # what it counts is there to be taken back; its worker loses the feed
        (UNDONE_ANEW, WithdrawFeed()),  # or reprocessing would bring it back
        (REPLACED, "feed 00000000-0000-0000-0000-000000000009 replaced it"),
        (QUEUED, "IN_QUEUE: it can be cancelled"),
        (WORKED_ON, "this one is IN_PROGRESS"),
        (FATAL, "FATAL: nothing of it counts"),
        (CANCELLED, "CANCELLED: nothing of it counts"),
    ],
)
def test_withdrawing(state: FeedState, answer: object) -> None:
    if isinstance(answer, str):
        with pytest.raises(WrongState, match=answer):
            may_withdraw(state)
    else:
        assert may_withdraw(state) == answer


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (QUEUED, CancelFeed()),
        (ABANDONED, CancelFeed()),
        (CANCELLED, AlreadySo()),
        (ASKED_ANEW, DropReprocessing(ProcessingStatus.DONE)),
        (FAILED_ANEW, DropReprocessing(ProcessingStatus.FATAL)),
        (WORKED_ON, "a worker has it"),
        (READ_ANEW, "a worker has it"),
        (DONE, "withdraw it instead"),
        (FATAL, "it has failed"),
    ],
)
def test_cancelling(state: FeedState, answer: object) -> None:
    if isinstance(answer, str):
        with pytest.raises(WrongState, match=answer):
            may_cancel(state)
    else:
        assert may_cancel(state) == answer


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (DONE, AskForRun(ProcessingStatus.DONE)),
        (WITHDRAWN, AskForRun(ProcessingStatus.DONE)),
        (FATAL, AskForRun(ProcessingStatus.FATAL)),
        (CANCELLED, AskForRun(ProcessingStatus.CANCELLED)),
        (QUEUED, OrderAgain()),
        (ASKED_ANEW, OrderAgain()),
        (ABANDONED, OrderAgain()),
        (WORKED_ON, "A worker has it"),
        (REPLACED, "took its place"),
    ],
)
def test_reprocessing(state: FeedState, answer: object) -> None:
    if isinstance(answer, str):
        with pytest.raises(WrongState, match=answer):
            may_reprocess(state)
    else:
        assert may_reprocess(state) == answer
