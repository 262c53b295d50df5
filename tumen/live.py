"""The always-on pipeline in one process: a thread a node, a janitor, and an orderly end."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import structlog

from tumen.bus import Bus, Fenced
from tumen.errors import Unavailable
from tumen.health import Health
from tumen.metrics import Metrics
from tumen.runner import Clocks, GatewayRunner, Node, StageRunner, make_runner
from tumen.settings import BusSettings
from tumen.stage import Stage
from tumen.topics import TOPICS

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 0.5
_LAG_SECONDS = 5.0
_DRAIN_LOOK_SECONDS = 0.2
_TRIM_SECONDS = 600.0
_COMPACT_AFTER = timedelta(days=1)


class Live:
    """Runs nodes until `stop`, and says in `health` how it goes.

    Raises `Refused` on construction if one of their groups is already run elsewhere.
    """

    def __init__(
        self, nodes: Sequence[Node], bus: Bus, metrics: Metrics, clocks: Clocks, settings: BusSettings, health: Health | None = None
    ) -> None:
        self._bus, self._metrics, self._clocks = bus, metrics, clocks
        self._health = health or Health()
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._fault: BaseException | None = None
        self._closing = ExitStack()
        self._runners: list[StageRunner | GatewayRunner] = []
        try:
            for node in nodes:
                executor = None
                if not isinstance(node.work, Stage):
                    executor = ThreadPoolExecutor(node.workers, thread_name_prefix=f"io-{node.name}")
                    self._closing.callback(executor.shutdown, wait=False, cancel_futures=True)
                runner = make_runner(node, bus, metrics, clocks, batch=settings.batch, max_lag=settings.max_lag, executor=executor)
                self._closing.callback(runner.close)
                self._runners.append(runner)
        except BaseException:
            self._closing.close()
            raise
        self._threads = [threading.Thread(target=self._serve, args=(runner,), name=runner.node.name) for runner in self._runners]
        self._threads.append(threading.Thread(target=self._keep_house, name="janitor"))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._health.ready(self._waits_for)

    def _waits_for(self) -> str | None:
        """What /readyz of a running process says: None, or that its bus is away."""
        try:
            self._bus.alive()
        except Unavailable as error:
            return str(error)
        return None

    def stop(self) -> None:
        """Ask for the end: what is being handled is committed, nothing new is read."""
        self._health.ending()
        self._stop.set()
        self._bus.wake()

    def join(self, budget: float) -> bool:
        """Wait for the end after `stop`, at most `budget` seconds: what is in I/O is finished.

        Gives whether everything has come to rest; a fault is raised here.
        """
        deadline = time.monotonic() + budget
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        at_rest = not any(thread.is_alive() for thread in self._threads)
        self._abandoned.set()
        if at_rest:
            self._closing.close()
        if self._fault is not None:
            raise self._fault
        return at_rest

    def wait(self, seconds: float) -> bool:
        """Sleep until a stop is asked for or a node has failed for good; gives whether that is so."""
        return self._stop.wait(seconds)

    def wait_for_end(self) -> None:
        """Sleep until `wait` would say so."""
        while not self.wait(1.0):
            pass

    def idle(self) -> bool:
        """Nothing to read, nothing in flight.  Jobs that wait for their time do not count."""
        flying = any(isinstance(runner, GatewayRunner) and runner.in_flight() for runner in self._runners)
        return not flying and not any(lag for topic in TOPICS for lag in self._bus.lags(topic).values())

    def _serve(self, runner: StageRunner | GatewayRunner) -> None:
        while not self._stop.is_set():
            seen = self._bus.wait(-1, 0.0)
            try:
                if runner.step():
                    continue
                idle = _IDLE_SECONDS
            except Fenced as error:
                self._fault = error
                self._health.failed(f"{runner.node.name}: another process has taken this group over")
                log.error("fenced", stage=runner.node.name, reason="another process has taken this group over")
                self.stop()
                return
            except Exception as error:  # a bug outside any one message: loud, and tried again, because the others must go on
                log.error("bug", stage=runner.node.name, exc_info=error)
                self._metrics.dead(runner.node.name, "runner")
                idle = 10.0
                self._stop.wait(idle)
            self._bus.wait(seen, idle)
        self._drain(runner)

    def _drain(self, runner: StageRunner | GatewayRunner) -> None:
        """What is in I/O is finished and committed, so that it is not done twice (a message sent again, a page fetched again)."""
        while isinstance(runner, GatewayRunner) and runner.in_flight() and not self._abandoned.is_set():
            seen = self._bus.wait(-1, 0.0)
            try:
                runner.drain()
            except (Unavailable, Fenced) as error:  # nothing is lost: it is in its queue
                log.warning("not_drained", stage=runner.node.name, reason=f"{type(error).__name__}: {error}")
                return
            if runner.in_flight():
                self._bus.wait(seen, _DRAIN_LOOK_SECONDS)

    def _keep_house(self) -> None:
        """Lag for /metrics, and retention, which never passes a live group."""
        next_trim = 0.0
        lost: dict[tuple[str, str], int] = {}
        while not self._stop.is_set():
            for topic in TOPICS:
                for group, lag in self._bus.lags(topic).items():
                    self._metrics.lag(group, topic, lag)
            for place, records in self._bus.losses().items():
                self._metrics.lost(*place, records - lost.get(place, 0))
                lost[place] = records
            if self._clocks.monotonic() >= next_trim:
                next_trim = self._clocks.monotonic() + _TRIM_SECONDS
                self._trim()
            self._stop.wait(_LAG_SECONDS)

    def _trim(self) -> None:
        for topic in TOPICS.values():
            kept = topic.retention or _COMPACT_AFTER
            forgotten = self._bus.trim(topic.name, (self._clocks.now() - kept).timestamp(), compact=topic.retention is None)
            if forgotten:
                log.info("retention", topic=topic.name, records=forgotten)
