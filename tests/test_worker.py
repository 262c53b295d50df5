"""`tumen worker`: chosen stages in processes of their own, on the embedded bus and on a real broker: started, asked how they are, ended."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw
import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from tests.kafka_broker import Broker
from tests.loopback import answer, loopback
from tests.test_end_to_end import what_is_wrong
from tumen.bus_embedded import EmbeddedBus
from tumen.bus_kafka import KafkaBus
from tumen.codec import decode
from tumen.errors import Unavailable
from tumen.health import Health, serve
from tumen.messages import Alert
from tumen.metrics import Metrics
from tumen.settings import KafkaSettings
from tumen.topics import ALERTS, ITEMS, TOPICS

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "docs" / "scale-out.md"
STAGES = ("screen", "clean", "dedupe", "translate", "tag", "stories")
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Harbour</title>
<item><title>A ferry</title><link>https://harbour.example/ferry</link><description>It has sailed.</description></item></channel></rss>"""
EDGES = ("ticker", "feeds", "files", "archive", "console", "slack", "metrics")


def waited_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, str]:
    """(status, body); (0, "") while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Worker:
    """A `tumen` process with a port of its own; what it says is kept in files."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self.files = [folder / f"{self.port}.{kind}" for kind in ("out", "err")]
        environment = {**os.environ, "TUMEN_METRICS_PORT": str(self.port), "PYTHONPATH": str(ROOT), **environment}
        with self.files[0].open("wb") as out, self.files[1].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tumen", *arguments], cwd=folder, env=environment, stdout=out, stderr=err
            )

    @property
    def says(self) -> str:
        return self.files[1].read_text(encoding="utf-8")

    @property
    def prints(self) -> str:
        return self.files[0].read_text(encoding="utf-8")

    def ready(self, seconds: float = 60) -> "Worker":
        waited_for(lambda: ask(self.port, "/readyz")[0] == 200 or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.says
        return self

    def end(self, seconds: float = 30) -> float:
        """SIGTERM; gives the seconds until it had ended, in order."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(seconds) == 0, self.says
        return time.monotonic() - begun

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as ending:

        def worker(*arguments: str, **environment: str) -> Worker:
            one = Worker(tmp_path, *arguments, **environment)
            ending.callback(one.kill)
            return one

        yield worker


def done(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tumen", *arguments],
        cwd=folder,
        env={**os.environ, "TUMEN_METRICS_PORT": "0", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# --- how it is ---------------------------------------------------------------------------------------------------------------------


def test_a_process_says_how_it_is() -> None:
    health = Health()
    server, port = serve(Metrics(CollectorRegistry()), "127.0.0.1", 0, health)
    away: list[str] = []
    try:
        assert ask(port, "/healthz") == (200, "ok\n")
        assert ask(port, "/readyz")[0] == 503
        assert "starting" in ask(port, "/readyz")[1]
        health.ready(lambda: away[0] if away else None)
        assert ask(port, "/readyz") == (200, "ok\n")
        away.append("the bus is away")
        assert ask(port, "/readyz") == (503, "the bus is away\n")
        assert ask(port, "/healthz")[0] == 200
        away.clear()
        health.ending()
        assert ask(port, "/readyz")[0] == 503
        assert ask(port, "/healthz")[0] == 200
        health.failed("taken over")
        assert ask(port, "/healthz") == (503, "taken over\n")
        assert "tumen_build_info" in ask(port, "/metrics")[1]
    finally:
        server.close()


# --- on the embedded bus -------------------------------------------------------------------------------------------------------------


def test_not_ready_while_models_load_then_ready_then_not_while_ending(tmp_path: Path, start: Callable[..., Worker]) -> None:
    with loopback() as site:
        site.routes["/rss"] = lambda asked, send: time.sleep(8)
        (tmp_path / "tumen.toml").write_text(
            f'[http]\nallow_private = ["127.0.0.1:{site.port}"]\ndeadline = 60\n[[feeds]]\nurl = "{site.url("/rss")}"\n', encoding="utf-8"
        )
        worker = start("worker", "feeds", "tag", TUMEN_BUS_DRAIN_SECONDS="2")
        assert waited_for(lambda: ask(worker.port, "/readyz")[0]) == 503
        assert ask(worker.port, "/healthz")[0] == 200
        worker.ready()
        waited_for(lambda: site.asked)
        worker.process.send_signal(signal.SIGTERM)
        assert waited_for(lambda: ask(worker.port, "/readyz")[0] != 200)
        # the feed's answer would take eight seconds: the budget does not wait for it, and the poll will be done again
        begun = time.monotonic()
        assert worker.process.wait(30) == 0, worker.says
        assert time.monotonic() - begun < 6
        assert "ended_with_io_in_flight" in worker.says


def test_what_is_in_flight_is_finished_before_the_end(tmp_path: Path, start: Callable[..., Worker]) -> None:
    """A delivery that is under way when the end is asked for is delivered and marked, not made again."""
    with loopback() as site:
        site.routes["/rss"] = lambda asked, send: (time.sleep(3), send(answer(FEED)))[0]
        (tmp_path / "tumen.toml").write_text(
            f'[http]\nallow_private = ["127.0.0.1:{site.port}"]\n[[feeds]]\nurl = "{site.url("/rss")}"\n', encoding="utf-8"
        )
        worker = start("worker", "feeds").ready()
        waited_for(lambda: site.asked)
        assert worker.end() > 1
        assert "Tumen has ended in order." in worker.says
    with EmbeddedBus(tmp_path / "var" / "bus.db") as bus:
        assert [decode(ITEMS, record.value).title for record in bus.read("items", 0, 10)] == ["A ferry"]


def test_stages_in_two_processes_and_a_third_is_refused(tmp_path: Path, start: Callable[..., Worker]) -> None:
    data = tmp_path / "data"
    stages = start("worker", "--samples", "--data", str(data), *STAGES).ready()
    refused = done(tmp_path, "worker", "--samples", "--data", str(data), "tag")
    assert refused.returncode == 2
    assert re.search(r"another Tumen \(process \d+\) already runs 'tag'", refused.stderr)
    edges = start("worker", "--samples", "--data", str(data), "--speed", "20", *EDGES).ready()
    waited_for(lambda: archived(data), 60)
    assert stages.end() < 20
    stages = start("worker", "--samples", "--data", str(data), *STAGES).ready()
    waited_for(lambda: len(archived(data)) >= 12, 90)
    stages.end()
    with EmbeddedBus(data / "bus.db") as bus:
        ids = [decode(ALERTS, record.value).id for record in bus.read(ALERTS.name, 0, 10**6)]
    waited_for(lambda: len(archived(data)) >= len(ids))
    edges.end()
    assert len(ids) == len(set(ids))
    assert sorted(archived(data)) == sorted(ids)


def archived(data: Path) -> list[str]:
    if not (data / "archive.db").is_file():
        return []
    db = apsw.Connection(str(data / "archive.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [str(row[0]) for row in db.execute("SELECT id FROM alerts")]
    finally:
        db.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("worker",), "Missing argument"),
        (("worker", "screen", "sreen"), "no node 'sreen'; expected one of ticker"),
        (("topics", "plan"), "bus.kind = 'embedded'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    ended = done(tmp_path, *arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


# --- on Kafka ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def broker_of_ours(kafka_bootstrap: str) -> dict[str, str]:
    """The environment of a bus of this test's own on the shared broker."""
    return environment_of(kafka_bootstrap)


def environment_of(bootstrap: str) -> dict[str, str]:
    return {"TUMEN_BUS_KIND": "kafka", "TUMEN_KAFKA_BOOTSTRAP": bootstrap, "TUMEN_KAFKA_PREFIX": f"w{uuid.uuid4().hex[:8]}."}


def bus_of(environment: Mapping[str, str], realm: str) -> KafkaBus:
    settings = KafkaSettings(bootstrap=environment["TUMEN_KAFKA_BOOTSTRAP"], prefix=environment["TUMEN_KAFKA_PREFIX"])
    return KafkaBus(settings, realm)


def commands(page: Path, title: str) -> list[str]:
    """The indented lines of one section: its commands."""
    section = page.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def test_readme_and_page_show_the_same_commands() -> None:
    assert commands(ROOT / "README.md", "Scale out") == commands(DOC, "Try it")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}  # not a make within a make
    made = subprocess.run(["make", "-n", "kafka"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=30)
    assert made.stdout.strip() == "deploy/kafka/local.sh run"


@pytest.mark.timeout(420)
def test_the_commands_of_the_page_run_the_wire_through_kafka_workers(
    tmp_path: Path, broker_of_ours: dict[str, str], start: Callable[..., Worker]
) -> None:
    """Word for word, each in a terminal of its own; what comes of it is what the embedded bus gives.

    One partition a topic: among several, news of different sites may overtake each other, and what comes first is what is new.
    """
    broker_of_ours["TUMEN_KAFKA_PARTITIONS"] = "1"
    export, apply, stages, edges = commands(DOC, "Try it")
    assert re.fullmatch(r"export TUMEN_BUS_KIND=kafka TUMEN_METRICS_PORT=0 TUMEN_KAFKA_BOOTSTRAP=ADDRESS", export)
    for command, first in ((apply, "tumen topics apply"), (stages, "tumen worker"), (edges, "tumen worker")):
        assert command.startswith(first)
    made = done(tmp_path, *shlex.split(apply)[1:], **broker_of_ours)
    assert made.returncode == 0, made.stderr
    working = start(*shlex.split(stages)[1:], **broker_of_ours).ready()
    telling = start(*shlex.split(edges)[1:], **broker_of_ours).ready()
    data = tmp_path / "var" / "samples" / "workers"
    with bus_of(broker_of_ours, "sample") as bus:
        quiet_for(bus, 12)
        wrong = what_is_wrong(bus)
        alerts = [decode(ALERTS, record.value) for record in bus.read(ALERTS.name, 0, 10**6)]
        dead = bus.read("dead", 0, 10)
    telling.end()
    working.end()
    embedded = done(tmp_path, "run", "--samples", "--speed", "1", "--until-quiet", "--data", "embedded")
    assert embedded.returncode == 0, embedded.stderr
    with EmbeddedBus(tmp_path / "embedded" / "bus.db") as bus_here:
        # what the wire says must be told; what it says may be told hangs on which feed was polled first (by id: test_kafka_pipeline)
        assert wrong == what_is_wrong(bus_here)
        alerts_here = [decode(ALERTS, record.value) for record in bus_here.read(ALERTS.name, 0, 10**6)]
    assert new_events(alerts) == new_events(alerts_here)
    ids = [alert.id for alert in alerts]
    assert sorted(archived(data)) == sorted(set(ids)) == sorted(ids)
    assert telling.prints.count("SAMPLE") == len(ids)
    assert not dead


@pytest.mark.torture
@pytest.mark.timeout(420)
def test_killed_workers_on_kafka_lose_no_alert(tmp_path: Path, broker_of_ours: dict[str, str], start: Callable[..., Worker]) -> None:
    """SIGKILL, in the middle of the wire: those that take over find everything where it was; each alert is archived once."""
    environment = {**broker_of_ours, "TUMEN_KAFKA_SESSION_TIMEOUT": "6", "TUMEN_KAFKA_REQUEST_TIMEOUT": "5"}
    assert done(tmp_path, "topics", "apply", "--samples", **environment).returncode == 0
    data = tmp_path / "data"
    stages = start("worker", "--samples", *STAGES, **environment).ready()
    edges = start("worker", "--samples", "--data", str(data), "--speed", "4", *EDGES, **environment).ready()
    waited_for(lambda: archived(data), 90)
    stages.kill()
    second = start("worker", "--samples", *STAGES, **environment).ready()
    edges.kill()
    edges = start("worker", "--samples", "--data", str(data), "--speed", "4", *EDGES, **environment).ready()
    with bus_of(environment, "sample") as bus:
        quiet_for(bus, 12)
        ids = [decode(ALERTS, record.value).id for record in bus.read(ALERTS.name, 0, 10**6)]
        seen = [decode(ITEMS, record.value).id for record in bus.read(ITEMS.name, 0, 10**6)]
        assert not bus.read("dead", 0, 10)
    edges.end()
    second.end()
    assert len(ids) >= 12
    assert len(seen) == len(set(seen))
    assert sorted(archived(data)) == sorted(set(ids)) == sorted(ids)


def new_events(alerts: list[Alert]) -> Counter[str]:
    return Counter(alert.event for alert in alerts if alert.change == "new")


def quiet_for(bus: KafkaBus, seconds: float) -> None:
    """Wait until no topic of news has grown for so long and nobody lags (the wire plays for two minutes)."""
    deadline = time.monotonic() + 330
    sizes: list[int] = []
    since = time.monotonic()
    while time.monotonic() - since < seconds or not sizes[-1]:
        assert time.monotonic() < deadline, sizes[-5:]
        time.sleep(1)
        sizes.append(sum(len(bus.read(topic, 0, 10**6)) for topic in ("items", "tagged", "alerts")))
        if len(sizes) < 2 or sizes[-1] != sizes[-2] or any(lag for topic in TOPICS for lag in bus.lags(topic).values()):
            since = time.monotonic()


def test_topics_are_planned_made_and_found_right(tmp_path: Path, broker_of_ours: dict[str, str]) -> None:
    prefix = broker_of_ours["TUMEN_KAFKA_PREFIX"]
    missing = done(tmp_path, "worker", "screen", **broker_of_ours)
    assert missing.returncode == 2
    assert f"{prefix}items is missing" in missing.stderr
    assert "tumen topics apply" in missing.stderr
    assert doctor(tmp_path, broker_of_ours)["state"] == "missing"
    plan = done(tmp_path, "topics", "plan", **broker_of_ours)
    assert (plan.returncode, {line.split()[0] for line in plan.stdout.splitlines()}) == (0, {"create"})
    assert done(tmp_path, "topics", "apply", **broker_of_ours).stdout == plan.stdout
    again = done(tmp_path, "topics", "plan", **broker_of_ours)
    assert {line.split()[0] for line in again.stdout.splitlines()} == {"ok"}
    assert doctor(tmp_path, broker_of_ours)["state"] == "ok"
    other = {**broker_of_ours, "TUMEN_KAFKA_PARTITIONS": "3"}
    wrong = done(tmp_path, "topics", "apply", **other)
    assert wrong.returncode == 1
    assert re.search(rf"^wrong   {re.escape(prefix)}items +4 partitions, expected 3", wrong.stdout, re.MULTILINE)
    assert doctor(tmp_path, other)["state"] == "broken"
    assert done(tmp_path, "worker", "screen", **other).returncode == 2


def doctor(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    findings = json.loads(done(folder, "doctor", "--json", **environment).stdout)
    (bus,) = (finding for finding in findings if finding["what"] == "bus")
    return dict(bus)


def test_no_broker_is_one_line(tmp_path: Path) -> None:
    nobody = {**environment_of(f"127.0.0.1:{free_port()}"), "TUMEN_KAFKA_REQUEST_TIMEOUT": "2"}
    for command in (("worker", "screen"), ("run",), ("topics", "plan"), ("tail", "items"), ("dlq", "list")):
        ended = done(tmp_path, *command, **nobody)
        assert ended.returncode == 2, command
        assert nobody["TUMEN_KAFKA_BOOTSTRAP"] in ended.stderr.splitlines()[-1], command
        assert "Traceback" not in ended.stderr, command
    assert doctor(tmp_path, nobody)["state"] == "broken"


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_a_broker_that_goes_and_comes_back_is_told(tmp_path: Path, own_broker: Broker, start: Callable[..., Worker]) -> None:
    environment = environment_of(own_broker.bootstrap)
    assert done(tmp_path, "topics", "apply", **environment).returncode == 0
    worker = start("worker", "screen", **environment).ready()
    own_broker.stop()
    waited_for(lambda: ask(worker.port, "/readyz")[0] == 503, 60)
    assert ask(worker.port, "/healthz")[0] == 200
    assert "no Kafka broker" in ask(worker.port, "/readyz")[1]
    own_broker.start()
    worker.ready(90)
    assert worker.end() < 30


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("moments", [0.0, 4.0])
def test_with_a_frozen_broker_the_end_is_bounded(tmp_path: Path, own_broker: Broker, start: Callable[..., Worker], moments: float) -> None:
    """The broker takes connections and answers nothing: nobody waits for it for longer than the budget and a little."""
    environment = {**environment_of(own_broker.bootstrap), "TUMEN_BUS_DRAIN_SECONDS": "5"}
    assert done(tmp_path, "topics", "apply", **environment).returncode == 0
    worker = start("worker", *STAGES, "archive", **environment).ready()
    time.sleep(3)
    own_broker.freeze()
    time.sleep(moments)
    took = worker.end(60)
    own_broker.thaw()
    assert took < 20, worker.says


@pytest.mark.timeout(300)
def test_a_dead_letter_on_kafka_is_listed_shown_and_put_back_once(
    tmp_path: Path, broker_of_ours: dict[str, str], start: Callable[..., Worker]
) -> None:
    assert done(tmp_path, "topics", "apply", **broker_of_ours).returncode == 0
    junk = b"\xffnot an item"
    producer = KafkaProducer(bootstrap_servers=broker_of_ours["TUMEN_KAFKA_BOOTSTRAP"])
    producer.send(f"{broker_of_ours['TUMEN_KAFKA_PREFIX']}items", key=b"a.example", value=junk).get(30)
    producer.close()
    worker = start("worker", "screen", **broker_of_ours).ready()

    def listed() -> list[dict[str, Any]]:
        return [json.loads(line) for line in done(tmp_path, "dlq", "list", "--json", **broker_of_ours).stdout.splitlines()]

    (letter,) = waited_for(listed)
    assert (letter["stage"], letter["topic"], letter["kind"], letter["key"]) == ("screen", "items", "undecodable", "a.example")
    assert re.fullmatch(r"\d+:\d+", letter["letter"])
    shown = done(tmp_path, "dlq", "show", letter["letter"], **broker_of_ours)
    assert "\\xffnot an item" in shown.stdout
    worker.end()
    assert "put back on items" in done(tmp_path, "dlq", "retry", letter["letter"], **broker_of_ours).stdout
    assert "was put back before" in done(tmp_path, "dlq", "retry", "--all", **broker_of_ours).stdout
    with bus_of(broker_of_ours, "live") as bus:
        assert [record.value for record in bus.read("items", 0, 10)] == [junk, junk]
    assert done(tmp_path, "dlq", "retry", "9:99", **broker_of_ours).returncode == 2


@pytest.mark.timeout(300)
def test_run_and_replay_and_tail_on_kafka(tmp_path: Path, broker_of_ours: dict[str, str]) -> None:
    """The whole pipeline in one process on Kafka; what it told is what a replay of its items tells."""
    environment = {**broker_of_ours, "TUMEN_REALM": "sample"}
    assert done(tmp_path, "topics", "apply", **environment).returncode == 0
    ran = done(tmp_path, "run", "--samples", "--data", "data", "--speed", "20", "--until-quiet", **environment)
    assert ran.returncode == 0, ran.stderr
    told = done(tmp_path, "tail", "alerts", "--from", "start", "--once", "--bare", **environment)
    assert len(told.stdout.splitlines()) >= 10
    with bus_of(environment, "sample") as bus:
        before = {topic: len(bus.read(topic, 0, 10**6)) for topic in TOPICS}
    replayed = done(tmp_path, "replay", "--from", "start", "--data", "data", **environment)
    assert replayed.returncode == 0, replayed.stderr
    assert "Replayed" in replayed.stderr
    # the order between partitions is not the order in which four shares of a stage worked: what is told is compared, not in which order
    assert events(replayed.stdout) == events(told.stdout)
    with bus_of(environment, "sample") as bus:
        assert {topic: len(bus.read(topic, 0, 10**6)) for topic in TOPICS} == before


def events(lines: str) -> set[str]:
    """What the alerts of new stories are about."""
    fields = [line.split(" | ") for line in lines.splitlines()]
    return {field[3] for field in fields if field[2] == "new"}


def test_the_embedded_bus_says_when_it_cannot_be_read(tmp_path: Path) -> None:
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        bus.alive()
        bus.shared.close()
        with pytest.raises(Unavailable, match="could not be read"):
            bus.alive()
