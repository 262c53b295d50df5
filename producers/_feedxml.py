"""A feed's bytes to its entries: RSS 0.9 to 2.0, RDF, Atom, through feedparser.

Pure, bytes in and values out, so that it can run in a process of its own that may be killed (`producers._sandbox`): feedparser is
quadratic on some inputs (tens of thousands of attributes or comments), and a limit on its time is the one thing that cannot be had from
inside.

What feedparser is given is always clean UTF-8 made here (`producers._encoding`), never a URL, a path or the server's headers: those have
made it open files, try codecs that are none, and raise on references to lone surrogates.
"""

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import feedparser  # type: ignore[import-untyped]
from pydantic import AwareDatetime

from producers._dates import Published, read_date
from producers._encoding import header_charset, xml_text
from producers._links import web_link
from producers._text import cut, cut_markup, has_blocks, one_line, scrub, seen_length
from tumen.errors import TumenError
from tumen.messages import Frozen

TITLE_CAP = 300
SUMMARY_CAP = 5_000
CONTENT_CAP = 200_000
_GUID_CAP = 1_000
_PROLOG_CAP = 4_096
_ENTRY = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>]")
#: a body of this many visible characters is an article, not a summary
_WHOLE = 1_500


class Unparsable(TumenError):
    """These bytes are no feed, or none that can be read.  `reason` is a metric label."""

    def __init__(self, reason: Literal["not_a_feed", "unparsable"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Entry(Frozen):
    """One entry: text fit to be shown, links of the web only.  `body` is HTML (`html` a whole article, `fragment` a summary)."""

    guid: str | None = None
    link: str | None = None
    title: str | None = None
    body: str = ""
    body_type: Literal["html", "fragment"] = "fragment"
    truncated: bool = False
    day: str | None = None
    at: AwareDatetime | None = None
    language: str | None = None

    @property
    def published(self) -> Published | None:
        return None if self.day is None else Published(self.day, self.at)


class Parsed(Frozen):
    """A feed.  `left_out`: entries beyond the cap.  `flaw`: what feedparser complained of though it found entries."""

    version: str
    title: str | None
    language: str | None
    home: str | None
    entries: tuple[Entry, ...]
    left_out: int = 0
    flaw: str | None = None


def parse(data: bytes, url: str, headers: Mapping[str, str], max_entries: int) -> Parsed:
    """The entries of a feed, in its order, at most `max_entries` (feeds put the newest first).

    `url` resolves relative links.  Of `headers` (names in lower case) only the charset counts.  Raises `Unparsable`.
    """
    text, left_out = newest(prepare(xml_text(data, header_charset(headers.get("content-type", "")))), max_entries)
    try:
        found = feedparser.parse(
            io.BytesIO(text.encode("utf-8", "replace")),
            # no content-location: a guid that is no URL would be made one, another at each address that the feed is served from
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,  # bodies are cleaned later, by those who know pages
            sanitize_html=False,
        )
    except Exception as error:
        # its contract is to set `bozo` and never to raise; it has raised ValueError, UnicodeError, KeyError, RecursionError and others
        raise Unparsable("unparsable", f"the parser gave up ({type(error).__name__})") from error
    if not found.get("version") and not found.entries:
        raise Unparsable("not_a_feed", "neither RSS nor Atom")
    feed = found.feed
    home = web_link(_string(feed.get("link")), url)
    entries = tuple(_entry(raw, home or url) for raw in found.entries[:max_entries])
    return Parsed(
        version=str(found.get("version") or "unknown"),
        title=one_line(_string(feed.get("title")), TITLE_CAP) or None,
        language=_language(feed.get("language")),
        home=home,
        entries=entries,
        left_out=left_out + max(0, len(found.entries) - max_entries),
        flaw=type(found.get("bozo_exception")).__name__ if found.get("bozo") else None,
    )


def prepare(text: str) -> str:
    """A feed's text as an XML parser can take it: declared as UTF-8, no forbidden characters or references.

    Raises `Unparsable` where there is no element, or only after a prolog so long that it is an attack.
    """
    text = scrub(text).lstrip("\ufeff \t\r\n")
    text = re.sub(r"\A<\?xml[^>]{0,400}\?>\s*", "", text)
    root = re.search(r"<[A-Za-z_]", text)
    if root is None:
        raise Unparsable("not_a_feed", "no XML in it" if text else "empty")
    if root.start() > _PROLOG_CAP:
        raise Unparsable("unparsable", f"more than {_PROLOG_CAP} characters before the first element")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(r"&#(?:[xX]([0-9A-Fa-f]+)|([0-9]+));", _reference, text)


def newest(text: str, most: int) -> tuple[str, int]:
    """A prepared feed without the entries beyond `most`, and how many those are: a hundred thousand take feedparser ten seconds.

    What is cut is closed as its root asks.  Where the names of entries stand in text, or where a feed is not well formed, this counts
    too many or leaves a feed that is not well formed, of which feedparser still reads the entries before the cut.
    """
    places = [found.start() for found in _ENTRY.finditer(text)]
    if len(places) <= most:
        return text, 0
    root = re.search(r"<([A-Za-z_][\w:.-]*)", text)
    assert root is not None, "prepared text has a root"
    channel = re.search(r"<((?:\w+:)?channel)[\s>]", text[: places[0]])
    inside = f"</{channel[1]}>" if channel and f"</{channel[1]}>" not in text[: places[0]] else ""
    return f"{text[: places[most]]}{inside}</{root[1]}>", len(places) - most


def _reference(found: re.Match[str]) -> str:
    """A reference to a character that XML forbids becomes U+FFFD; one to a C1 control means Windows-1252, as in HTML."""
    digits, base = (found[1], 16) if found[1] else (found[2], 10)
    digits = digits.lstrip("0")
    code = int(digits, base) if 0 < len(digits) < 8 else -1
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", "replace")
    if code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF:
        return found[0]
    return "\ufffd"


def _entry(raw: Any, base: str) -> Entry:
    body, body_type, truncated = _body(raw)
    published = _published(raw)
    title = raw.get("title_detail") or {}
    return Entry(
        guid=cut(scrub(_string(raw.get("id"))).strip(), _GUID_CAP) or None,
        link=_link(raw, base),
        title=one_line(_string(raw.get("title")), TITLE_CAP) or None,
        body=body,
        body_type=body_type,
        truncated=truncated,
        day=published.day if published else None,
        at=published.at if published else None,
        language=_language(raw.get("language") or title.get("language")),
    )


def _body(raw: Any) -> tuple[str, Literal["html", "fragment"], bool]:
    """The longest of content and summary.  Content with blocks in it, or anything long, is the article; the rest is its summary."""
    contents = [_markup(part.get("value"), part.get("type")) for part in _dicts(raw.get("content"))]
    summary = _markup(raw.get("summary"), (raw.get("summary_detail") or {}).get("type"))
    body = max([summary, *contents], key=len)
    whole = seen_length(body[:CONTENT_CAP]) >= _WHOLE or (body in contents and has_blocks(body))
    cap = CONTENT_CAP if whole else SUMMARY_CAP
    return cut_markup(body, cap), "html" if whole else "fragment", len(body) > cap


def _markup(value: Any, kind: Any) -> str:
    text = scrub(_string(value)).strip()
    if kind == "text/plain":  # an Atom text construct: its "<" is a less-than sign
        return text.replace("&", "&amp;").replace("<", "&lt;") if "<" in text else text
    return text


def _link(raw: Any, base: str) -> str | None:
    """The entry's page: what a redirecting service says it stands for, the entry's link, another alternate link, or a guid that is one."""
    links = [link.get("href") for link in _dicts(raw.get("links")) if link.get("rel", "alternate") == "alternate"]
    guid = _string(raw.get("id"))
    permanent = guid if guid.startswith(("http://", "https://")) else None
    for candidate in (raw.get("feedburner_origlink"), raw.get("link"), *links, permanent):
        link = web_link(_string(candidate), base)
        if link is not None:
            return link
    return None


def _published(raw: Any) -> Published | None:
    for name in ("published", "updated", "created"):
        if name not in raw:  # to ask for an "updated" that is not there would give "published" again, with a warning
            continue
        found = read_date(_string(raw.get(name)), raw.get(f"{name}_parsed"))
        if found is not None:
            return found
    return None


def _language(value: Any) -> str | None:
    found = re.match(r"([A-Za-z]{2,3})(?:[-_]|$)", _string(value).strip())
    return found[1].lower() if found else None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: Any) -> Iterable[Any]:
    return [one for one in value or () if hasattr(one, "get")] if isinstance(value, list) else ()
