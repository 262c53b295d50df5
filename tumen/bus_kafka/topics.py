"""Which topics there must be, compared with those that are, and made.  Nothing is ever deleted, shrunk, or given other partitions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from tumen.bus_kafka.clients import Clients, KafkaError, Names, unavailable
from tumen.errors import Refused
from tumen.settings import KafkaSettings
from tumen.stage import Spec, StageSpec
from tumen.topics import TICKS, TOPICS, Topic

Action = Literal["create", "alter", "ok", "wrong"]

#: groups of commands, which are no nodes: they remember what they have done
TOOLS = ("dlq",)


class Declared(Protocol):
    """What is asked of a node of the topology (`tumen.pipeline.Declared`)."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> Spec: ...


@dataclass(frozen=True)
class TopicSpec:
    """How a topic must be; `name` is the brokers'."""

    name: str
    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True)
class TopicChange:
    """What there is to do about one topic.  `wrong` can only be mended by a person; `detail` says how.  `differs`: what "alter" sets."""

    topic: str
    action: Action
    detail: str = ""
    differs: Mapping[str, str] = field(default_factory=dict)


def expected_topics(settings: KafkaSettings, names: Names, declared: Iterable[Declared]) -> list[TopicSpec]:
    """Every topic of the table, and the state topic of every node."""
    common = {"min.insync.replicas": str(settings.min_insync), "max.message.bytes": str(settings.max_message_bytes + 64 * 1024)}
    found = [
        TopicSpec(names.topic(topic.name), topic.partitions or settings.partitions, {**common, **_retention(topic)})
        for topic in TOPICS.values()
    ]
    shares = dict.fromkeys(TOOLS, 1) | {node.name: shares_of(node.spec, settings) for node in declared}
    found += [TopicSpec(names.state(name), count, {**common, "cleanup.policy": "compact"}) for name, count in shares.items()]
    return found


def _retention(topic: Topic[Any]) -> dict[str, str]:
    if topic.retention is None:
        return {"cleanup.policy": "compact"}
    return {"cleanup.policy": "delete", "retention.ms": str(int(topic.retention.total_seconds() * 1000))}


def shares_of(spec: Spec, settings: KafkaSettings) -> int:
    """How many processes may share a node's work.

    One, with the others standing by, for what must see everything (its input has one partition, it ticks) or meets the world (it reads or
    writes no topic: a producer polls each feed once, a sink keeps one pace).  The others: one a partition.
    """
    reads = {topic.partitions for topic in spec.reads}
    whole = not spec.reads or not spec.writes or reads != {None} or (isinstance(spec, StageSpec) and spec.ticks) or TICKS in spec.reads
    return 1 if whole else settings.partitions


def plan_topics(settings: KafkaSettings, realm: str, declared: Iterable[Declared]) -> list[TopicChange]:
    """Compares only.  Raises `Refused` when no broker answers, `Unavailable` when it stops answering."""
    with _Admin(settings) as admin:
        return _plan(admin, expected_topics(settings, Names(settings.prefix, realm), declared))


def apply_topics(settings: KafkaSettings, realm: str, declared: Iterable[Declared]) -> list[TopicChange]:
    """Carries the plan out.  Gives what was to be done; the `wrong` ones are as they were."""
    return make_topics(settings, expected_topics(settings, Names(settings.prefix, realm), declared))


def make_topics(settings: KafkaSettings, expected: Sequence[TopicSpec]) -> list[TopicChange]:
    """As `apply_topics`, for a list of topics."""
    with _Admin(settings) as admin:
        changes = _plan(admin, expected)
        todo = {change.topic: change.action for change in changes}
        new = {
            topic.name: {"num_partitions": topic.partitions, "replication_factor": settings.replication, "configs": dict(topic.configs)}
            for topic in expected
            if todo[topic.name] == "create"
        }
        if new:
            admin.create_topics(new, wait_for_metadata=True)
        # nothing but what falls short: what an operator has set more generously must stay as it is
        altered = [
            ConfigResource(ConfigResourceType.TOPIC, change.topic, dict(change.differs)) for change in changes if change.action == "alter"
        ]
        if altered:
            answers = admin.alter_configs(altered).get("topic", {})
            refused = [f"{topic}: {answer}" for topic, answer in answers.items() if answer != "OK"]  # an answer, not an exception
            if refused:
                raise Refused(f"the brokers did not change {'; '.join(refused)}")
        return changes


class _Admin:
    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = Clients(settings).admin()

    def __enter__(self) -> Any:
        return self._admin

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._admin.close()
        if isinstance(error, (KafkaError, TimeoutError)):
            raise unavailable(error, "topics") from error


def _plan(admin: Any, expected: Sequence[TopicSpec]) -> list[TopicChange]:
    found = {entry["name"]: entry for entry in admin.describe_topics([topic.name for topic in expected]) if not entry.get("error_code")}
    there = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in expected if topic.name in found]
    configs = admin.describe_configs(there, config_filter=ConfigFilterType.ALL).get("topic", {}) if there else {}
    return [_compare(topic, found.get(topic.name), configs.get(topic.name, {})) for topic in expected]


def _compare(topic: TopicSpec, found: Mapping[str, Any] | None, configs: Mapping[str, Any]) -> TopicChange:
    if found is None:
        return TopicChange(topic.name, "create", f"{topic.partitions} partitions, {_text(topic.configs)}")
    partitions = len(found["partitions"])
    if partitions != topic.partitions:
        return TopicChange(
            topic.name,
            "wrong",
            f"{partitions} partitions, expected {topic.partitions}: they cannot be changed without parting keys from their state; "
            "set kafka.partitions as it was, or take another kafka.prefix",
        )
    differs = {name: value for name, value in topic.configs.items() if not _enough(name, _value(configs.get(name)), value)}
    if not differs:
        return TopicChange(topic.name, "ok")
    was = ", ".join(f"{name}={_value(configs.get(name))}" for name in differs)
    return TopicChange(topic.name, "alter", f"{was} -> {_text(differs)}", differs)


def _value(config: Any) -> str:
    return str(config["value"]) if isinstance(config, Mapping) else str(config)


def _enough(name: str, found: str, expected: str) -> bool:
    """What an operator has set more generously stays."""
    if name == "cleanup.policy":
        return found == expected
    try:
        number, least = int(found), int(expected)
    except ValueError:
        return False
    return number >= least or (name == "retention.ms" and number == -1)


def _text(configs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in configs.items())
