"""What is worth telling: a new story, then only material changes.  Pure, and apart from the matching.

`decide(story, log, now, rules)` compares what the articles of a story say with what its readers have been told.  A copy brings nothing;
nor does a rewrite, a number written differently, or anything that stood deep in an article before it reached a title.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from processors.stories.conflicts import conflicts, words
from processors.stories.matching import alike
from processors.stories.model import Log, Notification, Part, StoryState, Told
from processors.stories.signature import key_of
from tumen.ids import alert_id
from tumen.messages import Actor, ChangeKind, EventType, Evidence, Frozen, Mention, Quantity

MAX_EVIDENCE = 3
DAY = timedelta(hours=24)

#: Most important first: the first of several changes names the alert.
ORDER: tuple[ChangeKind, ...] = ("denial", "confirmation", "quantity", "event", "actor", "origins")
ALWAYS: frozenset[ChangeKind] = frozenset({"denial", "confirmation"})


class Rules(Frozen):
    """`deep_score`: how central to its article must be what stands neither in its title nor in its lead, before a story is told for it.
    `origins`: the thresholds that speak.

    `a_day`: how many changes of one story are told in 24 hours, denials and confirmations aside; the rest wait for its next article.
    """

    deep_score: float = 0.9
    origins: tuple[int, ...] = (3, 10)
    a_day: int = 4


class _Fact(NamedTuple):
    """Something an article says.  `material`: it stands where it counts, so that it is told if it is new."""

    change: ChangeKind
    key: str
    material: bool
    mention: Mention
    words: str
    number: float | None = None


class _Change(NamedTuple):
    fact: _Fact
    part: Part


def decide(story: StoryState, log: Log, now: datetime, rules: Rules) -> Notification | None:
    """The one thing to tell of `story` now, or None.  Its `log` is what readers will know once it is told."""
    if not log.told:
        worth = [part for part in story.parts if part.opens or part.score >= rules.deep_score]
        return _first(story, max(worth, key=lambda part: (part.opens, part.score)), now, rules) if worth else None
    found = {change.fact.key: change for change in reversed(list(_changes(story, log, rules)))}  # of each change the first to tell it
    changes = [change for change in reversed(found.values()) if _may_speak(change.fact.change, log, now, rules)]
    if not changes:
        return None
    changes.sort(key=lambda change: ORDER.index(change.fact.change))
    kind, part, mention = changes[0].fact.change, changes[0].part, changes[0].fact.mention
    details = tuple(sorted({change.fact.key for change in changes}))
    told = _known(log, [change.fact for change in changes], _level(story, rules) if "origins" in {c.fact.change for c in changes} else 0)
    return _notification(story, kind, details, "; ".join(dict.fromkeys(c.fact.words for c in changes)), part, mention, told, now)


def silence(story: StoryState, now: datetime, rules: Rules) -> str:
    """Why `decide` has nothing to tell of `story` now, in words."""
    if not story.log.told:
        best = max(part.score for part in story.parts)
        return f"it stands in no title and no lead, and is not central enough to be told from deeper: {best:.2f} of {rules.deep_score:.2f}"
    waiting = dict.fromkeys(change.fact.change for change in _changes(story, story.log, rules))
    held = [change for change in waiting if not _may_speak(change, story.log, now, rules)]
    if held:
        return f"{rules.a_day} changes of its story were told within 24 hours: {', '.join(held)} waits for its next article"
    return "nothing material that the readers of its story have not been told"


def _first(story: StoryState, part: Part, now: datetime, rules: Rules) -> Notification:
    """A new story, told through its most central article; everything its articles say is known from then on."""
    mention = part.mentions[0]
    facts = [fact for one in story.parts for fact in _facts(one, story.event)]
    text = "New story" + _attributed(mention)
    return _notification(story, "new", (), text, part, mention, _known(story.log, facts, _level(story, rules)), now)


def _notification(
    story: StoryState, kind: ChangeKind, details: tuple[str, ...], text: str, part: Part, mention: Mention, log: Log, now: datetime
) -> Notification:
    disagreements = [words(conflict) for conflict in conflicts(story.parts)]
    told = Told(id=alert_id(story.id, kind, details), change=kind, at=now)
    return Notification(
        change=kind,
        details=details,
        text=". ".join([text, *disagreements]),
        article_id=part.article.article_id,
        mention=mention,
        evidence=_evidence(part, mention),
        log=log.model_copy(update={"told": (*log.told, told)}),
    )


def _changes(story: StoryState, log: Log, rules: Rules) -> Iterable[_Change]:
    """Material facts that nobody knows, in the order of the articles; what stood deep in an earlier article counts as known."""
    known, numbers = set(log.facts), list(log.numbers)
    for part in story.parts:
        facts = _facts(part, story.event)
        for fact in facts:
            if fact.material and fact.key not in known and not (fact.number is not None and _is_known(fact.number, numbers)):
                yield _Change(fact, part)
        known.update(fact.key for fact in facts)
        numbers.extend(fact.number for fact in facts if fact.number is not None)
    if _level(story, rules) > log.level:
        part = story.parts[-1]
        text = f"Now from {len(story.origin_keys)} independent origins: {', '.join(origin_names(story))}"
        yield _Change(_Fact("origins", f"origins/{_level(story, rules)}", True, part.mentions[0], text), part)


def _facts(part: Part, event: EventType) -> list[_Fact]:
    """What one article adds to its story, whose event type is `event`.  A copy adds nothing."""
    if part.copy_:
        return []
    facts: list[_Fact] = []
    for mention in part.mentions:
        prominent, main = mention.id in part.prominent, mention.id == part.main
        happens = mention.stance not in ("denied", "negated")
        what = f"{mention.event}{_attributed(mention)}"
        facts.append(_Fact("event", f"event/{mention.event}", prominent and happens, mention, f"Now also {what}"))
        if mention.stance == "denied":
            material = prominent or mention.event == event
            facts.append(_Fact("denial", f"denial/{mention.event}", material, mention, f"Denied: {mention.event}{_by(mention)}"))
        if mention.stance == "asserted" and prominent:
            facts.append(_Fact("confirmation", f"asserted/{mention.event}", main and mention.event == event, mention, f"Confirmed: {what}"))
        if mention.quantity:
            facts.append(_number(mention, mention.quantity, prominent))
        facts.extend(_person(mention, actor, main) for actor in mention.actors if actor.kind == "person" and actor.side)
    return facts


def _number(mention: Mention, quantity: Quantity, material: bool) -> _Fact:
    text = f"New number: {quantity.text} ({mention.event}{_attributed(mention)})"
    return _Fact("quantity", f"number/{quantity.number:.3g}", material, mention, text, quantity.number)


def _person(mention: Mention, actor: Actor, material: bool) -> _Fact:
    return _Fact("actor", f"actor/{key_of(actor)}", material, mention, f"Now also involves {actor.name}")


def _is_known(number: float, numbers: Sequence[float]) -> bool:
    return any(alike(number, other) for other in numbers)


def _known(log: Log, facts: Iterable[_Fact], level: int) -> Log:
    facts = list(facts)
    return log.model_copy(
        update={
            "facts": tuple(dict.fromkeys([*log.facts, *(fact.key for fact in facts)])),
            "numbers": tuple(dict.fromkeys([*log.numbers, *(fact.number for fact in facts if fact.number is not None)])),
            "level": max(log.level, level),
        }
    )


def _may_speak(change: ChangeKind, log: Log, now: datetime, rules: Rules) -> bool:
    """Denials and confirmations always; the rest a few times a day, so that a story that everybody embroiders does not flood anybody."""
    if change in ALWAYS:
        return True
    recent = [told for told in log.told if told.change not in ALWAYS and told.change != "new" and now - told.at < DAY]
    return len(recent) < rules.a_day


def _level(story: StoryState, rules: Rules) -> int:
    return max((threshold for threshold in rules.origins if len(story.origin_keys) >= threshold), default=0)


def origin_names(story: StoryState) -> tuple[str, ...]:
    """A readable name for each independent origin that still has an article among the parts."""
    names: dict[str, str] = {}
    for part in story.parts:
        if not part.copy_:
            names.setdefault(part.origin_key, part.outlet)
    return tuple(names.values())


def _evidence(part: Part, mention: Mention) -> tuple[Evidence, ...]:
    """The sentence itself first, then what the same article says beside it: denials before the rest."""
    others = sorted((m for m in part.mentions if m.id != mention.id), key=lambda m: m.stance != "denied")
    found = {(m.evidence.in_, m.evidence.start): m.evidence for m in (mention, *others)}
    return tuple(found.values())[:MAX_EVIDENCE]


def _attributed(mention: Mention) -> str:
    """How an event is told, where that is not a plain assertion: ``, alleged by Seoul``."""
    return "" if mention.stance == "asserted" else f", {mention.stance}{_by(mention)}"


def _by(mention: Mention) -> str:
    says = mention.speaker.name if mention.speaker else mention.says
    return f" by {says}" if says else ""


__all__ = ["Rules", "decide", "origin_names", "silence"]
