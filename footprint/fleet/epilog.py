"""A job's footprint at its end, from inside SLURM's epilog: who it was, one line of it, and the script that asks."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from footprint.errors import InputError
from footprint.fleet.devices import Job, host_list, place_list
from footprint.fleet.slurm import Start
from footprint.fleet.slurm_jobs import Known, known_of
from footprint.fleet.slurm_rows import plain
from footprint.fleet.slurm_words import time_of
from footprint.records import to_plain
from footprint.values import Run

__all__ = ["JOB", "append", "comment", "is_others", "known", "line", "script", "told", "write_script"]

JOB = "SLURM_JOB_ID"
MARK = "# written by footprint slurm-epilog"
FIELDS = {"comment": "Comment", "admin-comment": "AdminComment"}
_ID = re.compile(r"[0-9]{1,18}")
_MODE, _SCRIPT_MODE = 0o640, 0o755
_MOST_COMMENT = 250
_MOST_ASKED_S, _MOST_OFF_S = 3.0, 2.0
_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


def is_others(environment: Mapping[str, str]) -> bool:
    """Whether this is a node of a job of which another node, the first one, writes the line."""
    own = environment.get("SLURMD_NODENAME", "")
    hosts = _hosts(environment)
    return bool(own and hosts) and own.partition(".")[0] != hosts[0].partition(".")[0]


def known(environment: Mapping[str, str]) -> Known:
    """The job that ends: its last start by sacct, which tells what it was given; else by the epilog's environment.

    Raises
    ------
    InputError
        When there is no job, it held nothing, or nothing tells when it began.
    """
    told = environment.get(JOB, "").strip()
    if not _ID.fullmatch(told):
        raise InputError(JOB, told or None, "is no job's id", "run it as an epilog of SLURM's")
    own = _by_environment(told, environment)
    places, started_s = own.job.devices_by_host, own.job.started_utc_s
    try:
        found = known_of(Job(id=told), None, environment, most_s=None if started_s is None else _MOST_ASKED_S)
    except InputError:
        if started_s is None:
            raise
        found = Known(())  # what ended may not have reached the accounting
    least_s = (started_s or 0.0) - _MOST_OFF_S
    starts = [one for one in found.starts if one.job.id == told and (one.job.started_utc_s or 0.0) > least_s]
    if found.is_known and starts:  # by its own id: that of an array's last task is the whole array's, too
        last = max(starts, key=lambda one: one.job.started_utc_s or 0.0)
        has_places = _are_all(places, last)
        name = own.job.name or last.job.name.removeprefix(f"{last.id} ")  # accounting may not know it yet
        job = replace(last.job, name=name, devices_by_host=places if has_places else {})
        return replace(found, starts=(replace(last, job=job),), has_places=has_places)
    if started_s is None:
        raise InputError(
            JOB, told, "began nobody knows when", "; ".join(found.notes) or "put sacct into the epilog's PATH"
        )
    return Known((own,), found.notes, has_places=bool(places))


def _are_all(places: Mapping[str, Sequence[str]], start: Start) -> bool:
    """Whether these places are all that a start had."""
    count = sum(map(len, places.values()))
    return bool(count) and set(places) == set(start.job.hosts) and count == start.accelerators_count


def _by_environment(told: str, environment: Mapping[str, str]) -> Start:
    """As far as SLURM's variables go; an end that lies ahead is that of its limit."""
    hosts = _hosts(environment)
    started_s = _moment(environment, "SLURM_JOB_START_TIME")
    ended_s = _moment(environment, "SLURM_JOB_END_TIME")
    now_s = time.time()
    job = Job(
        id=told,
        name=plain(environment.get("SLURM_JOB_NAME", "")),
        user=plain(environment.get("SLURM_JOB_USER", "")),
        account=plain(environment.get("SLURM_JOB_ACCOUNT", "")),
        started_utc_s=started_s,
        ended_utc_s=now_s if ended_s is None or ended_s <= (started_s or 0.0) else min(ended_s, now_s),
        hosts=hosts,
        devices_by_host=_places(environment, hosts),
        status="failed" if environment.get("SLURM_JOB_EXIT_CODE", "0") not in ("0", "") else "finished",
    )
    count = sum(map(len, job.devices_by_host.values())) or None
    return Start(job, told, accelerators_count=count, partition=plain(environment.get("SLURM_JOB_PARTITION", "")))


def _hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    told = environment.get("SLURM_JOB_NODELIST", "") or environment.get("SLURM_NODELIST", "")  # on nodes, before 23
    try:
        return host_list(told) if told else ()
    except InputError:
        return ()


def _places(environment: Mapping[str, str], hosts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of a job on one host; of several hosts the variable tells those of one alone."""
    told = environment.get("SLURM_JOB_GPUS", "")
    try:
        return {hosts[0]: place_list(told)} if told and len(hosts) == 1 else {}
    except InputError:
        return {}


def _moment(environment: Mapping[str, str], name: str) -> float | None:
    try:
        return time_of(environment.get(name, ""), UTC)[0]
    except ValueError:
        return None


def line(run: Run, environment: Mapping[str, str]) -> str:
    """One line of JSON: what the job was, used and cost, and how well that is known."""
    facility = run.footprint.facility
    usage = run.usage
    told: dict[str, Any] = {
        "job": environment.get(JOB, ""),
        "cluster": environment.get("SLURM_CLUSTER_NAME", ""),
        "user": environment.get("SLURM_JOB_USER", ""),
        "account": environment.get("SLURM_JOB_ACCOUNT", "") or run.project,
        "partition": environment.get("SLURM_JOB_PARTITION", ""),
        "name": run.name,
        "started_utc": _utc(run.started_utc_s),
        "ended_utc": _utc(run.ended_utc_s),
        "accelerators": [one.accelerator for one in usage.lines],
        "accelerator_hours": usage.accelerator_hours.mid,
        "it_energy_kwh": to_plain(facility.it_energy_kwh),
        "facility_energy_kwh": to_plain(facility.facility_energy_kwh),
        "operational_location_kgco2e": to_plain(facility.operational_location_kgco2e),
        "electricity_usd": None if facility.electricity_usd is None else to_plain(facility.electricity_usd),
        "evidence": run.evidence,
        "notes": list(run.notes),
        "version": run.version,
    }
    return json.dumps(told, allow_nan=False, separators=(",", ":")) + "\n"


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def append(path: Path, told: str) -> None:
    """To the end of a file, in one write: lines of several epilogs do not mix."""
    at = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
    try:
        os.write(at, told.encode("utf-8"))
    finally:
        os.close(at)


def comment(id: str, field: str, told: str, environment: Mapping[str, str], most_s: float) -> None:
    """Into a comment of the job: by scontrol, or where that refuses a job that has ended, by sacctmgr.

    Parameters
    ----------
    id : as sacct writes it, 1234_5: the number alone may mean a whole array

    Raises
    ------
    InputError
        When neither is there, or both refuse.
    """
    words = f"{FIELDS[field]}={_short(told)}"
    refused = []
    for program, *before in (
        ("scontrol", "update", f"JobId={id}"), ("sacctmgr", "-i", "modify", "job", "where", f"jobid={id}", "set"),
    ):  # fmt: skip
        found = shutil.which(program, path=environment.get("PATH", ""))
        if found is None:
            refused.append(f"{program} is not in PATH")
            continue
        try:
            done = subprocess.run(
                [found, *before, words], env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=most_s, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            refused.append(f"{program}: {type(error).__name__}")
            continue
        if not done.returncode:
            return
        said = done.stderr or done.stdout
        refused.append(f"{program}: {plain(said.decode('utf-8', 'replace').strip())}")
    fix = "it takes one of them in the epilog's PATH, as SlurmUser or root"
    raise InputError("comment", field, f"cannot be set: {'; '.join(refused)}", fix)


def _short(told: str) -> str:
    return "".join(c if c.isprintable() else " " for c in told.strip())[:_MOST_COMMENT]


# the script


def script(program: str, arguments: Sequence[str], files: Sequence[tuple[str, str]] = ()) -> str:
    """What SLURM runs; whatever happens it ends well, for an epilog that fails drains its node.

    Parameters
    ----------
    files : variables that name files of credentials; never a credential itself
    """
    words = shlex.join([program, "slurm-epilog", *arguments])
    found = shutil.which("sacct")
    path = ":".join(dict.fromkeys([*([str(Path(found).parent)] if found else []), *_PATH]))
    lines = (
        "#!/bin/sh",
        f"{MARK}: one line of JSON a job",
        f"PATH={shlex.quote(path)}; export PATH  # SLURM sets none",
        *(f"{name}={shlex.quote(value)}; export {name}" for name, value in files),
    )
    return "\n".join((*lines, f"{words} >/dev/null || true", "exit 0")) + "\n"


def told(text: str, path: str) -> str:
    """What to put where, in words, and the script."""
    return (
        "# slurm.conf, either: once a job, by the controller, which holds no node\n"
        f"EpilogSlurmctld={path}\n"
        "# or, where the controller does not reach the metrics: by nodes, of which a job's first one writes\n"
        f"Epilog={path}\n"
        f"\n# {path}, to be executable; --write {path} writes it\n"
        f"{text}"
    )


def write_script(path: Path, text: str) -> None:
    """The script, executable; what is not ours is not written over.

    Raises
    ------
    InputError
        When there is another file, or it cannot be written.
    """
    try:
        if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise InputError("write", str(path), "is there and not ours", "name another file, and call it from there")
        path.write_text(text, encoding="utf-8")
        path.chmod(_SCRIPT_MODE)
    except OSError as error:
        fix = "name a file in a folder that exists"
        raise InputError("write", str(path), f"cannot be written ({error.strerror})", fix) from None
