"""``tumen graph``"""

import json

import click

from tumen.pipeline import graph_json, graph_text, load_topology


@click.command(name="graph")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Draw the topology: what each node reads and writes."""
    topology = load_topology()
    click.echo(json.dumps(graph_json(topology), indent=1) if as_json else graph_text(topology))
