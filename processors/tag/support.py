"""What holds up a sentence that names one side only: another, near by, that names both.

In a short report the sentences around say enough of what a "he" or "the shipment" is.  A long article wanders: a passage on Russia's war
does not become one on the DPRK because another, twenty sentences off, was.  So there a sentence of one side must stand beside one of both.
"""

from itertools import pairwise

import numpy as np

from processors.tag.features import Vector
from processors.tag.reading import Reading, Sent
from tumen.messages import EventType

LONG = 12  # sentences from which an article wanders
BEFORE, AFTER = 2, 1  # how far off, in sentences, what is spoken of may have been named; how far it may yet be
UNSUPPORTED = 3.0  # logits
LINKED = 1.5  # logits: what is handed over or who goes where ties the sides, whatever else the article is about
ELSEWHERE = 1.5  # logits: a third state takes the place of the side that is not named


def supported(reading: Reading, relevance: Vector) -> Vector:
    """The relevance of each sentence, less where nothing near by says that it is about both sides."""
    sents = reading.sents
    full = np.array([_names_both(sent) for sent in sents])
    if len(sents) < LONG or not full.any():
        return relevance
    logits = np.log(np.clip(relevance, 1e-4, 1 - 1e-4) / (1 - np.clip(relevance, 1e-4, 1 - 1e-4)))
    for index, sent in enumerate(sents):
        if sent.place == "title":
            continue
        if full[index]:
            logits[index] += LINKED * _passes(sent)
        elif not full[max(0, index - BEFORE) : index + AFTER + 1].any():
            logits[index] -= UNSUPPORTED
        elif _elsewhere(sent):
            logits[index] -= ELSEWHERE
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _names_both(sent: Sent) -> bool:
    """Whether both sides are named, or the DPRK's people where the other side's war is."""
    return sent.both or ("dprk" in sent.sides and any(hit.entity.stand_in or hit.entity.id == "ukraine" for hit in sent.hits))


def _elsewhere(sent: Sent) -> bool:
    """Whether one side and a third state are named, and nothing stands for the other side."""
    stands = sent.has("pair", "dprk" if "russia" in sent.sides else "russia") or any(h.kind == "weak" for h in sent.hits)
    return len(sent.sides) == 1 and not stands and any(h.entity.side is None and h.entity.kind == "state" for h in sent.hits)


def _passes(sent: Sent) -> bool:
    """Whether goods or people pass between the sides: given or got, or gone to the other side's town; a list ties nobody."""
    if not sent.both or sent.has("listing", "drills", "sport"):
        return False
    if sent.has("give", "receive", "origin") and any(f"strong:{event}" in sent.kinds for event in _GOODS):
        return True
    towns = [hit for hit in sent.hits if hit.kind == "metonym" or hit.entity.kind == "place"]
    return "strong:visit" in sent.kinds and any(0 <= town.start - cue.end <= 2 for town in towns for cue in sent.of("to"))


def linked(sent: Sent) -> bool:
    """Whether what the sentence says ties the sides: something passes, one greets the other, both do one thing and nobody else does."""
    if not sent.both or sent.has("listing", "sport", "history"):
        return False
    told = {event for event in EventType if f"strong:{event}" in sent.kinds}
    alone = not sent.names["third"] and bool(told & _SHARED) and _side_by_side(sent)
    return _passes(sent) or sent.has("greets") or alone or told >= _EVADED


def _side_by_side(sent: Sent) -> bool:
    """Whether the sides are named one after the other, a small word between them: "Russia and North Korea will ..."."""
    named = [hit for hit in sent.hits if hit.entity.side and not hit.entity.agency and hit.kind != "weak"]
    return any(a.entity.side != b.entity.side and b.start - a.end <= _BESIDE for a, b in pairwise(named))


_GOODS = (EventType.ARMS, EventType.TROOPS, EventType.TECHNOLOGY, EventType.ENERGY, EventType.LABOUR)
_SHARED = {EventType.TRADE, EventType.MILITARY, EventType.TREATY, EventType.TRANSPORT, EventType.VISIT, EventType.DIPLOMACY}
_EVADED = {EventType.SANCTIONS, EventType.FINANCE}  # whose bank is punished for whose accounts
_BESIDE = 10  # characters
