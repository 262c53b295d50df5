"""A worker that the fault tests start, kill, stop and freeze: ``python -m tests.kafka_worker BOOTSTRAP PREFIX [--die-at STEP] [--slow S]``.

It runs one stage over `items` with state, and dies (SIGKILL), stops (SIGSTOP) or holds until a file is there at a step of its second
commit if asked to.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tumen.bus_kafka import KafkaBus, clients
from tumen.errors import Outcome
from tumen.messages import Candidate, Item
from tumen.runner import Clocks, Node, StageRunner
from tumen.settings import KafkaSettings
from tumen.stage import Emit, Out, Stage
from tumen.state import State
from tumen.testing import Counts
from tumen.topics import CANDIDATES, ITEMS

NOW = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)
#: in the order in which a transaction takes them; "answer": it is committed, and dies before it knows
STEPS = ("begin_transaction", "send", "send_offsets_to_transaction", "flush", "commit_transaction", "answer", "applied")
BATCH = 20


def item(number: int, sites: int = 7) -> Item:
    name = f"{number:06d}"
    site = f"site{number % sites}.example.org"
    return Item(id=name, seen_at=NOW, trace=name, article_id=name, source="feed", site=site, title=name, body="text", body_type="text")


def node(slow: float = 0.0) -> Node:
    """Numbers the items of each site and remembers each: a second time would show, and so would a number that is missing."""

    def process(message: Item, state: State) -> Iterable[Out]:
        if slow:
            time.sleep(slow)
        number = int(state.get(f"count/{message.site}") or b"0") + 1
        state.put(f"count/{message.site}", str(number).encode())
        again = state.get(f"seen/{message.id}") is not None
        state.put(f"seen/{message.id}", b"1")
        name = f"{message.id} {message.site}#{number}{' again' if again else ''}"
        return [Emit(CANDIDATES, Candidate(id=name, seen_at=NOW, trace=message.trace, item=message))]

    return Node("counter", (ITEMS,), (CANDIDATES,), (), Stage(process))


def at_step(step: str, happens: Callable[[], None]) -> None:
    """`happens` before (or, for "answer", after) this step of the second transaction that has outputs."""
    transactions = 0
    transact = clients.Transactor._transact

    def counted(self: Any, records: Any, offsets: Any, member: Any) -> Any:
        nonlocal transactions
        transactions += any(not record.topic.endswith(".state") for record in records)
        if transactions == 2 and step != "applied":
            name = "commit_transaction" if step == "answer" else step
            setattr(self._producer, name, _with(happens, getattr(self._producer, name), after=step == "answer"))
        ends = transact(self, records, offsets, member)
        if transactions == 2 and step == "applied":
            threading.Timer(0.0, happens).start()
            time.sleep(1)
        return ends

    clients.Transactor._transact = counted  # type: ignore[method-assign]


def _with(happens: Callable[[], None], call: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    done: list[None] = []

    def then() -> None:
        if not done:
            done.append(None)
            happens()

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not after:
            then()
        result = call(*args, **kwargs)
        if after:
            then()
        return result

    return wrapped


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _hold(until: Path) -> None:
    """Say so, and wait for the file."""
    print("holding", flush=True)
    while not until.exists():
        time.sleep(0.02)


class Tell(Counts):
    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None:
        """One line a message handled, so that a test sees how far it is."""
        if outcome is Outcome.OK:
            print("ok", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("settings")
    parser.add_argument("--die-at", choices=STEPS)
    parser.add_argument("--stop-at", choices=STEPS)
    parser.add_argument("--hold-at", choices=STEPS)
    parser.add_argument("--until", type=Path, help="The file that ends a hold.")
    parser.add_argument("--slow", type=float, default=0.0)
    arguments = parser.parse_args()
    settings = KafkaSettings.model_validate_json(arguments.settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if arguments.die_at:
        at_step(arguments.die_at, _signal(signal.SIGKILL))
    if arguments.stop_at:
        at_step(arguments.stop_at, _signal(signal.SIGSTOP))
    if arguments.hold_at:
        at_step(arguments.hold_at, lambda: _hold(arguments.until))
    with KafkaBus(settings) as bus:
        clocks = Clocks(lambda: datetime.now(UTC), time.monotonic)
        runner = StageRunner(node(arguments.slow), bus, Tell(), clocks, batch=BATCH, max_lag=10**9)
        print("joined", flush=True)
        while not stop.is_set():
            if not runner.step():
                bus.wait(-1, 0.05)
        runner.close()
    print("ended", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
