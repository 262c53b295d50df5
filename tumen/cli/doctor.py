"""``tumen doctor``: what is installed, reachable, missing, and what that means."""

import importlib.metadata
import json
import sys
from pathlib import Path

import apsw
import click

from tumen.bus_embedded import EmbeddedBus
from tumen.buses import plan_topics
from tumen.cli._kit import settings_of, watch_of
from tumen.errors import ConfigError, Refused, Unavailable
from tumen.pipeline import Topology, load_topology
from tumen.settings import Settings
from tumen.stage import Finding
from tumen.text.pipelines import load_pipelines

_WAL_RESET_FIXED = (3, 51, 3)


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(settings_file: Path | None, as_json: bool) -> int:
    """Say what is installed, what is missing, and what it means.  Exit status 1 if something is broken."""
    findings = [*_machine()]
    try:
        settings = settings_of(settings_file)
    except ConfigError as error:
        findings.extend(Finding("settings", "broken", line) for line in error.findings)
    else:
        findings.append(Finding("settings", "ok", f"languages {', '.join(settings.languages)}; {len(settings.feeds)} feeds"))
        findings.extend(_pipelines(settings))
        findings.extend(_parts(settings))
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=1))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("what", "state", "what it means", box=None)
        colours = {"ok": "green", "missing": "yellow", "broken": "red"}
        for what, state, meaning in findings:
            table.add_row(what, f"[{colours[state]}]{state}[/]", meaning)
        Console().print(table)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def _machine() -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    sqlite = apsw.sqlite_lib_version()
    sound = tuple(int(part) for part in sqlite.split(".")) >= _WAL_RESET_FIXED
    return [
        Finding("Python", "ok" if sys.version_info >= (3, 11) else "broken", f"{python}; 3.11 or newer is needed"),
        Finding("SQLite", "ok" if sound else "broken", f"{sqlite} (apsw's own); the WAL-reset bug is fixed from 3.51.3 on"),
        *(Finding(name, "ok", importlib.metadata.version(name)) for name in ("spacy", "feedparser", "trafilatura", "pydantic")),
    ]


def _pipelines(settings: Settings) -> list[Finding]:
    """The trained pipelines that the settings name; none is needed."""
    ready, missing = load_pipelines(settings.spacy, settings.languages)
    found = [Finding(f"pipeline {language}", "ok", f"{settings.spacy[language]} tells who says what") for language in ready]
    return [*found, *(Finding(f"pipeline {language}", "missing", line) for language, line in missing.items())]


def _parts(settings: Settings) -> list[Finding]:
    findings = []
    try:
        watch = watch_of(settings)
        findings.append(Finding("watch", "ok", f"{settings.watch}: {len(watch.entities)} entities"))
        topology = load_topology()
        findings.append(Finding("topology", "ok", f"{len(topology.nodes)} nodes"))
    except ConfigError as error:
        return [*findings, *(Finding("watch or topology", "broken", line) for line in error.findings)]
    findings.append(_embedded(settings) if settings.bus.kind == "embedded" else _kafka(settings, topology))
    for node in topology.nodes:
        doctor = getattr(node.module, "doctor", None)
        if doctor is not None:
            findings.extend(doctor(settings))
    return findings


def _embedded(settings: Settings) -> Finding:
    bus = settings.data / settings.bus.file
    if not bus.is_file():
        return Finding("bus", "ok", f"{bus} will be made by the first run")
    try:
        EmbeddedBus(bus).close()
    except Refused as error:
        return Finding("bus", "broken", str(error))
    return Finding("bus", "ok", f"{bus}, {bus.stat().st_size / 1e6:.1f} MB")


def _kafka(settings: Settings, topology: Topology) -> Finding:
    where = f"Kafka at {settings.kafka.bootstrap}"
    try:
        changes = plan_topics(settings, topology.nodes)
    except (Refused, Unavailable) as error:
        return Finding("bus", "broken", str(error))
    wrong = [change for change in changes if change.action == "wrong"]
    if wrong:
        return Finding("bus", "broken", f"{where}: {wrong[0].topic} ({len(wrong)} topics are wrong): {wrong[0].detail}")
    todo = [change for change in changes if change.action != "ok"]
    if todo:
        return Finding("bus", "missing", f"{where}: {len(todo)} of {len(changes)} topics are to be made or changed: 'tumen topics apply'")
    return Finding("bus", "ok", f"{where}, {len(changes)} topics")
