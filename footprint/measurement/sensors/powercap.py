"""Linux's powercap: the energy counters of processor packages and their memory, wherever they are shown.

Zones contain each other (psys holds packages, a package holds cores and uncore) and are shown more than once (flat
and nested, by MSR and by MMIO), so packages and memory alone are taken, each name once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from footprint.measurement.sensors import host
from footprint.units import J_PER_UJ, W_PER_UW

__all__ = [
    "MOST_W",
    "NUMBER_BYTES",
    "POWERCAP_VARIABLE",
    "Opener",
    "Zone",
    "measures_memory",
    "open_to_read",
    "places",
    "why_not",
    "zones",
]

Opener = Callable[[Path], int]

POWERCAP_VARIABLE = "FOOTPRINT_POWERCAP"
PLACES = (Path("/sys/class/powercap"), Path("/zeus_sys/class/powercap"))
"""Where the counters are looked for: the kernel's place, and where containers for zeus mount it."""

MOST_W = 1000.0
"""No package and no host's memory comes near: a limit above it means "none", a counter that moves faster was reset."""
NUMBER_BYTES = 32
_CONSTRAINTS = 4
_DEPTH = 4
_ZONE = re.compile(r".*rapl[^:]*(?::\d+)+")
_COPY = "mmio"


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter that counts: a package, or the memory of one."""

    meter: str
    component: str
    name: str
    folder: Path
    range_j: float | None
    limit_w: float | None

    @property
    def counter(self) -> Path:
        """The file that shows the joules."""
        return self.folder / "energy_uj"


def open_to_read(path: Path) -> int:
    """A counter's file, closed in programs that this one starts."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def places(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Folders that may hold the counters, the named one alone where one is named."""
    named = environment.get(POWERCAP_VARIABLE)
    return (Path(named),) if named else PLACES


def measures_memory(environment: Mapping[str, str], root: Path | None = None, opener: Opener = open_to_read) -> bool:
    """Whether the memory's counters can be read here, so that no model of it is needed."""
    readable = {zone.component for zone in zones(root, environment) if why_not(zone, opener) is None}
    return readable == {"cpu", "ram"}


def why_not(zone: Zone, opener: Opener) -> OSError | None:
    """What stands against reading a counter."""
    try:
        file = opener(zone.counter)
    except OSError as error:
        return error
    try:
        os.pread(file, NUMBER_BYTES, 0)
    except OSError as error:
        return error
    finally:
        os.close(file)
    return None


def zones(root: Path | None, environment: Mapping[str, str]) -> list[Zone]:
    """Packages, then their memory, from the first folder that has any; copies by MMIO only where there is no other."""
    for place in (root,) if root is not None else places(environment):
        folders = sorted(_folders(place, _DEPTH), key=lambda folder: (_COPY in folder.name, _order(folder.name)))
        names = {folder.name: host.text_of(folder / "name") or "" for folder in folders}
        found: dict[str, Zone] = {}
        for folder in folders:
            zone = _zone(folder, names)
            if zone is not None:
                found.setdefault(zone.meter, zone)
        if found:
            return sorted(found.values(), key=lambda zone: zone.component)
    return []


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Folders of zones, whether shown flat, as links, or nested."""
    seen: set[str] = set()
    try:
        inside = sorted(path for path in folder.iterdir() if "rapl" in path.name)
    except OSError:
        return
    for path in inside:
        for deeper in (path, *(_folders(path, depth - 1) if depth else ())):
            if _ZONE.fullmatch(deeper.name) and deeper.name not in seen:
                seen.add(deeper.name)
                yield deeper


def _order(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(":")[1:])


def _zone(folder: Path, names: Mapping[str, str]) -> Zone | None:
    """A zone that counts, None for one that lies inside or around others."""
    name = names[folder.name]
    parent = names.get(folder.name.rpartition(":")[0], "")
    if name.startswith("package"):
        meter, component = name, "cpu"
    elif name == "dram":
        meter, component = f"dram{parent.removeprefix('package')}", "ram"
        meter = meter if parent.startswith("package") else f"dram-{folder.name.rpartition(':')[2]}"
    else:
        return None
    range_uj = host.text_of(folder / "max_energy_range_uj") or ""
    return Zone(
        meter=meter,
        component=component,
        name=name,
        folder=folder,
        range_j=int(range_uj) * J_PER_UJ if range_uj.isdecimal() and int(range_uj) else None,
        limit_w=_limit_w(folder),
    )


def _limit_w(folder: Path) -> float | None:
    """The largest of a zone's limits of power, those aside that mean "none"."""
    limits = []
    for i in range(_CONSTRAINTS):
        for kind in ("max_power_uw", "power_limit_uw"):
            text = host.text_of(folder / f"constraint_{i}_{kind}") or ""
            watts = int(text) * W_PER_UW if text.isdecimal() else 0.0
            limits += [watts] if 0 < watts <= MOST_W else []
    return max(limits, default=None)
