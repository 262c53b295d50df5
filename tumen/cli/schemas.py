"""``tumen schemas``: the contracts for other programs."""

import json
from pathlib import Path

import click

from tumen.messages import MESSAGES, Message


@click.group(name="schemas")
def command() -> None:
    """The JSON Schemas of the messages on the topics."""


@command.command(name="export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write a JSON Schema a message into FOLDER: item-1.json and so on.  Other files there are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in MESSAGES:
        path = folder / f"{schema_name(model)}.json"
        path.write_text(schema_text(model), encoding="utf-8")
        click.echo(path)


def schema_name(model: type[Message]) -> str:
    """``item-1``: the message and the version that this code writes."""
    return str(model.model_fields["schema_"].default).replace("/", "-")


def schema_text(model: type[Message]) -> str:
    return json.dumps(model.model_json_schema(by_alias=True), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
