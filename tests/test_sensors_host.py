"""Sensors of the host on trees made by hand: names and load of the processor, the kernel's words, memory, groups."""

from __future__ import annotations

import os
import time
import timeit
from pathlib import Path

import pytest
from host_by_hand import CATALOG, EPYC, MILAN, Clock, Host, two_sockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.sensors import SENSORS, cgroups, detect, host, ratings
from footprint.measurement.sensors.cpu import CpuLoadSensor
from footprint.measurement.sensors.powercap import POWERCAP_VARIABLE
from footprint.measurement.sensors.ram import RamSensor
from footprint.measurement.sensors.rapl import RaplSensor
from footprint.values import Meter


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path) -> Host:
    return Host(tmp_path)


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
