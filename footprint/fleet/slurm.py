"""SLURM's accounting read into jobs: `sacct --parsable2`, any columns in any order, whatever stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import groupby

from footprint.errors import InputError
from footprint.fleet.devices import Job, host_list
from footprint.fleet.js1 import MARK, utilizations
from footprint.fleet.slurm_rows import Found, Idle, Row, Skipped, plain, rows
from footprint.fleet.slurm_starts import Start, add, apart, joined
from footprint.fleet.slurm_words import MIXED, accelerators, amounts, job_id, joules, seconds, status, time_of, tres
from footprint.units import PERCENT_PER_SHARE

__all__ = ["Accounting", "Idle", "Skipped", "Start", "read", "read_lines"]

_MOST_HOST_TEXT = 20_000
_MOST_GROUPS = 4
_MOST_OFF_S = 2.0
_MOST_DIGITS = 9
_MOST_IDS = 6
_MANY_GROUPS = re.compile(rf"(?:\[[^\[\]]*\][^\[\],]*){{{_MOST_GROUPS + 1}}}")


@dataclass(frozen=True, slots=True)
class Accounting:
    """What was read, in the order of its lines."""

    starts: tuple[Start, ...]
    skipped: tuple[Skipped, ...]
    assumed: tuple[str, ...] = ()  # what had to be, as of time zones
    unwanted_count: int = 0  # starts that were read and not asked for
    unwanted_ids: tuple[str, ...] = ()  # the first of them
    elsewhere_count: int = 0  # starts at other times than those asked for
    idle: tuple[Idle, ...] = ()  # jobs that held nothing, the first of them
    idle_counts: Mapping[str, int] = field(default_factory=dict)  # of all of them, by why

    def of(self, subject: str) -> tuple[Start, ...]:
        """The starts of a job: by the id that its label bears, by sacct's own, or by that of its whole array."""
        asked = subject.strip()
        exact = tuple(one for one in self.starts if asked == one.id)
        by_base = tuple(one for one in self.starts if asked in (one.job.id, _base(one.id)))
        return exact if exact and not by_base else by_base

    def idle_of(self, subject: str) -> tuple[Idle, ...]:
        """What of a job held nothing, found by the same ids."""
        asked = subject.strip()
        return tuple(one for one in self.idle if asked in (one.id, one.label, _base(one.id)))


def _base(name: str) -> str:
    return re.split(r"[_+]", name, maxsplit=1)[0]


class _Idle(ValueError):
    """Why a row's job held nothing."""


def read(text: str, *, zone: tzinfo | None = None, now_s: float | None = None) -> Accounting:
    """Every start of every job in what `sacct --parsable2` wrote; as `read_lines`."""
    return read_lines(text.split("\n"), zone=zone, now_s=now_s)


def read_lines(
    lines: Iterable[str],
    *,
    zone: tzinfo | None = None,
    now_s: float | None = None,
    wanted: Callable[[Start], bool] | None = None,
    between: tuple[float, float] | None = None,
) -> Accounting:
    """Every start of every job, line by line: what is kept grows with starts, not with steps or comments.

    Steps are folded into their job, never added to it.

    Parameters
    ----------
    lines : with their header; headers may recur, as in files put together
    zone : of times that bear none; None: this machine's, for sacct prints the local time of where it runs
    now_s : seconds since 1970, for jobs that run still; None: they end where their elapsed time does
    wanted : which starts to keep, by their own row; the others are counted
    between : seconds since 1970; what ran wholly before or after is not kept either, and counted apart
    """
    read = _Reading(zone, now_s, wanted, between)
    for _, group in groupby(rows(lines, read.found), key=lambda row: row.key):
        read.take(list(group))
    known_starts = read.starts()
    assumed = ("times bear no zone: taken as this machine's; set TZ, or save with SLURM_TIME_FORMAT=%s",)
    if zone is not None:
        assumed = (f"times bear no zone: taken as {zone}",)
    return Accounting(
        tuple(sorted(known_starts, key=lambda one: one.line)),
        read.found.in_order(),
        assumed if read.found.is_zone_assumed else (),
        read.unwanted_count,
        tuple(read.unwanted_ids),
        read.elsewhere_count,
        tuple(read.found.idle),
        dict(read.found.idle_counts),
    )


class _Reading:
    """Starts by job, and steps whose job has not been seen."""

    def __init__(
        self,
        zone: tzinfo | None,
        now_s: float | None,
        wanted: Callable[[Start], bool] | None,
        between: tuple[float, float] | None,
    ) -> None:
        self.zone, self.now_s, self._wanted, self._between = zone, now_s, wanted, between
        self.found = Found()
        self.unwanted_count, self.unwanted_ids, self.elsewhere_count = 0, list[str](), 0
        self._starts: dict[tuple[str, str], list[Start]] = {}
        self._heads: set[int] = set()  # hashes, for there may be millions
        self._orphans: dict[tuple[str, str], list[Row]] = {}

    def take(self, group: list[Row]) -> None:
        """Rows of one job that stand together."""
        key = group[0].key
        for row in group:
            if not row.id.step:
                self._heads.add(hash(key))
                if (start := _start(row, self.zone, self.now_s, self.found)) is not None:
                    self._keep(key, start)
        steps = [row for row in group if row.id.step]
        if hash(key) not in self._heads:
            self._orphans.setdefault(key, []).extend(steps)
        elif key in self._starts or (self._wanted is None and self._between is None):
            for row in steps:
                _fold(row, self._starts.get(key, []), self.zone, self.found)

    def _keep(self, key: tuple[str, str], start: Start) -> None:
        if self._between is not None and _is_elsewhere(start.job, *self._between):
            self.elsewhere_count += 1
            return
        if self._wanted is None or self._wanted(start):
            add(self._starts.setdefault(key, []), start, self.found)
            return
        self.unwanted_count += 1
        if len(self.unwanted_ids) < _MOST_IDS:
            self.unwanted_ids.append(start.id)

    def starts(self) -> list[Start]:
        """All of them; steps without a job's row stand for it."""
        found = []
        for key, steps in self._orphans.items():
            if hash(key) in self._heads:
                for row in steps:
                    _fold(row, self._starts.get(key, []), self.zone, self.found)
                continue
            begun = (_start(row, self.zone, self.now_s, self.found) for row in steps)
            own = [start for start in begun if start is not None]
            found += [joined(own)] if own else []
        return [one for own in self._starts.values() for one in apart(own)] + found


def _is_elsewhere(job: Job, started_s: float, ended_s: float) -> bool:
    return (job.started_utc_s or 0.0) >= ended_s or (job.ended_utc_s is not None and job.ended_utc_s <= started_s)


def _start(row: Row, zone: tzinfo | None, now_s: float | None, found: Found) -> Start | None:
    """The job of a row, or nothing and the reason told."""
    try:
        start, is_assumed = _begun(row, zone, now_s, found)
    except _Idle as why:
        if row.id.step:
            found.skip(row.line, f"{row.id.whole[:40]} {why}")
        else:
            found.held_nothing(Idle(row.id.whole, _label_id(row), str(why)))
        return None
    except ValueError as error:
        found.skip(row.line, f"{row.id.whole[:40]} {error}")
        return None
    found.is_zone_assumed |= is_assumed
    return start


def _begun(row: Row, zone: tzinfo | None, now_s: float | None, found: Found) -> tuple[Start, bool]:
    """The start of a row, and whether its zone was assumed; a ValueError says why there is none."""
    state = row.get("state")
    ended = status(state) if state else "finished"
    word = plain(state.split()[0]) if state else "state not known"
    if ended == "":
        raise _Idle(f"did not begin yet: {word}")
    if row.id.task.startswith("["):
        raise _Idle(f"never began: {word}")
    if "start" not in row.cells:
        raise ValueError("has no column Start")
    (started_s, is_first), (ended_s, is_second) = (time_of(row.get(name), zone) for name in ("start", "end"))
    if started_s is None:
        raise _Idle(f"never began: {word}") if ended == "stopped" else ValueError(f"has no beginning: {word}")
    notes: list[str] = []
    suspended_s = seconds(row.get("suspended")) or 0.0
    ended_s = _until(row, started_s, ended_s, suspended_s, now_s if ended == "running" else None, notes)
    if ended_s == started_s:
        raise _Idle(f"took no time: {word}")
    if suspended_s:
        notes.append(f"suspended for {suspended_s:.6g} s, in which what its devices drew is counted too")
    if ended is None:
        notes.append(f"state {plain(state)} is not known: taken as finished")
    resources = tres(row.get("alloctres"))
    count, kind = accelerators(resources)
    if MIXED in kind:
        notes.append(f"its accelerators are of several types, {plain(kind)}: counted as of one")
    job = Job(
        id=_label_id(row),
        name="" if row.id.step else plain(row.get("jobname")),
        user=plain(row.get("user")),
        account=plain(row.get("account")),
        project=plain(row.get("wckey").lstrip("*")),
        started_utc_s=started_s,
        ended_utc_s=ended_s,
        hosts=_hosts(row, notes),
        status="finished" if ended is None else ended,
    )
    nodes, exclusive = row.get("nnodes"), row.get("exclusive").casefold()
    start = Start(
        job=job,
        id=row.id.whole,
        cluster=row.get("cluster"),
        line=row.line,
        state=plain(state),
        accelerators_count=count,
        accelerator=plain(kind),
        suspended_s=suspended_s,
        notes=tuple(notes),
        partition=plain(row.get("partition")),
        nodes_count=int(nodes) if nodes.isascii() and nodes.isdigit() and len(nodes) <= _MOST_DIGITS else None,
        resources=amounts(resources),
        consumed_j=joules(row.get("consumedenergyraw")),
        is_exclusive=None if not exclusive else exclusive in ("yes", "node", "exclusive", "1", "true"),
        utilizations=_commented(row, found),
        busy_accelerator_s=_busy_s(row, ended_s - started_s) if row.id.step else None,
    )
    return start, is_first or is_second


def _until(
    row: Row, started_s: float, ended_s: float | None, suspended_s: float, now_s: float | None, notes: list[str]
) -> float:
    """When a start ended, told or worked out; a ValueError says why that is not known."""
    elapsed_s = seconds(row.get("elapsedraw", "elapsed"))
    if ended_s is None:
        if now_s is not None:
            ended_s = now_s
            notes.append("it runs still: until now")
        elif elapsed_s is not None:
            ended_s = started_s + elapsed_s + suspended_s
            notes.append("its end is not known: taken from its elapsed time")
    elif elapsed_s is not None and abs(ended_s - started_s - suspended_s - elapsed_s) > _MOST_OFF_S:
        told = f"{ended_s - started_s:.6g} s from start to end, {elapsed_s:.6g} s elapsed"
        notes.append(f"times and elapsed time differ: {told}; an hour is a change of clocks")
    if ended_s is None or ended_s < started_s:
        raise ValueError("has no end" if ended_s is None else "ends before it begins")
    return ended_s


def _commented(row: Row, found: Found) -> tuple[float, ...]:
    told = row.get("admincomment")
    try:
        return utilizations(told) if told.startswith(MARK) else ()
    except ValueError as error:
        found.skip(row.line, f"the comment of {row.id.whole[:40]} {error}: its utilization is not used")
        return ()


def _busy_s(row: Row, duration_s: float) -> float | None:
    """A step's seconds times the sum of its processes' utilization; 0 is what SLURM writes where it cannot see them."""
    told = amounts(tres(row.get("tresusageintot"))).get("gres/gpuutil")
    return None if not told else told / PERCENT_PER_SHARE * duration_s


def _label_id(row: Row) -> str:
    """What prologs write into labels: SLURM_JOB_ID, which is JobIDRaw."""
    raw = job_id(row.get("jobidraw"))
    return row.id.whole if raw is None else raw.whole


def _hosts(row: Row, notes: list[str]) -> tuple[str, ...]:
    told = row.get("nodelist")
    if not told:
        return ()
    if len(told) > _MOST_HOST_TEXT or _MANY_GROUPS.search(told):
        notes.append("its list of hosts is too long to be read: found by its label alone")
        return ()
    try:
        return host_list(told)
    except InputError as error:
        notes.append(f"its hosts cannot be read, found by its label alone: {error.bound}")
        return ()


# several rows of one job


def _fold(row: Row, own: list[Start], zone: tzinfo | None, found: Found) -> None:
    """A step fills what its job's row leaves empty; nothing of it is added up."""
    if not own:  # its job held nothing, was not wanted, or is told of already
        return
    try:
        at_s, _ = time_of(row.get("start"), zone)
    except ValueError:
        at_s = None
    inside = [i for i, one in enumerate(own) if at_s is not None and _holds(one.job, at_s)]
    if not inside and len(own) != 1:
        found.skip(row.line, f"step {row.id.step[:20]} of {row.id.whole} is of no start that is known")
        return
    at = inside[-1] if inside else 0
    one = own[at]
    own[at] = replace(
        one,
        job=one.job if one.job.hosts else replace(one.job, hosts=_hosts(row, [])),
        steps_count=one.steps_count + 1,
        busy_accelerator_s=_with(one.busy_accelerator_s, _step_busy_s(row, at_s, zone)),
    )


def _step_busy_s(row: Row, at_s: float | None, zone: tzinfo | None) -> float | None:
    """As `_busy_s`, of a step between its own times."""
    if at_s is None or "gres/gpuutil" not in row.get("tresusageintot"):
        return None
    try:
        ended_s, _ = time_of(row.get("end"), zone)
    except ValueError:
        return None
    elapsed_s = seconds(row.get("elapsedraw", "elapsed")) if ended_s is None else ended_s - at_s
    return None if elapsed_s is None or elapsed_s <= 0 else _busy_s(row, elapsed_s)


def _with(sum_s: float | None, more_s: float | None) -> float | None:
    return sum_s if more_s is None else more_s + (sum_s or 0.0)


def _holds(job: Job, at_s: float) -> bool:
    return (job.started_utc_s or 0) <= at_s <= (job.ended_utc_s or 0)
