"""The sample wire: invented news of invented outlets, served as feeds over local HTTP, so that it takes the path that real news takes.

`samples/wire.toml` names the outlets and the stories that the wire tells; each file of `samples/articles/` is one article, its front
matter first.  What a feed says depends on the epoch (when the play began), the speed and the time alone: played again from the same
epoch it gives the same entries, so that a restarted pipeline meets the feeds that it left.
"""

import email.utils
import hashlib
import re
import threading
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any, Literal
from xml.etree import ElementTree as ET

from pydantic import Field, ValidationError

from tumen.errors import ConfigError
from tumen.messages import ChangeKind, EventType, Frozen
from tumen.settings import ROOT, FeedSettings

HOST = "127.0.0.1"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_ATOM = "http://www.w3.org/2005/Atom"
ET.register_namespace("content", _CONTENT)

_MONTHS = {
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "en": "January February March April May June July August September October November December",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
_WEEKDAYS = {
    "it": "lunedì,martedì,mercoledì,giovedì,venerdì,sabato,domenica",
    "en": "on Monday,on Tuesday,on Wednesday,on Thursday,on Friday,on Saturday,on Sunday",
    "ru": "в понедельник,во вторник,в среду,в четверг,в пятницу,в субботу,в воскресенье",
}
_DATE = re.compile(r"\{(day|date|on):(-?\d{1,3})\}")


class Outlet(Frozen):
    """An invented outlet.  `serves`: its feed carries whole pages (`samples/pages/<id>.html`), texts, or summaries."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    name: str
    language: Literal["it", "en", "ru"]
    host: str = Field(pattern=r"^[a-z0-9.-]+\.example$")
    format: Literal["rss", "atom"] = "rss"
    serves: Literal["page", "full", "summary"]


class ExpectedStory(Frozen):
    """A story that the wire tells, and what must come of it.

    `articles`: the slugs of those that tell it as news, in order of appearance.  `events`: its event types, the main one first;
    `alerts`: the changes that must be told; `may`: those that may be.
    """

    name: str
    about: str
    events: tuple[EventType, ...] = Field(min_length=1)
    alerts: tuple[ChangeKind, ...] = ("new",)
    may: tuple[ChangeKind, ...] = ()
    articles: tuple[str, ...] = ()


class SampleArticle(Frozen):
    """One article as an outlet has it.

    `published`: minutes before the epoch.  `appears`: seconds after it, at speed 1.  `story`: the name of the story that it tells, None
    if it tells none.  `role`: "news" tells it, "copy" is another outlet's text, "edit" is a later version of the article `edits`
    (same guid), "none" must raise no alert.  `recalls`: stories that it mentions in passing.
    """

    slug: str
    outlet: str
    title: str
    byline: str | None = None
    published: int = Field(ge=0, le=24 * 60)
    appears: float = Field(ge=0)
    role: Literal["news", "copy", "edit", "none"]
    story: str | None = None
    recalls: tuple[str, ...] = ()
    edits: str | None = None
    text: str


@dataclass(frozen=True)
class Script:
    """All that the wire will say, checked: outlets and stories by id, articles in order of appearance, page templates by outlet."""

    outlets: Mapping[str, Outlet]
    stories: Mapping[str, ExpectedStory]
    articles: tuple[SampleArticle, ...]
    pages: Mapping[str, Template]

    @property
    def length(self) -> float:
        """Seconds, at speed 1, until all has appeared."""
        return self.articles[-1].appears

    def url(self, article: SampleArticle) -> str:
        """An article's address: at a reserved name (RFC 2606), for it is invented."""
        return f"https://www.{self.outlets[article.outlet].host}/{article.edits or article.slug}.html"


def load_script(folder: Path = ROOT / "samples") -> Script:
    """Raises `ConfigError` with every finding at once: file, key, what is wrong."""
    findings: list[str] = []
    manifest = _toml(folder / "wire.toml", findings)
    outlets = {one.id: one for one in _models(Outlet, manifest.get("outlet", ()), "wire.toml: outlet", findings)}
    stories = {one.name: one for one in _models(ExpectedStory, manifest.get("story", ()), "wire.toml: story", findings)}
    articles: list[SampleArticle] = []
    for path in sorted((folder / "articles").glob("*.txt")):
        articles.extend(_models(SampleArticle, [_front_matter(path, findings)], path.name, findings))
    articles.sort(key=lambda one: (one.appears, one.slug))
    slugs = {one.slug for one in articles}
    for article in articles:
        findings.extend(_mislinked(article, outlets, stories, slugs))
    pages = {}
    for outlet in outlets.values():
        path = folder / "pages" / f"{outlet.id}.html"
        if outlet.serves == "page" and path.is_file():
            pages[outlet.id] = Template(path.read_text(encoding="utf-8"))
        elif outlet.serves == "page":
            findings.append(f"wire.toml: outlet {outlet.id}: serves pages, expected their template in {path}")
    if not articles:
        findings.append(f"{folder}: no articles")
    if findings:
        raise ConfigError(*findings)
    told = {
        name: story.model_copy(update={"articles": tuple(a.slug for a in articles if a.story == name and a.role != "edit")})
        for name, story in stories.items()
    }
    return Script(outlets, told, tuple(articles), pages)


def _toml(path: Path, findings: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        findings.append(f"{path}: expected a readable TOML file: {error}")
        return {}


def _front_matter(path: Path, findings: list[str]) -> dict[str, Any]:
    """TOML up to a line of three plus signs, then the text.  The slug is the file's name without its number."""
    head, mark, text = path.read_text(encoding="utf-8").partition("\n+++\n")
    if not mark:
        findings.append(f"{path.name}: expected front matter, a line '+++', then the text")
    try:
        values = tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        findings.append(f"{path.name}: {error}")
        values = {}
    return {"slug": path.stem.partition("-")[2], **values, "text": text.strip()}


def _models(model: "type[Any]", raws: Iterable[Any], where: str, findings: list[str]) -> list[Any]:
    made = []
    for number, raw in enumerate(raws, start=1):
        try:
            made.append(model.model_validate(raw))
        except ValidationError as error:
            for one in error.errors(include_url=False):
                findings.append(f"{where} {number}: {'.'.join(map(str, one['loc']))} = {one.get('input')!r:.80}: {one['msg']}")
    return made


def _mislinked(article: SampleArticle, outlets: Mapping[str, Any], stories: Mapping[str, Any], slugs: set[str]) -> Iterable[str]:
    if article.outlet not in outlets:
        yield f"{article.slug}: outlet = {article.outlet!r}: not in wire.toml"
    for name in (*((article.story,) if article.story else ()), *article.recalls):
        if name not in stories:
            yield f"{article.slug}: story {name!r}: not in wire.toml"
    if (article.story is None) != (article.role == "none"):
        yield f"{article.slug}: role = {article.role!r}: an article tells a story just if its role is not 'none'"
    if (article.edits is None) == (article.role == "edit") or (article.edits and article.edits not in slugs):
        yield f"{article.slug}: edits = {article.edits!r}: expected the slug of the article that a role 'edit' edits, and only there"


#: what the wire in `samples/` tells: name -> story
EXPECTED_STORIES: Mapping[str, ExpectedStory] = load_script().stories


def with_dates(text: str, language: str, epoch: datetime) -> str:
    """`{day:-1}`, `{date:-1}` (with its year) and `{on:-1}` (its weekday) as this language writes them, counted from the epoch's day."""

    def written(found: re.Match[str]) -> str:
        that = epoch.astimezone(UTC) + timedelta(days=int(found[2]))
        if found[1] == "on":
            return _WEEKDAYS[language].split(",")[that.weekday()]
        month = _MONTHS[language].split()[that.month - 1]
        day = f"{month} {that.day}" if language == "en" else f"{that.day} {month}"
        if found[1] == "day":
            return day
        return f"{day}, {that.year}" if language == "en" else f"{day} {that.year}" + (" года" if language == "ru" else "")

    return _DATE.sub(written, text)


class SampleWire:
    """The wire, playing.

    `now`: the wall clock.  `epoch`: when the play began; `speed`: how many times faster than written it goes.  `port` 0 takes a free one.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime], *, speed: float, epoch: datetime, port: int) -> None:
        self.script = load_script(folder)
        self._now, self._speed, self._epoch, self._port = now, speed, epoch, port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._read_whole: set[str] = set()

    @property
    def allow_private(self) -> str:
        """The one private address that its reader must be allowed to speak to."""
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Serve, in threads of its own.  Raises `OSError` if the port is taken."""
        self._server = ThreadingHTTPServer((HOST, self._port), _handler(self))
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="sample_wire", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def feeds(self) -> list[FeedSettings]:
        return [
            FeedSettings(url=f"http://{HOST}:{self._port}/{outlet.id}.xml", name=outlet.name, language=outlet.language)
            for outlet in self.script.outlets.values()
        ]

    def done(self, now: datetime) -> bool:
        """Whether all has appeared, and every feed has been read since."""
        return now >= self._appears(self.script.articles[-1]) and self._read_whole >= set(self.script.outlets)

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[HTTPStatus, dict[str, str], bytes]:
        """Status, headers and body for a path, conditional requests included."""
        outlet = self.script.outlets.get(path.removeprefix("/").removesuffix(".xml"))
        if outlet is None or not path.endswith(".xml"):
            return HTTPStatus.NOT_FOUND, {"Content-Type": "text/plain"}, b"no such feed\n"
        now = self._now()
        body, changed = self.document(outlet, now)
        validators = {
            "ETag": f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"',
            "Last-Modified": email.utils.format_datetime(changed.astimezone(UTC).replace(microsecond=0), usegmt=True),
        }
        if now >= self._appears(self.script.articles[-1]):
            self._read_whole.add(outlet.id)
        if headers.get("If-None-Match") == validators["ETag"]:  # the stronger of the two validators, and the only one that is needed
            return HTTPStatus.NOT_MODIFIED, validators, b""
        return HTTPStatus.OK, {"Content-Type": f"application/{outlet.format}+xml; charset=utf-8", **validators}, body

    def document(self, outlet: Outlet, now: datetime) -> tuple[bytes, datetime]:
        """The feed at a time, newest first, and when it last changed."""
        shown: dict[str, SampleArticle] = {}
        for article in self.script.articles:
            if article.outlet == outlet.id and self._appears(article) <= now:
                shown[article.edits or article.slug] = article  # an edit takes the place of what it edits
        articles = list(reversed(shown.values()))
        changed = max((self._appears(article) for article in articles), default=self._epoch)
        build = self._rss if outlet.format == "rss" else self._atom
        return ET.tostring(build(outlet, articles, changed), encoding="utf-8", xml_declaration=True), changed

    def _appears(self, article: SampleArticle) -> datetime:
        return self._epoch + timedelta(seconds=article.appears / self._speed)

    def _published(self, article: SampleArticle) -> datetime:
        return self._epoch - timedelta(minutes=article.published)

    def _rss(self, outlet: Outlet, articles: Sequence[SampleArticle], changed: datetime) -> ET.Element:
        root = ET.Element("rss", version="2.0")
        channel = ET.SubElement(root, "channel")
        _add(channel, "title", outlet.name)
        _add(channel, "link", f"https://www.{outlet.host}/")
        _add(channel, "description", outlet.name)
        _add(channel, "language", outlet.language)
        _add(channel, "lastBuildDate", email.utils.format_datetime(changed))
        for article in articles:
            item = ET.SubElement(channel, "item")
            _add(item, "title", self._dated(article.title, outlet))
            _add(item, "link", self.script.url(article))
            _add(item, "guid", _guid(outlet, article)).set("isPermaLink", "false")
            _add(item, "pubDate", email.utils.format_datetime(self._published(article)))
            paragraphs = self._paragraphs(article, outlet)
            _add(item, "description", escape(_summary(paragraphs)))
            if outlet.serves != "summary":
                _add(item, f"{{{_CONTENT}}}encoded", self._html(article, outlet, paragraphs))
        return root

    def _atom(self, outlet: Outlet, articles: Sequence[SampleArticle], changed: datetime) -> ET.Element:
        root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": outlet.language})
        _add(root, "title", outlet.name)
        _add(root, "id", f"tag:{outlet.host},2024:feed")
        _add(root, "updated", changed.isoformat(timespec="seconds"))
        ET.SubElement(root, "link", href=f"https://www.{outlet.host}/")
        for article in articles:
            entry = ET.SubElement(root, "entry")
            _add(entry, "title", self._dated(article.title, outlet))
            _add(entry, "id", _guid(outlet, article))
            ET.SubElement(entry, "link", href=self.script.url(article))
            published = self._published(article).isoformat(timespec="seconds")
            _add(entry, "published", published)
            _add(entry, "updated", published)
            paragraphs = self._paragraphs(article, outlet)
            _add(entry, "summary", _summary(paragraphs))
            if outlet.serves != "summary":
                _add(entry, "content", self._html(article, outlet, paragraphs)).set("type", "html")
        return root

    def _dated(self, text: str, outlet: Outlet) -> str:
        return with_dates(text, outlet.language, self._epoch)

    def _paragraphs(self, article: SampleArticle, outlet: Outlet) -> list[str]:
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", self._dated(article.text, outlet))]

    def _html(self, article: SampleArticle, outlet: Outlet, paragraphs: Sequence[str]) -> str:
        body = "\n".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs)
        if outlet.serves == "full":
            return body
        return self.script.pages[outlet.id].substitute(
            title=escape(self._dated(article.title, outlet)),
            byline=escape(article.byline or outlet.name),
            published=self._published(article).isoformat(timespec="minutes"),
            url=self.script.url(article),
            body=body,
        )


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = text
    return child


def _guid(outlet: Outlet, article: SampleArticle) -> str:
    return f"tag:{outlet.host},2024:{article.edits or article.slug}"


def _summary(paragraphs: Sequence[str]) -> str:
    """The first two paragraphs: what feeds that give no more usually give."""
    return " ".join(paragraphs[:2])


def _handler(wire: SampleWire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = wire.answer(self.path, self.headers)  # type: ignore[arg-type]  # a Message answers `get`
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status is not HTTPStatus.NOT_MODIFIED:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: what the pipeline reads is counted where it is read."""

    return Handler
