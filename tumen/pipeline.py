"""The topology as data: `pipeline.toml` names the nodes in order; here it is loaded, checked as a graph, and built.

[[node]]
name = "dedupe"
module = "processors.dedupe"
config = { keep_days = 30 }
"""

import importlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tumen.delivery import SinkGateway
from tumen.errors import ConfigError
from tumen.runner import Node
from tumen.settings import ROOT
from tumen.stage import GatewaySpec, Kit, NodeModule, ProducerSpec, Sink, SinkSpec, Spec, Stage, StageSpec
from tumen.topics import DEAD, TICKS, TOPICS

PIPELINE = ROOT / "pipeline.toml"


class NodeEntry(BaseModel):
    """One ``[[node]]`` of pipeline.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    module: str
    config: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """A node as declared: its module imported, its config parsed, nothing built."""

    name: str
    module: NodeModule
    spec: Spec
    config: BaseModel

    @property
    def kind(self) -> str:
        kinds: dict[type, str] = {StageSpec: "stage", GatewaySpec: "gateway", ProducerSpec: "producer", SinkSpec: "sink"}
        return kinds[type(self.spec)]


@dataclass(frozen=True)
class Topology:
    """The declared nodes, in the order of the file."""

    nodes: tuple[Declared, ...]

    def node(self, name: str) -> Declared:
        """Raises `ConfigError` with the names there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ConfigError(f"no node {name!r}; expected one of {', '.join(n.name for n in self.nodes)}")

    def edges(self) -> Iterable[tuple[str, str, str]]:
        """(writer, topic, reader)."""
        for writer in self.nodes:
            for topic in writer.spec.writes:
                for reader in self.nodes:
                    if topic in reader.spec.reads:
                        yield writer.name, topic.name, reader.name


def load_topology(path: Path = PIPELINE) -> Topology:
    """Import and check the whole topology.  Raises `ConfigError` with every finding at once."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected the topology file ({error.strerror})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    findings: list[str] = [f"{path.name}: {key}: unknown table, expected [[node]]" for key in tree if key != "node"]
    nodes: list[Declared] = []
    for number, raw in enumerate(tree.get("node", ()), start=1):
        declared = _declare(f"{path.name}: node {number}", raw, findings)
        if declared:
            nodes.append(declared)
    topology = Topology(tuple(nodes))
    if not findings:
        findings.extend(_graph_findings(path.name, topology))
    if findings:
        raise ConfigError(*findings)
    return topology


def _declare(where: str, raw: Any, findings: list[str]) -> Declared | None:
    try:
        entry = NodeEntry.model_validate(raw)
    except ValidationError as error:
        findings.extend(_lines(where, error))
        return None
    where = f"{where} ({entry.name})"
    try:
        module: Any = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        findings.append(f"{where}: module = {entry.module!r}: {error}")
        return None
    missing = [name for name in ("SPEC", "Config", "build") if not hasattr(module, name)]
    if missing:
        findings.append(f"{where}: module {entry.module} lacks {', '.join(missing)}: expected SPEC, Config and build (tumen.stage)")
        return None
    try:
        config = module.Config.model_validate(entry.config)
    except ValidationError as error:
        findings.extend(_lines(f"{where}: config", error))
        return None
    return Declared(entry.name, module, module.SPEC, config)


def _lines(where: str, error: ValidationError) -> Iterable[str]:
    for finding in error.errors(include_url=False):
        yield f"{where}: {'.'.join(map(str, finding['loc']))} = {finding.get('input')!r}: {finding['msg']}"


def _graph_findings(file: str, topology: Topology) -> Iterable[str]:
    names = [node.name for node in topology.nodes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{file}: node {name}: named twice"
    written = {topic.name for node in topology.nodes for topic in node.spec.writes}
    read = {topic.name for node in topology.nodes for topic in node.spec.reads}
    if any(isinstance(node.spec, StageSpec) and node.spec.ticks for node in topology.nodes):
        read.add(TICKS.name)
    for topic in sorted((written | read) - set(TOPICS)):
        yield f"{file}: topic {topic}: not in the topic table"
    for topic in sorted(read - written):
        yield f"{file}: topic {topic}: nobody writes it"
    for topic in sorted(written - read - {DEAD.name}):
        yield f"{file}: topic {topic}: nobody reads it"
    cycle = _cycle(topology)
    if cycle:
        yield f"{file}: a cycle: {' -> '.join(cycle)}"


def _cycle(topology: Topology) -> list[str]:
    """A cycle of node names, or nothing (depth first)."""
    after: dict[str, set[str]] = {}
    for writer, _, reader in topology.edges():
        after.setdefault(writer, set()).add(reader)
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for reader in sorted(after.get(name, ())):
            found = visit(reader, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    for node in topology.nodes:
        found = visit(node.name, [])
        if found:
            return found
    return []


def build_node(declared: Declared, kit: Kit) -> Node:
    """The node, ready to run.  Raises `ConfigError` if its data or settings are wrong."""
    spec = declared.spec
    built = declared.module.build(declared.config, kit)
    if isinstance(spec, SinkSpec):
        if not isinstance(built, Sink):
            raise ConfigError(f"node {declared.name}: build() of a sink gives a tumen.stage.Sink, got {type(built).__name__}")
        gateway = SinkGateway(declared.name, spec, built, kit.extra.get("metrics"))
        return Node(declared.name, spec.reads, spec.writes, spec.reasons, gateway)
    if isinstance(spec, StageSpec):
        if not isinstance(built, Stage) or spec.ticks != (built.on_tick is not None):
            raise ConfigError(
                f"node {declared.name}: build() of a stage gives a tumen.stage.Stage, with on_tick just if SPEC.ticks says so"
            )
        return Node(declared.name, spec.reads, spec.writes, spec.reasons, built)
    return Node(declared.name, spec.reads, spec.writes, spec.reasons, built, workers=spec.workers)


def build_nodes(topology: Topology, kit: Kit, wanted: Callable[[Declared], bool] = lambda _: True) -> list[Node]:
    """Every wanted node, in order."""
    return [build_node(declared, kit) for declared in topology.nodes if wanted(declared)]


def graph_text(topology: Topology) -> str:
    """The flow, a line a node: what it reads, what it is, what it writes."""
    rows = [
        (", ".join(t.name for t in n.spec.reads) or "the world", n.name, n.kind, ", ".join(t.name for t in n.spec.writes) or "the world")
        for n in topology.nodes
    ]
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        f"{reads:<{wide[0]}} -> {name:<{wide[1]}} ({kind}){'':<{wide[2] - len(kind)}} -> {writes}" for reads, name, kind, writes in rows
    )


def graph_json(topology: Topology) -> Mapping[str, Any]:
    """Nodes and edges, for programs."""
    return {
        "nodes": [
            {"name": n.name, "kind": n.kind, "reads": [t.name for t in n.spec.reads], "writes": [t.name for t in n.spec.writes]}
            for n in topology.nodes
        ],
        "edges": [{"from": writer, "topic": topic, "to": reader} for writer, topic, reader in topology.edges()],
    }
