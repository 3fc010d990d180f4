"""Fetches what the devices of a job showed: raw about its edges and where something happened, sums elsewhere.

Between two readings of one counter that was not reset lies the energy of that time, however long. So the server is
asked for resets and counts, and for readings only about the edges, in hours with a reset or with missing scrapes,
and throughout where a device was shared or has no counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from footprint.catalog import Catalog
from footprint.fleet.devices import Device, slices
from footprint.fleet.energy import DeviceEnergy, Walk
from footprint.fleet.families import INSTANCE, JOB_LABELS, PROFILE
from footprint.fleet.meters import meter_of
from footprint.fleet.prometheus import Prometheus, Series, in_order, milliseconds
from footprint.fleet.queries import any_of, differs, selector
from footprint.fleet.readings import (
    Reading,
    Scraper,
    by_device,
    fullest,
    goes_on,
    interval_of,
    readings_of,
    slices_of,
    thinned,
)
from footprint.measurement.metering import Limits
from footprint.units import J_PER_KWH, S_PER_H, S_PER_MINUTE
from footprint.values import Meter

__all__ = ["Batch", "Interval", "batches", "energies", "open_batch", "skew"]

PAD_S = 5 * S_PER_MINUTE
"""Fetched before and after a job: some scrapes, and as long as a series is taken to go on without one."""

WHOLE_S = 2 * S_PER_H
"""A job no longer than this is fetched whole: no request would be saved."""

SLOT_S = S_PER_H
_DEVICES_A_BATCH = 50
_MOST_SAMPLES = 100_000
_OVERLAP = 10
_MISSED = 3
"""Scrapes that may lack before a slot is looked at: what is no gap elsewhere."""


@dataclass(frozen=True, slots=True)
class Interval:
    """When a job ran, on the clock of the readings."""

    started_s: float
    ended_s: float

    @property
    def duration_s(self) -> float:
        return self.ended_s - self.started_s

    def moved(self, by_s: float) -> Interval:
        return Interval(self.started_s + by_s, self.ended_s + by_s)


@dataclass(slots=True)
class Batch:
    """Devices of one family that are asked for together, and what is known of them so far."""

    devices: Sequence[Device]
    job_id: str
    edges: list[tuple[float, float, dict[str, list[Reading]]]] = field(default_factory=list)  # window, readings
    first: dict[str, Scraper | None] = field(default_factory=dict)
    power: str = ""  # the gauge that there is
    slices_count: dict[str, int] = field(default_factory=dict)  # of all instances that there are, by device

    @property
    def matcher(self) -> str:
        return any_of(self.devices[0].family.uuid, (device.uuid for device in self.devices))


def batches(devices: Sequence[Device], job_id: str) -> list[Batch]:
    """Devices in groups: by family, and no more than a request should name."""
    by_family: dict[str, list[Device]] = {}
    for device in devices:
        by_family.setdefault(device.family.name, []).append(device)
    return [
        Batch(own[i : i + _DEVICES_A_BATCH], job_id)
        for own in by_family.values()
        for i in range(0, len(own), _DEVICES_A_BATCH)
    ]


def open_batch(batch: Batch, job: Interval, server: Prometheus) -> Batch:
    """Fetch the edges, or all of a short job."""
    windows = [(job.started_s - PAD_S, job.started_s + PAD_S), (job.ended_s - PAD_S, job.ended_s + PAD_S)]
    if job.duration_s <= WHOLE_S:
        windows = [(job.started_s - PAD_S, job.ended_s + PAD_S)]
    batch.power = batch.power or _power(batch, windows, server)
    for started_s, ended_s in windows:
        series = (_counters(batch, started_s, ended_s, server), _powers(batch, started_s, ended_s, server))
        if not batch.first:
            own = by_device(series[0] or series[1], batch.devices)
            batch.first = {uuid: fullest(found) for uuid, found in own.items()}
            batch.slices_count = {uuid: _slices(found) for uuid, found in own.items()}
        batch.edges.append((started_s, ended_s, _readings(batch, series)))
    return batch


def _slices(series: Iterable[Series]) -> int:
    profiles = {one.labels[INSTANCE]: one.labels.get(PROFILE, "") for one in series if one.labels.get(INSTANCE)}
    return sum(slices(profile) for profile in profiles.values())


def _power(batch: Batch, windows: Sequence[tuple[float, float]], server: Prometheus) -> str:
    """The best gauge of power that these devices have in a window."""
    names = batch.devices[0].family.powers
    if len(names) < 2:
        return names[0] if names else ""
    for name in names:
        for started_s, ended_s in windows:
            span = milliseconds(ended_s - started_s)
            if server.instant(f"count(last_over_time({selector(name, batch.matcher)}[{span}]))", ended_s):
                return name
    return names[0]


def _counters(batch: Batch, started_s: float, ended_s: float, server: Prometheus) -> list[Series]:
    counter = batch.devices[0].family.counter
    return server.raw(selector(counter, batch.matcher), started_s, ended_s) if counter else []


def _powers(batch: Batch, started_s: float, ended_s: float, server: Prometheus) -> list[Series]:
    return server.raw(selector(batch.power, batch.matcher), started_s, ended_s) if batch.power else []


def _readings(batch: Batch, series: tuple[list[Series], list[Series]]) -> dict[str, list[Reading]]:
    counters, powers = (by_device(one, batch.devices) for one in series)
    return {
        device.uuid: readings_of(
            device, counters[device.uuid], powers[device.uuid], batch.job_id, batch.first.get(device.uuid)
        )
        for device in batch.devices
    }


# clocks


def skew(opened: Sequence[Batch], job: Interval) -> float:
    """Seconds by which the readings' clock is ahead of the scheduler's, as the job's own label tells; 0 where it fits.

    The label begins within a scrape after the job and ends within a scrape before its end: what shifts both the same
    way is a clock, what shrinks them is a prolog. All devices tell of one clock, so each narrows it down.
    """
    least_s, most_s = -PAD_S, PAD_S
    for batch in opened:
        for device in batch.devices:
            readings = [one for _, _, edge in batch.edges for one in edge.get(device.uuid, ())]
            interval_s = interval_of(readings)
            times = [one.at_s for one in readings if one.is_marked]
            if not times or not interval_s:
                continue
            begun_s = min(times) if min(times) > readings[0].at_s else None
            ended_s = max(times) if max(times) < readings[-1].at_s else None
            if begun_s is None or ended_s is None:
                continue
            least_s = max(least_s, begun_s - interval_s - job.started_s, ended_s - job.ended_s)
            most_s = min(most_s, begun_s - job.started_s, ended_s + interval_s - job.ended_s)
    if least_s <= 0 <= most_s or least_s > most_s or (least_s, most_s) == (-PAD_S, PAD_S):
        return 0.0
    return (least_s + most_s) / 2


# the sums


def energies(
    batch: Batch, job: Interval, server: Prometheus, catalog: Catalog, limits: Limits
) -> Iterator[tuple[Device, DeviceEnergy]]:
    """What each device of a batch with a counter or a gauge drew."""
    walks: dict[str, Walk] = {}
    spans: dict[str, list[tuple[float, float]]] = {}
    audits: dict[str, float] = {}
    sums = None if len(batch.edges) == 1 else _Sums(batch, job, server)
    for device in batch.devices:
        readings = [one for _, _, edge in batch.edges for one in edge[device.uuid]]
        interval_s = interval_of(readings)
        has_counter = any(one.energy_j is not None for one in readings)
        has_power = any(one.power_w is not None for one in readings)
        if sums is not None:
            has_counter, has_power = has_counter or device.uuid in sums.counts, has_power or device.uuid in sums.mean_w
        if not has_counter and not has_power:
            continue
        shares = [one.share for one in readings if one.share is not None]
        walks[device.uuid] = Walk(
            _noted(meter_of(device, has_counter, batch.power, catalog), batch, device), job.started_s, job.ended_s,
            interval_s or (sums.interval_s(device.uuid) if sums else 0.0), limits, shares[0] if shares else 1.0,
        )  # fmt: skip
        spans[device.uuid] = [] if sums is None else sums.to_fetch(device.uuid, interval_s, has_counter)
        if sums is not None and has_counter and device.uuid in sums.mean_w:
            audits[device.uuid] = sums.mean_w[device.uuid]
    _walk(batch, walks, spans, job, server)
    for device in batch.devices:
        if device.uuid in walks:
            yield device, _audited(walks[device.uuid], device, job, audits.get(device.uuid))


def _noted(meter: Meter, batch: Batch, device: Device) -> Meter:
    """With the slices of its device that no instance has, whose part is no job's."""
    held = batch.slices_count.get(device.uuid, 0)
    whole = slices_of(device.model)
    if not held or held >= whole:
        return meter
    return replace(meter, note=f"modelled share: {whole - held} of {whole} slices of {device.uuid} are no instance's")


def _audited(walk: Walk, device: Device, job: Interval, mean_w: float | None) -> DeviceEnergy:
    """With the sum of power beside the counter's, where the server has made it."""
    found = walk.result(device.host)
    usage = found.usage
    whole_j = usage.it_energy_kwh.mid * J_PER_KWH / (usage.meter.share * usage.meter.true_over_read_ratio.mid or 1.0)
    if not mean_w or not whole_j:
        return found
    return walk.result(device.host, whole_j / (mean_w * job.duration_s))


def _walk(
    batch: Batch, walks: dict[str, Walk], spans: dict[str, list[tuple[float, float]]], job: Interval, server: Prometheus
) -> None:
    """Give each walk its edges and what is fetched between them, in order of time."""
    start, *end = batch.edges
    for uuid, walk in walks.items():
        walk.take(start[2][uuid])
    if not end:
        return
    for wanted, tiles in _tiles(batch, walks, spans):
        part = Batch([d for d in batch.devices if d.uuid in wanted], batch.job_id, first=batch.first, power=batch.power)
        until_s = dict.fromkeys(wanted, start[1])
        calls = (partial(_fetched, part, *tile, server) for tile in tiles)
        for (begun_s, ended_s), found in zip(tiles, in_order(calls), strict=True):
            for uuid, readings in found.items():
                is_jump = begun_s > until_s[uuid]
                for one, has_passed in thinned(readings):
                    walks[uuid].take((one,), is_jump=has_passed or is_jump)
                    is_jump = False
                until_s[uuid] = ended_s
        for uuid in wanted:
            walks[uuid].take(end[0][2][uuid], is_jump=end[0][0] > until_s[uuid])


def _fetched(part: Batch, begun_s: float, ended_s: float, server: Prometheus) -> dict[str, list[Reading]]:
    """Power is asked for where it has to bridge what the counter does not tell."""
    counters = _counters(part, begun_s, ended_s, server)
    found = _readings(part, (counters, []))
    if all(goes_on(readings) for readings in found.values()):
        return found
    return _readings(part, (counters, _powers(part, begun_s, ended_s, server)))


def _tiles(
    batch: Batch, walks: dict[str, Walk], spans: dict[str, list[tuple[float, float]]]
) -> Iterator[tuple[list[str], list[tuple[float, float]]]]:
    """Devices that need the same spans, with those spans cut so that an answer stays small."""
    groups: dict[tuple[tuple[float, float], ...], list[str]] = {}
    for uuid in walks:
        groups.setdefault(tuple(spans[uuid]), []).append(uuid)
    for wanted, uuids in groups.items():
        interval_s = max(min(walks[uuid].interval_s for uuid in uuids), 1.0)
        longest_s = max(_MOST_SAMPLES * interval_s / (2 * len(uuids)), 2 * interval_s)
        yield uuids, [tile for span in wanted for tile in _cut(span, longest_s)]


def _cut(span: tuple[float, float], longest_s: float) -> Iterator[tuple[float, float]]:
    begun_s, ended_s = span
    while begun_s < ended_s:
        yield begun_s, min(begun_s + longest_s, ended_s)
        begun_s += longest_s


class _Sums:
    """What the server adds up over a long job, by device."""

    def __init__(self, batch: Batch, job: Interval, server: Prometheus) -> None:
        self._batch, self._job, self._server = batch, job, server
        self._uuid = batch.devices[0].family.uuid
        counter, power = batch.devices[0].family.counter, batch.power
        at_s, span = job.ended_s, milliseconds(job.duration_s)
        inside = f"{selector(counter, batch.matcher)}[{span}]" if counter else ""
        gauge = f"{selector(power, batch.matcher)}[{span}]" if power else ""
        asked = [
            f"max by ({self._uuid}) (count_over_time({inside}))" if counter else "",
            f"max by ({self._uuid}) (resets({inside}))" if counter else "",
            f"sum by ({self._uuid}) (sum_over_time({gauge})) / sum by ({self._uuid}) (count_over_time({gauge}))"
            if power
            else "",
            f"max by ({self._uuid}) (count_over_time({gauge}))" if power else "",
            *self._sharing(counter or power, span),
        ]
        answers = list(in_order(self._call(query, at_s) for query in asked))
        self.counts, self.resets, mean_w, self._power_counts = (self._by_uuid(answer) for answer in answers[:4])
        per_w = batch.devices[0].family.per_w
        self.mean_w = {uuid: watts / per_w for uuid, watts in mean_w.items()}
        seen = [one.labels for answer in answers[4:] for one in answer]
        instances = {device.uuid: device.instances for device in batch.devices}
        self._shared = {
            uuid
            for labels in seen
            if (uuid := labels.get(self._uuid, "")) in instances
            and (not instances[uuid] or labels.get(INSTANCE, "") in instances[uuid])
        }
        self._slots: dict[str, list[tuple[float, float]]] | None = None

    def _call(self, query: str, at_s: float) -> Callable[[], list[Series]]:
        return lambda: self._server.instant(query, at_s) if query else []

    def _by_uuid(self, answer: Iterable[Series]) -> dict[str, float]:
        return {one.labels.get(self._uuid, ""): one.samples[-1][1] for one in answer if one.samples}

    def _sharing(self, metric: str, span: str) -> Iterator[str]:
        """Devices on which other jobs' labels were seen meanwhile."""
        device = self._batch.devices[0]
        forms = device.marks or tuple({label: ""} for label in JOB_LABELS)
        for form in forms:
            name = next(iter(form))
            inside = f"last_over_time({selector(metric, self._batch.matcher, *_others(name, form[name]))}[{span}])"
            jobs = f"count by ({self._uuid}, {INSTANCE}, {name}) ({inside})"
            yield f"count by ({self._uuid}, {INSTANCE}) ({jobs})" + ("" if device.marks else " > 1")

    def interval_s(self, uuid: str) -> float:
        """Between readings, where the edges do not tell."""
        count = self.counts.get(uuid) or self._power_counts.get(uuid) or 0.0
        return self._job.duration_s / count if count else 0.0

    def to_fetch(self, uuid: str, interval_s: float, has_counter: bool) -> list[tuple[float, float]]:
        """Spans of a device that sums do not tell of."""
        begun_s, ended_s = self._job.started_s + PAD_S, self._job.ended_s - PAD_S
        if not has_counter or uuid in self._shared or not interval_s:
            return (
                [(self._job.started_s - PAD_S, self._job.ended_s + PAD_S)] if not interval_s else [(begun_s, ended_s)]
            )
        lacking = self._job.duration_s / interval_s - self.counts.get(uuid, 0.0)
        if not self.resets.get(uuid) and lacking < _MISSED:
            return []
        if self._slots is None:
            self._slots = self._troubled(interval_s)
        return [
            (max(start - PAD_S, begun_s), min(end + PAD_S, ended_s))
            for start, end in _merged(self._slots.get(uuid, []))
            if max(start - PAD_S, begun_s) < min(end + PAD_S, ended_s)
        ]

    def _troubled(self, interval_s: float) -> dict[str, list[tuple[float, float]]]:
        """Slots in which a counter was reset or scrapes lack. They overlap: what happens between two is in one."""
        wide_s = SLOT_S + _OVERLAP * interval_s
        inside = f"{selector(self._batch.devices[0].family.counter, self._batch.matcher)}[{milliseconds(wide_s)}]"
        least = int(wide_s / interval_s) - _MISSED
        first_s = self._job.started_s + SLOT_S
        last_s = self._job.ended_s + SLOT_S
        query = f"max by ({self._uuid}) (resets({inside})) > 0"
        short = f"max by ({self._uuid}) (count_over_time({inside})) <= {least}"
        there = f"max by ({self._uuid}) (count_over_time({inside}))"
        steps = [partial(self._server.steps, one, first_s, last_s, SLOT_S) for one in (query, short, there)]
        answers: list[list[Series]] = list(in_order(steps))
        found: dict[str, set[float]] = {}
        for answer in answers[:2]:
            for one in answer:
                found.setdefault(one.labels.get(self._uuid, ""), set()).update(at_s for at_s, _ in one.samples)
        every = _grid(first_s, last_s)
        for one in answers[2]:  # a slot without any reading has no point
            seen = {round(at_s) for at_s, _ in one.samples}
            missing = {at_s for at_s in every if round(at_s) not in seen}
            found.setdefault(one.labels.get(self._uuid, ""), set()).update(missing)
        return {uuid: sorted((at_s - SLOT_S, at_s) for at_s in slots) for uuid, slots in found.items()}


def _others(name: str, own: str) -> tuple[str, ...]:
    """Matchers of series that bear a label, of another value than the job's own."""
    return (differs(name, own),) if own else (differs(name),)


def _grid(first_s: float, last_s: float) -> list[float]:
    return [first_s + SLOT_S * i for i in range(int((last_s - first_s) // SLOT_S) + 1)]


def _merged(slots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Slots that touch, as one, with what lies about them."""
    found: list[tuple[float, float]] = []
    for start, end in slots:
        if found and start - 2 * PAD_S <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
