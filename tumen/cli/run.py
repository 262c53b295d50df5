"""``tumen run``: the always-on pipeline."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tumen.cli._kit import settings_of, wall_clock
from tumen.cli._process import serve_nodes
from tumen.cli._samples import for_samples, playing
from tumen.live import Live
from tumen.pipeline import load_topology
from tumen.settings import Settings

if TYPE_CHECKING:
    from tumen.sample_wire import SampleWire

_QUIET_SECONDS = 2.0


@click.command(name="run")
@click.option("--samples", is_flag=True, help="Play the sample wire: invented news over local HTTP; nothing leaves the machine.")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings', or a new one a play)."
)
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(min=0.01), help="How fast the sample wire plays.")
@click.option("--until-quiet", is_flag=True, help="With --samples: end when all has been played and handled.")
@click.pass_obj
def command(settings_file: Path | None, samples: bool, data: Path | None, speed: float, until_quiet: bool) -> int:
    """The whole pipeline in one process: feeds in, alerts out, /metrics served.  Ctrl-C or SIGTERM ends it in order."""
    if until_quiet and not samples:
        raise click.UsageError("--until-quiet goes with --samples: real feeds never end")
    settings = settings_of(settings_file)
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    if not samples:
        return _run(settings, None)
    if data is None:
        settings = settings.model_copy(update={"data": settings.data / "samples" / f"{wall_clock():%Y%m%dT%H%M%S}"})
    with playing(settings.data, speed) as wire:
        return _run(for_samples(settings, wire), wire if until_quiet else None)


def _run(settings: Settings, until_quiet: "SampleWire | None") -> int:
    def watch_over(live: Live) -> None:
        if until_quiet is None:
            live.wait_for_end()
        else:
            _until_quiet(live, until_quiet)

    samples = " (the sample wire: invented news)" if settings.realm == "sample" else ""
    feeds = f"{len(settings.feeds)} feeds{samples}" if settings.feeds else "no feeds yet: 'tumen feeds add URL'"
    return serve_nodes(settings, load_topology(), lambda _: True, f"{feeds}, languages {', '.join(settings.languages)}", watch_over)


def _until_quiet(live: Live, wire: "SampleWire") -> None:
    """Until all has been played and handled, or a stop is asked for."""
    quiet_since: float | None = None
    while not live.wait(0.2):
        if not (wire.done(wall_clock()) and live.idle()):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > _QUIET_SECONDS:
            return
