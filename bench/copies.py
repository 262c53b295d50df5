"""What dedupe takes for a copy: precision and recall on made pairs, by kind of change; pairs of real articles that people have judged.

    python -m bench.copies [PAIRS.jsonl]

A line of the file: `label` (OK: both tell of the same event), `title_a`, `text_a`, `url_a`, and the same of `b`.  Two reports of one event
need not be copies; two that are none of the same event must not be.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from processors.dedupe import handle
from processors.dedupe.memory import Memory
from tests.dedupe_pairs import CHANGES, stream
from tumen.messages import Article, Unique
from tumen.stage import Emit
from tumen.state import Nothing, Overlay, State

NOW = datetime(2024, 9, 14, tzinfo=UTC)
FAMILIES, SEED = 300, 2
PRECISION, RECALL = 0.99, 0.97  # what must hold


class Found(NamedTuple):
    """Copies that were found in a stream of made texts; `missed` by kind of change."""

    precision: float
    recall: float
    missed: Counter[str]

    def __str__(self) -> str:
        return f"precision {self.precision:.4f}, recall {self.recall:.4f}, missed {dict(self.missed)}"

    @property
    def held(self) -> bool:
        return self.precision >= PRECISION and self.recall >= RECALL


class Judged(NamedTuple):
    """A pair of real articles: whether people say that they tell of one event, and what dedupe makes of the second after the first."""

    same_event: bool
    rule: str
    overlap: float
    is_copy: bool


def one(article: Article, state: State, most: int = 1_000_000) -> Unique:
    out = handle(article, Memory(state, 30, most))
    assert isinstance(out, Emit)
    assert isinstance(out.message, Unique)
    return out.message


def found(families: int = FAMILIES, seed: int = SEED) -> Found:
    """A copy is found when the article that it is said to copy is of its family."""
    state, family, missed = Overlay(Nothing()), {}, Counter[str]()
    right, wrong = 0, 0
    for number, made in enumerate(stream(families, seed)):
        name = f"a{number}"
        family[name] = made.text.family
        copy_of = one(_article(name, made.text.title, made.text.body, None, number), state).copy_of
        if copy_of is not None and family[copy_of] == made.text.family:
            right += 1
        else:
            wrong += copy_of is not None
            missed[made.change or ""] += made.change is not None
    return Found(right / (right + wrong), right / (right + missed.total()), +missed)


def judged(pairs: Path) -> Iterator[Judged]:
    for line in pairs.read_text(encoding="utf-8").splitlines():
        row, state = json.loads(line), Overlay(Nothing())
        one(_article("a", row["title_a"], row["text_a"], row.get("url_a"), 0), state)
        second = one(_article("b", row["title_b"], row["text_b"], row.get("url_b"), 1), state)
        yield Judged(row["label"] == "OK", second.why[0].rule, second.overlap, second.copy_of is not None)


def _article(name: str, title: str, text: str, url: str | None, second: int) -> Article:
    seen_at = NOW + timedelta(seconds=second)
    return Article(id=name, item_id=name, seen_at=seen_at, trace=name, source=name, site=name, url=url, title=title, text=text)


def main() -> int:
    made = found()
    print(f"made pairs ({', '.join(CHANGES)}): {made}")
    for path in map(Path, sys.argv[1:]):
        pairs = list(judged(path))
        for same, name in ((True, "of one event"), (False, "of two events")):
            of_kind = [pair for pair in pairs if pair.same_event is same]
            rules = Counter(pair.rule for pair in of_kind)
            print(f"{path.name}, {len(of_kind)} pairs {name}: {sum(pair.is_copy for pair in of_kind)} called copies ({dict(rules)})")
    return 0 if made.held else 1


if __name__ == "__main__":
    sys.exit(main())
