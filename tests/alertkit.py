"""Alerts, stories and a kit for the tests of the sinks."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tumen.messages import Actor, Alert, EventType, Evidence, Mention, Story, StoryArticle
from tumen.settings import HttpSettings, Settings, SlackSettings
from tumen.stage import Kit
from tumen.testing import Clock

NOW = datetime(2024, 9, 14, 12, 0, tzinfo=UTC)
SENTENCE = "Il ministro ha stretto la mano al suo ospite davanti al treno, ha riferito l'agenzia."


def evidence(
    text: str = SENTENCE, translation: str | None = "The minister shook his guest's hand by the train, the agency said."
) -> Evidence:
    return Evidence.model_validate({"in": "text", "text": text, "start": 0, "end": len(text), "translation": translation})


def alert(name: str = "a", **more: Any) -> Alert:
    """An alert of a fresh story of its own, whose id is its name."""
    fields: dict[str, Any] = {
        "id": name,
        "seen_at": NOW,
        "trace": name,
        "story": f"story of {name}",
        "change": "new",
        "change_text": "A new story",
        "event": EventType.VISIT,
        "event_line": "VISIT · a minister (Russia) and his host (DPRK) · Rason · 13 September · per KCNA",
        "direction": "mutual",
        "stance": "asserted",
        "says": "KCNA",
        "title": "Il ministro in visita a Rason",
        "title_english": "The minister visits Rason",
        "language": "it",
        "evidence": (evidence(),),
        "source": "https://notizie.example/rss",
        "url": "https://notizie.example/2024/rason?a=1&b=2",
        "published_at": NOW,
        "articles": 3,
        "origins": 2,
        **more,
    }
    return Alert(**fields)


def story(name: str = "s", version: int = 1, **more: Any) -> Story:
    actors = (Actor(name="Russia", qid="Q159", side="russia"), Actor(name="DPRK", qid="Q423", side="dprk"))
    mention = Mention(
        id=f"mention of {name} {version}",
        event=EventType.VISIT,
        direction="mutual",
        stance="asserted",
        role="news",
        says="KCNA",
        actors=actors,
        evidence=evidence(),
    )
    fields: dict[str, Any] = {
        "id": name,
        "seen_at": NOW,
        "trace": name,
        "version": version,
        "event": EventType.VISIT,
        "events": (EventType.VISIT,),
        "event_line": "VISIT · Russia and DPRK · Rason",
        "actors": actors,
        "place": "Rason",
        "when": "2024-09-13",
        "articles": (StoryArticle(article_id=f"article {version}", source="feed", title="Rason", language="it", published="2024-09"),),
        "mentions": (mention,),
        "origins": version,
        "first_seen": NOW,
        "last_seen": NOW,
        **more,
    }
    return Story(**fields)


def kit(
    data: Path,
    *,
    clock: Clock | None = None,
    webhook: str | None = None,
    host: str = "https://hooks.slack.com/",
    http: HttpSettings | None = None,
    echo: Callable[[str], None] = lambda _: None,
    extra: Mapping[str, Any] | None = None,
) -> Kit:
    """A kit without a watch: sinks have no business with it."""
    clock = clock or Clock(NOW)
    slack = SlackSettings(webhook=SecretStr(webhook) if webhook else None, host=host)
    settings = Settings(data=data, slack=slack, http=http or HttpSettings())
    nothing: Any = None
    return Kit(nothing, ("it", "en", "ru"), settings, data, clock.now, clock.now(), echo, extra or {})
