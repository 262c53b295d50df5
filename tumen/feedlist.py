"""The list of feeds, kept in tumen.toml: behind ``tumen feeds add|check``."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from tumen.errors import ConfigError
from tumen.settings import FeedSettings, Settings

_WORKERS = 8


@dataclass(frozen=True)
class FeedCheck:
    """What one poll of a feed found.  `newest`: the newest date in it, as far as it is known.  `reason`: what is wrong, or None."""

    url: str
    name: str | None
    ok: bool
    entries: int = 0
    newest: str | None = None
    language: str | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        """One line for a person."""
        state = "ok " if self.ok else "BAD"
        found = f"{self.entries:>4} entries, newest {self.newest or 'undated'}" if self.ok else ""
        parts = (state, self.language or "--", self.name or "", self.url, found, self.reason or "")
        return "  ".join(part for part in parts if part)


#: polls one feed; the producer of feeds offers it as `check_feed`
Probe = Callable[[FeedSettings, Settings], FeedCheck]


def add(path: Path, url: str, name: str | None = None, language: str | None = None) -> None:
    """Add a feed to the settings file, which is made if it is not there; comments and order in it stay as they are.

    Raises `ConfigError` for what is no http or https URL, for a feed that is there already and for a file that is no
    TOML; the file is then untouched.
    """
    feed = _feed(url, name, language)
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}") from None
    feeds = document.get("feeds")
    if feeds is None:
        feeds = tomlkit.aot()
        document.append("feeds", feeds)
    elif not isinstance(feeds, AoT):
        raise ConfigError(f"{path}: feeds: expected [[feeds]] tables, so that one can be added")
    if any(_same(str(there.get("url", "")), feed.url) for there in feeds):
        raise ConfigError(f"{path}: {url}: is in the list already")
    table = tomlkit.table()
    for key, value in feed.model_dump(exclude_none=True).items():
        table.add(key, value)
    feeds.append(table)
    _write(path, tomlkit.dumps(document))


def check(settings: Settings, probe: Probe | None = None) -> Iterator[FeedCheck]:
    """One poll of every feed in the settings, several at a time, results in the order of the list."""
    ask = probe or _probe()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="check") as workers:
        yield from workers.map(lambda feed: ask(feed, settings), settings.feeds)


def _probe() -> Probe:
    """The node that can poll a feed, found by what it offers."""
    from tumen.pipeline import load_topology

    for declared in load_topology().nodes:
        probe: Probe | None = getattr(declared.module, "check_feed", None)
        if probe is not None:
            return probe
    raise ConfigError("pipeline.toml: no node reads feeds (one that offers check_feed)")


def _feed(url: str, name: str | None, language: str | None) -> FeedSettings:
    try:
        feed = FeedSettings(url=url.strip(), name=name, language=language)
    except ValidationError as error:
        expected = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors(include_url=False))
        raise ConfigError(f"{url!r}: {expected}") from None
    if re.search(r"\s", feed.url):
        raise ConfigError(f"{url!r}: expected a URL without spaces")
    return feed


def _same(one: str, other: str) -> bool:
    """Whether two URLs are one feed: scheme, "www." and a final slash apart."""

    def bare(url: str) -> str:
        return re.sub(r"^https?://(www\.)?", "", url.strip(), flags=re.IGNORECASE).rstrip("/")

    return bare(one) == bare(other)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, with the file's own permissions (a new one is its owner's alone: it may come to hold secrets)."""
    handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path.resolve())
    except BaseException:
        os.unlink(temporary)
        raise
