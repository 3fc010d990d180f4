"""Whose work a shared device does: the share of its load that processes of this run have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from footprint.measurement.sensors.base import Pids

__all__ = ["ProcessShares", "descends_from"]

_MOST_GENERATIONS = 64


class _Asked(Protocol):
    def may_be_shared(self, handle: int) -> bool: ...

    def processes(self, handle: int) -> list[int] | None: ...

    def loads(self, handle: int, since_us: int) -> list[tuple[int, float, int]] | None: ...


class ProcessShares:
    """One device's processes, asked now and then.

    Parameters
    ----------
    pids : the processes that are mine, their children aside
    proc : where the host tells of its processes
    """

    def __init__(self, pids: Pids, proc: Path = Path("/proc")) -> None:
        self._pids, self._proc = pids, proc
        self._since_us = 0
        self._seen_mine = False

    def share(self, driver: _Asked, handle: int) -> float | None:
        """Mine of the load of all since it was last asked; None when alone, or when that cannot be told."""
        running = driver.processes(handle) if driver.may_be_shared(handle) else None
        if running is None or len(set(running)) < 2:
            return None
        roots = frozenset(self._pids())
        mine = {pid for pid in set(running) if descends_from(pid, roots, self._proc)}
        self._seen_mine = self._seen_mine or bool(mine)
        if not self._seen_mine or len(mine) == len(set(running)):
            return None  # a container's numbers are not the driver's; or all are mine
        return self._of_loads(driver.loads(handle, self._since_us) or (), mine)

    def _of_loads(self, loads: Sequence[tuple[int, float, int]], mine: Collection[int]) -> float | None:
        self._since_us = max((at_us for _, _, at_us in loads), default=self._since_us)
        total = sum(load for _, load, _ in loads)
        return sum(load for pid, load, _ in loads if pid in mine) / total if total > 0 else None


def descends_from(pid: int, roots: Collection[int], proc: Path = Path("/proc")) -> bool:
    """Whether a process is one of some others, or a child of theirs, however far down."""
    for _ in range(_MOST_GENERATIONS):
        if pid in roots:
            return True
        if pid <= 1:
            return False
        try:
            stat = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
            pid = int(stat.rpartition(")")[2].split()[1])  # after the name, which may hold anything
        except (OSError, ValueError, IndexError):
            return False
    return False
