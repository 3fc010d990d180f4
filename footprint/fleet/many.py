"""The energy of many past jobs, as of a whole site's month: day by day, in memory that does not grow with days.

What the jobs of a day have in common is asked once: which label sets there were, and the readings of all their devices
as the server keeps them; where it does not hand them out, sums by the half hour, looks, and readings about the jobs'
edges. A job with trouble is read by itself, as one job is.
"""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from footprint.catalog import Catalog
from footprint.fleet.devices import Device, Job, devices_of
from footprint.fleet.families import Family
from footprint.fleet.gathering import PAD_S, WHOLE_S, Interval, batches, energies, open_batch, skew
from footprint.fleet.many_days import DAY_S, PAD_INTERVALS, SLOT_S, Gauges, Line, Part, window_calls
from footprint.fleet.many_hands import Hands, worth
from footprint.fleet.many_held import Held, HeldJob, held_by, table_of
from footprint.fleet.many_looks import LOOK_RATIO
from footprint.fleet.many_sums import grid_calls
from footprint.fleet.many_told import Drew, JobEnergy, alone, drew, told, unknown, walked
from footprint.fleet.meters import meter_of
from footprint.fleet.prometheus import Prometheus, in_order
from footprint.fleet.queries import any_of
from footprint.fleet.readings import Reading, interval_of
from footprint.measurement.limits import limits
from footprint.values import Meter

__all__ = ["JobEnergy", "many_energies"]

Shown = Callable[[Sequence[Job]], Iterable[Job]]
_Own = tuple[HeldJob, Held]
_FEW = 20
"""Jobs that are asked for one by one: a day of a site costs more."""

_WORKERS = 6
"""Threads that ask for days and read single jobs."""

_GROUP_DEVICES, _GROUP_READINGS = 125, 375_000
"""Asked for at once: as many devices as a day's readings of a metric are held for."""

_SKEW_JOBS, _SKEW_DEVICES = 8, 8
_UNSEEN_GAP_S = SLOT_S / 10
"""What may lack of a half hour before sums show it."""


def many_energies(
    jobs: Sequence[Job],
    server: Prometheus,
    catalog: Catalog,
    *,
    model: str | None = None,
    clock_skew_s: float | None = None,
    shown: Shown = tuple,
    processes_count: int | None = None,
) -> Iterator[JobEnergy]:
    """The energy of each job, one after another and in any order; a job that cannot be told has none, and why.

    Parameters
    ----------
    jobs : each start of one, with its interval, its hosts or a label of its own
    server : where its devices' metrics are
    catalog : tables
    model : the accelerators' name, where the metrics do not tell it or there are none
    clock_skew_s : by which the server's clock is ahead of the scheduler's; found from labels where it is None
    shown : is given the jobs and hands on as many, for a progress bar
    processes_count : that read beside this one; as many as are worth their start where it is None

    Raises
    ------
    QueryError
        When the server does not answer.
    """
    is_few = len(jobs) <= _FEW
    ahead_s = _skew(jobs, server) if clock_skew_s is None and not is_few else clock_skew_s
    sweep = _Sweep(server, catalog, model, ahead_s)
    found = sweep.alone(jobs) if is_few else sweep.all_of(jobs, processes_count)
    told_s = (
        f"the metrics' clock is {abs(ahead_s):.3g} s {'ahead of' if ahead_s > 0 else 'behind'} the jobs'"
        if ahead_s
        else ""
    )
    for _, one in zip(shown(jobs), found, strict=True):
        yield replace(one, notes=(told_s, *one.notes)) if told_s else one


def _skew(jobs: Sequence[Job], server: Prometheus) -> float:
    """Seconds by which the readings' clock is ahead, as some jobs' labels tell; 0 where most of them fit."""
    long = [job for job in jobs if job.id and _is_plain(job) and _interval(job).duration_s > WHOLE_S]
    some = long[:: max(len(long) // _SKEW_JOBS, 1)][:_SKEW_JOBS]
    found = [ahead_s for ahead_s in in_order(partial(_skew_of, job, server) for job in some) if ahead_s is not None]
    shifts = [ahead_s for ahead_s in found if ahead_s]
    return statistics.median(shifts) if 2 * len(shifts) > len(found) else 0.0


def _skew_of(job: Job, server: Prometheus) -> float | None:
    interval = _interval(job)
    devices, _ = devices_of(job, server, interval.started_s, interval.ended_s, PAD_S)
    marked = [device for device in devices if device.marks][:_SKEW_DEVICES]
    opened = [open_batch(batch, interval, server) for batch in batches(marked, job.id)]
    return skew(opened, interval) if opened else None


def _interval(job: Job) -> Interval:
    return Interval(job.started_utc_s or 0.0, job.ended_utc_s or 0.0)


@dataclass(slots=True)
class _Day:
    """What is under way of a day."""

    begun_s: float
    running: list[HeldJob]
    longer: list[Job] = field(default_factory=list)  # that take a longer look
    known: list[JobEnergy] = field(default_factory=list)
    calls: list[Future[dict[str, Line] | None]] = field(default_factory=list)
    parts: list[tuple[list[_Own], Future[list[Part] | None]]] = field(default_factory=list)
    summed: set[str] = field(default_factory=set)  # families of which the server is asked for sums


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Without looks for garbage that refers to itself: there is next to none, and they take an eighth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Sweep:
    """Goes through a site's days."""

    def __init__(self, server: Prometheus, catalog: Catalog, model: str | None, skew_s: float | None) -> None:
        self._server, self._catalog, self._model, self._skew_s = server, catalog, model, skew_s
        self._limits = limits(catalog)
        self._gauges: dict[str, Gauges | None] = {}
        self._meters: dict[tuple[str, str], Meter] = {}
        self._holding: dict[str, list[tuple[Held, set[str]]]] = {}
        self._absent: set[str] = set()  # hosts that were looked for and are in no metrics

    def alone(self, jobs: Iterable[Job]) -> Iterator[JobEnergy]:
        """Each by itself, all the way."""
        yield from in_order(partial(self._by_itself, job) for job in jobs)

    def all_of(self, jobs: Sequence[Job], processes_count: int | None) -> Iterator[JobEnergy]:
        """Day by day: while one is added up the server works on the next."""
        fit = [job for job in jobs if _is_plain(job)]
        yield from self.alone(job for job in jobs if not _is_plain(job))
        last: _Day | None = None
        reads: list[Future[JobEnergy]] = []
        count = worth(len(fit)) if processes_count is None else processes_count
        with ThreadPoolExecutor(_WORKERS) as self._pool, closing(Hands(count, self._server)) as self._hands:
            days = self._days(sorted(fit, key=lambda job: -(job.started_utc_s or 0.0)))
            try:
                while True:
                    with _paused_collector():
                        day = next(days, None)
                        found = [call.result() for call in reads]
                        known, calls = ([], []) if last is None else self._told(last)
                        reads = [self._pool.submit(call) for call in calls]
                    yield from (*found, *known)
                    if day is None and not reads:
                        return
                    last = day
            finally:
                self._pool.shutdown(cancel_futures=True)

    def _days(self, coming: list[Job]) -> Iterator[_Day]:
        """Each with its jobs begun and its questions under way."""
        running: list[HeldJob] = []
        day_s = -math.inf
        while coming or running:
            day_s += DAY_S
            if not running:
                day_s = max(day_s, _day_of(self._interval(coming[-1]).started_s))
            starting: list[Job] = []
            while coming and self._interval(coming[-1]).started_s < day_s + DAY_S:
                starting.append(coming.pop())
            day = _Day(day_s, running)
            for one in self._begun(starting, day_s, day.longer):
                if isinstance(one, HeldJob):
                    running.append(one)
                else:
                    day.known.append(one)
            self._ask(day)
            yield day
            running = [one for one in running if one.interval.ended_s > day_s + DAY_S]

    def _interval(self, job: Job) -> Interval:
        return _interval(job).moved(self._skew_s or 0.0)

    def _begun(self, starting: Sequence[Job], day_s: float, longer: list[Job]) -> Iterator[HeldJob | JobEnergy]:
        if not starting:
            return
        table = table_of(self._server, day_s, day_s + DAY_S + PAD_S)
        for job in starting:
            found = held_by(job, self._interval(job), table)
            if isinstance(found, str):
                yield unknown(job, found)
            elif found is None or self._gauges_of(found) is None:
                longer.append(job)
            else:
                self._mark_shared(found)
                yield found

    def _mark_shared(self, found: HeldJob) -> None:
        """Of jobs that had a device at once, each is read with the other's marks."""
        for one in found.held:
            others = self._holding.setdefault(one.device.uuid, [])
            others[:] = [pair for pair in others if pair[0].end.at_s > found.interval.started_s]
            own = set(one.device.instances)
            for other, instances in others:
                if not own or not instances or own & instances:
                    other.is_troubled = one.is_troubled = True
            others.append((one, own))

    def _gauges_of(self, found: HeldJob) -> Gauges | None:
        """Which series such devices have, and how often they are read; asked once a kind."""
        family, uuid = found.family, found.held[0].device.uuid
        if family.name not in self._gauges or self._gauges[family.name] is None:
            middle_s = (found.interval.started_s + found.interval.ended_s) / 2
            names = (family.counter, *family.powers, family.utilization)
            chosen = f"{{{any_of('__name__', [name for name in names if name])},{any_of(family.uuid, [uuid])}}}"
            series = self._server.raw(chosen, middle_s - 2 * PAD_S, middle_s + 2 * PAD_S)
            there = {one.labels.get("__name__", "") for one in series}
            times = max((one.samples for one in series), key=len, default=())
            interval_s = interval_of([Reading(at_s, None, None) for at_s, _ in times])
            power = next((name for name in family.powers if name in there), "")
            use = family.utilization if family.utilization in there else ""
            is_read = family.counter in there and 0 < interval_s <= PAD_S / 2
            usual_s, pad = self._limits.gap_ratio * interval_s, 2 * PAD_S
            is_kept = is_read and self._hands_out(family, uuid, middle_s - pad, middle_s + pad)
            gauges = Gauges(family, power, use, interval_s, usual_s, is_kept)
            self._gauges[family.name] = gauges if is_read else None
        return self._gauges[family.name]

    def _hands_out(self, family: Family, uuid: str, since_s: float, until_s: float) -> bool:
        """Whether the server does, of such devices."""
        try:
            _, series = self._server.kept([family.counter], family.uuid, [uuid], since_s, until_s)
        except ValueError:
            return False
        return bool(series)

    def _ask(self, day: _Day) -> None:
        """For what its devices showed."""
        stalled = self._limits.stalled_utilization
        for name in {one.family.name for one in day.running}:
            gauges = self._gauges[name]
            assert gauges is not None
            own = [one for one in day.running if one.family.name == name]
            stays: dict[str, list[_Own]] = {}
            for job in own:
                for held in job.held:
                    stays.setdefault(held.device.uuid, []).append((job, held))
            count = min(max(int(_GROUP_READINGS * gauges.interval_s / DAY_S), 1), _GROUP_DEVICES)
            uuids = sorted(stays)
            groups = [uuids[i : i + count] for i in range(0, len(uuids), count)]
            if gauges.is_kept:
                for group in groups:
                    pairs = [pair for uuid in group for pair in stays[uuid]]
                    asked = [held.stay for _, held in pairs]
                    day.parts.append((pairs, self._hands.parts(gauges, asked, day.begun_s, stalled)))
                continue
            day.summed.add(name)
            used = {uuid for one in own if not one.is_short for uuid in one.firsts()}
            spans = [span for one in own for span in one.spans(day.begun_s, gauges.interval_s * PAD_INTERVALS)]
            calls = grid_calls(gauges, groups, used, day.begun_s, self._server, stalled)
            day.calls += [self._pool.submit(call) for call in calls]
            day.calls += [self._pool.submit(call) for call in window_calls(gauges, spans, self._server, stalled)]

    def _told(self, day: _Day) -> tuple[list[JobEnergy], list[Callable[[], JobEnergy]]]:
        """Give each job its part of a day; the jobs that ended in it, and calls for those that are to be read."""
        lines: dict[str, Line] = {}
        for call in day.calls:
            lines |= call.result() or {}
        for pairs, asked in day.parts:
            parts = asked.result()
            for place, (one, held) in enumerate(pairs):
                one.take(held, None if parts is None else parts[place])
            if parts is None and (gauges := self._gauges[pairs[0][0].family.name]) is not None:
                self._gauges[gauges.family.name] = replace(gauges, is_kept=False)  # the next days are asked for
        for one in day.running:
            if (gauges := self._gauges[one.family.name]) is not None and gauges.family.name in day.summed:
                one.go_on(day.begun_s, lines, LOOK_RATIO * gauges.interval_s)
        known = day.known
        calls: list[Callable[[], JobEnergy]] = [partial(self._by_itself, job) for job in day.longer]
        for one in (one for one in day.running if one.interval.ended_s <= day.begun_s + DAY_S):
            one.held = [held for held in one.held if held.is_its_own]
            if not one.held:
                why = "no reading bears its label between its edges: it was shorter than a scrape"
                known.append(unknown(one.job, why))
                continue
            summed = {held.device.uuid: self._walked(held, one) for held in one.held if not held.is_troubled}
            found = {uuid: result for uuid, result in summed.items() if result is not None}
            if len(found) == len(one.held):
                known.append(self._energy(one, found))
            else:
                calls.append(partial(self._read, one, found))
        return known, calls

    def _by_itself(self, job: Job) -> JobEnergy:
        """All the way, unless its hosts are known to have nothing: a month has many jobs without accelerators."""
        if job.hosts and self._absent.issuperset(job.hosts):
            return unknown(job, "its hosts are in no metrics then")
        found = alone(job, self._server, self._catalog, self._model, self._skew_s)
        if found.it_energy_kwh is None and _is_plain(job):
            self._absent.update(job.hosts)
        return found

    def _energy(self, one: HeldJob, found: Mapping[str, Drew], is_read: bool = False) -> JobEnergy:
        gauges = self._gauges[one.family.name]
        assert gauges is not None
        unseen_s = 0.0 if is_read else one.gap_s if gauges.is_kept else max(_UNSEEN_GAP_S, one.gap_s)
        results = [found[held.device.uuid] for held in one.held]
        return told(one, results, self._catalog, gauges.interval_s, unseen_s)

    def _walked(self, held: Held, one: HeldJob) -> Drew | None:
        gauges = self._gauges[one.family.name]
        assert gauges is not None
        return walked(held, one.interval, gauges, self._meter(held.device, gauges), self._limits)

    def _meter(self, device: Device, gauges: Gauges) -> Meter:
        model = self._model or device.model
        key = (model, gauges.family.name)
        if key not in self._meters:
            self._meters[key] = meter_of(replace(device, model=model), True, gauges.power, self._catalog)
        return self._meters[key]

    def _read(self, one: HeldJob, summed: Mapping[str, Drew]) -> JobEnergy:
        """A job with trouble: the devices of which sums do not tell, reading by reading."""
        found = dict(summed)
        devices = [held.device for held in one.held if held.device.uuid not in found]
        if self._model:
            devices = [replace(device, model=self._model) for device in devices]
        gauges = self._gauges[one.family.name]
        for batch in batches(devices, one.job.id):
            batch.power = "" if gauges is None else gauges.power
            opened = open_batch(batch, one.interval, self._server)
            for device, energy in energies(opened, one.interval, self._server, self._catalog, self._limits):
                found[device.uuid] = drew(energy)
        if len(found) < len(one.held):
            return alone(one.job, self._server, self._catalog, self._model, self._skew_s)
        return self._energy(one, found, is_read=not summed)


def _day_of(at_s: float) -> float:
    """When the day begins in which a moment lies: with the minutes that are read after it, it ends at midnight, where
    servers part what they keep."""
    return (at_s + PAD_S) // DAY_S * DAY_S - PAD_S


def _is_plain(job: Job) -> bool:
    """It has times, and is no pod: a pod ran while its label was there."""
    begun_s, ended_s = job.started_utc_s, job.ended_utc_s
    return begun_s is not None and ended_s is not None and begun_s < ended_s and not (job.pod or job.namespace)
