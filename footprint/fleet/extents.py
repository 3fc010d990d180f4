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

    Raises
    ------
    InputError
        When no series bears it.
    """
    until_s = time.time() if ended_s is None else ended_s + PAD_S
    since_s = until_s - LOOK_BACK_S if started_s is None else started_s - PAD_S
    step_s = max((until_s - since_s) / MOST_POINTS, PAD_S / 2)
    for family in FAMILIES:
        metric = family.counter or family.powers[0]
        for form in job_labels(job):
            chosen = selector(metric, *(equals(name, value) for name, value in form.items()))
            coarse = server.steps(f"count({chosen})", since_s, until_s, step_s)
            times = [at_s for one in coarse for at_s, _ in one.samples]
            if times:
                return _refined(server, chosen, min(times), max(times), step_s, started_s, ended_s)
    fix = "give --from, --to and --host, or a longer --from"
    raise InputError("job", job.id or job.pod or job.namespace, "is on no series of the last 30 days", fix)


def _refined(
    server: Prometheus, chosen: str, first_s: float, last_s: float, step_s: float,
    started_s: float | None, ended_s: float | None,
) -> tuple[Interval, float]:  # fmt: skip
    """From the grid's points to the samples themselves; a series goes on for some minutes after its last one."""
    begun = server.raw(chosen, first_s - step_s - PAD_S, first_s)
    ending = server.raw(chosen, last_s - step_s - PAD_S, last_s + PAD_S)
    interval_s = _interval(begun) or _interval(ending)
    first = min((at_s for one in begun for at_s, _ in one.samples), default=first_s)
    last = max((at_s for one in ending for at_s, _ in one.samples), default=last_s)
    half_s = interval_s / 2
    return (
        Interval(
            first - half_s if started_s is None else started_s,
            last + half_s if ended_s is None else ended_s,
        ),
        half_s,
    )


def _interval(series: list[Series]) -> float:
    found = [interval_of([Reading(at_s, None, None) for at_s, _ in one.samples]) for one in series]
    return min((one for one in found if one), default=0.0)
