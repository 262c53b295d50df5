"""Deterministic ids: from what a thing is, never from when it was seen."""

import hashlib
from collections.abc import Iterable


def digest(*parts: str | bytes) -> str:
    """24 hex digits (96 bits) of BLAKE2b over the parts, each prefixed by its length so that ("ab", "c") and ("a", "bc") differ."""
    h = hashlib.blake2b(digest_size=12)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        h.update(len(raw).to_bytes(8, "big"))
        h.update(raw)
    return h.hexdigest()


def article_id(source: str, key: str) -> str:
    """The article that `source` (a feed's URL, a file) knows by `key` (its guid, or its canonical URL)."""
    return digest("article", source, key)


def file_article_id(data: bytes) -> str:
    """The article that a plain file holds: its bytes are its identity."""
    return digest("file", data)


def item_id(article: str, title: str | None, body: str) -> str:
    """One version of an article: an edited body is a new item of the same article."""
    return digest("item", article, title or "", body)


def mention_id(article: str, event: str, place: str, start: int) -> str:
    """A mention is where it stands and what it states."""
    return digest("mention", article, event, place, str(start))


def alert_id(story: str, change: str, details: Iterable[str] = ()) -> str:
    """An alert is a story and its change: the same change told twice is the same alert."""
    return digest("alert", story, change, *details)
