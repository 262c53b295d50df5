"""Who acts in a mention: people, offices, organisations and states, as the watch knows them; who is not named is taken from before.

An office stands for who held it when the article appeared (Belousov in November 2024, Shoigu in 2023); without a date it stays an office.
"""

import re
from typing import Literal

from processors.tag.lexicon import fold
from processors.tag.reading import Reading, Sent
from processors.tag.says import Source
from tumen.messages import Actor
from tumen.watch import Entity, Hit, Watch

MOST = 8
_CAPITAL = r"[A-ZÀ-ÖØ-ÞŚŁŻŹĆА-ЯЁЄІЇҐ]"
_NAME = re.compile(rf"{_CAPITAL}[\w'’-]+(?:\s+{_CAPITAL}[\w'’.-]*){{1,2}}")
_BESIDE = 3  # characters between an office and the name of its holder
_BREAK = re.compile(r"[,;:.()«»“”\"—–]")
_ROLE = re.compile(
    r"(?i)\b(?:(?:vice[- ]?)?minist|(?:vice[- ]?)?pr[eé]sident|premier|gouverneur|governor|ambassad|envoy|[eé]missaire|spokes|porte-parole"
    r"|deputy|d[eé]put[eé]|senator|s[eé]nateur|g[eé]n[eé]ral\b|marshal|mar[eé]chal|colonel|commander|commandant|chair|chef|chief|head"
    r"|direct(?:or|eur|rice)|secr[eé]ta|diploma|official|responsable|counsel|conseill|advis)"
)
_TITLE_WORDS = 10  # a longer stretch beside a name is a clause, not a title


def actors_of(reading: Reading, index: int, watch: Watch, span: tuple[int, int] | None = None) -> list[Actor]:
    """The actors of one sentence, people first; `span` keeps to a clause of it."""
    sent = reading.sents[index]
    found: dict[str, Actor] = {}
    for hit in sent.hits:
        if span is not None and not (span[0] <= hit.start < span[1]):
            continue
        for actor in _actors(sent, hit, reading.published, watch):
            found.setdefault(actor.name, actor)
    for actor in _unknown(reading, index, span):
        found.setdefault(actor.name, actor)
    order = {"person": 0, "organisation": 1, "state": 2, "place": 3}
    return sorted(found.values(), key=lambda actor: order[actor.kind])[:MOST]


def _actors(sent: Sent, hit: Hit, published: str | None, watch: Watch) -> list[Actor]:
    entity = hit.entity
    if entity.agency or entity.kind == "place":
        return []
    if hit.kind != "office" and entity.id not in watch.offices:
        if hit.kind == "weak" and entity.kind != "person":
            return []
        return [_actor(entity)]
    named = _named_beside(sent, hit)
    if named is not None:
        return [named]
    holder = watch.holder(entity.id, published) if entity.id in watch.offices else None
    if holder is not None:
        return [_actor(holder)]
    return [Actor(name=entity.name, qid=entity.qid, side=entity.side, kind="person")]


def speaker_of(sent: Sent, source: Source) -> Actor | None:
    """Who a source is: a name that is all of it, or a person named at its end ("Kremlin spokesman X").

    A name inside it is another's: "the Russian embassy in Seoul" is not Seoul, "the Japanese press" not Japan.
    """
    inside = [hit for hit in sent.hits if source.start <= hit.start and hit.end <= source.end + _ENDING]
    for hit in inside:
        if hit.kind in ("demonym", "weak", "pair") or hit.entity.kind == "place":
            continue
        whole = len(inside) == 1 and hit.start - source.start <= _ARTICLE and abs(source.end - hit.end) <= _ENDING
        if whole or (hit.entity.kind == "person" and hit.kind == "name" and hit.end == source.end):
            return _actor(hit.entity)
    return None


_ARTICLE, _ENDING = 4, 2  # characters: "the ", "'s"


def _actor(entity: Entity) -> Actor:
    return Actor(name=entity.name, qid=entity.qid, side=entity.side, kind=entity.kind)


def _named_beside(sent: Sent, hit: Hit) -> Actor | None:
    """The person named right after an office: one the watch knows, or an official it does not, kept as written."""
    for other in sent.hits:
        if other.entity.kind == "person" and other.entity.id != hit.entity.id and 0 <= other.start - hit.end <= _BESIDE:
            return _actor(other.entity)
    match = _NAME.match(sent.text, hit.end + len(sent.text[hit.end :]) - len(sent.text[hit.end :].lstrip(" ,")))
    if match and not any(h.start < match.end() and match.start() < h.end for h in sent.hits):
        return Actor(name=match.group(), side=hit.entity.side, kind="person")
    return None


def _unknown(reading: Reading, index: int, span: tuple[int, int] | None) -> list[Actor]:
    """Officials the watch does not know, where a trained pipeline sees a name and a side's title stands beside it."""
    sent = reading.sents[index]
    found = []
    for start, end in reading.people(index):
        if (span is not None and not (span[0] <= start < span[1])) or any(h.start < end and start < h.end for h in sent.hits):
            continue
        name = sent.text[start:end]
        side = _side_beside(sent, start, end)
        if side is not None and _NAME.match(name):
            found.append(Actor(name=name, side=side, kind="person"))
    return found


def _side_beside(sent: Sent, start: int, end: int) -> Literal["russia", "dprk"] | None:
    """The one side in the title before a name ("Russian resources minister X") or in apposition after it ("X, Russia's minister")."""
    before = _BREAK.split(sent.text[:start].rstrip(" ,"))[-1]
    last = len(sent.text[:start].rstrip(" ,"))
    spans = [(last - len(before), last)]
    if sent.text[end : end + 1] == ",":
        spans.append((end + 1, end + 1 + len(_BREAK.split(sent.text[end + 1 :])[0])))
    for left, right in spans:
        words = sent.text[left:right]
        role = _ROLE.search(words)
        sides = {h.entity.side for h in sent.hits if left <= h.start and h.end <= right and h.kind in ("demonym", "name", "office")}
        if role and len(words.split()) <= _TITLE_WORDS and len(sides) == 1:
            return sides.pop()
    return None


def place_of(reading: Reading, index: int) -> str | None:
    """Where it happens: a place by name, or a capital that stands behind a word of place ("a Pyongyang")."""
    sent = reading.sents[index]
    for hit in sent.hits:
        if hit.entity.kind == "place":
            return hit.entity.name
    for hit in sent.hits:
        if hit.kind == "metonym":
            words = [cue for cue in sent.cues if cue.kind in ("to", "from")]
            near = [cue for cue in words if 0 <= hit.start - cue.end <= 2 or 0 <= cue.start - hit.end <= 1]
            if near or any(cue.kind == "visit_to" and cue.start <= hit.start <= cue.end + 1 for cue in sent.cues):
                capital = CAPITALS.get(hit.entity.id)
                if capital is not None and _is_capital(hit):
                    return capital
    return None


CAPITALS = {"north-korea": "Pyongyang", "russia": "Moscow"}
_KREMLIN = ("krem", "cremlin", "кремл", "크렘린", "クレムリン", "克里姆林", "克宫", "điện")


def _is_capital(hit: Hit) -> bool:
    """The Kremlin is no town."""
    return not fold(hit.alias).startswith(_KREMLIN)
