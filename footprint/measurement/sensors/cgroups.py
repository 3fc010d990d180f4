"""What a job may use of its host: the limits of its control group, in both versions of the kernel's interface.

Limits hold for a group and all below it, so the smallest one on the way up counts. In a container the path that
/proc tells may not exist under the mount: the mount is then the container's own group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from footprint.measurement.sensors.host import PROC, SYS, count_of, text_of
from footprint.units import BYTES_PER_GB, S_PER_NS, S_PER_US

__all__ = ["CpuLimit", "cpu_limit", "memory_limit_gb"]

_NO_LIMIT_BYTES = 2**60
"""The old interface writes the largest page-aligned number where there is no limit."""


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """How many threads' time a job may use, and where the kernel counts what it has used."""

    threads_count: float
    usage: Path
    usage_key: bytes  # the word before the number, empty where the number stands alone
    s_per_unit: float


def memory_limit_gb(proc: Path = PROC, sys: Path = SYS) -> float | None:
    """The memory that this job may use, None where it is not limited."""
    limits = []
    for folder, is_second in _folders("memory", proc, sys):
        text = text_of(folder / ("memory.max" if is_second else "memory.limit_in_bytes")) or ""
        if text.isdecimal() and 0 < int(text) < _NO_LIMIT_BYTES:
            limits.append(int(text) / BYTES_PER_GB)
    return min(limits, default=None)


def cpu_limit(proc: Path = PROC, sys: Path = SYS) -> CpuLimit | None:
    """The processor time that this job may use, by quota or by set of threads; None where it is not limited."""
    found = []
    for folder, is_second in _folders("cpu", proc, sys):
        quota = _quota(folder, is_second)
        if quota is not None:
            found.append(_limit(quota, folder, is_second, sys))
    for folder, is_second in _folders("cpuset", proc, sys):
        names = ("cpuset.cpus.effective", "cpuset.cpus") if is_second else ("cpuset.effective_cpus", "cpuset.cpus")
        threads = next((count for name in names if (count := count_of(text_of(folder / name)))), 0)
        if threads:
            found.append(_limit(float(threads), folder, is_second, sys))
    return min(found, key=lambda limit: limit.threads_count, default=None)


def _quota(folder: Path, is_second: bool) -> float | None:
    if is_second:
        words = (text_of(folder / "cpu.max") or "").split()
    else:
        words = [text_of(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    if len(words) != 2 or not all(word.isdecimal() for word in words) or not int(words[0]) or not int(words[1]):
        return None
    return int(words[0]) / int(words[1])


def _limit(threads: float, folder: Path, is_second: bool, sys: Path) -> CpuLimit:
    if is_second:
        return CpuLimit(threads, folder / "cpu.stat", b"usage_usec", S_PER_US)
    hierarchies = sys / "fs/cgroup"
    below = folder.relative_to(hierarchies).parts[1:]
    return CpuLimit(threads, hierarchies.joinpath("cpuacct", *below, "cpuacct.usage"), b"", S_PER_NS)


def _folders(controller: str, proc: Path, sys: Path) -> Iterator[tuple[Path, bool]]:
    """My group's folder for a controller and those above it, each with whether it has the second interface."""
    mount = sys / "fs/cgroup"
    is_second = (mount / "cgroup.controllers").exists()
    root = mount if is_second else mount / controller
    path = ""
    for line in (text_of(proc / "self/cgroup") or "").splitlines():
        _, names, here = (*line.split(":", 2), "", "")[:3]
        if (is_second and not names) or (not is_second and controller in names.split(",")):
            path = here
    folder = root / path.lstrip("/")
    if ".." in folder.parts or not folder.is_dir():
        folder = root
    while folder.is_dir():
        yield folder, is_second
        if folder == root:
            return
        folder = folder.parent
