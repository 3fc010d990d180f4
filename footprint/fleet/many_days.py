"""What a site's devices told of a day, and the readings about jobs' edges, asked in windows that lie close together."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from footprint.fleet.devices import Labels, is_own
from footprint.fleet.families import Family
from footprint.fleet.many_looks import Floats, Looks, Seen
from footprint.fleet.prometheus import BLANK, Columns, Prometheus, milliseconds
from footprint.fleet.queries import any_of
from footprint.fleet.readings import Reading, Scraper, most_of, scraper_of
from footprint.units import H_PER_DAY, S_PER_H

__all__ = [
    "DAY_S",
    "PAD_INTERVALS",
    "SLOTS",
    "SLOT_S",
    "Edge",
    "Gauges",
    "Line",
    "Part",
    "Span",
    "Stay",
    "window_calls",
]

SLOT_S = S_PER_H / 2
DAY_S = H_PER_DAY * S_PER_H
SLOTS = round(DAY_S / SLOT_S)
_WINDOW_EDGES = 200
PAD_INTERVALS = 4.0
"""Read before and after an edge: more than may lie between two readings that tell of it."""

_REQUEST_READINGS, _OPEN_GROUPS = 300, 8
"""A request of its own costs as much as so many readings' times of a device."""

_Rows = tuple["array[float]", "array[float]"]
"""Moments, and what was read at them."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """A family's series that there are, and how often they are read."""

    family: Family
    power: str
    utilization: str
    interval_s: float
    usual_s: float  # a longer time between two readings is a gap
    is_kept: bool  # the server hands out readings as it keeps them: no sums have to be asked for


@dataclass(slots=True)
class Line:
    """A device's day, summed up to each half hour."""

    counted_j: Floats
    powered_j: Floats
    troubled: set[int]  # half hours in which the counter was reset, stood, or was several
    gaps_s: dict[int, float]  # about how long power was not read, where it was for long
    unknown: set[int] = field(default_factory=set)  # half hours at whose ends there is no counter
    looks: Looks | None = None

    def part(self, day_s: float, begun_s: float, ended_s: float) -> Part:
        """Of a job between two moments, in the day that begins then."""
        touched = range(
            max(int((begun_s - day_s) // SLOT_S), 0), min(-int((day_s - ended_s) // SLOT_S), SLOTS)
        )  # fmt: skip
        first = min(max(-int((day_s - begun_s) // SLOT_S), 0), SLOTS)
        last = min(max(int((ended_s - day_s) // SLOT_S), 0), SLOTS)
        counted_j, powered_j = (
            one.item(last) - one.item(first) if last > first else 0.0 for one in (self.counted_j, self.powered_j)
        )
        gap_s = max((self.gaps_s.get(slot, 0.0) for slot in touched), default=0.0) if self.gaps_s else 0.0
        is_troubled = not (self.troubled.isdisjoint(touched) and self.unknown.isdisjoint(range(first, last)))
        return Part(counted_j, powered_j, gap_s, is_troubled)


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

    def take(self, found: About | None) -> None:
        if found is not None:
            self.before, self.after, self.is_marked, self.many = found


class Stay(NamedTuple):
    """A job's time on a device."""

    uuid: str
    begun_s: float
    ended_s: float
    marks: Sequence[Labels]

    @property
    def is_short(self) -> bool:
        """Looks would be few, and its edges are much of it: all of its readings are read."""
        return self.ended_s - self.begun_s < 2 * SLOT_S


class About(NamedTuple):
    """What is found about an edge."""

    before: Reading | None
    after: Reading | None
    is_marked: bool
    many: bool


class Part(NamedTuple):
    """What a day showed of a stay."""

    counted_j: float = 0.0  # about, to hold the counter against power
    powered_j: float = 0.0
    gap_s: float = 0.0  # the longest
    is_troubled: bool = False  # sums do not tell of it
    seen: Seen = Seen()
    start: About | None = None  # where it lies in the day
    end: About | None = None


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


def _of(metric: str, rows: Sequence[Columns]) -> list[_Rows]:
    return [(times, values) for labels, times, values in rows if labels["__name__"] == metric]


def _one_scraper(rows: list[Columns]) -> list[Columns]:
    """Those of one scraper, the fullest: clocks differ."""
    counts: dict[Scraper, int] = {}
    for labels, times, _ in rows:
        own = scraper_of(labels)
        counts[own] = counts.get(own, 0) + len(times)
    fullest = most_of(counts)
    return rows if len(counts) < 2 else [row for row in rows if scraper_of(row[0]) == fullest]


def _fill(edge: Edge, rows: Sequence[Columns], gauges: Gauges) -> None:
    family = gauges.family
    counters: list[_Rows] = []
    powers: list[_Rows] = []
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


def _last(series: Sequence[_Rows], at_s: float) -> tuple[float, float] | None:
    """The last reading at or before a moment; of several at once the highest."""
    found: tuple[float, float] | None = None
    for times, values in series:
        for place in range(bisect_right(times, at_s) - 1, -1, -1):
            if 0 <= (value := values[place]) < BLANK:
                one = (times[place], value)
                found = one if found is None else max(found, one)
                break
    return found


def _next(series: Sequence[_Rows], at_s: float) -> tuple[float, float] | None:
    found: tuple[float, float] | None = None
    for times, values in series:
        for place in range(bisect_right(times, at_s), len(times)):
            if 0 <= (value := values[place]) < BLANK:
                one = (times[place], value)
                found = one if found is None or (one[0], -one[1]) < (found[0], -found[1]) else found
                break
    return found


def _at(series: Sequence[_Rows], moment: float, per: float) -> float | None:
    for times, values in series:
        place = bisect_left(times, moment)
        if place < len(times) and times[place] == moment and 0 <= (value := values[place]) < BLANK:
            return value / per
    return None


def _seen(edge: Edge, rows: Sequence[Columns], gauges: Gauges, stalled: float) -> Seen:
    """In all readings of a short job."""
    seen, family = Seen(), gauges.family
    powers = _of(gauges.power, rows)
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
