"""Who says it: the source of a sentence, as a span of it, and on which side that source stands.

A source is a run of source nouns ("spokesman", "officials"), names and capitalised words that a cue of reporting is next to.
"""

import re
from typing import Literal, NamedTuple

from processors.tag.lexicon import Cue
from processors.tag.reading import SOLID, Sent

Voice = Literal["russia", "dprk", "third", "intelligence", "media", "none"]
NEAR = 60  # characters between a source and its verb
_NAMES = re.compile(r"(?:\s+(?:[A-ZÀ-ÖØ-ÞА-ЯЁЄІЇҐŚŁŻŹĆ][\w'’-]*\w\.?|(?:de|von|van|di|del|della|der)\s+[A-ZÀ-ÖØ-Þ][\w'’-]*))+")
_REST = re.compile(r"[\w'’-]*\w")
_WORD = re.compile(r"[\w'’-]+")
_STOPS = re.compile(r"[;:!?«»\"“”()\n]|[,、，]")


class Source(NamedTuple):
    """Offsets in the sentence, and whose voice it is."""

    start: int
    end: int
    voice: Voice


def sources(sent: Sent, *, spaced: bool) -> list[Source]:
    """Every span of the sentence that could be quoted, in order."""
    spans: list[tuple[int, int, set[str]]] = []
    for cue in sent.cues:
        if cue.kind in ("source", "intelligence"):
            spans.append((cue.start, cue.end, {cue.kind}))
    for hit in sent.hits:
        if hit.kind in SOLID or hit.kind == "weak":
            label = "media" if hit.entity.agency else hit.entity.side or "third"
            spans.append((hit.start, hit.end, {label, "adjective"} if hit.kind == "demonym" else {label}))
    spans.sort(key=lambda span: (span[0], -span[1]))
    merged: list[tuple[int, int, set[str]]] = []
    for start, end, labels in spans:
        if merged and _one_phrase(sent.text[merged[-1][1] : start], spaced=spaced):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2] | labels)
        else:
            merged.append((start, end, set(labels)))
    found = []
    for start, end, labels in merged:
        if "adjective" in labels and not labels & {"source", "intelligence"} and not _stands_alone(sent, start, end):
            continue  # "North Korean" says nothing by itself
        tail = _NAMES.match(sent.text, end) if spaced else None
        end = tail.end() if tail else end
        if spaced:
            rest = _REST.match(sent.text, end)
            end = rest.end() if rest else end
        found.append(Source(start, end, _voice(labels)))
    return found


def source_at(sent: Sent, start: int, end: int) -> Source:
    """The source that a stretch of the sentence is, whoever is named in it."""
    labels = {cue.kind for cue in sent.cues if cue.kind in ("source", "intelligence") and start <= cue.start < end}
    for hit in sent.hits:
        if (hit.kind in SOLID or hit.kind == "weak") and start <= hit.start < end:
            labels.add("media" if hit.entity.agency else hit.entity.side or "third")
    return Source(start, end, _voice(labels))


_PARTICLES = ("은", "는", "이", "가", "は", "が", "을", "를", "を", "说", "称", "对", "對", "向")


def _stands_alone(sent: Sent, start: int, end: int) -> bool:
    """Whether a span that holds an adjective holds a name too."""
    return any(h.kind != "demonym" and start <= h.start and h.end <= end for h in sent.hits)


def _one_phrase(gap: str, *, spaced: bool) -> bool:
    """Whether what stands between two parts leaves them one phrase: nothing, or a small word or two."""
    if not spaced:
        return len(gap) <= 1 and not _STOPS.search(gap) and gap.strip() not in _PARTICLES
    if _STOPS.search(gap):
        return False
    words = _WORD.findall(gap)
    return len(words) <= 1 and len(gap) <= 14 and all(len(word) <= 10 for word in words)


def _voice(labels: set[str]) -> Voice:
    """Intelligence is nobody's word but its own; a side speaks for itself; the rest is a third party or the press."""
    if "intelligence" in labels:
        return "intelligence"
    for label in ("third", "russia", "dprk", "media"):
        if label in labels:
            return label
    return "none"


def says(sent: Sent, *, spaced: bool, near: int | None = None) -> Source | None:
    """The source of the sentence, or of what stands at offset `near`; None: nobody is quoted."""
    reports = [cue for cue in sent.cues if cue.kind in ("report", "denied", "alleged", "confirmed", "unanswered")]
    if not reports:
        return None
    candidates = sources(sent, spaced=spaced)
    best: tuple[float, Source] | None = None
    for source in candidates:
        for cue in reports:
            if cue.start < source.end and source.start < cue.end and (cue.end <= source.end or cue.start < source.start):
                continue  # the cue is a part of the source, or the source of the cue
            score = _fit(sent, source, cue)
            if near is not None:
                score -= min(abs(cue.start - near), 200) / 200
            if best is None or score > best[0]:
                best = (score, source)
    return best[1] if best is not None and best[0] > 0 else None


def _fit(sent: Sent, source: Source, cue: Cue) -> float:
    """How well a source suits a cue of reporting: near, in one clause, a verb of saying rather than a claim."""
    before = source.start <= cue.start
    gap = sent.text[source.end : max(cue.start, source.end)] if before else sent.text[cue.end : source.start]
    if len(gap) > NEAR:
        return -1.0
    weight = {"report": 3.0, "denied": 2.0, "alleged": 1.2, "confirmed": 1.5, "unanswered": 1.5}[cue.kind]
    score = weight - len(gap) / 20 - 1.0 * len(_STOPS.findall(gap))
    if source.voice == "none":
        score += 0.2
    return score + (0.1 if before else 0.0)
