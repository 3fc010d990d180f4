"""A site whose jobs and watts are known by construction: who ran where and when, and what each device drew.

Half of the hosts run whole-node jobs, on up to sixteen hosts; the rest is parted device by device, arrays among them.
Some jobs hold their devices idle, some fail within a minute, some are requeued under their id. A few devices have
their driver reloaded, a few hosts are not scraped for ten minutes, some devices are shared, one in a hundred is in MIG
instances, and some hosts' series bear no job: those jobs are found by host.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from footprint.fleet.devices import Job

Floats = npt.NDArray[np.float64]

PER_HOST, POD = 8, 16
DAY_S, HOUR_S, STEP_S = 86_400.0, 3600.0, 30.0
BEGUN_S = 1_790_812_800.0  # a midnight of UTC
IDLE_W, STALLED_W = 72.0, 118.0
ACCOUNTS = (
    "astro",
    "bio",
    "chem",
    "climate",
    "cv",
    "fluids",
    "genome",
    "llm",
    "materials",
    "plasma",
    "robots",
    "speech",
)
INSTANCES = (("1", "3g.40gb", 3), ("2", "4g.40gb", 4))
"""Of a device in parts: seven slices in all."""

_FAILED_SHARE, _IDLE_SHARE, _LIGHT_SHARE, _REQUEUED_SHARE, _SHARED_SHARE = 0.06, 0.08, 0.16, 0.03, 0.01


@dataclass(frozen=True)
class Kind:
    """How a job's devices run: watts and utilization while busy, and how often and how long they stand."""

    name: str
    watts: float
    utilization: float
    stall_every_s: float = 0.0
    stall_s: float = 0.0


@dataclass
class Planned:
    """A start of a job, and afterwards what its devices drew."""

    job: Job
    kind: Kind
    devices: tuple[int, ...]
    instance: str = ""
    share: float = 1.0
    joules: float = 0.0
    stalled_j: float = 0.0


@dataclass
class Plan:
    """All jobs of a site, and what went wrong with its meters."""

    devices_count: int
    days: int
    pace: float = 1.0  # of all durations
    jobs: list[Planned] = field(default_factory=list)
    by_device: dict[int, list[Planned]] = field(default_factory=dict)
    resets: dict[int, float] = field(default_factory=dict)  # by device
    gaps: dict[int, tuple[float, float]] = field(default_factory=dict)  # by host
    parted: set[int] = field(default_factory=set)  # devices in MIG mode
    bare: set[int] = field(default_factory=set)  # hosts without labels of jobs

    @property
    def ended_s(self) -> float:
        return BEGUN_S + self.days * DAY_S

    def add(self, one: Planned) -> None:
        self.jobs.append(one)
        for device in one.devices:
            self.by_device.setdefault(device, []).append(one)


def host_name(host: int) -> str:
    return f"gpu{host:05d}"


def planned(devices_count: int, days: int, pace: float = 1.0, seed: int = 1) -> Plan:
    """The same plan for the same numbers; a larger site has the smaller one's pods."""
    plan = Plan(devices_count, days, pace)
    hosts_count = -(-devices_count // PER_HOST)
    for pod in range(-(-hosts_count // POD)):
        random = np.random.default_rng((seed, pod))
        hosts = list(range(pod * POD, min((pod + 1) * POD, hosts_count)))
        whole = hosts[: (len(hosts) + 1) // 2]
        if pod % 5 == 4:
            plan.bare |= set(whole)
        _whole_nodes(plan, whole, random)
        for host in hosts[len(whole) :]:
            if host % 25 == min(15, hosts_count - 1):
                plan.parted |= {host * PER_HOST, host * PER_HOST + 1} & set(range(devices_count))
            _parts(plan, host, random)
        _troubles(plan, hosts, random)
    return plan


def _kind(random: np.random.Generator) -> tuple[Kind, float]:
    """And by how much its duration is another's."""
    draw = random.random()
    if draw < _FAILED_SHARE:
        return Kind("failed", float(random.uniform(80, 200)), 20.0), 0.0
    draw -= _FAILED_SHARE
    if draw < _IDLE_SHARE:
        return Kind("idle", IDLE_W + 3, 0.0), 1.0
    if draw < _IDLE_SHARE + _LIGHT_SHARE:
        return Kind("light", float(random.uniform(150, 320)), 35.0), 1.0
    every_s = float(random.choice((0.0, 600.0, 1800.0, 7200.0)))
    return Kind("train", float(random.uniform(430, 680)), 97.0, every_s, every_s / 10), 1.0


def _row_of_jobs(
    plan: Plan, devices: Sequence[int], begun_s: float, ended_s: float, median_s: float, random: np.random.Generator,
    *, instance: str = "",
) -> None:  # fmt: skip
    """Jobs one after another on the same devices."""
    at_s = begun_s + plan.pace * float(random.exponential(600))
    again = 0
    while at_s < ended_s - 5:
        kind, scale = _kind(random)
        duration_s = (
            float(random.uniform(4, 90)) if not scale else plan.pace * median_s * float(random.lognormal(0, 0.9))
        )
        until_s = min(at_s + max(duration_s, 4.0), ended_s)
        is_again = again > 0 and random.random() < _REQUEUED_SHARE
        number = again if is_again else 100_000 + len(plan.jobs)
        again = number
        _start(plan, number, devices, (round(at_s), round(until_s)), kind, random, instance)
        at_s = until_s + (
            float(random.uniform(1, 20)) if random.random() < 0.7 else plan.pace * float(random.exponential(1500))
        )


def _start(
    plan: Plan, number: int, devices: Sequence[int], span: tuple[int, int], kind: Kind, random: np.random.Generator,
    instance: str = "",
) -> None:  # fmt: skip
    if span[1] <= span[0]:
        return
    user = int(random.integers(0, 5 * len(ACCOUNTS)))
    hosts = tuple(dict.fromkeys(host_name(device // PER_HOST) for device in devices))
    status = "failed" if kind.name == "failed" else "finished"
    share = 1.0
    if instance:
        share = next(slices for name, _, slices in INSTANCES if name == instance) / 7
    ids = [number]
    if not instance and len(devices) == 1 and random.random() < _SHARED_SHARE:
        ids, share = [number, 10_000_000 + len(plan.jobs)], 0.5
    for one in ids:
        job = Job(
            str(one), name=kind.name, user=f"user{user:02d}", account=ACCOUNTS[user % len(ACCOUNTS)], hosts=hosts,
            started_utc_s=float(span[0]), ended_utc_s=float(span[1]), status=status,
        )  # fmt: skip
        plan.add(Planned(job, kind, tuple(devices), instance, share))


def _whole_nodes(plan: Plan, hosts: Sequence[int], random: np.random.Generator) -> None:
    """Epochs in which the hosts are parted into groups of one size."""
    at_s = BEGUN_S
    while at_s < plan.ended_s and hosts:
        until_s = min(at_s + plan.pace * float(random.uniform(24, 96)) * HOUR_S, plan.ended_s)
        width = int(random.choice([w for w in (1, 2, 4, 8) if w <= len(hosts)]))
        for i in range(0, len(hosts), width):
            group = hosts[i : i + width]
            devices = [host * PER_HOST + d for host in group for d in range(PER_HOST)]
            devices = [d for d in devices if d < plan.devices_count]
            _row_of_jobs(plan, devices, at_s, until_s, float(random.choice((2.5, 8, 30))) * HOUR_S, random)
        at_s = until_s


def _parts(plan: Plan, host: int, random: np.random.Generator) -> None:
    """Days in which a host's devices are parted; arrays of short tasks on some of the parts."""
    own = [d for d in range(host * PER_HOST, (host + 1) * PER_HOST) if d < plan.devices_count]
    at_s = BEGUN_S
    while at_s < plan.ended_s:
        until_s = min(at_s + plan.pace * float(random.uniform(48, 160)) * HOUR_S, plan.ended_s)
        for device in plan.parted & set(own):
            for name, _, _ in INSTANCES:
                _row_of_jobs(plan, [device], at_s, until_s, 12 * HOUR_S, random, instance=name)
        width = int(random.choice((1, 2, 4, 8)))
        whole = [device for device in own if device not in plan.parted]
        for i in range(0, len(whole), width):
            median_s = float(random.choice((0.5, 10, 30, 60), p=(0.04, 0.3, 0.33, 0.33))) * HOUR_S
            _row_of_jobs(plan, whole[i : i + width], at_s, until_s, median_s, random)
        at_s = until_s


def _troubles(plan: Plan, hosts: Sequence[int], random: np.random.Generator) -> None:
    """A driver is reloaded in jobs of some devices; a few hosts are not scraped for ten minutes, away from edges."""
    for host in hosts:
        own = [d for d in range(host * PER_HOST, (host + 1) * PER_HOST) if plan.by_device.get(d)]
        if own and random.random() < 0.3:
            device = int(random.choice(own))
            one = plan.by_device[device][int(random.integers(0, len(plan.by_device[device])))].job
            begun_s, ended_s = one.started_utc_s or 0.0, one.ended_utc_s or 0.0
            if ended_s - begun_s > HOUR_S:
                plan.resets[device] = float(random.uniform(begun_s + 300, ended_s - 300))
        if own and random.random() < 0.25:
            edges = sorted(
                e or 0.0 for d in own for p in plan.by_device[d] for e in (p.job.started_utc_s, p.job.ended_utc_s)
            )
            for at_s in random.uniform(BEGUN_S + HOUR_S, plan.ended_s - HOUR_S, 20):
                if bisect.bisect(edges, at_s - 120) == bisect.bisect(edges, at_s + 720):
                    plan.gaps[host] = (float(at_s), float(at_s) + 600)
                    break


# watts


@dataclass(frozen=True)
class Day:
    """What a device showed on a day, reading by reading."""

    at_s: Floats
    energy_j: Floats
    power_w: Floats
    utilization: Floats


class Drawn:
    """One device's energy, day by day: exact at any moment, and added to its jobs' truths as the days go by."""

    def __init__(self, plan: Plan, device: int) -> None:
        self.plan, self.device = plan, device
        self.phase_s = float(np.random.default_rng((7, device // PER_HOST)).integers(0, 30_000)) / 1000
        self.joules = float(np.random.default_rng((8, device)).integers(10**8, 10**10))
        self.reset_j = 0.0
        self.jobs = sorted(plan.by_device.get(device, ()), key=lambda one: one.job.started_utc_s or 0.0)
        self._instances_count = max(len({one.instance for one in self.jobs}), 1)

    def day(self, number: int) -> Day:
        """The next day's readings."""
        begun_s = BEGUN_S + number * DAY_S
        at_s = begun_s + self.phase_s + STEP_S * np.arange(int(DAY_S / STEP_S))
        own = [p for p in self.jobs if _ends(p) > begun_s - STEP_S and _begins(p) < begun_s + DAY_S + STEP_S]
        edges = [e for p in own for e in (_begins(p), _ends(p)) if begun_s < e < begun_s + DAY_S]
        reset_s = self.plan.resets.get(self.device, -1.0)
        edges += [reset_s] if begun_s < reset_s < begun_s + DAY_S else []
        bounds = np.unique(np.concatenate(([begun_s, begun_s + DAY_S], at_s, edges)))
        watts, utilization, is_stalled = self._levels((bounds[1:] + bounds[:-1]) / 2, own, number)
        pieces = watts * np.diff(bounds)
        upto = np.concatenate(([0.0], np.cumsum(pieces)))
        stalled = np.concatenate(([0.0], np.cumsum(pieces * is_stalled)))
        for one in own:
            first, last = (int(np.searchsorted(bounds, edge)) for edge in _clipped(one, begun_s))
            one.joules += float(upto[last] - upto[first]) * one.share
            one.stalled_j += float(stalled[last] - stalled[first]) * one.share
        places = np.searchsorted(bounds, at_s)
        energy_j = self.joules + upto[places]
        if begun_s < reset_s < begun_s + DAY_S:
            self.reset_j = self.joules + float(upto[int(np.searchsorted(bounds, reset_s))])
            energy_j = np.where(at_s >= reset_s, energy_j - self.reset_j, energy_j)
        elif self.reset_j:
            energy_j = energy_j - self.reset_j
        self.joules += float(upto[-1])
        return Day(at_s, energy_j, np.round(watts[places - 1], 1), np.round(utilization[places - 1]))

    def _levels(self, at_s: Floats, own: Sequence[Planned], number: int) -> tuple[Floats, Floats, Floats]:
        """Watts, per cent, and whether next to nothing is done. They change from scrape to scrape, not in between."""
        random = np.random.default_rng((9, self.device, number))
        step = np.floor((at_s - self.phase_s) / STEP_S).astype(np.int64)
        step -= step[0]
        noise = random.uniform(0.95, 1.05, int(step[-1]) + 1)[step]
        watts, utilization = np.full(at_s.size, IDLE_W), np.zeros(at_s.size)
        done = np.zeros(at_s.size, bool)
        for one in own:
            if one.share == 0.5 and int(one.job.id) >= 10_000_000:
                continue  # the same work under another job's name
            inside = (at_s > _begins(one)) & (at_s < _ends(one))
            kind = one.kind
            scrape_s = (np.floor((at_s - self.phase_s) / STEP_S) + 1) * STEP_S + self.phase_s
            stands = inside & (np.mod(scrape_s - _begins(one), kind.stall_every_s or 1.0) < kind.stall_s)
            level = np.where(stands, STALLED_W, kind.watts) / self._instances_count
            watts = np.where(inside, np.where(done, watts, 0.0) + level * noise, watts)
            utilization = np.where(inside & ~stands, np.maximum(utilization, kind.utilization * noise), utilization)
            done |= inside
        return watts, np.minimum(utilization, 100.0), utilization < 5


def _begins(one: Planned) -> float:
    return one.job.started_utc_s or 0.0


def _ends(one: Planned) -> float:
    return one.job.ended_utc_s or 0.0


def _clipped(one: Planned, begun_s: float) -> Iterator[float]:
    for edge in (_begins(one), _ends(one)):
        yield min(max(edge, begun_s), begun_s + DAY_S)
