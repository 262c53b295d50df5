"""A file's bytes to its items: plain text, HTML, a feed, or lines of JSON.  Bytes in, items or a named reason out."""

import json
import re
import unicodedata
import zlib
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from producers._dates import read_date, settled
from producers._encoding import UnknownEncoding, html_text, looks_binary, plain_text
from producers._feedxml import TITLE_CAP, Unparsable
from producers._links import canonical, host_of, web_link
from producers._sandbox import parse_apart
from producers._seen import Seen, identify
from producers._text import one_line, scrub, seen_length
from tumen.errors import TumenError
from tumen.ids import article_id, file_article_id, item_id
from tumen.messages import Item, Realm

Kind = Literal["text", "html", "feed", "jsonl"]
Reason = Literal["missing", "unreadable", "empty", "binary", "encoding", "too_large", "not_a_feed", "unparsable", "no_article", "bad_line"]

#: bytes of one article (a page, a line of JSON) or one feed: a long article is 50 kB, a page rarely 5 MB
LARGEST = 20_000_000
MAX_ENTRIES = 10_000
_BODY_COMPRESSED = 2 * 1024 * 1024
_LEAST_LETTERS = 12
_LEAST_SHARE = 0.4
_SUFFIXES: dict[str, Kind] = {
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "feed",
    ".rss": "feed",
    ".atom": "feed",
    ".rdf": "feed",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
SUFFIXES = frozenset(_SUFFIXES)


class Unreadable(TumenError):
    """This input holds no article that can be read.  `reason` is a metric label; the text does not repeat the input's name."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class Where(NamedTuple):
    """Where bytes come from.  `name`: the file's name, the source of what is in it.  `folder`: its folder's, whose furniture it shares."""

    name: str
    folder: str
    seen_at: datetime
    realm: Realm = "live"
    backlog: bool = False


def _text_or_number(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Line(BaseModel):
    """One line of .jsonl.  Other keys (labels of a test set, say) are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: Annotated[str | None, BeforeValidator(_text_or_number)] = None
    url: str | None = None
    title: str | None = None
    text: str | None = None
    html: str | None = None
    published: str | None = None
    lang: str | None = None


def kind_of(name: str, head: bytes) -> Kind:
    """What a file is, by its name, else by how it begins.  A page saved as .txt is a page."""
    begins = head[:600].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    page = begins.startswith((b"<!doctype html", b"<html"))
    named = _SUFFIXES.get("." + name.lower().rpartition(".")[2]) if "." in name else None
    if named is not None:
        return "html" if named == "text" and page else named
    if page:
        return "html"
    if begins.startswith((b"<?xml", b"<rss", b"<feed", b"<rdf")):
        return "feed"
    return "jsonl" if begins.startswith(b'{"') else "text"


def items_of(kind: Kind, data: bytes, where: Where) -> list[Item]:
    """The items of a whole file that is no .jsonl.  Raises `Unreadable`."""
    _check_bytes(data)
    if kind == "feed":
        return _feed(data, where)
    try:
        text = html_text(data) if kind == "html" else plain_text(data)
    except UnknownEncoding:
        raise Unreadable("encoding", "unknown encoding, expected UTF-8 or another encoding that can be told from the text") from None
    text = scrub(text)
    check_words(text, markup=kind == "html")
    body, cut = fit(text)
    return [_item(where, file_article_id(data), where.folder, body=body, body_type="html" if kind == "html" else "text", truncated=cut)]


def line_item(line: bytes, where: Where) -> Item:
    """The item of one line of .jsonl.  Raises `Unreadable`, for what is no JSON object with text or html in it."""
    try:
        tree = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
        found = Line.model_validate(tree)
    except UnicodeDecodeError:
        raise Unreadable("encoding", "expected UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise Unreadable("bad_line", f"{key}: {first['msg']}" if key else "expected a JSON object") from None
    except json.JSONDecodeError as error:
        raise Unreadable("bad_line", f"no JSON ({error.msg}, column {error.colno})") from None
    except (ValueError, RecursionError):
        raise Unreadable("bad_line", "no JSON that can be read (nested too deep, or a number too long)") from None
    text, markup = scrub(found.text or "").strip(), scrub(found.html or "").strip()
    title = one_line(found.title or "", TITLE_CAP)
    if not text and not markup and (not title or (found.text is None and found.html is None)):
        raise Unreadable("bad_line", 'expected "text" or "html" with an article in it')
    check_words(f"{title}\n{text or markup}", markup=not text)
    url = web_link(found.url, "")
    body, cut = fit(text or markup)
    key = found.id or (canonical(url) if url else "")
    return _item(
        where,
        article_id(where.name, key) if key else file_article_id(line.strip()),
        host_of(url) if url else where.folder,
        body=body,
        body_type="html" if markup and not text else "text",
        truncated=cut,
        title=title or None,
        url=url,
        guid=scrub(found.id) if found.id else None,
        language_hint=_language(found.lang),
        published=found.published,
    )


def check_words(text: str, *, markup: bool) -> None:
    """Raises `Unreadable` for what is text but no article: no words in it, or nearly only figures and signs."""
    if markup:
        if seen_length(text) < _LEAST_LETTERS:
            raise Unreadable("no_article", "no article in it: a page without text")
        return
    sample = re.sub(r"\s+", "", text[:20_000])
    letters = sum(unicodedata.category(letter)[0] in "LM" for letter in sample)
    if letters < _LEAST_LETTERS:
        raise Unreadable("no_article", f"no article in it: fewer than {_LEAST_LETTERS} letters")
    if letters < len(sample) * _LEAST_SHARE:
        raise Unreadable("no_article", "no article in it: mostly figures or signs")


def fit(body: str) -> tuple[str, bool]:
    """A body that takes no more than 2 MiB compressed, and whether it was cut for that."""
    cut = False
    while len(body) > _BODY_COMPRESSED // 4 and (size := len(zlib.compress(body.encode("utf-8"), 1))) > _BODY_COMPRESSED:
        body, cut = body[: len(body) * _BODY_COMPRESSED // (size + size // 20)], True
    return body, cut


def _check_bytes(data: bytes) -> None:
    if not data.strip(b"\xef\xbb\xbf \t\r\n\x0b\x0c"):
        raise Unreadable("empty", "empty, expected an article")
    if looks_binary(data):
        raise Unreadable("binary", "binary, expected text")


def _feed(data: bytes, where: Where) -> list[Item]:
    try:
        feed = parse_apart(data, "", {}, MAX_ENTRIES)
    except Unparsable as error:
        raise Unreadable(error.reason, f"no feed that can be read: {error}") from None
    # two files of one name are two feeds unless they say that they are the same one
    source = "\n".join((where.name, feed.home or feed.title or ""))
    items = []
    for found in identify(feed.entries, source, feed.home, Seen()):
        entry = found.entry
        if not entry.title and not entry.body:
            continue
        site = host_of(entry.link or feed.home or "") or where.folder
        items.append(
            _item(
                where,
                found.article,
                site,
                body=entry.body,
                body_type=entry.body_type,
                truncated=entry.truncated,
                title=entry.title,
                url=entry.link,
                guid=entry.guid,
                language_hint=entry.language or feed.language,
                published=entry.at.isoformat() if entry.at else entry.day,
                day=entry.day,
            )
        )
    if not items:
        raise Unreadable("no_article", "a feed without entries")
    return items


def _item(
    where: Where,
    article: str,
    site: str,
    *,
    body: str,
    body_type: Literal["text", "html", "fragment"],
    truncated: bool,
    title: str | None = None,
    url: str | None = None,
    guid: str | None = None,
    language_hint: str | None = None,
    published: str | None = None,
    day: str | None = None,
) -> Item:
    identity = item_id(article, title, body)
    date = settled(read_date(published), where.seen_at)
    return Item(
        id=identity,
        seen_at=where.seen_at,
        trace=identity,
        realm=where.realm,
        article_id=article,
        source=scrub(where.name),
        site=scrub(site),
        url=url,
        guid=guid,
        title=title,
        body=body,
        body_type=body_type,
        published=(day or date.day) if date else None,
        published_at=date.at if date else None,
        language_hint=language_hint,
        truncated=truncated,
        backlog=where.backlog,
    )


def _language(value: str | None) -> str | None:
    found = re.match(r"([A-Za-z]{2,3})(?:[-_]|$)", value or "")
    return found[1].lower() if found else None
