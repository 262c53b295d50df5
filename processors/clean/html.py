"""Markup made fit to be read: a tree within bounds, what a page says about itself, pieces of markup as text.

A page is bounded before anything looks at it: its size, its depth, its number of elements.  A page beyond them is read as plain text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from processors.clean.blocks import blocks

MAX_CHARS = 3_000_000
MAX_DEPTH = 200
MAX_ELEMENTS = 60_000
MAX_LD = 400_000  # characters of one JSON-LD block

_NEVER_SHOWN = ("script", "style", "svg", "template")  # what they hold is read from the source, if at all
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (MAX_DEPTH + 1)})")
_COUNT = etree.XPath("count(//*)")
_LD = re.compile(r"<script\b[^>]{0,300}application/ld\+json[^>]{0,300}>(.*?)(?:</script|\Z)", re.IGNORECASE | re.DOTALL)
_ARTICLE_TYPES = ("Article", "Posting", "Report", "LiveBlog")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_UNREAD = re.compile(r"<(?:(script|style|noscript)\b|!--)", re.IGNORECASE)
_UNREAD_END = {name: re.compile(rf"</{name}\b[^>]{{0,200}}>?", re.IGNORECASE) for name in ("script", "style", "noscript")} | {
    "": re.compile("-->")
}
_INLINE_FILE = re.compile(r"\bdata:[\w/+.;=-]{1,100},[^\s\"'<>)]{1000,}+")
#: the parser compares each attribute of an element with all before it: of an element with more than these only the name is left
_MANY_ATTRIBUTES = re.compile(
    r"""(<[a-z][^\s<>/]*+)(?:[\s/]++[^\s=<>"'/]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s<>"']++))?+){400,}+""", re.IGNORECASE
)


@dataclass(frozen=True)
class PageFacts:
    """What a page says about itself in JSON-LD and meta elements.  Every field may be "" or absent."""

    title: str = ""
    body: str = ""
    author: str = ""
    published: str = ""
    canonical: str = ""
    language: str = ""
    description: str = ""


def parse(source: str) -> HtmlElement | None:
    """The page's tree, or None where there is none fit to be walked: nothing in it, too deep, too many elements."""
    if not source.strip():
        return None
    parser = lxml_html.HTMLParser(huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        tree = lxml_html.document_fromstring(_tamed(source).encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    etree.strip_elements(tree, *_NEVER_SHOWN, with_tail=False)
    return tree if _is_bounded(tree) else None


def _is_bounded(tree: HtmlElement) -> bool:
    return not _TOO_DEEP(tree) and _COUNT(tree) <= MAX_ELEMENTS


def page_facts(source: str, tree: HtmlElement | None) -> PageFacts:
    """JSON-LD first (it is written for machines), then meta elements."""
    facts: dict[str, str] = {}
    for node in _articles(source):
        _take(facts, "title", node.get("headline"))
        _take(facts, "body", node.get("articleBody"))
        _take(facts, "author", _names(node.get("author")))
        _take(facts, "published", node.get("datePublished"))
        _take(facts, "language", node.get("inLanguage"))
        _take(facts, "description", node.get("description"))
    if tree is not None:
        meta = {(m.get("property") or m.get("name") or m.get("itemprop") or "").lower(): m.get("content") or "" for m in tree.iter("meta")}
        _take(facts, "title", meta.get("og:title") or meta.get("twitter:title"))
        for name in ("article:published_time", "date", "dc.date", "datepublished"):
            _take(facts, "published", meta.get(name))
        _take(facts, "author", meta.get("author"))
        _take(facts, "description", meta.get("og:description") or meta.get("description"))
        _take(facts, "language", tree.get("lang") or meta.get("og:locale"))
        _take(facts, "title", tree.findtext(".//title"))
        _take(facts, "title", next((" ".join(heading.text_content().split()) for heading in tree.iter("h1")), ""))
        _take(facts, "canonical", next((link.get("href") or "" for link in tree.iter("link") if link.get("rel") == "canonical"), ""))
    return PageFacts(**facts)


def _take(facts: dict[str, str], key: str, value: object) -> None:
    if isinstance(value, str) and value.strip() and not facts.get(key):
        facts[key] = plain(value) if key in ("title", "author", "description") else value.strip()


def _names(value: object) -> str:
    people = value if isinstance(value, list) else [value]
    names = [person.get("name") if isinstance(person, dict) else person for person in people[:6]]
    return ", ".join(name for name in names if isinstance(name, str) and name.strip() and not name.startswith("http"))


def _articles(source: str) -> Iterator[dict[str, Any]]:
    """The JSON-LD objects that are articles, wherever they hang; blocks that are not JSON are passed over."""
    for match in _LD.finditer(source[:MAX_CHARS]):
        block = match[1].strip().removeprefix("<![CDATA[").removesuffix("]]>")
        if len(block) > MAX_LD:
            continue
        try:
            data = json.loads(block, strict=False)
        except (ValueError, RecursionError):
            continue
        queue: list[Any] = [data]
        for node in queue:
            if len(queue) > 500:
                break
            if isinstance(node, list):
                queue.extend(node)
            elif isinstance(node, dict):
                kinds = node.get("@type")
                named = kinds if isinstance(kinds, list) else [kinds]
                if any(isinstance(kind, str) and kind.endswith(_ARTICLE_TYPES) for kind in named):
                    yield node
                queue.extend(node[key] for key in ("@graph", "mainEntity", "mainEntityOfPage") if isinstance(node.get(key), list | dict))


def plain(markup: str) -> str:
    """A short piece of markup (a headline, an articleBody) as text on lines; entities resolved, tags gone."""
    return "\n".join(line for line, _ in pieces(markup))


def pieces(markup: str) -> list[tuple[str, float]]:
    """The lines of a short piece of markup, and which share of each is link (0..1)."""
    if "<" not in markup and "&" not in markup:
        return [(markup.strip(), 0.0)]
    try:
        tree = lxml_html.fromstring(f"<div>{_tamed(markup)}</div>")
    except (etree.ParserError, etree.XMLSyntaxError):
        return [(_TAG.sub(" ", markup).strip(), 0.0)]
    if not _is_bounded(tree):
        return [(_TAG.sub(" ", markup).strip(), 0.0)]
    return [(block.text.removeprefix("* "), block.links) for block in blocks(tree)]


def without_tags(markup: str) -> str:
    """The text of markup that cannot be walked: tags become line ends, scripts and styles go."""
    return _TAG.sub("\n", _without_unread(markup[:MAX_CHARS], "\n"))


def within_bounds(source: str) -> str:
    """A page's first `MAX_CHARS` characters; of a larger page what nobody reads goes first: scripts other than JSON-LD, styles, comments,
    files written into an attribute.
    """
    if len(source) <= MAX_CHARS:
        return source
    return _INLINE_FILE.sub("data:,", _without_unread(source, "", facts=True))[:MAX_CHARS]


def _tamed(source: str) -> str:
    return _MANY_ATTRIBUTES.sub(r"\1", source[:MAX_CHARS])


def _without_unread(source: str, instead: str, *, facts: bool = False) -> str:
    """Without scripts, styles and comments that have an end; in one go, however many have none.  `facts`: JSON-LD stays."""
    pieces: list[str] = []
    at = 0
    endless: set[str] = set()
    for match in _UNREAD.finditer(source):
        kind = (match[1] or "").lower()
        if match.start() < at or kind in endless or (facts and kind == "script" and "ld+json" in source[match.end() : match.end() + 300]):
            continue
        end = _UNREAD_END[kind].search(source, match.end())
        if end is None:
            endless.add(kind)
            continue
        pieces += (source[at : match.start()], instead)
        at = end.end()
    return "".join((*pieces, source[at:]))


_REFRESH = re.compile(r"<meta\b(?=[^>]{0,400}\bhttp-equiv\s*=\s*[\"']?refresh\b)[^>]{0,400}\burl\s*=", re.IGNORECASE)
_SCRIPTED = re.compile(r"\blocation(?:\.href)?\s*=\s*[\"']|\blocation\.(?:replace|assign)\s*\(", re.IGNORECASE)


def sends_elsewhere(source: str) -> bool:
    """Whether the page is (also) a redirect: a meta refresh with an address, a script that sets the location.  For stubs only."""
    head = source[:20_000]
    return bool(_REFRESH.search(head) or _SCRIPTED.search(head))
