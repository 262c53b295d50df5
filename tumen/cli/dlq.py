"""``tumen dlq``: what could not be handled, and another try."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tumen.bus import Output
from tumen.bus_embedded import EmbeddedBus
from tumen.cli._kit import settings_of
from tumen.codec import decode
from tumen.errors import ConfigError
from tumen.messages import DeadLetter
from tumen.topics import DEAD

_GROUP = "dlq"


@click.group(name="dlq")
def command() -> None:
    """The dead letters: messages that could not be handled, kept untouched."""


@contextmanager
def _bus(settings_file: Path | None, data: Path | None) -> Iterator[EmbeddedBus]:
    settings = settings_of(settings_file)
    path = (data or settings.data) / settings.bus.file
    if not path.is_file():
        raise ConfigError(f"{path}: no bus there yet; expected the data folder of a pipeline that has run")
    with EmbeddedBus(path) as bus:
        yield bus


def _letters(bus: EmbeddedBus) -> list[tuple[int, DeadLetter]]:
    return [(record.offset, decode(DEAD, record.value)) for record in bus.read(DEAD.name, 0, 10**9)]


data_option = click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@data_option
@click.pass_obj
def list_(settings_file: Path | None, as_json: bool, data: Path | None) -> None:
    """One line a dead letter: its number, when, where, why."""
    with _bus(settings_file, data) as bus:
        for number, letter in _letters(bus):
            if as_json:
                click.echo(json.dumps({"number": number, **letter.model_dump(mode="json", exclude={"value"})}, ensure_ascii=False))
            else:
                click.echo(f"{number:>8}  {letter.failed_at:%Y-%m-%d %H:%M}  {letter.stage:<10} {letter.kind:<12} {letter.message[:90]}")


@command.command(name="show")
@click.argument("number", type=int)
@data_option
@click.pass_obj
def show(settings_file: Path | None, number: int, data: Path | None) -> None:
    """A dead letter whole: what went wrong, and the message as it was."""
    with _bus(settings_file, data) as bus:
        letter = dict(_letters(bus)).get(number)
    if letter is None:
        raise click.UsageError(f"no dead letter {number}; 'tumen dlq list' shows them")
    click.echo(json.dumps(letter.model_dump(mode="json", exclude={"value"}), ensure_ascii=False, indent=1))
    click.echo(base64.b64decode(letter.value).decode("utf-8", "backslashreplace"))


@command.command(name="retry")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every letter that has not been retried yet.")
@data_option
@click.pass_obj
def retry(settings_file: Path | None, numbers: tuple[int, ...], everything: bool, data: Path | None) -> None:
    """Put letters back on the topic they came from.  A letter is put back once: a second call says so and does nothing."""
    if everything == bool(numbers):
        raise click.UsageError("give the numbers of letters, or --all")
    with _bus(settings_file, data) as bus:
        letters = dict(_letters(bus))
        missing = [number for number in numbers if number not in letters]
        if missing:
            raise click.UsageError(f"no dead letter {', '.join(map(str, missing))}; 'tumen dlq list' shows them")
        group = bus.join(_GROUP, ())
        try:
            for number in letters if everything else numbers:
                letter = letters[number]
                if group.state.get(f"retried/{number}") is not None:
                    click.echo(f"{number}: was put back before; nothing done")
                    continue
                back = Output(letter.topic, letter.key, base64.b64decode(letter.value))
                group.commit({}, [back], {f"retried/{number}": b"1"})
                click.echo(f"{number}: put back on {letter.topic}")
        finally:
            group.close()
