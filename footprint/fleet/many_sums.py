"""What a site's devices showed on a day, summed up by the half hour.

The server adds up all of a day in a few questions, whatever the jobs were; a job's part is told from it by the clock.
Between the half hours' counters and their mean power nothing can hide: a reset, a counter that stands, several series
of one device all show as two sums that do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from footprint.fleet.many_days import DAY_S, SLOT_S, SLOTS, Gauges, Line
from footprint.fleet.many_looks import LOOK_RATIO, LOOK_S, looks_of
from footprint.fleet.prometheus import BLANK, Columns, Prometheus, milliseconds
from footprint.fleet.queries import any_of, selector

__all__ = ["grid_calls"]

Floats = npt.NDArray[np.float64]

_MOST_OFF_RATIO = 0.1
"""Between a half hour's counter and its power, beside what is usual for the device, before it is looked at."""


def grid_calls(
    gauges: Gauges, groups: Iterable[Sequence[str]], used: set[str], begun_s: float, server: Prometheus, stalled: float
) -> Iterator[Callable[[], dict[str, Line]]]:
    """A call a group of devices; each gives their lines of the day that begins then. Of those `used` it is asked what
    they draw while they do nothing."""
    for uuids in groups:
        yield partial(_lines, gauges, uuids, used, begun_s, server, stalled)


def _lines(
    gauges: Gauges, uuids: Sequence[str], used: set[str], begun_s: float, server: Prometheus, stalled: float
) -> dict[str, Line]:
    family, by = gauges.family, gauges.family.uuid

    def steps(promql: str, of: Sequence[str], first_s: float, step_s: float, count: int) -> Floats:
        """A device a row; not a number where there is no reading."""
        answer = server.columns(promql, first_s + (count - 1) * step_s, first_s, step_s)
        return _table(answer, by, of, first_s, step_s, count)

    def looks(metric: str, of: Sequence[str]) -> Floats:
        last = milliseconds(LOOK_RATIO * gauges.interval_s)
        asked = f"max by({by})(last_over_time({selector(metric, any_of(by, of))}[{last}]))"
        return steps(asked, of, first_s, LOOK_S, looks_count)

    whose = any_of(by, uuids)
    asked = f"max by({by})({selector(family.counter, whose)})"
    counted = steps(asked, uuids, begun_s, SLOT_S, SLOTS + 1) / family.per_j
    drawn = np.zeros_like(counted)
    if gauges.power:
        asked = f"sum by({by})(sum_over_time({selector(gauges.power, whose)}[{milliseconds(SLOT_S)}]))"
        found = steps(asked, uuids, begun_s, SLOT_S, SLOTS + 1) * gauges.interval_s / family.per_w
        drawn[:, 1:] = np.nan_to_num(found[:, 1:])
    lines = list(_summed(counted, drawn, gauges.interval_s))
    if gauges.utilization:
        first_s = math.ceil(begun_s / LOOK_S) * LOOK_S
        looks_count = math.ceil((begun_s + DAY_S - first_s) / LOOK_S)
        least = stalled * family.per_share
        uses = looks(gauges.utilization, uuids)
        idle = [place for place, uuid in enumerate(uuids) if uuid in used and (uses[place] < least).any()]
        watts = np.full_like(uses, np.nan)
        if idle and gauges.power:
            watts[idle] = looks(gauges.power, [uuids[place] for place in idle])
        for line, seen in zip(lines, looks_of(first_s, uses, watts, least, family), strict=True):
            line.looks = seen
    return {uuid: line for uuid, line in zip(uuids, lines, strict=True) if len(line.unknown) < SLOTS}


def _table(
    answer: Iterable[Columns], by: str, uuids: Sequence[str], first_s: float, step_s: float, count: int
) -> Floats:
    """Of several series of a device at once the highest."""
    places = {uuid: place for place, uuid in enumerate(uuids)}
    rows = [(places[one[0][by]], *one[1:]) for one in answer if one[0].get(by) in places]
    table = np.full((len(uuids), count), np.nan)
    if rows:
        told = np.concatenate([values for _, _, values in rows])
        at = np.rint((np.concatenate([times for _, times, _ in rows]) - first_s) / step_s).astype(np.int64)
        whose = np.repeat([place for place, _, _ in rows], [len(values) for _, _, values in rows])
        is_reading = (told >= 0) & (told < BLANK)
        np.fmax.at(table, (whose[is_reading], at[is_reading]), told[is_reading])
    return table


def _summed(known_j: Floats, drawn_j: Floats, interval_s: float) -> Iterator[Line]:
    """Each device's line, from its counter at each half hour and what power says of the half hours before."""
    rows, slots = np.arange(len(known_j))[:, None], np.arange(SLOTS + 1)
    is_known, powered_j = ~np.isnan(known_j), np.cumsum(drawn_j, axis=1)
    first = np.maximum.accumulate(np.where(is_known, slots, -1), axis=1)  # the last one known, up to each
    first = np.concatenate((np.full((len(first), 1), -1), first[:, :-1]), axis=1)  # and before it
    is_told = is_known & (first >= 0)
    moved = np.where(is_told, known_j - known_j[rows, first], 0.0)
    drawn = np.where(is_told, powered_j - powered_j[rows, first], 0.0)
    is_both = (moved > 0) & (drawn > 0)
    usual = _median(np.where(is_both, moved / np.where(is_both, drawn, 1.0), np.inf), is_both.sum(axis=1))[:, None]
    edge_j = (
        drawn_j.max(axis=1, keepdims=True) * interval_s / SLOT_S
    )  # a change is in the counter before it is in power
    lacking_j, most_j = moved - usual * drawn, _MOST_OFF_RATIO * drawn + edge_j
    has_power = is_both.any(axis=1, keepdims=True)
    is_wrong = is_told & ((moved <= 0) | (has_power & (-lacking_j > most_j)))
    is_gap = is_told & ~is_wrong & has_power & (lacking_j > most_j)
    counted_j = np.cumsum(np.maximum(moved, 0.0), axis=1)
    lines = [Line(counted, powered, set(), {}) for counted, powered in zip(counted_j, powered_j, strict=True)]
    for row in np.flatnonzero(~is_known.all(axis=1)):
        told = [range(first[row, last], last) for last in np.flatnonzero(is_told[row])]
        lines[row].unknown = set(range(SLOTS)) - {slot for span in told for slot in span}
    for row, last in np.argwhere(is_wrong):
        lines[row].troubled.update(range(first[row, last], last))
    for row, last in np.argwhere(is_gap):
        span = range(first[row, last], last)
        share = min(lacking_j[row, last] / moved[row, last], 1.0)
        lines[row].gaps_s |= dict.fromkeys(span, float(share) * len(span) * SLOT_S)
    yield from lines


def _median(ratios: Floats, counts: npt.NDArray[np.int64]) -> Floats:
    """By row, of the smallest so many; 1 where there are none."""
    ordered, rows = np.sort(ratios, axis=1), np.arange(len(ratios))
    middle = (ordered[rows, np.maximum(counts - 1, 0) // 2] + ordered[rows, counts // 2]) / 2
    return np.where(counts > 0, middle, 1.0)
