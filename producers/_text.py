"""Text as feeds and files bring it, made fit to be shown: one line, no markup, no control or direction characters."""

import html
import re
import unicodedata

_TAG = re.compile(r"<!--.*?-->|<!\[CDATA\[|\]\]>|</?[a-zA-Z][^<>]*>|<![a-zA-Z][^<>]*>", re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|template)\b[^<>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_SPACE = re.compile(r"\s+")
# what nobody sees but what changes how a line is read or compared: controls, direction marks, zero-width spaces, soft hyphens
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BLOCK = re.compile(r"<(p|div|h[1-6]|ul|ol|li|table|blockquote|section|article|br)\b", re.IGNORECASE)


def one_line(markup: str, cap: int) -> str:
    """Plain text of a title: tags and unseen elements gone, entities resolved, hidden characters removed, NFC, at most `cap` characters."""
    # twice the cap would do for plain text; markup may be longer than what it says, but a title of a megabyte says nothing
    text = markup[: cap * 40]
    if "<" in text:
        text = _TAG.sub(" " if _BLOCK.search(text) else "", _UNSEEN.sub(" ", text))
    text = html.unescape(text)
    text = _HIDDEN.sub("", scrub(text))
    return cut(unicodedata.normalize("NFC", _SPACE.sub(" ", text).strip()), cap)


def scrub(text: str) -> str:
    """Without what no text may hold: NUL and other controls (line ends and tabs stay), lone surrogates (each becomes U+FFFD)."""
    return _UNWANTED.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def cut(text: str, cap: int) -> str:
    """At most `cap` characters, never ending inside a letter with its accents or a joined emoji."""
    if len(text) <= cap:
        return text
    end = cap
    while end > 0 and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0e\ufe0f" or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end].rstrip()


def cut_markup(markup: str, cap: int) -> str:
    """At most `cap` characters, never ending inside a tag or an entity."""
    if len(markup) <= cap:
        return markup
    head = markup[:cap]
    tag, entity = head.rfind("<"), head.rfind("&")
    if tag > head.rfind(">"):
        head = head[:tag]
    elif entity > cap - 12 and ";" not in head[entity:]:
        head = head[:entity]
    return head


def seen_length(markup: str) -> int:
    """About how many characters of text a reader sees."""
    return len(_SPACE.sub(" ", _TAG.sub("", _UNSEEN.sub("", markup))))


def has_blocks(markup: str) -> bool:
    """Whether the markup has block elements (paragraphs, lists): an article more than a line of summary."""
    return _BLOCK.search(markup) is not None
