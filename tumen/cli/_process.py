"""A process that runs nodes until it is told to end: what `tumen run` and `tumen worker` share."""

import os
import signal
import sys
from collections.abc import Callable, Sequence

import click
import structlog
from prometheus_client import CollectorRegistry

from tumen.cli._kit import CLOCKS, bus_name, kit_of, open_bus
from tumen.errors import Refused
from tumen.health import Health, serve
from tumen.live import Live
from tumen.metrics import Metrics
from tumen.pipeline import Declared, Topology, build_nodes
from tumen.settings import Settings
from tumen.stage import SinkSpec

log = structlog.get_logger(__name__)


def serve_nodes(
    settings: Settings, topology: Topology, wanted: Callable[[Declared], bool], about: str, watch_over: Callable[[Live], None]
) -> int:
    """Run the wanted nodes on the configured bus, with /metrics, /healthz and /readyz, for as long as `watch_over` lasts.

    SIGTERM and Ctrl-C end it in order within `bus.drain_seconds`; a second one ends it at once.  Gives the exit status.
    Raises `Refused` and `ConfigError` if it cannot start.
    """
    metrics, health = Metrics(CollectorRegistry()), Health()
    try:
        server, port = serve(metrics, settings.metrics.host, settings.metrics.port, health)
    except OSError as error:
        raise Refused(
            f"metrics.port = {settings.metrics.port}: {error.strerror}; another Tumen may be running: set another port, or 0 for a free one"
        ) from None
    try:
        with open_bus(settings, topology.nodes) as bus:
            nodes = build_nodes(topology, kit_of(settings, extra={"metrics": metrics}), wanted)
            _begin(metrics, [declared for declared in topology.nodes if wanted(declared)])
            live = Live(nodes, bus, metrics, CLOCKS, settings.bus, health)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: _end(live, number))
            click.echo(f"Tumen runs: {len(nodes)} nodes, {about}", err=True)
            click.echo(f"  metrics  http://{settings.metrics.host}:{port}/metrics", err=True)
            click.echo(f"  bus      {bus_name(settings)}", err=True)
            click.echo(f"  data     {settings.data}", err=True)
            live.start()
            try:
                watch_over(live)
            finally:
                live.stop()
                at_rest = live.join(settings.bus.drain_seconds)
            if not at_rest:
                # what is still in I/O is in its queue and will be done again: nothing is lost by not waiting
                log.warning("ended_with_io_in_flight", waited_seconds=settings.bus.drain_seconds)
                sys.stdout.flush()
                os._exit(0)
    finally:
        server.close()
    click.echo("Tumen has ended in order.", err=True)
    return 0


def _begin(metrics: Metrics, nodes: Sequence[Declared]) -> None:
    """Every series that these nodes may ever count, at zero."""
    for node in nodes:
        sink = isinstance(node.spec, SinkSpec)
        reads, writes = ([topic.name for topic in topics] for topics in (node.spec.reads, node.spec.writes))
        metrics.begin(node.name, writes, node.spec.reasons, reads=reads, sink=sink)


def _end(live: Live, number: int) -> None:
    """The first signal asks for an orderly end; after it the system's own handling is back, so that a second one kills."""
    signal.signal(number, signal.SIG_DFL)
    live.stop()
