"""Processes that read the devices' days beside this one: threads of one process share a lock and work by turns.

Each is a plain Python that is told over a pipe what to do. What may be secret goes that way too, never on a command
line; nobody's script is run again for it, so it works in notebooks and in scripts without a guard.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from footprint.fleet.many_days import Gauges, Part, Stay
from footprint.fleet.many_kept import kept_parts
from footprint.fleet.prometheus import Prometheus

__all__ = ["Hands", "work", "worth"]

_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from footprint.fleet.many_hands import work; work()"
)
_SETTINGS = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
"""Arrays come and go all the time: the memory of one is kept for the next."""

_MANY_OBJECTS = 100_000
"""Made before it is looked for garbage that refers to itself: there is next to none."""

_MOST, _MANY_JOBS = 2, 1000
"""Starting one costs as much as some hundred jobs; a server that is asked by more has no time for others."""


def worth(jobs_count: int) -> int:
    """How many are worth their start."""
    return min(os.cpu_count() or 1, _MOST) if jobs_count >= _MANY_JOBS else 0


class Hands:
    """So many processes; what one cannot do, and all where they cannot be started, is done in this one.

    Parameters
    ----------
    count : processes
    server : that they ask, each over connections of its own
    """

    def __init__(self, count: int, server: Prometheus) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(count or _MOST)  # a thread for each
        self._own = threading.local()  # a thread's process
        self.started: list[subprocess.Popen[bytes]] = []
        self._is_closed = False
        self._is_alone = not count or not sys.executable or getattr(sys, "frozen", False)

    def parts(self, gauges: Gauges, stays: Sequence[Stay], begun_s: float, stalled: float) -> Future[list[Part] | None]:
        """As `kept_parts`."""
        return self._pool.submit(self._parts, gauges, stays, begun_s, stalled)

    def _parts(self, *asked: Any) -> list[Part] | None:
        try:
            process = self._process()
            if process is not None and process.stdin is not None and process.stdout is not None:
                pickle.dump(asked, process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.flush()
                found: list[Part] | None
                found, requests_count = pickle.load(process.stdout)
                self._server.count(requests_count)
                return found
        except (OSError, EOFError, ValueError, pickle.PickleError):  # it is no more, or never was
            self._is_alone = True
        if self._is_closed:
            return None
        gauges, stays, begun_s, stalled = asked
        return kept_parts(gauges, stays, begun_s, self._server, stalled)

    def _process(self) -> subprocess.Popen[bytes] | None:
        if self._is_alone:
            return None
        if not hasattr(self._own, "process"):
            process = self._own.process = subprocess.Popen(
                [sys.executable, "-I", "-c", _CODE], env=_SETTINGS | os.environ, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self.started.append(process)
            assert process.stdin is not None
            for told in (sys.path, self._server.access, self._server.timeout_s):
                pickle.dump(told, process.stdin)
            process.stdin.flush()
        found: subprocess.Popen[bytes] = self._own.process
        return found

    def close(self) -> None:
        """End them; what is not done yet is left."""
        self._is_closed = True
        for process in self.started:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)
        for process in self.started:
            with contextlib.suppress(OSError), process:
                pass


def work() -> None:
    """What such a process does, until there is no more to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the process that started this one, which ends it
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    gc.set_threshold(_MANY_OBJECTS)
    access, timeout_s = pickle.load(asked), pickle.load(asked)
    server = Prometheus(access, timeout_s=timeout_s)
    while True:
        try:
            gauges, stays, begun_s, stalled = pickle.load(asked)
        except EOFError:
            return
        before = server.requests_count
        found = kept_parts(gauges, stays, begun_s, server, stalled)
        pickle.dump((found, server.requests_count - before), told, pickle.HIGHEST_PROTOCOL)
        told.flush()
