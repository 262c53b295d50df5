"""What a node is.  There are three kinds and no fourth: a stage (pure), a gateway (I/O behind a queue), an edge (meets the world).

A node is a module named in `pipeline.toml`.  The module holds

- `SPEC`: a `StageSpec`, `GatewaySpec`, `ProducerSpec` or `SinkSpec`: what it reads and writes, known without building it;
- `Config`: a frozen pydantic model, the node's own table of `pipeline.toml`;
- `build(config, kit)`: gives the node, ready to run.  Models and watch data are loaded here, never at import.

There is no registry and no base class; the runner (`tumen.runner`) does everything else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from tumen.messages import Message
from tumen.state import State
from tumen.topics import Topic

if TYPE_CHECKING:
    from tumen.settings import Settings
    from tumen.watch import Watch

In = TypeVar("In", bound=Message)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Emit(Generic[M]):
    """Publish `message` on `topic`: a message of another model is a type error."""

    topic: Topic[M]
    message: M


@dataclass(frozen=True)
class Drop:
    """The message ends here, on purpose.  `reason` is from the node's closed list (`Spec.reasons`): it is a metric label."""

    reason: str
    cue: str = ""


Out = Emit[Any] | Drop


@dataclass(frozen=True)
class Stage(Generic[In]):
    """Pure.  `process` gives what one message causes; `on_tick` what the passing of time causes."""

    process: Callable[[In, State], Iterable[Out]]
    on_tick: Callable[[datetime, State], Iterable[Out]] | None = None


@dataclass(frozen=True)
class StageSpec:
    """`reasons`: why this stage may drop a message."""

    reads: tuple[Topic[Any], ...]
    writes: tuple[Topic[Any], ...]
    reasons: tuple[str, ...] = ()
    ticks: bool = False


@dataclass(frozen=True)
class Job:
    """One piece of I/O.  Jobs of one `lane` (a host, an engine, a webhook) run one at a time and in order; lanes run side by side.

    `id` is deterministic.  `payload` is the gateway's own, JSON bytes.  `attempt` counts from 1.
    """

    id: str
    lane: str
    payload: bytes
    attempt: int = 1


class Gateway(Protocol):
    """I/O behind a queue that is state.  `accept`, `due` and `finish` are pure (state and the time are arguments); only `perform` does I/O.

    Taking a job in (`accept`) and giving its result out (`finish`) are two commits: a crash between them repeats the I/O, never the result.
    """

    def accept(self, message: Any, state: State) -> Iterable[Out]:
        """Put the message's jobs into `state`; may emit at once what needs no I/O."""
        ...

    def due(self, state: State, now: datetime) -> Sequence[Job]:
        """The jobs that may start now, oldest first, a bounded number (one or a few per lane)."""
        ...

    def perform(self, job: Job) -> bytes:
        """The I/O, in a worker thread.  Gives its result as JSON bytes, failures included: it raises only on a bug."""
        ...

    def finish(self, job: Job, result: bytes, state: State, now: datetime) -> Iterable[Out]:
        """Take the job out of `state` (or put its next attempt in) and emit what came of it."""
        ...


@dataclass(frozen=True)
class GatewaySpec:
    """`workers`: how many lanes may be in I/O at once."""

    reads: tuple[Topic[Any], ...]
    writes: tuple[Topic[Any], ...]
    reasons: tuple[str, ...] = ()
    workers: int = 4


@dataclass(frozen=True)
class ProducerSpec:
    """An edge where the world comes in: a gateway that reads no topic, its jobs come due by time (`build` gives a `Gateway`)."""

    writes: tuple[Topic[Any], ...]
    reasons: tuple[str, ...] = ()
    workers: int = 8

    @property
    def reads(self) -> tuple[Topic[Any], ...]:
        return ()


@dataclass(frozen=True)
class Attempt:
    """Which try this is, from 1.  `repeat`: an earlier try may have arrived after all; say so where a reader can see it."""

    number: int = 1
    repeat: bool = False


@dataclass(frozen=True)
class Sink:
    """An edge where the pipeline goes out.

    `deliver` takes one message out, or raises `Unavailable` (its row stays and is retried with backoff) or `Reject` (dead letter).
    It must be idempotent by `message.id`, or say in its docstring what it promises instead.
    `wanted` decides, purely, whether this sink takes the message at all: None = yes, else the reason it does not.
    `close` gives back what `build` opened.
    """

    deliver: Callable[[Any, Attempt], None]
    wanted: Callable[[Any, datetime], str | None] = lambda _message, _now: None
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class SinkSpec:
    """`pace`: the least number of seconds between two deliveries (Slack takes one a second).

    `people`: it speaks to people, so ``tumen alerts test`` sends its test there.
    `local`: it writes to the data folder it is given and nowhere else, so a replay may use it.
    """

    reads: tuple[Topic[Any], ...]
    reasons: tuple[str, ...] = ()
    pace: float = 0.0
    people: bool = False
    local: bool = False

    @property
    def writes(self) -> tuple[Topic[Any], ...]:
        return ()


Spec = StageSpec | GatewaySpec | ProducerSpec | SinkSpec


@dataclass(frozen=True)
class Kit:
    """What a `build` is handed.  Stages get the watch and the languages; edges and gateways also get what they meet the world with.

    `now` is the wall clock, `echo` prints a line for a person (`console`).  A stage must not keep either: lint
    and `tumen.testing` see to it.
    """

    watch: "Watch"
    languages: tuple[str, ...]
    settings: "Settings"
    data: Path
    now: Callable[[], datetime]
    started: datetime
    echo: Callable[[str], None] = print
    extra: Mapping[str, Any] = field(default_factory=dict)


class Finding(NamedTuple):
    """What `tumen doctor` says of one thing.  A module may offer ``doctor(settings) -> Iterable[Finding]``."""

    what: str
    state: Literal["ok", "missing", "broken"]
    meaning: str


class NodeModule(Protocol):
    """What the module of a node offers."""

    SPEC: Spec
    Config: type[BaseModel]

    @staticmethod
    def build(config: Any, kit: Kit) -> Any: ...
