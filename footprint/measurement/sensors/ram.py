"""Memory where no counter tells: watts by its size, and by what a job may use of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from footprint.errors import SensorLost, SensorUnavailable
from footprint.formulas import node
from footprint.measurement.sensors import cgroups, host
from footprint.measurement.sensors.base import MODEL_PERIOD_S, Clock
from footprint.values import Finding, Meter, Range, Sample

if TYPE_CHECKING:
    from footprint.catalog import Catalog

__all__ = ["RamSensor"]

METER = "ram"
_CONSTANTS = ("ram_w_per_gb", "ram_most_w")


class RamSensor:
    """Modelled watts of the host's memory, steady; `Meter.share` is the job's limit over the whole.

    Parameters
    ----------
    environment : not read; every sensor is made the same way
    clock : the host's monotonic clock
    is_measured : whether a counter of the memory is read already: then this one stands back
    proc, sys : where the kernel tells of the host
    catalog : for the model's constants; the shipped one where None
    """

    name = "ram-size"
    period_s: float | None = None
    is_model = True

    def __init__(
        self,
        environment: Mapping[str, str] = MappingProxyType({}),
        clock: Clock = time.monotonic,
        *,
        is_measured: bool = False,
        proc: Path = host.PROC,
        sys: Path = host.SYS,
        catalog: Catalog | None = None,
    ) -> None:
        self._clock, self._is_measured, self._proc, self._sys, self._given = clock, is_measured, proc, sys, catalog
        self._power_w: float | None = None

    def available(self) -> Finding:
        """How much memory the model counts."""
        if self._is_measured:
            return Finding(self.name, False, "not needed: rapl counts what the memory draws")
        size_gb = host.memory_gb(self._proc)
        if size_gb is None:
            return Finding(self.name, False, "nothing tells how much memory there is")
        return Finding(self.name, True, f"models {self._told(size_gb)}")

    def _told(self, size_gb: float) -> str:
        limit_gb = cgroups.memory_limit_gb(self._proc, self._sys)
        if limit_gb is None or limit_gb >= size_gb:
            return f"{size_gb:.3g} GB"
        return f"{limit_gb:.3g} of {size_gb:.3g} GB, the limit of its control group"

    def open(self) -> tuple[Meter, ...]:
        """One meter: the host's memory.

        Raises
        ------
        SensorUnavailable
            When nothing tells how much there is, or when a counter is read already.
        """
        finding, size_gb = self.available(), host.memory_gb(self._proc)
        if not finding.is_available or size_gb is None:
            raise SensorUnavailable(self.name, finding.told, finding.fix)
        limit_gb = cgroups.memory_limit_gb(self._proc, self._sys) or size_gb
        watts = self._watts(size_gb)
        self._power_w = watts.mid
        return (
            Meter(
                id=METER,
                component="ram",
                name="memory",
                sensor=self.name,
                scope="dram",
                origin="modelled",
                period_s=MODEL_PERIOD_S,
                source=f"constants.csv, {' and '.join(_CONSTANTS)}",
                idle_w=watts.low,
                max_w=watts.high,
                true_over_read_ratio=Range(watts.low / watts.mid, 1.0, watts.high / watts.mid),
                share=min(limit_gb / size_gb, 1.0),
                note=self._told(size_gb),
            ),
        )

    def _watts(self, size_gb: float) -> Range:
        catalog = self._given
        if catalog is None:
            from footprint.catalog import open_catalog

            catalog = open_catalog()
        a_gb, most = (catalog.constant(name) for name in _CONSTANTS)
        return Range(
            node.ram_power_w(size_gb, a_gb.low, most.low),
            node.ram_power_w(size_gb, a_gb.mid, most.mid),
            node.ram_power_w(size_gb, a_gb.high, most.high),
        )

    def read(self) -> Sequence[Sample]:
        """The same watts at every moment.

        Raises
        ------
        SensorLost
            When it is not open.
        """
        if self._power_w is None:
            raise SensorLost(self.name, "is not open")
        return (Sample(METER, self._clock(), power_w=self._power_w),)

    def read_counters(self) -> Sequence[Sample]:
        """Nothing: there is no counter."""
        return ()

    def lost(self) -> tuple[tuple[str, str], ...]:
        """Never: nothing is read that could go."""
        return ()

    def close(self) -> None:
        """Nothing is held."""
        self._power_w = None
