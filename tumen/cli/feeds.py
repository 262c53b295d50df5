"""``tumen feeds``: add, list, check."""

import json
from pathlib import Path

import click

from tumen.cli._kit import settings_of


@click.group(name="feeds")
def command() -> None:
    """The feeds that are read, kept in tumen.toml."""


@command.command(name="add")
@click.argument("url")
@click.option("--name", help="What to call it.")
@click.option("--language", help="Its language, a hint for short texts.")
@click.pass_obj
def add(settings_file: Path | None, url: str, name: str | None, language: str | None) -> None:
    """Add a feed to the settings file; comments in it stay as they are."""
    from tumen.feedlist import add as add_feed

    path = settings_file or Path("tumen.toml")
    add_feed(path, url, name=name, language=language)
    click.echo(f"added to {path}: {url}")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@click.pass_obj
def list_(settings_file: Path | None, as_json: bool) -> None:
    """The feeds in the settings file."""
    for feed in settings_of(settings_file).feeds:
        if as_json:
            click.echo(feed.model_dump_json())
        else:
            click.echo(f"{feed.language or '--'}  {feed.name or '':<30} {feed.url}")


@command.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@click.pass_obj
def check(settings_file: Path | None, as_json: bool) -> int:
    """Fetch each feed once and say what came.  Exit status 1 if any could not be read."""
    from tumen.feedlist import check as check_feeds

    bad = 0
    for found in check_feeds(settings_of(settings_file)):
        bad += not found.ok
        if as_json:
            click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        else:
            click.echo(found.line())
    return 1 if bad else 0
