"""What an article states about the relationship: its mentions, from the models' opinions and the words around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.tag.actors import actors_of, place_of, speaker_of
from processors.tag.claims import DIRECTIONS, STANCES, clause_of, direction_prior, meets, voice_of
from processors.tag.features import EVENTS, Matrix, Vector
from processors.tag.lexicon import Cue
from processors.tag.model import TagModel
from processors.tag.reading import Reading, Sent
from processors.tag.support import linked, supported
from processors.tag.syntax import direction_by_parse, said_by
from tumen.ids import mention_id
from tumen.messages import Actor, Direction, EventType, Evidence, Mention, Quantity, Role, Stance, Translation, When, Why
from tumen.text.dates import DateHit, parse_partial, resolve
from tumen.text.numbers import Number
from tumen.text.things import thing_of
from tumen.text.words import UNSPACED
from tumen.watch import Watch

SENTENCE = 0.5  # least probability of a sentence that is a mention
EVENT = 0.45  # least probability of a further event in it
MEETING = 0.3  # ... of a visit, where people of both sides are named
OCCASION = 60  # characters between "anniversary of" and what is remembered; a third of it in scripts without spaces
BEHIND = ("ko", "ja", "zh")  # an occasion, or "the day after", stands behind what it is the occasion of
RELEVANT = 0.5  # least score of a relevant article: the score is calibrated, so more likely than not
SURE = 0.7  # least probability of a sentence on both sides that makes an article relevant by itself
TIED = 0.25  # ... where what it says ties them
FRESH = 21  # days: what happened longer before the publication is recalled, not news


@dataclass(frozen=True)
class Claim:
    """One (sentence, event) before it becomes a mention."""

    index: int
    event: EventType
    probability: float
    stance: Stance
    direction: Direction
    role: Role
    when: When | None


@dataclass(frozen=True)
class Verdict:
    """What an article came to."""

    mentions: tuple[Mention, ...]
    relevant: bool
    score: float
    why: tuple[Why, ...]


def judge(reading: Reading, article: str, model: TagModel, watch: Watch, translation: Translation | None = None) -> Verdict:
    """Everything `tag` says about an article that was read."""
    if not reading.sents:
        return Verdict((), False, 0.0, (Why(stage="tag", rule="empty"),))
    relevance = supported(reading, model.relevance(reading))
    score = model.score(relevance, reading.title is not None)
    if any(sent.both and relevance[index] >= (TIED if linked(sent) else SURE) for index, sent in enumerate(reading.sents)):
        score = max(score, RELEVANT)  # one clear sentence is enough, however long the article
    relevant = score >= RELEVANT
    top = int(relevance.argmax())
    why = Why(stage="tag", rule="relevant" if relevant else "irrelevant", cue=_told(reading.sents[top], score))
    if not relevant:
        return Verdict((), False, score, (why,))
    events = _without_occasions(reading, model.events(reading))
    chosen = [i for i in range(len(reading.sents)) if relevance[i] >= SENTENCE] or [top]
    claims = [claim for i in chosen for claim in _claims(reading, i, relevance, events, model)]
    main = _main(reading, claims, watch)
    mentions = [_mention(reading, claim, claims, article, watch, translation, main=claim is main) for claim in claims]
    return Verdict(tuple(mentions), True, score, (why,))


def _claims(reading: Reading, index: int, relevance: Vector, events: Matrix, model: TagModel) -> list[Claim]:
    """The events of one sentence, the likeliest first."""
    order = np.argsort(-events[index])
    people = meets(reading.sents[index])[0]
    picked = [int(n) for n in order if events[index][n] >= (MEETING if people and EVENTS[n] == "visit" else EVENT)] or [int(order[0])]
    claims = []
    for number in picked:
        event = EVENTS[number]
        stance = _stance(reading, index, STANCES[int(model.stance_of(reading, index, event).argmax())])
        hints = direction_prior(reading.sents[index], event) + direction_by_parse(reading, index, event)
        ways = np.log(model.direction_of(reading, index, event) + 1e-6) + hints
        direction = DIRECTIONS[int(ways.argmax())]
        hit = date_for(reading, index, event)
        when = When(text=hit.text, date=resolve(hit, reading.published, future=stance == "planned")) if hit else None
        probability = float(relevance[index] * events[index][number])
        claims.append(Claim(index, event, probability, stance, direction, role_of(reading, index, event, when), when))  # type: ignore[arg-type]
    return claims


def _without_occasions(reading: Reading, events: Matrix) -> Matrix:
    """The event probabilities where a treaty that is only remembered hands its share to diplomacy, there and where that is gone on with."""
    treaty, diplomacy = EVENTS.index(EventType.TREATY), EVENTS.index(EventType.DIPLOMACY)
    shifted, before = events.copy(), False
    for index, sent in enumerate(reading.sents):
        before = _only_occasion(reading, index, "treaty") or (before and not any(sent.strong))
        if before:
            shifted[index][diplomacy] = max(events[index][diplomacy], events[index][treaty])
            shifted[index][treaty] = 0.0
    return shifted


def _only_occasion(reading: Reading, index: int, event: str) -> bool:
    """Whether the event is named only as what another is held for: "a message for the anniversary of the treaty"."""
    sent = reading.sents[index]
    marks = [cue for cue in sent.cues if cue.kind == f"strong:{event}"]
    occasions = [cue for cue in sent.cues if cue.kind == "occasion"]
    reach = OCCASION if reading.language not in UNSPACED else OCCASION // 3
    behind = reading.language in BEHIND

    def belongs(mark: Cue, occasion: Cue) -> bool:
        gap = mark.start - occasion.end if not behind else occasion.start - mark.end
        return 0 <= gap <= reach or 0 <= occasion.start - mark.end <= 2

    return bool(marks) and all(any(belongs(mark, occasion) for occasion in occasions) for mark in marks)


def _stance(reading: Reading, index: int, stance: str) -> str:
    """What a side itself confirms is asserted; what a headline hangs on a third party ("Kiev: ...") is alleged."""
    sent = reading.sents[index]
    source = voice_of(reading, index)
    if stance == "alleged" and source is not None and source.voice in ("russia", "dprk") and sent.has("confirmed"):
        return "asserted"
    first = sent.hits[0] if sent.hits else None
    if stance == "asserted" and first is not None and first.start == 0 and first.entity.side is None and not first.entity.agency:
        return "alleged" if sent.text[first.end : first.end + 2].strip().startswith(":") else stance
    return stance


def date_for(reading: Reading, index: int, event: str) -> DateHit | None:
    """The date of an event: in its clause, else anywhere in the sentence; the one nearest to its words."""
    dates = reading.dates(index)
    if not dates:
        return None
    sent = reading.sents[index]
    start, end = clause_of(sent, event)
    inside = [d for d in dates if start <= d.start < end]
    marks = [cue.start for cue in sent.cues if cue.kind == f"strong:{event}"] or [start]
    return min(inside or dates, key=lambda d: min(abs(d.start - mark) for mark in marks))


# --- news or recalled ------------------------------------------------------------------------------------------------------------


def role_of(reading: Reading, index: int, event: str, when: When | None) -> Role:
    """News, unless it is dated long before the article, or told as recalled beside the words of the event."""
    sent = reading.sents[index]
    if sent.place == "title":
        return "news"
    age = _age(when.date if when else None, reading.published)
    if age is not None:
        return "background" if age > FRESH else "news"
    lead = 1 if reading.title is not None else 0
    if index > lead and _dates_another(sent, event, reading.language):
        return "background"
    start, end = clause_of(sent, event)
    recalled = [cue for cue in sent.of("background") if start <= cue.start < end and not _dated_by(sent, event, cue)]
    dated = [cue for cue in recalled if any(d.start < cue.end and cue.start < d.end for d in reading.dates(index))]
    if index <= lead and not dated:
        return "news"
    return "background" if recalled else "news"


def _dates_another(sent: Sent, event: str, language: str) -> bool:
    """Whether the event's words are there to say when something else was: first after "a day after", where that stands before them, or
    all of them before "the day after", where the language puts it behind.
    """
    marks = [cue for cue in sent.cues if cue.kind == f"strong:{event}"]
    if not marks:
        return False
    cues = sent.of("after")
    if language in BEHIND:
        return any(0 <= cue.start - max(mark.end for mark in marks) <= OCCASION // 6 for cue in cues)
    return any(0 <= marks[0].start - cue.end <= OCCASION for cue in cues)


def _dated_by(sent: Sent, event: str, recalled: Cue) -> bool:
    """Whether a word of recalling belongs to "a day after", which only dates the event that stands before it."""
    marks = [cue.end for cue in sent.of(f"strong:{event}")]
    after = [cue for cue in sent.of("after") if cue.start <= recalled.start <= cue.end + 1]
    return bool(marks) and any(max(marks) <= cue.start for cue in after)


def _age(date: str | None, published: str | None) -> float | None:
    """Days from the end of a partial date to the publication; None if one of them is not known well enough to tell."""
    year, month, day = parse_partial(date)
    now_year, now_month, now_day = parse_partial(published)
    if year is None or now_year is None:
        return None
    if month is None:
        return 365.0 * (now_year - year) - 180 if year < now_year else None
    if now_month is None:
        return None
    if day is None:
        months = (now_year - year) * 12 + now_month - month
        return 30.0 * months - 9 if months > 0 else 0.0
    return 365.0 * (now_year - year) + 30.4 * (now_month - month) + (now_day or 15) - day


# --- the main mention ------------------------------------------------------------------------------------------------------------

_CONCRETE = {"visit": 0.9, "treaty": 0.5, "incident": 0.5, "troops": 0.4, "arms": 0.3, "diplomacy": -0.2, "military": -0.2}


def _main(reading: Reading, claims: Sequence[Claim], watch: Watch) -> Claim | None:
    """What the article reports first and foremost: news, high up, sure; a concrete event with people of both sides before closeness."""
    news = [claim for claim in claims if claim.role == "news"]
    if not news:
        return None
    lead = 1 if reading.title is not None else 0
    told = {event: sum(c.event == event for c in news) for event in {c.event for c in news}}

    def weight(claim: Claim) -> float:
        sent = reading.sents[claim.index]
        height = 1.2 if sent.place == "title" else 0.8 if claim.index == lead else 0.4 / (claim.index - lead)
        people = {a.side for a in actors_of(reading, claim.index, watch) if a.kind == "person"} & {"russia", "dprk"}
        meeting = 0.5 * len(people) if claim.event == "visit" and claim.index <= lead + 1 else 0.0
        return height + 1.5 * claim.probability + _CONCRETE.get(claim.event, 0.0) + meeting + 0.15 * told[claim.event]

    return max(news, key=weight)


# --- mentions ----------------------------------------------------------------------------------------------------------------------


def _mention(
    reading: Reading, claim: Claim, claims: Sequence[Claim], article: str, watch: Watch, translation: Translation | None, *, main: bool
) -> Mention:
    sent = reading.sents[claim.index]
    start, _ = clause_of(sent, claim.event)
    source = said_by(reading, claim.index, claim.event, voice_of(reading, claim.index, near=start))
    quantity = quantity_for(reading, claim.index, claim.event)
    actors = tuple(_people(reading, claim, claims, watch, main=main))
    when = claim.when or (_borrowed(claim, claims) if main else None)
    info = watch.events[claim.event]
    return Mention(
        id=mention_id(article, claim.event, sent.place, sent.start),
        event=claim.event,
        direction=claim.direction,
        stance=claim.stance,
        role=claim.role,
        says=sent.text[source.start : source.end] if source else None,
        speaker=speaker_of(sent, source) if source else None,
        actors=actors,
        place=place_of(reading, claim.index) or (_place_before(reading, claim, claims) if main else None),
        quantity=_quantity(sent, quantity, reading.language) if quantity else None,
        when=when,
        evidence=Evidence.model_validate(
            {"in": sent.place, "text": sent.text, "start": sent.start, "end": sent.end, "translation": _english(sent, translation)}
        ),
        confidence=min(1.0, max(0.0, claim.probability)),
        main=main,
        plover=info.coded(claim.stance, claim.direction, claim.role, sent.kinds),
        msmt=info.msmt,
        why=tuple(_reasons(sent, claim)),
    )


def _people(reading: Reading, claim: Claim, claims: Sequence[Claim], watch: Watch, *, main: bool) -> list[Actor]:
    """The sentence's actors; a side without one, where the sentence goes on about what was said, is filled from the claims before.

    The main mention also takes in who the other news mentions of its event name: a headline leaves half of them out.
    """
    found = actors_of(reading, claim.index, watch)
    sent = reading.sents[claim.index]
    wanting = {"russia", "dprk"} - {actor.side for actor in found if actor.kind == "person"}
    if not wanting or not (main or sent.has("continue", "pair")):
        return found or _states(watch)
    others = sorted({c.index for c in claims if c.index < claim.index}, reverse=True)
    if main:
        others += sorted({c.index for c in claims if c.index > claim.index and c.event == claim.event and c.role == "news"})
    for index in others:
        for actor in actors_of(reading, index, watch):
            if actor.kind == "person" and actor.side in wanting and all(actor.name != known.name for known in found):
                found.append(actor)
        wanting -= {actor.side for actor in found if actor.kind == "person"}
        if not wanting or (not main and index < claim.index - 2):
            break
    return found or _states(watch)


def _states(watch: Watch) -> list[Actor]:
    """The two states: whoever is not named, it is between them."""
    return [
        Actor(name=entity.name, qid=entity.qid, side=entity.side, kind="state")
        for side in watch.sides.values()
        if (entity := watch.by_id.get(side.state)) is not None
    ]


def _borrowed(claim: Claim, claims: Sequence[Claim]) -> When | None:
    """When the main event was, as another news mention of it tells."""
    same = [c.when for c in claims if c.event == claim.event and c.role == "news" and c.when is not None]
    dated = [when for when in same if when.date is not None]
    return next(iter(dated or same), None)


def _place_before(reading: Reading, claim: Claim, claims: Sequence[Claim]) -> str | None:
    for other in claims:
        if other.event == claim.event and other.role == "news":
            place = place_of(reading, other.index)
            if place is not None:
                return place
    return None


_MEASURES = ("m", "km", "mi", "ha", "h", "%")  # how long, far, wide: arms and soldiers are counted otherwise


def quantity_for(reading: Reading, index: int, event: str) -> Number | None:
    """The quantity of an event: a counted thing or a unit in its clause, nearest to its words; bare small numbers are none."""
    sent = reading.sents[index]
    start, end = clause_of(sent, event)
    numbers = [n for n in reading.numbers(index) if start <= n.start < end and (n.unit or n.item or n.value >= 100)]
    numbers = [n for n in numbers if n.value >= 3 or n.unit not in (None, "d", "y", "months")]
    if event in ("arms", "troops"):
        numbers = [n for n in numbers if n.unit not in _MEASURES]
    if not numbers:
        return None
    marks = [cue.start for cue in sent.cues if cue.kind == f"strong:{event}"] or [start]
    return min(numbers, key=lambda n: min(abs(n.start - mark) for mark in marks))


def _quantity(sent: Sent, number: Number, language: str) -> Quantity:
    text, thing = sent.text[number.start : number.end], thing_of(number.item, language)
    return Quantity(text=text, number=number.value, unit=number.unit, item=number.item, thing=thing)


def _english(sent: Sent, translation: Translation | None) -> str | None:
    """The sentence's English, if the translation has it."""
    if translation is None:
        return None
    for one in translation.sentences:
        if one.where == sent.place and one.start < sent.end and sent.start < one.end and one.source.strip() == sent.text.strip():
            return one.english
    if sent.place == "title" and translation.engine != "none" and translation.title:
        return translation.title
    return None


def _reasons(sent: Sent, claim: Claim) -> list[Why]:
    """Which cues stood for the event, and which for the stance."""
    cues: list[Cue] = [cue for cue in sent.cues if cue.kind in (f"strong:{claim.event}", f"weak:{claim.event}")]
    event = ", ".join(sent.text[cue.start : cue.end] for cue in cues[:3])
    reasons = [Why(stage="tag", rule=f"event:{claim.event}", cue=event or "carried from the sentences around")]
    kinds = {"alleged": ("alleged", "conditional", "rumour", "intelligence", "report"), "denied": ("denied", "negation")}
    kinds |= {"planned": ("planned", "future", "possible"), "negated": ("negated", "negation")}
    stance = [sent.text[c.start : c.end] for c in sent.cues if c.kind in kinds.get(claim.stance, ("confirmed", "report"))]
    reasons.append(Why(stage="tag", rule=f"stance:{claim.stance}", cue=", ".join(stance[:3])))
    return reasons


def _told(sent: Sent, score: float) -> str:
    return f"{score:.2f}: {sent.text[:120]}"
