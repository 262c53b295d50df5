"""Logging: structlog, readable on a terminal, JSON elsewhere, and no secret in either.

Secrets are cut out of the finished line, after the stack traces are in it, so that no processor, library or exception text gets round it:
every `SecretStr` of the settings by value (and by its parts that look like tokens), and whatever looks like a credential in a URL.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote

import structlog
from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, Processor

from tumen.settings import Settings

HIDDEN = "[secret]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # user and password of a URL
    (re.compile(r"(?<=://)[^/\s@'\"<>]+@"), HIDDEN + "@"),
    # whoever holds such a URL can post
    (re.compile(r"(hooks\.slack\.com/)[^\s'\"<>]+"), rf"\1{HIDDEN}"),
    (
        re.compile(r"([?&;](?:access_token|api_?key|auth|key|password|passwd|secret|sig|signature|token)=)[^&\s'\"<>]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(\bauthorization['\"]?\s*[:=]\s*b?['\"]?(?:basic|bearer)\s+)[^\s'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)


class _Known:
    """The secrets of this process's settings, longest first."""

    values: tuple[str, ...] = ()


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging, both to `stream` (default: stderr as it is at the time of each line)."""
    know(settings)
    terminal = settings.log.format == "console" or (settings.log.format == "auto" and (stream or sys.stderr).isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    handler = _Stderr(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(terminal), _scrubbed],
        )
    )
    level = logging.getLevelNamesMapping()[settings.log.level.upper()]
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # every connection and every rejoining of a group, a line each; the bus says itself what came of them
    logging.getLogger("kafka").setLevel(max(level, logging.WARNING))
    logging.getLogger("kafka.net.selector").setLevel(max(level, logging.ERROR))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _hook_uncaught()


def to_stderr() -> None:
    """Until `configure` is called: what is said while the settings are read must not get into the output of a command."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def know(settings: Settings) -> None:
    """From now on `scrub` hides every secret of these settings."""
    found: set[str] = set()
    for secret in _secrets(settings):
        found.add(secret)
        # an exception may quote a part of a URL only: its path, or the token at the end of it
        found.update(part for part in re.split(r"[/?&=#:@]+", unquote(secret)) if len(part) >= 16 and "." not in part)
    _Known.values = tuple(sorted((value for value in found if len(value) >= 6), key=len, reverse=True))


def scrub(text: str) -> str:
    """`text` without secrets and without credentials of URLs."""
    for value in _Known.values:
        text = text.replace(value, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _secrets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each)


def _rendering(terminal: bool) -> list[Processor]:
    if terminal:
        # plain: a rich traceback shows local variables, and a secret may be one of them
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _scrubbed(_logger: Any, _method: str, line: EventDict | str) -> str:
    return scrub(str(line))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to stderr as it is now, not as it was when logging was set up."""

    def __init__(self, stream: TextIO | None) -> None:
        self._fixed = stream
        super().__init__(stream or sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        if self._fixed is None:
            self.stream = sys.stderr
        super().emit(record)


def _hook_uncaught() -> None:
    """What nobody catches is logged too, through the same scrubbing.  A hook that somebody else has set is left alone."""
    log = structlog.get_logger("uncaught")

    def main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("uncaught", exc_info=(kind, error, trace))

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and arguments.exc_type is not SystemExit:
            thread = arguments.thread.name if arguments.thread else ""
            log.critical("uncaught", thread=thread, exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback))

    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = main
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = in_thread
