"""Programs joined by pipes and kept open, asked one text at a time: each text and each answer ends with a NUL byte.

What a program may do wrong is met here: it hangs (a deadline), dies (started again), answers too much (cut off), answers twice or late
(started again, so that no answer is ever taken for another text's).  No shell is involved.
"""

import contextlib
import os
import selectors
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Literal

from tumen.errors import TumenError

Failing = Literal["timeout", "died", "garbled", "resting"]

#: seconds that a program which failed is left alone: it is started again at once, then later and later
RESTS = (0.0, 1.0, 5.0, 30.0, 120.0)
_CHUNK = 65_536


class EngineFailed(TumenError):
    """A text could not be translated now.  `reason` is of a closed list."""

    def __init__(self, reason: Failing, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Pipe:
    """The programs start with the first text.  Safe to share between threads: one text is in it at a time."""

    def __init__(self, label: str, commands: Sequence[Sequence[str]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.label = label
        self._commands, self._monotonic = commands, monotonic
        self._programs: list[subprocess.Popen[bytes]] = []
        self._finalizer: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        self._failures = 0
        self._rest_until = 0.0

    def ask(self, text: bytes, seconds: float, limit: int) -> bytes:
        """The answer to `text`, at most `limit` bytes, within `seconds`.  Raises `EngineFailed`; the programs are then started anew."""
        begun = self._monotonic()
        if not self._lock.acquire(timeout=max(0.0, seconds)):
            raise EngineFailed("timeout", f"{self.label}: busy for {seconds:.1f} s")
        try:
            if self._monotonic() < self._rest_until:
                raise EngineFailed("resting", f"{self.label}: failed {self._failures} times in a row, left alone for a while")
            try:
                answer = self._ask(text, begun + seconds, limit)
            except (EngineFailed, OSError) as error:
                self._stop()
                self._rest_until = self._monotonic() + RESTS[min(self._failures, len(RESTS) - 1)]
                self._failures += 1
                if isinstance(error, EngineFailed):
                    raise
                raise EngineFailed("died", f"{self.label}: {error.strerror or type(error).__name__}") from error
            self._failures = 0
            return answer
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _ask(self, text: bytes, deadline: float, limit: int) -> bytes:
        if not self._programs:
            self._start()
        stdin, stdout = self._programs[0].stdin, self._programs[-1].stdout
        assert stdin is not None
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if selector.select(0):  # nothing was asked: it has ended, or its last answer was longer than one
                raise EngineFailed("died" if not os.read(stdout.fileno(), 1) else "garbled", f"{self.label}: spoke unasked")
            stdin.write(text + b"\0")
            answer = b""
            while b"\0" not in answer:
                if not selector.select(max(0.0, deadline - self._monotonic())):
                    raise EngineFailed("timeout", f"{self.label}: no answer in time")
                chunk = os.read(stdout.fileno(), _CHUNK)
                if not chunk:
                    raise EngineFailed("died", f"{self.label}: ended without an answer")
                answer += chunk
                if len(answer) > limit:
                    raise EngineFailed("garbled", f"{self.label}: more than {limit} bytes for {len(text)}")
        said, _, rest = answer.partition(b"\0")
        if rest:
            raise EngineFailed("garbled", f"{self.label}: two answers to one text")
        return said

    def _start(self) -> None:
        """Raises `OSError` if a program cannot be started; what was started is then stopped by the caller."""
        source: int | None = subprocess.PIPE
        for command in self._commands:
            program = subprocess.Popen(  # noqa: S603 - the commands are the engine's own, and no shell reads them
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,  # Ctrl-C ends the pipeline in order, it does not cut a translation off
            )
            if self._programs and self._programs[-1].stdout is not None:
                self._programs[-1].stdout.close()  # the next program has it now
            self._programs.append(program)
            source = program.stdout.fileno() if program.stdout else None
        self._finalizer = weakref.finalize(self, _kill, list(self._programs))

    def _stop(self) -> None:
        self._finalizer()
        _kill(self._programs)
        self._programs = []


def _kill(programs: Sequence["subprocess.Popen[bytes]"]) -> None:
    for program in programs:
        program.kill()
        for stream in (program.stdin, program.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what could not be written any more is of no use to a killed program
                    stream.close()
        program.wait()
