"""A page's tree to its blocks of text, and what the markup says about each: where it stands, what its elements are called, who shares them.

The names of classes and ids are read for the words that web design uses everywhere (`blocks.toml`), never for those of one publisher.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from ahocorasick_rs import AhoCorasick, MatchKind
from lxml import etree
from lxml.html import HtmlElement

from processors.clean.features import Matrix

DATA = Path(__file__).with_name("blocks.toml")

SKIPPED = frozenset(
    "script style noscript template svg head iframe object select option textarea math canvas video audio".split()  # noqa: SIM905 - a list
)
INLINE = frozenset(
    "a abbr b bdi bdo big cite code del dfn em font i ins kbd label mark q s small samp span strike strong sub sup time tt u var "  # noqa: SIM905
    "wbr data ruby rb rt rp img button input".split()
)

_KINDS = ("p", "h1", "h2", "h3", "li", "figcaption", "td", "blockquote", "div", "br")
_KIND_OF = {
    **{"p": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 3, "h5": 3, "h6": 3, "li": 4, "dd": 4, "dt": 4, "figcaption": 5, "caption": 5},
    **{"td": 6, "th": 6, "blockquote": 7, "br": 9},
}
_PLACES = ("article", "main", "aside", "nav", "footer", "header", "figure", "form", "ul", "table", "blockquote", "button", "a", "section")
_PLACE_OF = {name: 1 << number for number, name in enumerate(_PLACES)} | {
    "ol": 1 << _PLACES.index("ul"),
    "dialog": 1 << _PLACES.index("aside"),
}
_SPACE = re.compile(r"\s+")
_BETWEEN = str.maketrans(dict.fromkeys(" _:/.\t\n", "-"))


@dataclass(frozen=True)
class Block:
    """One line of the page.  `names`, `near`: the design words (bits) of all elements around it, and of the two nearest.

    `parent`, `grand` number the elements around it; `look` is what elements that look alike share: tag and class of it and its parent.
    """

    text: str
    kind: int
    places: int
    names: int
    near: int
    links: float
    bold: float
    parent: int
    grand: int
    great: int
    look: str


@cache
def _design_words() -> tuple[tuple[str, ...], AhoCorasick, tuple[int, ...]]:
    """The kinds of design words, the automaton over all words, and the bit of each word's kind."""
    kinds: dict[str, list[str]] = tomllib.loads(DATA.read_text(encoding="utf-8"))["names"]
    words = [(word, 1 << number) for number, kind in enumerate(kinds.values()) for word in kind]
    automaton = AhoCorasick([word for word, _ in words], matchkind=MatchKind.Standard)
    return tuple(kinds), automaton, tuple(bit for _, bit in words)


@lru_cache(maxsize=20_000)
def _bits(names: str) -> int:
    """Which kinds of design words a class, id, role or itemprop holds."""
    _, automaton, bits = _design_words()
    found = 0
    for word, _, _ in automaton.find_matches_as_indexes(f"-{names.lower().translate(_BETWEEN)}-", overlapping=True):
        found |= bits[word]
    return found


class _Frame:
    """An element that is open while the tree is walked."""

    __slots__ = ("element", "grand", "kind", "links", "look", "names", "number", "own", "parent", "places")

    def __init__(self, element: HtmlElement | None, tag: str, number: int, above: "_Frame | None") -> None:
        self.element, self.number = element, number
        self.own = 0
        if element is not None and element.attrib:
            get = element.get
            label = " ".join(filter(None, (get("class"), get("id"), get("itemprop"), get("role"), get("data-testid"))))
            if get("hidden") is not None or get("aria-hidden") == "true" or "display:none" in (get("style") or "").replace(" ", ""):
                label += " is-hidden"
            if label:
                self.own = _bits(label)
        self.kind = _KIND_OF.get(tag, 8)
        if above is None:
            self.places = self.names = self.parent = self.grand = 0
            self.look = tag
            return
        self.places = above.places | _PLACE_OF.get(tag, 0)
        self.names = above.names | self.own
        self.parent, self.grand = above.number, above.parent
        self.look = f"{tag}.{element.get('class') or '' if element is not None else ''}"


class _Walk:
    """A walk through a tree, element by element: the text since the last block's end, and the elements that are open around it."""

    __slots__ = ("bold", "bolded", "found", "link", "linked", "number", "pieces", "root", "skipping", "stack")

    def __init__(self) -> None:
        self.found: list[Block] = []
        self.pieces: list[str] = []
        self.linked = self.bolded = 0  # characters of the pieces that stand in links, and in bold letters
        self.link = self.bold = 0  # how many links and bold elements are open
        self.root = _Frame(None, "", 0, None)
        self.stack = [self.root]
        self.skipping: HtmlElement | None = None
        self.number = 0

    def open(self, element: HtmlElement) -> None:
        if self.skipping is not None:
            return
        tag = element.tag
        if tag in SKIPPED:
            self.skipping = element
            return
        if tag in INLINE:
            self.link += tag == "a"
            self.bold += tag in ("b", "strong")
        else:
            self.end_block(self.stack[-1].kind)
            if tag != "br":
                self.number += 1
                self.stack.append(_Frame(element, str(tag), self.number, self.stack[-1]))
        if element.text:
            self._say(element.text)

    def close(self, element: HtmlElement) -> None:
        tag = element.tag
        if self.skipping is not None:
            if self.skipping is not element:
                return
            self.skipping = None
        elif tag in INLINE:
            self.link -= tag == "a"
            self.bold -= tag in ("b", "strong")
        elif tag != "br":
            self.end_block(self.stack[-1].kind)
            self.stack.pop()
        if element.tail:
            self._say(element.tail)

    def _say(self, text: str) -> None:
        self.pieces.append(text)
        if self.link:
            self.linked += len(text)
        if self.bold:
            self.bolded += len(text)

    def end_block(self, kind: int) -> None:
        """What has been said since the last block is one, if it is anything."""
        if self.pieces:
            text = _SPACE.sub(" ", "".join(self.pieces)).strip()
            self.pieces.clear()
            if text:
                self.found.append(self._block(text, kind))
        self.linked = self.bolded = 0

    def _block(self, text: str, kind: int) -> Block:
        frame = self.stack[-1]
        above = self.stack[-2] if len(self.stack) > 1 else self.root
        links, bold = min(self.linked / len(text), 1.0), min(self.bolded / len(text), 1.0)
        if frame.places & _PLACE_OF["ul"] and frame.kind == 4:
            text = f"* {text}"
        near, look = frame.own | above.own, f"{above.look}>{frame.look}"
        return Block(text, kind, frame.places, frame.names, near, links, bold, frame.parent, frame.grand, above.grand, look)


def blocks(tree: HtmlElement) -> list[Block]:
    """The page as a person would copy it: a line a block, list items with a star, nothing that is not shown."""
    walk = _Walk()
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        (walk.open if event == "start" else walk.close)(element)
    walk.end_block(8)
    return walk.found


VOTES = ("trafilatura", "json_ld", "no_json_ld")


def describe_blocks(page: Sequence[Block], mass: Sequence[int], prose: Sequence[bool], votes: Matrix) -> Matrix:
    """A row a block: its element, its surroundings, how much running text shares its parents and look, and the votes (a column each)."""
    size = len(page)
    names = len(_design_words()[0])
    bits = np.array([[b.places, b.names, b.near] for b in page], dtype=np.int64).reshape(size, 3)
    places = (bits[:, :1] >> np.arange(len(_PLACES))) & 1
    around = (bits[:, 1:2] >> np.arange(names)) & 1
    near = (bits[:, 2:] >> np.arange(names)) & 1
    kinds = np.zeros((size, len(_KINDS)))
    kinds[np.arange(size), [b.kind for b in page]] = 1.0
    text = np.array(mass, dtype=np.float64) * np.array(prose)
    link = np.array([[b.links, b.bold] for b in page]).reshape(size, 2)
    text = text * (link[:, 0] < 0.5)
    shares = np.stack([_share([getattr(b, name) for b in page], text) for name in ("parent", "grand", "great", "look")], axis=1)
    voted = votes[:, 0]
    padded = np.concatenate([np.zeros(3), voted, np.zeros(3)])
    neighbours = np.stack([padded[3 + shift : 3 + shift + size] for shift in (-3, -2, -1, 1, 2, 3)], axis=1)
    looks = np.stack(
        [_share([b.look for b in page], text * voted), _mean([b.look for b in page], voted), _mean([b.parent for b in page], voted)], axis=1
    )
    return np.hstack([kinds, places, around, near, link, shares, votes, neighbours, looks]).astype(np.float32)


def _share(keys: Sequence[object], mass: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    """For each block which share of the mass lies in blocks with the same key."""
    total: Counter[object] = Counter()
    for key, amount in zip(keys, mass.tolist(), strict=True):
        total[key] += amount
    whole = sum(total.values()) or 1.0
    return np.array([total[key] / whole for key in keys])


def _mean(keys: Sequence[object], values: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float64]":
    """For each block the mean of the values of blocks with the same key."""
    total: Counter[object] = Counter()
    count = Counter(keys)
    for key, value in zip(keys, values.tolist(), strict=True):
        total[key] += value
    return np.array([total[key] / count[key] for key in keys])
