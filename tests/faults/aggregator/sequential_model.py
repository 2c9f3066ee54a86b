"""What may become of one seller's feeds, if everything happened one after the other and nothing ever failed.

Every order of reading the files is walked through, with what operators did in its own order in between; what the
product ends with under faults has to be one of the ends that are reached here. Written from docs/feeds.md and
docs/decisions/0007 to 0009, without any of the product's code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from tests.faults.aggregator.random_world import Asked, Handed

Certainty = Literal["done", "perhaps"]
"""The operator was told that it is done; or was told nothing, so that it may be done or not."""

Books = Literal["none", "applied", "skipped", "duplicate"]
"""Which rows its row speaks of: none, as they were read, accepted ones as skipped, all as duplicates."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One feed. `waits`: for its first reading or another one; `earlier`: what it was before another was asked for."""

    status: str = "IN_QUEUE"
    waits: bool = True
    earlier: str | None = None
    on_error: str | None = None
    asked_on_error: bool = False
    books: Books = "none"
    counts: bool = False
    duplicate_of: UUID | None = None
    replaced_by: UUID | None = None
    replaces: UUID | None = None
    withdrawn: bool = False
    error: str | None = None

    @property
    def standing(self) -> str:
        return self.earlier or self.status


Fates = tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    asked: Asked
    certainty: Certainty


class SequentialModel:
    """Of one seller: its files in the order in which they were stored, and what was asked about them, in order."""

    def __init__(self, feeds: Sequence[Handed], steps: Sequence[Step]) -> None:
        self._feeds = feeds
        self._steps = steps
        self._at = {feed.feed_id: place for place, feed in enumerate(feeds)}

    def ends(self) -> set[Fates]:
        """Every state in which nothing is left to do."""
        start = (tuple(Fate() for _ in self._feeds), 0)
        seen, open_states = {start}, [start]
        ends: set[Fates] = set()
        while open_states:
            fates, asked = open_states.pop()
            following = set(self._following(fates, asked))
            if not following and asked == len(self._steps) and not any(fate.waits for fate in fates):
                ends.add(fates)
            fresh = following - seen
            seen |= fresh
            open_states += fresh
        return ends

    def _following(self, fates: Fates, asked: int) -> Iterator[tuple[Fates, int]]:
        if asked < len(self._steps):
            step = self._steps[asked]
            if step.certainty == "perhaps":
                yield fates, asked + 1
            changed = self._changed(fates, step.asked)
            if changed is not None:
                yield changed, asked + 1
        for place, fate in enumerate(fates):
            if fate.waits:
                for after in self._read(fates, place):
                    yield after, asked

    # --- what operators ask for -----------------------------------------------------------------------------------

    def _changed(self, fates: Fates, asked: Asked) -> Fates | None:
        """None where it would be refused."""
        place = self._at[asked.feed_id]
        fate = fates[place]
        match asked.verb:
            case "withdraw":
                after = _withdrawn(fate)
            case "cancel":
                after = _cancelled(fate)
            case "reprocess":
                after = _asked_again(fate, asked.overrides)
        return None if after is None else _with(fates, place, after)

    # --- reading a file -------------------------------------------------------------------------------------------

    def _read(self, fates: Fates, place: int) -> Iterator[Fates]:
        """Nothing while it has to wait for another feed."""
        feed, fate = self._feeds[place], fates[place]
        if feed.relation:
            verb, feed_id = feed.relation
            named = fates[self._at[feed_id]]
            if named.standing == "IN_QUEUE" and not named.counts:
                # Of a dropped object nobody knows before a worker has seen it.
                if named == Fate() and not self._feeds[self._at[feed_id]].minted:
                    yield _with(fates, place, _failed(fate, "reference/unknown_feed"))
                return
            if refusal := _refusal(feed, verb, named):
                yield _with(fates, place, _failed(fate, refusal))
                return
        later = [at for at in self._versions(place) if at > place and _has_applied(fates[at])]
        newer = [at for at in later if fates[at].duplicate_of != feed.feed_id]
        if newer:
            by = max([at for at in newer if fates[at].counts] or newer)
            yield _with(fates, place, _superseded(fate, self._feeds[by].feed_id))
            return
        yield self._judged(fates, place)

    def _room(self, fates: Fates, place: int) -> int:
        """How many of the rejected rows of the feed that this one corrects are not corrected yet."""
        relation = self._feeds[place].relation
        assert relation
        return self._feeds[self._at[relation[1]]].content.rejected - self._brought(relation, fates, place)

    def _brought(self, relation: tuple[str, UUID], fates: Fates, place: int) -> int:
        """Rows that count in other feeds with this relation."""
        others = [at for at, other in enumerate(self._feeds) if at != place and other.relation == relation]
        return sum(self._feeds[at].content.accepted for at in others if fates[at].counts)

    def _versions(self, place: int) -> list[int]:
        """Other contents of its key."""
        feed = self._feeds[place]
        if feed.minted:
            return []
        return [at for at, other in enumerate(self._feeds) if at != place and other.ref.key == feed.ref.key]

    def _judged(self, fates: Fates, place: int) -> Fates:
        feed, fate = self._feeds[place], fates[place]
        named = feed.relation[1] if feed.relation and feed.relation[0] == "replaces" else None
        same = [
            other.feed_id
            for at, other in enumerate(self._feeds)
            if at != place and fates[at].counts and other.content == feed.content and other.feed_id != named
        ]
        on_error = fate.on_error if fate.asked_on_error else feed.options.get("on_error")
        if not same and not feed.content.readable:
            return _with(fates, place, _failed(fate, "unreadable"))
        if not same and on_error == "skip_file" and feed.content.rejected:
            return _with(fates, place, _failed(fate, "validation/rows_rejected", "skipped"))
        if (
            not same
            and feed.relation
            and feed.relation[0] == "corrects"
            and feed.content.accepted > self._room(fates, place)
        ):
            return _with(fates, place, _failed(fate, "reference/too_many_corrections"))
        corrected = self._brought(("corrects", feed.feed_id), fates, place)
        if corrected > (0 if same else feed.content.rejected):
            return _with(fates, place, _failed(fate, "reference/corrected_already"))
        taken = [named] if named else []
        older = [self._feeds[at].feed_id for at in self._versions(place) if fates[at].counts]
        taken += sorted((each for each in older if each not in taken and each not in same), key=str)
        for feed_id in taken:
            other = fates[self._at[feed_id]]
            if other.replaced_by is None:
                fates = _with(fates, self._at[feed_id], _replaced(other, feed.feed_id))
        end = Fate(
            status="DONE",
            waits=False,
            books="duplicate" if same else "applied",
            counts=not same,
            duplicate_of=same[0] if same else None,
            replaces=taken[0] if taken else fate.replaces,
        )
        return _with(fates, place, end)


def _with(fates: Fates, place: int, fate: Fate) -> Fates:
    return (*fates[:place], fate, *fates[place + 1 :])


def _has_applied(fate: Fate) -> bool:
    return fate.counts or fate.standing == "DONE"


def _refusal(feed: Handed, verb: str, named: Fate) -> str | None:
    if named.replaced_by not in (None, feed.feed_id):
        return "reference/replaced_feed"
    if named.duplicate_of:
        return "reference/duplicate_feed"
    if verb == "corrects" and not _has_applied(named):
        return "reference/feed_not_applied"
    if verb == "corrects" and named.withdrawn:
        return "reference/withdrawn_feed"
    return None


def _back_to(fate: Fate, status: str) -> Fate:
    """Another reading of it is over, and changed nothing."""
    return replace(fate, status=status, waits=False, earlier=None, on_error=None, asked_on_error=False)


def _failed(fate: Fate, error: str, books: Books = "none") -> Fate:
    if fate.earlier == "DONE":
        return _back_to(fate, "DONE")
    return Fate(status="FATAL", waits=False, books=books, replaces=fate.replaces, error=error)


def _superseded(fate: Fate, by: UUID) -> Fate:
    if fate.earlier == "DONE":
        return _back_to(fate, "DONE")
    return Fate(status="CANCELLED", waits=False, replaced_by=by, replaces=fate.replaces)


def _replaced(fate: Fate, by: UUID) -> Fate:
    return replace(_back_to(fate, fate.standing), counts=False, replaced_by=by)


def _withdrawn(fate: Fate) -> Fate | None:
    if fate.withdrawn and fate.earlier is None:
        return fate
    if fate.standing != "DONE" or fate.replaced_by:
        return None
    return replace(_back_to(fate, "DONE"), counts=False, withdrawn=True)


def _cancelled(fate: Fate) -> Fate | None:
    if fate.status == "CANCELLED":
        return fate
    if not fate.waits:
        return None
    return _back_to(fate, fate.earlier or "CANCELLED")


def _asked_again(fate: Fate, overrides: Mapping[str, str | None]) -> Fate | None:
    if fate.replaced_by:
        return None
    asked = replace(fate, asked_on_error="on_error" in overrides, on_error=overrides.get("on_error"))
    return asked if fate.waits else replace(asked, status="IN_QUEUE", waits=True, earlier=fate.status)
