"""Who is independent of whom: an origin's key, the same for every desk, domain and spelling of one agency or outlet."""

import re
import unicodedata

from tumen.messages import Unique

#: Names of one agency that its own name does not give away.  State media of one newsroom speak with one voice.
DESKS = {
    "yna": "yonhap",
    "yonhapnewsagency": "yonhap",
    "rian": "ria",
    "rianovosti": "ria",
    "sputnik": "ria",
    "sputniknews": "ria",
    "rossiyasegodnya": "ria",
    "itartass": "tass",
    "koreancentralnewsagency": "kcna",
    "kcnawatch": "kcna",
    "rodong": "kcna",
    "rodongsinmun": "kcna",
    "kyodonews": "kyodo",
    "associatedpress": "ap",
    "apnews": "ap",
    "agencefrancepresse": "afp",
}

#: What stands before an outlet's name in a host, or behind it.
_HOST = re.compile(r"^[\w-]+(\.[\w-]+)+$")
_SECOND_LEVEL = {"co", "com", "or", "org", "go", "gov", "ne", "net", "ac", "edu"}


def origin_key(unique: Unique) -> str:
    """The newsroom that stands behind an article: what its text goes back to, else the outlet itself (its host, its source)."""
    return key_of(outlet(unique))


def outlet(unique: Unique) -> str:
    """Who says it, for people."""
    article = unique.article
    return unique.origin or article.origin or article.site.removeprefix("www.") or article.source


def key_of(name: str) -> str:
    """``TASS``, ``tass.com`` and ``en.tass.ru`` -> ``tass``."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    if _HOST.match(plain):
        plain = _outlet(plain)
    squeezed = re.sub(r"[\W_]+", "", plain)
    return DESKS.get(squeezed, squeezed or plain)


def _outlet(host: str) -> str:
    """The label before the public suffix: ``world.example.co.uk`` -> ``example``."""
    labels = host.split(".")
    if len(labels) > 2 and labels[-2] in _SECOND_LEVEL:
        return labels[-3]
    return labels[-2]


__all__ = ["DESKS", "key_of", "origin_key", "outlet"]
