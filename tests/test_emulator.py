"""The NVML emulator itself: its truth is the integral of its power, it shows what the real library would."""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pynvml
import pytest
from emulator import PRESETS, Constant, Emulator, Sine, Square, Trace, Trapezoid, Wave, uuid_of

Host = Callable[..., Emulator]
Read = TypeVar("Read")
AVERAGE, INSTANT, TOTAL_ENERGY, ENERGY = 185, 186, 83, 191
MODULE, MEMORY = 1, 2
SWITCHING = Square(100, 700, 0.3, duty=0.4, phase_s=0.07)


@contextlib.contextmanager
def under(host: Emulator) -> Iterator[list[Any]]:
    """This process under the host's GPUs, initialised: their handles."""
    with host.in_process():
        pynvml.nvmlInit()
        yield [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]


def steadily(host: Emulator, sensor: str, read: Callable[[], Read], gpu: int = 0) -> tuple[Read, float]:
    """A reading, and a moment with no update of that sensor between it and the reading."""
    for _ in range(100):
        before_s = time.monotonic()
        value = read()
        after_s = time.monotonic()
        if host.updated_s(gpu, sensor, before_s) == host.updated_s(gpu, sensor, after_s):
            return value, before_s
    raise AssertionError("an update fell into every one of a hundred calls")


def field(handle: Any, *wanted: tuple[int, int]) -> list[Any]:
    return list(pynvml.nvmlDeviceGetFieldValues(handle, list(wanted)))


def error_of(call: Callable[..., Any], *arguments: Any) -> int:
    try:
        call(*arguments)
    except pynvml.NVMLError as error:
        return int(error.value)
    return 0


def waves(folder: Path) -> dict[str, Wave]:
    points = [(0.0, 100.0), (0.2, 650.0), (0.25, 300.0), (1.0, 80.0), (1.4, 80.0)]
    return {
        "constant": Constant(311.5),
        "square": SWITCHING,
        "sine": Sine(400, 250, 0.7, phase_s=0.11),
        "trapezoid": Trapezoid(90, 690, 1.3, rise_s=0.2, top_s=0.5, fall_s=0.1, phase_s=0.9),
        "ramp": Trapezoid(90, 690, 0.9, rise_s=0.9),
        "trace held": Trace.write(folder / "held.txt", points),
        "trace held, again and again": Trace.write(folder / "again.csv", points, repeat=True, phase_s=0.3),
        "trace of lines": Trace.write(folder / "lines.txt", points, linear=True),
        "trace of lines, again and again": Trace.write(folder / "both.txt", points, linear=True, repeat=True),
    }


NAMES = [
    "constant",
    "square",
    "sine",
    "trapezoid",
    "ramp",
    "trace held",
    "trace held, again and again",
    "trace of lines",
    "trace of lines, again and again",
]


# --------------------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 1.0), (0.33, 7.21), (-2.4, 0.9)])
def test_energy_in_closed_form_is_the_integral_of_power(tmp_path: Path, name: str, from_s: float, to_s: float) -> None:
    wave, steps = waves(tmp_path)[name], 20_000
    width = (to_s - from_s) / steps
    integral = width * sum(wave.power_w(from_s + (i + 0.5) * width) for i in range(steps))
    assert wave.energy_j(to_s) - wave.energy_j(from_s) == pytest.approx(integral, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_library_and_the_tests_hold_the_same_truth(tmp_path: Path, emulator: Host, name: str) -> None:
    host = emulator(wave=waves(tmp_path)[name], scope_module=True, module_extra_w=50, memory_gain=0.2)
    host.change(Sine(300, 100, 0.4), at_s=host.began_s + 3.3)
    host.change(waves(tmp_path)[name], at_s=host.began_s + 5.9)
    library = ctypes.CDLL(str(host.library))
    power, energy = library.nvmlEmulator_power_w, library.nvmlEmulator_energy_j
    power.restype = energy.restype = ctypes.c_double
    path = str(host.config).encode()
    for step in range(200):
        at_s = host.began_s - 1.0 + 0.0501 * step
        for number, scope in enumerate(("gpu", "module", "memory")):
            told = power(path, 0, number, ctypes.c_double(at_s))
            assert told == pytest.approx(host.true_power_w(0, at_s, scope), rel=1e-6), (at_s, scope)
            told = energy(path, 0, number, ctypes.c_double(host.began_s - 2.0), ctypes.c_double(at_s))
            assert told == pytest.approx(host.true_energy_j(0, host.began_s - 2.0, at_s, scope), rel=1e-9)


def test_energies_of_adjoining_intervals_add_up_over_changes_of_load(emulator: Host) -> None:
    host = emulator(gpus=3, wave=lambda gpu: Constant(100.0 * (gpu + 1)))
    changed_s = host.change(Constant(500), gpu=1, at_s=host.began_s + 2)
    end_s = changed_s + 3
    assert host.true_energy_j(1, host.began_s, end_s) == pytest.approx(200 * 2 + 500 * 3, rel=1e-12)
    assert host.true_energy_j(None, host.began_s, end_s) == pytest.approx(1900 + 5 * (100 + 300), rel=1e-12)
    parts = host.true_energy_j(1, host.began_s, 1.5 + host.began_s) + host.true_energy_j(1, 1.5 + host.began_s, end_s)
    assert parts == pytest.approx(1900, rel=1e-12)


# --------------------------------------------------------------------------------------------------- what it shows


READ_EVERYTHING = """
import json, pynvml as n
n.nvmlInit()
gpus = []
for i in range(n.nvmlDeviceGetCount()):
    h = n.nvmlDeviceGetHandleByIndex(i)
    pci = n.nvmlDeviceGetPciInfo(h)
    one = {name: getattr(n, "nvmlDeviceGet" + name)(h) for name in (
        "Name UUID Serial MinorNumber Index Architecture CudaComputeCapability PowerManagementLimit EnforcedPowerLimit "
        "PowerManagementDefaultLimit PowerManagementLimitConstraints PersistenceMode PerformanceState PowerState "
        "ComputeMode Brand EncoderUtilization DecoderUtilization GraphicsRunningProcesses MPSComputeRunningProcesses "
        "TotalEnergyConsumption").split()}
    one["bus"] = [pci.busId, pci.busIdLegacy]
    one["memory"] = [n.nvmlDeviceGetMemoryInfo(h).total, n.nvmlDeviceGetMemoryInfo(h, n.nvmlMemory_v2).total]
    one["temperature"] = [n.nvmlDeviceGetTemperature(h, 0), n.nvmlDeviceGetTemperatureV(h, 0)]
    one["clock"] = [n.nvmlDeviceGetClockInfo(h, 0), n.nvmlDeviceGetMaxClockInfo(h, 0)]
    limits = n.nvmlDeviceGetFieldValues(h, [187, 188, 189, 190, 192])
    one["limits"] = [v.value.uiVal for v in limits]
    for found in (n.nvmlDeviceGetHandleByUUID(one["UUID"]), n.nvmlDeviceGetHandleBySerial(one["Serial"]),
                  n.nvmlDeviceGetHandleByPciBusId(pci.busId)):
        assert n.nvmlDeviceGetIndex(found) == i
    gpus.append(one)
system = [n.nvmlSystemGetDriverVersion(), n.nvmlSystemGetNVMLVersion(), n.nvmlSystemGetCudaDriverVersion(),
          n.nvmlSystemGetCudaDriverVersion_v2()]
n.nvmlShutdown()
print(json.dumps({"system": system, "gpus": gpus}))
"""


def test_the_real_library_loads_it_through_the_loaders_path_and_reads_what_each_gpu_is(emulator: Host) -> None:
    host = emulator(gpus=3, preset=["h100", "a100", "t4"], driver="570.1", nvml="12.570.1", cuda=12080)
    host.set(1, pci_bus=0x3B, enforced_limit_w=350, limit_w=350)
    told = json.loads(host.python(READ_EVERYTHING))
    assert told["system"] == ["570.1", "12.570.1", 12080, 12080]
    h100, a100, t4 = told["gpus"]
    assert [gpu["Name"] for gpu in told["gpus"]] == ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "Tesla T4"]
    assert [gpu["UUID"] for gpu in told["gpus"]] == [uuid_of(i) for i in range(3)]
    assert [gpu["Architecture"] for gpu in told["gpus"]] == [9, 7, 6]
    assert [gpu["MinorNumber"] for gpu in told["gpus"]] == [0, 1, 2]
    assert a100["bus"] == ["00000000:3B:00.0", "0000:3B:00.0"]
    assert (a100["PowerManagementDefaultLimit"], a100["EnforcedPowerLimit"]) == (400_000, 350_000)
    assert a100["limits"] == [100_000, 400_000, 400_000, 350_000, 350_000]
    assert t4["CudaComputeCapability"] == [7, 5]
    assert h100["memory"] == [81559 * 2**20] * 2
    assert h100["temperature"] == [45, 45]
    assert host.counts.complaint == ""


def test_sixty_four_gpus_each_have_their_own_load(emulator: Host) -> None:
    host = emulator(gpus=64, wave=lambda gpu: Constant(100.0 + gpu))
    with under(host) as handles:
        assert [pynvml.nvmlDeviceGetPowerUsage(h) for h in handles] == [100_000 + 1000 * i for i in range(64)]
    with pytest.raises(ValueError, match="0 to 64 GPUs, not 65"):
        emulator(gpus=65)


@pytest.mark.parametrize(("period_ms", "phase_ms"), [(20, 0), (20, 7), (100, 31)])
def test_the_counter_holds_between_updates_and_steps_to_the_true_energy(
    emulator: Host, period_ms: float, phase_ms: float
) -> None:
    host = emulator(wave=SWITCHING, counter_period_ms=period_ms, counter_phase_ms=phase_ms, counter_start_mj=5e6)
    with under(host) as (handle,):
        seen: dict[float, set[int]] = {}
        start_s = time.monotonic()
        while time.monotonic() < start_s + 0.25:
            mj, at_s = steadily(host, "counter", lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
            seen.setdefault(host.updated_s(0, "counter", at_s), set()).add(mj)
    updates = sorted(seen)
    assert len(updates) >= 2
    for earlier_s, later_s in pairwise(updates):
        ((first,), (second,)) = seen[earlier_s], seen[later_s]  # one value an update
        assert (second - first) / 1e3 == pytest.approx(host.true_energy_j(0, earlier_s, later_s), abs=2e-3)
    (first,) = seen[updates[0]]
    expected = 5e3 + host.true_energy_j(0, host.setting(0, "loaded_at_s"), updates[0])
    assert first / 1e3 == pytest.approx(expected, abs=2e-3)


def test_both_energy_fields_show_what_the_counter_shows(emulator: Host) -> None:
    host = emulator(wave=SWITCHING)
    with under(host) as (handle,):

        def read() -> list[int]:
            fields = field(handle, (TOTAL_ENERGY, 0), (ENERGY, 0))
            return [v.value.ullVal for v in fields] + [pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)]

        values, at_s = steadily(host, "counter", read)
    assert len(set(values)) == 1
    assert values[0] / 1e3 == pytest.approx(host.shown_counter_j(0, at_s), abs=2e-3)


@pytest.mark.parametrize("preset", ["h100", "a100", "rtx4090", "t4", "v100", "p100"])
def test_power_is_the_mean_over_the_window_of_each_sensor(emulator: Host, preset: str) -> None:
    host = emulator(preset=preset, wave=SWITCHING, usage_phase_ms=13, average_phase_ms=29, instant_phase_ms=41)
    with under(host) as (handle,):
        mw, at_s = steadily(host, "usage", lambda: pynvml.nvmlDeviceGetPowerUsage(handle))
        assert mw == pytest.approx(1e3 * host.shown_w(0, "usage", at_s), abs=1)
        for number, sensor in ((AVERAGE, "average"), (INSTANT, "instant")):
            if not PRESETS[preset][sensor]:
                assert field(handle, (number, 0))[0].nvmlReturn == pynvml.NVML_ERROR_NOT_SUPPORTED
                continue
            (value,), at_s = steadily(host, sensor, lambda n=number: field(handle, (n, 0)))  # type: ignore[misc]
            assert value.value.uiVal == pytest.approx(1e3 * host.shown_w(0, sensor, at_s), abs=1)
            wall_s = host.updated_s(0, sensor, at_s) + time.time() - time.monotonic()
            assert value.timestamp / 1e6 == pytest.approx(wall_s, abs=2e-3)


def test_a_window_over_a_change_of_load_holds_the_mean_of_both(emulator: Host) -> None:
    host = emulator(wave=Constant(100), began_s=time.monotonic() - 9, average_window_ms=1000, average_period_ms=0)
    changed_s = host.change(Constant(500), at_s=time.monotonic() - 0.5)
    with under(host) as (handle,):
        before_s = time.monotonic()
        (value,) = field(handle, (AVERAGE, 0))
        after_s = time.monotonic()
    low, high = (100 + 400 * (at_s - changed_s) for at_s in (before_s, after_s))
    assert low - 0.01 <= value.value.uiVal / 1e3 <= high + 0.01


def test_timestamps_step_by_the_period_or_follow_the_call(emulator: Host) -> None:
    host = emulator(wave=SWITCHING, instant_period_ms=20)
    with under(host) as (handle,):
        stamps = set()
        start_s = time.monotonic()
        while time.monotonic() < start_s + 0.1:
            stamps.add(field(handle, (INSTANT, 0))[0].timestamp)
        steps = [later - earlier for earlier, later in pairwise(sorted(stamps))]
        assert len(stamps) >= 5
        assert all(abs(step - 20_000 * round(step / 20_000)) <= 1 for step in steps)
        host.set(stamp_at_call=True)
        before = time.time() * 1e6
        stamp = field(handle, (INSTANT, 0))[0].timestamp
        assert before - 1000 <= stamp <= time.time() * 1e6 + 1000


def test_the_wall_clock_of_timestamps_can_be_off(emulator: Host) -> None:
    host = emulator(realtime_skew_s=-3600.0, stamp_at_call=True)
    with under(host) as (handle,):
        assert time.time() - field(handle, (AVERAGE, 0))[0].timestamp / 1e6 == pytest.approx(3600, abs=0.5)


def test_scopes_answer_where_they_exist(emulator: Host) -> None:
    host = emulator(preset="gh200", wave=Constant(400), average_period_ms=0, counter_period_ms=0)
    with under(host) as (handle,):
        gpu, module, memory, base, beyond = field(handle, *((AVERAGE, scope) for scope in (0, MODULE, MEMORY, 3, 4)))
        assert [v.value.uiVal for v in (gpu, module, memory)] == [400_000, 520_000, 60_000]
        assert (base.nvmlReturn, beyond.nvmlReturn) == (3, 2)
        assert pynvml.nvmlDeviceGetC2cModeInfoV(handle).isC2cEnabled == 1
        seconds = host.setting(0, "loaded_at_s")
        joules = [v.value.ullVal / 1e3 for v in field(handle, (ENERGY, 0), (ENERGY, MODULE))]
        assert joules[1] / joules[0] == pytest.approx(520 / 400, rel=1e-4)
        host.set(usage_scope=MODULE, counter_scope=MODULE)
        assert pynvml.nvmlDeviceGetPowerUsage(handle) == 520_000
        elapsed_s = time.monotonic() - seconds
        assert pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3 == pytest.approx(520 * elapsed_s, rel=1e-3)


def test_gain_offset_and_noise_bend_a_sensor_and_leave_the_truth(emulator: Host) -> None:
    host = emulator(wave=Constant(300), usage_gain=0.95, usage_offset_w=7, samples_noise_w=5, samples_depth=1000)
    with under(host) as (handle,):
        assert pynvml.nvmlDeviceGetPowerUsage(handle) == 292_000
        _, samples = pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
        watts = {s.timeStamp: s.sampleValue.uiVal / 1e3 for s in samples}
        assert statistics.mean(watts.values()) == pytest.approx(300, abs=4 * 5 / 1000**0.5)
        assert statistics.stdev(watts.values()) == pytest.approx(5, rel=0.12)
        _, again = pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
        same = [s.sampleValue.uiVal / 1e3 == watts[s.timeStamp] for s in again if s.timeStamp in watts]
        assert all(same)
        assert len(same) > 900
    assert host.true_energy_j(0, 0.0, 10.0) == pytest.approx(3000, rel=1e-9)


def test_updates_can_be_irregular(emulator: Host) -> None:
    host = emulator(samples_period_ms=50, samples_jitter_ms=30)
    with under(host) as (handle,):
        _, samples = pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
    stamps = [s.timeStamp for s in samples]
    steps_ms = [(later - earlier) / 1e3 for earlier, later in pairwise(stamps)]
    assert min(steps_ms) >= 19.9
    assert max(steps_ms) <= 80.1
    assert statistics.stdev(steps_ms) > 5
    assert statistics.mean(steps_ms) == pytest.approx(50, rel=0.02)


def test_the_ring_of_samples_holds_the_last_ones_alone(emulator: Host) -> None:
    host = emulator(wave=SWITCHING, samples_depth=40)
    with under(host) as (handle,):
        (kind, samples), at_s = steadily(
            host, "samples", lambda: pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
        )
        assert kind == pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
        assert len(samples) == 40
        for back, sample in enumerate(reversed(samples)):
            expected = host.shown_w(0, "samples", host.updated_s(0, "samples", at_s) - 0.02 * back + 1e-4)
            assert sample.sampleValue.uiVal == pytest.approx(1e3 * expected, abs=1)
        _, newer = pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, samples[29].timeStamp)
        assert 10 <= len(newer) <= 12
        with pytest.raises(pynvml.NVMLError_NotFound, match="Not Found"):
            pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_TOTAL_POWER_SAMPLES, newer[-1].timeStamp + 10**6)
        with pytest.raises(pynvml.NVMLError_NotSupported, match="Not Supported"):
            pynvml.nvmlDeviceGetSamples(handle, pynvml.NVML_MODULE_POWER_SAMPLES, 0)


def test_utilisation_follows_the_load_or_the_setting(emulator: Host) -> None:
    at_times_busy = Square(68, 700, 0.1, duty=0.3)
    host = emulator(wave=at_times_busy, began_s=time.monotonic() - 9, load_window_ms=500, load_period_ms=50)
    with under(host) as (handle,):
        assert pynvml.nvmlDeviceGetUtilizationRates(handle).gpu == pytest.approx(30, abs=1)
        host.change(Constant(20), at_s=time.monotonic() - 1)
        assert pynvml.nvmlDeviceGetUtilizationRates(handle).gpu == 0
        host.set(utilization=0.83, memory_utilization=0.41)
        rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
        assert (rates.gpu, rates.memory) == (83, 41)
        host.set(load=False)
        assert error_of(pynvml.nvmlDeviceGetUtilizationRates, handle) == pynvml.NVML_ERROR_NOT_SUPPORTED


def test_processes_and_their_shares(emulator: Host) -> None:
    host = emulator(gpus=2, utilization=0.8)
    host.set(0, processes="self:2048:0.75,4242:1024:0.25", graphics_processes="77:10")
    with under(host) as (busy, empty):
        for version in ("", "_v2", "_v3"):
            found = getattr(pynvml, f"nvmlDeviceGetComputeRunningProcesses{version}")(busy)
            assert [(p.pid, p.usedGpuMemory) for p in found] == [(os.getpid(), 2**31), (4242, 2**30)]
        assert [p.pid for p in pynvml.nvmlDeviceGetGraphicsRunningProcesses(busy)] == [77]
        assert pynvml.nvmlDeviceGetComputeRunningProcesses(empty) == []
        samples = pynvml.nvmlDeviceGetProcessUtilization(busy, 0)
        assert [(s.pid, s.smUtil) for s in samples] == [(os.getpid(), 60), (4242, 20)]
        for late in (pynvml.nvmlDeviceGetProcessUtilization, pynvml.nvmlDeviceGetProcessesUtilizationInfo):
            assert error_of(late, busy, samples[0].timeStamp + 10**6) == pynvml.NVML_ERROR_NOT_FOUND
            assert error_of(late, empty, 0) == pynvml.NVML_ERROR_NOT_FOUND
        assert pynvml.nvmlSystemGetProcessName(os.getpid())


def test_a_gpu_cut_into_instances_has_power_and_energy_on_the_parent_alone(emulator: Host) -> None:
    host = emulator(gpus=2, preset="a100", wave=Constant(300))
    uuids = host.mig(1, slices=(4, 2))
    host.set(1, processes="11:100:1:1:0,12:100:1:2:0")
    with under(host) as (plain, parent):
        assert (pynvml.nvmlDeviceGetMigMode(plain), pynvml.nvmlDeviceGetMigMode(parent)) == ([0, 0], [1, 1])
        assert error_of(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, plain, 0) == pynvml.NVML_ERROR_NOT_FOUND
        assert pynvml.nvmlDeviceGetMaxMigDeviceCount(parent) == 7
        assert error_of(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, parent, 2) == pynvml.NVML_ERROR_NOT_FOUND
        instances = [pynvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, i) for i in range(2)]
        assert [pynvml.nvmlDeviceGetUUID(one) for one in instances] == uuids
        second = pynvml.nvmlDeviceGetHandleByUUID(uuids[1])
        assert pynvml.nvmlDeviceIsMigDeviceHandle(second).value == 1
        assert pynvml.nvmlDeviceIsMigDeviceHandle(parent).value == 0
        assert (pynvml.nvmlDeviceGetGpuInstanceId(second), pynvml.nvmlDeviceGetComputeInstanceId(second)) == (2, 0)
        attributes = pynvml.nvmlDeviceGetAttributes(second)
        assert (attributes.gpuInstanceSliceCount, attributes.computeInstanceSliceCount) == (2, 2)
        assert (attributes.multiprocessorCount, attributes.memorySizeMB) == (28, 19968)
        assert pynvml.nvmlDeviceGetName(second) == "NVIDIA A100-SXM4-80GB MIG 2g.20gb"
        assert pynvml.nvmlDeviceGetMemoryInfo(second).total == 19968 * 2**20
        assert [p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(second)] == [12]
        assert [p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(parent)] == [11, 12]
        for of in ("PowerUsage", "TotalEnergyConsumption", "UtilizationRates", "EnforcedPowerLimit"):
            assert error_of(getattr(pynvml, f"nvmlDeviceGet{of}"), second) == pynvml.NVML_ERROR_NOT_SUPPORTED, of
        assert [v.nvmlReturn for v in field(second, (INSTANT, 0), (ENERGY, 0))] == [3, 3]
        assert error_of(pynvml.nvmlDeviceGetUtilizationRates, parent) == pynvml.NVML_ERROR_NOT_SUPPORTED
        back = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(second)
        assert pynvml.nvmlDeviceGetUUID(back) == uuid_of(1)
        assert pynvml.nvmlDeviceGetPowerUsage(back) == 300_000


def test_older_and_virtual_gpus_lack_what_they_lack(emulator: Host) -> None:
    host = emulator(gpus=4, preset=["h100", "v100", "p100", "vgpu"])
    with under(host) as handles:
        counters = [error_of(pynvml.nvmlDeviceGetTotalEnergyConsumption, h) for h in handles]
        powers = [error_of(pynvml.nvmlDeviceGetPowerUsage, h) for h in handles]
        fields = [[v.nvmlReturn for v in field(h, (AVERAGE, 0), (INSTANT, 0), (TOTAL_ENERGY, 0))] for h in handles]
        unknown = field(handles[0], (1, 0))[0].nvmlReturn
    assert counters == [0, 0, 3, 3]
    assert powers == [0, 0, 0, 3]
    assert fields == [[0, 0, 0], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    assert unknown == 3


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_lost_gpu_answers_nothing_until_it_is_back_and_the_others_go_on(emulator: Host) -> None:
    host = emulator(gpus=2)
    with under(host) as (first, second):
        host.lose(1)
        for of in ("PowerUsage", "TotalEnergyConsumption", "UtilizationRates", "Name", "UUID"):
            assert error_of(getattr(pynvml, f"nvmlDeviceGet{of}"), second) == pynvml.NVML_ERROR_GPU_IS_LOST
        assert error_of(field, second, (AVERAGE, 0)) == pynvml.NVML_ERROR_GPU_IS_LOST
        assert error_of(pynvml.nvmlDeviceGetHandleByIndex, 1) == pynvml.NVML_ERROR_GPU_IS_LOST
        assert pynvml.nvmlDeviceGetCount() == 2
        assert pynvml.nvmlDeviceGetPowerUsage(first) == 300_000
        now_s = time.monotonic()
        host.lose(1, at_s=now_s, back_at_s=now_s + 0.02)
        time.sleep(0.025)
        assert pynvml.nvmlDeviceGetPowerUsage(second) == 300_000


def test_a_gpu_is_lost_at_a_moment_known_before(emulator: Host) -> None:
    host = emulator()
    with under(host) as (handle,):
        lost_s = host.lose(0, at_s=time.monotonic() + 0.02)
        while True:
            before_s = time.monotonic()
            failed = error_of(pynvml.nvmlDeviceGetPowerUsage, handle)
            if failed:
                break
            assert before_s < lost_s
        assert time.monotonic() >= lost_s


def test_a_driver_reload_starts_the_counter_at_zero(emulator: Host) -> None:
    host = emulator(gpus=2, wave=SWITCHING, counter_period_ms=20)
    with under(host) as (handle, other):
        read = pynvml.nvmlDeviceGetTotalEnergyConsumption
        before, untouched = read(handle), read(other)
        reset_s = host.reset_counter(0)
        assert read(handle) < before
        time.sleep(0.045)
        mj, at_s = steadily(host, "counter", lambda: read(handle))
        seen_j = host.true_energy_j(0, reset_s, host.updated_s(0, "counter", at_s))
        assert mj / 1e3 == pytest.approx(seen_j, abs=2e-3)
        host.reset_counter(0)
        assert read(handle) < mj
        assert read(other) > untouched


def test_a_counter_can_stand_still_drift_and_wrap(emulator: Host) -> None:
    host = emulator(wave=Constant(400), counter_period_ms=0)
    with under(host) as (handle,):
        read = pynvml.nvmlDeviceGetTotalEnergyConsumption
        host.set(counter_stuck_at_s=time.monotonic())
        first = read(handle)
        time.sleep(0.005)
        assert read(handle) == first
        host.set(counter_gain=1.1)
        assert read(handle) == pytest.approx(1.1 * first, rel=1e-6)
        host.set(counter_wrap_mj=1000)
        assert read(handle) < 1000


@pytest.mark.parametrize("phase_ms", [0, 25, 50, 75])
def test_a_counter_that_sees_its_window_alone_follows_the_phase_of_the_load(emulator: Host, phase_ms: float) -> None:
    """A quarter of each period is looked at: a load that is on a quarter of it is seen four times, or not at all."""
    start_s = math.floor(time.monotonic() - 20.0)
    load = Square(100, 500, 0.1, duty=0.25, phase_s=0.025 + phase_ms / 1e3)
    host = emulator(wave=load, began_s=start_s, loaded_at_s=start_s, counter_window_ms=25, counter_period_ms=100)
    with under(host) as (handle,):
        mj, at_s = steadily(host, "counter", lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        again = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    seconds = host.updated_s(0, "counter", at_s) - start_s
    assert mj / 1e3 / seconds == pytest.approx(500 if phase_ms == 0 else 100, rel=1e-3)
    assert again >= mj
    assert host.true_energy_j(0, start_s, start_s + 20) / 20 == pytest.approx(200, rel=1e-9)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("function not found", pynvml.NVMLError_FunctionNotFound),
        ("not supported", pynvml.NVMLError_NotSupported),
        ("unknown", pynvml.NVMLError_Unknown),
        ("no permission", pynvml.NVMLError_NoPermission),
    ],
)
def test_a_function_fails_as_told_on_the_gpu_told(emulator: Host, error: str, raised: type[Exception]) -> None:
    host = emulator(gpus=2)
    with under(host) as (first, second):
        host.fault("nvmlDeviceGetPowerUsage", gpu=1, error=error)
        assert pynvml.nvmlDeviceGetPowerUsage(first) == 300_000
        with pytest.raises(raised, match=f"(?i){error}|insufficient permissions"):
            pynvml.nvmlDeviceGetPowerUsage(second)
        host.fault("nvmlDeviceGetCount", error=error)
        assert error_of(pynvml.nvmlDeviceGetCount) == raised().value
        host.clear_faults()
        assert pynvml.nvmlDeviceGetPowerUsage(second) == 300_000


def test_faults_have_a_time_and_a_number_of_calls(emulator: Host) -> None:
    host = emulator()
    with under(host) as (handle,):
        host.fault("nvmlDeviceGetPower*", error="timeout", skip=2, times=3)
        assert [error_of(pynvml.nvmlDeviceGetPowerUsage, handle) for _ in range(7)] == [0, 0, 10, 10, 10, 0, 0]
        host.clear_faults()
        now_s = time.monotonic()
        host.fault("nvmlDeviceGetPowerUsage", error=999, from_s=now_s - 1, until_s=now_s + 60)
        host.fault("nvmlDeviceGetName", error=999, from_s=now_s - 1, until_s=now_s)
        host.fault("nvmlDeviceGetUUID", error=999, from_s=now_s + 60)
        calls = (pynvml.nvmlDeviceGetPowerUsage, pynvml.nvmlDeviceGetName, pynvml.nvmlDeviceGetUUID)
        assert [error_of(call, handle) for call in calls] == [999, 0, 0]


def test_random_errors_come_at_their_rate_and_the_same_again_from_one_seed(emulator: Host) -> None:
    def failures(seed: int) -> list[int]:
        host = emulator(seed=seed)
        host.fault("nvmlDeviceGetPowerUsage", error="unknown", probability=0.2)
        with under(host) as (handle,):
            return [error_of(pynvml.nvmlDeviceGetPowerUsage, handle) for _ in range(1000)]

    first = failures(1)
    assert first == failures(1)
    assert first != failures(2)
    assert sum(map(bool, first)) / 1000 == pytest.approx(0.2, abs=0.05)


def test_a_slow_call_takes_its_time_and_the_others_do_not(emulator: Host) -> None:
    host = emulator(gpus=2)
    host.fault("nvmlDeviceGetPowerUsage", gpu=1, delay_us=20_000)
    with under(host) as handles:

        def seconds(handle: Any) -> float:
            start_s = time.monotonic()
            pynvml.nvmlDeviceGetPowerUsage(handle)
            return time.monotonic() - start_s

        assert min(seconds(handles[0]) for _ in range(9)) < 0.015
        assert min(seconds(handles[1]) for _ in range(3)) >= 0.02


def test_a_call_hangs_until_the_fault_is_cleared(emulator: Host) -> None:
    host = emulator()
    with under(host) as (handle,):
        host.fault("nvmlDeviceGetPowerUsage", hang=True)
        host.fault("nvmlShutdown", hang=True)
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.append(pynvml.nvmlDeviceGetPowerUsage(handle)), daemon=True)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        assert host.counts.in_flight == 1
        assert pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) > 0  # others go on
        host.clear_faults()
        thread.join(2)
        assert got == [300_000]
        assert host.counts.in_flight == 0


@pytest.mark.parametrize("orderly", [True, False])
def test_a_shutdown_while_a_call_is_under_way_is_seen(emulator: Host, orderly: bool) -> None:
    host = emulator()
    host.fault("nvmlDeviceGetPowerUsage", delay_us=60_000)
    with under(host) as (handle,):
        errors: list[int] = []
        thread = threading.Thread(
            target=lambda: errors.append(error_of(pynvml.nvmlDeviceGetPowerUsage, handle)), daemon=True
        )
        thread.start()
        while not host.counts.in_flight:
            time.sleep(0.001)
        if orderly:
            thread.join(2)
        pynvml.nvmlShutdown()
        thread.join(2)
    assert host.counts.shutdowns_in_flight == (0 if orderly else 1)
    assert errors == [0 if orderly else pynvml.NVML_ERROR_UNINITIALIZED]
    assert ("shutdown in flight" in [event.kind for event in host.counts.events]) is not orderly


@pytest.mark.parametrize(("error", "code"), [("driver not loaded", 9), ("no permission", 4), ("version mismatch", 18)])
def test_init_fails_as_told(emulator: Host, error: str, code: int) -> None:
    host = emulator()
    host.fault("nvmlInit", error=error)
    with host.in_process():
        assert error_of(pynvml.nvmlInit) == code
        host.clear_faults()
        assert error_of(pynvml.nvmlInit) == 0


def test_init_and_shutdown_count_their_references(emulator: Host) -> None:
    host = emulator()
    with host.in_process():
        assert error_of(pynvml.nvmlDeviceGetCount) == pynvml.NVML_ERROR_UNINITIALIZED
        pynvml.nvmlInit()
        pynvml.nvmlInit()
        pynvml.nvmlShutdown()
        assert pynvml.nvmlDeviceGetCount() == 1
        pynvml.nvmlShutdown()
        assert error_of(pynvml.nvmlDeviceGetCount) == pynvml.NVML_ERROR_UNINITIALIZED
        assert error_of(pynvml.nvmlShutdown) == pynvml.NVML_ERROR_UNINITIALIZED
    assert (host.counts.inits, host.counts.shutdowns) == (2, 2)
    assert host.counts.uninitialized_calls == 3
    assert host.left_open == 0
    kinds = [(event.kind, event.value) for event in host.counts.events if event.kind != "uninitialized"]
    assert kinds == [("init", 1), ("init", 2), ("shutdown", 1), ("shutdown", 0)]


def test_handles_that_are_none_are_refused(emulator: Host) -> None:
    host = emulator(gpus=2)
    with under(host) as (_, second):
        assert error_of(pynvml.nvmlDeviceGetHandleByIndex, 2) == pynvml.NVML_ERROR_INVALID_ARGUMENT
        assert error_of(pynvml.nvmlDeviceGetHandleByUUID, "GPU-none") == pynvml.NVML_ERROR_NOT_FOUND
        assert error_of(pynvml.nvmlDeviceGetPowerUsage, pynvml.c_nvmlDevice_t()) == pynvml.NVML_ERROR_INVALID_ARGUMENT
        assert error_of(pynvml.nvmlDeviceGetGpuInstanceId, second) == pynvml.NVML_ERROR_INVALID_ARGUMENT


# ----------------------------------------------------------------------------------------------- processes and counts


FORK = """
import os, sys, pynvml as n
n.nvmlInit()
handle = n.nvmlDeviceGetHandleByIndex(0)
def power():
    try:
        return n.nvmlDeviceGetPowerUsage(handle)
    except n.NVMLError as error:
        return -error.value
child = os.fork()
if child == 0:
    before = power()
    n.nvmlInit()
    os._exit(0 if (before, power()) == (-n.NVML_ERROR_UNINITIALIZED, 300_000) else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert power() == 300_000
print(os.getpid(), child)
"""


def test_a_forked_child_must_initialise_anew_and_the_parent_goes_on(emulator: Host) -> None:
    host = emulator()
    parent, child = map(int, host.python(FORK).split())
    assert host.counts.forks == 1
    assert host.counts.uninitialized_calls == 1
    assert {client.pid: client.inits for client in host.counts.clients} == {parent: 1, child: 1}
    assert [(e.pid, e.kind) for e in host.counts.events] == [
        (parent, "init"),
        (child, "forked"),
        (child, "uninitialized"),
        (child, "init"),
    ]


WATCH = """
import sys, time, pynvml as n
n.nvmlInit()
handle = n.nvmlDeviceGetHandleByIndex(0)
print("ready", flush=True)
while n.nvmlDeviceGetPowerUsage(handle) < 500_000:
    time.sleep(0.001)
print(time.monotonic(), flush=True)
time.sleep(60)
"""


def test_a_load_changed_from_outside_is_seen_by_a_running_process_that_is_then_killed(emulator: Host) -> None:
    host = emulator(wave=Constant(300), usage_window_ms=0, usage_period_ms=0)
    with subprocess.Popen([sys.executable, "-c", WATCH], env=host.env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        changed_s = host.change(Constant(600))
        seen_s = float(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    assert changed_s <= seen_s <= changed_s + 0.5
    (client,) = host.counts.clients
    assert (client.pid, client.inits, client.shutdowns) == (child.pid, 1, 0)
    assert client.last_s >= changed_s
    assert host.counts.reloads == 2


def test_calls_are_counted_by_function_gpu_and_process(emulator: Host) -> None:
    host = emulator(gpus=3)
    with under(host) as handles:
        for _ in range(5):
            pynvml.nvmlDeviceGetPowerUsage(handles[2])
        error_of(pynvml.nvmlDeviceGetFanSpeed, handles[0])
    counts = host.counts
    assert counts.calls("nvmlDeviceGetPowerUsage") == 5
    assert counts.calls("nvmlDeviceGetHandleByIndex") == counts.by_function()["nvmlDeviceGetHandleByIndex_v2"] == 3
    assert counts.calls("nvmlInit") == 1
    assert (counts.errors("nvmlDeviceGetFanSpeed"), counts.errors("nvmlDeviceGetPowerUsage")) == (1, 0)
    assert [counts.gpu_calls(i) for i in range(3)] == [2, 1, 6]
    assert counts.clients[0].calls == counts.calls()
    assert counts.most_in_flight == 1


def test_afterwards_the_process_is_as_it_was(emulator: Host) -> None:
    before = (pynvml.nvmlLib, pynvml._nvmlLib_refcount, dict(pynvml._nvmlGetFunctionPointer_cache), dict(os.environ))
    host = emulator()
    with under(host) as handles:
        assert len(handles) == 1
    assert (host.left_open, host.counts.uninitialized_calls) == (1, 0)
    after = (pynvml.nvmlLib, pynvml._nvmlLib_refcount, dict(pynvml._nvmlGetFunctionPointer_cache), dict(os.environ))
    assert before == after


def test_a_host_of_nvidias_has_its_command(emulator: Host) -> None:
    host = emulator()
    done = subprocess.run(["nvidia-smi", "--help"], env=host.env, capture_output=True, text=True, check=True)
    assert "emulated" in done.stdout


def test_no_descriptor_is_left_open(emulator: Host) -> None:
    host = emulator()

    def descriptors() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))

    before = descriptors()
    with under(host) as (handle,):
        pynvml.nvmlDeviceGetPowerUsage(handle)
        host.set(utilization=0.5)
        pynvml.nvmlDeviceGetUtilizationRates(handle)
        assert descriptors() == before


# ------------------------------------------------------------------------------------------- configurations by hand


BY_HAND = """
import os, sys, time, pynvml as n
try:
    n.nvmlInit()
except n.NVMLError as error:
    sys.exit(f"init: {error.value}")
handle = n.nvmlDeviceGetHandleByIndex(1)
print(n.nvmlDeviceGetCount(), n.nvmlDeviceGetName(handle), n.nvmlDeviceGetPowerUsage(handle))
with open(os.environ["NVML_EMULATOR"], "a") as config:
    config.write("gpu.1.wave=constant w=222\\n")
start = time.monotonic()
while n.nvmlDeviceGetPowerUsage(handle) != 222_000:
    assert time.monotonic() < start + 2
    time.sleep(0.001)
"""


def by_hand(library: Path, config: Path, text: str) -> subprocess.CompletedProcess[str]:
    config.write_text(text, encoding="utf-8")
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "NVML_EMULATOR": str(config)}
    return subprocess.run([sys.executable, "-c", BY_HAND], env=env, capture_output=True, text=True, timeout=30)


def test_a_configuration_written_by_hand_is_read_and_read_again(emulator_library: Path, tmp_path: Path) -> None:
    text = "# two\ngpus=2\ngpu.1.name=NVIDIA A10\nwave=square low_w=150 high_w=150 period_s=1\n"
    done = by_hand(emulator_library, tmp_path / "hand.conf", text)
    assert (done.stdout, done.stderr) == ("2 NVIDIA A10 150000\n", "")


@pytest.mark.parametrize(
    "line", ["watts=3", "gpu.0.idle_w=much", "gpu.99.idle_w=1", "wave=saw low_w=1", "fault=nvmlNone error:3", "gpus"]
)
def test_a_line_that_cannot_be_read_is_told_and_init_fails(emulator_library: Path, tmp_path: Path, line: str) -> None:
    done = by_hand(emulator_library, tmp_path / "hand.conf", f"gpus=2\n{line}\n")
    assert f"cannot read '{line}'" in done.stderr
    assert "init: 17" in done.stderr


def test_an_unknown_setting_is_refused(emulator: Host) -> None:
    with pytest.raises(KeyError, match="the emulator knows no usage_windov_ms"):
        emulator(usage_windov_ms=3)


def test_a_call_costs_microseconds(emulator: Host) -> None:
    host = emulator(gpus=8, wave=SWITCHING)
    with under(host) as handles:
        handle = handles[5]

        def microseconds(call: Callable[[], Any], count: int = 1000) -> float:
            start_s = time.perf_counter()
            for _ in range(count):
                call()
            return (time.perf_counter() - start_s) / count * 1e6

        best = min(microseconds(lambda: pynvml.nvmlDeviceGetPowerUsage(handle)) for _ in range(5))
        fields = min(microseconds(lambda: field(handle, (AVERAGE, 0), (ENERGY, 0))) for _ in range(5))
    assert not math.isnan(best)
    assert best < 15
    assert fields < 60
