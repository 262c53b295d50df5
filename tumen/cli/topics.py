"""``tumen topics``: the topics on the brokers."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tumen import buses
from tumen.cli._kit import settings_of
from tumen.errors import ConfigError
from tumen.pipeline import load_topology

if TYPE_CHECKING:
    from tumen.bus_kafka import TopicChange

_samples = click.option("--samples", is_flag=True, help="Those of the sample realm.")


@click.group(name="topics")
def command() -> None:
    """The topics of a Kafka bus: what there is to do, and doing it.  Nothing is ever deleted or shrunk."""


@command.command(name="plan")
@_samples
@click.pass_obj
def plan(settings_file: Path | None, samples: bool) -> int:
    """Say what 'apply' would do, and change nothing.  Exit status 1 if a topic is wrong in a way that only a person can mend."""
    return _tell(settings_file, samples, buses.plan_topics)


@command.command(name="apply")
@_samples
@click.pass_obj
def apply(settings_file: Path | None, samples: bool) -> int:
    """Create topics that are missing and give the others the settings they lack.  Exit status 1 as with 'plan'."""
    return _tell(settings_file, samples, buses.apply_topics)


def _tell(settings_file: Path | None, samples: bool, act: "Callable[..., Iterable[TopicChange]]") -> int:
    settings = settings_of(settings_file)
    if settings.bus.kind != "kafka":
        raise ConfigError(f"bus.kind = {settings.bus.kind!r}: only a Kafka bus has topics to be made; set bus.kind = 'kafka'")
    changes = list(act(settings, load_topology().nodes, realm="sample" if samples else None))
    wide = max(len(change.topic) for change in changes)
    for change in changes:
        click.echo(f"{change.action:<7} {change.topic:<{wide}}  {change.detail}".rstrip())
    return 1 if any(change.action == "wrong" for change in changes) else 0
