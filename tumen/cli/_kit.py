"""What several commands need: settings, logging, the kit that nodes are built with."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tumen import buses
from tumen.bus import Bus
from tumen.errors import ConfigError
from tumen.logs import configure, to_stderr
from tumen.pipeline import Declared
from tumen.runner import Clocks
from tumen.settings import ROOT, Settings, load_settings
from tumen.stage import Kit
from tumen.watch import Watch, load_watch


def wall_clock() -> datetime:
    return datetime.now(UTC)


CLOCKS = Clocks(wall_clock, time.monotonic)


def settings_of(path: Path | None, **overrides: Any) -> Settings:
    """The settings, with logging set up as they say."""
    to_stderr()
    settings = load_settings(path, **overrides)
    configure(settings)
    return settings


def watch_of(settings: Settings) -> Watch:
    """The watch that the settings name, and only known languages beside it.  Raises `ConfigError`."""
    folder = ROOT / "watches" / settings.watch
    if not folder.is_dir():
        there = sorted(path.name for path in (ROOT / "watches").iterdir() if path.is_dir())
        raise ConfigError(f"watch = {settings.watch!r}: expected one of {', '.join(there)}")
    watch = load_watch(folder)
    unknown = [language for language in settings.languages if language not in watch.cues]
    if unknown:
        raise ConfigError(f"languages = {list(settings.languages)}: {', '.join(unknown)}: expected among {', '.join(sorted(watch.cues))}")
    return watch


def kit_of(
    settings: Settings,
    *,
    now: Callable[[], datetime] = wall_clock,
    echo: Callable[[str], None] = click.echo,
    extra: Mapping[str, Any] | None = None,
) -> Kit:
    """Everything a node's `build` may ask for."""
    return Kit(
        watch=watch_of(settings),
        languages=settings.languages,
        settings=settings,
        data=settings.data,
        now=now,
        started=now(),
        echo=echo,
        extra=extra or {},
    )


def open_bus(settings: Settings, declared: Iterable[Declared] = (), *, existing: bool = False) -> Bus:
    """The bus that the settings name; with the nodes of a topology its topics are checked first.

    Raises `Refused`, and `ConfigError` if it must be an `existing` one and is not.
    """
    path = settings.data / settings.bus.file
    if existing and settings.bus.kind == "embedded" and not path.is_file():
        raise ConfigError(f"{path}: no bus there yet; expected the data folder of a pipeline that has run")
    return buses.open_bus(settings, declared)


def bus_name(settings: Settings) -> str:
    """Where the bus is, for a person."""
    return str(settings.data / settings.bus.file) if settings.bus.kind == "embedded" else f"Kafka at {settings.kafka.bootstrap}"
