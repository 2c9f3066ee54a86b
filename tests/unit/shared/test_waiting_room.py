"""Whose turn it is: a flood neither takes every slot nor keeps the others' messages from being reached."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.waiting_room import Waiting, WaitingRoom


def room(slots: int = 4, *, senders: str = "", keep_one_free: bool = True) -> WaitingRoom[int]:
    """With a message, numbered in order of arrival, for every letter of `senders`; capitals came from the overflow."""
    made: WaitingRoom[int] = WaitingRoom(slots, keep_one_free=keep_one_free)
    for number, sender in enumerate(senders):
        made.add(Waiting(number, sender.lower(), float(number), from_overflow=sender.isupper()))
    return made


def taken(waiting_room: WaitingRoom[int], *, at_once: bool = False) -> str:
    """Whose messages are taken, in order; each done before the next is taken, unless all are held `at_once`."""
    order = ""
    while waiting := waiting_room.take():
        order += waiting.sender
        if not at_once:
            waiting_room.done(waiting.sender)
    return order


def test_senders_take_turns_however_many_messages_each_has() -> None:
    assert taken(room(senders="aaaaabbc")) == "abcabaaa"


def test_a_sender_who_comes_late_is_served_after_one_turn_of_the_others() -> None:
    waiting_room = room(senders="a" * 50)
    for _ in range(3):
        assert taken_one(waiting_room) == "a"
    waiting_room.add(Waiting(50, "late", 50.0))
    assert [taken_one(waiting_room) for _ in range(3)] == ["a", "late", "a"]


def taken_one(waiting_room: WaitingRoom[int]) -> str:
    waiting = waiting_room.take()
    assert waiting
    waiting_room.done(waiting.sender)
    return waiting.sender


def test_one_sender_never_holds_every_slot() -> None:
    waiting_room = room(slots=4, senders="aaaaaaaa")
    assert taken(waiting_room, at_once=True) == "aaa"
    waiting_room.add(Waiting(9, "b", 9.0))
    assert taken(waiting_room, at_once=True) == "b"


def test_where_nobody_shares_every_slot_is_used() -> None:
    assert taken(room(slots=4, senders="aaaaaaaa", keep_one_free=False), at_once=True) == "aaaa"


def test_a_single_slot_is_anybodys() -> None:
    assert taken(room(slots=1, senders="aab")) == "aba"


def test_what_is_beyond_its_share_gives_way_newest_first_and_only_once() -> None:
    waiting_room = room(senders="AAaaabb")
    leaving = waiting_room.give_way(share=3)
    assert [(waiting.sender, waiting.message) for waiting in leaving] == [("a", 4), ("a", 3)]
    assert len(waiting_room) == 5
    assert waiting_room.give_way(share=1) == [
        Waiting(2, "a", 2.0),
        Waiting(6, "b", 6.0),
    ], "what came from the overflow stays"


def test_who_waits_too_long_leaves() -> None:
    waiting_room = room(senders="abab")
    assert {waiting.message for waiting in waiting_room.leave(came_before=2.0)} == {0, 1}
    assert taken(waiting_room) == "ab"


@given(st.text("abcdABCD", max_size=60), st.integers(1, 6), st.integers(0, 10))
def test_every_message_is_worked_on_or_leaves_exactly_once(senders: str, slots: int, share: int) -> None:
    waiting_room = room(slots, senders=senders)
    seen = Counter(waiting.message for waiting in waiting_room.give_way(share))
    held = []
    while waiting := waiting_room.take():
        assert waiting_room.free_slots >= 0
        seen[waiting.message] += 1
        held.append(waiting.sender)
        if len(held) == slots or not waiting_room.free_slots:
            waiting_room.done(held.pop(0))
    for sender in held:
        waiting_room.done(sender)
    seen.update(waiting.message for waiting in waiting_room.leave())
    assert seen == Counter(range(len(senders)))
    assert (len(waiting_room), waiting_room.free_slots) == (0, slots)
