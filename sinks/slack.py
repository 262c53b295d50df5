"""Alerts to a Slack channel, through an Incoming Webhook.

What is promised: at least once.  A webhook knows no idempotency key and gives no message id, so an alert is repeated if the process died
between sending and commit, or if Slack did not say whether it took it (a time-out after sending); the latter is marked "(possible repeat)".

Limits are docs.slack.dev's, kept by slack_sdk's models; the undocumented one, about 13,000 characters over all blocks
(slackapi/bolt-js#2509), is kept here.  One message a second, and Retry-After holds for the whole webhook
(docs.slack.dev/apis/web-api/rate-limits).
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import structlog
from slack_sdk.models.blocks import Block, ContextBlock, DividerBlock, HeaderBlock, MarkdownTextObject, PlainTextObject, SectionBlock

from tumen.errors import ConfigError, Reject, Unavailable
from tumen.http import Failure, FailureKind, Response, parse_retry_after, post_json
from tumen.messages import Alert, Frozen
from tumen.settings import HttpSettings, Settings
from tumen.stage import Attempt, Finding, Kit, Sink, SinkSpec
from tumen.telling import OLD_REASONS, Telling, cut, tell, too_old
from tumen.topics import ALERTS

SPEC = SinkSpec(reads=(ALERTS,), reasons=("off", "realm", *OLD_REASONS), pace=1.0, people=True)

MAX_BLOCK_BYTES = 12_000
_MAX_TEXT = 3_000
_MAX_HEADER = 150
_QUOTES = 3
#: how much of a title and of a quoted sentence is shown: the first size at which the whole fits is taken
_SIZES = ((300, 900), (300, 500), (200, 250), (120, 120))

#: what is wrong with this one message
PAYLOAD_ERRORS = frozenset(
    {
        "invalid_payload",
        "no_text",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "too_many_attachments",
        "user_not_found",
    }
)
#: what is wrong with the webhook, until a person mends it
CONFIGURATION_ERRORS = frozenset(
    {
        "action_prohibited",
        "invalid_token",
        "token_revoked",
        "account_inactive",
        "channel_not_found",
        "channel_is_archived",
        "no_service",
        "no_service_id",
        "no_active_hooks",
        "no_team",
        "team_disabled",
        "posting_to_general_channel_denied",
    }
)
Class = Literal["ok", "payload", "configuration", "limited", "transient"]

log = structlog.get_logger(__name__)


class Config(Frozen):
    """Nothing to set here: the webhook is a secret and stands in the user's tumen.toml (`[slack]`)."""


def build(config: Config, kit: Kit) -> Sink:  # noqa: ARG001 - every node is built with its config
    """Raises `ConfigError` if the webhook is not one of Slack's."""
    webhook = _webhook(kit.settings)
    recency = kit.settings.alerts.recency_hours
    if webhook is None:
        log.info("slack_off", reason="no webhook is configured", do="set slack.webhook_file in tumen.toml")

    def wanted(alert: Alert, now: datetime) -> str | None:
        if webhook is None:
            return "off"
        # samples and replays never leave the machine
        return "realm" if alert.realm != "live" else too_old(alert, now, recency)

    def deliver(alert: Alert, attempt: Attempt) -> None:
        assert webhook is not None, "an alert that nobody wanted"
        _deliver(webhook, alert, attempt, kit.settings.http, kit.now)

    return Sink(deliver, wanted)


def doctor(settings: Settings) -> Iterable[Finding]:
    """What `tumen doctor` says of Slack."""
    try:
        webhook = _webhook(settings)
    except ConfigError as error:
        return [Finding("slack", "broken", str(error))]
    if webhook is None:
        return [Finding("slack", "missing", "off: set slack.webhook_file in tumen.toml to be told there")]
    return [Finding("slack", "ok", "a webhook is set; 'tumen alerts test' sends a message through it")]


def _webhook(settings: Settings) -> str | None:
    if settings.slack.webhook is None:
        return None
    webhook = settings.slack.webhook.get_secret_value()
    host = settings.slack.host.rstrip("/") + "/"
    if not webhook.startswith(host):
        raise ConfigError(f"slack.webhook = (a secret): expected an address that starts with {host}")
    return webhook


# --- sending -----------------------------------------------------------------------------------------------------------------------


def _deliver(webhook: str, alert: Alert, attempt: Attempt, http: HttpSettings, now: Callable[[], datetime]) -> None:
    """Raises `Reject` and `Unavailable`."""
    answer = post_json(webhook, payload(alert, attempt), http)
    kind, error = classify(answer)
    if kind == "payload":
        # Slack does not take the blocks: the same alert in plain words, once, at the pace of the webhook
        log.warning("slack_blocks_refused", id=alert.id, reason=error)
        time.sleep(SPEC.pace)
        answer = post_json(webhook, {**_STILL, "text": fallback(tell(alert, attempt))}, http)
        kind, error = classify(answer)
    if kind == "ok":
        return
    if kind == "payload":
        raise Reject(f"Slack takes this alert neither as blocks nor as text: {error}")
    if kind == "configuration":
        raise Unavailable(
            f"Slack refuses the webhook ({error}): mend slack.webhook in tumen.toml, then restart; nothing is lost", route=True
        )
    retry_after = parse_retry_after(answer.headers, now()) if isinstance(answer, Response) else answer.retry_after
    if kind == "limited":
        raise Unavailable(f"Slack asks for fewer messages ({error})", 30.0 if retry_after is None else retry_after, route=True)
    raise Unavailable(f"Slack is away: {error}", retry_after, ambiguous=_ambiguous(answer))


def classify(answer: Response | Failure) -> tuple[Class, str]:
    """What became of a message, and a word for it that is fit for a log.  The body decides before the status, where it is known."""
    if isinstance(answer, Failure):
        wrong = answer.kind in (FailureKind.BAD_URL, FailureKind.BLOCKED_ADDRESS)
        return ("configuration" if wrong else "transient"), f"{answer.kind.value}: {answer.message}"
    word = answer.body[:200].decode("utf-8", "replace").strip()
    known = word in PAYLOAD_ERRORS or word in CONFIGURATION_ERRORS
    error = f"HTTP {answer.status} {word}" if known else f"HTTP {answer.status}"
    return _class(answer.status, word), error


def _class(status: int, word: str) -> Class:
    if status == 200 and word == "ok":
        return "ok"
    if status == 429 or word in ("rate_limited", "ratelimited", "message_limit_exceeded"):
        return "limited"
    if word in PAYLOAD_ERRORS:
        return "payload"
    if word in CONFIGURATION_ERRORS:
        return "configuration"
    if status in (400, 413, 422):
        return "payload"
    # 200 with another body is a proxy's page; 408 and 5xx pass
    return "configuration" if 300 <= status < 500 and status != 408 else "transient"


def _ambiguous(answer: Response | Failure) -> bool:
    """Slack may have taken it: the request went out and no answer of Slack's own came back."""
    return answer.sent if isinstance(answer, Failure) else answer.status in (502, 504)


# --- the message -------------------------------------------------------------------------------------------------------------------

_STILL: Mapping[str, Any] = {"unfurl_links": False, "unfurl_media": False}


def payload(alert: Alert, attempt: Attempt) -> dict[str, Any]:
    """The message as JSON: blocks of at most `MAX_BLOCK_BYTES`, and `text` for notifications and old clients."""
    telling = tell(alert, attempt)
    for title, quote in _SIZES:
        blocks = [block.to_dict() for block in _blocks(telling, title, quote)]
        if len(json.dumps(blocks, ensure_ascii=False).encode("utf-8", "backslashreplace")) <= MAX_BLOCK_BYTES:
            return {**_STILL, "text": fallback(telling), "blocks": blocks}
    raise AssertionError("the smallest size always fits (the tests prove it)")


def _blocks(telling: Telling, title: int, quote: int) -> Iterable[Block]:
    """News text goes into plain_text, where nothing is interpreted; only our own words and the link are mrkdwn."""
    heading = " ".join((*telling.marks, telling.heading))
    yield HeaderBlock(text=_words(heading, _MAX_HEADER))
    if telling.change:
        yield ContextBlock(elements=[_words(telling.change, 300)])
    yield SectionBlock(text=_words(telling.title or "(no title)", title))
    if telling.title_english:
        yield ContextBlock(elements=[_words(telling.title_english, title)])
    for said in telling.quotes[:_QUOTES]:
        yield SectionBlock(text=_words(f"“{cut(said.original, quote)}”", quote + 2))
        if said.english:
            yield ContextBlock(elements=[_words(f"= {cut(said.english, quote)}", quote + 2)])
    yield DividerBlock()
    yield SectionBlock(fields=[_words(f"{label}: {value}", 200) for label, value in telling.facts])
    if telling.flags:
        yield ContextBlock(elements=[_words(f"⚠ {flag}", 150) for flag in telling.flags[:8]])
    yield ContextBlock(elements=[MarkdownTextObject(text=_linked(telling), verbatim=True)])


def _words(text: str, limit: int) -> PlainTextObject:
    return PlainTextObject(text=cut(text, limit) or "–", emoji=False)


def _linked(telling: Telling) -> str:
    source = escape(cut(telling.source, 100).replace("|", "/")) or "source"
    return f"<{escape(telling.link)}|{source}>" if telling.link else source


def fallback(telling: Telling) -> str:
    """The whole alert as one text, for notifications and for when the blocks are refused."""
    lines = [" ".join((*telling.marks, telling.heading)), telling.change, telling.title, telling.title_english]
    for said in telling.quotes[:_QUOTES]:
        lines += [f"“{cut(said.original, 400)}”", f"= {cut(said.english, 400)}" if said.english else None]
    lines += [" · ".join(f"{label}: {value}" for label, value in telling.facts), *telling.flags]
    whole = cut("\n".join(line for line in lines if line), _MAX_TEXT - 600)
    # the link last and whole: cutting it would make another address of it
    return escape(whole) + (f"\n{escape(telling.link)}" if telling.link else "")


def escape(text: str) -> str:
    """Exactly these three, the ampersand first (docs.slack.dev, "Escaping text"): ``<!channel>`` and ``<@U…>`` then mean nothing."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
