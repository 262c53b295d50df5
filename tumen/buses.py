"""The bus that the settings name."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tumen.bus import Bus
from tumen.bus_embedded import EmbeddedBus
from tumen.errors import Refused
from tumen.settings import Settings

if TYPE_CHECKING:
    from tumen.bus_kafka import TopicChange
    from tumen.bus_kafka.topics import Declared


def open_bus(settings: Settings, declared: "Iterable[Declared]" = (), *, realm: str | None = None) -> Bus:
    """The bus of these settings (and of another realm, for a replay).

    `declared`: the nodes of the topology; with them the topics of a Kafka bus are checked first.  Raises `Refused` when the bus cannot
    be used as it is: a corrupt file, no broker, a topic that is missing or has the wrong partitions.
    """
    if settings.bus.kind == "embedded":
        return EmbeddedBus(settings.data / settings.bus.file)
    from tumen.bus_kafka import KafkaBus  # only who uses Kafka waits for its import

    nodes = list(declared)
    if nodes:
        findings = [change for change in plan_topics(settings, nodes, realm=realm) if change.action in ("create", "wrong")]
        if findings:
            lines = "; ".join(f"{change.topic} is {'missing' if change.action == 'create' else change.detail}" for change in findings[:3])
            more = f" (and {len(findings) - 3} more)" if len(findings) > 3 else ""
            raise Refused(f"Kafka at {settings.kafka.bootstrap}: {lines}{more}: see 'tumen topics plan', then 'tumen topics apply'")
    return KafkaBus(settings.kafka, realm or settings.realm)


def plan_topics(settings: Settings, declared: "Iterable[Declared]", *, realm: str | None = None) -> "list[TopicChange]":
    """What 'apply' would do about each topic of a Kafka bus."""
    from tumen.bus_kafka import topics

    return topics.plan_topics(settings.kafka, realm or settings.realm, declared)


def apply_topics(settings: Settings, declared: "Iterable[Declared]", *, realm: str | None = None) -> "list[TopicChange]":
    """Create what is missing, widen what is too narrow; what is wrong is told and left alone."""
    from tumen.bus_kafka import topics

    return topics.apply_topics(settings.kafka, realm or settings.realm, declared)
