"""The sample wire behind a command: invented news over local HTTP, and the settings that read it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tumen.cli._kit import wall_clock
from tumen.errors import Refused
from tumen.settings import ROOT, Settings

if TYPE_CHECKING:
    from tumen.sample_wire import SampleWire


def for_samples(settings: Settings, wire: "SampleWire") -> Settings:
    """The same settings on the wire's feeds, in the sample realm: remote sinks refuse what is not live."""
    http = settings.http.model_copy(update={"allow_private": (wire.allow_private,)})
    poll = settings.poll.model_copy(update={"every": 5})
    return settings.model_copy(update={"realm": "sample", "feeds": tuple(wire.feeds()), "files": (), "http": http, "poll": poll})


@contextmanager
def playing(data: Path, speed: float) -> Iterator["SampleWire"]:
    """The sample wire of this data folder: played again after a restart, it gives the same entries from the same address."""
    from tumen.sample_wire import SampleWire

    data.mkdir(parents=True, exist_ok=True)
    notes = data / "sample_wire.json"
    if notes.is_file():
        kept = json.loads(notes.read_text(encoding="utf-8"))
        epoch, port = datetime.fromisoformat(kept["epoch"]), int(kept["port"])
    else:
        epoch, port = wall_clock(), _free_port()
        # written whole or not at all: a kill in between must not leave half a note
        notes.with_suffix(".new").write_text(json.dumps({"epoch": epoch.isoformat(), "port": port}), encoding="utf-8")
        notes.with_suffix(".new").replace(notes)
    wire = SampleWire(ROOT / "samples", wall_clock, speed=speed, epoch=epoch, port=port)
    try:
        wire.start()
    except OSError as error:
        raise Refused(
            f"the sample wire cannot listen on 127.0.0.1:{port} ({error.strerror}); is another Tumen running on {data}?"
        ) from None
    try:
        yield wire
    finally:
        wire.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
