"""Whether a site's devices do anything: utilization at some moments of a day, and sums up to each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from footprint.fleet.families import Family

__all__ = ["LOOK_RATIO", "LOOK_S", "Floats", "Looks", "Seen", "looks_of"]

Floats = npt.NDArray[np.float64]

LOOK_S = 631.0
"""Between the moments at which it is looked whether devices do anything. A prime is not enough: it must not lie close
to a simple part of the minutes and hours in which trainings repeat themselves, so that all of their phases are seen."""

LOOK_RATIO = 1.1


@dataclass(slots=True)
class Seen:
    """What a device did in readings, or at looks, of a span."""

    count: int = 0
    idle_count: float = 0  # of them, in which it did next to nothing
    used: float = 0.0  # utilization, summed
    idle_w: float = 0.0  # summed, of those idle ones
    watts_count: float = 0  # of which power is known

    def __reduce__(self) -> tuple[type[Seen], tuple[float, ...]]:
        """From process to process, several times faster than as any record."""
        return Seen, (self.count, self.idle_count, self.used, self.idle_w, self.watts_count)

    def add(self, other: Seen) -> None:
        self.count += other.count
        self.idle_count += other.idle_count
        self.used += other.used
        self.idle_w += other.idle_w
        self.watts_count += other.watts_count


@dataclass(slots=True)
class Looks:
    """Utilization of a device at moments of a day; sums up to each."""

    first_s: float
    count: Floats
    idle: Floats
    used: Floats
    idle_w: Floats
    watts: Floats

    def seen(self, begun_s: float, ended_s: float) -> Seen:
        """After a moment, up to another."""
        first, last = self._up_to(begun_s), self._up_to(ended_s)
        if last <= first:
            return Seen()
        columns = (self.count, self.idle, self.used, self.idle_w, self.watts)
        count, *rest = (column.item(last) - column.item(first) for column in columns)
        return Seen(int(count), *rest)

    def _up_to(self, at_s: float) -> int:
        """How many moments there are."""
        return min(max(math.floor((at_s - self.first_s) / LOOK_S) + 1, 0), self.count.size - 1)


def looks_of(first_s: float, uses: Floats, watts: Floats, least: float, family: Family) -> Iterator[Looks]:
    """A device a row; not a number where it was not read."""
    is_read = ~np.isnan(uses)
    is_idle = uses < least
    is_told = is_idle & ~np.isnan(watts)
    tables = (is_read, is_idle, np.where(is_read, uses, 0.0) / family.per_share, np.where(is_told, watts, 0.0))
    sums = [_up_to_each(table) for table in (*tables[:3], tables[3] / family.per_w, is_told)]
    for rows in zip(*sums, strict=True):
        yield Looks(first_s, *rows)


def _up_to_each(table: npt.NDArray[Any]) -> Floats:
    return np.concatenate((np.zeros((len(table), 1)), np.cumsum(table, axis=1, dtype=float)), axis=1)
