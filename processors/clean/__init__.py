"""clean: a candidate's item -> its article.  Plain text, HTML and feed fragments; title, lead, text, byline, date, language, origin.

Every decision leaves its reason in the article's `why`.  Of each site it remembers what its pages repeat, which is furniture, and how much
text they give: when that changes of a sudden, the article is flagged, the alarm is counted as a reason of its own (`yield_half`), and the
log names the site, which no metric's label may.
"""

from collections.abc import Iterable, Mapping

import structlog
from pydantic import BaseModel, ConfigDict, Field

from processors.clean.article import REASONS, Cleaned, Means, clean_item
from processors.clean.hints import load_hints
from processors.clean.meta import Agencies
from processors.clean.sites import Lesson, SiteMemory, Sites, learn
from tumen.messages import Article, Candidate, Why
from tumen.stage import Drop, Emit, Kit, Out, Stage, StageSpec
from tumen.state import State
from tumen.text.language import Languages
from tumen.topics import ARTICLES, CANDIDATES

log = structlog.get_logger(__name__)

__all__ = ["SPEC", "Cleaned", "Config", "Means", "build", "clean_item"]

SPEC = StageSpec(reads=(CANDIDATES,), writes=(ARTICLES,), reasons=REASONS)


class Config(BaseModel):
    """`max_chars`: an article's text is cut there, and flagged "truncated"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_chars: int = Field(default=100_000, ge=1000)


def build(config: Config, kit: Kit) -> Stage[Candidate]:
    """The stage.  The language model loads with the first article.  Raises `ConfigError` for wrong hints."""
    agencies: Mapping[str, Iterable[str]] = kit.watch.agencies()
    means = Means(Languages(kit.languages), Agencies(agencies), config.max_chars, load_hints())

    def process(message: Candidate, state: State) -> Iterable[Out]:
        item = message.item
        if item.body_type == "fragment":  # a feed's summary shows nothing of its site's pages
            return _outs(clean_item(item, means, message.why).result, None)
        sites = Sites(state)
        memory = sites.get(item.site, item.body_type)
        cleaned = clean_item(item, means, message.why, memory)
        lesson = _learnt(memory, item.article_id, cleaned)
        if lesson.memory is not memory:
            sites.put(item.site, item.body_type, lesson.memory, item.seen_at)
        if lesson.alarm is not None:
            log.warning("site changed", site=item.site, alarm=lesson.alarm, figures=lesson.figures, item=item.id)
        return _outs(cleaned.result, lesson)

    return Stage(process)


def _learnt(memory: SiteMemory, article_id: str, cleaned: Cleaned) -> Lesson:
    article = cleaned.result if isinstance(cleaned.result, Article) else None
    return learn(memory, article_id, cleaned.reading if article else None, len(article.text) if article else 0)


def _outs(result: Article | Drop, lesson: Lesson | None) -> list[Out]:
    """The article or its reason; beside it the alarm, so that it is counted, once each time that a site changes."""
    if lesson is None or lesson.alarm is None:
        return [result if isinstance(result, Drop) else Emit(ARTICLES, result)]
    alarm = Drop(lesson.alarm, lesson.figures)
    if isinstance(result, Drop):
        return [result, alarm]
    why = (*result.why, Why(stage="clean", rule=lesson.alarm, cue=lesson.figures))
    return [Emit(ARTICLES, result.model_copy(update={"flags": (*result.flags, lesson.alarm), "why": why})), alarm]
