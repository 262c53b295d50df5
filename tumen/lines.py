"""Messages as single lines for a person: what `tumen tail` and `tumen replay` print.

A line says what the message states, not when or in which realm it passed, so that two lists of lines can be compared with ``diff``.
"""

from collections.abc import Callable
from typing import Any

from tumen.messages import Alert, Article, Candidate, DeadLetter, Item, Message, Story, Tagged, Tick, Translated, Unique
from tumen.telling import plain


def line(message: Message) -> str:
    """The message in one line: its id, then what it says.  Whatever a feed has put in is made plain (no control characters)."""
    return f"{message.id} | {plain(_SAYS[type(message)](message))}"


def _item(item: Item) -> str:
    return f"{item.site} | {item.title or '(no title)'}"


def _article(article: Article) -> str:
    return f"{article.language or '??'} | {article.site} | {article.title}"


def _unique(unique: Unique) -> str:
    copied = f"  (copy of {unique.copy_of}, overlap {unique.overlap:.2f})" if unique.copy_of else ""
    return _article(unique.article) + copied


def _translated(translated: Translated) -> str:
    return f"{translated.unique.article.language or '??'} | [{translated.translation.engine}] | {translated.translation.title}"


def _tagged(tagged: Tagged) -> str:
    events = ", ".join(f"{mention.event} {mention.stance}{' *' if mention.main else ''}" for mention in tagged.mentions)
    return f"{tagged.score:.2f} | {tagged.unique.article.title} | ({events or 'no mention'})"


def _story(story: Story) -> str:
    return f"v{story.version} | {story.event} | {story.event_line} | ({len(story.articles)} articles, {story.origins} origins)"


def _alert(alert: Alert) -> str:
    return (
        f"story {alert.story} | {alert.change} | {alert.event} | {alert.stance} | {alert.direction} | {alert.event_line} | [{alert.title}]"
    )


def _dead(letter: DeadLetter) -> str:
    return f"{letter.stage} | {letter.kind} | {letter.topic} {letter.offset} | {letter.message}"


_SAYS: dict[type[Message], Callable[[Any], str]] = {
    Item: _item,
    Candidate: lambda candidate: _item(candidate.item),
    Article: _article,
    Unique: _unique,
    Translated: _translated,
    Tagged: _tagged,
    Story: _story,
    Alert: _alert,
    DeadLetter: _dead,
    Tick: lambda tick: tick.at.isoformat(),
}
