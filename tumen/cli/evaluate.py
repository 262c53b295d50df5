"""``tumen eval``: accuracy per language on labelled items."""

from pathlib import Path

import click

from tumen.cli._kit import kit_of, settings_of


@click.command(name="eval")
@click.argument("gold", type=click.Path(exists=True, path_type=Path))
@click.option("--language", "languages", multiple=True, help="Only these languages (may be given several times).")
@click.option("--extras", is_flag=True, help="With and without each language's trained pipeline, in one run.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(settings_file: Path | None, gold: Path, languages: tuple[str, ...], extras: bool, as_json: bool) -> None:
    """Measure the tagging on GOLD (a .jsonl of labelled items or digests), or the cleaning on a folder of labelled pages."""
    from tumen.evaluate import compare_extras, run_evaluation
    from tumen.text.pipelines import load_pipelines

    settings = settings_of(settings_file)
    if extras:
        click.echo(compare_extras(gold, kit_of(settings), languages=languages, as_json=as_json))
        return
    if settings.spacy and not as_json:
        ready = load_pipelines(settings.spacy, settings.languages).ready
        click.echo("with trained pipelines: " + (", ".join(f"{one}={settings.spacy[one]}" for one in ready) or "none is there"))
    click.echo(run_evaluation(gold, kit_of(settings), languages=languages, as_json=as_json))
