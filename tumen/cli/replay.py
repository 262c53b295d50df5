"""``tumen replay``"""

import json
from pathlib import Path

import click

from tumen.cli._kit import kit_of, open_bus, settings_of, wall_clock
from tumen.errors import ConfigError
from tumen.history import parse_from
from tumen.messages import Alert
from tumen.topics import TICKS


@click.command(name="replay")
@click.option("--from", "since", required=True, help="An offset (of each partition), a date (2024-09-13, 2024-09-13T18:30) or 'start'.")
@click.option("--topic", default="items", show_default=True, help="Whose records are replayed; the stages behind it run.")
@click.option("--no-alerts", is_flag=True, help="Only the stages: alerts are counted, not listed and not archived.")
@click.option("--json", "as_json", is_flag=True, help="Alerts as lines of JSON.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")
@click.pass_obj
def command(settings_file: Path | None, since: str, topic: str, no_alerts: bool, as_json: bool, data: Path | None) -> int:
    """Put what the bus still holds of a topic through today's stages again, from an empty memory.

    The live bus is only read.  The replay has a bus, a state and an archive of its own under replay/ in the data folder, its alerts are
    marked, and no channel is told.  The alerts are listed on stdout, so that two replays, or a replay and
    'tumen tail alerts --from ... --once --bare', can be compared with diff.
    """
    from tumen.bus_embedded import EmbeddedBus
    from tumen.lines import line
    from tumen.pipeline import build_nodes, load_topology
    from tumen.replay import ReplayClock, first_moment, nodes_behind, replay, span

    settings = settings_of(settings_file)
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    topology = load_topology()
    behind = nodes_behind(topology, topic, sinks=not no_alerts)
    with open_bus(settings, existing=True) as source:
        chosen = span(source, topic, parse_from(since))
        start = first_moment(source, chosen)
        if start is None:
            raise ConfigError(
                f"--from {since}: {topic} holds nothing from there on; 'tumen tail {topic} --from start --once' shows what it holds"
            )
        folder = settings.data / "replay" / f"{wall_clock():%Y%m%dT%H%M%S%f}"
        clock = ReplayClock(start)
        kit = kit_of(settings.model_copy(update={"data": folder}), now=clock.now)
        nodes = build_nodes(topology, kit, lambda declared: declared.name in behind)

        def told(alert: Alert) -> None:
            if not no_alerts:
                click.echo(json.dumps(alert.model_dump(mode="json", by_alias=True), ensure_ascii=False) if as_json else line(alert))

        with EmbeddedBus(folder / settings.bus.file) as target:
            done = replay(source, chosen, target, nodes, clock, tick_seconds=settings.bus.tick_seconds, told=told)
    click.echo(
        f"Replayed {done.records} records of {topic} from {start:%Y-%m-%d %H:%M:%S} UTC on and {done.ticks} {TICKS.name}: "
        f"{done.alerts} alerts, {done.dead} dead letters",
        err=True,
    )
    click.echo(f"  data     {folder}", err=True)
    return 0
