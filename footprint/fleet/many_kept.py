"""A day of a site's counters as the server keeps them: every reading of many devices, side by side.

No sum has to be asked for, no edge to be looked for, and no fall and no gap hides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from footprint.fleet.chunks import decoded
from footprint.fleet.families import JOB_LABELS
from footprint.fleet.gathering import PAD_S
from footprint.fleet.many_days import DAY_S, SLOT_S, SLOTS, Edge, Gauges, Line
from footprint.fleet.prometheus import BLANK, Prometheus
from footprint.fleet.readings import Reading, Scraper, most_of, scraper_of
from footprint.fleet.remote_read import Kept
from footprint.units import MILLISECONDS_PER_S

__all__ = ["Counters", "counters_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Mark = tuple[str, str, str]
"""A device, and a label of a job on its series."""

_DEVICE = 32
"""Bits above which a reading's key bears its device; below are its milliseconds since the first that was asked for."""

_ONE_AT_A_TIME = Lock()
"""Decoding is many small steps on arrays: threads that do it side by side wait for each other at each of them."""

_MOMENT = (1 << _DEVICE) - 1


@dataclass(slots=True)
class Counters:
    """Devices' counters, in order of devices and of time."""

    places: Mapping[str, int]  # by device
    since_ms: int
    keys: Ints
    values: Floats
    per_j: float
    is_tied: npt.NDArray[np.bool_]  # several series told it
    marks: Mapping[Mark, Sequence[Ints]]  # when they were there
    usual_ms: float  # a longer time between two readings is a gap
    interval_s: float

    def key(self, uuid: str, at_s: float) -> int:
        """Of a moment of a device."""
        return (self.places[uuid] << _DEVICE) + int(at_s * MILLISECONDS_PER_S - self.since_ms)

    def slots(self, begun_s: float) -> Floats:
        """Joules of each counter at each half hour, as the server would say them; not a number where it would not."""
        if not self.keys.size:
            return np.full((len(self.places), SLOTS + 1), np.nan)
        moments_ms = ((begun_s + SLOT_S * np.arange(SLOTS + 1)) * MILLISECONDS_PER_S).astype(np.int64)
        wanted = (np.arange(len(self.places)) << _DEVICE)[:, None] + (moments_ms - self.since_ms)
        last = np.searchsorted(self.keys, wanted, side="right") - 1
        is_there = (last >= 0) & (wanted - self.keys[np.maximum(last, 0)] <= PAD_S * MILLISECONDS_PER_S)
        return np.where(is_there, self.values[np.maximum(last, 0)] / self.per_j, np.nan)

    def tell(self, lines: Sequence[Line | None], begun_s: float) -> None:
        """Falls and gaps, which sums by the half hour do not show or show as less."""
        apart_ms, moved = np.diff(self.keys), np.diff(self.values)
        is_same = self.keys[1:] >> _DEVICE == self.keys[:-1] >> _DEVICE
        for i in np.flatnonzero(is_same & ((moved < 0) | (apart_ms > self.usual_ms))):
            line = lines[int(self.keys[i]) >> _DEVICE]
            if line is None:
                continue
            before_s, after_s = (
                ((int(key) & _MOMENT) + self.since_ms) / MILLISECONDS_PER_S - begun_s for key in self.keys[i : i + 2]
            )
            slots = range(max(int(before_s // SLOT_S), 0), min(int(after_s // SLOT_S) + 1, SLOTS))
            if moved[i] < 0:
                line.troubled.update(slots)
            if apart_ms[i] > self.usual_ms:
                for slot in slots:
                    line.gaps_s[slot] = max(line.gaps_s.get(slot, 0.0), after_s - before_s - self.interval_s)

    def fill(self, edges: Sequence[Edge], pad_s: float) -> None:
        """The readings about moments; their power is what the counter moved before the one and after the other."""
        if not edges or not self.keys.size:
            return
        at = np.array([self.key(edge.uuid, edge.at_s) for edge in edges])
        after = np.searchsorted(self.keys, at, side="right")
        sides = zip(edges, self._sides(at, after - 1, -1, pad_s), self._sides(at, after, 1, pad_s), strict=True)
        for edge, (before, is_tied_before), (after_, is_tied_after) in sides:
            edge.before, edge.after, edge.many = before, after_, is_tied_before or is_tied_after
            edge.is_marked = bool(edge.marks) and self._is_marked(edge)

    def _sides(self, at: Ints, place: Ints, way: int, pad_s: float) -> Iterator[tuple[Reading | None, bool]]:
        """The readings at places, and whether several series told them; none that is too far from its moment."""
        last = self.keys.size - 1
        here, beyond = np.clip(place, 0, last), np.clip(place + way, 0, last)
        is_there = (here == place) & (np.abs(self.keys[here] - at) <= pad_s * MILLISECONDS_PER_S)
        apart_ms, moved = np.abs(self.keys[beyond] - self.keys[here]), (self.values[beyond] - self.values[here]) * way
        is_told = (moved > 0) & (apart_ms <= self.usual_ms)
        watts = moved / self.per_j * MILLISECONDS_PER_S / np.where(is_told, apart_ms, 1)
        at_s = ((self.keys[here] & _MOMENT) + self.since_ms) / MILLISECONDS_PER_S
        columns = (is_there, at_s, self.values[here] / self.per_j, watts, is_told, self.is_tied[here])
        for is_one, moment_s, joules, power_w, has_power, is_tied in zip(*(c.tolist() for c in columns), strict=True):
            yield (Reading(moment_s, joules, power_w if has_power else None), is_tied) if is_one else (None, False)

    def _is_marked(self, edge: Edge) -> bool:
        begun_ms, ended_ms = (one * MILLISECONDS_PER_S for one in edge.within)
        marks = [(edge.uuid, *pair) for mark in edge.marks for pair in mark.items()]
        for times in (times for mark in marks for times in self.marks.get(mark, ())):
            if begun_ms <= times.item(0) <= ended_ms:  # as mostly
                return True
            place = int(np.searchsorted(times, begun_ms))
            if place < times.size and times.item(place) <= ended_ms:
                return True
        return False


def counters_of(gauges: Gauges, uuids: Sequence[str], begun_s: float, server: Prometheus) -> Counters | None:
    """Of the day that begins then, and some minutes about it; None where the server does not hand them out."""
    family = gauges.family
    since_s, until_s = begun_s - PAD_S, begun_s + DAY_S + PAD_S
    answer = server.kept(family.counter, family.uuid, uuids, since_s, until_s)
    if answer is None:
        return None
    data, series = answer
    places = {uuid: place for place, uuid in enumerate(uuids)}
    found = sorted(_one_scraper(series, family.uuid), key=lambda one: (places[one.labels[family.uuid]], one.first_ms))
    try:
        with _ONE_AT_A_TIME:
            counts, times, values = decoded(
                data, [at for one in found for at in one.begins], [at for one in found for at in one.ends]
            )
    except ValueError:  # what it cannot tell is asked for job by job
        return None
    marks: dict[Mark, list[Ints]] = {}
    upto, chunk = np.concatenate(([0], np.cumsum(counts))), 0
    for one in found:
        first, chunk = chunk, chunk + len(one.begins)
        for name in JOB_LABELS if upto[first] < upto[chunk] else ():
            if one.labels.get(name):
                mark = (one.labels[family.uuid], name, one.labels[name])
                marks.setdefault(mark, []).append(times[upto[first] : upto[chunk]])
    since_ms = round(since_s * MILLISECONDS_PER_S)
    begin_keys = np.array([(places[one.labels[family.uuid]] << _DEVICE) - since_ms for one in found], np.int64)
    keys = np.repeat(np.repeat(begin_keys, np.array([len(one.begins) for one in found], np.int64)), counts)
    keys += times
    is_reading = (values >= 0) & (values < BLANK) & (times >= since_ms) & (times <= until_s * MILLISECONDS_PER_S)
    if not is_reading.all():
        keys, values = keys[is_reading], values[is_reading]
    is_tied = np.zeros(keys.size, bool)
    if not (keys[1:] > keys[:-1]).all():  # several series at once
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        is_tied = np.diff(firsts, append=keys.size) > 1
        keys, values = keys[firsts], np.maximum.reduceat(values, firsts)
    return Counters(
        places,
        since_ms,
        keys,
        values,
        family.per_j,
        is_tied,
        marks,
        gauges.usual_s * MILLISECONDS_PER_S,
        gauges.interval_s,
    )


def _one_scraper(found: Iterable[Kept], by: str) -> Iterator[Kept]:
    """Of each device those of one scraper, the one with most: clocks differ."""
    own: dict[str, dict[Scraper, list[Kept]]] = {}
    for one in found:
        own.setdefault(one.labels[by], {}).setdefault(scraper_of(one.labels), []).append(one)
    for scrapers in own.values():
        sizes = {scraper: sum(sum(one.ends) - sum(one.begins) for one in kept) for scraper, kept in scrapers.items()}
        yield from scrapers.get(most_of(sizes) or (), ())
