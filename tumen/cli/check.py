"""``tumen check``"""

from dataclasses import replace
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from tumen.cli._kit import kit_of, settings_of
from tumen.errors import ConfigError
from tumen.metrics import Metrics
from tumen.pipeline import build_nodes, load_topology
from tumen.text.pipelines import load_pipelines


@click.command(name="check")
@click.pass_obj
def command(settings_file: Path | None) -> None:
    """Check settings, watch and topology, and build every node, without running anything.

    All findings are listed, a trained pipeline that the settings name and that is not there among them (`tumen run` goes on without it);
    the exit status is 2 if there is any.
    """
    findings: list[str] = []
    topology = settings = kit = None
    try:
        topology = load_topology()
    except ConfigError as error:
        findings.extend(error.findings)
    try:
        settings = settings_of(settings_file)
        kit = kit_of(settings)
    except ConfigError as error:
        findings.extend(error.findings)
    if findings or topology is None or settings is None or kit is None:
        raise ConfigError(*findings)
    ready, missing = load_pipelines(settings.spacy, settings.languages)
    usable = settings.model_copy(update={"spacy": {language: settings.spacy[language] for language in ready}})
    try:
        build_nodes(topology, replace(kit, settings=usable, extra={"metrics": Metrics(CollectorRegistry())}))
    except ConfigError as error:
        findings.extend(error.findings)
    findings.extend(missing.values())
    if findings:
        raise ConfigError(*findings)
    click.echo(
        f"ok: {len(topology.nodes)} nodes, {len(list(topology.edges()))} connections, {len(settings.feeds)} feeds, "
        f"watch {settings.watch}, languages {', '.join(settings.languages)}"
    )
