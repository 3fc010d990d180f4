"""Which devices each job of a day held, from label sets alone, and what is known of them so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from footprint.fleet.devices import Device, Job, Labels, slices
from footprint.fleet.families import FAMILIES, HOST_LABELS, INSTANCE, JOB_LABELS, PROFILE, Family
from footprint.fleet.gathering import Interval
from footprint.fleet.many_days import DAY_S, SLOT_S, Edge, Line, Part, Span, Stay
from footprint.fleet.many_looks import Seen
from footprint.fleet.prometheus import Prometheus
from footprint.fleet.queries import selector
from footprint.fleet.readings import slices_of

_UNMARKED = "its hosts' devices bear other jobs' labels and never its own"

__all__ = ["Held", "HeldJob", "Table", "held_by", "table_of"]


@dataclass(slots=True)
class Held:
    """A device while a job had it."""

    device: Device
    start: Edge
    end: Edge
    share: float = 1.0  # of the device, by the slices of the job's instances
    counted_j: float = 0.0  # over whole half hours
    powered_j: float = 0.0
    is_troubled: bool = False  # sums do not tell of it
    seen: Seen = field(default_factory=Seen)

    @property
    def stay(self) -> Stay:
        return Stay(self.device.uuid, *self.start.within, self.device.marks)

    @property
    def is_its_own(self) -> bool:
        """Found by host, or seen with the job's mark."""
        return not self.device.marks or self.start.is_marked or self.end.is_marked


@dataclass(slots=True)
class HeldJob:
    """A job and its devices."""

    job: Job
    interval: Interval  # on the readings' clock
    family: Family
    held: list[Held] = field(default_factory=list)
    gap_s: float = 0.0  # the longest that sums show

    short_seen: dict[str, Seen] = field(default_factory=dict)  # by device, from all readings of a short job

    @property
    def is_short(self) -> bool:
        """Looks would be few: all of its readings are read."""
        return self.interval.duration_s < 2 * SLOT_S

    def firsts(self) -> Iterator[str]:
        """A device on each host."""
        yield from {one.device.host: one.device.uuid for one in reversed(self.held)}.values()

    def _has(self, day_s: float) -> tuple[bool, bool]:
        """Whether it begins and ends in the day that begins then."""
        until_s = day_s + DAY_S
        return day_s <= self.interval.started_s < until_s, day_s < self.interval.ended_s <= until_s

    def spans(self, day_s: float, pad_s: float) -> Iterator[Span]:
        """What is to be read of it in the day that begins then."""
        begun_s, ended_s = self.interval.started_s, self.interval.ended_s
        begins, ends = self._has(day_s)
        if self.is_short:
            if begins:
                edges = [edge for one in self.held for edge in (one.start, one.end)]
                yield Span(edges, begun_s - pad_s, ended_s + pad_s, self.short_seen)
            return
        if begins:
            yield Span([one.start for one in self.held], begun_s - pad_s, begun_s + pad_s)
        if ends:
            yield Span([one.end for one in self.held], ended_s - pad_s, ended_s + pad_s)

    def go_on(self, day_s: float, lines: Mapping[str, Line], stale_s: float) -> None:
        """Take the job's part of a day that begins then; a look may tell of so long before it."""
        begun_s, ended_s = self.interval.started_s, self.interval.ended_s
        for one in self.held:
            line = lines.get(one.device.uuid)
            part = None if line is None else line.part(day_s, begun_s, ended_s)
            if part is not None and line is not None and line.looks is not None and not self.is_short:
                part = part._replace(seen=line.looks.seen(begun_s + stale_s, ended_s))
            self.take(one, part)

    def take(self, one: Held, part: Part | None) -> None:
        """What a day told of one of its devices, if it did."""
        if part is None:
            one.is_troubled = True
            return
        one.is_troubled |= part.is_troubled
        one.counted_j += part.counted_j
        one.powered_j += part.powered_j
        one.seen.add(part.seen)
        one.start.take(part.start)
        one.end.take(part.end)
        self.gap_s = max(self.gap_s, part.gap_s)


@dataclass(slots=True)
class Table:
    """A day's label sets of counters, by job and by host."""

    by_job: dict[str, list[Labels]] = field(default_factory=dict)
    by_host: dict[str, list[Labels]] = field(default_factory=dict)
    marking: set[str] = field(default_factory=set)  # hosts whose series bear jobs

    def add(self, row: Labels) -> None:
        hosts = set(_hosts(row))
        for host in hosts:
            self.by_host.setdefault(host, []).append(row)
        for label in JOB_LABELS:
            if row.get(label):
                self.by_job.setdefault(row[label], []).append(row)
                self.marking |= hosts


def table_of(server: Prometheus, begun_s: float, ended_s: float) -> Table:
    """Ask for it."""
    table = Table()
    for row in server.labels([selector(f.counter) for f in FAMILIES if f.counter], begun_s, ended_s):
        table.add(row)
    return table


def _hosts(row: Labels) -> Iterable[str]:
    """Its host as jobs may call it: with its domain or without."""
    return _called(next((row[name] for name in HOST_LABELS if row.get(name)), ""))


@lru_cache(4096)
def _called(told: str) -> tuple[str, str]:
    bare = re.sub(r":\d+$", "", told)
    return (bare, bare.partition(".")[0])


def held_by(job: Job, interval: Interval, table: Table) -> HeldJob | str | None:
    """Its devices; why none can be told; or None where it takes a longer look."""
    label, rows = "", [row for row in table.by_job.get(job.id, ()) if _is_on(row, job.hosts)] if job.id else []
    if rows:
        label = next(name for name in JOB_LABELS if any(row.get(name) == job.id for row in rows))
        rows = [row for row in rows if row.get(label) == job.id]
    else:
        rows = [row for host in job.hosts for row in table.by_host.get(host, ())]
        if any(host in table.marking and host not in job.devices_by_host for host in job.hosts):
            return f"{_UNMARKED}: it was shorter than a scrape, or has none"
    names = {row["__name__"] for row in rows}
    family = next((one for one in FAMILIES if one.counter in names), None)
    if family is None:
        return None
    found = HeldJob(job, interval, family)
    within = (interval.started_s, interval.ended_s)
    for device, share in _devices([row for row in rows if row["__name__"] == family.counter], family, job, label):
        start, end = (Edge(device.uuid, at_s, device.marks, within) for at_s in within)
        found.held.append(Held(device, start, end, share))
    if not found.held or {one.device.host for one in found.held} < set(job.hosts):
        return None
    return found


def _is_on(row: Labels, hosts: Sequence[str]) -> bool:
    return not hosts or any(host in hosts for host in _hosts(row))


def _devices(rows: Sequence[Labels], family: Family, job: Job, label: str) -> list[tuple[Device, float]]:
    marks: tuple[Labels, ...] = ({label: job.id},) if label else ()
    by_uuid: dict[str, list[Labels]] = {}
    for row in rows:
        if row.get(family.uuid):
            by_uuid.setdefault(row[family.uuid], []).append(row)
    found = []
    for uuid, own in by_uuid.items():
        host = next((one for one in _hosts(own[0]) if one in job.hosts), next(iter(_hosts(own[0]))))
        place = own[0].get(family.index, "")
        instances = {row[INSTANCE] for row in own if row.get(INSTANCE)}
        wanted = None if label else job.devices_by_host.get(host)
        if wanted is not None and place not in wanted and uuid not in wanted:
            instances &= {word.partition(".")[2] for word in wanted if word.partition(".")[0] == place}
            if not instances:
                continue
        elif not label:
            instances = set()
        model = next((row[family.model] for row in own if row.get(family.model)), "accelerator")
        profiles = {row[INSTANCE]: row.get(PROFILE, "") for row in own if row.get(INSTANCE) in instances}
        share = min(sum(map(slices, profiles.values())) / slices_of(model), 1.0) if instances else 1.0
        found.append((Device(uuid, family, host, place, model, tuple(sorted(instances)), marks), share))
    return sorted(found, key=lambda pair: (pair[0].host, len(pair[0].place), pair[0].place, pair[0].uuid))
