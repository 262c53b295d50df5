"""Who says it where word order tells: Korean and Japanese put the verb last and mark the speaker, Chinese puts the speaker before the verb.

What is said is full of names, and they stand nearer to the verb than the one who says it; so the place in the sentence decides.
"""

import re
from itertools import pairwise

from processors.tag.lexicon import Cue
from processors.tag.reading import Sent
from processors.tag.says import Source, source_at, sources

_SAYING = ("report", "denied", "confirmed", "unanswered")
_REACH = 25  # characters between who stands behind a quotation and the verb
_PRONOUN = re.compile(r"(?:그|그녀|그들|彼|彼女)(?=[은는이가は])")
_ACCORDING = {
    "ko": re.compile(
        r"\s?(?:측|등)?(?:에 (?:따르면|의하면)|(?:으로|로)는|(?:을|를) 인용"
        r"|의 (?:판단|분석|주장|설명|평가|지적|전언|입장|추산)(?:이다|이었|이 나|도 나))"
    ),
    "ja": re.compile(r"(?:側|など)?(?:に(?:よると|よれば|よりますと)|の(?:間|話)では|の(?:情報|話)として)"),
}
_NAMED = {  # whoever is named so speaks, though no word for a source is known in it
    "ko": re.compile(r"[\w·-]{2,}(?=에 (?:따르면|의하면))"),
    "ja": re.compile(r"[\u30a0-\u30ff\u4e00-\u9fff々A-Za-z・＝]{2,20}(?=に(?:よると|よれば|よりますと))"),
}
_OFFICE = {
    "ko": re.compile(r"[\w·-]*(?:[가-힣]장|정상|지도자|대표|장관|총리|의원|서기|교수|대사)(?=[은는](?:\s|,))"),
    "ja": re.compile(r"[\u30a0-\u30ff\u4e00-\u9fff々・＝]+[相長省紙社院庁府](?=[はが])"),
}
_MARK = {
    "ko": re.compile(r"\s?(?:씨|측|등|궁|청)?(?:\([^)]{1,20}\))?([은는이가도])(?=[\s,(])"),
    "ja": re.compile(r"(?:氏|側|紙|など)?(?:（[^）]{1,20}）)?([はがも])"),
}
_TOPIC = "은는は"  # what the sentence is about speaks rather than what a clause in it has for a subject
_QUOTED = {
    "ko": re.compile(r"(?:[다라자냐]|[\"”’」]\s?(?:이?라)?)[\"”’」]?(?:고|며|면서),?\s(?:[^\s,고]{1,12}\s){0,3}$"),
    "ja": re.compile(r"と(?:して|し)?[、，][^、。は]{0,14}$"),
}
_KO_TAIL = re.compile(r"(?:궁|측|청|씨)(?=[은는이가도에])")
_KO_WORD = re.compile(r"[\w·-]+\s+$")
_KO_OTHER = re.compile(r"(?:[은는이가을를에의로와과서고며면한된던인간중때뒤후날달해]|\d일|앞서|한편|또|다만|현지|하지만)\s+$")
_JA_WORD = re.compile(r"[\u30a0-\u30ff\u4e00-\u9fff々A-Za-z・＝の]{1,24}$")
_JA_OTHER = re.compile(r"^(?:の|一方|また|同日|今回|今年|昨年|同国)+")
_JA_TAIL = re.compile(r"[側紙氏](?=[はがもにの])")
_CLAUSE = re.compile(r"[，,。；;：:！？“”「」『』（）()\n]")
_ZH_LATER = re.compile(r"(?:之?[前后後]|的|时|時|一事)(?![说說説称稱])")
_ZH_TAIL = re.compile(r"方面|当局|當局")
_ZH_LEAD = re.compile(
    r"^(?:根据|根據|据|據|而|但|不过|不過|另外|此外|其中|同日|当天|當天|随后|隨後|就|对此|對此|此前|日前|近日|\d+[日号月年])+"
)
_ZH_ADVERB = re.compile(r"(?:都|也|还|還|又|曾|则|則|就|再|已|均|一致|同时|同時)+$")
_ZH_ENDS = ("，", "：", ",", ":")
_ZH_OTHER = re.compile(r"[了在是有将將把被从從向对對给給为為由经經于於\d]")


def said_by_order(sent: Sent, language: str) -> Source | None:
    """The source of a sentence in Korean, Japanese or Chinese; None: nobody is quoted."""
    found = _before_verb(sent) if language == "zh" else _marked(sent, language)
    return source_at(sent, *found) if found else None


# --- Korean, Japanese ----------------------------------------------------------------------------------------------------------


def _marked(sent: Sent, language: str) -> tuple[int, int] | None:
    """Who a particle marks: "according to X" first, then who stands behind what is said, then the topic."""
    text = sent.text
    spans = [_whole(sent, source.start, source.end, language) for source in sources(sent, spaced=False)]
    for start, end in spans:
        if _ACCORDING[language].match(text, end):
            return start, end
    named = _NAMED[language].search(text)
    if named:
        return _whole(sent, named.start(), named.end(), language)
    spans = sorted({*spans, *(_whole(sent, m.start(), m.end(), language) for m in _OFFICE[language].finditer(text))})
    verbs = [cue.start for cue in sent.cues if cue.kind in _SAYING]
    if not verbs:
        return None
    marked = [(span, match.group(1)) for span in spans if span[0] < verbs[-1] and (match := _MARK[language].match(text, span[1]))]
    behind = [span for span, _ in marked if _QUOTED[language].search(text[: span[0]]) and verbs[-1] - span[1] < _REACH]
    if behind:
        return behind[-1]
    topics = [span for span, mark in marked if mark in _TOPIC] or [span for span, _ in marked]
    return topics[0] if topics else None


def _whole(sent: Sent, start: int, end: int, language: str) -> tuple[int, int]:
    """A source from the start of its phrase, without the particle that a pronoun was found with."""
    text = sent.text
    pronoun = _PRONOUN.match(text, start)
    if pronoun:
        return start, pronoun.end()
    if language == "ja":
        before = _JA_WORD.search(text, 0, start)
        lead = before.start() if before else start
        other = _JA_OTHER.match(text[lead:start])
        tail = _JA_TAIL.match(text, end)
        return (lead + (other.end() if other else 0)), (tail.end() if tail else end)
    while start and text[start - 1].isalnum():
        start -= 1
    for _ in range(3):
        word = _KO_WORD.search(text, 0, start)
        if word is None or _KO_OTHER.search(word.group()):
            break
        start = word.start()
    tail = _KO_TAIL.match(text, end)
    return start, tail.end() if tail else end


# --- Chinese -------------------------------------------------------------------------------------------------------------------


def _before_verb(sent: Sent) -> tuple[int, int] | None:
    """Whoever opens the clause of the first verb of saying; an agency gives way to whom it quotes."""
    text = sent.text
    spans = [s for s in sources(sent, spaced=False) if not (s.start and text[s.start] in "他她" and text[s.start - 1] in "其吉")]
    bounds = [0, *(match.end() for match in _CLAUSE.finditer(text)), len(text) + 1]
    first = None
    for cue in sent.cues:
        if cue.kind not in (*_SAYING, "alleged") or _ZH_LATER.match(text, cue.end):
            continue
        clause = next(start for start, end in pairwise(bounds) if start <= cue.start < end)
        inside = [s for s in spans if clause <= s.start <= cue.start and s.end <= cue.end and (s.start, s.end) != (cue.start, cue.end)]
        if not inside and clause and cue.start - clause <= 3:  # "the minister met the press, saying": who opened the sentence goes on
            inside = [s for s in spans[:1] if s.end < clause]
            clause = 0
        if not inside:
            first = first or _subject(text, clause, cue)
            continue
        if cue.kind == "alleged" and not _could_speak(sent, inside[0], cue):
            continue
        found = _phrase(text, clause, inside[0].start, inside[0].end)
        if inside[0].voice != "media":
            return found
        first = first or found
    return first


def _subject(text: str, clause: int, cue: Cue) -> tuple[int, int] | None:
    """Whatever opens a clause that ends with a verb of saying: "one of them recalls, ..."."""
    lead = _ZH_LEAD.match(text[clause : cue.start])
    start = clause + (lead.end() if lead else 0)
    subject = _ZH_ADVERB.sub("", text[start : cue.start]).strip()
    ended = text[cue.end - 1 : cue.end] in _ZH_ENDS or text[cue.end : cue.end + 1] in _ZH_ENDS
    if cue.kind != "report" or not ended or not 2 <= len(subject) <= 20 or _ZH_OTHER.search(subject):
        return None
    return start, start + len(subject)


def _could_speak(sent: Sent, source: Source, cue: Cue) -> bool:
    """Whether a claim is somebody's: a word for a source stands near before it."""
    return cue.start - source.end <= 6 and any(
        c.kind in ("source", "intelligence") and source.start <= c.start < source.end for c in sent.cues
    )


def _phrase(text: str, clause: int, start: int, end: int) -> tuple[int, int]:
    """A source from the start of its clause, unless something else than its attributes opens it."""
    lead = _ZH_LEAD.match(text[clause:start])
    opening = clause + (lead.end() if lead else 0)
    before = text[opening:start]
    if before != before.lstrip() or (len(before) <= 8 and not _ZH_OTHER.search(before)):
        start = opening + len(before) - len(before.lstrip())
    tail = _ZH_TAIL.match(text, end)
    return start, tail.end() if tail else end
