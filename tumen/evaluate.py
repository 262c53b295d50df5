"""Behind ``tumen eval``: the tagging stage of the pipeline over a labelled file, and how well it did (`tumen.accuracy`)."""

from collections.abc import Sequence
from pathlib import Path

from tumen.accuracy import Tagger, judge, report
from tumen.errors import ConfigError
from tumen.gold import read_gold
from tumen.messages import Translated
from tumen.pipeline import load_topology
from tumen.stage import Emit, Kit, Stage
from tumen.state import Nothing, Overlay
from tumen.topics import TAGGED, TRANSLATED


def run_evaluation(gold: Path, kit: Kit, *, languages: Sequence[str] = (), as_json: bool = False) -> str:
    """The figures on a labelled file, as a table for people or as JSON.  `languages`: only these, else all that the watch has cues for.

    Raises `ConfigError`: the file holds no labelled article in these languages.
    """
    wanted = tuple(languages) or tuple(kit.watch.cues)
    tag = _stage(Kit(**{**vars(kit), "languages": wanted}))
    judged = [judge(one, tag, kit.watch) for one in read_gold(gold) if one.language in wanted]
    if not judged:
        raise ConfigError(f"{gold}: expected labelled articles in {', '.join(wanted)}")
    return report(judged, as_json=as_json)


def _stage(kit: Kit) -> Tagger:
    """The stage of the pipeline that tags, whichever module it is."""
    for node in load_topology().nodes:
        if TRANSLATED in node.spec.reads and TAGGED in node.spec.writes:
            stage: Stage[Translated] = node.module.build(node.config, kit)
            return lambda message: next(
                out.message for out in stage.process(message, Overlay(Nothing())) if isinstance(out, Emit) and out.topic is TAGGED
            )
    raise ConfigError("pipeline.toml: expected a stage that reads 'translated' and writes 'tagged'")
