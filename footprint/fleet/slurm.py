"""SLURM's accounting read into jobs: `sacct --parsable2`, any columns in any order, whatever stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from footprint.errors import InputError
from footprint.fleet.devices import Job, host_list
from footprint.fleet.slurm_words import JobId, accelerators, job_id, known, seconds, status, time_of, tres

__all__ = ["Accounting", "Skipped", "Start", "read"]

_MOST_HOST_TEXT = 20_000
_MOST_GROUPS = 4
_LONGEST_NAME = 100
_MOST_OFF_S = 2.0
_MANY_GROUPS = re.compile(rf"(?:\[[^\[\]]*\][^\[\],]*){{{_MOST_GROUPS + 1}}}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is in no job, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


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
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accounting:
    """What was read, in the order of its lines."""

    starts: tuple[Start, ...]
    skipped: tuple[Skipped, ...]
    assumed: tuple[str, ...] = ()  # what had to be, as of time zones

    def of(self, subject: str) -> tuple[Start, ...]:
        """The starts of a job: by the id that its label bears, by sacct's own, or by that of its whole array."""
        asked = subject.strip()
        exact = tuple(one for one in self.starts if asked == one.id)
        by_base = tuple(one for one in self.starts if asked == one.job.id or asked == re.split(r"[_+]", one.id)[0])
        return exact if exact and not by_base else by_base


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: Mapping[str, str]
    id: JobId

    def get(self, *names: str) -> str:
        return next((told for name in names if (told := known(self.cells.get(name, "")))), "")

    @property
    def key(self) -> tuple[str, str]:
        return self.get("cluster"), self.id.whole


@dataclass(slots=True)
class _Found:
    """What reading comes upon beside jobs."""

    skipped: list[Skipped] = field(default_factory=list)
    is_zone_assumed: bool = False

    def skip(self, line: int, reason: str) -> None:
        self.skipped.append(Skipped(line, reason))


def read(text: str, *, zone: tzinfo | None = None, now_s: float | None = None) -> Accounting:
    """Every start of every job in what `sacct --parsable2` wrote. Steps are folded into their job, never added to it.

    Parameters
    ----------
    text : with its header; headers may recur, as in files put together
    zone : of times that bear none; None: this machine's, for sacct prints the local time of where it runs
    now_s : seconds since 1970, for jobs that run still; None: they end where their elapsed time does
    """
    found = _Found()
    rows = list(_rows(text, found))
    starts: dict[tuple[str, str], list[Start]] = {}
    for row in rows:
        if not row.id.step and (start := _start(row, zone, now_s, found)) is not None:
            _add(starts.setdefault(row.key, []), start, found)
    heads = {row.key for row in rows if not row.id.step}
    orphans: dict[tuple[str, str], list[Start]] = {}
    for row in rows:
        if not row.id.step:
            continue
        if row.key in heads:
            _fold(row, starts.get(row.key, []), zone, found)
        elif (start := _start(row, zone, now_s, found)) is not None:
            orphans.setdefault(row.key, []).append(start)
    known_starts = [one for own in starts.values() for one in _apart(own)]
    known_starts += [_joined(own) for own in orphans.values()]
    assumed = ("times bear no zone: taken as this machine's; set TZ, or save with SLURM_TIME_FORMAT=%s",)
    if zone is not None:
        assumed = (f"times bear no zone: taken as {zone}",)
    return Accounting(
        tuple(sorted(known_starts, key=lambda one: one.line)),
        tuple(sorted(found.skipped, key=lambda one: one.line)),
        assumed if found.is_zone_assumed else (),
    )


def _rows(text: str, found: _Found) -> Iterator[_Row]:
    header: list[str] = []
    for line, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        whole = raw.rstrip("\r")
        if not whole.strip():
            continue
        cells = whole.split("|")
        names = [cell.strip().casefold() for cell in cells]
        if {"jobid", "jobidraw"} & set(names):
            header = names
            continue
        if not header:
            found.skip(line, "stands before any header with JobID: save without --noheader")
            continue
        fitted = _fitted(cells, header)
        if fitted is None:
            found.skip(line, f"has {len(cells)} fields where the header has {len(header)}")
            continue
        named = dict(reversed(list(zip(header, fitted, strict=True))))
        told = next((told for name in ("jobid", "jobidraw") if (told := known(named.get(name, "")))), "")
        name = job_id(told)
        if name is None:
            found.skip(line, f"has no job id: {told[:40]!r}" if told else "has no job id")
            continue
        yield _Row(line, named, name)


def _fitted(cells: list[str], header: list[str]) -> list[str] | None:
    """As many cells as the header has: a last bar of --parsable is none, and bars inside a job's name are its own."""
    if len(cells) == len(header) + 1 and not cells[-1].strip():
        return cells[:-1]
    if len(cells) == len(header) - 1 and not header[-1]:
        return [*cells, ""]
    more = len(cells) - len(header)
    if more > 0 and "jobname" in header:
        at = header.index("jobname")
        return [*cells[:at], "|".join(cells[at : at + more + 1]), *cells[at + more + 1 :]]
    return cells if more == 0 else None


def _start(row: _Row, zone: tzinfo | None, now_s: float | None, found: _Found) -> Start | None:
    """The job of a row, or nothing and the reason told."""
    try:
        start, is_assumed = _begun(row, zone, now_s)
    except ValueError as error:
        found.skip(row.line, f"{row.id.whole[:40]} {error}")
        return None
    found.is_zone_assumed |= is_assumed
    return start


def _begun(row: _Row, zone: tzinfo | None, now_s: float | None) -> tuple[Start, bool]:
    """The start of a row, and whether its zone was assumed; a ValueError says why there is none."""
    state = row.get("state")
    ended = status(state) if state else "finished"
    if row.id.task.startswith("["):
        raise ValueError("stands for tasks that have not begun")
    if ended == "":
        raise ValueError(f"has not begun: {_plain(state)}")
    (started_s, is_first), (ended_s, is_second) = (time_of(row.get(name), zone) for name in ("start", "end"))
    if started_s is None:
        raise ValueError("has no beginning" + (f": {_plain(state)}" if state else ""))
    elapsed_s, suspended_s = seconds(row.get("elapsedraw", "elapsed")), seconds(row.get("suspended")) or 0.0
    notes: list[str] = []
    if ended_s is None:
        if ended == "running" and now_s is not None:
            ended_s = now_s
            notes.append("it runs still: until now")
        elif elapsed_s is not None:
            ended_s = started_s + elapsed_s + suspended_s
            notes.append("its end is not known: taken from its elapsed time")
    elif elapsed_s is not None and abs(ended_s - started_s - suspended_s - elapsed_s) > _MOST_OFF_S:
        told = f"{ended_s - started_s:.6g} s from start to end, {elapsed_s:.6g} s elapsed"
        notes.append(f"times and elapsed time differ: {told}; an hour is a change of clocks")
    if ended_s is None or not ended_s > started_s:
        told = "has no end" if ended_s is None else "took no time" if ended_s == started_s else "ends before it begins"
        raise ValueError(told)
    if suspended_s:
        notes.append(f"suspended for {suspended_s:.6g} s, in which what its devices drew is counted too")
    if ended is None:
        notes.append(f"state {_plain(state)} is not known: taken as finished")
    count, kind = accelerators(tres(row.get("alloctres")))
    job = Job(
        id=_label_id(row),
        name="" if row.id.step else _plain(row.get("jobname")),
        user=_plain(row.get("user")),
        account=_plain(row.get("account")),
        started_utc_s=started_s,
        ended_utc_s=ended_s,
        hosts=_hosts(row, notes),
        status="finished" if ended is None else ended,
    )
    start = Start(
        job, row.id.whole, row.get("cluster"), row.line, _plain(state), count, _plain(kind), notes=tuple(notes)
    )
    return replace(start, suspended_s=suspended_s), is_first or is_second


def _label_id(row: _Row) -> str:
    """What prologs write into labels: SLURM_JOB_ID, which is JobIDRaw."""
    raw = job_id(row.get("jobidraw"))
    return row.id.whole if raw is None else raw.whole


def _hosts(row: _Row, notes: list[str]) -> tuple[str, ...]:
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


def _plain(text: str) -> str:
    """What is safe to show and to file."""
    return "".join(c if c.isprintable() and c not in "/\\" else "_" for c in text)[:_LONGEST_NAME].strip()


# several rows of one job


def _add(own: list[Start], start: Start, found: _Found) -> None:
    """A row that recurs, as in files put together, counts once: the one that knows the later end."""
    same = next((i for i, one in enumerate(own) if one.job.started_utc_s == start.job.started_utc_s), None)
    if same is None:
        own.append(start)
        return
    kept, left = own[same], start
    if (start.job.ended_utc_s or 0) > (kept.job.ended_utc_s or 0) or kept.job.status == "running":
        kept, left = start, kept
    own[same] = kept
    found.skip(left.line, f"{left.id} began then on line {kept.line} too")


def _fold(row: _Row, own: list[Start], zone: tzinfo | None, found: _Found) -> None:
    """A step fills what its job's row leaves empty; nothing of it is added up."""
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
    )


def _holds(job: Job, at_s: float) -> bool:
    return (job.started_utc_s or 0) <= at_s <= (job.ended_utc_s or 0)


def _apart(own: Iterable[Start]) -> Iterator[Start]:
    """Starts of one id, one after another: no second is in two of them."""
    ordered = sorted(own, key=lambda one: one.job.started_utc_s or 0)
    for one, after in zip(ordered, [*ordered[1:], None], strict=True):
        next_s = None if after is None else after.job.started_utc_s
        if next_s is not None and (one.job.ended_utc_s or 0) > next_s:
            told = "its next start is before its end: it ends there"
            yield replace(one, job=replace(one.job, ended_utc_s=next_s), notes=(*one.notes, told))
        else:
            yield one


def _joined(steps: list[Start]) -> Start:
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
