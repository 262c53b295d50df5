"""What a trained pipeline gains: the figures of `tumen.accuracy` with and without it, side by side."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tumen.accuracy import Judged, figures_of, report

SHOWN = (
    "precision",
    "recall core+passing",
    "sentence F1",
    "pair F1",
    "stance",
    "direction",
    "says",
    "says recalled",
    "main direction",
    "main stance",
)


class Gain(NamedTuple):
    """The same articles of one language, judged without and with `pipeline`."""

    pipeline: str
    without: Sequence[Judged]
    having: Sequence[Judged]


def report_gains(plain: Sequence[Judged], gains: Mapping[str, Gain], missing: Mapping[str, str], *, as_json: bool = False) -> str:
    """All figures without any pipeline; then, a language after the other, what its pipeline changes; then which ones are not there."""
    if as_json:
        both = {code: {"pipeline": g.pipeline, "without": figures_of(g.without), "with": figures_of(g.having)} for code, g in gains.items()}
        whole = {"without": json.loads(report(plain, as_json=True)), "extras": both, "missing": dict(missing)}
        return json.dumps(whole, ensure_ascii=False, indent=1)
    parts = ["Without any trained pipeline:", report(plain)]
    for code, gain in gains.items():
        parts.append("\n".join(_gain(code, gain)))
    parts.extend(missing.values())
    return "\n\n".join(parts)


def _gain(code: str, gain: Gain) -> Iterator[str]:
    without, having = figures_of(gain.without), figures_of(gain.having)
    head = f"{code} with {gain.pipeline}, {without['articles']} articles"
    yield f"{head:<48}{'without':>9}{'with':>9}{'gain':>9}"
    for name in SHOWN:
        one, two = _value(without, name), _value(having, name)
        if one is not None and two is not None:
            yield f"  {name:<46}{one:9.3f}{two:9.3f}{two - one:+9.3f}"
    one, two = _strangers(gain.without), _strangers(gain.having)
    yield f"  {'people named whom the watch does not know':<46}{one:9d}{two:9d}{two - one:+9d}"


def _value(figures: Mapping[str, Any], name: str) -> float | None:
    found = figures.get(name)
    return None if found is None else float(found[0])


def _strangers(judged: Sequence[Judged]) -> int:
    """How many people without an entry of the watch the mentions name."""
    return sum(one.strangers for one in judged)
