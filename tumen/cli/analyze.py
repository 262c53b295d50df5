"""``tumen analyze``: files in, one result an input out; in memory, nothing left behind."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, cast

import click

from tumen.analyze import Analysis, analyse
from tumen.cli._kit import CLOCKS, kit_of, settings_of, wall_clock
from tumen.errors import TumenError
from tumen.messages import Item
from tumen.pipeline import Topology, build_nodes, load_topology
from tumen.stage import GatewaySpec, StageSpec


class Reader(Protocol):
    """What a producer of files offers: the items of one input, and a line for each part of it that could not be read."""

    def read_path(self, path: str, stdin: Any, seen_at: Any) -> tuple[list[Item], list[str]]: ...


@click.command(name="analyze")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a readable input, in input order.")
@click.option("--engine", type=click.Choice(["auto", "apertium", "none"]), help="The translation engine (default: the settings').")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.pass_obj
def command(settings_file: Path | None, as_json: bool, engine: str | None, paths: tuple[str, ...]) -> int:
    """Run the stages over files: .txt .html .xml (a feed) .jsonl, or - for stdin.

    Every readable input is cleaned, relevant or not.  An unreadable one is named on stderr, the rest goes on, and the exit status is 1.
    """
    topology = load_topology()
    settings = settings_of(settings_file)
    if engine is not None:
        settings = settings.model_copy(update={"translation": settings.translation.model_copy(update={"engine": engine})})
    items, unreadable = read_inputs(reader_of(topology), paths)
    for line in unreadable:
        click.echo(f"tumen: {line}", err=True)
    nodes = build_nodes(topology, kit_of(settings), lambda declared: isinstance(declared.spec, StageSpec | GatewaySpec))
    results = analyse(items, nodes, CLOCKS)
    if as_json:
        for result in results:
            click.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        _show(results)
    return 1 if unreadable else 0


def reader_of(topology: Topology) -> Reader:
    """The producer that can read a path, found by what it offers."""
    for declared in topology.nodes:
        if hasattr(declared.module, "read_path"):
            return cast(Reader, declared.module)
    raise TumenError("pipeline.toml: no producer reads files (one that offers read_path)")


def read_inputs(reader: Reader, paths: Iterable[str]) -> tuple[list[Item], list[str]]:
    """The items of all inputs, in their order, and a line for each part that could not be read."""
    items: list[Item] = []
    unreadable: list[str] = []
    for path in paths:
        found, lines = reader.read_path(path, sys.stdin.buffer, wall_clock())
        items.extend(found)
        unreadable.extend(lines)
    return items, unreadable


def _show(results: Iterable[Analysis]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from tumen.event_line import event_line

    console = Console(highlight=False)
    for result in results:
        tree = result.as_json()
        console.rule(f"[bold]{escape(tree['title'] or tree['source'])}", align="left")
        seen = f"{tree['language'] or 'language unknown'}  {tree['published'] or 'no date'}  {escape(tree['source'])}"
        state = "[green]relevant[/]" if tree["relevant"] else f"not relevant ({tree['dropped'] or 'nothing stated'})"
        console.print(f"{state}  score {tree['score']:.2f}  {seen}")
        if result.main is not None:
            console.print(f"[bold]{escape(event_line(result.main))}")
        for mention in result.tagged.mentions if result.tagged else ():
            mark = "*" if mention.main else " "
            says = f" per {mention.says}" if mention.says else ""
            console.print(f" {mark} {mention.event:<10} {mention.direction:<10} {mention.stance:<8} {mention.role}{escape(says)}")
            console.print(f"   [dim]{escape(mention.evidence.text)}[/]")
        console.print()
