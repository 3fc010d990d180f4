"""A host made by hand: files as its kernel shows them, and a clock that a test turns."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from footprint.catalog import open_catalog
from footprint.measurement.sensors.cpu import CpuLoadSensor
from footprint.measurement.sensors.ram import RamSensor
from footprint.measurement.sensors.rapl import RaplSensor
from footprint.values import Meter, Sample

CATALOG = open_catalog()
RANGE_UJ = 262_143_328_850
EPYC = "AMD EPYC 7763 64-Core Processor"
MILAN = "AuthenticAMD 25 1"


class Clock:
    """Seconds that a test counts."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Host:
    """A tree such as the kernel shows under /proc and /sys."""

    def __init__(self, root: Path) -> None:
        self.proc, self.sys = root / "proc", root / "sys"
        self.powercap = self.sys / "class/powercap"
        (self.proc / "self").mkdir(parents=True)
        (self.sys / "devices/system/cpu").mkdir(parents=True)
        self.processor()
        self.memory(512)
        self.load(0, 0)

    def processor(
        self, name: str = EPYC, threads: int = 256, siblings: int = 128, guest: bool = False, identity: str = MILAN
    ) -> None:
        vendor, family, model = identity.split()
        flags = "fpu sse2 hypervisor" if guest else "fpu sse2"
        one = (
            f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
            f"model name\t: {name}\nsiblings\t: {siblings}\nflags\t\t: {flags}\n\nprocessor\t: 1\nmodel name\t: other\n"
        )
        (self.proc / "cpuinfo").write_text(one, encoding="utf-8")
        (self.sys / "devices/system/cpu/online").write_text(f"0-{threads - 1}\n", encoding="utf-8")

    def memory(self, gb: float) -> None:
        text = f"MemTotal:       {round(gb * 1e9 / 1024)} kB\nMemFree: 1 kB\n"
        (self.proc / "meminfo").write_text(text, encoding="utf-8")

    def load(self, busy_s: float, idle_s: float, stolen_s: float = 0.0) -> None:
        ticks = os.sysconf("SC_CLK_TCK")
        busy, idle, stolen = (round(seconds * ticks) for seconds in (busy_s, idle_s, stolen_s))
        (self.proc / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 {stolen} 0 0\ncpu0 1 2\n", encoding="utf-8")

    def zone(
        self, zone: str, name: str, energy_uj: int = 5_000_000, folder: Path | None = None, watts: float | None = 280
    ) -> Path:
        place = (folder or self.powercap) / zone
        place.mkdir(parents=True)
        for file, text in (("name", name), ("energy_uj", str(energy_uj)), ("max_energy_range_uj", str(RANGE_UJ))):
            (place / file).write_text(text + "\n", encoding="utf-8")
        if watts is not None:
            (place / "constraint_0_max_power_uw").write_text(f"{round(watts * 1e6)}\n", encoding="utf-8")
            (place / "constraint_1_power_limit_uw").write_text("4095000000\n", encoding="utf-8")
        return place / "energy_uj"

    def group(self, path: str, second: bool = True, controller: str = "", **files: object) -> Path:
        mount = self.sys / "fs/cgroup"
        folder = (mount if second else mount / controller) / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        if second:
            (mount / "cgroup.controllers").write_text("cpuset cpu memory\n", encoding="utf-8")
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n", encoding="utf-8")
        return folder

    def belong(self, text: str) -> None:
        (self.proc / "self/cgroup").write_text(text, encoding="utf-8")

    def rapl(self, clock: Clock, **words: object) -> RaplSensor:
        given = {"root": self.powercap, "proc": self.proc, "sys": self.sys, "catalog": CATALOG} | words
        return RaplSensor({}, clock, **given)  # type: ignore[arg-type]

    def cpu(self, clock: Clock) -> CpuLoadSensor:
        return CpuLoadSensor({}, clock, proc=self.proc, sys=self.sys, catalog=CATALOG)

    def ram(self, clock: Clock, is_measured: bool = False) -> RamSensor:
        return RamSensor({}, clock, is_measured=is_measured, proc=self.proc, sys=self.sys, catalog=CATALOG)


def by_id(meters: Iterable[Meter]) -> dict[str, Meter]:
    return {meter.id: meter for meter in meters}


def joules(samples: Iterable[Sample]) -> dict[str, float]:
    return {sample.meter: sample.energy_j or 0.0 for sample in samples}


def two_sockets(box: Host) -> dict[str, Path]:
    """As on a server with memory counters and, above all, psys; listed flat, as /sys/class does."""
    return {
        "psys": box.zone("intel-rapl:2", "psys", 90_000_000),
        "package-0": box.zone("intel-rapl:0", "package-0", 10_000_000),
        "core": box.zone("intel-rapl:0:0", "core", 6_000_000),
        "uncore": box.zone("intel-rapl:0:1", "uncore", 1_000_000),
        "dram-0": box.zone("intel-rapl:0:2", "dram", 2_000_000),
        "package-1": box.zone("intel-rapl:1", "package-1", 20_000_000),
        "dram-1": box.zone("intel-rapl:1:0", "dram", 3_000_000),
    }
