"""``tumen alerts``: what has been told, and a test of the sinks."""

import json
from pathlib import Path

import click

from tumen.cli._kit import kit_of, settings_of, wall_clock


@click.group(name="alerts")
def command() -> None:
    """The alerts in the archive, and a test of where they go."""


@command.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--since", help="Only alerts seen on or after this date (2024-09-13).")
@click.option("--event", help="Only this event type.")
@click.option("--realm", type=click.Choice(["live", "sample", "replay"]), help="Only this realm.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@click.pass_obj
def list_(
    settings_file: Path | None, limit: int, since: str | None, event: str | None, realm: str | None, data: Path | None, as_json: bool
) -> None:
    """The newest alerts of the archive, newest first."""
    from tumen.alerts import list_alerts

    settings = settings_of(settings_file)
    for row in list_alerts((data or settings.data) / "archive.db", limit=limit, since=since, event=event, realm=realm):
        click.echo(json.dumps(row.as_json(), ensure_ascii=False) if as_json else row.line())


@command.command(name="test")
@click.pass_obj
def test(settings_file: Path | None) -> int:
    """Send one alert, clearly marked as a test, to the console and to Slack if it is set up."""
    from tumen.alerts import send_test
    from tumen.pipeline import load_topology

    results = send_test(load_topology(), kit_of(settings_of(settings_file)), wall_clock())
    for sink, outcome in results:
        click.echo(f"{sink}: {outcome}", err=True)
    return 0 if all(outcome in ("delivered", "off") for _, outcome in results) else 1
