"""A past job becomes a `Run`: its devices found, their readings added up, assessed as a tracked run is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from footprint.accounting.metered import Measured, assess
from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.evidence import Evidence, evidence
from footprint.fleet.devices import Device, Job, devices_of, job_labels
from footprint.fleet.energy import DeviceEnergy
from footprint.fleet.extents import found_interval
from footprint.fleet.gathering import PAD_S, Batch, Interval, batches, energies, open_batch, skew
from footprint.fleet.hosts import Allocation, with_hosts
from footprint.fleet.meters import RATING, SACCT, SENSOR
from footprint.fleet.modelled import allocated, by_use
from footprint.fleet.months_held import may_have_accelerators
from footprint.fleet.nodes import node_meters
from footprint.fleet.prometheus import Prometheus, in_order
from footprint.fleet.work import Work, work_of
from footprint.measurement.limits import limits
from footprint.report.run_wording import duration
from footprint.units import J_PER_KWH, PERCENT_PER_SHARE, S_PER_H
from footprint.values import MeterUsage, Progress, Run
from footprint.version import __version__

__all__ = ["Found", "job_run", "measured_job"]

MOST_OFF_RATIO = 0.05
"""Between counter and power, before it is told."""

_MOST_SHORT_SHARE = 0.001
_MOST_TOLD = 6
_MOST_NAMED = 3
_UNACCOUNTED = "name what it leaves out by --accelerator; of a job on processors alone: footprint track"
Shown = Callable[[Sequence[Batch]], Iterable[Batch]]


@dataclass(frozen=True, slots=True)
class Found:
    """What the server tells of a job, before it is assessed."""

    job: Job
    interval: Interval  # on the scheduler's clock
    meters: tuple[MeterUsage, ...]
    hourly_it_energy_kwh: tuple[tuple[int, float], ...]
    evidence: Evidence
    work: Work | None
    notes: tuple[str, ...]


def job_run(
    job: Job,
    server: Prometheus | None,
    catalog: Catalog,
    words: Mapping[str, Any],
    *,
    model: str | None = None,
    clock_skew_s: float | None = None,
    node_has_accelerators: bool | None = None,
    utilization: float | None = None,
    allocation: Allocation | None = None,
    shown: Shown = tuple,
) -> Run:
    """The footprint of a past job.

    Parameters
    ----------
    job : from a scheduler, or as far as a user knows it
    server : where its devices' metrics are; None: there are none
    catalog : tables for limits, place and prices
    words : of the place, as for a tracked run
    model : the accelerators' name, where the metrics do not tell it or there are none
    clock_skew_s : by which the server's clock is ahead of the scheduler's; found from labels where it is None
    node_has_accelerators : whether hosts' own meters (IPMI, Redfish) see their accelerators too; None: not to be read
    utilization : mean of its devices, 0 to 1, by the scheduler's accounting: for those that are in no metrics
    allocation : what SLURM and the site say of its nodes; None: their energy is that of the model
    shown : is given what is to be fetched and hands it on, for a progress bar

    Raises
    ------
    InputError
        When the job has no devices that can be found, or no interval.
    QueryError
        When the server does not answer.
    """
    found = measured_job(
        job, server, catalog, words=words, model=model, clock_skew_s=clock_skew_s,
        node_has_accelerators=node_has_accelerators, utilization=utilization, allocation=allocation, shown=shown,
    )  # fmt: skip
    work = found.work
    progress = Progress() if work is None else Progress(training_flop=work.flop.mid)
    name = job.name or job.id or job.pod or job.namespace or "+".join(job.hosts[:_MOST_NAMED])
    duration_s = found.interval.duration_s
    measured = Measured(name, found.meters, progress, duration_s, found.hourly_it_energy_kwh)
    usage, footprint, measured = assess(measured, words, catalog)
    if work is not None:
        usage = work.ranged(usage)
        footprint = replace(footprint, usage=usage)
    return Run(
        id=_run_id(job, found.interval),
        name=name,
        status=job.status,
        started_utc_s=found.interval.started_s,
        ended_utc_s=found.interval.ended_s,
        usage=usage,
        footprint=footprint,
        project=job.project or job.account,
        tags=tuple(tag for tag in (_told_by(found.meters), job.user and f"user-{job.user}") if tag),
        hosts=tuple(dict.fromkeys(one.host for one in found.meters)),
        evidence=found.evidence.grade,
        meters=measured.meters,
        progress=progress,
        mfu=next((line.mfu.mid for line in usage.lines if line.mfu is not None), None),
        hourly_it_energy_kwh=found.hourly_it_energy_kwh,
        notes=tuple(dict.fromkeys((*found.notes, *footprint.notes))),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def measured_job(
    job: Job,
    server: Prometheus | None,
    catalog: Catalog,
    *,
    words: Mapping[str, Any],
    model: str | None = None,
    clock_skew_s: float | None = None,
    node_has_accelerators: bool | None = None,
    utilization: float | None = None,
    allocation: Allocation | None = None,
    shown: Shown = tuple,
) -> Found:
    """What is known of a job's energy; parameters and errors as in `job_run`."""
    notes: list[str] = []
    interval, edge_s = _interval(job, server, notes)
    results: list[tuple[Device, DeviceEnergy]] = []
    others: list[MeterUsage] = []
    nodes: list[MeterUsage] = []
    work: Work | None = None
    if server is not None:
        devices, how = devices_of(job, server, interval.started_s, interval.ended_s, PAD_S)
        if model:
            devices = tuple(replace(device, model=model) for device in devices)
        opened = list(in_order(partial(open_batch, batch, interval, server) for batch in batches(devices, job.id)))
        ahead_s = skew(opened, interval) if clock_skew_s is None else clock_skew_s
        if ahead_s:
            notes.append(
                f"the metrics' clock is {abs(ahead_s):.3g} s {'ahead of' if ahead_s > 0 else 'behind'} the job's"
            )
        on_server = interval.moved(ahead_s)
        if how:
            notes.append(f"{len(devices)} device{'' if len(devices) == 1 else 's'} found {how}")
        notes += _unseen(job, devices)
        calls = (partial(_of_batch, batch, on_server, server, catalog) for batch in opened)
        for _, (metered, modelled) in zip(shown(opened), in_order(calls), strict=True):
            results += metered
            others += modelled
        if node_has_accelerators is not None:
            own = [one.usage for _, one in results] + others
            nodes += node_meters(
                own, on_server, server, catalog, limits(catalog), has_accelerators=node_has_accelerators
            )
        work = work_of(opened, results, on_server, server, catalog, words)
        notes += _told(results, interval, edge_s)
        notes += _retention(results, interval, server)
        notes += server.warnings
    meters = [one.usage for _, one in results] + others
    lacking = [host for host in job.hosts if host not in {one.host for one in meters}]
    if lacking or not meters:
        meters += _without_metrics(
            job, lacking, model, interval, catalog, notes, utilization, allocation, has_meters=bool(meters)
        )
    metered = {one.host for one in nodes}
    own, told = with_hosts([one for one in meters if one.host not in metered], allocation, interval, catalog)
    meters = [*(one for one in meters if one.host in metered), *nodes, *own]
    notes += told
    return Found(job, interval, tuple(meters), _hourly(results), evidence(meters), work, tuple(dict.fromkeys(notes)))


def _unseen(job: Job, devices: Sequence[Device]) -> Iterator[str]:
    """Places that were named on hosts whose metrics do not have them."""
    if any(device.marks for device in devices):
        return
    for host, places in job.devices_by_host.items():
        own = {word for device in devices if device.host == host for word in (device.place, device.uuid)}
        lacking = [place for place in places if not {place, place.partition(".")[0]} & own]
        if own and lacking:
            yield f"{host}: not in the metrics and not counted: {_listed(lacking)} of --gpus"


def _of_batch(
    batch: Batch, job: Interval, server: Prometheus, catalog: Catalog
) -> tuple[list[tuple[Device, DeviceEnergy]], list[MeterUsage]]:
    """Devices that were metered, and those whose use alone is known."""
    metered = list(energies(batch, job, server, catalog, limits(catalog)))
    known = {device.uuid for device, _ in metered}
    rest = [device for device in batch.devices if device.uuid not in known]
    return metered, list(by_use(replace(batch, devices=rest), job, server, catalog)) if rest else []


def _interval(job: Job, server: Prometheus | None, notes: list[str]) -> tuple[Interval, float]:
    """The job's, or the one that its label tells, and by how much it can be off at each edge."""
    started_s, ended_s = job.started_utc_s, job.ended_utc_s
    edge_s = 0.0
    is_bounded = bool(job.pod or job.namespace)  # nobody knows to the second when a pod ran
    if server is not None and job_labels(job) and (started_s is None or ended_s is None or is_bounded):
        found, edge_s = found_interval(job, server, started_s, ended_s)
        notes.append(f"began and ended within {edge_s:.3g} s of when its label did")
        started_s, ended_s = found.started_s, found.ended_s
    if started_s is None or ended_s is None:
        raise InputError("job", job.id or None, "has no beginning or end", "give --from and --to")
    if not ended_s > started_s:
        raise InputError("to", ended_s, "must be after the beginning", "give --from and --to in order, with their zone")
    return Interval(started_s, ended_s), edge_s


def _without_metrics(
    job: Job,
    hosts: Sequence[str],
    model: str | None,
    interval: Interval,
    catalog: Catalog,
    notes: list[str],
    utilization: float | None,
    allocation: Allocation | None,
    *,
    has_meters: bool,
) -> Iterator[MeterUsage]:
    """Hosts of which no metrics are known: by their hours, where the accelerator is named."""
    if model is None or not hosts:
        fix = "check host, label and interval; or give --accelerator, --host and --gpus for hours times a share of TDP"
        if not has_meters:
            subject = job.id or job.pod or job.namespace or ",".join(job.hosts)
            if allocation is not None and not may_have_accelerators(allocation.start, allocation.site):
                raise InputError("job", subject, "had no accelerators, as SLURM accounts for them", _UNACCOUNTED)
            raise InputError("job", subject, "has no devices with energy, power or utilization there", fix)
        notes.append(
            f"{len(hosts)} of {len(job.hosts)} hosts are in no metrics and not counted: {_listed(hosts)}; {fix}"
        )
        return
    if has_meters:
        notes.append(f"{len(hosts)} of {len(job.hosts)} hosts are in no metrics: {_listed(hosts)}")
    known = catalog.accelerator(model)

    def count_of(host: str) -> int:
        places = job.devices_by_host.get(host)
        return known.per_node or 1 if places is None else len(places)

    share = 1.0 if allocation is None else allocation.device_share(catalog)
    yield from allocated(hosts, count_of, model, interval, catalog, utilization, share)


def _hourly(results: Iterable[tuple[Device, DeviceEnergy]]) -> tuple[tuple[int, float], ...]:
    summed: dict[int, float] = {}
    for _, one in results:
        for hour, joules in one.hourly_j.items():
            summed[hour] = summed.get(hour, 0.0) + joules
    return tuple((hour, joules / J_PER_KWH) for hour, joules in sorted(summed.items()))


def _told_by(meters: Iterable[MeterUsage]) -> str:
    """Of what told of its devices the best: metrics, else the accounting, else hours and a rating."""
    sensors = {one.meter.sensor for one in meters}
    return next((one for one in (SENSOR, SACCT) if one in sensors), RATING)


def _run_id(job: Job, interval: Interval) -> str:
    """The same for the same job, so that a ledger holds it once."""
    what = job.id or "-".join(word for word in (job.namespace, job.pod) if word) or "+".join(job.hosts)
    name = "".join(c if c.isalnum() or c in "._-+" else "_" for c in what)[:100]
    return f"job-{name}-{int(interval.started_s)}"


# what to know of it


def _told(results: Sequence[tuple[Device, DeviceEnergy]], interval: Interval, edge_s: float) -> Iterator[str]:
    if not results:
        return
    found = [one for _, one in results]
    resets = sum(one.usage.resets_count for one in found)
    gap_s = max(one.largest_gap_s for one in found)
    covered = statistics.fmean(one.usage.coverage_share for one in found)
    yield f"coverage {covered:.1%}, largest gap between readings {duration(gap_s)}, {resets} counter resets"
    yield from _edges(found, interval, edge_s)
    off = [
        f"{device.host} {device.uuid} {ratio - 1:+.1%}"
        for device, one in results
        if (ratio := one.usage.counter_over_power_ratio) is not None and abs(ratio - 1) > MOST_OFF_RATIO
    ]
    if off:
        yield f"counter and power differ by more than {MOST_OFF_RATIO:.0%}: {_listed(off)}"
    shared = [f"{device.uuid} {one.usage.meter.share:.3g}" for device, one in results if one.usage.meter.share < 1]
    if shared:
        yield f"shared devices, by slices and evenly among jobs: {_listed(shared)}"
    silent = [
        f"{device.host} {device.uuid} {gap.reason} for {duration(gap.ended_utc_s - gap.started_utc_s)}"
        for device, one in results
        for gap in one.usage.gaps
    ]
    if silent:
        yield _listed(silent)


def _retention(results: Sequence[tuple[Device, DeviceEnergy]], interval: Interval, server: Prometheus) -> Iterator[str]:
    """Where no device has a beginning, the server may have forgotten it."""
    unseen = [one for _, one in results if any(gap.reason == "did not answer yet" for gap in one.usage.gaps)]
    if unseen and len(unseen) == len(results):
        told = server.flags().get("storage.tsdb.retention.time", "")
        kept = f"it keeps {told}" if told else "it may keep less than the job's age"
        yield f"the server has nothing of the job's beginning: {kept}"


def _edges(found: Sequence[DeviceEnergy], interval: Interval, edge_s: float) -> Iterator[str]:
    """How far the two edges can be off, where that is more than a thousandth."""
    joules = sum(one.usage.it_energy_kwh.mid for one in found) * J_PER_KWH
    edge_j = sum(one.edge_j for one in found)
    edge_j += 2 * edge_s * sum(one.usage.mean_w or 0.0 for one in found)
    if joules and edge_j / joules > _MOST_SHORT_SHARE:
        share = edge_j / joules * PERCENT_PER_SHARE
        wh = edge_j / S_PER_H
        yield f"edges lie between readings: {wh:.3g} Wh, {share:.2g} %, are by power on both sides, not by the counter"


def _listed(told: Sequence[str]) -> str:
    rest = len(told) - _MOST_TOLD
    return "; ".join(told[:_MOST_TOLD]) + (f"; and {rest} more" if rest > 0 else "")
