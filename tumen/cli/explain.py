"""``tumen explain``: why something was told, and why something was not."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tumen.cli._kit import CLOCKS, bus_name, kit_of, open_bus, settings_of
from tumen.cli.analyze import read_inputs, reader_of
from tumen.explain import Account, Step, accounts, run_through
from tumen.messages import Mention, Why
from tumen.pipeline import Topology, build_nodes, load_topology
from tumen.settings import Settings
from tumen.stage import GatewaySpec, StageSpec
from tumen.telling import cut, plain

if TYPE_CHECKING:
    from rich.console import Console

    from tumen.runner import Node

_COLOURS = {"passed": "green", "told": "bold green", "waiting": "yellow", "quiet": "yellow", "stale": "yellow"}
_LONGEST = 400  # characters of one cue or sentence


@click.command(name="explain")
@click.argument("subjects", nargs=-1, required=True, metavar="ID|URL|FILE...")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON an account: a version of an article, stage by stage.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder (default: the settings').")
@click.pass_obj
def command(settings_file: Path | None, subjects: tuple[str, ...], as_json: bool, data: Path | None) -> int:
    """Each stage's decision and each cue, for what was told and for what was not.

    A FILE (or - for stdin) is run through the stages in memory.  An ID (of an article, item, mention, story or alert) or a URL is looked up
    in what the bus and the archive of the data folder still hold; where a stage ended an article without a record, it is asked again, and
    the answer is marked as recomputed.  The exit status is 1 if something is not known or cannot be read.
    """
    settings = settings_of(settings_file)
    if data is not None:
        settings = settings.model_copy(update={"data": data.resolve()})
    topology = load_topology()
    nodes = build_nodes(topology, kit_of(settings), lambda declared: isinstance(declared.spec, StageSpec | GatewaySpec))
    status = 0
    for subject in subjects:
        is_file = subject == "-" or Path(subject).exists()
        found, complaints = _of_file(subject, topology, settings, nodes) if is_file else _of_name(subject, settings, nodes)
        for complaint in complaints:
            click.echo(f"tumen: {complaint}", err=True)
            status = 1
        if as_json:
            for account in found:
                click.echo(json.dumps({"subject": subject, **account.as_json()}, ensure_ascii=False))
        else:
            _show(found)
    return status


def _of_file(path: str, topology: Topology, settings: Settings, nodes: "Sequence[Node]") -> tuple[list[Account], list[str]]:
    items, unreadable = read_inputs(reader_of(topology), [path])
    held = run_through(items, nodes, CLOCKS)
    return accounts(held, nodes, settings.alerts.recency_hours, recompute=False), unreadable


def _of_name(name: str, settings: Settings, nodes: "Sequence[Node]") -> tuple[list[Account], list[str]]:
    from tumen.lookup import look_up

    archive = settings.data / "archive.db"
    if settings.bus.kind == "embedded" and not (settings.data / settings.bus.file).is_file():
        searched, held = f"{archive} (there is no bus at {bus_name(settings)})", look_up(name, None, archive, nodes)
    else:
        searched = f"the topics of {bus_name(settings)} and {archive}"
        with open_bus(settings, existing=True) as bus:
            held = look_up(name, bus, archive, nodes)
    if held is None:
        return [], [f"{plain(name)}: no such file, and nothing by this id or address in {searched}"]
    return accounts(held, nodes, settings.alerts.recency_hours, recompute=True), []


# --- for people ------------------------------------------------------------------------------------------------------------------


def _show(found: Iterable[Account]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for account in found:
        console.print(f"[bold]{escape(plain(account.title) or '(no title)')}[/]")
        seen = f"  seen {account.seen_at:%Y-%m-%d %H:%M} UTC" if account.seen_at else ""
        console.print(f"  {escape(plain(account.url or account.source))}  article {account.article}{seen}")
        for step in account.steps:
            _show_step(console, step)
        end = account.end
        console.print("  [bold green]=> told[/]" if end is None else f"  [bold]=> not told: {end.decision} in {end.stage}[/]")
        console.print()


def _show_step(console: "Console", step: Step) -> None:
    from rich.markup import escape

    mark = "  (recomputed: not recorded at the time)" if step.recomputed else ""
    decision = f"[{_COLOURS.get(step.decision, 'red')}]{step.decision:<8}[/]"
    console.print(f"  {step.stage:<10} {decision} {escape(plain(step.says))}{mark}")
    if step.decision not in ("dropped", "quiet"):  # these have said their one reason
        _show_why(console, step.why, 13)
    for mention in step.mentions:
        _show_mention(console, mention)


def _show_why(console: "Console", reasons: Iterable[Why], indent: int) -> None:
    from rich.markup import escape

    for why in reasons:
        cue = cut(plain(why.cue), _LONGEST)
        console.print(f"{'':{indent}}[cyan]{escape(plain(why.rule))}[/]{f': {escape(cue)}' if cue else ''}")


def _show_mention(console: "Console", mention: Mention) -> None:
    from rich.markup import escape

    says = f", per {plain(mention.says)}" if mention.says else ""
    line = f"{mention.event}, {mention.direction}, {mention.stance}, {mention.role}{says}, confidence {mention.confidence:.2f}"
    console.print(f"{'':13}{'*' if mention.main else '-'} {escape(line)}")
    console.print(f"{'':15}[dim]{mention.evidence.in_}: {escape(cut(plain(mention.evidence.text), _LONGEST))}[/]")
    if mention.plover is not None:
        coded = [mention.plover.type, *([mention.plover.mode] if mention.plover.mode else []), f"({', '.join(mention.plover.context)})"]
        console.print(f"{'':15}PLOVER {escape(' '.join(coded))}{f'; MSMT {escape(mention.msmt)}' if mention.msmt else ''}")
    _show_why(console, mention.why, 15)
