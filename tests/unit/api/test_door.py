"""Connections: where there is no room, the one that has rested longest makes some."""

from __future__ import annotations

from ose.api.door import Door


class Guest:
    def __init__(self) -> None:
        self.is_out = False

    def show_out(self) -> None:
        self.is_out = True


def entered(door: Door, count: int, address: str = "here") -> list[Guest]:
    guests = [Guest() for _ in range(count)]
    assert all(door.enter(guest, address) for guest in guests)
    return guests


def test_the_one_that_has_rested_longest_goes() -> None:
    door = Door(most=3, most_of_address=3)
    first, second, third = entered(door, 3)
    door.work(first)
    door.rest(first)
    entered(door, 1)
    assert (first.is_out, second.is_out, third.is_out) == (False, True, False)


def test_one_at_work_never_goes() -> None:
    door = Door(most=2, most_of_address=2)
    guests = entered(door, 2)
    for guest in guests:
        door.work(guest)
    assert not door.enter(Guest(), "elsewhere")
    assert not any(guest.is_out for guest in guests)
    door.leave(guests[0])
    assert door.enter(Guest(), "elsewhere")


def test_an_address_makes_room_for_itself() -> None:
    door = Door(most=10, most_of_address=2)
    [calm] = entered(door, 1, "calm")
    busy = entered(door, 5, "busy")
    assert [guest.is_out for guest in busy] == [True, True, True, False, False] and not calm.is_out


def test_who_has_left_takes_no_room_however_often_it_leaves() -> None:
    door = Door(most=2, most_of_address=1)
    [guest] = entered(door, 1)
    for _ in range(2):
        door.leave(guest)
    door.rest(guest)
    [again] = entered(door, 1)
    assert not again.is_out and not guest.is_out
