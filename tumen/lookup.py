"""What a data folder still holds about one thing: its bus, topic by topic, and its archive.

Everything is only read: no group joins, nothing moves.  Both passes go over all that the bus keeps, record by record; only the records in
which a wanted id or address occurs are decoded.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import apsw

from tumen.bus import Bus, Record
from tumen.codec import NewerSchema, Undecodable, decode
from tumen.errors import ConfigError
from tumen.explain import SPINE, Held, article_of, identity_of, item_of, keep, shows, version_of
from tumen.history import read_on, starts
from tumen.messages import Alert, DeadLetter, Message, Story, Tagged
from tumen.runner import Node
from tumen.topics import ALERTS, STORIES, TICKS, TOPICS

_STORIES = """
    SELECT message FROM stories WHERE id = :q
    OR id IN (SELECT story FROM articles WHERE id = :q OR url = :q)
    OR id IN (SELECT story FROM mentions WHERE id = :q)
    OR id IN (SELECT story FROM alerts WHERE id = :q OR url = :q)
"""
_ALERTS = "SELECT message, archived_at FROM alerts WHERE id = :q OR story = :q OR url = :q"


def look_up(query: str, bus: Bus | None, archive: Path, nodes: Sequence[Node]) -> Held | None:
    """Everything about the article, item, mention, story or alert that `query` names by id, or the article by its address.

    None if nothing that is kept knows it.  A story stands for all its articles, an alert for the article that it was told through.
    `nodes`: the stages, whose backlog tells what is still waiting.  Raises `ConfigError` if the archive cannot be read.
    """
    old = list(_archived(archive, query))
    named = [*(message for message, _ in _matching(bus, {query})), *(message for message, _ in old)]
    articles: set[str] = set()
    stories: set[str] = set()
    for message in named:
        found, told = _names(message, query)
        articles |= found
        stories |= told
    if not articles and not stories:
        return None
    alerts = [message for message in named if isinstance(message, Alert) and query in (message.id, message.url)]
    known = [message for message in named if isinstance(message, Story)]
    known += [message for message, _ in _matching(bus, stories, [STORIES.name]) if isinstance(message, Story)]
    articles |= {part.article_id for story in known for part in story.articles for alert in alerts if shows(alert, story.id, part)}
    if not articles:
        articles = {part.article_id for story in known if story.id in stories for part in story.articles}
    held = Held(wanted=articles)
    for message, at in old:
        keep(held, message, at)
    if bus is not None:
        _gather(held, bus, stories, nodes)
    return held


def _names(message: Message, query: str) -> tuple[set[str], set[str]]:
    """(article ids, story ids) that `query` stands for, if `message` is what it names."""
    if isinstance(message, Alert):
        return set(), {message.story} if query in (message.id, message.url) else set()
    if isinstance(message, Story):
        whole = {part.article_id for part in message.articles}
        if query == message.id:
            return whole, {message.id}
        parts = {part.article_id for part in message.articles if query in (part.article_id, part.url)}
        inside = any(mention.id == query for mention in message.mentions)
        return parts, {message.id} if parts or inside else set()
    identity, version, article, item = identity_of(message), version_of(message), article_of(message), item_of(message)
    known = {message.id, identity, version}
    known |= {article.url, article.canonical_url} if article else set()
    known |= {item.url, item.guid} if item else set()
    known |= {mention.id for mention in message.mentions} if isinstance(message, Tagged) else set()
    return {identity} if identity and query in known else set(), set()


def _gather(held: Held, bus: Bus, stories: set[str], nodes: Sequence[Node]) -> None:
    """The second pass: all records about the wanted articles, then about the stories that have them."""
    articles = held.wanted
    spine = [topic.name for topic in SPINE]
    for message, record in _matching(bus, articles, spine):
        if identity_of(message) in articles:
            keep(held, message, _at(record))
            _note_waiting(held, bus, message, record, nodes)
    traces = {message.trace for topic in spine for message in held.messages[topic]}
    for message, record in _matching(bus, articles | stories | traces, [STORIES.name]):
        if isinstance(message, Story) and (
            message.id in stories or message.trace in traces or any(part.article_id in articles for part in message.articles)
        ):
            keep(held, message, _at(record))
    told = stories | {story.id for story in held.messages[STORIES.name]}
    for message, record in _matching(bus, told, [ALERTS.name]):
        if isinstance(message, Alert) and message.story in told:
            keep(held, message, _at(record))
    for record in read_on(bus, ["dead"], {"dead": starts(bus, "dead", 0)}):
        letter = _read(record)
        inside = _inside(letter) if isinstance(letter, DeadLetter) else b""
        if letter is not None and any(name.encode() in inside for name in articles | told):
            keep(held, letter, _at(record))


def _inside(letter: DeadLetter) -> bytes:
    return base64.b64decode(letter.value)


def _note_waiting(held: Held, bus: Bus, message: Message, record: Record, nodes: Sequence[Node]) -> None:
    """Whether a stage has still to read this record: it is among the last so many of the topic."""
    for node in nodes:
        if any(topic.name == record.topic for topic in node.reads):
            lag = bus.lags(record.topic).get(node.name, 0)
            if lag and len(bus.read(record.topic, record.offset, lag, record.partition)) < lag:
                held.waiting[node.name, version_of(message) or message.id] = lag


def _matching(bus: Bus | None, wanted: Iterable[str], topics: Iterable[str] = TOPICS) -> Iterator[tuple[Message, Record]]:
    """The messages in whose JSON one of `wanted` occurs, and their records."""
    needles = [re.escape(json.dumps(name, ensure_ascii=False)[1:-1].encode()) for name in wanted]
    if bus is None or not needles:
        return
    pattern = re.compile(b"|".join(needles))
    for topic in topics:
        if topic != TICKS.name:
            for record in read_on(bus, [topic], {topic: starts(bus, topic, 0)}):
                message = _read(record) if pattern.search(record.value) else None
                if message is not None:
                    yield message, record


def _read(record: Record) -> Message | None:
    """None for a record that this Tumen cannot read: it can be about nothing that was asked for by name."""
    try:
        message: Message = decode(TOPICS[record.topic], record.value)
    except (Undecodable, NewerSchema):
        return None
    return message


def _at(record: Record) -> datetime:
    return datetime.fromtimestamp(record.at, UTC)


def _archived(archive: Path, query: str) -> Iterator[tuple[Message, datetime]]:
    """The stories and alerts of the archive that have to do with `query`.  Raises `ConfigError` for a file that is no archive."""
    if not archive.is_file():
        return
    try:
        db = apsw.Connection(str(archive), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(5_000)
            stories = [decode(STORIES, str(row[0]).encode()) for row in db.execute(_STORIES, {"q": query})]
            rows = [row for name in {query, *(s.id for s in stories)} for row in db.execute(_ALERTS, {"q": name})]
        finally:
            db.close()
    except apsw.Error as error:
        raise ConfigError(f"{archive}: expected an archive of Tumen's ({error})") from None
    for story in stories:
        yield story, story.seen_at
    for message, at in rows:
        yield decode(ALERTS, str(message).encode()), datetime.fromisoformat(str(at))
