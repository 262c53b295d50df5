"""Labelled articles: what `tumen eval` measures against and what a model may be trained on.

Two formats, told apart line by line: *items* are labelled as a whole (``{"id","lang","title","text","published","label","events",
"direction","stance","sure"}``), *digests* mention by mention (``sentences`` instead of ``text``, and ``mentions`` with ``sentence``,
``event``, ``direction``, ``stance``, ``says``, ``quantity``, ``when``).  `label` is core, passing or none.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

from tumen.errors import ConfigError

UNSPACED = ("ja", "zh")


@dataclass(frozen=True)
class Gold:
    """One labelled article.  `sentences` is empty for an item; `events`, `direction`, `stance` are those of the whole article."""

    id: str
    language: str
    url: str | None
    title: str
    text: str
    published: str | None
    label: str
    sure: bool
    events: tuple[str, ...]
    direction: str | None
    stance: str | None
    sentences: tuple[str, ...] = ()
    mentions: tuple[Mapping[str, Any], ...] = ()
    event_key: str | None = None

    @property
    def weight(self) -> float:
        """Labels marked unsure count half."""
        return 1.0 if self.sure else 0.5

    def of(self, sentence: int) -> list[Mapping[str, Any]]:
        """The labelled mentions of one sentence."""
        return [mention for mention in self.mentions if mention["sentence"] == sentence]

    def spans(self) -> list[tuple[int, int]]:
        """Where each labelled sentence stands in `text`."""
        found, at = [], 0
        for sentence in self.sentences:
            found.append((at, at + len(sentence)))
            at += len(sentence) + (0 if self.language in UNSPACED else 1)
        return found


class Span(Protocol):
    """A sentence of an article, as the tagging sees it."""

    @property
    def place(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


def align(gold: Gold, sents: Sequence[Span]) -> list[int]:
    """For each sentence of a reading the labelled sentence it lies in; -1 for the title and for items."""
    spans = gold.spans()
    places = []
    for sent in sents:
        if sent.place == "title" or not spans:
            places.append(-1)
            continue
        shares = [min(end, sent.end) - max(start, sent.start) for start, end in spans]
        places.append(shares.index(max(shares)))
    return places


def read_gold(path: Path) -> Iterator[Gold]:
    """The labelled articles of a .jsonl file.  Raises `ConfigError` naming the line that is no label."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield _gold(row)
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}:{number}: expected a labelled article ({type(error).__name__}: {error})") from None


def _gold(row: Mapping[str, Any]) -> Gold:
    sentences = tuple(row.get("sentences") or ())
    mentions = tuple(row.get("mentions") or ())
    joined = ("" if row["lang"] in UNSPACED else " ").join(sentences)
    first = mentions[0] if mentions else {}
    return Gold(
        id=str(row["id"]),
        language=row["lang"],
        url=row.get("url"),
        title=row.get("title") or "",
        text=joined if sentences else row.get("text") or "",
        published=date_of(row.get("date") or row.get("published")),
        label=row["label"],
        sure=bool(row.get("sure", True)),
        events=tuple(row.get("events") or dict.fromkeys(m["event"] for m in mentions)),
        direction=row.get("direction") or first.get("direction"),
        stance=row.get("stance") or first.get("stance"),
        sentences=sentences,
        mentions=mentions,
        event_key=row.get("event_key"),
    )


def date_of(written: str | None) -> str | None:
    """The day of a date as feeds and pages write it, or None."""
    if not written:
        return None
    match = re.match(r"\d{4}(-\d{2}(-\d{2})?)?", written)
    if match:
        return match.group()
    try:
        return parsedate_to_datetime(written).date().isoformat()
    except (ValueError, TypeError):
        return None
