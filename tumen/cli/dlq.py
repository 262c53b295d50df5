"""``tumen dlq``: what could not be handled, and another try."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tumen.bus import Bus, Output, Record
from tumen.cli._kit import open_bus, settings_of
from tumen.codec import NewerSchema, Undecodable, decode
from tumen.envelope import envelope
from tumen.messages import DeadLetter
from tumen.topics import DEAD, TOPICS

_GROUP = "dlq"


@click.group(name="dlq")
def command() -> None:
    """The dead letters: messages that could not be handled, kept untouched."""


@contextmanager
def _bus(settings_file: Path | None, data: Path | None) -> Iterator[Bus]:
    settings = settings_of(settings_file)
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    with open_bus(settings, existing=True) as bus:
        yield bus


def _letters(bus: Bus) -> dict[str, tuple[Record, DeadLetter]]:
    """By number: a record's offset, with its partition before it (2:17) where the topic has several.  What is none of ours is left out."""
    several = bus.partitions(DEAD.name) > 1
    letters = {}
    for record in bus.read(DEAD.name, 0, 10**9):
        number = f"{record.partition}:{record.offset}" if several else str(record.offset)
        try:
            letters[number] = record, decode(DEAD, record.value)
        except NewerSchema as error:
            click.echo(f"tumen: {number}: {error}", err=True)
        except Undecodable as error:
            click.echo(f"tumen: {number}: no dead letter of Tumen's: {error}", err=True)
    return letters


data_option = click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@data_option
@click.pass_obj
def list_(settings_file: Path | None, as_json: bool, data: Path | None) -> None:
    """One line a dead letter: its number, when, where, why."""
    with _bus(settings_file, data) as bus:
        for number, (record, letter) in _letters(bus).items():
            if as_json:
                fields = {"number": record.offset, "letter": number, **letter.model_dump(mode="json", exclude={"value"})}
                click.echo(json.dumps(fields, ensure_ascii=False))
            else:
                click.echo(f"{number:>8}  {letter.failed_at:%Y-%m-%d %H:%M}  {letter.stage:<10} {letter.kind:<12} {letter.message[:90]}")


@command.command(name="show")
@click.argument("number")
@data_option
@click.pass_obj
def show(settings_file: Path | None, number: str, data: Path | None) -> None:
    """A dead letter whole: what went wrong, and the message as it was."""
    with _bus(settings_file, data) as bus:
        found = _letters(bus).get(number)
    if found is None:
        raise click.UsageError(f"no dead letter {number}; 'tumen dlq list' shows them")
    _, letter = found
    click.echo(json.dumps(letter.model_dump(mode="json", exclude={"value"}), ensure_ascii=False, indent=1))
    click.echo(base64.b64decode(letter.value).decode("utf-8", "backslashreplace"))


@command.command(name="retry")
@click.argument("numbers", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every letter that has not been retried yet.")
@data_option
@click.pass_obj
def retry(settings_file: Path | None, numbers: tuple[str, ...], everything: bool, data: Path | None) -> None:
    """Put letters back on the topic they came from.  A letter is put back once: a second call says so and does nothing."""
    if everything == bool(numbers):
        raise click.UsageError("give the numbers of letters, or --all")
    with _bus(settings_file, data) as bus:
        letters = _letters(bus)
        missing = [number for number in numbers if number not in letters]
        if missing:
            raise click.UsageError(f"no dead letter {', '.join(missing)}; 'tumen dlq list' shows them")
        group = bus.join(_GROUP, ())
        try:
            for number in letters if everything else numbers:
                _, letter = letters[number]
                if group.state.get(f"retried/{number}") is not None:
                    click.echo(f"{number}: was put back before; nothing done")
                    continue
                group.commit({}, [back(letter)], {f"retried/{number}": b"1"})
                click.echo(f"{number}: put back on {letter.topic}")
        finally:
            group.close()


def back(letter: DeadLetter) -> Output:
    """The record as it was, with its envelope where its message can be read."""
    value = base64.b64decode(letter.value)
    try:
        headers = envelope(decode(TOPICS[letter.topic], value))
    except (Undecodable, NewerSchema):
        headers = ()
    # a key that is no text came from a bus that takes any bytes, and goes back to it
    key = letter.key if letter.raw_key is None else base64.b64decode(letter.raw_key).decode("utf-8", "surrogateescape")
    return Output(letter.topic, key, value, headers)
