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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, pairwise

from footprint.fleet.devices import Labels, is_own
from footprint.fleet.families import TARGET_LABELS, Family
from footprint.fleet.many_looks import LOOK_RATIO, LOOK_S, Looks, Seen, highest, looks_of
from footprint.fleet.prometheus import BLANK, Columns, Prometheus, milliseconds
from footprint.fleet.queries import any_of, selector
from footprint.fleet.readings import Reading
from footprint.units import H_PER_DAY, S_PER_H

__all__ = ["DAY_S", "PAD_INTERVALS", "SLOT_S", "Edge", "Gauges", "Line", "Span", "grid_calls", "window_calls"]

SLOT_S = S_PER_H / 2
DAY_S = H_PER_DAY * S_PER_H
SLOTS = round(DAY_S / SLOT_S)
_GRID_DEVICES, _WINDOW_EDGES = 250, 200
PAD_INTERVALS = 4.0
"""Read before and after an edge: more than may lie between two readings that tell of it."""

_REQUEST_READINGS, _OPEN_GROUPS = 300, 8
"""A request of its own costs as much as so many readings' times of a device."""

_MOST_OFF_RATIO = 0.1
"""Between a half hour's counter and its power, beside what is usual for the device, before it is looked at."""

Rows = tuple["array[float]", "array[float]"]
"""Moments, and what was read at them."""

_NONE: Rows = (array("d"), array("d"))


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
    looks: Looks | None = None


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


@dataclass(slots=True)
class Span:
    """What is read of some devices about an edge of a job, or of all of a short job: moments, and whether use too."""

    edges: list[Edge]
    begun_s: float
    ended_s: float
    seen: dict[str, Seen] | None = None  # by device, where wanted

    @property
    def uuids(self) -> set[str]:
        return {edge.uuid for edge in self.edges}


# sums


def grid_calls(
    gauges: Gauges, uuids: Sequence[str], used: set[str], begun_s: float, server: Prometheus, stalled: float
) -> Iterator[Callable[[], dict[str, Line]]]:
    """A call a group of devices; each gives their lines of the day that begins then. Of those `used` it is asked what
    they draw while they do nothing."""
    for i in range(0, len(uuids), _GRID_DEVICES):
        yield partial(_lines, gauges, uuids[i : i + _GRID_DEVICES], used, begun_s, server, stalled)


def _lines(
    gauges: Gauges, uuids: Sequence[str], used: set[str], begun_s: float, server: Prometheus, stalled: float
) -> dict[str, Line]:
    family, by = gauges.family, gauges.family.uuid
    whose = any_of(by, uuids)

    def slots(promql: str) -> dict[str, Rows]:
        found = server.columns(promql, begun_s + DAY_S, begun_s, SLOT_S)
        return {labels.get(by, ""): (times, values) for labels, times, values in found}

    counters = slots(f"max by({by})({selector(family.counter, whose)})")
    span = milliseconds(SLOT_S)
    powers = slots(f"sum by({by})(sum_over_time({selector(gauges.power, whose)}[{span}]))") if gauges.power else {}
    places = {begun_s + slot * SLOT_S: slot for slot in range(SLOTS + 1)}
    lines = {uuid: _line(counters[uuid], powers.get(uuid, _NONE), places, gauges) for uuid in uuids if uuid in counters}
    if not gauges.utilization:
        return lines

    def looks(metric: str, of: Sequence[str]) -> dict[str, dict[float, float]]:
        last = milliseconds(LOOK_RATIO * gauges.interval_s)
        asked = f"last_over_time({selector(metric, any_of(by, of))}[{last}])"
        first_s = math.ceil(begun_s / LOOK_S) * LOOK_S
        return highest(server.columns(asked, begun_s + DAY_S - 1, first_s, LOOK_S), by)

    least = stalled * family.per_share
    uses = looks(gauges.utilization, uuids)
    idle = [uuid for uuid in uuids if uuid in used and min(uses.get(uuid, {}).values(), default=least) < least]
    watts = looks(gauges.power, idle) if idle and gauges.power else {}
    for uuid, line in lines.items():
        line.looks = looks_of(uses.get(uuid, {}), watts.get(uuid, {}), least, family)
    return lines


def _line(counter: Rows, power: Rows, places: Mapping[float, int], gauges: Gauges) -> Line:
    family, drawn_j = gauges.family, [0.0] * (SLOTS + 1)
    known: dict[int, float] = {}
    for at_s, value in zip(*counter, strict=True):
        if 0 <= value < BLANK:
            known[places[at_s]] = value / family.per_j
    per_j = gauges.interval_s / family.per_w
    for at_s, value in zip(*power, strict=True):
        if 0 <= value < BLANK:
            drawn_j[places[at_s]] = value * per_j
    edge_j = max(drawn_j) * gauges.interval_s / SLOT_S  # a change of power is in the counter before it is in power
    drawn_j[0] = 0.0
    powered_j = array("d", accumulate(drawn_j))
    counted_j = array("d", [0.0]) * (SLOTS + 1)
    line = Line(counted_j, powered_j, set(), {})
    moved = [  # between half hours at which the counter is known
        (first, last, known[last] - known[first], powered_j[last] - powered_j[first])
        for first, last in pairwise(sorted(known))
    ]
    ratios = [counted / drawn for _, _, counted, drawn in moved if counted > 0 and drawn]
    usual = statistics.median(ratios) if ratios else 1.0
    if len(known) <= SLOTS:
        line.unknown = set(range(SLOTS)) - {slot for first, last, *_ in moved for slot in range(first, last)}
    for first, last, counted, drawn in moved:
        lacking_j, most_j = counted - usual * drawn, _MOST_OFF_RATIO * drawn + edge_j
        if counted <= 0 or (ratios and -lacking_j > most_j):
            line.troubled.update(range(first, last))
        elif ratios and lacking_j > most_j:
            share = min(lacking_j / counted, 1.0)
            line.gaps_s |= dict.fromkeys(range(first, last), share * (last - first) * SLOT_S)
        counted_j[last] = max(counted, 0.0)
    line.counted_j = array("d", accumulate(counted_j))
    return line


# edges


def window_calls(
    gauges: Gauges, spans: Sequence[Span], server: Prometheus, stalled: float
) -> Iterator[Callable[[], None]]:
    """A call for spans that lie close together; each fills in their edges."""
    for wants_use in (False, True):
        own = sorted(
            (part for span in spans if (span.seen is not None) == wants_use for part in _parts(span)),
            key=lambda span: span.begun_s,
        )
        for group in _grouped(own, gauges.interval_s):
            yield partial(_window, gauges, group, server, stalled)


def _parts(span: Span) -> Iterator[Span]:
    """With no more devices than a request should name."""
    for i in range(0, len(span.edges), _WINDOW_EDGES):
        yield replace(span, edges=span.edges[i : i + _WINDOW_EDGES])


@dataclass(slots=True)
class _Group:
    """Spans that are asked for at once."""

    spans: list[Span]
    uuids: set[str]
    begun_s: float
    ended_s: float

    def more_s(self, span: Span) -> float:
        """Seconds of devices that are read for nothing if a span joins."""
        uuids = self.uuids | span.uuids
        if len(uuids) > _WINDOW_EDGES:
            return math.inf
        both_s = len(uuids) * (max(self.ended_s, span.ended_s) - self.begun_s)
        return (
            both_s - len(self.uuids) * (self.ended_s - self.begun_s) - len(span.uuids) * (span.ended_s - span.begun_s)
        )


def _grouped(spans: Iterable[Span], interval_s: float) -> Iterator[list[Span]]:
    """Each with those with which it costs less than a request of its own."""
    open_: list[_Group] = []
    for span in spans:
        best = min(open_, key=lambda group: group.more_s(span), default=None)
        if best is not None and best.more_s(span) < _REQUEST_READINGS * interval_s:
            best.spans.append(span)
            best.uuids |= span.uuids
            best.ended_s = max(best.ended_s, span.ended_s)
            continue
        open_.append(_Group([span], span.uuids, span.begun_s, span.ended_s))
        if len(open_) > _OPEN_GROUPS:
            yield open_.pop(0).spans
    yield from (group.spans for group in open_)


def _window(gauges: Gauges, spans: Sequence[Span], server: Prometheus, stalled: float) -> None:
    family = gauges.family
    wanted = (family.counter, gauges.power, gauges.utilization if spans[0].seen is not None else "")
    names = any_of("__name__", [name for name in wanted if name])
    uuids = sorted(set().union(*(span.uuids for span in spans)))
    begun_s, ended_s = min(span.begun_s for span in spans), max(span.ended_s for span in spans)
    asked = f"{{{names},{any_of(family.uuid, uuids)}}}[{milliseconds(ended_s - begun_s)}]"
    rows: dict[str, list[Columns]] = {}
    for row in server.columns(asked, ended_s):
        rows.setdefault(row[0].get(family.uuid, ""), []).append(row)
    alone = {uuid: _one_scraper(own) for uuid, own in rows.items()}
    for span in spans:
        for edge in span.edges:
            _fill(edge, alone.get(edge.uuid, []), gauges)
        if span.seen is not None:
            for edge in span.edges:
                if edge.uuid not in span.seen:
                    span.seen[edge.uuid] = _seen(edge, alone.get(edge.uuid, []), gauges, stalled)


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


def _fill(edge: Edge, rows: Sequence[Columns], gauges: Gauges) -> None:
    family = gauges.family
    counters: list[Rows] = []
    powers: list[Rows] = []
    begun_s, ended_s = edge.within
    for labels, times, values in rows:
        name = labels["__name__"]
        if name == family.counter:
            counters.append((times, values))
            if edge.marks and not edge.is_marked and is_own(labels, edge.marks):
                place = bisect_left(times, begun_s)
                edge.is_marked = place < len(times) and times[place] <= ended_s
        elif name == gauges.power:
            powers.append((times, values))
    before, after = _last(counters, edge.at_s), _next(counters, edge.at_s)
    if before is not None:
        edge.before = Reading(before[0], before[1] / family.per_j, _at(powers, before[0], family.per_w))
    if after is not None:
        edge.after = Reading(after[0], after[1] / family.per_j, _at(powers, after[0], family.per_w))
    edge.many = len(counters) > 1 and _overlap([times for times, _ in counters])


def _overlap(series: Sequence[array[float]]) -> bool:
    """Whether several series of one metric had readings at once."""
    spans = sorted((times[0], times[-1]) for times in series)
    return any(later[0] <= earlier[1] for earlier, later in pairwise(spans)) and (
        len(set().union(*series)) < sum(len(times) for times in series)
    )


def _last(series: Sequence[Rows], at_s: float) -> tuple[float, float] | None:
    """The last reading at or before a moment; of several at once the highest."""
    found: tuple[float, float] | None = None
    for times, values in series:
        for place in range(bisect_right(times, at_s) - 1, -1, -1):
            if 0 <= (value := values[place]) < BLANK:
                one = (times[place], value)
                found = one if found is None else max(found, one)
                break
    return found


def _next(series: Sequence[Rows], at_s: float) -> tuple[float, float] | None:
    found: tuple[float, float] | None = None
    for times, values in series:
        for place in range(bisect_right(times, at_s), len(times)):
            if 0 <= (value := values[place]) < BLANK:
                one = (times[place], value)
                found = one if found is None or (one[0], -one[1]) < (found[0], -found[1]) else found
                break
    return found


def _at(series: Sequence[Rows], moment: float, per: float) -> float | None:
    for times, values in series:
        place = bisect_left(times, moment)
        if place < len(times) and times[place] == moment and 0 <= (value := values[place]) < BLANK:
            return value / per
    return None


def _seen(edge: Edge, rows: Sequence[Columns], gauges: Gauges, stalled: float) -> Seen:
    """In all readings of a short job."""
    seen, family = Seen(), gauges.family
    powers = [(times, values) for labels, times, values in rows if labels["__name__"] == gauges.power]
    begun_s, ended_s = edge.within
    for labels, times, values in rows:
        if labels["__name__"] != gauges.utilization or (edge.marks and not is_own(labels, edge.marks)):
            continue
        for place in range(bisect_right(times, begun_s), bisect_right(times, ended_s)):
            if not 0 <= (value := values[place]) < BLANK:
                continue
            share = value / family.per_share
            seen.count += 1
            seen.used += share
            if share < stalled:
                seen.idle_count += 1
                watts = _at(powers, times[place], family.per_w)
                seen.idle_w += watts or 0.0
                seen.watts_count += watts is not None
    return seen
