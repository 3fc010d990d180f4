"""How time passes for the thread that reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["HANG_S", "Pace"]

HANG_S = 30.0
"""A call that takes longer hangs; looked after as often."""


class Pace:
    """How time passes: a thread's own, or a test's.

    Parameters
    ----------
    interval_s : between readings
    edge_gap_s : between fast readings at the start and the end
    start_edge_s, end_edge_s : how long they go on at most, per edge
    hang_s : a call that takes longer is one that hangs
    """

    def __init__(
        self,
        interval_s: float,
        edge_gap_s: float,
        start_edge_s: float,
        end_edge_s: float,
        clock: Callable[[], float] = time.monotonic,
        hang_s: float = HANG_S,
    ) -> None:
        self.interval_s, self.edge_gap_s = interval_s, edge_gap_s
        self.start_edge_s, self.end_edge_s = start_edge_s, end_edge_s
        self.clock, self.hang_s = clock, hang_s
        self._is_stopping = False
        self._awake = threading.Lock()  # held until then; an event would make a lock of its own for each wait
        self._awake.acquire()

    def wait(self, seconds: float) -> bool:
        """Let time pass; True at once when a stop was asked for."""
        if seconds > 0 and not self._is_stopping:
            self._awake.acquire(True, seconds)  # named, the argument would take a tenth longer
        return self._is_stopping

    def pause(self, seconds: float) -> None:
        """Let time pass whatever was asked for."""
        time.sleep(max(seconds, 0.0))

    def stop(self) -> None:
        """Ask for a stop."""
        self._is_stopping = True
        with suppress(RuntimeError):  # asked before
            self._awake.release()
