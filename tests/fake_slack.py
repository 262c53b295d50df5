"""A Slack that behaves as documented, and worse: an Incoming Webhook on a real loopback server.

It checks a message as Slack does (docs.slack.dev/reference/block-kit/blocks; the undocumented total: slackapi/bolt-js#2509) without using
slack_sdk, so that it cannot be wrong in the same way.  `script` holds what it does with the next requests; after it, it takes everything.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Asked, Loopback, answer, loopback

TOKEN = "CaNaRy0123456789tOkEnXyZ"
PATH = f"/services/T00000000/B00000000/{TOKEN}"

Send = Callable[[bytes], None]


@dataclass
class FakeSlack:
    """`taken`: the messages that are in the channel, in order; `times`: when each request came (monotonic seconds)."""

    site: Loopback
    script: list[str | bytes] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def webhook(self) -> str:
        return self.site.url(PATH)

    @property
    def host(self) -> str:
        return self.site.url("/")

    def handle(self, asked: Asked, send: Send) -> None:
        self.asked.append(asked)
        self.times.append(time.monotonic())
        act = self.script.pop(0) if self.script else "ok"
        if isinstance(act, bytes):  # a whole answer, ready made
            send(act)
            return
        wrong = finding(asked)
        if wrong is not None and act in ("ok", "take_and_reset", "take_and_hang"):
            self.refused.append(wrong)
            send(answer(wrong.encode(), "400 Bad Request", {"Content-Type": "text/html"}))
            return
        getattr(self, act)(asked, send)

    def ok(self, asked: Asked, send: Send) -> None:
        self.taken.append(json.loads(asked.body))
        send(answer(b"ok", headers={"Content-Type": "text/html"}))

    def take_and_reset(self, asked: Asked, send: Send) -> None:
        """The message is in the channel, the connection dies before the answer."""
        self.taken.append(json.loads(asked.body))

    def take_and_hang(self, asked: Asked, send: Send) -> None:
        self.taken.append(json.loads(asked.body))
        time.sleep(1.5)

    def reset(self, asked: Asked, send: Send) -> None:
        """The connection dies, the message is nowhere."""

    def hang(self, asked: Asked, send: Send) -> None:
        time.sleep(1.5)

    def trickle(self, asked: Asked, send: Send) -> None:
        send(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            for number in range(30):
                send(f"X-{number}: x\r\n".encode())
                time.sleep(0.1)

    def limit(self, asked: Asked, send: Send) -> None:
        send(answer(b"rate_limited", "429 Too Many Requests", {"Retry-After": "2"}))

    def error(self, asked: Asked, send: Send) -> None:
        send(answer(b"rollup_error", "500 Internal Server Error"))

    def echo_error(self, asked: Asked, send: Send) -> None:
        """A proxy's page that quotes the address it was asked for: the secret, in an answer."""
        send(answer(f"<html>cannot reach {asked.path}</html>".encode(), "502 Bad Gateway", {"X-Asked": asked.path}))

    def login_page(self, asked: Asked, send: Send) -> None:
        send(answer(b"<html>sign in</html>"))

    def redirect(self, asked: Asked, send: Send) -> None:
        send(answer(b"", "302 Found", {"Location": self.site.url(asked.path + "/elsewhere")}))

    def garbage(self, asked: Asked, send: Send) -> None:
        """And it quotes the secret."""
        send(b"\x00\xff no HTTP at all " + asked.path.encode() + b"\r\n\r\n")


def word(text: str, status: str) -> bytes:
    """Slack's own way of refusing: a word."""
    return answer(text.encode(), status, {"Content-Type": "text/html"})


@contextmanager
def fake_slack() -> Iterator[FakeSlack]:
    with loopback() as site:
        slack = FakeSlack(site)
        site.routes[PATH] = slack.handle
        yield slack


# --- what Slack refuses ------------------------------------------------------------------------------------------------------------


def finding(asked: Asked) -> str | None:
    """The word with which Slack refuses this request, or None."""
    try:
        message = json.loads(asked.body)
    except ValueError:
        return "invalid_payload"
    if not isinstance(message, dict) or not asked.headers.get("content-type", "").startswith("application/json"):
        return "invalid_payload"
    blocks = message.get("blocks", [])
    if not blocks and not message.get("text"):
        return "no_text"
    if len(message.get("text", "")) > 40_000:
        return "msg_too_long"
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        return "msg_blocks_too_long"
    if len(blocks) > 50 or not all(_sound(block) for block in blocks):
        return "invalid_blocks"
    return None


def _sound(block: dict[str, Any]) -> bool:
    match block.get("type"):
        case "header":
            return _text(block["text"], 150, ("plain_text",))
        case "section":
            fields = block.get("fields", [])
            own = [block["text"]] if "text" in block else []
            if len(fields) > 10 or not (own or fields):
                return False
            return all(_text(text, 3000) for text in own) and all(_text(text, 2000) for text in fields)
        case "context":
            return 1 <= len(block["elements"]) <= 10 and all(_text(text, 3000) for text in block["elements"])
        case "divider":
            return True
        case _:
            return False


def _text(text: dict[str, Any], longest: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> bool:
    return text.get("type") in kinds and 1 <= len(text.get("text", "")) <= longest


def interpreted(message: dict[str, Any]) -> list[str]:
    """Every text of a message in which Slack gives ``<…>`` a meaning."""
    found = [message.get("text", "")]

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "mrkdwn":
                found.append(value["text"])
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(message.get("blocks", []))
    return found


def controls(text: str) -> list[str]:
    """What stands between angle brackets: mentions and links."""
    return re.findall(r"<([^>]*)>", text)
