"""Why: what each stage decided about one article and which cues it saw, for what was told and for what was not (`tumen explain`).

A record carries its reasons (`Why`), and they are shown as they stand.  A message that a stage ends leaves no record: its verdict is seen
happening when a file is explained, and asked of today's stage again, from an empty memory, when a bus is looked at; the account says so.
"""

import itertools
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tumen.bus_embedded import EmbeddedBus
from tumen.codec import NewerSchema, Undecodable, decode, encode
from tumen.errors import Outcome
from tumen.messages import (
    QUIET,
    Alert,
    Article,
    Candidate,
    DeadLetter,
    Item,
    Mention,
    Message,
    Story,
    StoryArticle,
    Tagged,
    Translated,
    Unique,
    Why,
)
from tumen.runner import Clocks, Node, make_runner, settle
from tumen.stage import Drop, Emit, Out, Stage
from tumen.state import Nothing, Overlay, State
from tumen.telling import too_old
from tumen.topics import ALERTS, ARTICLES, CANDIDATES, ITEMS, STORIES, TAGGED, TOPICS, TRANSLATED, UNIQUE, Topic

#: the way of one article: what a stage reads, and what it makes of it
SPINE: tuple[Topic[Any], ...] = (ITEMS, CANDIDATES, ARTICLES, UNIQUE, TRANSLATED, TAGGED)


@dataclass
class Held:
    """What is known of some articles: by topic the messages, oldest first; what was seen to be dropped; what failed.

    `wanted`: ids of the articles that were asked for, whether or not more than a story's line is kept of them.
    `dropped`: (stage, item id) -> how it ended there, as it was seen.  `dead`: the same for dead letters.  `waiting`: (stage, item id) ->
    how many records that stage has still to read (of all partitions, so this one need not be among them where there are several).
    `judged_at`: alert id -> when the channels were asked.
    """

    wanted: set[str] = field(default_factory=set)
    messages: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TOPICS})
    dropped: dict[tuple[str, str], Drop] = field(default_factory=dict)
    dead: dict[tuple[str, str], DeadLetter] = field(default_factory=dict)
    waiting: dict[tuple[str, str], int] = field(default_factory=dict)
    judged_at: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One stage's decision.

    `decision`: "passed" and "told" go on, "dropped", "dead", "quiet" and "stale" end it, "waiting" is not read yet, "lost" left no trace.
    `recomputed`: nothing was recorded; today's stage was asked again.
    """

    stage: str
    decision: str
    says: str
    why: tuple[Why, ...] = ()
    mentions: tuple[Mention, ...] = ()
    recomputed: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "decision": self.decision,
            "says": self.says,
            "recomputed": self.recomputed,
            "why": [why.model_dump(mode="json") for why in self.why],
            "mentions": [mention.model_dump(mode="json", by_alias=True) for mention in self.mentions],
        }


@dataclass(frozen=True)
class Account:
    """One version of an article, stage by stage, as far as it came."""

    article: str
    item: str | None
    title: str
    source: str
    url: str | None
    seen_at: datetime | None
    steps: tuple[Step, ...]

    @property
    def told(self) -> bool:
        return any(step.decision == "told" for step in self.steps)

    @property
    def end(self) -> Step | None:
        """Where it stopped, None if it was told."""
        return None if self.told or not self.steps else self.steps[-1]

    def as_json(self) -> dict[str, Any]:
        end = self.end
        return {
            "article": self.article,
            "item": self.item,
            "title": self.title,
            "source": self.source,
            "url": self.url,
            "seen_at": self.seen_at.isoformat() if self.seen_at else None,
            "told": self.told,
            "stopped": {"stage": end.stage, "decision": end.decision, "says": end.says} if end else None,
            "steps": [step.as_json() for step in self.steps],
        }


# --- what a message is about -----------------------------------------------------------------------------------------------------


def article_of(message: Message) -> Article | None:
    """The cleaned article that a message carries, if it has come so far."""
    match message:
        case Article():
            return message
        case Unique():
            return message.article
        case Translated() | Tagged():
            return message.unique.article
    return None


def item_of(message: Message) -> Item | None:
    return message if isinstance(message, Item) else message.item if isinstance(message, Candidate) else None


def version_of(message: Message) -> str | None:
    """The id of the item that a message of the spine comes from."""
    article, item = article_of(message), item_of(message)
    return article.item_id if article else item.id if item else None


def identity_of(message: Message) -> str | None:
    """The id of the article that a message of the spine is about."""
    article, item = article_of(message), item_of(message)
    return article.id if article else item.article_id if item else None


# --- a file ----------------------------------------------------------------------------------------------------------------------


class _Silent:
    """An observer of a run that nobody measures."""

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, stage: str, reason: str) -> None: ...

    def emitted(self, stage: str, topic: str, count: int) -> None: ...

    def dead(self, stage: str, kind: str) -> None: ...


def run_through(items: Sequence[Item], nodes: Sequence[Node], clocks: Clocks) -> Held:
    """What the stages make of `items`, on a bus in memory, one after the other; nothing is left behind."""
    held = Held()
    with EmbeddedBus(None) as bus:
        watched = [_watched(node, held) for node in nodes]
        runners = [make_runner(node, bus, _Silent(), clocks, batch=500, max_lag=10**9) for node in watched]
        for item in items:
            bus.join("explain", ()).commit({}, [encode(Emit(ITEMS, item))], {})
            settle(runners, idle=1)
        for name, topic in TOPICS.items():
            for record in bus.read(name, 0, 10**9):
                keep(held, decode(topic, record.value), datetime.fromtimestamp(record.at, clocks.now().tzinfo))
    return held


def _watched(node: Node, held: Held) -> Node:
    """The node, its drops written down: a bus has no record of them.  A gateway's results are all records."""
    work = node.work
    if not isinstance(work, Stage):
        return node
    inner = work.process

    def process(message: Any, state: State) -> Iterator[Out]:
        for out in inner(message, state):
            if isinstance(out, Drop):
                held.dropped[node.name, version_of(message) or message.id] = out
            yield out

    return Node(node.name, node.reads, node.writes, node.reasons, Stage(process, work.on_tick), node.workers)


def keep(held: Held, message: Message, at: datetime) -> None:
    """Add what a topic holds.  A message that is there already is not added again."""
    if isinstance(message, DeadLetter):
        version = failed_version(message)
        if version is not None:
            held.dead[message.stage, version] = message
        return
    topic = next(topic for topic in TOPICS.values() if topic.model is type(message))
    if message not in held.messages[topic.name]:
        held.messages[topic.name].append(message)
    if isinstance(message, Alert):
        held.judged_at.setdefault(message.id, at)


def failed_version(letter: DeadLetter) -> str | None:
    """The item that a dead letter is about; for a story or an alert its id; None when its bytes cannot be read."""
    try:
        message: Message = decode(TOPICS[letter.topic], b64decode(letter.value))
    except (Undecodable, NewerSchema, KeyError):
        return None
    return version_of(message) or message.id


# --- the account -----------------------------------------------------------------------------------------------------------------


def accounts(held: Held, nodes: Sequence[Node], recency_hours: float, *, recompute: bool) -> list[Account]:
    """One `Account` a version of an article, in the order in which they came in.

    `recompute`: a verdict that was not seen is asked of the stage again.  Pure otherwise.
    """
    versions: dict[str, dict[str, Any]] = {}
    for topic in SPINE:
        for message in held.messages[topic.name]:
            version = version_of(message)
            if version is not None:
                versions.setdefault(version, {})[topic.name] = message
    found = [_account(held, chain, nodes, recency_hours, recompute=recompute) for chain in versions.values()]
    gone = held.wanted - {account.article for account in found}
    found.extend(_remembered(held, identity, _stage(nodes, TAGGED, STORIES).name, recency_hours) for identity in sorted(gone))
    return sorted(found, key=lambda account: (account.seen_at is None, account.seen_at))


def _account(held: Held, chain: Mapping[str, Any], nodes: Sequence[Node], recency_hours: float, *, recompute: bool) -> Account:
    last = next(chain[topic.name] for topic in reversed(SPINE) if topic.name in chain)
    first = next(chain[topic.name] for topic in SPINE if topic.name in chain)
    article, item = article_of(last), item_of(first)
    steps: list[Step] = []
    for source, target in itertools.pairwise(SPINE):
        node = _stage(nodes, source, target)
        if target.name in chain:
            steps.append(_passed(node.name, chain[target.name]))
        elif target.name not in _after(chain):
            if source.name in chain:
                steps.append(_ended(held, node, target, chain[source.name], recompute=recompute))
            break
        else:
            steps.append(Step(node.name, "passed", f"it went on; its record on {target.name} is no longer kept"))
    if TAGGED.name in chain:
        steps.extend(_story_steps(held, _stage(nodes, TAGGED, STORIES), chain[TAGGED.name], recency_hours, recompute=recompute))
    return Account(
        article=identity_of(last) or last.id,
        item=version_of(last),
        title=(article.title if article else None) or (item.title if item else None) or "",
        source=article.source if article else item.source if item else "",
        url=(article.url if article else None) or (item.url if item else None),
        seen_at=last.seen_at,
        steps=tuple(_once(steps)),
    )


def _once(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps without the reasons that a record only carries on from the stage before."""
    shown: set[Why] = set()
    for step in steps:
        yield replace(step, why=tuple(why for why in step.why if why not in shown))
        shown.update(step.why)


def _after(chain: Mapping[str, Any]) -> set[str]:
    """The topics up to the last one that holds this version: what is missing among them has been forgotten, not dropped."""
    last = max(number for number, topic in enumerate(SPINE) if topic.name in chain)
    return {topic.name for topic in SPINE[: last + 1]}


def _stage(nodes: Sequence[Node], source: Topic[Any], target: Topic[Any]) -> Node:
    for node in nodes:
        if source in node.reads and target in node.writes:
            return node
    raise LookupError(f"pipeline.toml: no stage makes {target.name} of {source.name}")


def _passed(stage: str, message: Message) -> Step:
    """What a record of the spine says of the stage that made it."""
    match message:
        case Candidate():
            return Step(stage, "passed", "worth reading", message.why)
        case Article():
            dated = f"{message.published} (from the {message.published_source})" if message.published else "not dated"
            flags = f", {', '.join(message.flags)}" if message.flags else ""
            return Step(
                stage, "passed", f"{message.language or 'no language'}, {dated}, {len(message.text)} characters{flags}", message.why
            )
        case Unique():
            what = f"a copy of {message.copy_of}, overlap {message.overlap:.2f}" if message.copy_of else "an original"
            edit = f", edit {message.revision.number}" if message.revision else ""
            return Step(stage, "passed", f"{what}{edit}, origin {message.origin or 'not credited'}", message.why)
        case Translated():
            translation = message.translation
            return Step(stage, "passed", f"engine {translation.engine}: {', '.join(translation.flags) or 'whole'}")
        case Tagged():
            says = f"{'relevant' if message.relevant else 'not relevant'}, score {message.score:.2f}, {len(message.mentions)} mentions"
            return Step(stage, "passed", says, message.why, message.mentions)
    raise TypeError(f"no record of the spine: {type(message).__name__}")


def _ended(held: Held, node: Node, target: Topic[Any], message: Message, *, recompute: bool) -> Step:
    """Why there is nothing of `message` on the stage's `target`."""
    version = version_of(message) or message.id
    seen = held.dropped.get((node.name, version))
    if seen is not None:
        return _dropped(node.name, seen)
    letter = held.dead.get((node.name, version))
    if letter is not None:
        return Step(node.name, "dead", f"it failed ({letter.kind}): {letter.exception}: {letter.message}")
    if (node.name, version) in held.waiting:
        return Step(
            node.name, "waiting", f"not read yet: {held.waiting[node.name, version]} records before this stage, this one among them"
        )
    if not isinstance(node.work, Stage):
        return Step(node.name, "waiting", "taken in and not given out yet: it is in this stage's queue")
    outs = list(node.work.process(message, Overlay(Nothing()))) if recompute else []
    drop = next((out for out in outs if isinstance(out, Drop)), None)
    if drop is not None:
        return _dropped(node.name, drop, recomputed=True)
    if outs:
        says = (
            f"nothing on {target.name}, and no reason is kept; asked again from an empty memory the stage lets it through, so it was ended "
            "for what the stage remembered (seen before, unchanged), or by an earlier version of it"
        )
        return Step(node.name, "lost", says, recomputed=True)
    return Step(node.name, "lost", f"nothing on {target.name}, and no reason is kept")


def _dropped(stage: str, drop: Drop, *, recomputed: bool = False) -> Step:
    why = Why(stage=stage, rule=drop.reason, cue=drop.cue)
    says = f"{drop.reason}: {drop.cue}" if drop.cue else drop.reason
    return Step(stage, "dropped", says, (why,), recomputed=recomputed)


def _story_steps(held: Held, node: Node, tagged: Tagged, recency_hours: float, *, recompute: bool) -> Iterable[Step]:
    """The story that the article went to, the stories that it recalls, and whether anybody was told."""
    identity, trace = tagged.unique.article.id, tagged.trace
    stories: list[Story] = held.messages[STORIES.name]
    own = [story for story in stories if any(part.article_id == identity for part in story.articles)]
    caused = [story for story in own if story.trace == trace]
    recalled = {story.id: story for story in stories if story.trace == trace and story not in own}
    for story in recalled.values():
        yield Step(node.name, "passed", f"story {story.id}, version {story.version}, is recalled: {story.event_line}", story.why)
    if not own:
        if not recalled:
            yield _ended(held, node, STORIES, tagged, recompute=recompute)
        else:
            yield Step(node.name, "quiet", "it recalls what is known and reports no news: nothing to tell")
        return
    if caused:
        yield Step(node.name, "passed", _placed(caused[-1]), tuple(why for why in caused[-1].why if why.rule != QUIET))
    else:
        yield Step(node.name, "passed", f"{_placed(own[-1])}; the version that it made is no longer kept, nor why it went there")
    yield from _told(held, node.name, own[-1].id, caused, trace, recency_hours)


def _placed(story: Story) -> str:
    return f"story {story.id}, version {story.version}, {story.origins} origins: {story.event_line}"


def _told(held: Held, stage: str, story: str, caused: Sequence[Story], trace: str, recency_hours: float) -> Iterable[Step]:
    alerts = [alert for alert in held.messages[ALERTS.name] if alert.trace == trace and alert.story == story]
    yield from _alert_steps(held, stage, alerts, recency_hours)
    if alerts:
        return
    silent = tuple(why for one in caused[-1:] for why in one.why if why.rule == QUIET)
    others = [alert.id for alert in held.messages[ALERTS.name] if alert.story == story]
    told = f"; its story was told through other articles: {', '.join(others[-3:])}" if others else ""
    if silent:
        yield Step(stage, "quiet", f"told to nobody: {silent[0].cue}{told}", silent)
    else:
        yield Step(stage, "lost", f"no alert of this article is kept, and no reason for silence is recorded{told}")


def _alert_steps(held: Held, stage: str, alerts: Iterable[Alert], recency_hours: float) -> Iterable[Step]:
    for alert in alerts:
        old = too_old(alert, held.judged_at.get(alert.id, alert.seen_at), recency_hours) if alert.realm == "live" else None
        letters = "; ".join(f"{sink} failed: {letter.message}" for (sink, about), letter in held.dead.items() if about == alert.id)
        says = f"alert {alert.id}, {alert.change}: {alert.change_text}{f' ({letters})' if letters else ''}"
        if old is not None:
            yield Step(stage, "stale", f"{says}; in the archive, told to nobody: {_OLD[old]}", alert.why, recomputed=True)
        else:
            yield Step(stage, "told", says, alert.why)


def shows(alert: Alert, story: str, part: StoryArticle) -> bool:
    """Whether this is the article that the alert of that story was told through."""
    return alert.story == story and (alert.source, alert.url, alert.title) == (part.source, part.url, part.title)


def _remembered(held: Held, identity: str, stage: str, recency_hours: float) -> Account:
    """An article of which only its line in a story is left."""
    found = [(story, part) for story in held.messages[STORIES.name] for part in story.articles if part.article_id == identity]
    story, part = found[-1]
    alerts = [alert for alert in held.messages[ALERTS.name] if shows(alert, story.id, part)]
    says = f"{_placed(story)}; what the stages before decided is no longer kept"
    steps = [Step(stage, "passed", says), *_alert_steps(held, stage, alerts, recency_hours)]
    if not alerts:
        steps.append(Step(stage, "lost", "no alert of this article is kept, and no reason for silence"))
    return Account(identity, None, part.title, part.source, part.url, None, tuple(steps))


_OLD = {"stale": "too old to be news when the channels were asked", "backlog": "undated, and in its feed before the feed was first read"}
