"""When a job ran, for which nobody knows the times: as long as a label of its own was on its devices' series."""

from __future__ import annotations

import time

from footprint.errors import InputError
from footprint.fleet.devices import Job, job_labels
from footprint.fleet.families import FAMILIES
from footprint.fleet.gathering import PAD_S, Interval
from footprint.fleet.prometheus import MOST_POINTS, Prometheus, Series
from footprint.fleet.queries import equals, selector
from footprint.fleet.readings import Reading, interval_of
from footprint.units import H_PER_DAY, S_PER_H

__all__ = ["found_interval"]

LOOK_BACK_S = 30 * H_PER_DAY * S_PER_H


def found_interval(
    job: Job, server: Prometheus, started_s: float | None, ended_s: float | None
) -> tuple[Interval, float]:
    """The span of a job's label, and by how much it can be off at either end: half a scrape.

    What is known of the beginning or the end bounds the search.

    Raises
    ------
    InputError
        When no series bears it.
    """
    until_s = time.time() if ended_s is None else ended_s
    since_s = until_s - LOOK_BACK_S if started_s is None else started_s
    step_s = max((until_s - since_s) / MOST_POINTS, PAD_S / 2)
    for family in FAMILIES:
        metric = family.counter or family.powers[0]
        for form in job_labels(job):
            chosen = selector(metric, *(equals(name, value) for name, value in form.items()))
            coarse = server.steps(f"count({chosen})", since_s, until_s, step_s)
            times = [at_s for one in coarse for at_s, _ in one.samples]
            if times:
                return _refined(server, chosen, (min(times), max(times)), (since_s, until_s), step_s)
    told = "is on no series of the last 30 days" if started_s is None else "is on no series then"
    fix = "give --from and --to about it, and --host where it has no label"
    raise InputError("job", job.id or job.pod or job.namespace, told, fix)


def _refined(
    server: Prometheus, chosen: str, seen: tuple[float, float], bounds: tuple[float, float], step_s: float
) -> tuple[Interval, float]:
    """From the grid's points to the samples themselves; a series goes on for some minutes after its last one."""
    begun = server.raw(chosen, seen[0] - step_s - PAD_S, seen[0])
    ending = server.raw(chosen, seen[1] - step_s - PAD_S, seen[1] + step_s)
    half_s = (_interval(begun) or _interval(ending)) / 2
    first_s = min((at_s for one in begun for at_s, _ in one.samples), default=seen[0])
    last_s = max((at_s for one in ending for at_s, _ in one.samples), default=seen[1])
    return Interval(max(first_s - half_s, bounds[0]), min(last_s + half_s, bounds[1])), half_s


def _interval(series: list[Series]) -> float:
    found = [interval_of([Reading(at_s, None, None) for at_s, _ in one.samples]) for one in series]
    return min((one for one in found if one), default=0.0)
