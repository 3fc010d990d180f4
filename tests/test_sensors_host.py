"""Sensors of the host on trees made by hand: RAPL's zones, the kernel's words on the processor, control groups."""

from __future__ import annotations

import errno
import os
import time
import timeit
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footprint.catalog import open_catalog
from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.sensors import SENSORS, cgroups, detect, host, ratings
from footprint.measurement.sensors.cpu import CpuLoadSensor
from footprint.measurement.sensors.powercap import POWERCAP_VARIABLE, measures_memory
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


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


@pytest.fixture
def box(tmp_path: Path) -> Host:
    return Host(tmp_path)


def by_id(meters: Iterable[Meter]) -> dict[str, Meter]:
    return {meter.id: meter for meter in meters}


def joules(samples: Iterable[Sample]) -> dict[str, float]:
    return {sample.meter: sample.energy_j or 0.0 for sample in samples}


# RAPL


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


def test_packages_and_memory_are_counted_and_what_lies_in_or_around_them_is_not(box: Host, clock: Clock) -> None:
    two_sockets(box)
    sensor = box.rapl(clock)
    meters = sensor.open()
    assert [meter.id for meter in meters] == ["package-0", "package-1", "dram-0", "dram-1"]
    assert joules(sensor.read()) == pytest.approx({"package-0": 10, "package-1": 20, "dram-0": 2, "dram-1": 3})
    assert [(meter.component, meter.scope) for meter in meters] == [("cpu", "package")] * 2 + [("ram", "dram")] * 2
    assert {(m.origin, m.has_counter, m.sensor, m.share) for m in meters} == {("measured", True, "rapl", 1.0)}
    sensor.close()


def test_zones_are_found_nested_too_as_a_mount_into_a_container_shows_them(box: Host, clock: Clock) -> None:
    nested = box.powercap / "intel-rapl"
    box.zone("intel-rapl:0", "package-0", 10_000_000, nested)
    box.zone("intel-rapl:0:0", "dram", 2_000_000, nested / "intel-rapl:0")
    sensor = box.rapl(clock)
    assert [meter.id for meter in sensor.open()] == ["package-0", "dram-0"]
    sensor.close()


def test_what_is_shown_flat_and_nested_is_counted_once(box: Host, clock: Clock) -> None:
    real = box.sys / "devices/virtual/powercap/intel-rapl"
    box.zone("intel-rapl:0", "package-0", 10_000_000, real)
    box.zone("intel-rapl:0:0", "dram", 2_000_000, real / "intel-rapl:0")
    box.powercap.mkdir(parents=True)
    for name, target in (
        ("intel-rapl", real),
        ("intel-rapl:0", real / "intel-rapl:0"),
        ("intel-rapl:0:0", real / "intel-rapl:0/intel-rapl:0:0"),
    ):
        (box.powercap / name).symlink_to(target)
    sensor = box.rapl(clock)
    assert [meter.id for meter in sensor.open()] == ["package-0", "dram-0"]
    sensor.close()


def test_a_copy_by_mmio_is_the_same_energy(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0", 10_000_000)
    box.zone("intel-rapl-mmio:0", "package-0", 77_000_000)
    sensor = box.rapl(clock)
    sensor.open()
    assert joules(sensor.read()) == pytest.approx({"package-0": 10})
    sensor.close()


def test_where_mmio_alone_counts_it_is_taken(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl-mmio:0", "package-0", 7_000_000)
    sensor = box.rapl(clock)
    assert [meter.id for meter in sensor.open()] == ["package-0"]
    sensor.close()


def test_a_counter_that_each_die_mirrors_is_counted_once(box: Host, clock: Clock) -> None:
    for die in range(4):
        box.zone(f"intel-rapl:{die}", f"package-0-die-{die}", 68_000_000)
    sensor = box.rapl(clock)
    (meter,) = sensor.open()
    assert meter.id == "package-0-die-0"
    assert meter.note == "package-0-die-1, package-0-die-2, package-0-die-3 show the same counter: counted once"
    assert joules(sensor.read()) == pytest.approx({"package-0-die-0": 68})
    sensor.close()


def test_dies_with_counters_of_their_own_all_count(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0-die-0", 68_000_000)
    box.zone("intel-rapl:1", "package-0-die-1", 91_000_000)
    sensor = box.rapl(clock)
    assert len(sensor.open()) == 2
    sensor.close()


def test_counters_that_have_not_moved_yet_are_no_mirrors(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0", 0)
    box.zone("intel-rapl:1", "package-1", 0)
    sensor = box.rapl(clock)
    assert len(sensor.open()) == 2
    sensor.close()


def test_mirrors_are_found_while_the_counter_runs(box: Host, clock: Clock) -> None:
    """Each reading is a little later: the second die's lies between two of the first."""
    files = [box.zone(f"intel-rapl:{die}", f"package-0-die-{die}") for die in range(2)]
    running = {"uj": 40_000_000}

    class Running(RaplSensor):
        def _energy_j(self, zone: object) -> float:
            running["uj"] += 20_000
            for file in files:
                file.write_text(f"{running['uj']}\n", encoding="utf-8")
            return super()._energy_j(zone)  # type: ignore[arg-type]

    sensor = Running({}, clock, root=box.powercap, proc=box.proc, sys=box.sys, catalog=CATALOG)
    assert len(sensor.open()) == 1
    sensor.close()


LIMITS = Limits(stalled_utilization=0.05, gap_ratio=3, period_s=0.1, overshoot_ratio=1.5)


def test_a_counter_that_wraps_loses_nothing(box: Host, clock: Clock) -> None:
    file = box.zone("intel-rapl:0", "package-0", RANGE_UJ - 100_000_000)
    sensor = box.rapl(clock)
    meters = sensor.open()
    metered = HostIntegral(meters, 1.0, LIMITS, 0.0)
    metered.push(clock(), sensor.read())
    for energy_uj in (RANGE_UJ - 20_000_000, 60_000_000, 140_000_000):
        clock.now_s += 1.0
        file.write_text(f"{energy_uj}\n", encoding="utf-8")
        metered.push(clock(), sensor.read())
    (usage,) = metered.usages("host", 100.0, 103.0)
    assert usage.it_energy_kwh.mid * 3.6e6 == pytest.approx(240.0, abs=0.5)
    assert usage.resets_count == 0
    sensor.close()


def test_a_counter_that_falls_further_than_power_explains_was_reset(box: Host, clock: Clock) -> None:
    file = box.zone("intel-rapl:0", "package-0", 200_000_000_000)
    sensor = box.rapl(clock)
    metered = HostIntegral(sensor.open(), 1.0, LIMITS, 0.0)
    metered.push(clock(), sensor.read())
    clock.now_s += 1.0
    file.write_text("50000000\n", encoding="utf-8")
    metered.push(clock(), sensor.read())
    (usage,) = metered.usages("host", 100.0, 101.0)
    assert usage.resets_count == 1
    assert usage.it_energy_kwh.mid * 3.6e6 == pytest.approx(50.0, abs=0.5)
    sensor.close()


def test_it_asks_to_be_read_twice_a_wrap(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0", watts=350)
    sensor = box.rapl(clock)
    (meter,) = sensor.open()
    assert meter.max_w == 700.0
    assert meter.wraps_at_j == pytest.approx(262_143.3, rel=1e-6)
    assert sensor.period_s == pytest.approx(262_143.3 / 700 / 2, rel=1e-6)
    sensor.close()


def test_without_limits_the_rating_bounds_the_power_and_limits_without_meaning_are_passed_over(
    box: Host, clock: Clock
) -> None:
    box.zone("intel-rapl:0", "package-0", watts=None)  # an AMD part shows none; an EPYC 7763 is rated 280 W
    sensor = box.rapl(clock)
    assert sensor.open()[0].max_w == 560.0
    sensor.close()


def test_amds_counters_are_models_and_err_more(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0")
    sensor = box.rapl(clock)
    assert sensor.open()[0].true_over_read_ratio == CATALOG.constant("rapl_amd_ratio")
    sensor.close()
    box.processor("Intel(R) Xeon(R) Platinum 8480C", 224, 112, identity="GenuineIntel 6 143")
    assert sensor.open()[0].true_over_read_ratio == CATALOG.constant("rapl_package_ratio")
    sensor.close()


def test_a_job_with_a_limit_has_its_part_of_the_packages_and_of_their_memory(box: Host, clock: Clock) -> None:
    two_sockets(box)
    box.group("/job", cpu__max="3200000 100000", memory__max=128 * 10**9)
    box.belong("0::/job\n")
    sensor = box.rapl(clock)
    meters = by_id(sensor.open())
    assert meters["package-0"].share == pytest.approx(32 / 256, rel=1e-12)
    assert meters["dram-1"].share == pytest.approx(128 / 512, rel=1e-6)
    assert "this job's" in meters["package-0"].note
    sensor.close()


def refusing(path: Path) -> int:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_refusal_names_the_line_that_ends_it(box: Host, clock: Clock) -> None:
    two_sockets(box)
    sensor = box.rapl(clock, opener=refusing)
    finding = sensor.available()
    assert not finding.is_available
    assert "CVE-2020-8694" in finding.told
    assert finding.fix == f"sudo chmod a+r {box.powercap}/*rapl*:*/energy_uj"
    with pytest.raises(SensorUnavailable, match="rapl: package-0 is root's alone"):
        sensor.open()
    box_files = sorted(str(p) for p in box.powercap.glob("*rapl*:*/energy_uj"))
    assert len(box_files) == 7  # the line reaches every counter


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_only_root_may_read_is_refused(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0").chmod(0)
    assert "CVE-2020-8694" in box.rapl(clock).available().told


def test_memory_that_alone_may_not_be_read_leaves_the_packages(box: Host, clock: Clock) -> None:
    files = two_sockets(box)

    def opener(path: Path) -> int:
        return refusing(path) if path in (files["dram-0"], files["dram-1"]) else os.open(path, os.O_RDONLY)

    sensor = box.rapl(clock, opener=opener)
    finding = sensor.available()
    assert finding.is_available
    assert finding.told == "counts package-0, package-1; not dram-0, dram-1"
    assert finding.fix.startswith("sudo chmod")
    assert [meter.id for meter in sensor.open()] == ["package-0", "package-1"]
    assert sensor.lost() == ()
    sensor.close()
    assert not measures_memory({}, box.powercap, opener)
    assert measures_memory({}, box.powercap)


def test_a_guest_is_told_that_its_host_keeps_the_counters(box: Host, clock: Clock) -> None:
    box.processor(guest=True)
    finding = box.rapl(clock).available()
    assert not finding.is_available
    assert "virtual machine" in finding.told
    assert POWERCAP_VARIABLE in finding.fix


def test_a_container_is_told_how_to_be_shown_them(box: Host, clock: Clock) -> None:
    (box.proc / "1").mkdir()
    (box.proc / "1/cgroup").write_text("0::/system.slice/docker-abc.scope\n", encoding="utf-8")
    finding = box.rapl(clock).available()
    assert "containers are not shown the counters" in finding.told
    assert finding.fix.startswith("docker run -v /sys/devices/virtual/powercap:")


def test_links_that_lead_nowhere_as_a_masked_container_has_them_are_no_counters(box: Host, clock: Clock) -> None:
    box.powercap.mkdir(parents=True)
    (box.powercap / "intel-rapl:0").symlink_to(box.sys / "devices/virtual/powercap/intel-rapl/intel-rapl:0")
    assert not box.rapl(clock).available().is_available


def test_a_machine_without_the_driver_is_told_to_load_it(box: Host, clock: Clock, tmp_path: Path) -> None:
    if not host.in_container({}, box.proc):
        assert box.rapl(clock).available().fix == "sudo modprobe intel_rapl_msr"


def test_the_folder_may_be_named_by_the_environment(box: Host, clock: Clock) -> None:
    box.zone("intel-rapl:0", "package-0", 10_000_000)
    named = {POWERCAP_VARIABLE: str(box.powercap)}
    sensor = RaplSensor(named, clock, proc=box.proc, sys=box.sys, catalog=CATALOG)
    assert sensor.available().is_available
    nowhere = RaplSensor({POWERCAP_VARIABLE: "/nowhere"}, clock, proc=box.proc, sys=box.sys)
    assert not nowhere.available().is_available


def vanish(file: Path) -> None:
    """As a file of sysfs does: it reads no more through what is open, and has no path."""
    file.write_text("", encoding="utf-8")
    file.unlink()


def test_a_counter_that_vanishes_is_told_and_the_others_go_on(box: Host, clock: Clock) -> None:
    files = two_sockets(box)
    sensor = box.rapl(clock)
    sensor.open()
    vanish(files["package-1"])
    assert set(joules(sensor.read())) == {"package-0", "dram-0", "dram-1"}
    ((meter, reason),) = sensor.lost()
    assert meter == "package-1"
    assert "no longer answers" in reason
    files["package-1"].write_text("21000000\n", encoding="utf-8")
    assert joules(sensor.read())["package-1"] == pytest.approx(21)  # back, and found by its path
    assert sensor.lost() == ()
    for file in files.values():
        vanish(file)
    with pytest.raises(SensorLost, match="package-0 no longer answers"):
        sensor.read()
    sensor.close()


def test_a_closed_sensor_says_so_and_closes_again(box: Host, clock: Clock) -> None:
    two_sockets(box)
    before = len(os.listdir("/proc/self/fd"))
    sensor = box.rapl(clock)
    sensor.available()
    sensor.open()
    sensor.open()
    assert len(os.listdir("/proc/self/fd")) == before + 4
    sensor.close()
    sensor.close()
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(SensorLost, match="rapl: is not open"):
        sensor.read()


def test_a_forked_child_reads_on_without_moving_its_parent(box: Host, clock: Clock) -> None:
    two_sockets(box)
    rapl, cpu = box.rapl(clock), box.cpu(clock)
    rapl.open()
    cpu.open()
    pid = os.fork()
    if pid == 0:
        good = joules(rapl.read())["package-0"] == pytest.approx(10) and bool(cpu.read())
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert joules(rapl.read())["package-0"] == pytest.approx(10)
    assert cpu.read()
    rapl.close()
    cpu.close()


# names of processors


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Intel(R) Xeon(R) Platinum 8480C", "intel xeon platinum 8480c"),
        ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "intel xeon e5-2686 v4"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "intel xeon"),
        ("Intel Xeon Processor (Skylake, IBRS)", "intel xeon"),
        ("AMD EPYC 7763 64-Core Processor", "amd epyc 7763"),
        ("AMD EPYC-Milan Processor", "amd epyc-milan"),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "intel core i7-1165g7"),
        ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", "amd ryzen 7 pro 4750u"),
        ("Intel(R) Xeon(R) Platinum 8480+", "intel xeon platinum 8480+"),
        ("Neoverse-V2", "neoverse-v2"),
    ],
)
def test_names_are_brought_to_one_spelling(name: str, folded: str) -> None:
    assert ratings.folded(name) == folded
    assert ratings.folded(folded) == folded


@pytest.mark.parametrize(
    ("name", "identity", "tdp_w", "threads", "known"),
    [
        ("AMD EPYC 7763 64-Core Processor", MILAN, 280, 128, True),
        ("Intel(R) Xeon(R) Platinum 8480C", "GenuineIntel 6 143", 350, 112, True),
        ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "GenuineIntel 6 79", 145, 36, True),
        # names that clouds and hypervisors cut short: the generation, by what the processor says of itself
        ("AMD EPYC", MILAN, 240, 128, False),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "GenuineIntel 6 79", 145, 36, False),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "GenuineIntel 6 85", 205, 48, False),
        ("", "0x41 0xd4f", 250, 72, False),
        # the same without a word on itself: by name, by how the name begins
        ("Neoverse-V2", "", 250, 72, False),
        ("AMD EPYC", "", 240, 128, False),
        ("Intel Xeon Processor (Cascadelake)", "", 225, 64, False),
        ("AMD EPYC 9ZZ9 777-Core Processor", "AuthenticAMD 99 9", 240, 128, False),
        # codecarbon's table: a part that ours has not
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "GenuineIntel 6 158", 45, None, True),
        ("AMD Ryzen 9 7950X 16-Core Processor", "AuthenticAMD 25 97", 170, 16, True),
        ("AMD EPYC 7443 24-Core Processor", MILAN, 200, 128, True),
    ],
)
def test_a_rating_is_found_by_whatever_name(
    name: str, identity: str, tdp_w: float, threads: int | None, known: bool
) -> None:
    found = ratings.rating(name, identity, 8, CATALOG)
    assert (found.tdp_w, found.is_known) == (tdp_w, known)
    if threads is not None:
        assert found.threads_count == threads


def test_a_part_that_clouds_name_short_is_not_taken_for_the_first_that_begins_so() -> None:
    """A peer's "AMD EPYC" is the 7232P, 120 W, and so 60 W for a machine of two threads."""
    box_w = ratings.rating("AMD EPYC", MILAN, 2, CATALOG)
    assert box_w.tdp_w * 2 / (box_w.threads_count or 1) < 5


def test_a_number_that_is_none_in_codecarbons_table_is_passed_over() -> None:
    for name in ("Intel Celeron 1000A", "Intel Celeron 1100A", "Intel Celeron 1200", "Intel Celeron 1400"):
        assert ratings.codecarbon_tdp_w(ratings.folded(name)) is None
        assert ratings.rating(name, "", 1, CATALOG).tdp_w == CATALOG.constant("cpu_thread_w").mid


def test_our_parts_have_the_watts_of_codecarbons_table_where_both_know_them() -> None:
    parts = {str(r["id"]): r for r in CATALOG.rows("processors") if r["kind"] == "part"}
    listed = {key: watts for key in parts if (watts := ratings.codecarbon_tdp_w(key)) is not None}
    assert len(listed) > 30
    differing = {key for key, watts in listed.items() if float(parts[key]["tdp_w"] or 0) != watts}
    assert differing == {"intel xeon platinum 8370c"}
    assert "codecarbon's table has 205 W" in str(parts["intel xeon platinum 8370c"]["note"])


def test_every_row_is_found_by_its_own_id_and_identity() -> None:
    for row in CATALOG.rows("processors"):
        assert ratings.folded(str(row["id"])) == row["id"]
        found = ratings.rating(str(row["id"]), "", 8, CATALOG)
        assert found.tdp_w == row["tdp_w"], row["id"]
        for identity in str(row["cpuinfo"] or "").split(";"):
            if identity:
                assert ratings.rating("", identity, 8, CATALOG).tdp_w == row["tdp_w"]


def test_nobodys_processor_is_rated_by_its_threads() -> None:
    found = ratings.rating("Loongson-3A6000", "", 8, CATALOG)
    a_thread = CATALOG.constant("cpu_thread_w")
    assert found.tdp_w == 8 * a_thread.mid
    assert found.true_over_rated_ratio.high == pytest.approx(a_thread.high / a_thread.mid, rel=1e-12)


@given(st.text(max_size=60) | st.sampled_from(["AMD EPYC", "Intel Xeon", "Apple"]).map(lambda s: s + " (x @ 1, w/ 7"))
@settings(max_examples=200)
def test_no_name_breaks_a_rating(name: str) -> None:
    found = ratings.rating(name, name, 4, CATALOG)
    assert 0 < found.tdp_w < 2000
    assert found.true_over_rated_ratio.low <= 1 <= found.true_over_rated_ratio.high


# the processor by its load


def watts(sensor: CpuLoadSensor, meter: Meter) -> float:
    """Of my share."""
    (sample,) = sensor.read()
    assert sample.power_w is not None
    return sample.power_w * meter.share


def test_two_sockets_at_half_load_by_hand(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert (meter.id, meter.component, meter.scope, meter.origin) == ("cpu", "cpu", "package", "modelled")
    assert (meter.share, meter.name) == (1.0, EPYC)
    clock.now_s += 1.0
    box.load(busy_s=128, idle_s=128)
    (sample,) = sensor.read()
    assert sample.utilization == pytest.approx(0.5)
    # 560 W x (0.15 + 0.87 x (1 - 0.5 ** 1.7)) = 560 x 0.75222
    assert sample.power_w == pytest.approx(421.2, abs=0.1)
    assert meter.idle_w == pytest.approx(560 * 0.15)
    assert meter.max_w == pytest.approx(560 * 1.02)
    sensor.close()


def test_a_reading_is_the_mean_since_the_one_before(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    sensor.open()
    loads = []
    for busy_s, idle_s in ((256, 0), (256, 256), (320, 448)):
        clock.now_s += 1.0
        box.load(busy_s, idle_s)
        loads.append(sensor.read()[0].utilization)
    assert loads == pytest.approx([1.0, 0.0, 0.25])
    sensor.close()


def test_over_a_moment_a_load_says_nothing_and_the_last_one_stays(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    sensor.open()
    box.load(1, 0)  # 4 ms of 256 threads
    assert sensor.read()[0].utilization == 0.0
    box.load(128, 128)
    assert sensor.read()[0].utilization == pytest.approx(0.5)
    box.load(129, 128)
    assert sensor.read()[0].utilization == pytest.approx(0.5)
    sensor.close()


def test_time_that_the_hypervisor_took_is_not_busy(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    sensor.open()
    box.load(busy_s=64, idle_s=128, stolen_s=64)
    assert sensor.read()[0].utilization == pytest.approx(0.25)
    sensor.close()


def test_a_guest_has_its_threads_part_of_one_socket_not_the_socket(box: Host, clock: Clock) -> None:
    """A peer counts 280 W for four virtual processors."""
    box.processor(threads=4, siblings=4, guest=True)
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == 4 / 128
    assert meter.note == "a virtual machine: 4 of 128 threads of 1 x 280 W"
    box.load(busy_s=4, idle_s=0)
    assert watts(sensor, meter) == pytest.approx(280 * 1.02 * 4 / 128)
    sensor.close()


def test_a_guest_on_two_sockets_has_its_part_of_both(box: Host, clock: Clock) -> None:
    box.processor("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", 208, 104, True, "GenuineIntel 6 143")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == pytest.approx(208 / 224, rel=1e-12)
    assert meter.max_w == pytest.approx(2 * 350 * 1.02)
    sensor.close()


def test_a_guest_on_a_part_whose_threads_nobody_knows_takes_the_usual_rating_of_a_thread(
    box: Host, clock: Clock
) -> None:
    box.processor("AMD FX-8350 Eight-Core Processor", 4, 4, True, "AuthenticAMD 21 2")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert 125 * meter.share == pytest.approx(4 * CATALOG.constant("cpu_thread_w").mid, rel=0.02)
    sensor.close()


def test_an_unknown_processor_is_modelled_by_its_threads_with_a_wide_error(box: Host, clock: Clock) -> None:
    box.processor("Zhaoxin Mystery", 8, 8, identity="Centaur 7 1")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == 1.0
    assert meter.max_w == pytest.approx(8 * 3.0 * 1.02)
    ratio = meter.true_over_read_ratio
    model = CATALOG.constant("cpu_model_ratio")
    assert ratio.low < model.low
    assert ratio.high > 2.0
    assert "FOOTPRINT_DATA" in sensor.available().fix
    sensor.close()


def test_a_known_part_errs_as_the_model_does(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    model = CATALOG.constant("cpu_model_ratio")
    assert (meter.true_over_read_ratio.low, meter.true_over_read_ratio.high) == pytest.approx((model.low, model.high))
    sensor.close()


def test_a_limited_job_is_measured_by_its_own_time_and_has_its_part_of_the_sockets(box: Host, clock: Clock) -> None:
    folder = box.group("/job", cpu__max="3200000 100000", cpu__stat="usage_usec 5000000\nuser_usec 1")
    box.belong("0::/job/step\n")
    box.group("/job/step")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == 32 / 256
    assert meter.note.endswith("limited by its control group")
    clock.now_s += 10.0
    (folder / "cpu.stat").write_text("usage_usec 165000000\n", encoding="utf-8")  # 160 s of 320
    box.load(busy_s=2560, idle_s=0)  # others keep the host busy
    assert sensor.read()[0].utilization == pytest.approx(0.5)
    assert watts(sensor, meter) == pytest.approx(421.2 / 8, abs=0.1)
    sensor.close()


def test_the_first_interface_counts_in_nanoseconds(box: Host, clock: Clock) -> None:
    box.group("/", False, "cpu", cpu__cfs_quota_us=800000, cpu__cfs_period_us=100000)
    folder = box.group("/", False, "cpuacct", cpuacct__usage=10**9)
    box.belong("4:memory:/docker/abc\n2:cpuacct:/docker/abc\n1:cpu:/docker/abc\n")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == 8 / 256
    clock.now_s += 2.0
    (folder / "cpuacct.usage").write_text(f"{5 * 10**9}\n", encoding="utf-8")  # 4 s of 16
    assert sensor.read()[0].utilization == pytest.approx(0.25)
    sensor.close()


def test_a_limit_without_a_count_falls_back_to_the_hosts_load(box: Host, clock: Clock) -> None:
    box.group("/job", cpu__max="3200000 100000")
    box.belong("0::/job\n")
    sensor = box.cpu(clock)
    (meter,) = sensor.open()
    assert meter.share == 32 / 256
    box.load(busy_s=64, idle_s=192)
    assert sensor.read()[0].utilization == pytest.approx(0.25)
    sensor.close()


def test_a_limit_of_the_whole_host_is_none(box: Host, clock: Clock) -> None:
    box.group("/job", cpu__max="25600000 100000", cpuset__cpus__effective="0-255", cpu__stat="usage_usec 0")
    box.belong("0::/job\n")
    sensor = box.cpu(clock)
    assert sensor.open()[0].note == "256 of 256 threads of 2 x 280 W"
    sensor.close()


def test_where_the_kernel_is_slow_to_count_the_sum_of_idle_time_is_read(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    (box.proc / "uptime").write_text("1000.00 128000.00\n", encoding="utf-8")
    sensor._open_file(box.proc / "uptime")
    sensor._times = sensor._uptimes(256)
    assert sensor._times() == pytest.approx((128_000.0, 256_000.0))
    sensor.close()


def test_a_load_that_is_told_no_more_is_lost_and_said(box: Host, clock: Clock) -> None:
    sensor = box.cpu(clock)
    sensor.open()
    (box.proc / "stat").write_text("", encoding="utf-8")
    with pytest.raises(SensorLost, match="cpu-load: nothing tells how busy the processor is any more"):
        sensor.read()
    assert sensor.lost()[0][0] == "cpu"
    box.load(64, 192)
    assert sensor.read()[0].utilization == pytest.approx(0.25)
    assert sensor.lost() == ()
    sensor.close()
    with pytest.raises(SensorLost, match="not open"):
        sensor.read()


def test_an_unreadable_load_is_a_finding_not_an_error(box: Host, clock: Clock) -> None:
    (box.proc / "stat").write_text("nonsense\n", encoding="utf-8")
    sensor = box.cpu(clock)
    finding = sensor.available()
    assert not finding.is_available
    assert "nothing tells how busy the processor is" in finding.told
    with pytest.raises(SensorUnavailable, match="nothing tells how busy"):
        sensor.open()


def test_without_proc_the_load_is_asked_elsewhere(box: Host, clock: Clock) -> None:
    (box.proc / "stat").unlink()
    sensor = box.cpu(clock)
    sensor.open()
    assert 0.0 <= (sensor.read()[0].utilization or 0.0) <= 1.0
    sensor.close()


# what the kernel says


def test_arm_tells_implementer_and_part(box: Host) -> None:
    text = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd4f\n\n"
    (box.proc / "cpuinfo").write_text(text, encoding="utf-8")
    found = host.processor(box.proc, box.sys)
    assert (found.name, found.identity, found.is_guest, found.sockets_count) == ("", "0x41 0xd4f", False, 1)
    topology = box.sys / "devices/system/cpu/cpu0/topology"
    topology.mkdir(parents=True)
    (topology / "package_cpus_list").write_text("0-127\n", encoding="utf-8")
    assert host.processor(box.proc, box.sys).sockets_count == 2


@pytest.mark.parametrize(
    ("vendor", "product", "is_guest"),
    [
        ("Amazon EC2", "c7g.4xlarge", True),
        ("Amazon EC2", "c7g.metal", False),
        ("QEMU", "QEMU Virtual Machine", True),
        ("Microsoft Corporation", "Virtual Machine", True),
        ("Google", "Google Compute Engine", True),
        ("Supermicro", "ARS-111GL-NHR", False),
        ("NVIDIA", "DGX H100", False),
    ],
)
def test_guests_are_known_by_their_board_where_no_flag_tells(
    box: Host, vendor: str, product: str, is_guest: bool
) -> None:
    board = box.sys / "class/dmi/id"
    board.mkdir(parents=True)
    (board / "sys_vendor").write_text(vendor + "\n", encoding="utf-8")
    (board / "product_name").write_text(product + "\n", encoding="utf-8")
    assert host.processor(box.proc, box.sys).is_guest is is_guest


@pytest.mark.parametrize(
    ("text", "count"), [("0-3,8", 5), ("0", 1), ("", 0), (None, 0), ("0-1,4-7\n", 6), ("x", 0), ("3-1", 0)]
)
def test_lists_of_threads_are_counted(text: str | None, count: int) -> None:
    assert host.count_of(text) == count


@given(st.binary(max_size=400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_word_of_the_kernel_breaks_a_reader(box: Host, content: bytes) -> None:
    for file in (box.proc / "cpuinfo", box.proc / "meminfo", box.proc / "self/cgroup"):
        file.write_bytes(content)
    box.group("/")
    (box.sys / "fs/cgroup/cpu.max").write_bytes(content)
    (box.sys / "fs/cgroup/memory.max").write_bytes(content)
    assert host.processor(box.proc, box.sys).threads_count == 256
    cgroups.cpu_limit(box.proc, box.sys)
    cgroups.memory_limit_gb(box.proc, box.sys)
    host.memory_gb(box.proc)
    assert RaplSensor({}, root=box.powercap, proc=box.proc, sys=box.sys).available().sensor == "rapl"


# memory


def test_a_hosts_memory_by_its_size(box: Host, clock: Clock) -> None:
    sensor = box.ram(clock)
    (meter,) = sensor.open()
    (sample,) = sensor.read()
    assert (meter.id, meter.component, meter.scope, meter.origin) == ("ram", "ram", "dram", "modelled")
    assert sample.power_w == pytest.approx(0.3 * 512, rel=1e-6)
    assert meter.share == 1.0
    assert (sample.meter, sample.at_s) == ("ram", clock())
    assert (meter.true_over_read_ratio.low, meter.true_over_read_ratio.high) == pytest.approx(
        (0.12 * 512 / 153.6, 307.2 / 153.6), rel=1e-6
    )
    assert (sensor.read_counters(), sensor.lost()) == ((), ())
    sensor.close()
    with pytest.raises(SensorLost, match="ram-size: is not open"):
        sensor.read()


def test_a_container_has_its_limit_not_the_hosts_memory(box: Host, clock: Clock) -> None:
    """A peer counts 378 W beside a device of 102 W."""
    box.memory(1008)
    box.group("/kubepods/pod/c", memory__max=16 * 10**9)
    box.belong("0::/kubepods/pod/c\n")
    sensor = box.ram(clock)
    (meter,) = sensor.open()
    power_w = (sensor.read()[0].power_w or 0.0) * meter.share
    assert power_w == pytest.approx(192 * 16 / 1008, rel=1e-6)
    assert meter.note == "16 of 1.01e+03 GB, the limit of its control group"
    sensor.close()


def test_the_smallest_limit_on_the_way_up_counts(box: Host) -> None:
    box.group("/slurm", memory__max=64 * 10**9)
    box.group("/slurm/job", memory__max="max")
    box.group("/slurm/job/step", memory__max=96 * 10**9)
    box.belong("0::/slurm/job/step\n")
    assert cgroups.memory_limit_gb(box.proc, box.sys) == 64.0


def test_the_first_interface_writes_a_huge_number_for_no_limit(box: Host) -> None:
    box.belong("4:memory:/docker/abc\n")
    folder = box.group("/", False, "memory", memory__limit_in_bytes=9223372036854771712)
    assert cgroups.memory_limit_gb(box.proc, box.sys) is None
    (folder / "memory.limit_in_bytes").write_text(f"{8 * 10**9}\n", encoding="utf-8")
    assert cgroups.memory_limit_gb(box.proc, box.sys) == 8.0


def test_a_path_that_leads_out_of_the_mount_is_not_followed(box: Host) -> None:
    box.group("/", memory__max=8 * 10**9)
    box.belong("0::/../../other\n")
    assert cgroups.memory_limit_gb(box.proc, box.sys) == 8.0


def test_memory_that_is_measured_is_not_modelled_beside(box: Host, clock: Clock) -> None:
    sensor = box.ram(clock, is_measured=True)
    assert not sensor.available().is_available
    with pytest.raises(SensorUnavailable, match="rapl counts what the memory draws"):
        sensor.open()


# all of them


def test_the_table_of_sensors_has_those_of_the_host() -> None:
    assert {"rapl", "cpu-load", "ram-size"} < set(SENSORS)


@pytest.mark.parametrize(("with_memory", "chosen"), [(True, ["rapl"]), (False, ["rapl", "ram-size"])])
def test_what_is_measured_is_not_modelled_beside(box: Host, clock: Clock, with_memory: bool, chosen: list[str]) -> None:
    box.zone("intel-rapl:0", "package-0")
    if with_memory:
        box.zone("intel-rapl:0:0", "dram")
    sensors, _ = detect({POWERCAP_VARIABLE: str(box.powercap)}, clock, {"rapl", "cpu-load", "ram-size"})
    assert [sensor.name for sensor in sensors] == chosen


def test_without_counters_processor_and_memory_are_modelled(box: Host, clock: Clock) -> None:
    sensors, findings = detect({POWERCAP_VARIABLE: str(box.powercap)}, clock, {"rapl", "cpu-load", "ram-size"})
    assert [sensor.name for sensor in sensors] == ["cpu-load", "ram-size"]
    assert [finding.is_available for finding in findings] == [False, True, True]


def test_this_very_host_can_be_told_something_of() -> None:
    sensors, findings = detect(dict(os.environ), time.monotonic, {"rapl", "cpu-load", "ram-size"})
    assert {finding.sensor for finding in findings} >= {"rapl", "ram-size"}
    assert {"cpu"} <= {meter.component for sensor in sensors for meter in sensor.open()}
    for sensor in sensors:
        for sample in sensor.read():
            assert (sample.power_w or sample.energy_j or 0.0) > 0
        sensor.close()


def test_a_reading_of_all_three_costs_next_to_nothing(box: Host) -> None:
    two_sockets(box)
    sensors = [
        RaplSensor({}, root=box.powercap, proc=box.proc, sys=box.sys, catalog=CATALOG),
        CpuLoadSensor({}, proc=host.PROC, catalog=CATALOG),
        RamSensor({}, catalog=CATALOG),
    ]
    for sensor in sensors:
        sensor.open()
    seconds = min(timeit.repeat(lambda: [sensor.read() for sensor in sensors], number=50, repeat=20)) / 50
    for sensor in sensors:
        sensor.close()
    assert seconds < 300e-6  # 60 of them on a machine that does nothing else
