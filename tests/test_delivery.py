"""Delivery: at least once whatever dies when, in order per story, nothing held up by a poisoned row, no letter lost."""

import base64
import itertools
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tumen.delivery
from tests.alertkit import NOW, alert, story
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode, encode
from tumen.delivery import PROBE_SECONDS, Result, SinkGateway
from tumen.errors import Reject, Unavailable
from tumen.messages import Message
from tumen.runner import GatewayRunner, Node, make_runner, settle
from tumen.stage import Attempt, Emit, Sink, SinkSpec
from tumen.testing import CRASH, Clock, Counts, Killed, drive, killed_at, output_for
from tumen.topics import ALERTS, DEAD, STORIES

Act = Callable[[Any, Attempt], None]


class World:
    """Where deliveries arrive: (when, id, attempt), in order.  `act` may raise before the delivery counts as arrived."""

    def __init__(self, clock: Clock, act: Act = lambda _message, _attempt: None) -> None:
        self.clock, self.act = clock, act
        self.tries: list[tuple[float, str, Attempt]] = []
        self.arrived: list[str] = []

    def deliver(self, message: Any, attempt: Attempt) -> None:
        self.tries.append((self.clock.monotonic(), message.id, attempt))
        self.act(message, attempt)
        self.arrived.append(message.id)


class Told:
    """A `Deliveries` that remembers."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.up: list[bool] = []
        self.rows = 0

    def attempted(self, sink: str, result: Result) -> None:
        self.results.append(result)

    def route(self, sink: str, *, up: bool) -> None:
        self.up.append(up)

    def pending(self, sink: str, rows: int) -> None:
        self.rows = rows


class Rig:
    """A sink on a real bus with a clock that moves when told to."""

    def __init__(
        self,
        act: Act = lambda _message, _attempt: None,
        *,
        wanted: Callable[[Any, datetime], str | None] = lambda _message, _now: None,
        pace: float = 0.0,
        reads: tuple[Any, ...] = (ALERTS,),
        path: Path | None = None,
    ) -> None:
        self.clock, self.counts, self.told = Clock(NOW), Counts(), Told()
        self.world = World(self.clock, act)
        self.bus = EmbeddedBus(path)
        self.spec = SinkSpec(reads, ("old",), pace)
        self.sink = Sink(self.world.deliver, wanted)
        self.runner = self._start()

    def _start(self) -> GatewayRunner:
        gateway = SinkGateway("sink", self.spec, self.sink, self.told)
        node = Node("sink", self.spec.reads, (), self.spec.reasons, gateway)
        return GatewayRunner(node, self.bus, self.counts, self.clock.clocks, batch=10, max_lag=1000)

    def restart(self) -> None:
        self.runner.close()
        self.runner = self._start()

    def publish(self, *messages: Message) -> None:
        group = self.bus.join("writer", ())
        group.commit({}, [output_for(self.runner.node, message) for message in messages], {})
        group.close()

    def run(self, seconds: float = 0.0, step: float = 1.0) -> None:
        """Everything that is due now, then on, `step` by `step`."""
        end = self.clock.monotonic() + seconds
        while True:
            for _ in range(1000):
                if not self.runner.step():
                    break
            else:
                raise AssertionError("never at rest")
            if self.clock.monotonic() >= end:
                return
            self.clock.advance(step)

    @property
    def dead(self) -> list[Any]:
        return [decode(DEAD, record.value) for record in self.bus.read(DEAD.name, 0, 100)]

    def state(self, prefix: str) -> list[str]:
        return [key for key, _ in self.runner.group.state.scan(prefix)]


def failing(names: Iterable[str], error: Exception) -> Act:
    def act(message: Any, attempt: Attempt) -> None:
        if message.id in names:
            raise error

    return act


def test_everything_wanted_is_delivered_once_and_the_rest_dropped_with_its_reason() -> None:
    rig = Rig(wanted=lambda message, _now: "old" if message.id == "b" else None)
    rig.publish(*map(alert, "abc"))
    rig.run(5)
    assert rig.world.arrived == ["a", "c"]
    assert rig.counts.drops == [("sink", "old")]
    assert rig.told.rows == 0
    assert rig.state("row/") == rig.state("ready/") == rig.state("new/") == rig.state("line/") == rig.state("wait/") == []


def test_wanted_is_asked_when_the_message_comes_not_when_its_turn_comes() -> None:
    """An alert that waits for a channel to come back must not become too old by waiting."""
    asked: list[datetime] = []

    def wanted(message: Any, now: datetime) -> None:
        asked.append(now)

    rig = Rig(failing(["a"], Unavailable("away", 7200, route=True)), wanted=wanted)
    rig.publish(alert("a"), alert("b"))
    rig.run()
    rig.clock.advance(1800)
    rig.publish(alert("c"))
    rig.run(10_000, step=60)
    assert asked == [NOW, NOW, NOW + timedelta(seconds=1800)]
    assert rig.world.arrived == []
    assert [name for _, name, _ in rig.world.tries] == ["a", "a"]


def test_a_redelivered_message_is_no_news_but_a_compacted_topic_has_no_repetitions() -> None:
    rig = Rig(reads=(ALERTS, STORIES))
    rig.publish(alert("a"), alert("a"), story("s"), story("s", version=2))
    rig.run()
    rig.restart()
    rig.publish(alert("a"))
    rig.run(3)
    assert rig.world.arrived == ["a", "s", "s"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tumen.delivery, "REMEMBERED", 10)
    rig = Rig()
    rig.publish(*(alert(str(number)) for number in range(50)))
    rig.run()
    assert len(rig.world.arrived) == 50
    assert len(rig.state("known/")) == len(rig.state("old/")) == 10
    assert len(rig.state("")) < 30


def test_a_poisoned_row_holds_up_its_own_story_and_no_other() -> None:
    away = True

    def act(message: Any, attempt: Attempt) -> None:
        if message.id == "poison" and away:
            raise Unavailable("HTTP 500")

    rig = Rig(act)
    rig.publish(alert("poison", story="one"), alert("after", story="one"), alert("b"), alert("c"), alert("d"))
    rig.run(100)
    assert rig.world.arrived == ["b", "c", "d"]
    away = False
    rig.run(4000, step=10)
    assert rig.world.arrived == ["b", "c", "d", "poison", "after"]


def test_backoff_grows_and_never_gives_up() -> None:
    rig = Rig(failing(["a"], Unavailable("away")))
    rig.publish(alert("a"))
    rig.run(4 * 3600, step=1)
    at = [when for when, _, _ in rig.world.tries]
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(at)]
    assert gaps == [1, 5, 15, 60, 300, 900, 3600, 3600, 3600]
    assert [attempt.number for _, _, attempt in rig.world.tries] == list(range(1, 11))
    assert rig.dead == []
    assert rig.told.rows == 1


def test_a_dead_server_is_asked_less_and_less_often_however_many_rows_wait() -> None:
    rig = Rig(failing([str(n) for n in range(100)], Unavailable("away")))
    rig.publish(*(alert(str(n)) for n in range(100)))
    rig.run(600)
    assert 8 <= len(rig.world.tries) <= 20


def test_a_reject_is_a_dead_letter_with_its_bytes_and_the_rest_goes_on() -> None:
    bad = alert("bad", story="one")
    rig = Rig(failing(["bad"], Reject("no room for it")))
    rig.publish(bad, alert("after", story="one"), alert("b"))
    rig.run(5)
    assert sorted(rig.world.arrived) == ["after", "b"]
    (letter,) = rig.dead
    assert base64.b64decode(letter.value) == encode(Emit(ALERTS, bad)).value
    assert (letter.stage, letter.topic, letter.key, letter.kind, letter.message) == ("sink", "alerts", "one", "reject", "no room for it")
    assert rig.counts.deads == [("sink", "reject")]


def test_a_letter_put_back_on_its_topic_is_delivered_and_what_was_delivered_is_not() -> None:
    broken = ["bad"]
    rig = Rig(failing(broken, Reject("no room for it")))
    rig.publish(alert("bad"), alert("b"))
    rig.run(5)
    broken.clear()
    rig.publish(alert("bad"), alert("b"))
    rig.run(5)
    assert rig.world.arrived == ["b", "bad"]


def test_a_bug_of_a_sink_is_tried_twice_then_buried_and_the_rest_goes_on() -> None:
    rig = Rig(failing(["bad"], ZeroDivisionError("a bug")))
    rig.publish(alert("bad"), alert("b"))
    rig.run(10)
    assert rig.world.arrived == ["b"]
    assert [name for _, name, _ in rig.world.tries].count("bad") == 2
    assert [(letter.kind, letter.exception, letter.attempts) for letter in rig.dead] == [("bug", "ZeroDivisionError", 2)]


@pytest.mark.parametrize("fault", ["raises", "undeclared"])
def test_a_bug_in_wanted_buries_its_message_and_judges_the_others(fault: str) -> None:
    def wanted(message: Any, _now: datetime) -> str | None:
        if message.id != "bad":
            return None
        if fault == "raises":
            raise KeyError("a bug")
        return "a whim"

    rig = Rig(wanted=wanted)
    rig.publish(alert("bad"), alert("b"))
    rig.run(5)
    assert rig.world.arrived == ["b"]
    assert [letter.kind for letter in rig.dead] == ["bug"]


def test_a_stopped_route_keeps_every_row_is_probed_and_tried_at_once_after_a_restart() -> None:
    wrong = ["a", "b", "c"]
    rig = Rig(failing(wrong, Unavailable("no_service", route=True)))
    rig.publish(*map(alert, "abc"))
    rig.run(PROBE_SECONDS - 1)
    assert len(rig.world.tries) == 1
    assert rig.told.up == [False]
    assert rig.told.rows == 3
    rig.run(PROBE_SECONDS)
    assert len(rig.world.tries) == 2
    rig.restart()
    rig.run()
    assert len(rig.world.tries) == 3
    wrong.clear()
    rig.restart()
    rig.run()
    assert rig.world.arrived == ["a", "b", "c"]
    assert rig.told.up[-1]
    assert rig.dead == []
    assert rig.told.rows == 0


def test_retry_after_holds_for_the_whole_route_and_over_a_restart() -> None:
    limits = iter([Unavailable("HTTP 429", 120, route=True)])

    def act(message: Any, attempt: Attempt) -> None:
        for error in limits:
            raise error

    rig = Rig(act)
    rig.publish(*map(alert, "abc"))
    rig.run(60)
    rig.restart()
    rig.run(59)
    assert len(rig.world.tries) == 1
    rig.run(2)
    assert rig.world.arrived == ["a", "b", "c"]
    assert rig.told.results == ["limited", "delivered", "delivered", "delivered"]


def test_an_absurd_retry_after_is_clamped() -> None:
    rig = Rig(failing(["a"], Unavailable("HTTP 429", 10 * 365 * 86_400, route=True)))
    rig.publish(alert("a"))
    rig.run(86_400 + 60, step=60)
    assert len(rig.world.tries) == 2


def test_an_ambiguous_delivery_is_repeated_marked_and_counted() -> None:
    """Told so for good: the mark must survive a later failure that is not ambiguous, and a restart."""
    faults = iter([Unavailable("timed out", ambiguous=True), Unavailable("HTTP 500"), None])

    def act(message: Any, attempt: Attempt) -> None:
        fault = next(faults)
        if fault:
            raise fault

    rig = Rig(act)
    rig.publish(alert("a"))
    rig.run()
    rig.restart()
    rig.run(30)
    assert [attempt for _, _, attempt in rig.world.tries] == [Attempt(1, False), Attempt(2, True), Attempt(3, True)]
    assert rig.told.results == ["ambiguous", "unavailable", "delivered"]


def test_the_pace_is_kept_whatever_comes() -> None:
    rig = Rig(pace=1.0)
    rig.publish(*(alert(str(number)) for number in range(20)))
    rig.run(30, step=0.25)
    at = [when for when, _, _ in rig.world.tries]
    assert len(at) == 20
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) >= 1.0


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    rig = Rig(pace=1.0)
    rig.clock.advance(7200)
    rig.publish(alert("a"))
    rig.run()
    rig.clock.advance(-3600)
    rig.publish(alert("b"))
    rig.run()
    assert rig.world.arrived == ["a", "b"]


def test_a_row_written_by_a_newer_tumen_waits() -> None:
    rig = Rig(failing(["a"], Unavailable("away")))
    rig.publish(alert("a"))
    rig.run()
    ((key, row),) = rig.runner.group.state.scan("row/")
    newer = row.replace(b"alert/1", b"alert/9")
    rig.runner.group.commit({}, [], {key: newer})
    rig.publish(alert("b"))
    rig.run(100)
    assert rig.world.arrived == ["b"]
    assert rig.dead == []
    assert rig.state("row/") == [key]


def sink_node(world: World) -> Node:
    spec = SinkSpec((ALERTS,), ("old",))
    sink = Sink(world.deliver, lambda message, _now: "old" if message.id == "old" else None)
    return Node("sink", spec.reads, (), spec.reasons, SinkGateway("sink", spec, sink))


def test_a_crash_at_every_single_statement_loses_nothing_and_repeats_at_most_one(tmp_path: Path) -> None:
    """From the same start each time: the process dies at the n-th statement, another goes on to the end.  For every n there is."""
    act = failing(["bad"], Reject("no room for it"))
    before = tmp_path / "before"
    with EmbeddedBus(before / "bus.db") as bus:
        node = sink_node(World(Clock(NOW)))
        messages = [alert("a", story="one"), alert("old"), alert("bad"), alert("b", story="one")]
        bus.join("writer", ()).commit({}, [output_for(node, message) for message in messages], {})
    repeats = 0
    for statement in itertools.count(1):
        folder = tmp_path / str(statement)
        shutil.copytree(before, folder)
        world = World(Clock(NOW), act)
        died = dies_at(statement, folder / "bus.db", world)
        dead = drive(lambda world=world: sink_node(world), [], folder).dead  # type: ignore[misc]
        assert list(dict.fromkeys(world.arrived)) == ["a", "b"], statement
        assert len(world.tries) <= (4 if died else 3), statement
        assert [letter.id for letter in dead] == ["sink-alerts-bad"], statement
        repeats += len(world.arrived) > 2
        shutil.rmtree(folder)
        if not died:
            break
    assert repeats > 5  # it did die between a delivery and its commit


def dies_at(statement: int, path: Path, world: World) -> bool:
    """Run a sink until rest, or until its n-th SQL statement; gives whether it died."""
    try:
        with killed_at(statement), EmbeddedBus(path) as bus:
            runner = make_runner(sink_node(world), bus, Counts(), Clock(NOW).clocks, batch=10, max_lag=100)
            try:
                settle([runner])
            finally:
                runner.close()
    except Killed:
        return True
    return False


def test_crash_as_an_input_of_drive(tmp_path: Path) -> None:
    world = World(Clock(NOW))
    driven = drive(lambda: sink_node(world), [alert("a"), alert("old"), CRASH, alert("b"), CRASH], tmp_path)
    assert set(world.arrived) == {"a", "b"}
    assert driven.dead == []


FAULTS: dict[str, Callable[[], Exception]] = {
    "unavailable": lambda: Unavailable("HTTP 500"),
    "soon": lambda: Unavailable("HTTP 503", 3),
    "ambiguous": lambda: Unavailable("timed out", ambiguous=True),
    "limited": lambda: Unavailable("HTTP 429", 30, route=True),
    "stopped": lambda: Unavailable("no_service", route=True),
    "reject": lambda: Reject("invalid_payload"),
    "bug": lambda: ZeroDivisionError(),
}


@settings(max_examples=60, deadline=None)
@given(
    stories=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    faults=st.lists(st.sampled_from(["ok", "restart", *FAULTS]), max_size=25),
)
def test_whatever_happens_each_is_delivered_or_buried_once_in_the_order_of_its_story(stories: list[int], faults: list[str]) -> None:
    script = iter(faults)
    restarts = 0

    def act(message: Any, attempt: Attempt) -> None:
        nonlocal restarts
        fault = next(script, "ok")
        if fault == "restart":
            restarts += 1
        elif fault != "ok":
            raise FAULTS[fault]()

    rig = Rig(act, pace=1.0)
    messages = [alert(str(number), story=f"story {key}") for number, key in enumerate(stories)]
    rig.publish(*messages)
    for _ in range(400):
        rig.run(60, step=30)
        if restarts:
            restarts = 0
            rig.restart()
        if rig.told.rows == 0 and rig.runner.group.lag(ALERTS.name) == 0:
            break
    rig.run()
    buried = [decode(ALERTS, base64.b64decode(letter.value)).id for letter in rig.dead]
    assert sorted([*rig.world.arrived, *buried], key=int) == [message.id for message in messages]
    for key in set(stories):
        own = [message.id for message in messages if message.story == f"story {key}" and message.id not in buried]
        assert [name for name in rig.world.arrived if name in own] == own
    repeated = {name for _, name, attempt in rig.world.tries if attempt.repeat}
    assert len(repeated) <= rig.told.results.count("ambiguous")
    assert rig.state("wait/") == rig.state("at/") == rig.state("ready/") == rig.state("line/") == rig.state("row/") == []
