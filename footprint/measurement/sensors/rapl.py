"""RAPL: the energy counters of processor packages and their memory, as Linux's powercap shows them, AMD's too.

`powercap` finds them; here each is counted once, also where every die of a package mirrors its counter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.sensors import cgroups, host, powercap
from footprint.measurement.sensors.base import Clock
from footprint.measurement.sensors.powercap import MOST_W, POWERCAP_VARIABLE, Opener, Zone
from footprint.units import MICROJOULES_PER_J, MICROJOULES_PER_MJ
from footprint.values import Finding, Meter, Range, Sample

if TYPE_CHECKING:
    from footprint.catalog import Catalog

__all__ = ["RaplSensor"]

UPDATE_S = 0.001
"""The counters move about once a millisecond."""
BURST_RATIO = 2.0
"""Over the largest limit, for a while: generous, for a counter wrongly taken for reset would lose energy."""
READS_A_WRAP = 2


class RaplSensor:
    """Energy of packages and memory. Files are read in place (`pread`), so a forked child may go on reading them.

    Parameters
    ----------
    environment : FOOTPRINT_POWERCAP names another folder of counters, such as one mounted into a container
    clock : the host's monotonic clock
    root : that folder, by parameter
    proc, sys : where the kernel tells of the host
    opener : opens a counter; a test's own
    catalog : for the error of RAPL; the shipped one where None
    """

    name = "rapl"

    def __init__(
        self,
        environment: Mapping[str, str] = MappingProxyType({}),
        clock: Clock = time.monotonic,
        *,
        root: Path | None = None,
        proc: Path = host.PROC,
        sys: Path = host.SYS,
        opener: Opener = powercap.open_to_read,
        catalog: Catalog | None = None,
    ) -> None:
        self.period_s: float | None = None
        self._environment, self._clock, self._root, self._proc, self._sys = environment, clock, root, proc, sys
        self._opener, self._catalog = opener, catalog
        self._zones: list[Zone] = []
        self._files: dict[str, int] = {}
        self._lost: dict[str, str] = {}

    def available(self) -> Finding:
        """The counters that can be read, or the line that lets them be read."""
        zones = powercap.zones(self._root, self._environment)
        if not any(zone.component == "cpu" for zone in zones):
            told, fix = self._absence()
            return Finding(self.name, False, told, fix)
        refused = {zone.meter: why for zone in zones if (why := powercap.why_not(zone, self._opener)) is not None}
        read = [zone.meter for zone in zones if zone.meter not in refused]
        if not any(zone.component == "cpu" and zone.meter in read for zone in zones):
            meter, error = next(iter(refused.items()))
            if not isinstance(error, PermissionError):
                return Finding(self.name, False, f"{meter} cannot be read: {error.strerror or error}")
            return Finding(self.name, False, *self._refusal(meter))
        told = f"counts {', '.join(read)}"
        if not refused:
            return Finding(self.name, True, told)
        return Finding(self.name, True, f"{told}; not {', '.join(refused)}", self._permit())

    def _absence(self) -> tuple[str, str]:
        """Why there is no counter, and what would show one."""
        if host.processor(self._proc, self._sys).is_guest:
            told = "this is a virtual machine, and the hypervisor keeps the counters to itself"
            fix = (
                f"let the host write them to files in the guest and name the folder: export {POWERCAP_VARIABLE}=FOLDER"
            )
            return told, fix
        if host.in_container(self._environment, self._proc):
            fix = f"docker run -v /sys/devices/virtual/powercap:/powercap:ro -e {POWERCAP_VARIABLE}=/powercap ..."
            return "containers are not shown the counters", fix
        return f"no counter in {self._where()}", "sudo modprobe intel_rapl_msr"

    def _refusal(self, meter: str) -> tuple[str, str]:
        told = f"{meter} is root's alone to read since CVE-2020-8694 (it lets users of this machine spy on each other)"
        if host.in_container(self._environment, self._proc):
            told += "; this is a container: run the line on its host"
        return f"{told}; the line holds until the next start", self._permit()

    def _permit(self) -> str:
        return f"sudo chmod a+r {self._where()}/*rapl*:*/energy_uj"

    def _where(self) -> Path:
        return self._root or powercap.places(self._environment)[0]

    def open(self) -> tuple[Meter, ...]:
        """One meter a counter, mirrored ones once.

        Raises
        ------
        SensorUnavailable
            When no package can be read.
        """
        self.close()
        finding = self.available()
        if not finding.is_available:
            raise SensorUnavailable(self.name, finding.told, finding.fix)
        for zone in powercap.zones(self._root, self._environment):
            try:
                self._files[zone.meter] = self._opener(zone.counter)
            except OSError:
                continue  # as `available` told
            self._zones.append(zone)
        mirrors = self._drop_mirrors()
        if not any(zone.component == "cpu" for zone in self._zones):
            self.close()
            raise SensorUnavailable(self.name, "the packages cannot be read any more", "")
        meters = self._meters(mirrors)
        wraps = [meter.wraps_at_j / meter.max_w for meter in meters if meter.wraps_at_j and meter.max_w]
        self.period_s = min(wraps) / READS_A_WRAP if wraps else None
        return meters

    def _meters(self, mirrors: Mapping[str, list[str]]) -> tuple[Meter, ...]:
        """Told once, with errors and shares."""
        catalog = self._catalog or _shipped_catalog()
        processor = host.processor(self._proc, self._sys)
        limit, size_gb = cgroups.cpu_limit(self._proc, self._sys), host.memory_gb(self._proc)
        limit_gb = cgroups.memory_limit_gb(self._proc, self._sys)
        shares = {
            "cpu": min(limit.threads_count / processor.threads_count, 1.0) if limit else 1.0,
            "ram": min(limit_gb / size_gb, 1.0) if limit_gb and size_gb else 1.0,
        }
        of_amd = "amd" in processor.identity.casefold()
        errors = {
            "cpu": catalog.constant("rapl_amd_ratio" if of_amd else "rapl_package_ratio"),
            "ram": catalog.constant("rapl_dram_ratio"),
        }
        return tuple(
            Meter(
                id=zone.meter,
                component=zone.component,
                name=processor.name if zone.component == "cpu" and processor.name else zone.name,
                sensor=self.name,
                scope="package" if zone.component == "cpu" else "dram",
                origin="measured",
                source=f"powercap {zone.folder.name} ({zone.name})",
                has_counter=True,
                period_s=UPDATE_S,
                max_w=_most_w(zone, processor, catalog),
                wraps_at_j=zone.range_j,
                true_over_read_ratio=Range(errors[zone.component].low, 1.0, errors[zone.component].high),
                share=shares[zone.component],
                note=_note(mirrors.get(zone.meter, []), shares[zone.component]),
            )
            for zone in self._zones
        )

    def _drop_mirrors(self) -> dict[str, list[str]]:
        """Packages that show another's energy, found by reading one between two readings of the other."""
        mirrors: dict[str, list[str]] = {}
        kept: list[Zone] = []
        for zone in self._zones:
            twin = next((other for other in kept if self._are_one(other, zone)), None)
            if twin is None:
                kept.append(zone)
            else:
                mirrors.setdefault(twin.meter, []).append(zone.meter)
                os.close(self._files.pop(zone.meter))
        self._zones = kept
        return mirrors

    def _are_one(self, one: Zone, other: Zone) -> bool:
        if one.component != "cpu" or other.component != "cpu":
            return False
        try:
            before, between, after = (self._energy_j(zone) for zone in (one, other, one))
        except (OSError, ValueError):
            return False
        slack_j = UPDATE_S * (one.limit_w or MOST_W)
        return between > 0 and before - slack_j <= between <= after + slack_j

    def read(self) -> Sequence[Sample]:
        """Each counter's joules; a counter that is gone is tried again by its path.

        Raises
        ------
        SensorLost
            When none answers any more.
        """
        samples = []
        for zone in self._zones:
            at_s = self._clock()
            try:
                energy_j = self._energy_j(zone)
            except (OSError, ValueError) as error:
                if not self._reopen(zone):
                    self._lost[zone.meter] = f"no longer answers: {error}"
                    continue
                try:
                    energy_j = self._energy_j(zone)
                except (OSError, ValueError):
                    self._lost[zone.meter] = f"no longer answers: {error}"
                    continue
            self._lost.pop(zone.meter, None)
            samples.append(Sample(zone.meter, at_s, energy_j=energy_j, stale_s=UPDATE_S))
        if not samples:
            raise SensorLost(self.name, "; ".join(f"{meter} {why}" for meter, why in self.lost()) or "is not open")
        return samples

    def read_counters(self) -> Sequence[Sample]:
        """The same: there is nothing but counters."""
        return self.read()

    def count(self) -> Sequence[int]:
        """Millijoules of each counter; nothing where one does not answer."""
        try:
            return [self._energy_uj(zone) // MICROJOULES_PER_MJ for zone in self._zones]
        except (OSError, ValueError):
            return ()

    def _energy_j(self, zone: Zone) -> float:
        return self._energy_uj(zone) / MICROJOULES_PER_J

    def _energy_uj(self, zone: Zone) -> int:
        return int(os.pread(self._files[zone.meter], powercap.NUMBER_BYTES, 0))

    def _reopen(self, zone: Zone) -> bool:
        try:
            opened = self._opener(zone.counter)
        except OSError:
            return False
        os.close(self._files[zone.meter])
        self._files[zone.meter] = opened
        return True

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Counters that could not be opened or no longer answer."""
        return tuple(self._lost.items())

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.popitem()[1])
        self._zones.clear()
        self._lost.clear()


def _shipped_catalog() -> Catalog:
    from footprint.catalog import open_catalog

    return open_catalog()


def _note(mirrors: Sequence[str], share: float) -> str:
    told = [f"{', '.join(mirrors)} show the same counter: counted once"] if mirrors else []
    told += [f"{share:.3g} of it is this job's by its limit"] if share < 1 else []
    return "; ".join(told)


def _most_w(zone: Zone, processor: host.Processor, catalog: Catalog) -> float:
    """What a counter cannot exceed: limits of memory are often wrong, AMD shows none and has its rating."""
    if zone.component == "ram":
        return MOST_W
    from footprint.measurement.sensors import ratings

    rated_w = zone.limit_w or ratings.rating(processor.name, processor.identity, processor.threads_count, catalog).tdp_w
    return min(rated_w * BURST_RATIO, MOST_W)
