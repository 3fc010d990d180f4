"""`footprint doctor`."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.shield import Shield
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.version import __version__

if TYPE_CHECKING:
    from footprint.measurement.sensors import Sensor
    from footprint.report.diagnosis import Diagnosis, Folder, ReadingTime
    from footprint.values import Finding, Meter

_CHOOSING = (
    "CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "GPU_DEVICE_ORDINAL", "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
)  # fmt: skip
"""In the order in which they decide."""

_SHARED_SYSTEMS = (
    "nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "fuse.ceph", "fuse.ceph-fuse", "glusterfs", "fuse.glusterfs",
    "cifs", "smb3", "afs", "orangefs", "panfs", "wekafs", "fuse.juicefs", "fuse.sshfs", "9p", "virtiofs", "fuse.s3fs",
    "fuse.gcsfuse",
)  # fmt: skip
_PACKAGES = ("nvidia-ml-py", "amdsmi", "torch")
_PATIENCE_S = 10.0
"""A driver that says nothing for so long hangs."""

_READINGS, _MOST_READING_S = 20, 1.0


@takes_words(SITE_WORDS)
def doctor(
    words: dict[str, Any],
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between readings, for the overhead.")] = 1.0,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs shall be kept.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where nothing is measured.")] = False,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Say what can be measured here, what cannot, and the line that fixes it.

    \b
    Examples:
      footprint doctor
      footprint doctor --strict --country FRA
      footprint doctor --format json
    """
    name = output.chosen(format, out)
    if name not in ("text", "json"):
        raise typer.BadParameter(f"{name!r} is not one of text, json", param_hint="--format")
    if not 0 < interval < float("inf"):
        raise typer.BadParameter(f"{interval} is no number of seconds", param_hint="--interval")
    found = _diagnose(words, interval, folder, data)
    if name == "json":
        from footprint import records

        output.write(records.to_json(found), out)
    else:
        from footprint.report import diagnosis

        output.write(diagnosis.text(found, color=out is None and output.is_colored()), out)
    if strict and not found.measures:
        raise typer.Exit(1)


def _diagnose(words: dict[str, Any], interval_s: float, folder: Path | None, data: Path | None) -> Diagnosis:
    from footprint.measurement.sensors import detect
    from footprint.report.diagnosis import Diagnosis

    site, is_given, told = _site(words, data)
    heard = Examination(os.environ, detect)
    heard.within(_PATIENCE_S)
    times = tuple(heard.times)
    return Diagnosis(
        version=__version__,
        system=_system(),
        findings=tuple(heard.findings),
        meters=tuple(heard.meters),
        visible=tuple((name, os.environ[name]) for name in _CHOOSING if name in os.environ),
        reading_times=times,
        overhead_share=sum(t.cpu_s for t in times) / interval_s if times else None,
        interval_s=interval_s,
        zone=site.zone,
        location_intensity_g_per_kwh=site.location_intensity_g_per_kwh,
        is_place_given=is_given,
        folders=_folders(folder),
        launcher=_launcher(os.environ),
        processes=_processes(),
        notes=(*heard.notes, *told),
    )


class Examination:
    """Asks every sensor, on a thread of its own: what was heard stays when a call never returns."""

    def __init__(
        self, environment: Mapping[str, str], detect: Callable[..., tuple[list[Sensor], list[Finding]]]
    ) -> None:
        self.environment, self._detect = environment, detect
        self.findings: list[Finding] = []
        self.meters: list[Meter] = []
        self.times: list[ReadingTime] = []
        self.notes: list[str] = []
        self.asked = ""

    def within(self, patience_s: float) -> None:
        """Ask, and wait so long for the answers."""
        thread = threading.Thread(target=self._ask, name="footprint-doctor", daemon=True)
        thread.start()
        thread.join(patience_s)
        if thread.is_alive():
            self.notes.append(f"{self.asked or 'a sensor'} does not answer within {patience_s:g} s: its driver hangs")

    def _ask(self) -> None:
        sensors: list[Sensor] = []
        with Shield(self.notes.append):
            sensors, found = self._detect(self.environment, time.monotonic)
            self.findings += found
        for sensor in sensors:
            self.asked = sensor.name
            with Shield(self._noted):
                try:
                    self.meters += sensor.open()
                    self.times.append(self._timed(sensor))
                finally:
                    sensor.close()

    def _noted(self, told: str) -> None:
        self.notes.append(f"{self.asked}: {told}")

    def _timed(self, sensor: Sensor) -> ReadingTime:
        """The middle of some readings; the first may warm up."""
        from footprint.report.diagnosis import ReadingTime

        sensor.read()
        taken: list[tuple[float, float]] = []
        begun_s = time.monotonic()
        while len(taken) < _READINGS and time.monotonic() - begun_s < _MOST_READING_S:
            wall_s, cpu_s = time.perf_counter(), time.thread_time()
            sensor.read()
            taken.append((time.perf_counter() - wall_s, time.thread_time() - cpu_s))
        walls, cpus = (sorted(column) for column in zip(*taken, strict=True))
        return ReadingTime(sensor.name, walls[len(walls) // 2], cpus[len(cpus) // 2])


def _site(words: dict[str, Any], data: Path | None) -> tuple[Any, bool, tuple[str, ...]]:
    """The place that was given, or the world."""
    from footprint.accounting import site as sites
    from footprint.accounting import words as read
    from footprint.catalog import open_catalog

    settings = read.settings(words.pop("settings", None), sites.SETTINGS)
    site, _, notes = sites.site(sites.SiteWords(**words, settings=settings), (), open_catalog(data))
    is_given = bool({"region", "country", "zone"} & set(words)) or "location_intensity_g_per_kwh" in settings
    return site, is_given, notes if is_given else ()


def _system() -> tuple[tuple[str, str], ...]:
    import platform
    from importlib import metadata

    found = [("Python", platform.python_version()), (platform.system(), f"{platform.release()} {platform.machine()}")]
    for package in _PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    with suppress(OSError):
        told = Path("/proc/driver/nvidia/version").read_text(encoding="ascii", errors="replace")
        if match := re.search(r"Module.*?\s(\d+(?:\.\d+)+)\s", told):
            found.append(("NVIDIA driver", match[1]))
    return tuple(found)


def _folders(folder: Path | None) -> tuple[Folder, ...]:
    from footprint.measurement.claims import FOLDER_VARIABLE, claims_folder
    from footprint.measurement.journal import runs_folder

    runs, claims = runs_folder(os.environ, folder), claims_folder(os.environ)
    named = ("--folder",) if folder else tuple(
        name for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_HOME", "XDG_DATA_HOME") if os.environ.get(name)
    )  # fmt: skip
    by = FOLDER_VARIABLE if os.environ.get(FOLDER_VARIABLE) else "the host's temporary folder"
    several = "runs on several nodes write to a shared folder: set FOOTPRINT_FOLDER"
    return (
        _folder("runs", runs, named[0] if named else "by default", "set FOOTPRINT_FOLDER to one that can be", several),
        _folder("claims", claims, by, f"set {FOLDER_VARIABLE}, alike for all processes of the host", ""),
    )


def _folder(purpose: str, path: Path, chosen_by: str, fix: str, fix_unshared: str) -> Folder:
    from footprint.report.diagnosis import Folder
    from footprint.units import BYTES_PER_GB

    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    is_writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    kind = _file_system(there)
    is_shared = kind in _SHARED_SYSTEMS if kind else None
    free_gb: float | None = None
    with Shield(lambda told: None):
        status = os.statvfs(there)
        free_gb = status.f_bavail * status.f_frsize / BYTES_PER_GB
    advice = fix if not is_writable else fix_unshared if is_shared is False else ""
    return Folder(purpose, str(path), chosen_by, is_writable, kind, is_shared, free_gb, advice)


def _file_system(path: Path) -> str:
    """The kind that a path lies on, by the longest mount point above it; '' where the system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    best, kind = "", ""
    real = str(path.resolve())
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        point = fields[4].replace("\\040", " ") if len(fields) > 4 else ""
        is_above = real == point or real.startswith(point.rstrip("/") + "/")
        if point and after and is_above and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def _launcher(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    from footprint.measurement.launcher import launch_of

    seen = launch_of(environment)
    if not seen.launcher and not seen.is_named_by_user:
        return ()
    told = [("launched by", seen.launcher or "hand"), ("run", seen.job or "not named")]
    told += [
        ("rank", f"{seen.rank} of {seen.world_count}"),
        ("on this host", f"{seen.local_rank} of {seen.local_world_count}"),
    ]
    return (*told, ("restarts", str(seen.restart_count)))


def _processes() -> str:
    import multiprocessing

    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    told = "a forked child does not go on measuring: its parent does" if method == "fork" else "children start anew"
    return f"multiprocessing starts by {method}: {told}"
