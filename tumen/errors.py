"""The outcomes of handling one message, by type.

A node that returns normally has succeeded.  It may raise `Reject` (this message can never be handled) or `Unavailable`
(something outside is away, try later).  Anything else it raises is a bug: the runner tries once more, then dead-letters
the message and says so loudly.
"""

from enum import StrEnum
from typing import Literal, get_args


class TumenError(Exception):
    """Base of the errors Tumen raises on purpose; its text is fit to be shown to a user."""


class Reject(TumenError):
    """This message can never be handled: it is dead-lettered now, untouched, and the input moves on."""


class Unavailable(TumenError):
    """Something outside is away.  The input is paused and its offset kept, so nothing is lost.

    `retry_after`: seconds until the next try, or None to let the runner back off.
    `route`: the whole route is down (a revoked webhook, say), not only this message.
    `ambiguous`: the outside may have taken the message although it did not say so (a time-out after sending).
    """

    def __init__(self, message: str, retry_after: float | None = None, *, route: bool = False, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.route = route
        self.ambiguous = ambiguous


class ConfigError(TumenError):
    """A setting, a watch file or the topology is wrong.  One line per finding: where, value, what was expected."""

    def __init__(self, *findings: str) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class Refused(TumenError):
    """Tumen will not start like this (a second instance, a corrupt file): one line that says what to do."""


class Outcome(StrEnum):
    """What became of one message at one node: a metric label, so the list is closed."""

    OK = "ok"
    DROPPED = "dropped"
    DEAD = "dead"
    RETRIED = "retried"
    PAUSED = "paused"


#: what became of one try to deliver: a metric label, so the list is closed
Result = Literal["delivered", "ambiguous", "unavailable", "limited", "stopped", "rejected", "bug"]
RESULTS: tuple[Result, ...] = get_args(Result)
