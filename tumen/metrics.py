"""Metrics for Prometheus: what the runner, the bus, the sinks and the alert path tell, and nothing whose labels are open.

Every label is an enum of this code or of the topology (`stage`, `topic`, `reason`); never a URL, a title or the text of an exception.
Times are exported as timestamps, not as ages; names keep to prometheus.io/docs/practices/naming (promtool checks them in the tests).
"""

import platform
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from tumen.errors import RESULTS, Outcome
from tumen.messages import DeadLetter, EventType

_STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PIPELINE_SECONDS = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_LATENCY_SECONDS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800)
OTHER = "other"
_DEAD_KINDS = (*get_args(DeadLetter.model_fields["kind"].annotation), "runner")

# a second series for each counter and histogram, which no query of ours reads
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """An observer of the runner and of the sinks (`tumen.runner.Observer`, `tumen.delivery.Deliveries`), on an injected registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        counter, gauge, histogram = _makers(registry)
        Info("tumen_build", "The version of Tumen that runs.", registry=registry).info(
            {"version": _version(), "python": platform.python_version()}
        )
        self._handled = counter("tumen_stage_handled", "Messages a stage has taken in, by what became of them.", "stage", "outcome")
        self._dropped = counter("tumen_stage_dropped", "Messages that ended at a stage on purpose, by its reason.", "stage", "reason")
        self._out = counter("tumen_stage_out", "Messages a stage has published, by topic.", "stage", "topic")
        self._dead = counter("tumen_stage_dead", "Dead letters, by the stage that could not handle them.", "stage", "kind")
        self._seconds = histogram("tumen_stage_seconds", "Time in a stage's own code for one message.", _STAGE_SECONDS, "stage")
        self._last = gauge("tumen_stage_last_handled_timestamp_seconds", "When a stage last handled a message.", "stage")
        self._lag = gauge("tumen_bus_lag_records", "Records of a topic that a group has not handled yet.", "group", "topic")
        self._lost = counter("tumen_bus_lost_records", "Records that retention deleted before a group had read them.", "group", "topic")
        self._attempts = counter("tumen_sink_attempts", "Deliveries tried, by what became of them.", "sink", "result")
        self._ambiguous = counter(
            "tumen_alerts_ambiguous", "Deliveries of which the other side did not say whether it took them; they are repeated.", "sink"
        )
        self._pending = gauge("tumen_sink_pending_rows", "Messages that a sink has taken in and not delivered yet.", "sink")
        self._up = gauge("tumen_sink_route_up", "0 while a person must mend the way to a sink (a revoked webhook), else 1.", "sink")
        self._told = counter("tumen_alerts", "Alerts.", "event", "language")
        self._mentions = counter("tumen_mentions", "Mentions that report news, by event type and language.", "event", "language")
        self._latency = histogram("tumen_alert_latency_seconds", "From publication to the alert, where both are known.", _LATENCY_SECONDS)
        self._pipeline = histogram("tumen_alert_pipeline_seconds", "From the first sight of the article to the alert.", _PIPELINE_SECONDS)

    def begin(self, stage: str, topics: Iterable[str], reasons: Iterable[str], *, reads: Iterable[str] = (), sink: bool = False) -> None:
        """All that this node may ever count, at zero: Prometheus sees no rise in a series whose first value is already 1."""
        for outcome in Outcome:
            self._handled.labels(stage, outcome.value)
        for kind in _DEAD_KINDS:
            self._dead.labels(stage, kind)
        for reason in reasons:
            self._dropped.labels(stage, reason)
        for topic in topics:
            self._out.labels(stage, topic)
        for topic in reads:
            self._lost.labels(stage, topic)
        if sink:
            for result in RESULTS:
                self._attempts.labels(stage, result)
            self._ambiguous.labels(stage)
            self._up.labels(stage).set(1)

    def begin_news(self, languages: Iterable[str]) -> None:
        """Every event in every language, at zero: most are so rare that the first of each would go unseen."""
        for language in (*languages, OTHER):
            for event in EventType:
                self._told.labels(event.value, language)
                self._mentions.labels(event.value, language)

    # --- the runner ----------------------------------------------------------------------------------------------------------------

    def handled(self, stage: str, outcome: Outcome, seconds: float) -> None:
        self._handled.labels(stage, outcome.value).inc()
        if outcome in (Outcome.OK, Outcome.DROPPED, Outcome.DEAD):
            self._seconds.labels(stage).observe(seconds)
            self._last.labels(stage).set_to_current_time()

    def dropped(self, stage: str, reason: str) -> None:
        self._dropped.labels(stage, reason).inc()

    def emitted(self, stage: str, topic: str, count: int) -> None:
        self._out.labels(stage, topic).inc(count)

    def dead(self, stage: str, kind: str) -> None:
        self._dead.labels(stage, kind).inc()

    def lag(self, group: str, topic: str, lag: int) -> None:
        self._lag.labels(group, topic).set(lag)

    def lost(self, group: str, topic: str, records: int) -> None:
        self._lost.labels(group, topic).inc(records)

    # --- the sinks -----------------------------------------------------------------------------------------------------------------

    def attempted(self, sink: str, result: str) -> None:
        self._attempts.labels(sink, result).inc()
        if result == "ambiguous":
            self._ambiguous.labels(sink).inc()

    def route(self, sink: str, *, up: bool) -> None:
        self._up.labels(sink).set(1 if up else 0)

    def pending(self, sink: str, rows: int) -> None:
        self._pending.labels(sink).set(rows)

    # --- the alerts (the sink `metrics`) -----------------------------------------------------------------------------------------

    def alert(self, event: EventType, language: str, latency: float | None, pipeline: float) -> None:
        """`language` is one of a closed list or `OTHER`; `latency` (seconds) is None where the publication is not known to the minute."""
        self._told.labels(event.value, language).inc()
        self._pipeline.observe(pipeline)
        if latency is not None:
            self._latency.observe(latency)

    def mention(self, event: EventType, language: str) -> None:
        self._mentions.labels(event.value, language).inc()


def _makers(registry: CollectorRegistry) -> tuple[Callable[..., Counter], Callable[..., Gauge], Callable[..., Histogram]]:
    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=registry)

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=registry)

    def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=registry, buckets=tuple(buckets))

    return counter, gauge, histogram


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Never negative: clocks of two machines differ."""
    return max(0.0, (later - earlier).total_seconds())


def _version() -> str:
    try:
        return version("tumen")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
