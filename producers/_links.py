"""Links as feeds give them: only the web's, and one spelling for one page."""

import re
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|yclid|mc_[ce]id|_hs\w+|igshid|ref_src|cmpid|at_(medium|campaign)", re.IGNORECASE)
_LONGEST = 2048


def web_link(raw: str | None, base: str) -> str | None:
    """An absolute http or https URL without user or password, or None for anything else (javascript:, data:, file:, nonsense)."""
    text = re.sub(r"[\x00-\x20\x7f]+", "", raw or "") if raw and len(raw) <= _LONGEST else ""
    if not text:
        return None
    try:
        parts = urlsplit(urljoin(base, text))
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.-]+\.[\w-]+|localhost|[0-9a-f:.]+", host):
        return None
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return urlunsplit((parts.scheme, shown if port in (None, usual) else f"{shown}:{port}", parts.path, parts.query, parts.fragment))


def canonical(link: str) -> str:
    """One spelling of a page's URL, for telling entries apart: no fragment, no campaign parameters, no scheme."""
    parts = urlsplit(link)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(name)])
    return urlunsplit(("", parts.netloc, parts.path.rstrip("/") or "/", query, "")).removeprefix("//")


def host_of(url: str) -> str:
    """The host of a URL that `web_link` or the settings let through, without its port."""
    return (urlsplit(url).hostname or "").rstrip(".")


def is_page(link: str, home: str | None) -> bool:
    """Whether a link leads to one page of a site, not to the site itself."""
    parts = urlsplit(link)
    if parts.path in ("", "/") and not parts.query:
        return False
    return home is None or canonical(link) != canonical(home)
