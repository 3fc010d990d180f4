"""Starts of jobs: one time that a job ran each, and what several rows of one id are together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from footprint.fleet.devices import Job
from footprint.fleet.slurm_rows import Found

__all__ = ["Start", "add", "apart", "joined"]

_RESIZED = "RESIZING"


@dataclass(frozen=True, slots=True)
class Start:
    """One time that a job ran: a requeued one has several, of one id."""

    job: Job
    id: str = ""  # as sacct writes it: 1234_5 where the label says 1240
    cluster: str = ""
    line: int = 0
    state: str = ""
    accelerators_count: int | None = None  # allocated; instances, where devices are parted
    accelerator: str = ""  # its type, as the site calls it
    suspended_s: float = 0.0
    steps_count: int = 0
    partition: str = ""
    nodes_count: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)  # allocated, by TRES; memory in GB
    consumed_j: float | None = None  # by SLURM's own meter, whatever that is on this site
    is_exclusive: bool | None = None  # None: not told
    utilizations: tuple[float, ...] = ()  # of its devices over its time, where its comment tells
    busy_accelerator_s: float | None = None  # seconds times utilization, summed over its steps
    notes: tuple[str, ...] = ()

    @property
    def utilization(self) -> float | None:
        """The mean over its devices and its time, by its comment, else by its steps; None: not told."""
        if self.utilizations:
            return sum(self.utilizations) / len(self.utilizations)
        if self.busy_accelerator_s is None or not self.accelerators_count:
            return None
        duration_s = (self.job.ended_utc_s or 0.0) - (self.job.started_utc_s or 0.0)
        return min(self.busy_accelerator_s / (self.accelerators_count * duration_s), 1.0)


def add(own: list[Start], start: Start, found: Found) -> None:
    """A row that recurs, as in files put together, counts once: the one that knows the later end."""
    same = next((i for i, one in enumerate(own) if _is_same(one, start)), None)
    if same is None:
        own.append(start)
        return
    kept, left = own[same], start
    if (start.job.ended_utc_s or 0) > (kept.job.ended_utc_s or 0) or kept.job.status == "running":
        kept, left = start, kept
    own[same] = kept
    found.skip(left.line, f"{left.id} began then on line {kept.line} too")


def _is_same(one: Start, other: Start) -> bool:
    """A resized job has a row for each size: before SLURM wrote where a size begins, all began when the job did."""
    resized = {start.state == _RESIZED for start in (one, other)}
    is_other_size = True in resized and one.job.ended_utc_s != other.job.ended_utc_s
    return one.job.started_utc_s == other.job.started_utc_s and not is_other_size


def apart(own: Iterable[Start]) -> Iterator[Start]:
    """Starts of one id, one after another: no second is in two of them."""
    ordered = _by_size(sorted(own, key=lambda one: (one.job.started_utc_s or 0, one.job.ended_utc_s or 0)))
    for one, after in zip(ordered, [*ordered[1:], None], strict=True):
        next_s = None if after is None else after.job.started_utc_s
        if next_s is not None and (one.job.ended_utc_s or 0) > next_s:
            told = "its next start is before its end: it ends there"
            yield replace(one, job=replace(one.job, ended_utc_s=next_s), notes=(*one.notes, told))
        else:
            yield one


def _by_size(ordered: list[Start]) -> list[Start]:
    """A size of a job begins where the one before it ended, whatever its row says."""
    found: list[Start] = []
    for one in ordered:
        before_s = found[-1].job.ended_utc_s or 0 if found and found[-1].state == _RESIZED else 0
        if (one.job.started_utc_s or 0) < before_s < (one.job.ended_utc_s or 0):
            told = "it was resized: from then on, with what it had then"
            one = replace(one, job=replace(one.job, started_utc_s=before_s), notes=(*one.notes, told))
        found.append(one)
    return found


def joined(steps: list[Start]) -> Start:
    """A job of which only steps are listed: from the first one's beginning to the last one's end."""
    first = min(steps, key=lambda one: one.line)
    hosts = tuple(dict.fromkeys(host for one in steps for host in one.job.hosts))
    job = replace(
        first.job,
        started_utc_s=min(one.job.started_utc_s or 0 for one in steps),
        ended_utc_s=max(one.job.ended_utc_s or 0 for one in steps),
        hosts=hosts,
    )
    return replace(
        first,
        job=job,
        accelerators_count=None,
        steps_count=len(steps),
        notes=(*first.notes, "its own row is not listed: its times and hosts are its steps'"),
    )
