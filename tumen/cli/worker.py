"""``tumen worker``: chosen nodes in a process of their own."""

from contextlib import nullcontext
from pathlib import Path

import click

from tumen.cli._kit import settings_of
from tumen.cli._process import serve_nodes
from tumen.cli._samples import for_samples, playing
from tumen.live import Live
from tumen.pipeline import load_topology
from tumen.stage import ProducerSpec


@click.command(name="worker")
@click.argument("stages", nargs=-1, required=True)
@click.option("--samples", is_flag=True, help="In the sample realm; the process with a producer plays the sample wire.")
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(min=0.01), help="How fast the sample wire plays.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")
@click.pass_obj
def command(settings_file: Path | None, stages: tuple[str, ...], samples: bool, speed: float, data: Path | None) -> int:
    """Run STAGES ('tumen graph' names them) on the configured bus, with /metrics, /healthz and /readyz.

    On Kafka any number of workers share a stage; what must see everything has one at work and the others standing by.  On the embedded
    bus each stage runs in one process.  SIGTERM ends it in order within bus.drain_seconds.
    """
    settings = settings_of(settings_file)
    topology = load_topology()
    chosen = [topology.node(name) for name in dict.fromkeys(stages)]
    names = {node.name for node in chosen}
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    elif samples:
        settings = settings.model_copy(update={"data": settings.data / "samples" / "workers"})
    produces = any(isinstance(node.spec, ProducerSpec) for node in chosen)
    with playing(settings.data, speed) if samples and produces else nullcontext() as wire:
        if wire is not None:
            settings = for_samples(settings, wire)
        elif samples:
            settings = settings.model_copy(update={"realm": "sample"})
        return serve_nodes(
            settings, topology, lambda declared: declared.name in names, ", ".join(node.name for node in chosen), Live.wait_for_end
        )
