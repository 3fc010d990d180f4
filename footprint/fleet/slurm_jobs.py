"""What SLURM knows of a job that a user names by its id alone: asked of sacct, or of what it once wrote."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from footprint.errors import InputError
from footprint.fleet.devices import Job
from footprint.fleet.slurm import Accounting, Start, read
from footprint.fleet.slurm_rows import delimiter, listed
from footprint.values import Run

__all__ = ["Known", "known_of"]

FIELDS = (
    "JobID,JobIDRaw,Cluster,User,Account,Partition,State,Start,End,ElapsedRaw,Suspended,NNodes,NodeList,AllocTRES,"
    "ConsumedEnergyRaw,TRESUsageInTot,AdminComment,JobName"
)
"""All of them are known to every version since 18.08; the name is last, for bars may stand in it."""

TIMEOUT_S = 30.0
_SUBJECT = re.compile(r"[0-9]{1,18}(?:_[0-9]{1,18})?(?:\+[0-9]{1,9})?")
_MOST_TOLD = 6


@dataclass(frozen=True, slots=True)
class Known:
    """The starts of the job that was asked for; of one that SLURM does not know, what the user said of it."""

    starts: tuple[Start, ...]
    notes: tuple[str, ...] = ()
    has_places: bool = False  # the user said which devices
    unknown: str = ""  # why SLURM tells nothing of it, where it was asked
    is_known: bool = False  # by SLURM's accounting

    def runs(self, run_of: Callable[[Start, Job], Run], *, has_metrics: bool) -> tuple[Run, ...]:
        """Each start as a run. One of several that cannot be assessed is told in the notes of the others.

        `run_of` is given the start and the job to assess: of one without metrics its devices are as many as it had.

        Raises
        ------
        InputError
            When there is none that can be, or one has more devices than were allocated.
        """
        runs: list[Run] = []
        failed: list[InputError] = []
        notes = list(self.notes)
        for start in self.starts:
            try:
                run = run_of(start, start.job if has_metrics or self.has_places else _rated(start))
                if not self.has_places:
                    run = _checked(run, start)
                runs.append(replace(run, notes=(*run.notes, *self._told(start))))
            except InputError as error:
                failed.append(error)
                notes.append(f"not counted: {_told(start)}: {error}")
        if not runs:
            raise self.told_beside(failed[-1])
        return tuple(
            replace(run, notes=(*run.notes, *(notes if at == len(runs) - 1 else ()))) for at, run in enumerate(runs)
        )

    def _told(self, start: Start) -> tuple[str, ...]:
        return (_told(start), *start.notes) if self.is_known else ()

    def told_beside(self, error: InputError) -> InputError:
        """What else could not be found, with the word that SLURM does not know the job either."""
        bound = f"{error.bound}; {self.unknown}"
        return InputError(error.field, error.value, bound, error.fix) if self.unknown else error


def known_of(
    asked: Job, saved: Path | None, environment: Mapping[str, str], *, is_one: bool = False, most_s: float | None = None
) -> Known:
    """The job's starts: from a saved output, or from sacct where it is there and no interval is given.

    Parameters
    ----------
    is_one : whether one alone can be shown
    most_s : that sacct may take; None: half a minute

    Raises
    ------
    InputError
        When a saved output is named beside an interval, cannot be read, or does not have the job; when there are
        several starts where one alone can be shown.
    """
    known = _known(asked, saved, environment, most_s or TIMEOUT_S)
    if is_one and len(known.starts) > 1:
        ids = list(dict.fromkeys(one.id for one in known.starts))
        told = "; ".join(_told(one) for one in known.starts[:_MOST_TOLD])
        told += f"; and {len(known.starts) - _MOST_TOLD} more" if len(known.starts) > _MOST_TOLD else ""
        fix = "write --format text, json or csv, which tell all" + (
            f"; or name one of them: {ids[0]}" if ids[1:] else ""
        )
        raise InputError("job", asked.id, f"has {len(known.starts)} starts: {told}", fix)
    return known


def _known(asked: Job, saved: Path | None, environment: Mapping[str, str], most_s: float) -> Known:
    has_interval = asked.started_utc_s is not None or asked.ended_utc_s is not None
    is_slurm = bool(asked.id) and not (asked.pod or asked.namespace) and not has_interval
    if saved is not None:
        if not is_slurm:
            raise InputError("sacct", str(saved), "tells when a job ran by its id", "give an id, and no --from or --to")
        try:
            text = saved.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError("sacct", str(saved), f"cannot be read: {error.strerror}", "name a file") from None
        accounting = read(text)
        _check_held(asked, accounting)
        if not accounting.of(asked.id):
            passed = "; ".join(listed(accounting.skipped)[:_MOST_TOLD])
            fix = "check the id" + (f"; passed over: {passed}" if passed else "")
            raise InputError("sacct", str(saved), f"has no start of job {asked.id}", fix)
        return _chosen(asked, accounting)
    program = shutil.which("sacct", path=environment.get("PATH", "")) if is_slurm else None
    if program is None:
        return Known((Start(asked),), has_places=True)
    if not _SUBJECT.fullmatch(asked.id):
        told = "sacct was not asked, for it is no id of a job, such as 4242, 4242_5 or 4242+1"
        return Known((Start(asked),), has_places=True, unknown=told)
    text, why = _asked(program, asked.id, environment, most_s)
    accounting = read(text, now_s=time.time())
    _check_held(asked, accounting)
    if not accounting.of(asked.id):
        told = why or "; ".join(("sacct knows no start of it", *_skipped(accounting)))
        return Known((Start(asked),), (told,), has_places=True, unknown=told)
    return _chosen(asked, accounting)


def _check_held(asked: Job, accounting: Accounting) -> None:
    """Of a job that held nothing there is nothing to find, here or elsewhere."""
    idle = accounting.idle_of(asked.id)
    if idle and not accounting.of(asked.id):
        told = "; ".join(dict.fromkeys(one.why for one in idle))
        fix = "ask again when it runs" if "yet" in told else "there is nothing to count"
        raise InputError("job", asked.id, f"{told}, by SLURM's accounting", fix)


def _asked(program: str, subject: str, environment: Mapping[str, str], most_s: float) -> tuple[str, str]:
    """What sacct writes, or why it wrote nothing; times in seconds, so that no zone is assumed."""
    words = [program, "-j", subject, "-D", "--parsable2", f"--delimiter={delimiter()}", "--noconvert", "-o", FIELDS]
    try:
        done = subprocess.run(
            words, env={**environment, "SLURM_TIME_FORMAT": "%s"}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=most_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"sacct did not answer within {most_s:.0f} s"
    except OSError as error:
        return "", f"sacct could not be run: {error.strerror}"
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        told = "".join(c for c in (lines[-1] if lines else "") if c.isprintable())[:200]
        return "", f"sacct failed with {done.returncode}: {told}"
    return done.stdout.decode("utf-8", "replace"), ""


def _chosen(asked: Job, accounting: Accounting) -> Known:
    """The starts, on the hosts and devices that the user means, where any are named."""
    starts = accounting.of(asked.id)
    clusters = sorted({one.cluster for one in starts})
    if len(clusters) > 1:
        told = f"is a job of several clusters: {', '.join(clusters)}"
        raise InputError("job", asked.id, told, "save what sacct -M CLUSTER writes and give it with --sacct")
    notes = [*accounting.assumed, *_skipped(accounting)]
    notes += [f"not counted: {one.id} {one.why}" for one in accounting.idle_of(asked.id)[:_MOST_TOLD]]
    is_several = len({one.id for one in starts}) > 1  # tasks or parts: one name, and each its own id
    meant = {_short(host): host for host in asked.hosts}
    found = []
    for one in starts:
        hosts = tuple(host for host in one.job.hosts if not meant or _short(host) in meant)
        if meant and not one.job.hosts:
            hosts = asked.hosts
        if meant and not hosts:
            notes.append(f"not counted, on none of the hosts named: {_told(one)}")
            continue
        places = {
            host: asked.devices_by_host[meant[_short(host)]]
            for host in hosts
            if meant.get(_short(host)) in asked.devices_by_host
        }
        name = asked.name or one.job.name
        name = f"{one.id} {name}" if is_several else name
        job = replace(one.job, name=name, project=asked.project or one.job.project)
        is_part = bool(places) or len(hosts) < len(one.job.hosts)
        job = replace(job, hosts=hosts, devices_by_host=places)
        found.append(replace(one, job=job, consumed_j=None if is_part else one.consumed_j))  # of all of its nodes
    if not found:
        raise InputError("host", ",".join(asked.hosts), f"had no start of job {asked.id}", "leave --host out")
    return Known(tuple(found), tuple(notes), has_places=bool(asked.devices_by_host), is_known=True)


def _short(host: str) -> str:
    return host.partition(".")[0]


def _skipped(accounting: Accounting) -> Sequence[str]:
    told = listed(accounting.skipped)
    more = len(told) - _MOST_TOLD
    lines = "; ".join(told[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
    return [f"of the accounting passed over: {lines}"] if told else []


def _told(start: Start) -> str:
    """'SLURM 4242: NODE_FAIL, 2026-11-01 08:00:00 to 10:00:00 UTC, 8 accelerators allocated (h100)'."""
    begun, ended = (
        datetime.fromtimestamp(at_s or 0, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for at_s in (start.job.started_utc_s, start.job.ended_utc_s)
    )
    count = start.accelerators_count
    had = "no accelerators named" if not count else f"{count} accelerator{'' if count == 1 else 's'} allocated"
    kind = f" ({start.accelerator})" if start.accelerator else ""
    return f"SLURM {start.id}: {start.state or 'state not known'}, {begun} to {ended} UTC, {had}{kind}"


def _rated(start: Start) -> Job:
    """For hours and a rating: as many devices as were allocated, spread over the hosts; which ones is all the same."""
    count, hosts = start.accelerators_count, start.job.hosts
    if not count or not hosts or count < len(hosts):
        return start.job
    each, more = divmod(count, len(hosts))
    places = {host: tuple(str(i) for i in range(each + (at < more))) for at, host in enumerate(hosts)}
    return replace(start.job, devices_by_host=places)


def _checked(run: Run, start: Start) -> Run:
    """The run with what SLURM says of it; more devices than it was given are those of others."""
    count = start.accelerators_count
    found = sum(one.meter.component == "accelerator" for one in run.meters)
    if count and found > count:
        told = f"has {found} devices in the metrics of its hosts and {count} were allocated"
        raise InputError("job", start.id, told, "give --host and --gpus to say which")
    notes = []
    if count and found < count and "." not in start.accelerator:
        notes.append(f"{found} of {count} accelerators that were allocated are counted")
    if "." in start.accelerator and any(
        one.meter.origin == "default" and one.meter.share == 1 and one.meter.component == "accelerator"
        for one in run.meters
    ):
        notes.append(f"{start.accelerator} are parts of devices, counted as whole ones")
    if not count and found:
        notes.append("the accounting names no accelerators: whether all of these were the job's is not known")
    return replace(run, notes=(*run.notes, *notes))
