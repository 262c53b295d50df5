"""A sentence of a `Reading` as numbers: who is named, which classes of cues stand in it, what stands around it.

Only classes are seen here, never words, so that what is learnt in one language holds in another.  `sentence_rows` is for the question
whether a sentence states something about the relationship; `event_rows`, `stance_rows` and `direction_rows` ask on about those that do.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from processors.tag.reading import Reading, Sent
from tumen.messages import EventType
from tumen.watch.cues import CLASSES

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]

EVENTS = tuple(EventType)
_RULES_READ = ("occasion", "after", "origin", "greets", "phone")  # `mentions` and the watch read these, the models do not
KINDS = tuple(kind for kind in CLASSES if kind not in _RULES_READ)
THIRDS = ("united-states", "south-korea", "ukraine", "china", "japan")
NAMES = (
    "russia:solid", "dprk:solid", "russia:stand", "dprk:stand", "russia:weak", "dprk:weak", "russia:agency", "dprk:agency", "pair", "third",
)  # fmt: skip


def side(sent: Sent, which: str) -> float:
    """How surely a side is named: 1 by name, .7 by a stand-in, .4 weakly, else 0."""
    names = sent.names
    if f"{which}:solid" in names:
        return 1.0
    if f"{which}:stand" in names:
        return 0.7
    return 0.4 if f"{which}:weak" in names or which in sent.kinds else 0.0


def strong(sent: Sent) -> list[str]:
    """The events whose strong words stand here."""
    return [event for event, count in zip(EVENTS, sent.strong, strict=True) if count]


def sentence_rows(reading: Reading) -> Matrix:
    """One row a sentence (the title included, first)."""
    sents = reading.sents
    if not sents:
        return np.zeros((0, len(sentence_names())), dtype=np.float32)
    r = np.array([side(s, "russia") for s in sents], dtype=np.float32)
    d = np.array([side(s, "dprk") for s in sents], dtype=np.float32)
    both = r * d
    rows = []
    for index, sent in enumerate(sents):
        before, after = sents[max(0, index - 1)], sents[min(len(sents) - 1, index + 1)]
        rows.append(
            [
                *_own(sent, r[index], d[index]),
                *_around(reading, index, r, d, both),
                float(before.has("relation", "pair")) if index else 0.0,
                float(after.has("relation", "pair")),
            ]
        )
    return np.array(rows, dtype=np.float32)


def _own(sent: Sent, r: float, d: float) -> list[float]:
    names, kinds = sent.names, sent.kinds
    events = strong(sent)
    weak = sum(count > 0 for count in sent.weak)
    third = names.get("third", 0)
    b = r * d
    troops = float("troops" in events)
    relation = float(sent.has("relation"))
    transfer = float(sent.has("give", "receive"))
    one = float(max(r, d) > 0 and b == 0)
    return [
        *(min(names.get(key, 0), 2) for key in NAMES),
        *(float(key in names) for key in THIRDS),
        *(float(kind in kinds) for kind in KINDS),
        *(float(count > 0) for count in sent.strong),
        min(len(events), 4) / 2,
        min(weak, 4) / 2,
        r,
        d,
        b,
        b * relation,
        b * float(bool(events)),
        b * float(sent.has("pair")),
        b * min(third, 3),
        b * transfer,
        b * float(sent.has("listing")),
        b * float(sent.has("give", "receive", "mutual", "visit_to", "host", "to", "from", "relation", "pair")),
        one * relation,
        one * float(bool(events)),
        d * troops * (1 - r),
        d * float("ukraine" in names) * (1 - r),
        d * float("south-korea" in names) * (1 - r),
        r * float("south-korea" in names) * (1 - d),
        d * float("united-states" in names) * (1 - r),
        r * float("ukraine" in names) * (1 - d),
        r * float("united-states" in names) * (1 - d),
        r * float("china" in names) * (1 - d),
        d * float("china" in names) * (1 - r),
        r * troops * (1 - d),
        float(r == 0 and d == 0),
        float(r == 0 and d == 0 and third > 0),
        float(r == 0 and d == 0 and sent.has("pair")),
        float(r == 0 and d == 0 and sent.has("continue")),
        float(r == 0 and d == 0 and bool(events)),
        min(len(sent.text), 300) / 150,
    ]


def _around(reading: Reading, index: int, r: Vector, d: Vector, both: Vector) -> list[float]:
    sents = reading.sents
    titled = reading.title is not None
    first = 1 if titled else 0
    others = [i for i in range(len(sents)) if i != index]
    share = max(1, len(others))
    near = max((both[i] for i in (index - 1, index - 2) if i >= 0), default=0.0)
    title_events = set(strong(sents[0])) if titled else set()
    shared = len(title_events & set(strong(sents[index])))
    alone = float(r[index] == 0 and d[index] == 0)
    return [
        float(titled and index == 0),
        float(index == first),
        r[0] if titled else 0.0,
        d[0] if titled else 0.0,
        both[0] if titled else 0.0,
        float(min(shared, 2)),
        sum(both[i] for i in others) / share,
        max((both[i] for i in others), default=0.0),
        sum(r[i] for i in others) / share,
        sum(d[i] for i in others) / share,
        float(near),
        r[index - 1] if index else 0.0,
        d[index - 1] if index else 0.0,
        r[index] * (d[index - 1] if index else 0.0),
        d[index] * (r[index - 1] if index else 0.0),
        r[index] * (d[0] if titled else 0.0) * (1 - d[index]),
        d[index] * (r[0] if titled else 0.0) * (1 - r[index]),
        alone * (both[0] if titled else 0.0),
        alone * float(near),
        alone * (sum(both[i] for i in others) / share),
        min(index, 10) / 10,
        min(len(sents), 20) / 20,
    ]


_COMPUTED = (
    "events", "weak", "r", "d", "both", "both*relation", "both*event", "both*pair", "both*third", "both*transfer",
    "both*listing", "both*predicate", "one*relation", "one*event", "d*troops", "d*ukraine", "d*rok", "r*rok", "d*us",
    "r*ukraine", "r*us", "r*china", "d*china", "r*troops", "alone", "alone*third", "alone*pair", "alone*continue",
    "alone*event", "length", "title", "first", "title_r", "title_d", "title_both", "title_event", "share_both", "any_both",
    "share_r", "share_d", "near", "before_r", "before_d", "r*before_d", "d*before_r", "r*title_d", "d*title_r", "alone*title",
    "alone*near", "alone*share", "position", "count", "before_relation", "after_relation",
)  # fmt: skip


def sentence_names() -> list[str]:
    """What the columns of `sentence_rows` are, for those who train and those who explain."""
    return [
        *NAMES,
        *THIRDS,
        *KINDS,
        *(f"strong:{event}" for event in EVENTS),
        *_COMPUTED,
    ]


def with_neighbours(rows: Matrix, opinion: Sequence[float] | Vector) -> Matrix:
    """The rows, with the first model's opinion (0..1) of this sentence, of those around it and of the article."""
    p = np.asarray(opinion, dtype=np.float32)
    if not len(p):
        return np.zeros((0, rows.shape[1] + len(NEIGHBOURS)), dtype=np.float32)
    pad = np.concatenate([[0.0, 0.0], p, [0.0, 0.0]]).astype(np.float32)
    size = len(p)
    highest = np.full(size, p.max(), dtype=np.float32)
    ordered = np.sort(p)[::-1]
    running = np.concatenate([[0.0], np.maximum.accumulate(p)[:-1]])
    logit = np.log(np.clip(p, 1e-3, 1 - 1e-3) / (1 - np.clip(p, 1e-3, 1 - 1e-3))) / 4
    more = np.stack(
        [
            logit,
            pad[1 : size + 1],
            pad[:size],
            pad[3 : size + 3],
            pad[4 : size + 4],
            np.full(size, p[0]),
            highest,
            np.full(size, ordered[min(1, size - 1)]),
            np.full(size, p.mean()),
            running,
        ],
        axis=1,
    )
    return np.hstack([rows, more.astype(np.float32)])


NEIGHBOURS = ("own", "before1", "before2", "after1", "after2", "title", "highest", "second", "mean", "running")
