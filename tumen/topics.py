"""Every topic, as a typed constant: name, model, key, partitions, retention.  One table (design, section 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from tumen.messages import Alert, Article, Candidate, DeadLetter, Item, Message, Story, Tagged, Tick, Translated, Unique

M = TypeVar("M", bound=Message)

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Topic(Generic[M]):
    """A stream of one kind of message.

    `key` orders: records of one key keep their order.  `partitions` is for Kafka (None: as many as the operator likes; the embedded bus
    has one).  `retention` is how long a record that every live group has read is kept; None keeps the newest of each key (compacted).
    """

    name: str
    model: type[M]
    key: Callable[[M], str]
    partitions: int | None
    retention: timedelta | None


ITEMS: Topic[Item] = Topic("items", Item, lambda m: m.site, None, WEEK)
CANDIDATES: Topic[Candidate] = Topic("candidates", Candidate, lambda m: m.item.site, None, WEEK)
ARTICLES: Topic[Article] = Topic("articles", Article, lambda m: m.id, 1, MONTH)
UNIQUE: Topic[Unique] = Topic("unique", Unique, lambda m: m.article.id, None, MONTH)
TRANSLATED: Topic[Translated] = Topic("translated", Translated, lambda m: m.unique.article.id, None, MONTH)
TAGGED: Topic[Tagged] = Topic("tagged", Tagged, lambda m: m.unique.article.id, 1, MONTH)
STORIES: Topic[Story] = Topic("stories", Story, lambda m: m.id, None, None)
ALERTS: Topic[Alert] = Topic("alerts", Alert, lambda m: m.story, None, MONTH)
DEAD: Topic[DeadLetter] = Topic("dead", DeadLetter, lambda m: m.key, None, MONTH)
TICKS: Topic[Tick] = Topic("ticks", Tick, lambda _: "", 1, timedelta(days=1))

TOPICS: dict[str, Topic[Any]] = {t.name: t for t in (ITEMS, CANDIDATES, ARTICLES, UNIQUE, TRANSLATED, TAGGED, STORIES, ALERTS, DEAD, TICKS)}
