"""tag: a translated article -> its mentions: who, what, which way, how much, when, says who, asserted or denied.

Read in the source language with the watch's names and the cue file of that language (`tumen.watch.cues`); the decisions are small linear
models over classes of cues (`model`), so that a language is added with data alone.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import structlog
from pydantic import BaseModel, ConfigDict, Field

from processors.tag.chronology import Meeting, load_chronology, written_on
from processors.tag.mentions import judge
from processors.tag.model import tag_model
from processors.tag.reading import Reader, Reading
from tumen.messages import Tagged, Translated, Why
from tumen.settings import ROOT
from tumen.stage import Emit, Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.text.pipelines import load_pipelines
from tumen.topics import TAGGED, TRANSLATED

log = structlog.get_logger(__name__)

SPEC = StageSpec(reads=(TRANSLATED,), writes=(TAGGED,))


class Config(BaseModel):
    """`max_chars`: more of an article's text is not read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_chars: int = Field(default=40_000, ge=1000)


def build(config: Config, kit: Kit) -> Stage[Translated]:
    """The stage.  An article in a language without a cue file is passed on without mentions, and says so."""
    pipelines = load_pipelines(kit.settings.spacy, kit.languages)
    for language, line in pipelines.missing.items():
        log.warning("no trained pipeline", language=language, what=line)
    reader = Reader(kit.watch, kit.languages, pipelines.ready)
    known = load_chronology(ROOT / "watches" / kit.settings.watch, kit.watch)

    def process(message: Translated, state: State) -> Iterable[Out]:  # noqa: ARG001 - this stage remembers nothing
        yield Emit(TAGGED, tagged(message, reader, known, config.max_chars))

    return Stage(process)


def tagged(message: Translated, reader: Reader, known: Sequence[Meeting], max_chars: int) -> Tagged:
    """The article with its mentions."""
    article = message.unique.article
    envelope = {"id": message.id, "seen_at": message.seen_at, "trace": message.trace, "realm": message.realm}
    if article.language is None or not reader.reads(article.language):
        why = Why(stage="tag", rule="unknown_language", cue=article.language or "none")
        return Tagged(**envelope, unique=message.unique, translation=message.translation, relevant=False, score=0.0, why=(why,))
    reading = reader.read(article.title, article.text[:max_chars], article.language, article.published)
    dated = written_on(reading, known, _brought_as_new(message))
    if dated is not None:
        reading.published = dated
    verdict = judge(reading, article.id, tag_model(), reader.watch, message.translation)
    return Tagged(
        **envelope,
        unique=message.unique,
        translation=message.translation,
        mentions=verdict.mentions,
        relevant=verdict.relevant,
        score=verdict.score,
        why=tuple(_reasons(verdict.why, reading, article.text, dated)),
    )


def _reasons(verdict: Sequence[Why], reading: Reading, text: str, dated: str | None) -> Iterable[Why]:
    """The verdict's reasons, what dated the article, and how much of a very long one was read."""
    yield from verdict
    if dated:
        yield Why(stage="tag", rule="dated_by_meeting", cue=dated)
    read = max((sent.end for sent in reading.sents if sent.place == "text"), default=0)
    if read < len(text.rstrip()):
        yield Why(stage="tag", rule="cut", cue=f"read {read} of {len(text)} characters")


def _brought_as_new(message: Translated) -> date | None:
    """The day on which a feed brought the article as new; None for a file, and for what stood in a feed when it was first read."""
    article = message.unique.article
    if not article.source.startswith(("http://", "https://")) or "backlog" in article.flags:
        return None
    return message.seen_at.date()
