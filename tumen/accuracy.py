"""``tumen eval``: how well the tagging does on labelled articles, per language and in all, with 95 % bootstrap intervals.

The articles take the stages of the pipeline from a clean article on (`tag`), beside a plain filter: "names both sides".  Labels marked
unsure count half.  A mention is right when its sentence and event are labelled; stance, direction, who says it, quantity and date are
judged on the pairs that were found.  The directions of sanctions and diplomacy were labelled loosely and are left out.  The relevance score
is held to its word: Brier score, expected calibration error over `BINS` equal bins, and how often articles of each bin are relevant.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tumen.gold import Gold, align
from tumen.messages import Article, Mention, Tagged, Translated, Translation, Unique
from tumen.watch import Watch

ROUNDS = 1000
BINS = 10  # of the relevance score, for its calibration
LEAST = 10  # classes with fewer labelled mentions are left out of the macro average
LONG = {
    "pair precision": "(sentence, event) precision",
    "pair recall": "(sentence, event) recall",
    "pair F1": "(sentence, event) F1 = event micro-F1",
}
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

Counts = dict[str, float]
Tagger = Callable[[Translated], Tagged]


@dataclass
class Judged:
    """One article: what is labelled, and what was found.  `counts` are sums that add up over articles to every figure below.

    `strangers`: how many people the mentions name that the watch does not know.
    """

    gold: Gold
    relevant: bool
    score: float
    filtered: bool
    strangers: int = 0
    counts: Counts = field(default_factory=dict)


def report(judged: Sequence[Judged], *, as_json: bool = False) -> str:
    """The figures of judged articles, per language and in all."""
    codes = sorted({j.gold.language for j in judged})
    figures = {code: figures_of([j for j in judged if j.gold.language == code]) for code in codes}
    figures["all"] = figures_of(judged)
    return json.dumps(figures, ensure_ascii=False, indent=1) if as_json else table(figures)


def judge(gold: Gold, tag: Tagger, watch: Watch) -> Judged:
    """Tag one labelled article and compare."""
    article = Article(
        id=gold.id, seen_at=_EPOCH, trace=gold.id, item_id=gold.id, source="eval", site="eval", title=gold.title, text=gold.text,
        language=gold.language, published=gold.published,
    )  # fmt: skip
    unique = Unique(id=gold.id, seen_at=_EPOCH, trace=gold.id, article=article)
    none = Translation(title=gold.title, lead="", engine="none", flags=("untranslated",))
    found = tag(Translated(id=gold.id, seen_at=_EPOCH, trace=gold.id, unique=unique, translation=none))
    unknown = {actor.name for mention in found.mentions for actor in mention.actors if actor.kind == "person" and actor.qid is None}
    result = Judged(gold, found.relevant, found.score, _both_named(gold, watch), len(unknown))
    result.counts = {**_article_counts(result, found), **(_mention_counts(gold, found.mentions) if gold.sentences else {})}
    return result


def _both_named(gold: Gold, watch: Watch) -> bool:
    """The plain filter that Tumen is compared with: an alias of each side, anywhere."""
    hits = watch.find(f"{gold.title}\n{gold.text}", gold.language)
    sides = {hit.entity.side for hit in hits if hit.kind != "weak" and not hit.entity.agency}
    return {"russia", "dprk"} <= sides


# --- counting ------------------------------------------------------------------------------------------------------------------


def _article_counts(judged: Judged, found: Tagged) -> Counts:
    gold, weight = judged.gold, judged.gold.weight
    counts: Counts = defaultdict(float)
    for name, said in (("", judged.relevant), ("filter_", judged.filtered)):
        counts[f"{name}true" if gold.label != "none" and said else f"{name}false" if said else f"{name}other"] += weight
        counts[f"{name}relevant"] += weight * (gold.label != "none")
        counts[f"{name}core"] += weight * (gold.label == "core")
        counts[f"{name}core_found"] += weight * (gold.label == "core" and said)
    relevant = float(gold.label != "none")
    counts["score:squared"] = weight * (judged.score - relevant) ** 2
    place = min(int(judged.score * BINS), BINS - 1)
    for name, value in (("of", 1.0), ("sum", judged.score), ("relevant", relevant)):
        counts[f"score:{place}:{name}"] = weight * value
    if gold.label != "none" and gold.events and judged.relevant and not gold.sentences:
        wanted, got = set(gold.events), {str(m.event) for m in found.mentions}
        for event in wanted | got:
            counts[f"doc_event:{event}:{'tp' if event in wanted & got else 'fn' if event in wanted else 'fp'}"] += weight
        main = next((m for m in found.mentions if m.main), None)
        if main is not None and gold.direction and gold.stance:
            counts["doc_main"] += weight
            counts["doc_main_event"] += weight * (main.event == gold.events[0])
            counts["doc_main_direction"] += weight * (main.direction == gold.direction)
            counts["doc_main_stance"] += weight * (main.stance == gold.stance)
    return dict(counts)


def _mention_counts(gold: Gold, mentions: Sequence[Mention]) -> Counts:
    weight = gold.weight
    counts: Counts = defaultdict(float)
    spans = [_Spanned("text", m.evidence.start, m.evidence.end) for m in mentions if m.evidence.in_ == "text"]
    places = align(gold, spans)
    found: dict[tuple[int, str], Mention] = {}
    for place, mention in zip(places, (m for m in mentions if m.evidence.in_ == "text"), strict=True):
        found.setdefault((place, str(mention.event)), mention)
    labelled = {(m["sentence"], m["event"]): m for m in reversed(gold.mentions)}
    _compare(counts, "sentence", {key[0] for key in labelled}, {key[0] for key in found}, weight)
    _compare(counts, "pair", set(labelled), set(found), weight)
    for key in set(labelled) | set(found):
        kind = "tp" if key in labelled and key in found else "fn" if key in labelled else "fp"
        counts[f"event:{key[1]}:{kind}"] += weight
        if kind == "tp":
            _compare_claims(counts, labelled[key], found[key], weight)
    return dict(counts)


@dataclass(frozen=True)
class _Spanned:
    place: str
    start: int
    end: int


def _compare(counts: Counts, name: str, wanted: set[Any], got: set[Any], weight: float) -> None:
    counts[f"{name}:tp"] += weight * len(wanted & got)
    counts[f"{name}:fp"] += weight * len(got - wanted)
    counts[f"{name}:fn"] += weight * len(wanted - got)


def _compare_claims(counts: Counts, label: Mapping[str, Any], mention: Mention, weight: float) -> None:
    """Stance and direction of a pair that was found; says, quantity and when overlap with what is labelled, or both are absent."""
    counts["stance:of"] += weight
    counts["stance:right"] += weight * (label["stance"] == mention.stance)
    if label["event"] not in ("sanctions", "diplomacy"):
        counts["direction:of"] += weight
        counts["direction:right"] += weight * (label["direction"] == mention.direction)
    pairs = (
        ("says", mention.says),
        ("quantity", mention.quantity.text if mention.quantity else None),
        ("when", mention.when.text if mention.when else None),
    )
    for name, got in pairs:
        if name not in label:
            continue
        wanted = label[name]
        counts[f"{name}:of"] += weight
        counts[f"{name}:right"] += weight * _same(wanted, got)
        if wanted:
            counts[f"{name}:labelled"] += weight
            counts[f"{name}:recalled"] += weight * bool(got and _same(wanted, got))


def _same(wanted: str | None, got: str | None) -> bool:
    """Both absent, or one inside the other, or a good part of their words shared."""
    if not wanted or not got:
        return not wanted and not got
    one, two = wanted.casefold(), got.casefold()
    if one in two or two in one:
        return True
    words = set(one.split()), set(two.split())
    return 2 * len(words[0] & words[1]) >= min(len(words[0]), len(words[1])) > 0


# --- figures -------------------------------------------------------------------------------------------------------------------


def figures_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """Every figure with its interval: ``name: [value, low, high]``, None where there is nothing to divide by."""
    names = sorted({name for j in judged for name in j.counts})
    rows = np.array([[j.counts.get(name, 0.0) for name in names] for j in judged])
    rng = np.random.default_rng(20250101)
    picks = rng.integers(0, len(judged), size=(ROUNDS, len(judged)))
    weights = np.stack([np.bincount(pick, minlength=len(judged)) for pick in picks]) @ rows
    whole = _ratios(dict(zip(names, rows.sum(0), strict=True)))
    rounds = [_ratios(dict(zip(names, row, strict=True))) for row in weights]
    found: dict[str, Any] = {"articles": len(judged), "positives": sum(j.gold.label != "none" for j in judged)}
    for name, value in whole.items():
        values = [one for r in rounds if (one := r.get(name)) is not None]
        low, high = np.percentile(values, [2.5, 97.5]) if values else (None, None)
        found[name] = None if value is None else [round(float(x), 3) for x in (value, low, high) if x is not None]
    found["reliability"] = _reliability(dict(zip(names, rows.sum(0), strict=True)))
    found["event_f1"] = {e: round(f, 3) for e, f in _event_f1(dict(zip(names, rows.sum(0), strict=True)), least=1).items()}
    return found


def _ratios(c: Mapping[str, float]) -> dict[str, float | None]:
    def ratio(a: str, *of: str) -> float | None:
        total = sum(c.get(name, 0.0) for name in of)
        return c.get(a, 0.0) / total if total else None

    def f1(tp: str, fp: str, fn: str) -> float | None:
        total = 2 * c.get(tp, 0.0) + c.get(fp, 0.0) + c.get(fn, 0.0)
        return 2 * c.get(tp, 0.0) / total if total else None

    def missed(name: str) -> float:
        return c.get(f"{name}relevant", 0.0) - c.get(f"{name}true", 0.0)

    out: dict[str, float | None] = {}
    for name in ("", "filter_"):
        true, false = c.get(f"{name}true", 0.0), c.get(f"{name}false", 0.0)
        label = "filter: " if name else ""
        out[f"{label}precision"] = true / (true + false) if true + false else None
        out[f"{label}recall core"] = ratio(f"{name}core_found", f"{name}core")
        out[f"{label}recall core+passing"] = ratio(f"{name}true", f"{name}relevant")
        out[f"{label}relevance F1"] = 2 * true / (2 * true + false + missed(name)) if true + false + missed(name) else None
    total = sum(c.get(f"score:{place}:of", 0.0) for place in range(BINS))
    out["score Brier"] = c.get("score:squared", 0.0) / total if total else None
    apart = sum(abs(c.get(f"score:{place}:sum", 0.0) - c.get(f"score:{place}:relevant", 0.0)) for place in range(BINS))
    out["score calibration error"] = apart / total if total else None
    for name in ("sentence", "pair"):
        out[f"{name} precision"] = ratio(f"{name}:tp", f"{name}:tp", f"{name}:fp")
        out[f"{name} recall"] = ratio(f"{name}:tp", f"{name}:tp", f"{name}:fn")
        out[f"{name} F1"] = f1(f"{name}:tp", f"{name}:fp", f"{name}:fn")
    events = _event_f1(c, least=LEAST)
    out["event macro-F1"] = sum(events.values()) / len(events) if events else None
    for name in ("stance", "direction", "says", "quantity", "when"):
        out[name] = ratio(f"{name}:right", f"{name}:of")
        if name in ("says", "quantity", "when"):
            out[f"{name} recalled"] = ratio(f"{name}:recalled", f"{name}:labelled")
    tp, fp, fn = (sum(v for k, v in c.items() if k.startswith("doc_event:") and k.endswith(kind)) for kind in (":tp", ":fp", ":fn"))
    out["article events micro-F1"] = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None
    doc = _event_f1(c, least=LEAST, prefix="doc_event")
    out["article events macro-F1"] = sum(doc.values()) / len(doc) if doc else None
    for name in ("event", "direction", "stance"):
        out[f"main {name}"] = ratio(f"doc_main_{name}", "doc_main")
    return out


def _reliability(c: Mapping[str, float]) -> list[list[float]]:
    """``[articles, mean score, share that is relevant]`` of each bin of the score that holds any."""
    found = []
    for place in range(BINS):
        size = c.get(f"score:{place}:of", 0.0)
        if size:
            found.append([round(size, 1), *(round(c.get(f"score:{place}:{name}", 0.0) / size, 3) for name in ("sum", "relevant"))])
    return found


def _event_f1(c: Mapping[str, float], *, least: int, prefix: str = "event") -> dict[str, float]:
    """F1 of each event with at least so many labelled."""
    found = {}
    for event in sorted({name.split(":")[1] for name in c if name.startswith(f"{prefix}:")}):
        tp, fp, fn = (c.get(f"{prefix}:{event}:{kind}", 0.0) for kind in ("tp", "fp", "fn"))
        if tp + fn >= least:
            found[event] = 2 * tp / (2 * tp + fp + fn)
    return found


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """For people: a line a language; every figure with its interval, in all and by language, the filter beside; then the events."""
    whole = figures["all"]
    columns = {
        "rel P": "precision",
        "core R": "recall core",
        "rel R": "recall core+passing",
        "rel F1": "relevance F1",
        "filter F1": "filter: relevance F1",
        "sent F1": "sentence F1",
        "pair F1": "pair F1",
        "stance": "stance",
        "direct": "direction",
        "says": "says",
        "quant": "quantity",
        "when": "when",
    }
    shown = {head: name for head, name in columns.items() if whole.get(name) is not None}
    lines = ["      n  pos " + " ".join(f"{head:>9}" for head in shown)]
    for code, row in figures.items():
        cells = " ".join(f"{row[name][0]:9.3f}" if row.get(name) else f"{'-':>9}" for name in shown.values())
        lines.append(f"{code:<4}{row['articles']:>4} {row['positives']:>4} {cells}")
    for code in ("all", *(code for code in figures if code != "all")):
        lines.extend(["", f"{code}, 95 % intervals:", *_intervals(figures[code])])
    lines.extend(["", "relevance score, and how often it is right (articles: mean score, relevant):"])
    lines.append("  " + "; ".join(f"{size:g}: {mean:.2f}, {share:.2f}" for size, mean, share in whole["reliability"]))
    if whole["event_f1"]:
        lines.extend(["", "F1 by event: " + ", ".join(f"{event} {value:.2f}" for event, value in whole["event_f1"].items())])
    return "\n".join(lines)


def _intervals(row: Mapping[str, Any]) -> Iterable[str]:
    """A line a figure; beside those of relevance, the plain filter's."""
    for name, value in row.items():
        if name.startswith("filter: ") or not _ranged(value):
            continue
        line = f"  {LONG.get(name, name):<46} {_cell(value)}"
        other = row.get(f"filter: {name}")
        yield f"{line}   filter {_cell(other)}" if _ranged(other) else line


def _ranged(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and not isinstance(value[0], list)


def _cell(value: Any) -> str:
    return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"
