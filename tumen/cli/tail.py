"""``tumen tail``"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from tumen.bus import Bus, Record
from tumen.cli._kit import open_bus, settings_of
from tumen.codec import NewerSchema, Undecodable, decode
from tumen.history import Starts, ends, parse_from, read_on, starts
from tumen.lines import line
from tumen.telling import plain
from tumen.topics import TOPICS

_LOOK_SECONDS = 0.5


@click.command(name="tail")
@click.argument("topic", type=click.Choice(list(TOPICS)))
@click.option("--from", "since", help="An offset, a date (2024-09-13, 2024-09-13T18:30) or 'start'; default: only what is new.")
@click.option("--once", is_flag=True, help="End when all that is there has been shown, instead of waiting for more.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each: the record's place, and the message whole.")
@click.option("--bare", is_flag=True, help="Only what the message says, without place and time: lines to compare with a replay's.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")
@click.pass_obj
def command(settings_file: Path | None, topic: str, since: str | None, once: bool, as_json: bool, bare: bool, data: Path | None) -> None:
    """Show what passes on TOPIC, a line a message, until Ctrl-C.  It only looks: no group, no offset, nothing moves."""
    settings = settings_of(settings_file)
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    with open_bus(settings, existing=True) as bus:
        after: Starts = ends(bus, topic) if since is None else starts(bus, topic, parse_from(since))
        while True:
            after = _show(bus, topic, after, as_json=as_json, bare=bare)
            if once:
                return
            time.sleep(_LOOK_SECONDS)


def _show(bus: Bus, topic: str, after: Starts, *, as_json: bool, bare: bool) -> Mapping[int, int]:
    """What there is now; gives where it ended."""
    reached = dict(after)
    for record in read_on(bus, [topic], {topic: after}):
        reached[record.partition] = record.offset
        click.echo(_json(record) if as_json else _text(record, bare=bare))
    return reached


def _json(record: Record) -> str:
    place = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": _at(record).isoformat(),
        "key": record.key,
    }
    try:
        message = decode(TOPICS[record.topic], record.value).model_dump(mode="json", by_alias=True)
    except (Undecodable, NewerSchema) as error:
        return json.dumps({**place, "message": None, "error": str(error)}, ensure_ascii=False)
    return json.dumps({**place, "message": message}, ensure_ascii=False)


def _text(record: Record, *, bare: bool) -> str:
    try:
        says = line(decode(TOPICS[record.topic], record.value))
    except (Undecodable, NewerSchema) as error:
        says = f"(unreadable: {plain(str(error))})"
    return says if bare else f"{record.partition}:{record.offset:<8} {_at(record):%Y-%m-%d %H:%M:%S}  {says}"


def _at(record: Record) -> datetime:
    return datetime.fromtimestamp(record.at, UTC)
