"""Feeds: what a poll leads to (pure), what is on the wire (a real server), what a document says, and what hostile ones cost."""

import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers import feeds
from producers._feedxml import Parsed, Unparsable, newest, parse, prepare
from producers._sandbox import CPU_SECONDS, Parsers, parse_apart
from producers._seen import MAX_EDITS, Seen
from producers.feeds import SPEC, Answer, Feeds, FeedState, Plan, Poll, ask, check_feed, decide, interval, wait_after_failure
from tests.loopback import Loopback, answer, loopback
from tumen import feedlist
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode
from tumen.errors import ConfigError
from tumen.messages import Item
from tumen.runner import Node, make_runner, settle
from tumen.settings import FeedSettings, HttpSettings, PollSettings, Settings, load_settings
from tumen.state import Nothing, Overlay
from tumen.testing import Clock, Counts, Killed, killed_at
from tumen.topics import ITEMS

NOW = datetime(2024, 9, 14, 12, tzinfo=UTC)
FEED = FeedSettings(url="https://voci.example/rss", language="it")
POLL = PollSettings(every=600)
URL = "https://voci.example/rss"


def rss(*entries: str, more: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Voci</title><link>https://voci.example/</link>{more}'
        f"{''.join(f'<item>{entry}</item>' for entry in entries)}</channel></rss>"
    ).encode()


def entry(name: str, text: str = "Testo.", more: str = "") -> str:
    link = f"https://voci.example/{name}"
    return f"<title>Il {name}</title><link>{link}</link><guid>{name}</guid><description>{text}</description>{more}"


def read(data: bytes, **headers: str) -> Parsed:
    return parse(data, URL, headers, 1000)


def fetched(*entries: str, **more: Any) -> Answer:
    return Answer(outcome="fetched", full=True, feed=read(rss(*entries)), **more)


def go(state: FeedState, seen: Seen | None, said: Answer, now: datetime = NOW) -> Plan:
    return decide(FEED, state, lambda: seen or Seen(), said, now, POLL, "live")


# --- deciding: pure -----------------------------------------------------------------------------------------------------------------


def test_a_first_poll_gives_every_entry_oldest_first_as_backlog() -> None:
    plan = go(FeedState(), None, fetched(entry("ponte"), entry("porto"), etag='"1"', body="b"))
    assert [item.guid for item in plan.items] == ["porto", "ponte"]
    assert all(item.backlog for item in plan.items)
    assert (plan.state.etag, plan.state.body, plan.state.primed, plan.state.failures) == ('"1"', "b", True, 0)
    assert plan.state.next_poll == NOW + interval(FEED, POLL)


def test_a_second_poll_gives_what_is_new() -> None:
    first = go(FeedState(), None, fetched(entry("ponte")))
    second = go(first.state, first.seen, fetched(entry("porto"), entry("ponte")))
    (item,) = second.items
    assert (item.guid, item.backlog, item.site, item.source, item.language_hint) == ("porto", False, "voci.example", URL, "it")
    assert go(second.state, second.seen, fetched(entry("porto"), entry("ponte"))).items == ()


def test_an_edited_entry_is_a_new_item_of_the_same_article() -> None:
    first = go(FeedState(), None, fetched(entry("ponte")))
    (item,) = go(first.state, first.seen, fetched(entry("ponte", "Testo corretto."))).items
    assert item.article_id == first.items[0].article_id
    assert item.id != first.items[0].id


@pytest.mark.parametrize(
    "before_and_after",
    [
        (entry("ponte"), entry("ponte").replace("<guid>ponte", "<guid>another")),  # a new guid at each poll
        (entry("ponte"), entry("ponte").replace("<guid>ponte</guid>", "")),  # it is left out
        (entry("ponte"), entry("ponte").replace("example/ponte", "example/ponte?utm_source=rss")),
        (entry("ponte"), entry("ponte").replace("https://voci", "http://voci")),
    ],
)
def test_an_entry_is_known_under_each_of_its_names(before_and_after: tuple[str, str]) -> None:
    before, after = before_and_after
    first = go(FeedState(), None, fetched(before, entry("porto")))
    assert go(first.state, first.seen, fetched(after, entry("porto"))).items == ()


def test_a_guid_or_a_link_that_every_entry_has_names_none() -> None:
    same_guid = [entry(name).replace(f"<guid>{name}", "<guid>1") for name in ("ponte", "porto", "mare")]
    same_link = [entry(name).replace(f"example/{name}", "example/news") for name in ("ponte", "porto", "mare")]
    assert len({item.article_id for item in go(FeedState(), None, fetched(*same_guid)).items}) == 3
    assert len({item.article_id for item in go(FeedState(), None, fetched(*same_link)).items}) == 3


def test_one_document_with_an_entry_twice_gives_it_once() -> None:
    plan = go(FeedState(), None, fetched(entry("ponte"), entry("ponte")))
    assert len(plan.items) == 1


def test_an_entry_that_changes_at_every_look_is_given_up() -> None:
    plan = go(FeedState(), None, fetched(entry("ponte")))
    for number in range(MAX_EDITS + 5):
        plan = go(plan.state, plan.seen, fetched(entry("ponte", f"Letto {number} volte.")))
    assert plan.items == ()
    assert [drop.reason for drop in plan.drops] == ["restless"]


def test_what_is_remembered_is_bounded_and_forgets_the_oldest() -> None:
    plan = go(FeedState(), None, fetched(entry("first")))
    for number in range(60):
        plan = go(plan.state, plan.seen, fetched(*(entry(f"e{number}-{at}") for at in range(50))))
    assert plan.seen is not None
    assert len(plan.seen.articles) <= 2_000
    assert go(plan.state, plan.seen, fetched(entry("e59-1"))).items == ()
    assert len(go(plan.state, plan.seen, fetched(entry("first"))).items) == 1


@pytest.mark.parametrize(
    ("failures", "retry_after", "seconds"),
    [
        (1, None, 600),
        (2, None, 1_200),
        (4, None, 4_800),
        (50, None, 6 * 3600),
        (1, 30.0, 600),
        (1, 7_200.0, 7_200),
        (1, -5.0, 600),
        (1, 10 * 365 * 86_400.0, 86_400),
        (1, 1e300, 86_400),
    ],
)
def test_a_failure_backs_off_and_retry_after_is_obeyed_within_bounds(failures: int, retry_after: float | None, seconds: int) -> None:
    failed = Answer(outcome="failed", reason="status", message="503", retry_after=retry_after)
    plan = go(FeedState(failures=failures - 1, etag='"1"', body="b", primed=True), None, failed)
    assert plan.state.next_poll is not None
    usual = interval(FEED, POLL).total_seconds()
    wait = (plan.state.next_poll - NOW).total_seconds()
    assert wait == pytest.approx(
        seconds * usual / 600 if seconds % 600 == 0 and seconds < 6 * 3600 and retry_after != 7_200 else seconds, rel=0.11
    )
    assert (plan.state.failures, plan.state.etag, plan.state.body, plan.state.primed) == (failures, '"1"', "b", True)
    assert plan.items == ()
    assert [drop.reason for drop in plan.drops] == ["status"]


def test_success_after_failures_starts_anew() -> None:
    plan = go(FeedState(failures=7, reason="dns"), None, fetched(entry("ponte")))
    assert (plan.state.failures, plan.state.reason) == (0, None)


def test_unchanged_keeps_what_is_known_and_is_a_success() -> None:
    state = FeedState(etag='"1"', body="b", primed=True, failures=3, reason="dns")
    plan = go(state, None, Answer(outcome="unchanged"))
    assert (plan.state.etag, plan.state.body, plan.state.failures, plan.seen, plan.items) == ('"1"', "b", 0, None, ())
    full = go(state, None, Answer(outcome="unchanged", full=True, etag='"2"', body="b"))
    assert (full.state.etag, full.state.last_full) == ('"2"', NOW)


@pytest.mark.parametrize(
    ("written", "day", "moment"),
    [
        ("Fri, 13 Sep 2024 23:30:00 +0900", "2024-09-13", datetime(2024, 9, 13, 14, 30, tzinfo=UTC)),
        ("Fri, 13 Sep 2024 10:00:00 MSK", "2024-09-13", datetime(2024, 9, 13, 7, tzinfo=UTC)),
        ("2024-09-13", "2024-09-13", None),
        ("2024-09", "2024-09", None),
        ("Sat, 14 Sep 2024 15:00:00 GMT", "2024-09-14", NOW),  # three hours ahead: a wrong zone
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, None),
        ("Mon, 01 Jan 2035 00:00:00 GMT", None, None),
        ("yesterday", None, None),
        ("", None, None),
    ],
)
def test_dates_as_written_and_never_the_time_of_fetching(written: str, day: str | None, moment: datetime | None) -> None:
    (item,) = go(FeedState(), None, fetched(entry("ponte", more=f"<pubDate>{written}</pubDate>"))).items
    assert (item.published, item.published_at) == (day, moment)


def test_intervals_of_many_feeds_are_spread() -> None:
    waits = {interval(FeedSettings(url=f"https://e{number}.example/"), POLL).total_seconds() for number in range(50)}
    assert min(waits) >= 540
    assert max(waits) <= 660
    assert len(waits) == 50
    assert wait_after_failure(FEED, PollSettings(every=86_400), 1, None) >= timedelta(hours=20)


# --- documents ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example/x", "http://u:p@ [", "//", "mailto:a@b.c"]
)
def test_a_link_that_is_none_of_the_webs_is_dropped_and_its_entry_kept(link: str) -> None:
    (found,) = read(rss(f"<title>Il ponte</title><link>{link}</link><description>Testo.</description>")).entries
    assert found.title == "Il ponte"
    assert found.link is None or found.link.startswith("https://voci.example/")


def test_a_user_and_password_in_a_link_are_dropped() -> None:
    (found,) = read(rss(entry("ponte").replace("https://voci", "https://user:secret@voci"))).entries
    assert found.link == "https://voci.example/ponte"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Il &lt;script&gt;alert(1)&lt;/script&gt; ponte", "Il ponte"),
        ("<![CDATA[Il <b>ponte</b> riapre]]>", "Il ponte riapre"),
        ("Il &amp;lt;ponte&amp;gt;", "Il <ponte>"),
        ("Il ponte\u202e \u200b\u0007riapre", "Il ponte riapre"),
        ("&lt;!channel&gt; Il ponte", "Il ponte"),
        ("Il&#10;  ponte", "Il ponte"),
        ("Il ponte &#xD800; &#x110000; &#9999999999999; &#0;", "Il ponte \ufffd \ufffd \ufffd \ufffd"),
        ("3 &lt; 4 e 5 &gt; 4", "3 < 4 e 5 > 4"),
        ("e\u0301", "é"),
    ],
)
def test_titles_are_plain_text(written: str, shown: str) -> None:
    (found,) = read(rss(f"<title>{written}</title><description>x</description>")).entries
    assert found.title == shown


def test_a_title_of_five_megabytes_is_cut_between_letters() -> None:
    (found,) = read(rss(f"<title>{'e' + chr(0x301)}{'x' + chr(0x323) * 2}{'ab' * 2_500_000}</title>")).entries
    assert found.title is not None
    assert len(found.title) <= 300


@pytest.mark.parametrize(
    "charset", ["undefined", "punycode", "utf-7", "idna", "unicode_escape", "zlib", "rot13", "\N{SNOWMAN}", "x" * 500, "utf-16", "base64"]
)
def test_a_charset_that_is_none_changes_nothing(charset: str) -> None:
    data = rss(entry("città"))
    assert read(data, **{"content-type": f"text/xml; charset={charset}"}).entries[0].title == "Il città"
    assert read(data.replace(b'"utf-8"', f'"{charset}"'.encode())).entries[0].title == "Il città"


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("Мост открылся утром", "windows-1251", "windows-1251"),
        ("Мост открылся утром", "koi8-r", "koi8-r"),
        ("다리가 다시 열렸다", "euc-kr", "euc-kr"),
        ("橋が再び開いた", "shift_jis", "shift_jis"),
        ("大桥重新开放", "gb18030", "gb2312"),
        ("Il caffè riapre", "utf-8", "iso-8859-1"),  # a wrong declaration
        ("Il caffè riapre", "cp1252", "iso-8859-1"),
        ("Il caffè riapre", "utf-16", "utf-16"),
        ("Il caffè riapre", "utf-16-le", "utf-16"),
    ],
)
def test_encodings(text: str, encoding: str, declared: str) -> None:
    document = rss(entry("x").replace("Il x", text)).decode().replace('"utf-8"', f'"{declared}"')
    assert read(document.encode(encoding)).entries[0].title == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_a_feed"),
        (b"   \n", "not_a_feed"),
        (b"just words", "not_a_feed"),
        (b"<html><body><h1>Sign in</h1></body></html>", "not_a_feed"),
        (b'{"version": "https://jsonfeed.org/version/1"}', "not_a_feed"),
        (bytes(2_000), "not_a_feed"),
        (b'<?xml version="1.0"?>' + b" \n" * 40_000 + b"<!DOCTYPE x [" + b" " * 5_000 + b"]>" + rss()[38:], "unparsable"),
    ],
)
def test_what_is_no_feed_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(Unparsable) as error:
        read(data)
    assert error.value.reason == reason


def test_broken_feeds_are_salvaged() -> None:
    whole = rss(*(entry(f"e{number}") for number in range(10)))
    assert len(read(whole[: len(whole) // 2]).entries) >= 4
    assert len(read(whole.replace(b"Testo.", b"Testo & <altro")).entries) == 10
    assert len(read(whole.replace(b"Testo.", b"Te\x00s\x01to.")).entries) == 10


def test_entities_are_not_expanded_and_nothing_is_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-7d1", encoding="utf-8")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    with loopback() as site:
        doctype = f'<!DOCTYPE r [<!ENTITY l0 "ha">{laughs}<!ENTITY f SYSTEM "file://{secret}"><!ENTITY u SYSTEM "{site.url("/x")}">]>'
        found = read(rss(entry("ponte", "&l11; &f; &u;")).replace(b"?>", b"?>" + doctype.encode(), 1))
        assert site.asked == []
    assert "canary" not in found.model_dump_json()
    assert len(found.model_dump_json()) < 5_000


def test_no_more_entries_than_the_cap_are_parsed_and_the_rest_is_counted() -> None:
    atom = '<feed xmlns="http://www.w3.org/2005/Atom"><title>V</title>' + "<entry><id>%s</id><title>x</title></entry>" * 1_500 + "</feed>"
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>V</title></channel>'
        + "<item><title>x</title></item>" * 1_500
        + "</rdf:RDF>"
    )
    for document in (rss(*(entry(f"e{number}") for number in range(1_500))), (atom % tuple(range(1_500))).encode(), rdf.encode()):
        found = parse(document, URL, {}, 1000)
        assert (len(found.entries), found.left_out, found.flaw, found.title) == (1000, 500, None, found.title)
        assert found.title in ("Voci", "V")
    assert newest(prepare("<rss><item>a</item></rss>"), 1)[1] == 0


def test_every_feed_there_is(shared: Path) -> None:
    """No crash, no fewer entries than feedparser alone finds, in bounded time."""
    folder = shared / "corpora" / "feeds"
    began, seen = time.process_time(), 0
    for row in csv.DictReader((folder / "manifest.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"):
        path = folder / row["path"]
        if not path.is_file():
            continue
        seen += 1
        expected = int(row["n_entries_feedparser"] or 0)
        try:
            found = parse(path.read_bytes(), URL, {}, 10_000)
        except Unparsable:
            assert expected == 0, row["path"]
            continue
        assert len(found.entries) >= expected, row["path"]
        assert Parsed.model_validate_json(found.model_dump_json()) == found
    assert seen > 3_000
    assert time.process_time() - began < 90


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_to_a_feed_breaks_the_parser(data: st.DataObject) -> None:
    document = bytearray(
        rss(entry("ponte", "&lt;p&gt;Testo&lt;/p&gt;"), entry("porto", "<![CDATA[<b>x</b>]]>"), more="<language>it</language>")
    )
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(document) - 1))
        piece = data.draw(
            st.sampled_from([b"<", b">", b"&", b"\x00", b"&#xD800;", b"]]>", b"<!--", b"\xff\xfe", b'"', b"<![CDATA[", b"</item>", b"\xc3"])
        )
        document[at : at + data.draw(st.integers(0, 5))] = piece
    try:
        found = parse(bytes(document), URL, {}, 100)
    except Unparsable:
        return
    found.model_dump_json()


# --- hostile: the child is stopped ---------------------------------------------------------------------------------------------------


HOSTILE: dict[str, bytes] = {
    "attributes": rss("<description " + " ".join(f'a{number}="1"' for number in range(50_000)) + ">x</description>"),
    "comments": rss("<description>" + "&lt;!--" * 60_000 + "</description>"),
    "prolog": b'<?xml version="1.0"?>' + b" \n" * 100_000 + rss(entry("x"))[38:],
    "depth": b"<rss version='2.0'><channel>" + b"<a>" * 50_000,
    "entries": rss(*(entry(str(number)) for number in range(40_000))),
}


STOPPED = {"attributes", "comments"}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_feed_costs_a_few_seconds_and_nothing_else(name: str) -> None:
    def children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    parsers = Parsers(1)
    before, began = children(), time.monotonic()
    with closing(parsers):
        if name in STOPPED:
            with pytest.raises(Unparsable, match="stopped") as error:
                parsers.parse(HOSTILE[name], URL, {}, 1000)
            assert error.value.reason == "unparsable"
        else:
            assert len(parsers.parse(HOSTILE[name], URL, {}, 1000).entries) <= 1000
        assert time.monotonic() - began < 25
        # the next feed finds a parser that works
        assert len(parsers.parse(rss(entry("ponte")), URL, {}, 10).entries) == 1
    assert children() - before < 2 * CPU_SECONDS + 4


def test_the_child_says_what_the_parser_says() -> None:
    data = rss(entry("città", "Testo."), more="<language>it</language>")
    headers = {"content-type": "text/xml; charset=utf-8"}
    assert parse_apart(data, URL, headers, 5) == parse(data, URL, headers, 5)
    with pytest.raises(Unparsable) as error:
        parse_apart(b"<html></html>", URL, {}, 5)
    assert error.value.reason == "not_a_feed"


def test_a_child_that_died_is_replaced() -> None:
    parsers = Parsers(1)
    try:
        parsers.parse(rss(entry("ponte")), URL, {}, 5)
        parsers._free[0]._process.kill()
        parsers._free[0]._process.wait()
        assert len(parsers.parse(rss(entry("ponte")), URL, {}, 5).entries) == 1
    finally:
        parsers.close()


def test_a_child_ends_when_its_parent_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from producers._sandbox import PARSERS\n"
        f"PARSERS.parse({rss(entry('ponte'))!r}, {URL!r}, {{}}, 5)\n"
        "print(PARSERS._free[0]._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[1]) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    """Whether a process is there and is no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- on the wire --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Any:
    with loopback() as there:
        yield there


def http_of(site: Loopback, **more: Any) -> HttpSettings:
    return site.http(**more)


def test_conditional_get_and_304(site: Loopback) -> None:
    stamp = format_datetime(NOW, usegmt=True)
    data = rss(entry("ponte"))

    def route(asked: Any, send: Callable[[bytes], None]) -> None:
        if asked.headers.get("if-none-match") == '"v1"' and asked.headers.get("if-modified-since") == stamp:
            send(answer(status="304 Not Modified"))
        else:
            send(answer(data, headers={"ETag": '"v1"', "Last-Modified": stamp}))

    site.routes["/rss"] = route
    url = site.url("/rss")
    first = ask(Poll(url=url), http_of(site), 100)
    assert (first.outcome, first.etag, first.modified, first.full) == ("fetched", '"v1"', stamp, True)
    second = ask(Poll(url=url, etag=first.etag, modified=first.modified, body=first.body), http_of(site), 100)
    assert (second.outcome, second.full) == ("unchanged", False)
    third = ask(Poll(url=url, body=first.body), http_of(site), 100)
    assert (third.outcome, third.full, third.feed) == ("unchanged", True, None)


@pytest.mark.parametrize(
    ("response", "reason", "retry_after"),
    [
        (answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}), "not_a_feed", None),
        (answer(b""), "not_a_feed", None),
        (answer(status="503 Service Unavailable", headers={"Retry-After": "120"}), None, 120.0),
        (answer(status="429 Too Many Requests", headers={"Retry-After": "3600"}), None, 3600.0),
        (answer(status="404 Not Found"), None, None),
        (answer(status="410 Gone"), None, None),
        (answer(rss(), headers={"Content-Length": "100000"}), None, None),
    ],
)
def test_what_goes_wrong_is_an_answer_with_a_reason(site: Loopback, response: bytes, reason: str | None, retry_after: float | None) -> None:
    site.routes["/rss"] = response
    said = ask(Poll(url=site.url("/rss")), http_of(site), 100)
    assert said.outcome == "failed"
    assert said.reason in feeds.FAILURES
    assert reason is None or said.reason == reason
    assert said.retry_after == retry_after


def test_nobody_there_is_an_answer_too() -> None:
    with loopback() as gone:
        url, settings_then = gone.url("/rss"), gone.http()
    assert ask(Poll(url=url), settings_then, 100).outcome == "failed"
    assert ask(Poll(url="http://127.0.0.1:1/"), HttpSettings(), 100).reason == "blocked_address"


def test_check_feed(site: Loopback) -> None:
    site.routes["/rss"] = answer(rss(entry("ponte", more="<pubDate>Fri, 13 Sep 2024 08:00:00 GMT</pubDate>"), entry("porto")))
    site.routes["/page"] = answer(b"<html></html>")
    checked = Settings(http=http_of(site))
    good = check_feed(FeedSettings(url=site.url("/rss")), checked)
    assert (good.ok, good.entries, good.newest, good.name, good.reason) == (True, 2, "2024-09-13", "Voci", None)
    bad = check_feed(FeedSettings(url=site.url("/page")), checked)
    assert (bad.ok, bad.reason) == (False, "not_a_feed: neither RSS nor Atom")


def node(site: Loopback, *paths: str) -> Node:
    told = Settings(feeds=tuple(FeedSettings(url=site.url(path)) for path in paths), http=http_of(site), poll=POLL)
    return Node("feeds", (), SPEC.writes, SPEC.reasons, Feeds(told))


def run(bus_file: Path, made: Node, clock: Clock, counts: Counts | None = None) -> None:
    with EmbeddedBus(bus_file) as bus:
        runner = make_runner(made, bus, counts or Counts(), clock.clocks, batch=10, max_lag=10_000)
        try:
            settle([runner])
        finally:
            runner.close()


def given_out(bus_file: Path) -> list[Item]:
    with EmbeddedBus(bus_file) as bus:
        return [decode(ITEMS, record.value) for record in bus.read(ITEMS.name, 0, 10_000)]


def test_polled_when_due_and_only_then(site: Loopback, tmp_path: Path) -> None:
    bus_file, clock = tmp_path / "bus.db", Clock(NOW)
    site.routes["/rss"] = answer(rss(entry("ponte")))
    run(bus_file, node(site, "/rss"), clock)
    run(bus_file, node(site, "/rss"), clock)
    assert len(site.asked) == 1
    site.routes["/rss"] = answer(rss(entry("porto"), entry("ponte")))
    clock.advance(700)
    run(bus_file, node(site, "/rss"), clock)
    assert [(item.guid, item.backlog) for item in given_out(bus_file)] == [("ponte", True), ("porto", False)]


def test_a_sick_feed_is_left_alone_for_longer_and_longer_and_the_well_one_is_on_time(site: Loopback, tmp_path: Path) -> None:
    bus_file, clock, counts = tmp_path / "bus.db", Clock(NOW), Counts()
    site.routes["/sick"] = answer(status="500 Internal Server Error")
    site.routes["/well"] = answer(rss(entry("ponte")))
    for _ in range(16):
        run(bus_file, node(site, "/sick", "/well"), clock, counts)
        clock.advance(700)
    asked = [asked.path for asked in site.asked]
    assert asked.count("/well") == 16
    assert 4 <= asked.count("/sick") <= 6
    assert len(given_out(bus_file)) == 1


def test_a_server_whose_etag_never_changes_is_asked_in_full_now_and_then(site: Loopback, tmp_path: Path) -> None:
    bus_file, clock = tmp_path / "bus.db", Clock(NOW)
    documents = [rss(entry("ponte"))]

    def lying(asked: Any, send: Callable[[bytes], None]) -> None:
        send(answer(status="304 Not Modified") if "if-none-match" in asked.headers else answer(documents[-1], headers={"ETag": '"same"'}))

    site.routes["/rss"] = lying
    run(bus_file, node(site, "/rss"), clock)
    documents.append(rss(entry("porto"), entry("ponte")))
    for _ in range(40):
        clock.advance(700)
        run(bus_file, node(site, "/rss"), clock)
    assert [item.guid for item in given_out(bus_file)] == ["ponte", "porto"]


def test_an_etag_that_always_changes_over_one_body_gives_nothing_new(site: Loopback, tmp_path: Path) -> None:
    bus_file, clock = tmp_path / "bus.db", Clock(NOW)

    def route(asked: Any, send: Callable[[bytes], None]) -> None:
        send(answer(rss(entry("ponte")), headers={"ETag": f'"{len(site.asked)}"'}))

    site.routes["/rss"] = route
    for _ in range(4):
        run(bus_file, node(site, "/rss"), clock)
        clock.advance(700)
    assert len(given_out(bus_file)) == 1
    assert site.asked[-1].headers["if-none-match"] == '"3"'


def test_a_clock_put_back_does_not_stop_the_polls(site: Loopback, tmp_path: Path) -> None:
    bus_file = tmp_path / "bus.db"
    site.routes["/rss"] = answer(rss(entry("ponte")))
    run(bus_file, node(site, "/rss"), Clock(datetime(2031, 1, 1, tzinfo=UTC)))
    run(bus_file, node(site, "/rss"), Clock(NOW))
    assert len(site.asked) == 2


def test_killed_at_every_statement_nothing_is_lost_or_repeated(site: Loopback, tmp_path: Path) -> None:
    bus_file, clock = tmp_path / "bus.db", Clock(NOW)
    site.routes["/a"] = answer(rss(entry("ponte"), entry("porto")))
    site.routes["/b"] = answer(rss(entry("mare")))
    statement = 0
    while True:
        statement += 1
        try:
            with killed_at(statement):
                run(bus_file, node(site, "/a", "/b"), clock)
            break
        except Killed:
            continue
    assert statement > 10
    assert sorted(item.guid or "" for item in given_out(bus_file)) == ["mare", "ponte", "porto"]


def test_state_and_jobs_are_json(site: Loopback, tmp_path: Path) -> None:
    gateway = Feeds(Settings(feeds=(FEED,)))
    (job,) = gateway.due(Overlay(Nothing()), NOW)
    assert json.loads(job.payload)["url"] == URL
    assert job.lane == "voci.example"


# --- the list in tumen.toml ---------------------------------------------------------------------------------------------------------


def test_a_feed_is_added_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "tumen.toml"
    path.write_text('# mine\nlanguages = ["it"] # and more\n\n[[feeds]]\nurl = "https://a.example/rss" # first\n', encoding="utf-8")
    path.chmod(0o640)
    feedlist.add(path, "https://b.example/rss", name="B", language="it")
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# mine\nlanguages = ["it"] # and more\n')
    assert "# first" in text
    assert [feed.url for feed in load_settings(path).feeds] == ["https://a.example/rss", "https://b.example/rss"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["tumen.toml"]


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    feedlist.add(tmp_path / "tumen.toml", "https://b.example/rss")
    assert [feed.url for feed in load_settings(tmp_path / "tumen.toml").feeds] == ["https://b.example/rss"]


@pytest.mark.parametrize(
    ("there", "url", "said"),
    [
        ('[[feeds]]\nurl = "http://www.a.example/rss/"\n', "https://a.example/rss", "is in the list already"),
        ("", "file:///etc/passwd", "expected an http or https URL"),
        ("", "https://a.example/a b", "without spaces"),
        ('feeds = "x"\n', "https://a.example/rss", "expected [[feeds]] tables"),
        ("feeds = [\n", "https://a.example/rss", "tumen.toml"),
    ],
)
def test_what_cannot_be_added_is_refused_and_the_file_untouched(tmp_path: Path, there: str, url: str, said: str) -> None:
    path = tmp_path / "tumen.toml"
    path.write_text(there, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        feedlist.add(path, url)
    assert said in str(error.value)
    assert path.read_text(encoding="utf-8") == there


def test_feeds_are_checked_in_the_order_of_the_list(site: Loopback) -> None:
    site.routes["/good"] = answer(rss(entry("ponte")))
    told = Settings(feeds=tuple(FeedSettings(url=site.url(path)) for path in ("/good", "/none", "/good")), http=http_of(site))
    found = list(feedlist.check(told, check_feed))
    assert [one.ok for one in found] == [True, False, True]
    assert "1 entries" in found[0].line()
    assert found[1].as_json()["reason"]
