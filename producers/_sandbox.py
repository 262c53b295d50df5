"""Feeds are parsed in a process of their own, which may be killed.

feedparser is quadratic on some inputs (attributes, comments, categories by the ten thousand: half a megabyte keeps it busy for 25 seconds)
and its regular expressions hold the interpreter's lock while they run, so a thread with a timeout is no help.  A child that is at it for
longer than `CPU_SECONDS`, or takes more memory than `MEMORY`, ends, and the feed is unparsable; the others never notice.  A child serves
one feed after another and ends when it has had nothing to do for a while or when its parent is gone.
"""

import atexit
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from producers._feedxml import Parsed, Unparsable, parse

CPU_SECONDS = 5
_WALL_SECONDS = 20.0
MEMORY = 768 * 1024 * 1024
_IDLE_SECONDS = 120.0
_CHILDREN = 2
_MOST_ANSWERED = 200_000_000
_FRAME = struct.Struct(">II")
_ROOT = Path(__file__).resolve().parents[1]


class _Gone(Exception):
    """The child is no more, or does not answer."""


class _Child:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        environment = {"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "producers._sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
            process_group=0,  # Ctrl-C is for the pipeline, which then ends its children
        )

    def ask(self, request: bytes, data: bytes) -> bytes:
        """Its answer.  Raises `_Gone`; the child is then not to be used again."""
        deadline = time.monotonic() + _WALL_SECONDS
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            # the child reads all of it before it starts to parse
            self._process.stdin.write(b"".join((_FRAME.pack(len(request), len(data)), request, data)))
        except OSError as error:
            raise _Gone from error
        length, _ = _FRAME.unpack(self._read(_FRAME.size, deadline))
        if length > _MOST_ANSWERED:
            raise _Gone
        return self._read(length, deadline)

    def _read(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        parts = []
        while count:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = self._process.stdout.read(min(count, 1 << 20)) if ready else b""
            if not part:
                raise _Gone
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """End it, if it has not ended by itself, and give its exit status."""
        self._process.kill()
        status = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return status


class Parsers:
    """A few children, started when they are needed."""

    def __init__(self, children: int = _CHILDREN) -> None:
        self._free: list[_Child] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(children)

    def parse(self, data: bytes, url: str, headers: Mapping[str, str], max_entries: int) -> Parsed:
        """As `producers._feedxml.parse`, apart.  Raises `Unparsable` also for what took too long or too much."""
        known = {"content-type": headers["content-type"]} if "content-type" in headers else {}
        request = json.dumps({"url": url, "headers": known, "max_entries": max_entries}).encode()
        with self._places:
            child = self._take()
            try:
                answer = json.loads(child.ask(request, data))
            except _Gone:
                status = child.end()
                if status in (-signal.SIGXCPU, -signal.SIGKILL):
                    raise Unparsable("unparsable", f"the parser was stopped after {CPU_SECONDS} s at it") from None
                raise Unparsable("unparsable", f"the parser died (exit status {status}; its memory is limited)") from None
            except BaseException:
                child.end()  # an answer half read would be taken for the next one's
                raise
            with self._lock:
                self._free.append(child)
        if "reason" in answer:
            raise Unparsable(answer["reason"], answer["message"])
        return Parsed.model_validate(answer["feed"])

    def _take(self) -> _Child:
        """A child that is there, or a new one."""
        with self._lock:
            while self._free:
                child = self._free.pop()
                if child.alive:
                    return child
                child.end()
        return _Child()

    def close(self) -> None:
        with self._lock:
            while self._free:
                self._free.pop().end()


PARSERS = Parsers()
atexit.register(PARSERS.close)


def parse_apart(data: bytes, url: str, headers: Mapping[str, str], max_entries: int) -> Parsed:
    """As `producers._feedxml.parse`, in a process of its own."""
    return PARSERS.parse(data, url, headers, max_entries)


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """The child: one feed after another, each with its own seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while select.select([requests], [], [], _IDLE_SECONDS)[0]:
        frame = _exactly(requests, _FRAME.size)
        if len(frame) < _FRAME.size:
            return
        sizes = _FRAME.unpack(frame)
        asked = json.loads(_exactly(requests, sizes[0]))
        data = _exactly(requests, sizes[1])
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_SECONDS + 1, hard))
        answer: dict[str, Any]
        try:
            answer = {"feed": parse(data, asked["url"], asked["headers"], asked["max_entries"]).model_dump(mode="json")}
        except Unparsable as error:
            answer = {"reason": error.reason, "message": str(error)}
        raw = json.dumps(answer).encode()
        answers.write(_FRAME.pack(len(raw), 0) + raw)
        answers.flush()


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, or fewer where the stream ends."""
    parts = []
    while count:
        part = stream.read(min(count, 1 << 20))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    with open(0, "rb", buffering=0) as stdin, open(1, "wb") as stdout:
        _serve(stdin, stdout)
