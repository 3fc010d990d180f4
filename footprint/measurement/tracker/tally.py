"""What this process has added up so far: of readings as they come, when somebody asks or enough of them wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence

from footprint.measurement.lines import counts_as_samples
from footprint.measurement.metering import HostIntegral
from footprint.units import MILLIJOULES_PER_J
from footprint.values import Sample

__all__ = ["Tally"]

MOST_WAITING = 12
"""Readings in full: arithmetic on many at once costs a fraction of that on each after a sleep, when caches are cold."""

_PATIENCE_S = 1.0
"""For another thread that adds up, which takes no thousandth of it."""

Counted = tuple[float, Sequence[str], Sequence[int]]
"""(moment, meters, millijoules of each): a reading of counters alone."""

Inside = Mapping[str, tuple[int, float]]
"""Windows: closed ones, and seconds inside."""


class Tally:
    """Energy and windows so far. One thread adds, any may ask.

    Counters carry their energy over to the next reading: of readings of counters alone the newest will do.
    """

    def __init__(self, host: HostIntegral, started_s: float) -> None:
        self.host = host
        self.windows: dict[str, tuple[int, float, float]] = {}  # closed ones, seconds inside, joules
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Sequence[Sample], Inside]] = deque()
        self.newest: Counted | None = None  # readings of counters alone since the last one in full: the newest
        self._inside: dict[str, tuple[int, float]] = {}
        self._shared_s, self._joules = started_s, 0.0  # when energy was last shared out to windows, and since then

    def take(self, at_s: float, samples: Sequence[Sample], windows: Inside) -> None:
        """A reading in full."""
        self.add_windows(windows)
        newest = {} if self.newest is None else dict(zip(*self.newest[1:], strict=True))
        before_j = (newest.get(one.meter, -1) / MILLIJOULES_PER_J for one in samples)
        if any(one.energy_j is not None and one.energy_j <= had for one, had in zip(samples, before_j, strict=True)):
            self.settle(_PATIENCE_S)  # a counter that has not risen is bridged from where it was last read
        self._waiting.append((at_s, samples, self._inside))
        self.newest, self._inside = None, {}
        if len(self._waiting) > MOST_WAITING:
            self.settle()

    def take_edge(self, at_s: float, samples: Sequence[Sample]) -> None:
        """A fast reading of counters that finds an edge."""
        self.settle(_PATIENCE_S)
        self.host.push(at_s, samples, True)

    def add_windows(self, windows: Inside) -> None:
        """What was inside windows, with a reading of counters alone."""
        for name, (count, seconds) in windows.items():
            had_count, had_seconds = self._inside.get(name, (0, 0.0))
            self._inside[name] = (had_count + count, had_seconds + seconds)

    def settle(self, patience_s: float = 0.0) -> None:
        """Add up what waits. Without patience numbers are some readings older where another thread is at it."""
        if self._lock.acquire(timeout=patience_s):
            try:
                newest = self.newest  # the other thread may take it away meanwhile
                while self._waiting:
                    at_s, samples, inside = self._waiting.popleft()
                    self._push(at_s, samples)
                    self._share_out(at_s, inside)
                if newest is not None:
                    own = [one for one in counts_as_samples(*newest) if one.meter in self.host.by_meter]
                    self._push(newest[0], own)
            finally:
                self._lock.release()

    def _push(self, at_s: float, samples: Sequence[Sample]) -> None:
        self._joules += self.host.push(at_s, samples)

    def _share_out(self, at_s: float, inside: Inside) -> None:
        """Energy goes to windows by the seconds inside them."""
        elapsed_s = at_s - self._shared_s
        for name, (count, seconds) in inside.items():
            had = self.windows.get(name, (0, 0.0, 0.0))
            part = min(seconds / elapsed_s, 1.0) if elapsed_s > 0 else 0.0
            self.windows[name] = (had[0] + count, had[1] + seconds, had[2] + self._joules * part)
        self._shared_s, self._joules = at_s, 0.0
