"""A real Apache Kafka broker for the tests: one for the whole session, and one of its own for whoever wants to break it.

`TUMEN_KAFKA_BOOTSTRAP` names a broker to use instead (the tests that stop or freeze a broker still start their own).  Where there is
neither that nor Java and Maven, the suite is left out, and says so at the end of the run; with ``CI=true`` it fails instead.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tumen.bus_kafka import Names
from tumen.bus_kafka.topics import TopicSpec, make_topics
from tumen.settings import KafkaSettings

LOCAL = Path(__file__).resolve().parents[1] / "deploy" / "kafka" / "local.sh"
LEFT_OUT: set[str] = set()


class Broker:
    """A broker process.  `data` survives `stop` and `kill`, and so does the port."""

    def __init__(self, data: Path, more: Path | None = None) -> None:
        self.data, self.more = data, more
        self.bootstrap = ""

    def start(self) -> None:
        done = subprocess.run([LOCAL, "start"], env=self._environment(), capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        self.bootstrap = done.stdout.strip()
        _answered(self.bootstrap)

    def stop(self) -> None:
        subprocess.run([LOCAL, "stop"], env=self._environment(), check=True, timeout=60)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{self.pid}/stat").exists() and time.monotonic() < deadline:
            if Path(f"/proc/{self.pid}/stat").read_text().split(")")[-1].split()[0] == "Z":
                break
            time.sleep(0.05)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        return int((self.data / "pid").read_text())

    def _signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "LOCAL_KAFKA_DATA": str(self.data)}
        if self.more is not None:
            environment["LOCAL_KAFKA_MORE"] = str(self.more)
        if self.bootstrap:
            environment["LOCAL_KAFKA_PORT"] = self.bootstrap.split(":")[1]
        return environment


def _answered(bootstrap: str) -> None:
    """Wait until the broker does more than accept connections."""
    deadline = time.monotonic() + 60
    while True:
        try:
            admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=5_000)
            try:
                admin.list_topics()
                return
            finally:
                admin.close()
        except KafkaError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def require_tools() -> None:
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if not missing:
        return
    why = f"no {' and no '.join(missing)} here, and TUMEN_KAFKA_BOOTSTRAP names no broker"
    if os.environ.get("CI") == "true":
        pytest.fail(f"the Kafka suite may not be left out in CI: {why}")
    LEFT_OUT.add(why)
    pytest.skip(f"the Kafka suite: {why}")


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker that the tests share: use topics of your own."""
    given = os.environ.get("TUMEN_KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    require_tools()
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker to be stopped, frozen and killed."""
    require_tools()
    broker = Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.thaw()
    broker.kill()


def new_settings(bootstrap: str, **more: object) -> KafkaSettings:
    """Settings with topics of their own, and little patience."""
    known: dict[str, object] = {"prefix": f"t{uuid.uuid4().hex[:8]}.", "session_timeout": 10.0, "request_timeout": 10.0}
    return KafkaSettings.model_validate({"bootstrap": bootstrap, **known, **more})


def make_bare_topics(settings: KafkaSettings, topics: Mapping[str, int], groups: Mapping[str, int]) -> None:
    """Topics by name and the state topics of groups, each with so many partitions."""
    names = Names(settings.prefix)
    wanted = [TopicSpec(names.topic(name), count, {}) for name, count in topics.items()]
    make_topics(settings, wanted + [TopicSpec(names.state(name), count, {"cleanup.policy": "compact"}) for name, count in groups.items()])


def summary(reporter: pytest.TerminalReporter) -> None:
    """What `conftest` prints at the end of a run."""
    for why in sorted(LEFT_OUT):
        reporter.section("THE KAFKA SUITE WAS LEFT OUT", sep="!", red=True)
        reporter.line(f"{why}: nothing was tested against a broker")
