"""Time-outs of many by one timer: never early, once, and only for who is still waiting."""

import asyncio
import random

from gateway.edges.http.spin import Spinner
from gateway.edges.http.wheel import TimerWheel
from tests.gateway.edges.rest_world import run


class Sleeper:
    """Takes note of when it timed out."""

    def __init__(self, wheel: "TurnedWheel") -> None:
        self.due_tick = self.slot_tick = 0
        self.wheel = wheel
        self.woken_at: list[int] = []

    def timed_out(self) -> None:
        """Take note."""
        self.woken_at.append(self.wheel.now)


class TurnedWheel(TimerWheel):
    """Turned by hand."""

    def __init__(self) -> None:
        super().__init__(1.0, lambda: None)
        self.now = 0

    def start(self) -> None:
        """Start no timer."""

    def turn(self, ticks: int) -> None:
        """Let ticks pass."""
        for _ in range(ticks):
            self.now += 1
            self._turn()


def test_a_time_out_comes_once_and_when_it_is_due() -> None:
    """Not a tick earlier; a time-out that is set again is another one."""
    wheel = TurnedWheel()
    sleeper = Sleeper(wheel)
    wheel.set(sleeper, 3)
    wheel.turn(20)
    assert sleeper.woken_at == [3]
    wheel.set(sleeper, 1)
    wheel.turn(20)
    assert sleeper.woken_at == [3, 21]


def test_setting_it_anew_moves_it_either_way() -> None:
    """The last time set is the one that counts, whether later or earlier."""
    wheel = TurnedWheel()
    sleeper = Sleeper(wheel)
    wheel.set(sleeper, 5)
    for _ in range(10):
        wheel.turn(4)
        wheel.set(sleeper, 5)
    assert sleeper.woken_at == []
    wheel.set(sleeper, 2)
    wheel.turn(50)
    assert sleeper.woken_at == [42]


def test_who_is_forgotten_is_not_woken_nor_kept() -> None:
    """A connection that ended leaves nothing in the wheel."""
    wheel = TurnedWheel()
    sleepers = [Sleeper(wheel) for _ in range(10)]
    for number, sleeper in enumerate(sleepers):
        wheel.set(sleeper, 5 + number)
        wheel.set(sleeper, 3)
        wheel.clear(sleeper)
        wheel.clear(sleeper)
    assert not any(wheel._slots.values())
    wheel.turn(30)
    assert all(not sleeper.woken_at for sleeper in sleepers)


def test_any_course_agrees_with_single_timers() -> None:
    """Against a plain list of due times, over a long random course."""
    chance = random.Random(7)
    wheel = TurnedWheel()
    sleepers = [Sleeper(wheel) for _ in range(20)]
    due: dict[int, int] = {}
    expected: list[list[int]] = [[] for _ in sleepers]
    for _ in range(2_000):
        number = chance.randrange(len(sleepers))
        if chance.random() < 0.8:
            ticks = chance.randrange(1, 30)
            wheel.set(sleepers[number], ticks)
            due[number] = wheel.now + ticks
        else:
            wheel.clear(sleepers[number])
            due.pop(number, None)
        if chance.random() < 0.5:
            wheel.turn(1)
            for one in [one for one, at in due.items() if at == wheel.now]:
                expected[one].append(due.pop(one))
    assert [sleeper.woken_at for sleeper in sleepers] == expected


def test_ticks_of_a_time_are_never_too_few() -> None:
    """One more than fit, since the tick that runs already is not whole."""
    wheel = TimerWheel(0.25, lambda: None)
    assert [wheel.ticks(seconds) for seconds in (0.0, 0.1, 0.25, 0.26, 10.0)] == [2, 2, 2, 3, 41]


def test_a_wheel_turns_by_itself_until_it_is_stopped() -> None:
    """On the running loop, one timer for all."""

    async def scenario() -> None:
        turns: list[int] = []
        wheel = TimerWheel(0.001, lambda: turns.append(1))
        wheel.start()
        while len(turns) < 3:
            await asyncio.sleep(0.001)
        wheel.stop()
        turned = len(turns)
        await asyncio.sleep(0.02)
        assert len(turns) == turned

    run(scenario())


def test_spinning_keeps_the_loop_awake_and_lets_others_run() -> None:
    """Timers and sockets go on while it spins, and it ends when told."""

    async def scenario() -> None:
        turns = 0

        class Counting(Spinner):
            def _spin(self) -> None:
                nonlocal turns
                turns += 1
                super()._spin()

        spinner = Counting()
        await asyncio.sleep(0.05)
        spun = turns
        assert spun > 50
        spinner.stop()
        await asyncio.sleep(0.05)
        assert turns <= spun + 1

    run(scenario())
