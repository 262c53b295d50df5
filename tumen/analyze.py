"""One-shot analysis: the same stages on a bus in memory, in input order, one result an input (design, section 4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode, encode
from tumen.errors import ConfigError, Outcome
from tumen.messages import Article, Candidate, Item, Mention, Story, Tagged, Why
from tumen.runner import Clocks, Node, make_runner, settle
from tumen.stage import Drop, Emit, Stage
from tumen.state import Nothing, Overlay
from tumen.topics import ARTICLES, CANDIDATES, ITEMS, STORIES, TAGGED, Topic

_UNTRANSLATED = {"engine": "none", "flags": ["untranslated"]}


class _Verdicts:
    """An observer that keeps the reason of each drop of the first stage, in input order (one reader, one batch order)."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, stage: str, reason: str) -> None:
        self.reasons.append((stage, reason))

    def emitted(self, stage: str, topic: str, count: int) -> None: ...

    def dead(self, stage: str, kind: str) -> None:
        self.reasons.append((stage, kind))


@dataclass(frozen=True)
class Analysis:
    """What the stages made of one input."""

    item: Item
    article: Article | None
    tagged: Tagged | None
    stories: dict[str, str]
    dropped: str | None

    def as_json(self) -> dict[str, Any]:
        """The keys of the design's section 4; keys may be added, never removed or retyped."""
        article, tagged = self.article, self.tagged
        translation = tagged.translation.model_dump(mode="json", include={"title", "lead", "engine", "flags"}) if tagged else None
        title = article.title if article else self.item.title or ""
        return {
            "id": self.item.article_id,
            "url": (article.url if article else None) or self.item.url,
            "language": article.language if article else None,
            "title": title,
            "text": article.text if article else "",
            "published": article.published if article else self.item.published,
            "copy_of": tagged.unique.copy_of if tagged else None,
            "origin": (tagged.unique.origin if tagged else None) or (article.origin if article else None),
            "story": self.story,
            "relevant": bool(tagged and tagged.relevant),
            "score": tagged.score if tagged else 0.0,
            "mentions": [self._mention(mention) for mention in tagged.mentions] if tagged else [],
            "translation": translation or {"title": title, "lead": article.lead if article else "", **_UNTRANSLATED},
            "dropped": self.dropped,
            "source": self.item.source,
            "byline": article.byline if article else None,
            "published_source": article.published_source if article else None,
            "flags": list(article.flags) if article else [],
            "why": [why.model_dump(mode="json") for why in (*(article.why if article else ()), *(tagged.why if tagged else ()))],
        }

    @property
    def main(self) -> Mention | None:
        return next((mention for mention in self.tagged.mentions if mention.main), None) if self.tagged else None

    @property
    def story(self) -> str | None:
        """The story of the article is that of its main mention."""
        return self.stories.get(self.main.id) if self.main else None

    def _mention(self, mention: Mention) -> dict[str, Any]:
        return {**mention.model_dump(mode="json", by_alias=True), "story": self.stories.get(mention.id)}


def analyse(items: Sequence[Item], nodes: Sequence[Node], clocks: Clocks) -> list[Analysis]:
    """One `Analysis` an item, in order.  `nodes`: the stages and gateways, in the order of the flow; nothing is left behind.

    An item that the screen (or any stage) drops is cleaned all the same, by itself, so that its reader sees what it was.
    """
    with EmbeddedBus(None) as bus:
        verdicts = _Verdicts()
        runners = [make_runner(node, bus, verdicts, clocks, batch=500, max_lag=10**9) for node in nodes]
        dropped: dict[str, str] = {}
        for item in items:
            before = len(verdicts.reasons)
            bus.join("analyze", ()).commit({}, [encode(Emit(ITEMS, item))], {})
            settle(runners, idle=1)
            for _, reason in verdicts.reasons[before:]:
                dropped.setdefault(item.id, reason)
        articles = {article.item_id: article for article in _all(bus, ARTICLES)}
        tagged = {one.unique.article.item_id: one for one in _all(bus, TAGGED)}
        stories = _stories(_all(bus, STORIES))
    for item in items:
        if item.id not in articles:
            article, why_not = _clean_alone(item, nodes)
            if article is not None:
                articles[item.id] = article
            dropped.setdefault(item.id, why_not or "dropped")
    return [
        Analysis(item, articles.get(item.id), tagged.get(item.id), stories, None if item.id in tagged else dropped.get(item.id))
        for item in items
    ]


def _all(bus: EmbeddedBus, topic: Topic[Any]) -> list[Any]:
    return [decode(topic, record.value) for record in bus.read(topic.name, 0, 10**9)]


def _stories(stories: Iterable[Story]) -> dict[str, str]:
    """Mention id -> the story that had it last.  Every version is asked: a story of very many articles shows only some of them."""
    return {mention.id: story.id for story in stories for mention in story.mentions}


def _clean_alone(item: Item, nodes: Sequence[Node]) -> tuple[Article | None, str | None]:
    """The cleaning stage on one item, its state thrown away; the reason if it gives no article."""
    for node in nodes:
        if CANDIDATES in node.reads and ARTICLES in node.writes and isinstance(node.work, Stage):
            candidate = Candidate(
                id=item.id, seen_at=item.seen_at, trace=item.trace, realm=item.realm, item=item, why=(Why(stage="analyze", rule="asked"),)
            )
            for out in node.work.process(candidate, Overlay(Nothing())):
                return (None, out.reason) if isinstance(out, Drop) else (out.message, None)
            return None, None
    raise ConfigError("pipeline.toml: no stage makes articles of candidates")
