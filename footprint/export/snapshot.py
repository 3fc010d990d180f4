"""What is exported: live runs at one moment, as plain numbers in base units (joules, watts, grams, seconds)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "DeviceNow", "HostNow", "RunNow"]


@dataclass(frozen=True, slots=True)
class DeviceNow:
    """A device, or a part of a host, that a run counts; my share of it."""

    host: str
    id: str
    component: str  # accelerator, cpu, ram or node
    name: str
    scope: str  # gpu, module, package, dram or node
    origin: str  # measured, modelled or assumed
    energy_j: float  # since the run began
    power_w: float | None = None  # None where it is late, or the run has ended
    utilization: float | None = None
    stalled_j: float | None = None  # drawn while it did next to nothing


@dataclass(frozen=True, slots=True)
class HostNow:
    """A host of a run, and the moment that its numbers are of."""

    name: str
    reading_utc_s: float


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of one is used, and will be."""

    name: str  # energy, co2e or cost
    used_ratio: float
    forecast_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run at one moment. What is not known is None; counts never fall while the run is followed."""

    id: str
    name: str
    project: str
    is_live: bool
    started_utc_s: float
    place: str  # what was said of it: region, zone or country
    version: str  # of the tracker that writes
    hosts: tuple[HostNow, ...]
    devices: tuple[DeviceNow, ...]
    facility_energy_j: float | None = None
    facility_power_w: float | None = None
    operational_location_co2e_g: float | None = None
    electricity_usd: float | None = None
    coverage_ratio: float | None = None  # measured share of the energy
    steps_count: float | None = None
    tokens: float | None = None
    done_ratio: float | None = None
    forecast_facility_energy_j: float | None = None
    forecast_operational_location_co2e_g: float | None = None
    forecast_electricity_usd: float | None = None
    forecast_end_utc_s: float | None = None
    budgets: tuple[Budget, ...] = ()
