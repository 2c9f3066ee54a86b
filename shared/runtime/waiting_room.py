"""Who is next, when messages of many senders wait and one of them sends without end: decided here, without I/O.

Senders take turns, however many messages each has waiting; none may hold every slot; and when the room is full, what
one of them has beyond its share leaves it for the overflow lane, so that the others' messages behind it are reached.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Message = TypeVar("Message")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Message]):
    """`since` on the caller's clock, in seconds. `from_overflow`: it gave way once and does not do so again.
    `stays`: however long it waits, it is not overdue."""

    message: Message
    sender: str
    since: float
    from_overflow: bool = False
    stays: bool = False


class WaitingRoom(Generic[Message]):
    """Of `slots` messages in work a single sender holds one less, if there are two or more and `keep_one_free`."""

    def __init__(self, slots: int, *, keep_one_free: bool) -> None:
        self._slots = slots
        self._most_of_one = max(1, slots - 1) if keep_one_free else slots
        self._queues: OrderedDict[str, deque[Waiting[Message]]] = OrderedDict()
        self._in_work: dict[str, int] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def free_slots(self) -> int:
        return self._slots - sum(self._in_work.values())

    @property
    def from_overflow(self) -> int:
        """How many of those that wait came from the overflow lane."""
        return sum(waiting.from_overflow for waiting in self._all())

    def add(self, waiting: Waiting[Message]) -> None:
        self._queues.setdefault(waiting.sender, deque()).append(waiting)
        self._waiting += 1

    def take(self) -> Waiting[Message] | None:
        """The next one to work on, whose sender's turn it is; it holds a slot until `done`. None: nobody may now."""
        if self.free_slots <= 0:
            return None
        for sender, queue in self._queues.items():
            if self._in_work.get(sender, 0) >= self._most_of_one:
                continue
            taken = queue.popleft()
            self._waiting -= 1
            # Whoever was served goes to the end of the line.
            self._queues.move_to_end(sender)
            if not queue:
                del self._queues[sender]
            self._in_work[sender] = self._in_work.get(sender, 0) + 1
            return taken
        return None

    def done(self, sender: str) -> None:
        """One of its messages is no longer in work."""
        self._in_work[sender] -= 1
        if not self._in_work[sender]:
            del self._in_work[sender]

    def give_way(self, share: int) -> list[Waiting[Message]]:
        """Removes what any sender has waiting beyond `share`, its newest first; not what came from the overflow."""
        leaving: list[Waiting[Message]] = []
        for sender, queue in list(self._queues.items()):
            beyond = len(queue) - share
            newest = [waiting for waiting in reversed(queue) if not waiting.from_overflow][: max(0, beyond)]
            if newest:
                self._remove(sender, newest)
                leaving += newest
        return leaving

    def leave(self, came_before: float | None = None) -> list[Waiting[Message]]:
        """Removes those that wait since before then and need not stay; all without it."""
        leaving = [
            waiting
            for waiting in self._all()
            if came_before is None or (waiting.since < came_before and not waiting.stays)
        ]
        for waiting in leaving:
            self._remove(waiting.sender, [waiting])
        return leaving

    def _all(self) -> Iterator[Waiting[Message]]:
        for queue in self._queues.values():
            yield from queue

    def _remove(self, sender: str, leaving: list[Waiting[Message]]) -> None:
        gone = {id(waiting) for waiting in leaving}
        kept = deque(waiting for waiting in self._queues[sender] if id(waiting) not in gone)
        self._waiting -= len(self._queues[sender]) - len(kept)
        if kept:
            self._queues[sender] = kept
        else:
            del self._queues[sender]
