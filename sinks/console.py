"""Alerts for the person who watches a terminal.

A line on paper cannot be taken back: what is promised is at least once; after a crash in the moment of printing an alert is printed again.
"""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from io import StringIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from tumen.errors import Unavailable
from tumen.messages import Alert, Frozen
from tumen.stage import Attempt, Kit, Sink, SinkSpec
from tumen.telling import OLD_REASONS, Telling, cut, tell, too_old
from tumen.topics import ALERTS

SPEC = SinkSpec(reads=(ALERTS,), reasons=OLD_REASONS, people=True)

_WIDEST = 108
_COLOURS = {"asserted": "green", "alleged": "yellow", "denied": "red", "planned": "cyan", "negated": "magenta"}


class Config(Frozen):
    """Nothing to set."""


def build(config: Config, kit: Kit) -> Sink:  # noqa: ARG001 - every node is built with its config
    recency = kit.settings.alerts.recency_hours

    def wanted(alert: Alert, now: datetime) -> str | None:
        """Samples and replays are shown whatever their date: who plays them wants to see them."""
        return too_old(alert, now, recency) if alert.realm == "live" else None

    def deliver(alert: Alert, attempt: Attempt) -> None:
        terminal = sys.stdout.isatty()
        width = min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)
        _print(kit.echo, render(alert, attempt, width=width, colour=terminal))

    return Sink(deliver, wanted)


def _print(echo: Callable[[str], None], text: str) -> None:
    try:
        echo(text)
    except UnicodeEncodeError:  # a terminal that knows ASCII only
        echo(text.encode("ascii", "backslashreplace").decode("ascii"))
    except (OSError, ValueError) as error:  # closed: `tumen run | head`
        raise Unavailable(f"the output is closed ({type(error).__name__})", route=True) from None


def render(alert: Alert, attempt: Attempt, *, width: int = 100, colour: bool = False) -> str:
    """The alert as a framed card, `width` columns wide; the colour of the frame is the stance's."""
    telling = tell(alert, attempt)
    tone = _COLOURS[alert.stance]
    stamp = Text(f" {alert.event.value.upper()} ", style=f"bold {tone}")
    for mark in telling.marks:
        stamp.append(f"{mark} ", style="bold reverse")
    card = Panel(
        Group(*_lines(telling)),
        title=stamp,
        title_align="left",
        subtitle=Text(f" {alert.seen_at:%Y-%m-%d %H:%M} UTC "),
        subtitle_align="right",
        border_style=tone,
        box=box.ROUNDED,
        width=width,
    )
    paper = StringIO()
    console = Console(file=paper, width=width, force_terminal=colour, color_system="256" if colour else None, emoji=False, markup=False)
    console.print(card)
    # below the card and in one piece, however long: a terminal opens it, a mouse copies it
    return paper.getvalue().rstrip("\n") + (f"\n  {telling.link}" if telling.link else "")


def _lines(telling: Telling) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(telling.heading, style="bold")]
    if telling.change:
        lines.append(Text(telling.change, style="italic"))
    lines.append(Text(""))
    lines.append(Text(telling.title))
    if telling.title_english:
        lines.append(Text(telling.title_english, style="dim"))
    for quote in telling.quotes[:3]:
        lines.append(Padding(Text(f"“{cut(quote.original, 600)}”"), (1, 0, 0, 2)))
        if quote.english:
            lines.append(Padding(Text(f"= {cut(quote.english, 600)}", style="dim"), (0, 0, 0, 2)))
    lines.append(Text(""))
    lines.append(Text(" · ".join(f"{label}: {value}" for label, value in telling.facts)))
    for flag in telling.flags:
        lines.append(Text(f"! {flag}", style="yellow"))
    if not telling.link:
        lines.append(Text(telling.source, overflow="fold"))
    return lines
