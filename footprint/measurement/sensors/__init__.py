"""Every sensor by name, and which of them can read this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from footprint.errors import FootprintError, UnknownName
from footprint.measurement.sensors.base import Clock, Pids, Sensor
from footprint.values import Finding

__all__ = ["SENSORS", "Clock", "Pids", "Sensor", "detect", "preload"]

Factory = Callable[[Mapping[str, str], Clock, Pids], Sensor]


def _nvml(environment: Mapping[str, str], clock: Clock, pids: Pids) -> Sensor:
    from footprint.measurement.sensors.nvml import NvmlSensor

    return NvmlSensor(environment, clock, pids=pids)


def _amdsmi(environment: Mapping[str, str], clock: Clock, pids: Pids) -> Sensor:
    from footprint.measurement.sensors.amd import AmdSensor

    return AmdSensor(environment, clock)


def _rapl(environment: Mapping[str, str], clock: Clock, pids: Pids) -> Sensor:
    from footprint.measurement.sensors.rapl import RaplSensor

    return RaplSensor(environment, clock)


def _cpu_load(environment: Mapping[str, str], clock: Clock, pids: Pids) -> Sensor:
    from footprint.measurement.sensors.cpu import CpuLoadSensor

    return CpuLoadSensor(environment, clock)


def _ram_size(environment: Mapping[str, str], clock: Clock, pids: Pids) -> Sensor:
    from footprint.measurement.sensors.powercap import measures_memory
    from footprint.measurement.sensors.ram import RamSensor

    return RamSensor(environment, clock, is_measured=measures_memory(environment))


SENSORS: dict[str, Factory] = {
    "nvml": _nvml,
    "amdsmi": _amdsmi,
    "rapl": _rapl,
    "cpu-load": _cpu_load,
    "ram-size": _ram_size,
}
"""A sensor's name and how to make it; each is imported when it is made."""

STANDS_IN_FOR = {"cpu-load": "rapl"}
"""A model that is asked only where the sensor of the same thing cannot be read."""

OF_THE_HOST = frozenset(("rapl", "cpu-load", "ram-size"))
"""Not asked where an accelerator's sensor reads whole modules, with processor and memory in them."""


_TABLES = ("constants", "processors", "sensors")


def preload() -> None:
    """Import and read what the sensors need, so that no start of a run waits for it."""
    from footprint.catalog import open_catalog
    from footprint.measurement.sensors import amd, cpu, nvml, nvml_driver, ram, rapl  # noqa: F401

    nvml_driver.preload()
    with suppress(FootprintError):  # a user's table that cannot be read is told when a run starts
        for table in _TABLES:
            open_catalog().rows(table)


def own_pids() -> tuple[int, ...]:
    """This process; its children count with it."""
    return (os.getpid(),)


def detect(
    environment: Mapping[str, str], clock: Clock, wanted: Collection[str] | None = None, pids: Pids = own_pids
) -> tuple[list[Sensor], list[Finding]]:
    """The sensors that can be read here, to be opened next, and what each that was asked says of this machine.

    Parameters
    ----------
    environment : variables such as CUDA_VISIBLE_DEVICES that tell which devices are mine
    clock : the host's monotonic clock, which stamps the samples
    wanted : names of `SENSORS`; None for all
    pids : the processes that are mine, their children aside, asked whenever a device is shared

    Raises
    ------
    UnknownName
        When no sensor has a wanted name.
    """
    for name in wanted or ():
        if name not in SENSORS:
            raise UnknownName("sensor", name, SENSORS, f"the sensors are {', '.join(SENSORS)}")
    readable: list[Sensor] = []
    findings: list[Finding] = []
    for name, make in SENSORS.items():
        if (wanted is not None and name not in wanted) or STANDS_IN_FOR.get(name) in {s.name for s in readable}:
            continue
        if name in OF_THE_HOST and any(getattr(one, "has_host_inside", False) for one in readable):
            findings.append(Finding(name, False, "not needed: it is part of the modules that are read"))
            continue
        sensor = make(environment, clock, pids)
        finding = sensor.available()
        findings.append(finding)
        if finding.is_available:
            readable.append(sensor)
        else:
            sensor.close()
    return readable, findings
