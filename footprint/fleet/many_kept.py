"""A day of a site's devices as the server keeps them: every reading of counter and utilization, side by side.

No edge has to be looked for, and no fall and no gap hides. Of power a sum is asked for, to hold the counters against,
and the readings of devices that had a short job, whose edges are much of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt

from footprint.fleet.chunks import decoded
from footprint.fleet.families import JOB_LABELS
from footprint.fleet.gathering import PAD_S
from footprint.fleet.many_days import DAY_S, PAD_INTERVALS, About, Gauges, Part, Stay
from footprint.fleet.many_looks import Seen
from footprint.fleet.prometheus import BLANK, Prometheus, milliseconds
from footprint.fleet.queries import any_of, selector
from footprint.fleet.readings import Reading, Scraper, most_of, scraper_of
from footprint.fleet.remote_read import Kept
from footprint.units import MILLISECONDS_PER_S, S_PER_H

__all__ = ["KeptDay", "kept_parts"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Mark = tuple[str, str, str]
"""A device, and a label of a job on its series."""

_DEVICE = 32
"""Bits above which a reading's key bears its device; below are its milliseconds since the first that was asked for."""

_ONE_AT_A_TIME = Lock()
"""Decoding is many small steps on arrays: threads that do it side by side wait for each other at each of them."""

_MOMENT = (1 << _DEVICE) - 1

_CHECKED_S = 6 * S_PER_H
"""The end of each day, in which counters are held against power: summing all of it is a third of what a server does."""


def kept_parts(
    gauges: Gauges, stays: Sequence[Stay], begun_s: float, server: Prometheus, stalled: float
) -> list[Part] | None:
    """What the day that begins then showed of each stay, with the edges that lie in it; None where the server does not
    hand it out."""
    places = {uuid: place for place, uuid in enumerate(dict.fromkeys(stay.uuid for stay in stays))}
    brief = dict.fromkeys(stay.uuid for stay in stays if stay.is_short)
    try:
        counters, uses = _read(gauges, (gauges.family.counter, gauges.utilization), places, places, begun_s, server)
        (powers,) = _read(gauges, (gauges.power,), brief, places, begun_s, server)
    except ValueError:
        return None
    drawn_j = _drawn_j(gauges, places, begun_s, server)
    return list(KeptDay(gauges, places, begun_s, counters, uses, powers, drawn_j).parts(stays, stalled))


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of a metric, in order of devices and of time."""

    keys: Ints
    values: Floats
    is_tied: Bools  # several series told it
    marks: Mapping[Mark, Sequence[Ints]]  # milliseconds since 1970 at which they were there

    def at(self, keys: Ints) -> Ints:
        """Places of the readings at just these moments; beyond all where there is none."""
        place = np.searchsorted(self.keys, keys)
        is_there = place < self.keys.size
        is_there[is_there] = self.keys[place[is_there]] == keys[is_there]
        return np.where(is_there, place, self.keys.size)


@dataclass(slots=True)
class KeptDay:
    """Devices' readings of a day, and some minutes about it."""

    gauges: Gauges
    places: Mapping[str, int]  # by device
    begun_s: float
    counters: Rows
    uses: Rows
    powers: Rows  # of those that had a short job
    drawn_j: Mapping[str, float]  # by power, in the end of the day
    joules: Floats = field(init=False)
    moved_j: Floats = field(init=False)  # from the reading before; nought from another device's
    watts: Floats = field(init=False)  # by it; not a number where it did not rise, or there is a gap
    gaps: Ints = field(init=False)  # readings before which there is one
    troubles: Ints = field(init=False)  # before which the counter fell, or stood for as long as a gap

    def __post_init__(self) -> None:
        keys, usual_ms = self.counters.keys, self.gauges.usual_s * MILLISECONDS_PER_S
        self.joules = self.counters.values / self.gauges.family.per_j
        apart_ms = np.diff(keys, prepend=keys[:1])
        is_same = apart_ms < 1 << _DEVICE - 1
        self.moved_j = np.where(is_same, np.diff(self.joules, prepend=self.joules[:1]), 0.0)
        is_told = (self.moved_j > 0) & (apart_ms <= usual_ms)
        self.watts = np.full(keys.size, np.nan)
        np.divide(self.moved_j * MILLISECONDS_PER_S, apart_ms, out=self.watts, where=is_told)
        self.gaps = np.flatnonzero(is_same & (apart_ms > usual_ms))
        back = int(self.gauges.usual_s / self.gauges.interval_s) + 1
        stands = (self.joules[back:] == self.joules[:-back]) & (keys[back:] - keys[:-back] < 1 << _DEVICE - 1)
        self.troubles = np.union1d(np.flatnonzero(self.moved_j < 0), np.flatnonzero(stands) + back)

    def parts(self, stays: Sequence[Stay], stalled: float) -> Iterator[Part]:
        """What it showed of each stay."""
        begun_s, ended_s = self.begun_s, self.begun_s + DAY_S
        ends = np.array([(max(one.begun_s, begun_s), min(one.ended_s, ended_s)) for one in stays])
        moments = np.round((ends - begun_s + PAD_S) * MILLISECONDS_PER_S).astype(np.int64)
        at = moments + (np.array([self.places[one.uuid] for one in stays]) << _DEVICE)[:, None]
        places = np.searchsorted(self.counters.keys, at, side="right")
        beyond = places + np.array((0, 1))  # the interval in which it ends too
        columns = (
            self._about(stays, at, places),
            *(np.searchsorted(one, beyond).tolist() for one in (self.troubles, self.gaps)),
            self._seen(at, stalled),
        )
        counted_j = self._counted_j()
        for stay, (start, end), (bad, worse), (gap, wider), seen in zip(stays, *columns, strict=True):
            yield Part(
                counted_j[self.places[stay.uuid]], self.drawn_j.get(stay.uuid, 0.0),
                self._longest_s(self.gaps[gap:wider]) if gap < wider else 0.0, bad < worse, seen,
                start if begun_s <= stay.begun_s < ended_s else None,
                end if begun_s < stay.ended_s <= ended_s else None,
            )  # fmt: skip

    def _counted_j(self) -> list[float]:
        """By each device in the end of the day; falls apart."""
        bounds = (PAD_S + DAY_S - np.array((_CHECKED_S, 0.0))) * MILLISECONDS_PER_S
        at = (np.arange(len(self.places)) << _DEVICE)[:, None] + bounds.astype(np.int64)
        places = np.searchsorted(self.counters.keys, at, side="right")
        places[:, 0] = np.minimum(places[:, 0] + 1, places[:, 1])  # from the first reading on
        return _between(np.maximum(self.moved_j, 0.0), places)

    def _longest_s(self, gaps: Ints) -> float:
        keys = self.counters.keys
        apart_ms = max((int(keys[at] - keys[at - 1]) for at in gaps), default=0)
        return max(apart_ms / MILLISECONDS_PER_S - self.gauges.interval_s, 0.0)

    def _seen(self, ends: Ints, stalled: float) -> Iterator[Seen]:
        """What devices did between moments, in all readings."""
        keys, uses = self.uses.keys, self.uses.values / self.gauges.family.per_share
        is_idle = uses < stalled
        idle = np.flatnonzero(is_idle)
        watts = np.append(self.watts, np.nan)[np.searchsorted(self.counters.keys, keys[idle])]  # about each
        is_told = ~np.isnan(watts)
        places = np.searchsorted(keys, ends, side="right")
        among = np.searchsorted(idle, places)  # the idle ones
        columns = (uses, np.where(is_told, watts, 0.0), is_told)
        sums = [_between(one, where) for one, where in zip(columns, (places, among, among), strict=True)]
        counts = (np.diff(where)[:, 0].tolist() for where in (places, among))
        for count, idle_count, used, idle_w, watts_count in zip(*counts, *sums, strict=True):
            yield Seen(count, idle_count, used, idle_w, watts_count)

    def _about(self, stays: Sequence[Stay], at: Ints, places: Ints) -> Iterator[tuple[About, About]]:
        """The readings about both edges of each."""
        is_marked = [bool(stay.marks) and self._is_marked(stay) for stay in stays for _ in range(2)]
        sides = zip(self._sides(at, places - 1, 0), self._sides(at, places, 1), is_marked, strict=True)
        found = (
            About(one, other, mark, is_tied or is_tied_too) for (one, is_tied), (other, is_tied_too), mark in sides
        )
        yield from zip(found, found, strict=True)

    def _sides(self, at: Ints, place: Ints, beyond: int) -> Iterator[tuple[Reading | None, bool]]:
        """The readings at places, and whether several series told them; none that is too far from its moment. Where
        power was not read, what the counter moved before the one and after the other is taken for it."""
        keys, pad_ms = self.counters.keys, PAD_INTERVALS * self.gauges.interval_s * MILLISECONDS_PER_S
        if not keys.size:
            yield from ((None, False) for _ in at.flat)
            return
        at, place = at.ravel(), place.ravel()
        here = np.clip(place, 0, keys.size - 1)
        is_there = (here == place) & (np.abs(keys[here] - at) <= pad_ms)
        at_s = (keys[here] & _MOMENT) / MILLISECONDS_PER_S + (self.begun_s - PAD_S)
        read_w = np.append(self.powers.values / self.gauges.family.per_w, np.nan)[self.powers.at(keys[here])]
        watts = np.where(np.isnan(read_w), self.watts[np.minimum(here + beyond, keys.size - 1)], read_w)
        columns = (is_there, at_s, self.joules[here], watts, ~np.isnan(watts), self.counters.is_tied[here])
        for is_one, moment_s, joules, power_w, has_power, is_tied in zip(*(c.tolist() for c in columns), strict=True):
            yield (Reading(moment_s, joules, power_w if has_power else None), is_tied) if is_one else (None, False)

    def _is_marked(self, stay: Stay) -> bool:
        begun_ms, ended_ms = stay.begun_s * MILLISECONDS_PER_S, stay.ended_s * MILLISECONDS_PER_S
        marks = [(stay.uuid, *pair) for mark in stay.marks for pair in mark.items()]
        for times in (times for mark in marks for times in self.counters.marks.get(mark, ())):
            if begun_ms <= times.item(0) <= ended_ms:  # as mostly
                return True
            place = int(np.searchsorted(times, begun_ms))
            if place < times.size and times.item(place) <= ended_ms:
                return True
        return False


def _between(column: Floats | Bools, places: Ints) -> list[float]:
    """Sums from places to others."""
    upto = np.concatenate(([0.0], np.cumsum(column, dtype=float)))
    found: list[float] = np.diff(upto[places])[:, 0].tolist()
    return found


def _drawn_j(gauges: Gauges, uuids: Iterable[str], begun_s: float, server: Prometheus) -> dict[str, float]:
    """What power says that devices drew in the end of the day that begins then."""
    by, span = gauges.family.uuid, milliseconds(_CHECKED_S)
    if not gauges.power:
        return {}
    asked = f"sum by({by})(sum_over_time({selector(gauges.power, any_of(by, uuids))}[{span}]))"
    per = gauges.interval_s / gauges.family.per_w
    return {labels[by]: values[0] * per for labels, _, values in server.columns(asked, begun_s + DAY_S)}


def _read(
    gauges: Gauges, metrics: Sequence[str], uuids: Collection[str], places: Mapping[str, int], begun_s: float,
    server: Prometheus,
) -> Iterator[Rows]:  # fmt: skip
    """Of the day that begins then, and some minutes about it; metrics without a name have none."""
    by, names = gauges.family.uuid, [name for name in metrics if name]
    since_s, until_s = begun_s - PAD_S, begun_s + DAY_S + PAD_S
    data, series = server.kept(names, by, uuids, since_s, until_s) if names and uuids else (b"", ())
    own: dict[str, list[Kept]] = {}
    for one in sorted(_one_scraper(series, by), key=lambda one: (places[one.labels[by]], one.first_ms)):
        own.setdefault(one.labels["__name__"], []).append(one)
    for name in metrics:
        kept = own.get(name, [])
        bounds, times, values = _decoded(data, kept)
        marks: dict[Mark, list[Ints]] = {}
        for one, first, last in zip(kept, bounds, bounds[1:], strict=False):
            for label in JOB_LABELS if first < last else ():
                if one.labels.get(label):
                    marks.setdefault((one.labels[by], label, one.labels[label]), []).append(times[first:last])
        whose = np.repeat(np.array([places[one.labels[by]] for one in kept], np.int64) << _DEVICE, np.diff(bounds))
        moments = times - round(since_s * MILLISECONDS_PER_S)
        yield Rows(*_ordered(whose, moments, values, round((until_s - since_s) * MILLISECONDS_PER_S)), marks)


def _decoded(data: bytes, kept: Sequence[Kept]) -> tuple[Ints, Ints, Floats]:
    """Where each one's readings begin, and where the last one's end; their times and values."""
    with _ONE_AT_A_TIME:
        counts, times, values = decoded(
            data, [at for one in kept for at in one.begins], [at for one in kept for at in one.ends]
        )
    chunks = np.cumsum([0, *(len(one.begins) for one in kept)])
    return np.concatenate(([0], np.cumsum(counts)))[chunks], times, values


def _ordered(whose: Ints, moments: Ints, values: Floats, span_ms: int) -> tuple[Ints, Floats, Bools]:
    """In order; of several series of a device at once the highest."""
    is_reading = (values >= 0) & (values < BLANK) & (moments >= 0) & (moments <= span_ms)
    keys = whose + moments
    if not is_reading.all():
        keys, values = keys[is_reading], values[is_reading]
    is_tied = np.zeros(keys.size, bool)
    if not (keys[1:] > keys[:-1]).all():  # of a device with a job's label and without
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        is_first = np.diff(keys, prepend=-1) > 0
        if not is_first.all():  # several series at once
            firsts = np.flatnonzero(is_first)
            is_tied = np.diff(firsts, append=keys.size) > 1
            keys, values = keys[firsts], np.maximum.reduceat(values, firsts)
    return keys, values, is_tied


def _one_scraper(found: Iterable[Kept], by: str) -> Iterator[Kept]:
    """Of each metric of a device those of one scraper, the one with most: clocks differ."""
    own: dict[tuple[str, str], dict[Scraper, list[Kept]]] = {}
    for one in found:
        of = (one.labels[by], one.labels["__name__"])
        own.setdefault(of, {}).setdefault(scraper_of(one.labels), []).append(one)
    for scrapers in own.values():
        if len(scrapers) == 1:
            yield from next(iter(scrapers.values()))
            continue
        sizes = {scraper: sum(sum(one.ends) - sum(one.begins) for one in kept) for scraper, kept in scrapers.items()}
        yield from scrapers.get(most_of(sizes) or (), ())
