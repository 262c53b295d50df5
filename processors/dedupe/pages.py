"""Which page a URL is: one key for its desktop, mobile and AMP forms, with or without scheme, campaign parameters and a final slash."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from tumen.ids import digest

_TRACKING = re.compile(
    r"utm_\w+|(fb|g|y|ms|tw|dc|gb|wb)cl(id|src)|igsh(id)?|mc_[ce]id|_hs\w+|hs(ctatracking|a_\w+)|ref(_src|_url|errer)?|source|src|cmp(id)?|"
    r"at_(medium|campaign|custom\d)|pk_\w+|mtm_\w+|ns_\w+|share(d|_id)?|smid|smtyp|ito|ocid|cvid|spm|from|feature|output(type)?|amp|"
    r"__twitter_impression|_ga|_gl|gaa_\w+|trk|guccounter|guce_\w+|xtor|traffic_source|taid|usqp|ysclid|_openstat|wt_z?mc|mkt_tok|print|rss|rss_?id|feed",
    re.IGNORECASE,
)
_HOST = re.compile(r"^(www\d?|m|mobile|amp|touch|wap)\.(?=[^.]+\.)")
_MOBILE = frozenset([("m", "0"), ("m", "1")])
_GOOGLE_AMP = re.compile(r"^/amp/(?:s/)?([^/]+\.[^/]+/.*)$")
_AMP_CACHE = re.compile(r"^/[acvi](?:/s)?/([^/]+\.[^/]+/.*)$")
_AMP_PATH = re.compile(r"^/amp(?=/.)|/amp$|(?<=.)\.amp(?=\.html?$|$)|(?<=/)amp-(?=[^/]+$)", re.IGNORECASE)
_SESSION = re.compile(r";jsessionid=[^/]*", re.IGNORECASE)
_INDEX = re.compile(r"/(index|default)\.(s?html?|php|aspx?)$", re.IGNORECASE)


def page_key(url: str | None) -> str | None:
    """A digest that all addresses of one page share, or None where the URL names no page of a site (a home page, none at all)."""
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    inner = _GOOGLE_AMP.match(parts.path) if re.fullmatch(r"(www\.)?google\.[a-z.]+", host) else None
    inner = inner or (_AMP_CACHE.match(parts.path) if host.endswith(".cdn.ampproject.org") else None)
    if inner is not None:
        return page_key(f"https://{inner[1]}" + (f"?{parts.query}" if parts.query else ""))
    path = _INDEX.sub("/", quote(unquote(parts.path), safe="/~:@!$&'()*+,;=")).rstrip("/")
    path = re.sub("//+", "/", _AMP_PATH.sub("", _SESSION.sub("", path)).rstrip("/"))
    query = sorted(pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not (_TRACKING.fullmatch(pair[0]) or pair in _MOBILE))
    fragment = parts.fragment if parts.fragment.startswith(("!", "/")) else ""
    if not path and not query and not fragment:
        return None
    shown = _HOST.sub("", host) + (f":{port}" if port not in (None, 80, 443) else "")
    return digest("page", shown, path, urlencode(query), fragment)


def outlet(url: str | None, source: str) -> str:
    """Who published it: the site's host, or the name of the file where there is no URL."""
    for candidate in (url, source):
        host = urlsplit(candidate).hostname if candidate and candidate.startswith(("http://", "https://")) else None
        if host:
            return _HOST.sub("", host)
    return source
