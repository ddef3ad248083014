"""Names and their numbers: given once, through the core's door, and never without bound."""

import pytest

from gateway import directory as subject
from gateway.directory import ADDRESSES_MAX, Directory
from rules.events import Define, Event
from rules.values import DEFINE_ADDRESS, DEFINE_AGENT, DEFINE_ALGO


class Door:
    """Takes definitions and hands them back, as the core does once they are recorded."""

    def __init__(self, addresses_max: int = 1_000_000) -> None:
        self.events: list[Event] = []
        self.directory = Directory(self.submit, addresses_max)

    def submit(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
        self.directory.on_event(event)


def test_a_name_is_defined_once() -> None:
    """Each kind counts for itself; asking again defines nothing."""
    door = Door()
    assert [door.directory.address(text) for text in ("a", "b", "a")] == [1, 2, 1]
    assert door.directory.agent("a") == 1
    assert door.events == [
        Define(DEFINE_ADDRESS, 1, "a"),
        Define(DEFINE_ADDRESS, 2, "b"),
        Define(DEFINE_AGENT, 1, "a"),
    ]
    assert door.directory.name(DEFINE_ADDRESS, 2) == "b"
    assert (door.directory.known(DEFINE_ADDRESS, "c"), door.directory.name(DEFINE_AGENT, 9)) == (
        0,
        "",
    )


def test_no_program_and_one_with_a_long_name() -> None:
    """No name is number 0; a long one is cut, and is known by its beginning."""
    door = Door()
    assert door.directory.agent("") == 0
    assert door.directory.agent("x" * 121) == door.directory.agent("x" * 120) == 1
    assert door.directory.agent("x" * 119) == 2


def test_client_programs_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound, new names share one number; those known before keep theirs."""
    monkeypatch.setattr(subject, "AGENTS_MAX", 3)
    door = Door()
    assert [door.directory.agent(f"program {n}") for n in range(6)] == [1, 2, 3, 4, 4, 4]
    assert door.directory.agent("program 1") == 2
    assert door.directory.name(DEFINE_AGENT, 4) == "other programs"
    assert len(door.events) == 4


def test_algorithms_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound, new names share one number; those known before keep theirs."""
    monkeypatch.setattr(subject, "ALGOS_MAX", 3)
    door = Door()
    assert [door.directory.algo(f"algo {n}") for n in range(6)] == [1, 2, 3, 4, 4, 4]
    assert door.directory.algo("algo 1") == 2
    assert door.directory.name(DEFINE_ALGO, 4) == "other algorithms"
    assert len(door.events) == 4


def test_strangers_get_numbers_until_there_are_too_many() -> None:
    """At the bound a new address gets none; those known keep theirs."""
    door = Door(addresses_max=32)
    found = [door.directory.caller(f"192.0.2.{n}", proved=False) for n in range(34)]
    assert found == [*range(1, 33), 0, 0]
    assert door.directory.caller("192.0.2.7", proved=False) == 8
    assert len(door.events) == 32


def test_a_million_addresses_are_known_apart_and_no_more() -> None:
    """At the bound as it is shipped: the last one gets a number, the next one none."""
    door = Door(ADDRESSES_MAX)
    directory = door.directory
    for n in range(ADDRESSES_MAX - 1):
        directory.on_event(Define(DEFINE_ADDRESS, n + 1, f"2001:db8:{n:x}::/64"))
    assert directory.caller("192.0.2.1", proved=False) == ADDRESSES_MAX
    assert directory.caller("192.0.2.2", proved=False) == 0
    assert directory.caller("192.0.2.1", proved=False) == ADDRESSES_MAX
    first, reserve = ADDRESSES_MAX + 1, ADDRESSES_MAX // 16
    found = [
        directory.caller(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", True) for n in range(reserve)
    ]
    assert found == list(range(first, first + reserve))
    assert directory.caller("192.0.2.3", proved=True) == first + reserve
    assert directory.caller("192.0.2.4", proved=True) == first + reserve
    assert directory.name(DEFINE_ADDRESS, first + reserve) == "other addresses"


def test_a_proved_key_gets_its_address_known() -> None:
    """Addresses of proved keys have a sixteenth more; beyond that new ones share one number."""
    door = Door(addresses_max=32)
    for n in range(32):
        door.directory.caller(f"192.0.2.{n}", proved=False)
    found = [door.directory.caller(f"198.51.100.{n}", proved=True) for n in range(5)]
    assert found == [33, 34, 35, 35, 35]
    assert door.directory.name(DEFINE_ADDRESS, 35) == "other addresses"
    assert door.directory.caller("198.51.100.1", proved=False) == 34


def test_a_stranger_gets_a_number_only_when_the_core_has_room_for_it() -> None:
    """Definitions of strangers are rationed; those of proved keys are not."""
    door = Door()
    door.directory.may_define = lambda: False
    assert door.directory.caller("192.0.2.1", proved=False) == 0
    assert door.directory.caller("192.0.2.1", proved=True) == 1
    assert door.directory.caller("192.0.2.1", proved=False) == 1
