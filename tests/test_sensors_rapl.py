"""RAPL's zones on trees made by hand: what counts once, wraps, is refused, vanishes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from host_by_hand import CATALOG, RANGE_UJ, Clock, Host, by_id, joules, two_sockets

from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.sensors import host
from footprint.measurement.sensors.powercap import POWERCAP_VARIABLE, measures_memory
from footprint.measurement.sensors.rapl import RaplSensor


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path) -> Host:
    return Host(tmp_path)


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
