"""Slack: what is sent is always valid and says what a reader needs; every way of failing is told apart; nothing is lost."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks import slack
from tests.alertkit import NOW, alert, evidence, kit
from tests.fake_slack import FakeSlack, controls, fake_slack, finding, interpreted, word
from tests.loopback import Asked
from tumen.bus_embedded import EmbeddedBus
from tumen.codec import decode
from tumen.delivery import SinkGateway
from tumen.errors import ConfigError, Reject, Unavailable
from tumen.http import Failure, FailureKind, Response
from tumen.messages import Alert
from tumen.runner import GatewayRunner, Node
from tumen.stage import Attempt, Sink
from tumen.testing import Clock, Counts, output_for
from tumen.topics import DEAD


@pytest.fixture
def fake() -> Iterator[FakeSlack]:
    with fake_slack() as slack_:
        yield slack_


def sink_for(fake: FakeSlack, data: Path, clock: Clock | None = None) -> Sink:
    http = fake.site.http(deadline=1.0)
    return slack.build(slack.Config(), kit(data, clock=clock, webhook=fake.webhook, host=fake.host, http=http))


def texts(message: dict[str, Any]) -> str:
    """Everything a reader sees of the blocks."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("text"), str):
                found.append(value["text"])
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(message["blocks"])
    return "\n".join(found)


# --- what is shown -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["blocks", "text"])
def test_a_reader_can_act_on_it(place: str) -> None:
    told = alert(stance="alleged", direction="to_dprk", flags=("untranslated",))
    message = slack.payload(told, Attempt())
    shown = texts(message) if place == "blocks" else message["text"]
    for part in (
        told.event_line,
        told.change_text,
        told.title,
        told.title_english,
        told.evidence[0].text,
        told.evidence[0].translation,
        "Says: KCNA",
        "Stance: alleged",
        "towards the DPRK",
        "2 independent origins, 3 articles",
        "2024-09-14 12:00 UTC",
        "not translated",
        "https://notizie.example/2024/rason?a=1&amp;b=2",
    ):
        assert part is not None
        assert part in shown, part
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)
    assert not {"link_names", "parse", "mrkdwn"} & set(message)


def test_a_repeat_says_so_and_only_a_repeat() -> None:
    assert "(possible repeat)" in texts(slack.payload(alert(), Attempt(2, True)))
    assert "(possible repeat)" in slack.payload(alert(), Attempt(2, True))["text"]
    assert "(possible repeat)" not in json.dumps(slack.payload(alert(), Attempt(2, False)))


def test_news_text_can_do_nothing() -> None:
    hostile = "<!channel> <@U123> &lt; *bold* `code` <https://evil.example|click> \u202eevil \x1b[31m"
    told = alert(
        title=hostile,
        title_english=hostile + "!",
        event_line=hostile,
        change_text=hostile,
        says=hostile,
        evidence=(evidence(hostile, None),),
    )
    message = slack.payload(told, Attempt())
    for text in interpreted(message):
        assert all(control.startswith("https://notizie.example/") for control in controls(text)), text
    assert "\u202e" not in json.dumps(message, ensure_ascii=False)
    assert "\x1b" not in json.dumps(message, ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "escaped"), [("a & b", "a &amp; b"), ("<!here>", "&lt;!here&gt;"), ("&lt;", "&amp;lt;"), ("é \"x\" 'y'", "é \"x\" 'y'")]
)
def test_exactly_three_characters_are_escaped(text: str, escaped: str) -> None:
    assert slack.escape(text) == escaped


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x/y", "file:///etc/passwd", "https://", "not a url", None, "https://h/" + "a" * 3000]
)
def test_what_is_no_web_address_is_no_link(url: str | None) -> None:
    message = slack.payload(alert(url=url), Attempt())
    assert [control for text in interpreted(message) for control in controls(text)] == []


def test_a_link_keeps_its_address_and_loses_its_credentials() -> None:
    url = "https://user:hunter2@notizie.example:8443/a|b>c d?q=%3Cx%3E&r=è#z"
    (link,) = [control for text in interpreted(slack.payload(alert(url=url), Attempt())) for control in controls(text)]
    assert link == "https://notizie.example:8443/a%7Cb%3Ec%20d?q=%3Cx%3E&amp;r=%C3%A8#z|notizie.example"


nasty = st.one_of(
    st.text(max_size=400),
    st.text(alphabet='<>&|!@#*_`~"\\\n\x00\u202e\u200d😀가漢é', max_size=5000),
    st.integers(0, 9000).map(lambda n: "😀" * n),
    st.integers(0, 9000).map(lambda n: '"\\' * n),
)


@settings(max_examples=150, deadline=None)
@given(
    texts_=st.tuples(nasty, nasty, nasty, nasty, nasty),
    quotes=st.lists(st.tuples(nasty, nasty), max_size=5),
    flags=st.lists(nasty, max_size=12),
    url=st.one_of(st.none(), nasty, nasty.map(lambda text: "https://h.example/" + text)),
    repeat=st.booleans(),
)
def test_whatever_the_news_says_slack_takes_it(
    texts_: tuple[str, str, str, str, str], quotes: list[tuple[str, str]], flags: list[str], url: str | None, repeat: bool
) -> None:
    title, english, line, change, says = texts_
    told = alert(
        title=title,
        title_english=english,
        event_line=line,
        change_text=change,
        says=says,
        source=says,
        flags=tuple(flags),
        url=url,
        evidence=tuple(evidence(original, translated) for original, translated in quotes),
    )
    message = slack.payload(told, Attempt(2, repeat))
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")
    assert finding(Asked("POST", "/", {"content-type": "application/json"}, body)) is None
    assert len(json.dumps(message["blocks"], ensure_ascii=False).encode("utf-8", "backslashreplace")) <= slack.MAX_BLOCK_BYTES
    assert 1 <= len(message["text"]) <= 40_000
    for text in interpreted(message):
        assert all(control.startswith("https://h.example/") for control in controls(text))


# --- what Slack answers ------------------------------------------------------------------------------------------------------------


def response(status: int, body: str) -> Response:
    return Response("", status, {}, body.encode(), "", 0.1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "ok", "ok"),
        (200, "ok\n", "ok"),
        (200, "", "transient"),
        (200, "<html>sign in</html>", "transient"),
        (200, "no_service", "configuration"),
        (200, "invalid_blocks", "payload"),
        (400, "invalid_payload", "payload"),
        (400, "no_text", "payload"),
        (400, "something_new", "payload"),
        (400, "no_team", "configuration"),
        (403, "invalid_token", "configuration"),
        (403, "action_prohibited", "configuration"),
        (404, "no_service", "configuration"),
        (404, "<html>", "configuration"),
        (404, "channel_not_found", "configuration"),
        (410, "channel_is_archived", "configuration"),
        (302, "", "configuration"),
        (408, "", "transient"),
        (429, "rate_limited", "limited"),
        (429, "", "limited"),
        (500, "rollup_error", "transient"),
        (500, "no_service", "configuration"),
        (503, "", "transient"),
    ],
)
def test_every_answer_has_its_class(status: int, body: str, kind: str) -> None:
    assert slack.classify(response(status, body))[0] == kind


def test_an_answers_own_words_are_repeated_only_if_they_are_slacks() -> None:
    assert slack.classify(response(502, "https://hooks.slack.com/services/x"))[1] == "HTTP 502"


def test_a_blocked_address_is_the_operators_business() -> None:
    assert slack.classify(Failure(FailureKind.BLOCKED_ADDRESS, "private"))[0] == "configuration"
    assert slack.classify(Failure(FailureKind.DNS, "no such name"))[0] == "transient"


@pytest.mark.parametrize(
    ("act", "ambiguous"),
    [("error", False), ("reset", True), ("hang", True), ("trickle", True), ("garbage", True), ("echo_error", True), ("login_page", False)],
)
def test_a_passing_failure_is_retried_and_says_whether_it_may_have_arrived(
    fake: FakeSlack, tmp_path: Path, act: str, ambiguous: bool
) -> None:
    fake.script = [act]
    with pytest.raises(Unavailable) as error:
        sink_for(fake, tmp_path).deliver(alert(), Attempt())
    assert (error.value.route, error.value.ambiguous) == (False, ambiguous)


def test_a_slack_that_is_not_there_took_nothing(fake: FakeSlack, tmp_path: Path) -> None:
    sink = slack.build(
        slack.Config(),
        kit(tmp_path, webhook="http://127.0.0.1:1/x", host="http://127.0.0.1:1/", http=fake.site.http(allow_private=("127.0.0.1:1",))),
    )
    with pytest.raises(Unavailable) as error:
        sink.deliver(alert(), Attempt())
    assert (error.value.route, error.value.ambiguous) == (False, False)


def test_retry_after_is_the_routes(fake: FakeSlack, tmp_path: Path) -> None:
    fake.script = ["limit"]
    with pytest.raises(Unavailable) as error:
        sink_for(fake, tmp_path).deliver(alert(), Attempt())
    assert (error.value.route, error.value.retry_after) == (True, 2.0)


@pytest.mark.parametrize("act", [word("no_service", "404 Not Found"), word("channel_is_archived", "410 Gone"), "redirect"])
def test_a_webhook_that_must_be_mended_stops_the_route(fake: FakeSlack, tmp_path: Path, act: str | bytes) -> None:
    fake.script = [act]
    with pytest.raises(Unavailable, match=r"mend slack\.webhook") as error:
        sink_for(fake, tmp_path).deliver(alert(), Attempt())
    assert (error.value.route, error.value.retry_after) == (True, None)
    assert len(fake.asked) == 1


def test_refused_blocks_are_sent_as_text_once_at_the_pace_of_the_webhook(fake: FakeSlack, tmp_path: Path) -> None:
    fake.script = [word("invalid_blocks", "400 Bad Request")]
    sink_for(fake, tmp_path).deliver(alert(), Attempt())
    (taken,) = fake.taken
    assert "blocks" not in taken
    assert alert().evidence[0].text in taken["text"]
    assert fake.times[1] - fake.times[0] >= slack.SPEC.pace


def test_what_is_refused_as_text_too_is_a_dead_letter(fake: FakeSlack, tmp_path: Path) -> None:
    fake.script = [word("invalid_blocks", "400 Bad Request"), word("invalid_payload", "400 Bad Request")]
    with pytest.raises(Reject, match="invalid_payload"):
        sink_for(fake, tmp_path).deliver(alert(), Attempt())


# --- who is told -------------------------------------------------------------------------------------------------------------------


def reason(told: Alert, fake: FakeSlack, tmp_path: Path) -> str | None:
    return sink_for(fake, tmp_path).wanted(told, NOW)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, None),
        ({"realm": "sample"}, "realm"),
        ({"realm": "replay"}, "realm"),
        ({"published_at": NOW - timedelta(hours=47)}, None),
        ({"published_at": NOW - timedelta(hours=49)}, "stale"),
        ({"published_at": NOW - timedelta(hours=49), "flags": ("backlog",)}, "stale"),
        ({"published_at": NOW - timedelta(hours=1), "flags": ("backlog",)}, None),
        ({"published_at": None}, None),
        ({"published_at": None, "flags": ("backlog",)}, "backlog"),
        ({"published_at": None, "seen_at": NOW - timedelta(hours=49)}, "stale"),
        ({"published_at": None, "published": "2024-09-13"}, None),
        ({"published_at": None, "published": "2024-09-11"}, "stale"),
        ({"published_at": None, "published": "2024-09"}, None),
        ({"published_at": None, "published": "2024-08"}, "stale"),
        ({"published_at": None, "published": "2024"}, None),
        ({"published_at": None, "published": "2023"}, "stale"),
        ({"published_at": None, "published": "--09-13"}, None),
        ({"published_at": None, "published": "--08-13"}, "stale"),
        ({"published_at": None, "published": "--12-25"}, "stale"),
        ({"published_at": None, "published": "2024-02-31", "flags": ("backlog",)}, "backlog"),
        ({"published_at": NOW + timedelta(days=400), "flags": ("backlog",)}, "backlog"),
        ({"published_at": None, "published": "9999-12-31", "flags": ("backlog",)}, "backlog"),
        ({"published_at": None, "published": "0000-00-00"}, None),
    ],
)
def test_only_live_news_is_told(more: dict[str, Any], why: str | None, fake: FakeSlack, tmp_path: Path) -> None:
    assert reason(alert(**more), fake, tmp_path) == why


def test_a_first_run_over_last_months_news_tells_nobody(fake: FakeSlack, tmp_path: Path) -> None:
    """Forty entries of a feed that is read for the first time, dated and not; then one that appears afterwards."""
    old = [alert(f"dated {day}", published_at=NOW - timedelta(days=day + 3)) for day in range(20)]
    undated = [alert(f"undated {number}", published_at=None, flags=("backlog",)) for number in range(20)]
    sink = sink_for(fake, tmp_path)
    assert {sink.wanted(told, NOW) for told in (*old, *undated)} == {"stale", "backlog"}
    assert sink.wanted(alert("fresh", published_at=None), NOW) is None


def test_without_a_webhook_it_is_off(tmp_path: Path) -> None:
    sink = slack.build(slack.Config(), kit(tmp_path))
    assert sink.wanted(alert(), NOW) == "off"
    assert slack.doctor(kit(tmp_path).settings)[0].state == "missing"  # type: ignore[index]


@pytest.mark.parametrize(
    "webhook", ["https://hooks.slack.com.evil.example/x", "http://hooks.slack.com/x", "https://evil.example/x", "nonsense"]
)
def test_a_webhook_of_somebody_else_is_refused_and_not_quoted(tmp_path: Path, webhook: str) -> None:
    with pytest.raises(ConfigError, match=r"slack\.webhook = \(a secret\): expected .* https://hooks\.slack\.com/$") as error:
        slack.build(slack.Config(), kit(tmp_path, webhook=webhook, host="https://hooks.slack.com"))
    assert webhook not in str(error.value).replace("https://hooks.slack.com/", "")


# --- the whole way -----------------------------------------------------------------------------------------------------------------


def test_through_every_kind_of_trouble_each_alert_arrives_and_only_marked_ones_twice(fake: FakeSlack, tmp_path: Path) -> None:
    fake.script = [
        "ok",
        "limit",
        "error",
        "take_and_reset",
        "hang",
        word("no_service", "404 Not Found"),
        "login_page",
        "take_and_hang",
        "garbage",
    ]
    clock, counts = Clock(NOW), Counts()
    sink = sink_for(fake, tmp_path, clock)
    names = [f"alert number {number}" for number in range(6)]
    with EmbeddedBus(tmp_path / "bus.db") as bus:
        node = Node("slack", slack.SPEC.reads, (), slack.SPEC.reasons, SinkGateway("slack", slack.SPEC, sink))
        bus.join("writer", ()).commit({}, [output_for(node, alert(name, event_line=name)) for name in names], {})
        runner = GatewayRunner(node, bus, counts, clock.clocks, batch=10, max_lag=100)
        for _ in range(4000):
            if not runner.step():
                clock.advance(1.0)
            if len(fake.script) == 0 and not list(runner.group.state.scan("row/")):
                break
        assert bus.read(DEAD.name, 0, 10) == []
        runner.close()
    heads = [message["blocks"][0]["text"]["text"] for message in fake.taken]
    plain = [head.removeprefix("(possible repeat) ") for head in heads]
    assert set(plain) == set(names)
    for name in names:
        assert heads.count(name) <= 1  # a second one is marked
    assert len(heads) > len(names)  # two were taken without Slack's saying so


def test_a_poisoned_alert_is_buried_and_the_others_arrive(fake: FakeSlack, tmp_path: Path) -> None:
    refusal = word("invalid_blocks", "400 Bad Request")
    fake.script = [refusal, refusal]
    clock = Clock(NOW)
    sink = sink_for(fake, tmp_path, clock)
    with EmbeddedBus(None) as bus:
        node = Node("slack", slack.SPEC.reads, (), slack.SPEC.reasons, SinkGateway("slack", slack.SPEC, sink))
        bus.join("writer", ()).commit({}, [output_for(node, alert(name)) for name in ("bad", "b", "c")], {})
        runner = GatewayRunner(node, bus, Counts(), clock.clocks, batch=10, max_lag=100)
        for _ in range(40):
            if not runner.step():
                clock.advance(1.0)
        (letter,) = [decode(DEAD, record.value) for record in bus.read(DEAD.name, 0, 10)]
        assert letter.id == "slack-alerts-bad"
        assert len(fake.taken) == 2
        runner.close()
