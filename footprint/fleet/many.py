"""The energy of many past jobs, as of a whole site's month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.fleet.devices import Job
from footprint.fleet.jobs import measured_job
from footprint.fleet.meters import accelerator_of
from footprint.fleet.prometheus import Prometheus, in_order
from footprint.values import MeterUsage, Range

__all__ = ["JobEnergy", "many_energies"]

Shown = Callable[[Sequence[Job]], Iterable[Job]]


@dataclass(frozen=True, slots=True)
class JobEnergy:
    """What a job's accelerators drew."""

    job: Job
    accelerator: str  # the catalog's id; "" where it knows none of that name, or there are several kinds
    accelerators_count: int  # devices of which the job had all or a part
    accelerators_held: float  # the same with parts as parts: times the hours, accelerator-hours
    it_energy_kwh: Range | None  # of the accelerators, the job's parts; None: nothing is known, and the notes say why
    stalled_it_energy_kwh: Range | None  # of it, drawn with next to no utilization; None: not known
    utilization: float | None  # mean, 0 to 1
    evidence: str  # "A" to "D"; "" where nothing is known
    coverage: float  # 0 to 1
    largest_gap_s: float  # between readings; where few are missing, an upper bound
    notes: tuple[str, ...] = ()


def many_energies(
    jobs: Sequence[Job],
    server: Prometheus,
    catalog: Catalog,
    *,
    model: str | None = None,
    shown: Shown = tuple,
) -> Iterator[JobEnergy]:
    """The energy of each job, one after another and in any order; a job that cannot be told has none, and why.

    Parameters
    ----------
    jobs : each start of one, with its interval, its hosts or a label of its own
    server : where its devices' metrics are
    catalog : tables
    model : the accelerators' name, where the metrics do not tell it or there are none
    shown : is given the jobs and hands them on as they are done, for a progress bar

    Raises
    ------
    QueryError
        When the server does not answer.
    """
    calls = (partial(_alone, job, server, catalog, model) for job in jobs)
    for _, found in zip(shown(jobs), in_order(calls), strict=True):
        yield found


def _alone(job: Job, server: Prometheus, catalog: Catalog, model: str | None) -> JobEnergy:
    try:
        found = measured_job(job, server, catalog, words={}, model=model)
    except InputError as error:
        return JobEnergy(job, "", 0, 0.0, None, None, None, "", 0.0, 0.0, (str(error),))
    meters = [one for one in found.meters if one.meter.component == "accelerator"]
    kinds = {_kind(one, catalog) for one in meters}
    return JobEnergy(
        job=job,
        accelerator=kinds.pop() if len(kinds) == 1 else "",
        accelerators_count=len(meters),
        accelerators_held=sum(one.meter.share for one in meters),
        it_energy_kwh=_summed(one.it_energy_kwh for one in meters),
        stalled_it_energy_kwh=None,
        utilization=None,
        evidence=found.evidence.grade,
        coverage=found.evidence.coverage_share,
        largest_gap_s=0.0,
        notes=found.notes,
    )


def _kind(one: MeterUsage, catalog: Catalog) -> str:
    known = accelerator_of(one.meter.name, catalog)
    return "" if known is None else known.id


def _summed(parts: Iterable[Range]) -> Range:
    rows = [(one.low, one.mid, one.high) for one in parts]
    return Range(*(sum(column) for column in zip(*rows, strict=True)))
