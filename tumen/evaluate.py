"""Behind ``tumen eval``: the tagging stage of the pipeline over a labelled file, and how well it did (`tumen.accuracy`)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tumen.accuracy import Judged, Tagger, judge, report
from tumen.errors import ConfigError
from tumen.gains import Gain, report_gains
from tumen.gold import read_gold
from tumen.messages import Translated
from tumen.pipeline import load_topology
from tumen.stage import Emit, Kit, Stage
from tumen.state import Nothing, Overlay
from tumen.text.pipelines import EXTRAS, load_pipelines
from tumen.topics import TAGGED, TRANSLATED


def run_evaluation(gold: Path, kit: Kit, *, languages: Sequence[str] = (), as_json: bool = False) -> str:
    """The figures on a labelled file, as a table for people or as JSON.  `languages`: only these, else all that the watch has cues for.

    Raises `ConfigError`: the file holds no labelled article in these languages.
    """
    return report(_judged(gold, kit, tuple(languages) or tuple(kit.watch.cues)), as_json=as_json)


def compare_extras(gold: Path, kit: Kit, *, languages: Sequence[str] = (), as_json: bool = False) -> str:
    """The figures without any trained pipeline, and beside them those of each language with its own (the settings', else the extra's).

    Raises `ConfigError`: the file holds no labelled article in these languages.
    """
    wanted = tuple(languages) or tuple(kit.watch.cues)
    named = {language: name for language, name in (EXTRAS | kit.settings.spacy).items() if language in wanted}
    ready, missing = load_pipelines(named, wanted)
    plain = _judged(gold, _with(kit, {}), wanted)
    there = [language for language in ready if any(one.gold.language == language for one in plain)]
    gains = {}
    for language in there:
        parsed = _judged(gold, _with(kit, {language: named[language]}), (language,))
        gains[language] = Gain(named[language], [one for one in plain if one.gold.language == language], parsed)
    return report_gains(plain, gains, missing, as_json=as_json)


def _with(kit: Kit, pipelines: Mapping[str, str]) -> Kit:
    return replace(kit, settings=kit.settings.model_copy(update={"spacy": dict(pipelines)}))


def _judged(gold: Path, kit: Kit, languages: tuple[str, ...]) -> list[Judged]:
    tag = _stage(replace(kit, languages=languages))
    judged = [judge(one, tag, kit.watch) for one in read_gold(gold) if one.language in languages]
    if not judged:
        raise ConfigError(f"{gold}: expected labelled articles in {', '.join(languages)}")
    return judged


def _stage(kit: Kit) -> Tagger:
    """The stage of the pipeline that tags, whichever module it is."""
    for node in load_topology().nodes:
        if TRANSLATED in node.spec.reads and TAGGED in node.spec.writes:
            stage: Stage[Translated] = node.module.build(node.config, kit)
            return lambda message: next(
                out.message for out in stage.process(message, Overlay(Nothing())) if isinstance(out, Emit) and out.topic is TAGGED
            )
    raise ConfigError("pipeline.toml: expected a stage that reads 'translated' and writes 'tagged'")
