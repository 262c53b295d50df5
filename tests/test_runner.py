"""The runner: outcomes, the one commit, crashes at every statement, gateways, backpressure."""

import base64
import dataclasses
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tumen.bus_embedded import EmbeddedBus
from tumen.codec import NewerSchema, Undecodable, decode, encode
from tumen.errors import Outcome, Reject, Unavailable
from tumen.messages import Candidate, Item, Message, Tick
from tumen.runner import GatewayRunner, Node, StageRunner, make_runner, settle
from tumen.stage import Drop, Emit, Job, Out, Stage
from tumen.state import Nothing, Overlay, State
from tumen.testing import CRASH, Clock, Counts, Driven, drive, output_for
from tumen.topics import ARTICLES, CANDIDATES, DEAD, ITEMS, TICKS

NOW = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)


def item(name: str, body: str = "text") -> Item:
    return Item(
        id=name, seen_at=NOW, trace=name, article_id=name, source="feed", site="example.org", title=name, body=body, body_type="text"
    )


def counting(message: Item, state: State) -> Iterable[Out]:
    """A stage that remembers: it lets each name through once and numbers it."""
    if message.body == "reject":
        raise Reject("cannot be read")
    if message.body == "bug":
        state.put("poison", b"must not survive")
        raise ZeroDivisionError("a bug")
    if message.body == "drop":
        return [Drop("no_side")]
    number = int(state.get("count") or b"0") + 1
    state.put("count", str(number).encode())
    return [Emit(CANDIDATES, Candidate(id=f"{message.id}#{number}", seen_at=NOW, trace=message.trace, item=message))]


def stage_node(process: Any = counting, on_tick: Any = None) -> Node:
    return Node("counter", (ITEMS,), (CANDIDATES,), ("no_side",), Stage(process, on_tick))


def ids(driven: Driven) -> list[str]:
    return [message.id for message in driven.messages(CANDIDATES)]


def test_outputs_state_and_offset_are_one_commit(tmp_path: Path) -> None:
    driven = drive(stage_node, [item("a"), item("b")], tmp_path)
    assert ids(driven) == ["a#1", "b#2"]
    assert drive(stage_node, [item("c")], tmp_path).messages(CANDIDATES)[-1].id == "c#3"


def test_a_crash_at_any_statement_changes_nothing(tmp_path: Path) -> None:
    inputs = [item("a"), item("b", "reject"), item("c", "drop"), item("d")]
    calm = drive(stage_node, inputs, tmp_path / "calm")
    crashed = drive(stage_node, [*inputs[:2], CRASH, *inputs[2:], CRASH], tmp_path / "crashed", batch=1)
    assert ids(crashed) == ids(calm) == ["a#1", "d#2"]
    assert len(crashed.dead) == len(calm.dead) == 1


def test_a_reject_is_buried_untouched_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad = item("bad", "reject")
    driven = drive(stage_node, [item("a"), bad, item("b")], tmp_path)
    assert ids(driven) == ["a#1", "b#2"]
    (letter,) = driven.dead
    assert base64.b64decode(letter.value) == encode(Emit(ITEMS, bad)).value
    assert (letter.kind, letter.stage, letter.key, letter.attempts) == ("reject", "counter", "example.org", 1)


def test_a_bug_is_tried_twice_buried_and_its_state_dropped(tmp_path: Path) -> None:
    driven = drive(stage_node, [item("a"), item("bad", "bug"), item("b")], tmp_path)
    assert ids(driven) == ["a#1", "b#2"]
    (letter,) = driven.dead
    assert (letter.kind, letter.attempts, letter.exception) == ("bug", 2, "ZeroDivisionError")
    assert "Traceback" not in letter.message
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        assert bus.join("counter", ["items"]).state.get("poison") is None


def test_undecodable_bytes_are_buried_and_a_newer_schema_pauses(tmp_path: Path) -> None:
    clock, counts = Clock(), Counts()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        good = encode(Emit(ITEMS, item("a")))
        newer = good.value.replace(b'"item/1"', b'"item/9"')
        bus.join("w", ()).commit({}, [type(good)("items", "k", b"\xff not json"), good, type(good)("items", "k", newer), good], {})
        runner = StageRunner(stage_node(), bus, counts, clock.clocks, batch=10, max_lag=100)
        assert runner.step()
        assert counts.deads == [("counter", "undecodable")]
        assert len(bus.read("candidates", 0, 10)) == 1
        assert runner.paused_for > 0
        assert not runner.step()
        clock.advance(60)
        assert not runner.step()  # still newer: it waits, it does not skip
        assert runner.group.lag("items") == 2
        runner.close()


def test_unavailable_keeps_the_offset_and_what_came_before(tmp_path: Path) -> None:
    away = True

    def process(message: Item, state: State) -> Iterable[Out]:
        if away and message.id == "b":
            raise Unavailable("the store is away", retry_after=5)
        return counting(message, state)

    clock, counts = Clock(), Counts()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        node = stage_node(process)
        bus.join("w", ()).commit({}, [output_for(node, item(name)) for name in "abc"], {})
        runner = make_runner(node, bus, counts, clock.clocks, batch=10, max_lag=100)
        assert runner.step()
        assert len(bus.read("candidates", 0, 10)) == 1
        assert runner.paused_for == 5
        away = False
        assert not runner.step()
        clock.advance(5)
        assert runner.step()
        assert [decode(CANDIDATES, r.value).id for r in bus.read("candidates", 0, 10)] == ["a#1", "b#2", "c#3"]
        assert bus.read("dead", 0, 10) == []
        runner.close()


def test_an_undeclared_output_or_reason_is_a_bug(tmp_path: Path) -> None:
    def undeclared(message: Item, state: State) -> Iterable[Out]:
        return [Drop("whim")] if message.id == "a" else [Emit(ITEMS, message)]

    driven = drive(lambda: stage_node(undeclared), [item("a"), item("b")], tmp_path)
    assert [letter.kind for letter in driven.dead] == ["bug", "bug"]
    assert driven.messages(CANDIDATES) == []


def test_a_message_of_another_model_is_a_bug() -> None:
    with pytest.raises(TypeError, match="takes Article"):
        encode(Emit(ARTICLES, item("a")))  # type: ignore[arg-type]


def test_backpressure_stops_reading_until_the_slowest_reader_catches_up(tmp_path: Path) -> None:
    clock = Clock()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        slow = bus.join("slow", ["candidates"])
        node = stage_node()
        bus.join("w", ()).commit({}, [output_for(node, item(str(i))) for i in range(20)], {})
        runner = StageRunner(node, bus, Counts(), clock.clocks, batch=5, max_lag=7)
        while runner.step():
            pass
        assert slow.lag("candidates") == 10  # stopped at the first batch past the limit
        slow.commit({("candidates", 0): bus.read("candidates", 0, 100)[-1].offset}, [], {})
        assert runner.step()
        runner.close()


def test_ticks_reach_a_stage_as_records(tmp_path: Path) -> None:
    def on_tick(now: datetime, state: State) -> Iterable[Out]:
        state.put("ticked", now.isoformat().encode())
        return [Emit(CANDIDATES, Candidate(id=f"tick {now:%H:%M}", seen_at=now, trace="t", item=item("x")))]

    tick = Tick(id="t", seen_at=NOW, trace="t", at=NOW)
    driven = drive(lambda: stage_node(counting, on_tick), [item("a"), tick, CRASH], tmp_path)
    assert ids(driven) == ["a#1", "tick 12:00"]


# --- the codec -----------------------------------------------------------------------------------------------------------------


def test_an_older_version_is_upcast_by_steps() -> None:
    old = json.loads(encode(Emit(TICKS, Tick(id="t", seen_at=NOW, trace="t", at=NOW))).value)
    old["schema"], old["moment"] = "tick/0", old.pop("at")

    def rename(tree: dict[str, Any]) -> dict[str, Any]:
        return {("at" if key == "moment" else key): value for key, value in tree.items()}

    assert decode(TICKS, json.dumps(old).encode(), {"tick/0": rename}).at == NOW
    with pytest.raises(Undecodable):
        decode(TICKS, json.dumps(old).encode(), {})
    with pytest.raises(NewerSchema):
        decode(TICKS, json.dumps({**old, "schema": "tick/2"}).encode())


@pytest.mark.parametrize("value", [b"", b"null", b"[1]", b'{"schema": "tick/1"}', b'{"schema": "alert/7"}', b"\xff\xfe"])
def test_what_is_no_message_is_undecodable(value: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(TICKS, value)


# --- gateways ------------------------------------------------------------------------------------------------------------------


class Echo:
    """A gateway that echoes items as candidates; `world` counts its I/O, `fails` how often a job's finish has a bug first."""

    def __init__(self, world: list[str], bugs: int = 0) -> None:
        self.world, self.bugs = world, bugs

    def accept(self, message: Message, state: State) -> Iterable[Out]:
        state.put(f"job/{message.id}", message.model_dump_json(by_alias=True).encode())
        return ()

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        return [Job(key, "lane", value) for key, value in state.scan("job/", limit=3)]

    def perform(self, job: Job) -> bytes:
        self.world.append(job.id)
        return job.payload

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Out]:
        if self.bugs:
            self.bugs -= 1
            raise KeyError("a bug")
        state.delete(job.id)
        message = decode(ITEMS, result)
        return [Emit(CANDIDATES, Candidate(id=message.id, seen_at=now, trace=message.trace, item=message))]


class Lanes(Echo):
    """Each job in a lane of its own."""

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        return [Job(key, key, value) for key, value in state.scan("job/", limit=3)]


def gateway_node(world: list[str], bugs: int = 0) -> Node:
    return Node("echo", (ITEMS,), (CANDIDATES,), (), Echo(world, bugs), workers=2)


def test_a_gateway_repeats_its_io_after_a_crash_but_never_its_result(tmp_path: Path) -> None:
    world: list[str] = []
    driven = drive(lambda: gateway_node(world), [item("a"), item("b"), CRASH], tmp_path)
    assert ids(driven) == ["a", "b"]
    assert world.count("job/a") > 1


def test_a_gateways_bug_loses_no_job(tmp_path: Path) -> None:
    world: list[str] = []
    driven = drive(lambda: gateway_node(world, bugs=2), [item("a")], tmp_path)
    assert ids(driven) == [] or ids(driven) == ["a"]
    clock = Clock(NOW + timedelta(hours=1))
    driven = drive(lambda: gateway_node(world), [], tmp_path, clock=clock)
    assert ids(driven) == ["a"]


def test_a_full_bus_keeps_the_result_and_does_not_repeat_the_io(tmp_path: Path) -> None:
    world: list[str] = []
    clock = Clock()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        node = gateway_node(world)
        bus.join("w", ()).commit({}, [output_for(node, item("a"))], {})
        runner = GatewayRunner(node, bus, Counts(), clock.clocks, batch=10, max_lag=100)
        commit, failures = runner.group.commit, iter((Unavailable("disk full", 1), None))

        def flaky(offsets: Any, outputs: Any, writes: Any, *hold: Any) -> None:
            failure = next(failures, None) if outputs else None
            if failure:
                raise failure
            commit(offsets, outputs, writes, *hold)

        runner.group.commit = flaky  # type: ignore[method-assign]
        settle([runner], advance=clock.advance, idle=5)
        assert world == ["job/a"]
        assert len(bus.read("candidates", 0, 10)) == 1
        runner.close()


def test_what_was_read_of_a_share_that_moved_meanwhile_is_not_handled(tmp_path: Path) -> None:
    """Given away and got back between reading and handling: somebody else may have handled it in between."""
    world: list[str] = []
    clock = Clock()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        node = gateway_node(world)
        bus.join("w", ()).commit({}, [output_for(node, item("a"))], {})
        runner = GatewayRunner(node, bus, Counts(), clock.clocks, batch=10, max_lag=100)
        shares = runner.group.shares
        holds = iter([{0: 101}, {0: 102}])
        runner.group.shares = lambda: next(holds, None) or shares()  # type: ignore[method-assign]
        assert not runner._read_in(runner._gateway.accept)
        assert list(runner.group.state.scan("")) == []
        settle([runner], advance=clock.advance, idle=5)
        assert world == ["job/a"]
        assert len(bus.read("candidates", 0, 10)) == 1
        runner.close()


def test_a_result_whose_share_moves_when_another_is_committed_is_left_to_its_new_holder(tmp_path: Path) -> None:
    world: list[str] = []
    clock = Clock()
    with EmbeddedBus(tmp_path / "bus.db") as bus, ThreadPoolExecutor(2) as pool:
        node = dataclasses.replace(gateway_node(world), work=Lanes(world))
        bus.join("w", ()).commit({}, [output_for(node, item(name)) for name in ("a", "b")], {})
        runner = GatewayRunner(node, bus, Counts(), clock.clocks, batch=10, max_lag=100, executor=pool)
        runner.step()
        assert runner.in_flight() == 2
        wait([flight.future for flight in runner._flying.values()])
        shares, commit = runner.group.shares, runner.group.commit
        held = dict(shares())
        moved: list[None] = []

        def moving(*arguments: Any) -> None:
            commit(*arguments)
            moved.append(None)

        runner.group.commit = moving  # type: ignore[method-assign]
        runner.group.shares = lambda: {} if moved else held  # type: ignore[method-assign]
        assert runner._land()
        assert (len(bus.read("candidates", 0, 10)), runner.in_flight()) == (1, 0)
        runner.close()


def test_a_result_that_is_too_large_for_the_bus_is_buried_and_its_lane_goes_on(tmp_path: Path) -> None:
    world: list[str] = []
    clock, counts = Clock(), Counts()
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        node = gateway_node(world)
        bus.join("w", ()).commit({}, [output_for(node, item("a"))], {})
        runner = GatewayRunner(node, bus, counts, clock.clocks, batch=10, max_lag=100)
        runner.group.max_bytes = 20 + len(item("a").model_dump_json(by_alias=True))  # an item, but not a candidate with the item in it
        settle([runner], advance=clock.advance, idle=5)
        (letter,) = [decode(DEAD, record.value) for record in bus.read("dead", 0, 10)]
        assert (letter.id, letter.kind) == ("echo-items-job/a", "reject")
        assert str(runner.group.max_bytes) in letter.message
        assert (world, list(runner.group.state.scan(""))) == (["job/a"], [])
        runner.close()


def test_lanes_run_one_job_at_a_time_in_threads(tmp_path: Path) -> None:
    world: list[str] = []
    with EmbeddedBus(tmp_path / "bus.db") as bus, ThreadPoolExecutor(4) as pool:
        node = gateway_node(world)
        bus.join("w", ()).commit({}, [output_for(node, item(name)) for name in "abcd"], {})
        runner = GatewayRunner(node, bus, Counts(), Clock().clocks, batch=10, max_lag=100, executor=pool)
        seen = 0
        for _ in range(200):
            if not runner.step():
                seen = bus.wait(seen, 0.05)
            if len(bus.read("candidates", 0, 10)) == 4:
                break
        assert world == ["job/a", "job/b", "job/c", "job/d"]
        runner.close()


def test_outcomes_are_told_after_the_commit(tmp_path: Path) -> None:
    counts = drive(stage_node, [item("a"), item("b", "drop"), item("c", "reject"), item("d", "bug")], tmp_path).counts
    assert [outcome for _, outcome in counts.outcomes] == [Outcome.OK, Outcome.DROPPED, Outcome.DEAD, Outcome.RETRIED, Outcome.DEAD]
    assert counts.drops == [("counter", "no_side")]
    assert counts.emits == [("counter", "candidates")]
    assert counts.deads == [("counter", "reject"), ("counter", "bug")]


def test_an_overlay_hides_what_it_deletes_and_scans_in_order() -> None:
    base = Overlay(Nothing())
    base.writes.update({"a": b"1", "c": b"3"})
    top = base.fork()
    top.put("b", b"2")
    top.delete("c")
    assert list(top.scan("")) == [("a", b"1"), ("b", b"2")]
    assert list(base.scan("", limit=1)) == [("a", b"1")]
    assert list(top.scan("", start="b")) == [("b", b"2")]
    base.absorb(top)
    assert base.get("c") is None
