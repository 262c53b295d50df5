"""The deployment is what it says: the compose file for its real loader, the image's files, the alert rules and the dashboard's queries on a
real Prometheus that has scraped a real run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import srsly

from tumen.pipeline import load_topology
from tumen.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
RULE_TESTS = DEPLOY / "prometheus" / "alerts.test.yml"
COMPOSE_GO = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
#: services whose image is not ours
FOREIGN = {"kafka", "prometheus", "grafana"}
WRITABLE = {"/data", "/var/lib/kafka/data", "/prometheus", "/var/lib/grafana"}


def left_out(what: str) -> None:
    """Skip loudly; in CI this may not be left out."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


# --- the compose file ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loader() -> Path:
    """compose-go's own command: the loader that Docker Compose is built on."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tumen" / COMPOSE_GO.rpartition("@")[2]
    binary = cache / "cmd"
    if not binary.is_file():
        go = shutil.which("go") or ("/usr/local/go/bin/go" if Path("/usr/local/go/bin/go").is_file() else None)
        if go is None:
            left_out("GO IS MISSING, the compose file was not parsed by its real loader: install Go")
        assert go is not None
        done = subprocess.run(
            [go, "install", COMPOSE_GO], env={**os.environ, "GOBIN": str(cache)}, capture_output=True, text=True, timeout=280, check=False
        )
        if done.returncode:
            left_out(f"THE COMPOSE LOADER COULD NOT BE BUILT, the compose file was not parsed by it: {done.stderr[-400:]}")
    return binary


def load(loader: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """What the loader says of `deploy/compose.yaml` with this text."""
    with tempfile.NamedTemporaryFile("w", dir=DEPLOY, prefix=".compose-", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        environment = {**os.environ, "COMPOSE_PROFILES": "slack"}
        command = [str(loader), "--format", "json", Path(file.name).name]
        return subprocess.run(command, cwd=DEPLOY, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def compose(loader: Path) -> dict[str, Any]:
    done = load(loader, (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("mem_limit: 1g", "memory_limit: 1g"),
        ("condition: service_healthy", "condition: service_well"),
        ("  inside: {internal: true}", "  inside: {internal: maybe}"),
        ("pids_limit: 256", "pids_limit: [256]"),
    ],
)
def test_the_loader_would_notice(loader: Path, said: str, instead: str) -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert said in text
    assert load(loader, text.replace(said, instead)).returncode != 0


def test_what_services_name_is_declared(compose: dict[str, Any]) -> None:
    """The loader's command checks the form of a file, not what its parts say of each other."""
    for name, service in compose["services"].items():
        assert service.get("depends_on", {}).keys() <= compose["services"].keys(), name
        assert service["networks"].keys() <= compose["networks"].keys(), name
        for kind in ("configs", "secrets"):
            assert {used["source"] for used in service.get(kind, ())} <= compose[kind].keys(), (name, kind)
        named = {volume["source"] for volume in service.get("volumes", ()) if volume["type"] == "volume"}
        assert named <= compose["volumes"].keys(), name


def test_every_service_is_hardened(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("cap_add"), name
        assert not service.get("privileged"), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert any(path.startswith("/tmp:") for path in service["tmpfs"]), name
        assert not service["image"].endswith(":latest"), name
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), (name, service["image"])
        for volume in service.get("volumes", ()):
            assert volume.get("read_only") or volume["target"] in WRITABLE, (name, volume)
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name
        check = service["healthcheck"]
        assert check.get("test") or (name == "topics" and check["disable"]), name


def test_secrets_are_files(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|WEBHOOK|KEY", key):
                assert key.endswith("_FILE"), (name, key)
                assert value.startswith("/run/secrets/"), (name, key)
    assert all(secret["file"] for secret in compose["secrets"].values())
    ignored = subprocess.run(["git", "check-ignore", "deploy/secrets/slack_webhook"], cwd=ROOT, capture_output=True, check=False)
    if (ROOT / ".git").exists():
        assert ignored.returncode == 0


def test_only_who_meets_the_world_has_a_way_out(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    outside = {name for name, service in compose["services"].items() if "outside" in service["networks"]}
    assert outside == {"intake", "slack", "prometheus", "grafana"}


def worked(compose: dict[str, Any]) -> dict[str, list[str]]:
    """Service -> the nodes that it runs."""
    services = {name: service["command"] for name, service in compose["services"].items() if name not in FOREIGN}
    return {name: command[command.index("worker") + 1 :] for name, command in services.items() if "worker" in command}


def test_every_node_runs_in_one_service(compose: dict[str, Any]) -> None:
    nodes = [node for nodes in worked(compose).values() for node in nodes]
    assert sorted(nodes) == sorted(node.name for node in load_topology().nodes)
    for stage in ("screen", "clean", "dedupe", "translate", "tag", "stories"):
        assert worked(compose)[stage] == [stage]


def test_an_ending_worker_has_time_to_drain(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings that a worker is started with are settings, and its engine waits longer than they say."""
    for name in worked(compose):
        service = compose["services"][name]
        with monkeypatch.context() as patch:
            for key, value in service["environment"].items():
                if key.startswith("TUMEN_") and not key.endswith("_FILE"):
                    patch.setenv(key, value)
            settings = load_settings(DEPLOY / "tumen.toml")
        assert settings.bus.kind == "kafka"
        assert settings.kafka.bootstrap == "kafka:9092"
        assert (settings.metrics.host, settings.metrics.port, settings.data) == ("0.0.0.0", 9108, Path("/data"))
        grace = re.fullmatch(r"(\d+)s", service["stop_grace_period"])
        assert grace
        assert int(grace[1]) > settings.bus.drain_seconds


def test_files_and_versions_agree(compose: dict[str, Any]) -> None:
    for config in compose["configs"].values():
        assert (DEPLOY / Path(config["file"]).relative_to(DEPLOY)).is_file()
    binds = [
        volume["source"] for service in compose["services"].values() for volume in service.get("volumes", ()) if volume["type"] == "bind"
    ]
    assert binds
    for source in binds:
        assert Path(source).is_dir(), source
    kafka = re.search(
        r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)<", (DEPLOY / "kafka" / "pom.xml").read_text(encoding="utf-8")
    )
    assert kafka
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{kafka[1]}"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert compose["services"]["tag"]["image"] == f"tumen:{version}"
    prometheus = srsly.yaml_loads((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = (one for one in prometheus["scrape_configs"] if one["job_name"] == "tumen")
    assert sorted(scrape["dns_sd_configs"][0]["names"]) == sorted(worked(compose))


# --- the image -----------------------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each instruction of the Dockerfile."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def copied() -> list[tuple[str, str]]:
    """(path of the checkout, path in the image)"""
    pairs = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            pairs += [(source, target + source if target.endswith("/") else target) for source in sources]
    return pairs


def test_the_image_is_locked_and_its_user_has_no_name() -> None:
    lines = instructions()
    bases = [rest.split()[0] for word, rest in lines if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases), bases
    installs = [rest for word, rest in lines if word == "RUN" and "pip install" in rest]
    assert "--require-hashes" in installs[0]
    assert all("--no-deps" in rest for rest in installs)
    last = dict(lines)
    user = re.fullmatch(r"(\d+):(\d+)", last["USER"])
    assert user
    assert int(user[1]) >= 10_000
    assert "/healthz" in last["HEALTHCHECK"]
    assert json.loads(last["ENTRYPOINT"]) == ["tumen"]
    assert not re.search(r"(?i)secret|password|token", (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("no secret", ""))


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for source, _ in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignore, source
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.rstrip("*") for package in packages} <= {source for source, _ in copied()}


def nobody() -> dict[str, Any]:
    """How to start a process as the image's user, where that can be done: as root, with an interpreter that others may run."""
    other = {"user": 10001, "group": 10001, "extra_groups": ()}
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, cwd="/", **other)  # type: ignore[call-overload]
    except (PermissionError, subprocess.CalledProcessError):
        return {}
    return other


def listing(tree: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in tree.rglob("*")}


def test_the_copied_tree_runs_the_sample_wire_and_writes_only_into_data() -> None:
    """What the image holds, without an engine to build it: its files alone, read-only, its user, one writable folder."""
    place = Path(tempfile.mkdtemp(prefix="tumen-image-"))
    try:
        tree, data = place / "opt", place / "data"
        data.mkdir()
        for source, target in copied():
            goal = tree / Path(target).relative_to("/opt/tumen")
            goal.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, goal, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, goal)
        place.chmod(0o755)
        data.chmod(0o777)
        subprocess.run(["chmod", "-R", "a-w,a+rX", str(tree)], check=True)
        before = listing(tree)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
        environment |= {"TUMEN_DATA": str(data), "TUMEN_METRICS_PORT": "0"}
        command = [sys.executable, "-m", "tumen", "run", "--samples", "--data", str(data), "--speed", "50", "--until-quiet"]
        done = subprocess.run(command, cwd=data, env=environment, capture_output=True, text=True, timeout=240, check=False, **nobody())
        assert done.returncode == 0, done.stderr[-2000:]
        assert "SAMPLE" in done.stdout.upper()
        assert listing(tree) == before
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
        shutil.rmtree(place)


# --- the rules -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        left_out("PROMTOOL IS MISSING, the alert rules were not tested: apt-get install prometheus")
    assert found is not None
    return found


def rules() -> list[dict[str, Any]]:
    groups = srsly.yaml_loads(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize(
    "command", ["check config --lint=all prometheus.yml", "check rules --lint=all alerts.yml", "test rules alerts.test.yml"]
)
def test_promtool_agrees(promtool: str, command: str) -> None:
    done = subprocess.run([promtool, *command.split()], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_not() -> None:
    seen: dict[str, set[bool]] = {}
    for case in srsly.yaml_loads(RULE_TESTS.read_text(encoding="utf-8"))["tests"]:
        for check in case["alert_rule_test"]:
            seen.setdefault(check["alertname"], set()).add(bool(check["exp_alerts"]))
    names = [rule["alert"] for rule in rules()]
    assert sorted(seen) == sorted(names)
    assert {name for name, outcomes in seen.items() if outcomes != {True, False}} == {"TumenWatchdog"}


def test_what_an_operator_must_hear_of_has_a_rule() -> None:
    expressions = {rule["alert"]: rule["expr"] for rule in rules()}
    assert expressions["TumenWatchdog"] == "vector(1)"
    assert expressions["TumenGone"].startswith("absent(")
    for alert in ("TumenLag", "TumenDeadLetters", "TumenSinkStopped", "TumenSinkFailing", "TumenSilence"):
        assert alert in expressions
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket", "none")
        assert rule["annotations"].keys() == {"summary", "description"}


# --- the dashboard, and both on a real Prometheus ----------------------------------------------------------------------------------


class Query(NamedTuple):
    panel: str
    expression: str
    legend: str


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "tumen.json").read_text(encoding="utf-8"))
    return board


def queries() -> list[Query]:
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    return [Query(panel["title"], target["expr"], target["legendFormat"]) for panel in panels for target in panel["targets"]]


def filled(expression: str) -> str:
    """Grafana's variables as it fills them in."""
    return expression.replace("$__rate_interval", "1m").replace("$__range", "10m")


class Asked(NamedTuple):
    """What one metric is asked for: its name, and the labels its series must have."""

    name: str
    labels: frozenset[str]


def asks(expression: str) -> list[Asked]:
    """The metrics of a query, each with the labels that its matchers and the aggregation around it name."""
    found: list[Asked] = []
    grouped: list[set[str]] = []

    def enter(node: Any) -> None:
        if isinstance(node, promql_parser.AggregateExpr):
            grouped.append(set(node.modifier.labels) if node.modifier else set())
        elif isinstance(node, promql_parser.VectorSelector):
            matched = {matcher.name for matcher in node.matchers.matchers}
            found.append(Asked(node.name, frozenset(matched.union(*grouped))))

    def leave(node: Any) -> None:
        if isinstance(node, promql_parser.AggregateExpr):
            grouped.pop()

    promql_parser.walk(promql_parser.parse(filled(expression)), enter, leave)
    return found


def test_metrics_are_found_in_queries() -> None:
    found = asks('histogram_quantile(0.5, sum by (le) (rate(a_bucket{stage="tag"}[5m]))) > max(b) unless on (stage) c')
    assert found == [Asked("a_bucket", frozenset({"le", "stage"})), Asked("b", frozenset()), Asked("c", frozenset())]


def test_the_dashboard_is_provisioned_where_it_looks() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = srsly.yaml_loads((provisioning / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    (provider,) = srsly.yaml_loads((provisioning / "dashboards" / "tumen.yml").read_text(encoding="utf-8"))["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert source["url"] == "http://prometheus:9090"
    identifiers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(identifiers) == len(set(identifiers))
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"], panel["title"]
            assert panel["description"], panel["title"]
            assert all(target["datasource"]["uid"] == source["uid"] for target in panel["targets"])
    titles = {query.panel for query in queries()}
    assert {"Lag", "Throughput", "Failures", "Dead letters", "From publication to alert", "Mentions by event"} <= titles


def test_no_two_panels_overlap() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert cell not in cells, (panel["title"], cells.get(cell))
            cells[cell] = panel["title"]


class Watched(NamedTuple):
    """A Prometheus that scrapes a run of the sample wire."""

    url: str
    metrics: str

    def api(self, path: str, **arguments: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return result


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        left_out("PROMETHEUS IS MISSING, the dashboard's queries were not run: apt-get install prometheus")
    assert prometheus is not None
    folder = tmp_path_factory.mktemp("watched")
    with ExitStack() as ending:

        def start(*command: str) -> Path:
            """Start it, to be ended in order; gives the file of what it says."""
            says = folder / f"{Path(command[0]).name}.log"
            with says.open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=ROOT, env={**os.environ, "TUMEN_METRICS_PORT": "0"}, stdout=subprocess.DEVNULL, stderr=log
                )
            ending.callback(process.wait, 60)
            ending.callback(process.send_signal, signal.SIGTERM)
            return says

        run = start(sys.executable, "-m", "tumen", "run", "--samples", "--data", str(folder / "data"), "--speed", "5")
        metrics = waited_for(lambda: re.search(r"http://(127\.0\.0\.1:\d+)/metrics", run.read_text(encoding="utf-8")))
        config = srsly.yaml_loads((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        config["scrape_configs"] = [{"job_name": "tumen", "static_configs": [{"targets": [metrics[1]]}]}]
        (folder / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")
        where = (f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/tsdb", "--web.listen-address=127.0.0.1:0")
        server = start(prometheus, *where)
        said = waited_for(lambda: re.search(r"Listening on.*address=(127\.0\.0\.1:\d+)", server.read_text(encoding="utf-8")))
        there = Watched(f"http://{said[1]}", f"http://{metrics[1]}/metrics")
        # alerts of the wire that Prometheus has seen rise
        waited_for(lambda: float(value(there.query("sum(increase(tumen_alerts_total[10m]))")) or 0) >= 3, seconds=120)
        waited_for(lambda: there.query("sum(increase(tumen_alert_latency_seconds_count[10m])) > 0"), seconds=60)
        waited_for(lambda: there.query(filled("sum(increase(tumen_stage_dropped_total[$__rate_interval])) > 0")), seconds=60)
        yield there


def value(result: list[dict[str, Any]]) -> str | None:
    return str(result[0]["value"][1]) if result else None


def waited_for(what: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except OSError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"not seen within {seconds} s"
        time.sleep(0.5)


def exported(watched: Watched) -> dict[str, set[str]]:
    """Metric -> its labels, as /metrics has them now; and what Prometheus itself adds."""
    labels: dict[str, set[str]] = {"up": set()}
    with urllib.request.urlopen(watched.metrics, timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if not line.startswith("#"):
                name, _, rest = line.partition("{")
                found = set(re.findall(r'(\w+)="', rest)) if rest else set()
                labels.setdefault(name.split()[0], set()).update(found)
    return {name: found | {"job", "instance"} for name, found in labels.items()}


def test_every_query_of_the_dashboard_gives_data(watched: Watched) -> None:
    there = exported(watched)
    for panel, expression, legend in queries():
        for name, labels in asks(expression):
            assert name in there, (panel, name)
            assert labels <= there[name], (panel, name, labels - there[name])
        result = watched.query(filled(expression))
        assert result, (panel, expression)
        assert any(series["value"][1] != "NaN" for series in result), (panel, expression)
        for series in result:
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= set(series["metric"]), (panel, legend, series["metric"])


def test_the_dashboard_tells_what_the_run_did(watched: Watched) -> None:
    """Not only data but the right ones: nothing failed, alerts were told, every stage worked."""
    results = {query.panel: watched.query(filled(query.expression)) for query in queries() if query.panel != "Waiting to go out"}
    assert float(value(results["Alerts"]) or 0) >= 3
    assert value(results["Dead letters"]) == "0"
    assert value(results["Sinks stopped"]) == "0"
    assert value(results["Processes"]) == "1"
    stages = {series["metric"]["stage"] for series in results["Throughput"]}
    assert stages >= {"screen", "clean", "dedupe", "translate", "tag", "stories", "archive"}
    assert {series["value"][1] for series in results["Failures"]} == {"0"}
    assert {series["metric"]["group"] for series in results["Lag"]} >= {"screen", "tag", "stories"}


def test_every_rule_runs_and_a_healthy_run_alarms_nobody(watched: Watched) -> None:
    there = exported(watched)
    for rule in rules():
        for name, labels in asks(rule["expr"]):
            assert name in there, (rule["alert"], name)
            assert labels <= there[name], (rule["alert"], name, labels - there[name])
    loaded = [rule for group in watched.api("rules")["groups"] for rule in group["rules"]]
    assert [rule["name"] for rule in loaded] == [rule["alert"] for rule in rules()]
    assert {rule["name"]: rule.get("lastError", "") for rule in loaded if rule["health"] != "ok"} == {}
    assert {rule["name"] for rule in loaded if rule["state"] == "firing"} == {"TumenWatchdog"}


def test_one_dead_letter_is_an_alarm(watched: Watched) -> None:
    """On a real series, not an invented one: the counter stands at zero before anything has failed."""
    kinds = watched.query('tumen_stage_dead_total{stage="tag"}')
    assert {series["metric"]["kind"] for series in kinds} == {"reject", "bug", "undecodable", "runner"}
    assert {series["value"][1] for series in kinds} == {"0"}
