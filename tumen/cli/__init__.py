"""The command line.  Commands live in modules of their own and are imported when called: ``tumen --help`` stays quick."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from tumen.errors import ConfigError, Refused, TumenError

#: command -> (module, what it does, as --help shows it)
COMMANDS = {
    "run": ("tumen.cli.run", "The whole pipeline in one process."),
    "worker": ("tumen.cli.worker", "Chosen stages on the configured bus."),
    "topics": ("tumen.cli.topics", "The topics of a Kafka bus: plan, apply."),
    "analyze": ("tumen.cli.analyze", "What the stages make of some files, once."),
    "explain": ("tumen.cli.explain", "Why: each stage's decision about an article, alerted or not."),
    "feeds": ("tumen.cli.feeds", "The feeds that are read: add, list, check."),
    "alerts": ("tumen.cli.alerts", "The alerts in the archive; a test of the sinks."),
    "check": ("tumen.cli.check", "Topology, watch and settings, checked."),
    "graph": ("tumen.cli.graph", "The topology, drawn."),
    "dlq": ("tumen.cli.dlq", "The dead letters: list, show, retry."),
    "tail": ("tumen.cli.tail", "What passes on a topic, line by line."),
    "replay": ("tumen.cli.replay", "What a topic still holds through the stages again, apart from everything live."),
    "schemas": ("tumen.cli.schemas", "The JSON Schemas of all messages."),
    "doctor": ("tumen.cli.doctor", "What is installed, reachable, missing; what it means."),
    "eval": ("tumen.cli.evaluate", "Accuracy per language on labelled items."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--settings", type=click.Path(dir_okay=False, path_type=Path), help="The settings file (default: ./tumen.toml).")
@click.version_option(package_name="tumen")
@click.pass_context
def cli(context: click.Context, settings: Path | None) -> None:
    """Tumen watches the world's news feeds for one relationship: Russia and the DPRK (North Korea)."""
    context.obj = settings


def main(arguments: list[str] | None = None) -> None:
    """Exit status: 0 done, 1 some input could not be read, 2 usage or settings."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run a command; an error on purpose is its text on stderr, never a stack trace."""
    try:
        result: Any = cli.main(arguments, prog_name="tumen", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except ConfigError as error:
        for finding in error.findings:
            click.echo(f"tumen: {finding}", err=True)
        return 2
    except Refused as error:
        click.echo(f"tumen: {error}", err=True)
        return 2
    except TumenError as error:
        click.echo(f"tumen: {error}", err=True)
        return 1
    except BrokenPipeError:
        # `tumen ... | head`: the reader has gone; give stdout somewhere to go so that the interpreter's flush does not complain
        sys.stdout = None
        return 1
    return result if isinstance(result, int) else 0
