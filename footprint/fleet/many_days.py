"""What a site's devices showed on a day: sums by the half hour from the server, readings only about jobs' edges.

The server adds up all of a day in a few questions, whatever the jobs were; a job's part is told from it by the clock.
Between the half hours' counters and their mean power nothing can hide: a reset, a counter that stands, several series
of one device all show as two sums that do not fit.
"""

from __future__ import annotations

import math
import statistics
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise

from footprint.fleet.devices import Labels, is_own
from footprint.fleet.families import TARGET_LABELS, Family
from footprint.fleet.prometheus import BLANK, Columns, Prometheus, as_written, milliseconds
from footprint.fleet.queries import any_of, selector
from footprint.fleet.readings import Reading
from footprint.units import H_PER_DAY, S_PER_H

__all__ = ["DAY_S", "LOOK_S", "SLOT_S", "Edge", "Gauges", "Line", "Seen", "grid_calls", "window_calls"]

SLOT_S = S_PER_H / 2
DAY_S = H_PER_DAY * S_PER_H
SLOTS = round(DAY_S / SLOT_S)
_GRID_DEVICES, _WINDOW_DEVICES = 250, 200
_PAD_INTERVALS = 4.0
LOOK_S = 359.0
"""Between the moments at which it is looked whether devices do anything: a prime, so that what a training does each
so many minutes falls on all of its phases."""

_LOOK_RATIO = 1.1
_MOST_OFF_RATIO = 0.1
"""Between a half hour's counter and its power, beside what is usual for the device, before it is looked at."""

Texts = tuple[list[str], list[str]]
"""Moments, and what was read at them."""

_NONE: Texts = ([], [])


@dataclass(frozen=True, slots=True)
class Gauges:
    """A family's series that there are, and how often they are read."""

    family: Family
    power: str
    utilization: str
    interval_s: float


@dataclass(slots=True)
class Line:
    """A device's day, summed up to each half hour."""

    counted_j: array[float]
    powered_j: array[float]
    troubled: set[int]  # half hours in which the counter was reset, stood, or was several
    gaps_s: dict[int, float]  # about how long power was not read, where it was for long
    unknown: set[int] = field(default_factory=set)  # half hours at whose ends there is no counter
    looks: Sequence[float] = ()  # so far
    idle: Sequence[float] = ()  # of them, at which it did next to nothing
    used: Sequence[float] = ()  # utilization, summed

    def looked(self, first: int, last: int) -> tuple[float, float, float]:
        """Looks, idle ones, and utilization summed, between two half hours."""
        if not self.looks:
            return 0.0, 0.0, 0.0
        return (
            self.looks[last] - self.looks[first], self.idle[last] - self.idle[first], self.used[last] - self.used[first]
        )  # fmt: skip


@dataclass(slots=True)
class Edge:
    """A moment of a device about which its readings are wanted, and what they are."""

    uuid: str
    at_s: float
    marks: Sequence[Labels]
    within: tuple[float, float]  # the job
    before: Reading | None = None
    after: Reading | None = None
    is_marked: bool = False
    many: bool = False  # several series at once
    seen: Seen | None = None


@dataclass(slots=True)
class Seen:
    """What a device did in readings of a span: of a short job all of it, else what is about an edge."""

    count: int = 0
    idle_count: int = 0
    used: float = 0.0
    idle_w: float = 0.0


# sums


def grid_calls(
    gauges: Gauges, uuids: Sequence[str], begun_s: float, server: Prometheus, stalled: float
) -> Iterator[Callable[[], dict[str, Line]]]:
    """A call a group of devices; each gives their lines of the day that begins then."""
    for i in range(0, len(uuids), _GRID_DEVICES):
        yield partial(_lines, gauges, uuids[i : i + _GRID_DEVICES], begun_s, server, stalled)


def _lines(gauges: Gauges, uuids: Sequence[str], begun_s: float, server: Prometheus, stalled: float) -> dict[str, Line]:
    family, by = gauges.family, gauges.family.uuid
    whose = any_of(by, uuids)

    def slots(promql: str) -> dict[str, Texts]:
        return _by_uuid(server.columns(promql, begun_s + DAY_S, begun_s, SLOT_S), by)

    counters = slots(f"max by({by})({selector(family.counter, whose)})")
    span = milliseconds(SLOT_S)
    powers = slots(f"sum by({by})(sum_over_time({selector(gauges.power, whose)}[{span}]))") if gauges.power else {}
    lines = {
        uuid: _line(counters[uuid], powers.get(uuid, _NONE), begun_s, gauges) for uuid in uuids if uuid in counters
    }
    if gauges.utilization:
        look_s = math.ceil(begun_s / LOOK_S) * LOOK_S
        last = milliseconds(_LOOK_RATIO * gauges.interval_s)
        used = f"max by({by})(last_over_time({selector(gauges.utilization, whose)}[{last}]))"
        looks = _by_uuid(server.columns(used, begun_s + DAY_S - 1, look_s, LOOK_S), by)
        ends = [as_written(begun_s + slot * SLOT_S) for slot in range(1, SLOTS + 1)]
        for uuid, line in lines.items():
            _look(line, looks.get(uuid, _NONE), ends, family.per_share, stalled)
    return lines


def _by_uuid(found: Iterable[Columns], by: str) -> dict[str, Texts]:
    return {labels.get(by, ""): (times, values) for labels, times, values in found}


def _line(counter: Texts, power: Texts, begun_s: float, gauges: Gauges) -> Line:
    family, drawn_j = gauges.family, [0.0] * (SLOTS + 1)
    known = {
        round((float(at_s) - begun_s) / SLOT_S): value / family.per_j
        for at_s, text in zip(*counter, strict=True)
        if 0 <= (value := float(text)) < BLANK
    }
    for at_s, text in zip(*power, strict=True):
        if 0 <= (value := float(text)) < BLANK:
            drawn_j[round((float(at_s) - begun_s) / SLOT_S)] = value / family.per_w * gauges.interval_s
    moved = [  # between half hours at which the counter is known
        (first, last, known[last] - known[first], sum(drawn_j[first + 1 : last + 1]))
        for first, last in pairwise(sorted(known))
    ]
    ratios = [counted / drawn for _, _, counted, drawn in moved if counted > 0 and drawn]
    usual = statistics.median(ratios) if ratios else 1.0
    edge_j = max(drawn_j) * gauges.interval_s / SLOT_S  # a change of power is in the counter before it is in power
    line = Line(array("d", [0.0]) * (SLOTS + 1), array("d", [0.0]) * (SLOTS + 1), set(), {})
    line.unknown = set(range(SLOTS)) - {slot for first, last, *_ in moved for slot in range(first, last)}
    for first, last, counted, drawn in moved:
        lacking_j = counted - usual * drawn
        slots = range(first, last)
        if counted <= 0 or (ratios and -lacking_j > _MOST_OFF_RATIO * drawn + edge_j):
            line.troubled.update(slots)
        elif ratios and lacking_j > _MOST_OFF_RATIO * drawn + edge_j:
            line.gaps_s |= dict.fromkeys(slots, min(lacking_j / counted, 1.0) * len(slots) * SLOT_S)
        line.counted_j[last] = max(counted, 0.0)
    drawn_j[0] = 0.0
    line.counted_j, line.powered_j = array("d", accumulate(line.counted_j)), array("d", accumulate(drawn_j))
    return line


def _look(line: Line, looks: Texts, ends: Sequence[str], per_share: float, stalled: float) -> None:
    counts, idle, used = ([0.0] * (SLOTS + 1) for _ in range(3))
    times, texts = looks
    values = [float(text) for text in texts]
    if not all(0 <= value < BLANK for value in values):  # what is no reading is among them
        times = [at_s for at_s, value in zip(times, values, strict=True) if 0 <= value < BLANK]
        values = [value for value in values if 0 <= value < BLANK]
    last, least = 0, stalled * per_share
    for slot, end in enumerate(ends, 1):
        first, last = last, bisect_left(times, end, last)
        own = values[first:last]
        counts[slot], used[slot] = len(own), sum(own) / per_share
        if own and min(own) < least:
            idle[slot] = sum(value < least for value in own)
    line.looks, line.idle, line.used = (array("d", accumulate(one)) for one in (counts, idle, used))


# edges


def window_calls(
    gauges: Gauges, edges: Sequence[Edge], used: set[str], server: Prometheus, stalled: float
) -> Iterator[Callable[[], None]]:
    """A call a half hour and group of devices; each fills in its edges."""
    by_slot: dict[int, list[Edge]] = {}
    for edge in edges:
        by_slot.setdefault(int(edge.at_s // SLOT_S), []).append(edge)
    for slot, own in sorted(by_slot.items()):
        uuids = sorted({edge.uuid for edge in own})
        for i in range(0, len(uuids), _WINDOW_DEVICES):
            group = set(uuids[i : i + _WINDOW_DEVICES])
            part = [edge for edge in own if edge.uuid in group]
            yield partial(_window, gauges, part, used & group, slot * SLOT_S, server, stalled)


def _window(
    gauges: Gauges, edges: Sequence[Edge], used: set[str], begun_s: float, server: Prometheus, stalled: float
) -> None:
    family, pad_s = gauges.family, _PAD_INTERVALS * gauges.interval_s
    names = any_of("__name__", [name for name in (family.counter, gauges.power) if name])
    uuids = sorted({edge.uuid for edge in edges})
    span = milliseconds(SLOT_S + 2 * pad_s)
    found = server.columns(f"{{{names},{any_of(family.uuid, uuids)}}}[{span}]", begun_s + SLOT_S + pad_s)
    if used and gauges.utilization:
        whose = any_of(family.uuid, sorted(used))
        found += server.columns(f"{selector(gauges.utilization, whose)}[{span}]", begun_s + SLOT_S + pad_s)
    rows: dict[str, list[Columns]] = {}
    for row in found:
        rows.setdefault(row[0].get(family.uuid, ""), []).append(row)
    alone = {uuid: _one_scraper(own) for uuid, own in rows.items()}
    for edge in edges:
        _fill(edge, alone.get(edge.uuid, []), gauges, stalled, (begun_s, begun_s + SLOT_S))


def _one_scraper(rows: list[Columns]) -> list[Columns]:
    """Those of one scraper, the fullest: clocks differ."""
    counts: dict[tuple[str, ...], int] = {}
    for labels, times, _ in rows:
        own = tuple(labels.get(name, "") for name in TARGET_LABELS)
        counts[own] = counts.get(own, 0) + len(times)
    if len(counts) < 2:
        return rows
    fullest = min(counts, key=lambda own: (-counts[own], own))
    return [row for row in rows if tuple(row[0].get(name, "") for name in TARGET_LABELS) == fullest]


def _fill(edge: Edge, rows: Sequence[Columns], gauges: Gauges, stalled: float, span: tuple[float, float]) -> None:
    family = gauges.family
    counters: list[Texts] = []
    powers: list[Texts] = []
    uses: list[Texts] = []
    begun_s, ended_s = edge.within
    for labels, times, values in rows:
        name = labels["__name__"]
        if name == family.counter:
            counters.append((times, values))
            if edge.marks and not edge.is_marked and is_own(labels, edge.marks):
                place = bisect_left(times, as_written(begun_s))
                edge.is_marked = place < len(times) and float(times[place]) <= ended_s
        elif name == gauges.power:
            powers.append((times, values))
        elif not edge.marks or is_own(labels, edge.marks):
            uses.append((times, values))
    before, after = _last(counters, edge.at_s), _next(counters, edge.at_s)
    if before is not None:
        edge.before = Reading(float(before[0]), before[1] / family.per_j, _at(powers, before[0], family.per_w))
    if after is not None:
        edge.after = Reading(float(after[0]), after[1] / family.per_j, _at(powers, after[0], family.per_w))
    edge.many = len(counters) > 1 and _overlap([times for times, _ in counters])
    if uses:
        edge.seen = _seen(uses, powers, max(begun_s, span[0]), min(ended_s, span[1]), gauges, stalled)


def _overlap(series: Sequence[list[str]]) -> bool:
    """Whether several series of one metric had readings at once."""
    spans = sorted((times[0], times[-1]) for times in series)
    return any(later[0] <= earlier[1] for earlier, later in pairwise(spans)) and (
        len(set().union(*series)) < sum(len(times) for times in series)
    )


def _last(series: Sequence[Texts], at_s: float) -> tuple[str, float] | None:
    """The last reading at or before a moment; of several at once the highest."""
    found: tuple[str, float] | None = None
    moment = as_written(at_s)
    for times, values in series:
        for place in range(bisect_right(times, moment) - 1, -1, -1):
            if 0 <= (value := float(values[place])) < BLANK:
                one = (times[place], value)
                found = one if found is None else max(found, one)
                break
    return found


def _next(series: Sequence[Texts], at_s: float) -> tuple[str, float] | None:
    found: tuple[str, float] | None = None
    moment = as_written(at_s)
    for times, values in series:
        for place in range(bisect_right(times, moment), len(times)):
            if 0 <= (value := float(values[place])) < BLANK:
                one = (times[place], value)
                found = one if found is None or (one[0], -one[1]) < (found[0], -found[1]) else found
                break
    return found


def _at(series: Sequence[Texts], moment: str, per: float) -> float | None:
    for times, values in series:
        place = bisect_left(times, moment)
        if place < len(times) and times[place] == moment and 0 <= (value := float(values[place])) < BLANK:
            return value / per
    return None


def _seen(
    uses: Sequence[Texts], powers: Sequence[Texts], begun_s: float, ended_s: float, gauges: Gauges, stalled: float
) -> Seen:
    seen, family = Seen(), gauges.family
    for times, values in uses:
        first, last = bisect_right(times, as_written(begun_s)), bisect_right(times, as_written(ended_s))
        for place in range(first, last):
            if not 0 <= (value := float(values[place])) < BLANK:
                continue
            share = value / family.per_share
            seen.count += 1
            seen.used += share
            if share < stalled:
                seen.idle_count += 1
                seen.idle_w += _at(powers, times[place], family.per_w) or 0.0
    return seen
