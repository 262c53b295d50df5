"""Bytes to text, whatever they claim to be.  Only text encodings by an allow-list: a declared "idna" or "zlib" is not tried."""

import codecs
import re

import charset_normalizer

_ALLOWED = re.compile(
    r"utf-?8(-sig)?|utf-(16|32)(-[lb]e)?|ascii|iso8859-\d+|cp(125\d|437|737|775|85\d|86\d|874|932|949|950|1006|1125)|koi8-[rut]|mac-\w+"
    r"|gb2312|gbk|gb18030|hz|big5(hkscs)?|shift_jis(_2004|x0213)?|euc_(jp|jis_2004|jisx0213|kr)|iso2022_(jp(_\w+)?|kr)|johab|tis-620|ptcp154|kz1048"
)
#: what is meant is nearly always the larger set, as browsers do (WHATWG Encoding)
_LARGER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "big5": "big5hkscs",
}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
_BOMS_16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_XML_DECLARED = re.compile(rb"""\s{0,64}<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_HTML_DECLARED = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_SAMPLE = 60_000
#: the letters beyond ASCII of the languages that Windows-1252 is for: a guesser takes it for its neighbours on a short text
_WESTERN = tuple(
    frozenset(letters)
    for letters in (
        "àèéìíòóùúî",  # Italian
        "àâæçéèêëîïôœùûüÿ",  # French
        "áéíñóúü",  # Spanish
        "àáâãçéêíóôõúü",  # Portuguese
        "äöüßé",  # German
        "åäöæøé",  # the Nordic languages
        "àçèéíïòóúü",  # Catalan
        "áéíóúëïöüèê",  # Dutch
    )
)


class UnknownEncoding(ValueError):
    """The bytes are text in no encoding that could be told."""


def known_charset(name: str | None) -> str | None:
    """Python's name of a text encoding that may be used, in its larger form, or None."""
    if not name:
        return None
    try:
        found = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, UnicodeError, ValueError):
        return None
    return _LARGER.get(found, found) if _ALLOWED.fullmatch(found) else None


def header_charset(content_type: str) -> str | None:
    """The charset of a Content-Type header, if it may be used."""
    found = re.search(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", content_type, re.IGNORECASE)
    return known_charset(found[1]) if found else None


def looks_binary(data: bytes) -> bool:
    """Whether this is no text at all: NULs or many control bytes, and not UTF-16 or UTF-32."""
    sample = data[:_SAMPLE]
    if _marked(sample) or not sample:
        return False
    controls = sum(sample.count(bytes([code])) for code in (*range(0x00, 0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)))
    return controls > len(sample) // 100


def xml_text(data: bytes, charset: str | None = None) -> str:
    """A feed's text.  Never fails: what cannot be decoded becomes U+FFFD.  `charset`: the HTTP header's.

    A byte order mark wins; then UTF-8, if the bytes are that (nothing else looks like it by chance); then the document's own
    declaration before the header, whose charset is often only the server's default.
    """
    declared = _XML_DECLARED.match(data)
    claims = [known_charset(declared[1].decode("ascii")) if declared else None, charset]
    return _decode(data, claims) or data.decode(claims[0] or claims[1] or "utf-8", "replace")


def html_text(data: bytes) -> str:
    """A page's text.  Raises `UnknownEncoding`."""
    declared = _XML_DECLARED.match(data) or _HTML_DECLARED.search(data[:4096])
    text = _decode(data, [known_charset(declared[1].decode("ascii")) if declared else None])
    if text is None:
        raise UnknownEncoding
    return text


def plain_text(data: bytes) -> str:
    """A text file's text.  Raises `UnknownEncoding`."""
    text = _decode(data, [])
    if text is None:
        raise UnknownEncoding
    return text


def _decode(data: bytes, claims: list[str | None]) -> str | None:
    marked = _marked(data)
    if marked is not None:
        mark, length = marked
        return data[length:].decode(mark, "replace")
    tried: list[str | None] = ["utf-8", *claims]
    for encoding in tried:
        if encoding is None or encoding.startswith(("utf-16", "utf-32")):
            continue  # without their marks and NULs they are a wrong claim
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            # a body cut off in the middle of a letter is still what it was
            if encoding == "utf-8" and error.start > 200 and error.start >= len(data) - 3:
                return data.decode("utf-8", "replace")
    return _mostly_utf8(data) or _guessed(data)


def _marked(data: bytes) -> tuple[str, int] | None:
    """(encoding, length of its mark): by a byte order mark, or by the NULs that "<?" or plain Latin text has in UTF-16."""
    for mark, encoding in (*_BOMS, *_BOMS_16):
        if data.startswith(mark):
            return encoding, len(mark)
    head = data[:400]
    even, odd, half = head[0::2].count(0), head[1::2].count(0), len(head) // 2
    if half >= 4 and odd > half * 0.6 and even == 0:
        return "utf-16-le", 0
    if half >= 4 and even > half * 0.6 and odd == 0:
        return "utf-16-be", 0
    return None


def _mostly_utf8(data: bytes) -> str | None:
    """UTF-8 with a few broken letters, as a careless cut leaves them: many good ones for each bad one."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(len(run) for run in re.findall("[\x80-\ufffc]+", text))
    return text if good > bad * 20 else None


def _guessed(data: bytes) -> str | None:
    """The best guess over a sample, only if it is not a chaotic one, and then only if the whole decodes without loss."""
    western = data.decode("cp1252", "replace")
    letters = {letter.lower() for letter in western if letter > "\x7f" and letter.isalpha()}
    if "\ufffd" not in western and letters and any(letters <= alphabet for alphabet in _WESTERN):
        return western
    best = charset_normalizer.from_bytes(data[:_SAMPLE], threshold=0.15).best()
    encoding = known_charset(best.encoding) if best is not None else None
    if encoding is None:
        return None
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
