"""The alert path in figures: alerts and mentions by event and language, and how long news takes to become an alert.

Counted in memory, as Prometheus counts: a restart begins at zero.  After a crash between counting and commit nothing is counted twice,
because the counter died too.
"""

from datetime import datetime
from typing import Any

from tumen.messages import Alert, Frozen, Tagged
from tumen.metrics import OTHER, Metrics, seconds_between
from tumen.stage import Attempt, Kit, Sink, SinkSpec
from tumen.telling import too_old
from tumen.topics import ALERTS, TAGGED

SPEC = SinkSpec(reads=(TAGGED, ALERTS), reasons=("no_metrics",))


class Config(Frozen):
    """Nothing to set."""


def build(config: Config, kit: Kit) -> Sink:  # noqa: ARG001 - every node is built with its config
    metrics: Metrics | None = kit.extra.get("metrics")
    if metrics is not None:
        metrics.begin_news(kit.languages)
    recency = kit.settings.alerts.recency_hours

    def language(code: str | None) -> str:
        """A label is a closed list: the configured languages, and one word for all others."""
        return code if code in kit.languages else OTHER

    def wanted(_message: Any, _now: datetime) -> str | None:
        """Without somebody to serve the figures there is nothing to count."""
        return "no_metrics" if metrics is None else None

    def deliver(message: Alert | Tagged, _attempt: Attempt) -> None:
        assert metrics is not None
        if isinstance(message, Tagged):
            for mention in message.mentions:
                if mention.role == "news":
                    metrics.mention(mention.event, language(message.unique.article.language))
            return
        now = kit.now()
        # the age of old news says nothing about how quick Tumen is
        dated = message.published_at is not None and too_old(message, now, recency) is None
        latency = seconds_between(message.published_at, now) if dated and message.published_at is not None else None
        metrics.alert(message.event, language(message.language), latency, seconds_between(message.seen_at, now))

    return Sink(deliver, wanted)
