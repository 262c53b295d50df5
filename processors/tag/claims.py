"""A sentence that is about the relationship, asked on: which events it states, in which stance, in which direction; as numbers.

Rows hold classes only (see `features`).  Rows of one event have a part shared by all events and a part of its own, so that a rare event
learns from the frequent ones: `spread` puts a vector into the shared block, the block of its group, and the event's own few columns.
"""

import re

import numpy as np

from processors.tag.features import EVENTS, KINDS, Matrix, Vector, side
from processors.tag.lexicon import Cue
from processors.tag.order import said_by_order
from processors.tag.reading import SOLID, Reading, Sent
from processors.tag.says import Source, says
from tumen.text.words import UNSPACED
from tumen.watch import Hit

GROUPS: dict[str, int] = {
    **dict.fromkeys(("arms", "technology", "energy", "trade", "finance", "cyber"), 0),
    **dict.fromkeys(("troops", "labour"), 1),
    **dict.fromkeys(("visit", "society", "transport", "incident"), 2),
    **dict.fromkeys(("treaty", "military", "diplomacy", "sanctions"), 3),
}
VOICES = ("russia", "dprk", "third", "intelligence", "media", "none")
STANCES = ("asserted", "alleged", "denied", "planned", "negated")
DIRECTIONS = ("to_russia", "to_dprk", "mutual", "none")
_CLAUSE = re.compile(r",(?!\d)|[;:()«»\"“”—–、，；]|\s-\s")


# --- which events --------------------------------------------------------------------------------------------------------------


def event_rows(reading: Reading) -> list[Matrix]:
    """For each sentence 16 rows, one an event: its words here, in the title, before, in the whole article; the other events' words."""
    sents, size = reading.sents, len(EVENTS)
    if not sents:
        return []
    strong = np.array([sent.strong for sent in sents], dtype=np.float32)
    weak = np.array([sent.weak for sent in sents], dtype=np.float32)
    none = np.zeros((1, size), dtype=np.float32)
    here, faint = strong > 0, weak > 0
    title = np.broadcast_to(here[0] if reading.title is not None else none[0] > 0, strong.shape)
    before, second = (np.vstack([*[none] * back, strong])[: len(sents)] > 0 for back in (1, 2))
    whole = np.broadcast_to(here.mean(0), strong.shape)
    empty = np.broadcast_to(~here.any(1, keepdims=True), strong.shape)
    own = [
        np.minimum(strong, 1),
        np.minimum(strong, 3) / 3,
        np.minimum(weak, 1),
        here / np.maximum(1, here.sum(1, keepdims=True)),
        title,
        before,
        second,
        whole,
        empty & title,
        empty & before,
        empty * whole,
        empty & faint,
        here & title,
        here & (strong == strong.max(1, keepdims=True)),
    ]
    about = np.array([_about(sent) for sent in sents], dtype=np.float32)  # the same for every event
    kinds = np.array([[float(kind in sent.kinds) for kind in _EVENT_KINDS] for sent in sents], dtype=np.float32)
    width = 6 + about.shape[1]
    single = np.concatenate(
        [
            np.stack([np.ones_like(strong), here, faint, title, before], axis=2),
            np.broadcast_to(about[:, None, :3], (len(sents), size, 3)),
            empty[:, :, None],
            np.broadcast_to(about[:, None, 3:], (len(sents), size, about.shape[1] - 3)),
        ],
        axis=2,
    )
    rows = np.zeros((len(sents), size, len(own) + size * (width + size + len(_EVENT_KINDS))), dtype=np.float32)
    rows[:, :, : len(own)] = np.stack(own, axis=2)
    for number in range(size):  # each event has its own copy of the columns
        at = len(own)
        for block, wide in ((single[:, number], width), (0.6 * here, size), (0.5 * kinds, len(_EVENT_KINDS))):
            rows[:, number, at + number * wide : at + (number + 1) * wide] = block
            at += size * wide
    return list(rows)


def _about(sent: Sent) -> list[float]:
    """Who is named, and who meets whom, in the numbers that an event's own columns begin with."""
    r, d = side(sent, "russia"), side(sent, "dprk")
    return [r * d, float("russia:stand" in sent.names or "ukraine" in sent.names), d * (1 - r), *meets(sent)]


_EVENT_KINDS = (
    "give", "receive", "visit_to", "host", "mutual", "relation", "report", "pair", "continue", "denied", "planned", "tests", "war",
)  # fmt: skip


def meets(sent: Sent) -> list[float]:
    """Whether people of both sides are named, people of one and a town of the other, and whether anybody goes anywhere."""
    people = {h.entity.side for h in sent.hits if h.entity.side and (h.entity.kind == "person" or h.kind == "office")}
    towns = {h.entity.side for h in sent.hits if h.entity.side and (h.entity.kind == "place" or h.kind == "metonym")}
    return [float(len(people) == 2), float(any(towns - {side} for side in people)), float(sent.has("visit_to", "host"))]


def with_carry(rows: Matrix, before: Vector, around: Vector) -> Matrix:
    """The event rows with what the first model thought of the sentence before and of the article, for the second."""
    empty = rows[:, 8:12].sum(1) > 0
    more = np.stack([before, around, before * empty, around * empty], axis=1)
    return np.hstack([rows, more.astype(np.float32)])


# --- in which stance -----------------------------------------------------------------------------------------------------------


def clause_of(sent: Sent, event: str) -> tuple[int, int]:
    """The clause that holds the event's words; the whole sentence if they stand in several or in none."""
    if event not in sent.clauses:
        sent.clauses[event] = _clause(sent, event)
    return sent.clauses[event]


def _clause(sent: Sent, event: str) -> tuple[int, int]:
    marks = [cue for cue in sent.cues if cue.kind == f"strong:{event}"] or [cue for cue in sent.cues if cue.kind == f"weak:{event}"]
    if not marks:
        return 0, len(sent.text)
    bounds = [0, *(m.end() for m in _CLAUSE.finditer(sent.text)), len(sent.text)]
    start = max(b for b in bounds if b <= marks[0].start)
    end = min((b for b in bounds if b >= marks[-1].end), default=len(sent.text))
    return (start, end) if marks[-1].end - start < 160 else (start, min((b for b in bounds if b >= marks[0].end), default=end))


_STANCE_KINDS = (
    "report", "source", "intelligence", "alleged", "conditional", "rumour", "unanswered", "confirmed", "denied", "negated", "negation",
    "planned", "future", "possible", "background", "give", "receive", "visit_to", "host", "mutual", "pair", "continue",
)  # fmt: skip


def stance_row(reading: Reading, index: int, event: str) -> Vector:
    """One row: the cues of the event's clause, of the sentence, of those around it and the title; whose word it is."""
    sent = reading.sents[index]
    start, end = clause_of(sent, event)
    inside = [cue for cue in sent.cues if start <= cue.start < end]
    near = {cue.kind for cue in inside}
    before = reading.sents[index - 1] if index else None
    source = voice_of(reading, index)
    own_voice = voice_row(source)
    r, d = side(sent, "russia"), side(sent, "dprk")
    here = [float(kind in sent.kinds) for kind in _STANCE_KINDS]
    there = [float(kind in near) for kind in _STANCE_KINDS]
    title = reading.title
    above = [float(title is not None and kind in title.kinds) for kind in _CONTEXT]
    last = [float(before is not None and kind in before.kinds) for kind in _CONTEXT]
    whole = [reading.share(kind) for kind in _CONTEXT]
    denied, negation, planned = sent.has("denied"), sent.has("negation"), sent.has("planned", "future")
    third = own_voice[2] or own_voice[3]
    own = own_voice[0] or own_voice[1]
    crossed = [
        float(denied) * own,
        float(denied) * third,
        float(planned) * own,
        float(planned) * third,
        float(sent.has("report")) * third,
        float(sent.has("report")) * own,
        float(negation and sent.has("report")) * own,
        float(negation and not sent.has("report")),
        float(not sent.has("report", "alleged", "conditional", "planned", "future", "denied")),
        float("future" in near and "report" not in near),
        float(bool(reading.dates(index))),
        float(_order(inside, "negation", f"strong:{event}")),
        float(r == 0 and d == 0),
        float(any(h.kind == "weak" for h in sent.hits)),
        float("?" in sent.text or "？" in sent.text),
    ]
    first = next((h for h in sent.hits if h.kind in SOLID), None)
    leads = first.entity.side or "third" if first is not None and not first.entity.agency else "nobody"
    who = [float(leads == which) for which in ("russia", "dprk", "third")]
    who += [float(name in sent.names) for name in (*_WITNESSES, "third")]
    who += [reading.named_share(name) for name in _WITNESSES]
    base = np.array([*here, *there, *above, *last, *whole, *own_voice, *crossed, *who], dtype=np.float32)
    short = [sent.has("planned", "future"), third, denied, negation, sent.has("report")]
    return spread(base, event, short=np.array(short, dtype=np.float32))


def stance_prior(sent: Sent, event: str) -> Vector:
    """What plain words say before anything is learnt, in logits of `STANCES`: rumour, "did not happen", denial and plan are rare in labels
    but clear in language.  The sizes were chosen where labelled pages lose nothing and plain sentences of our own gain.
    """
    start, end = clause_of(sent, event)
    rumours = sent.of("rumour")
    own = [cue for cue in sent.cues if not any(r.start <= cue.start < r.end for r in rumours)]  # "not confirmed" negates no event
    near = {cue.kind for cue in own if start <= cue.start < end}
    prior = np.zeros(len(STANCES), dtype=np.float32)
    prior[STANCES.index("alleged")] = (1.0 if sent.has("denied") else 3.0) * bool(rumours)  # rumours are also what is denied
    prior[STANCES.index("negated")] = 2.5 * ("negated" in near)
    prior[STANCES.index("denied")] = 1.0 * ("denied" in near)
    prior[STANCES.index("planned")] = 0.3 * ("planned" in near) + 0.3 * ("future" in near)
    return prior


_WITNESSES = ("russia:agency", "dprk:agency", "third:agency", "south-korea", "united-states", "ukraine")
_CONTEXT = ("alleged", "denied", "planned", "future", "intelligence", "conditional", "report", "negation")


def voice_of(reading: Reading, index: int, near: int | None = None) -> Source | None:
    """Who is quoted in a sentence, or for what stands at offset `near`."""
    if (index, near) not in reading.voices:
        sent = reading.sents[index]
        ordered = reading.language in UNSPACED
        reading.voices[index, near] = said_by_order(sent, reading.language) if ordered else says(sent, spaced=True, near=near)
    return reading.voices[index, near]


def voice_row(source: Source | None) -> list[float]:
    return [float(source is not None and source.voice == voice) for voice in VOICES]


def _order(cues: list[Cue], first: str, second: str) -> bool:
    """Whether a cue of the first kind stands before one of the second."""
    at = next((cue.start for cue in cues if cue.kind == first), None)
    return at is not None and any(cue.kind == second and cue.start > at for cue in cues)


# --- in which direction --------------------------------------------------------------------------------------------------------


def direction_row(reading: Reading, index: int, event: str) -> Vector:
    """One row: who is named first, whom the verbs of giving and going lead to, here and in the title."""
    title = reading.title
    here = _ways_of(reading, index)
    above = _ways_of(reading, 0) if title is not None else [0.0] * len(here)
    before = _ways_of(reading, index - 1) if index else [0.0] * len(here)
    base = np.array([*here, *(0.5 * x for x in above), *(0.5 * x for x in before)], dtype=np.float32)
    return spread(base, event, short=np.array(here[:_SHORT], dtype=np.float32))


_SHORT = 14
_MOVED = ("arms", "troops", "technology", "energy", "trade", "labour")


def direction_prior(sent: Sent, event: str) -> Vector:
    """What plain words say of the way, in logits of `DIRECTIONS`: what comes out of one side goes to the other, whoever speaks of it;
    a letter goes from who is named first to the other.
    """
    prior = np.zeros(len(DIRECTIONS), dtype=np.float32)
    giver = None
    if event in _MOVED and not sent.has("mutual", "visit_to"):
        marks = sent.of("origin")
        left = {h.entity.side for h in sent.hits if _homes(h) and any(m.start < h.start <= m.end + 1 for m in marks)}
        giver = left.pop() if len(left) == 1 else None
    elif event == "diplomacy" and sent.has("greets") and not sent.has("receive", "mutual", "origin"):
        named = [h.entity.side for h in sent.hits if h.entity.side and not h.entity.agency and h.kind != "weak"]
        giver = named[0] if len(set(named)) == 2 else None
    if giver is not None:
        prior[DIRECTIONS.index("to_russia" if giver == "dprk" else "to_dprk")] = 2.0
    return prior


def _homes(hit: Hit) -> bool:
    """Whether a name is a side's own or its capital's; what comes from a front or a port may be of either."""
    return hit.entity.kind == "state" and hit.kind in ("name", "metonym")


def _ways_of(reading: Reading, index: int) -> list[float]:
    if index not in reading.ways:
        reading.ways[index] = _ways(reading.sents[index], reading.language)
    return reading.ways[index]


def _ways(sent: Sent, language: str) -> list[float]:
    hits = [h for h in sent.hits if h.entity.side and not h.entity.agency and (h.kind in SOLID or h.kind == "weak")]
    russia = [h for h in hits if h.entity.side == "russia"]
    dprk = [h for h in hits if h.entity.side == "dprk"]
    first = hits[0].entity.side if hits else None
    goal = {"russia": 0.0, "dprk": 0.0}
    origin = {"russia": 0.0, "dprk": 0.0}
    behind = language in ("ko", "ja")
    marks = [cue for cue in sent.cues if cue.kind in ("to", "from")]
    for hit in hits:
        beside = [cue for cue in marks if (0 <= cue.start - hit.end <= 1 if behind else 0 <= hit.start - cue.end <= 2)]
        for cue in beside:
            if any(other.start == cue.start and other.end > cue.end for other in beside):
                continue  # 에 is a part of 에서
            (goal if cue.kind == "to" else origin)[str(hit.entity.side)] = 1.0
    give, receive = sent.has("give"), sent.has("receive")
    go, host = sent.has("visit_to"), sent.has("host")
    mutual = sent.has("mutual")
    f_r, f_d = float(first == "russia"), float(first == "dprk")
    places = {h.entity.side for h in hits if h.entity.kind == "place"} | {h.entity.side for h in hits if h.kind == "metonym"}
    people = {h.entity.side for h in hits if h.entity.kind == "person" or h.kind == "office"}
    return [
        goal["russia"],
        goal["dprk"],
        origin["russia"],
        origin["dprk"],
        f_r * give,
        f_d * give,
        f_r * receive,
        f_d * receive,
        f_r * go,
        f_d * go,
        float("russia" in places),
        float("dprk" in places),
        float("russia" in people),
        float("dprk" in people),
        f_r,
        f_d,
        f_r * host,
        f_d * host,
        float(bool(russia)),
        float(bool(dprk)),
        float(bool(russia) and bool(dprk)),
        float(give),
        float(receive),
        float(go),
        float(host),
        float(mutual),
        float(sent.has("pair")),
        float(sent.names["pair"] > 0),
        float(sent.names["ukraine"] > 0),
        float(sent.names["russia:stand"] > 0),
        float(sent.names["dprk:stand"] > 0),
        float(sent.has("visit_to") and "russia" in places),
        float(sent.has("visit_to") and "dprk" in places),
        float(people == {"russia"} and "dprk" in places),
        float(people == {"dprk"} and "russia" in places),
        float(len(people) == 2),
        *(float(f"strong:{e}" in sent.kinds) for e in ("arms", "technology", "troops", "energy", "visit", "diplomacy")),
    ]


def spread(base: Vector, event: str, short: Vector) -> Vector:
    """A vector in the shared block, in its group's block, the event itself, and the event's own copy of the `short` columns."""
    groups = np.zeros((4, len(base)), dtype=np.float32)
    groups[GROUPS[event]] = 0.6 * base
    single = np.zeros((len(EVENTS), len(short) + 1), dtype=np.float32)
    single[list(EVENTS).index(event)] = [1.0, *(0.6 * short)]  # type: ignore[arg-type]
    return np.concatenate([base, groups.ravel(), single.ravel()])


assert set(_STANCE_KINDS) <= set(KINDS)
