"""NVIDIA devices, read through nvidia-ml-py from emulated GPUs whose true power and energy are known."""

from __future__ import annotations

import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from emulator import Constant, Emulator, Square, uuid_of

from footprint.errors import SensorLost, SensorUnavailable, UnknownName
from footprint.measurement.sensors import detect
from footprint.measurement.sensors.nvml import NvmlSensor
from footprint.measurement.sensors.nvml_driver import Driver, number
from footprint.measurement.sensors.nvml_processes import ProcessShares, descends_from
from footprint.values import Range, Sample

Host = Callable[..., Emulator]
COUNTER_S = 0.1  # the emulated counters move so often
CALL_S = 0.05  # between a sample's time and the driver's own: a busy machine


class Clock:
    """The host's monotonic clock, which a test may push ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def opened(emulator: Host) -> Iterator[Callable[..., tuple[Emulator, NvmlSensor]]]:
    """Emulated GPUs in this very process, and a sensor that reads them; closed at the end."""
    with ExitStack() as stack:

        def make(
            environment: dict[str, str] | None = None,
            is_open: bool = True,
            clock: Clock | None = None,
            **settings: object,
        ) -> tuple[Emulator, NvmlSensor]:
            host = emulator(**settings)
            stack.enter_context(host.in_process())
            sensor = NvmlSensor(environment or {}, clock or Clock())
            stack.callback(sensor.close)
            if is_open:
                sensor.open()
            return host, sensor

        yield make


Opened = Callable[..., tuple[Emulator, NvmlSensor]]


def only(samples: object) -> Sample:
    (sample,) = samples  # type: ignore[misc]
    return sample


# opening


def test_nothing_is_loaded_or_initialised_before_the_sensor_is_opened(emulator: Host) -> None:
    host = emulator(gpus=2)
    code = (
        "import os, sys, time\n"
        "from footprint.measurement.sensors.nvml import NvmlSensor\n"
        "sensor = NvmlSensor(os.environ, time.monotonic)\n"
        "print('pynvml' in sys.modules)\n"
        "meters = sensor.open()\n"
        "print('pynvml' in sys.modules, len(meters), len(sensor.read()))\n"
        "sensor.close()"
    )
    assert host.python(code).split() == ["False", "True", "2", "2"]
    assert (host.counts.inits, host.counts.shutdowns) == (1, 1)


def test_a_meter_says_what_is_read_and_how_well(opened: Opened) -> None:
    _, sensor = opened(gpus=8)
    meters = sensor.open()
    assert [meter.id for meter in meters] == [uuid_of(gpu) for gpu in range(8)]
    first = meters[0]
    assert (first.component, first.sensor, first.scope, first.origin) == ("accelerator", "nvml", "gpu", "measured")
    assert first.name == "NVIDIA H100 80GB HBM3"
    assert (first.has_counter, first.period_s, first.window_s, first.max_w) == (True, 0.1, 1.0, 700.0)
    assert first.memory_gb == pytest.approx(85.5, abs=0.1)
    assert first.true_over_read_ratio == Range(0.88, 1.0, 1.09)
    assert first.source == "NVML, driver 580.95.05: total energy"
    assert (first.share, first.idle_w, first.note) == (1.0, None, "")
    assert sensor.period_s is None  # a counter needs no haste


@pytest.mark.parametrize(
    ("preset", "period_s", "window_s", "band"),
    [
        ("a100", 0.1, 0.025, Range(0.95, 1.0, 1.07)),
        ("rtx4090", 0.1, 1.0, Range(0.95, 1.0, 1.06)),
        ("a10g", 0.1, 1.0, Range(0.95, 1.0, 1.08)),
        ("t4", 0.1, 0.1, Range(0.88, 1.0, 1.09)),
        ("v100", 0.1, 0.01, Range(0.88, 1.0, 1.09)),
    ],
)
def test_each_architecture_has_its_window_and_its_band(
    opened: Opened, preset: str, period_s: float, window_s: float, band: Range
) -> None:
    _, sensor = opened(preset=preset)
    (meter,) = sensor.open()
    assert (meter.has_counter, meter.period_s, meter.window_s, meter.true_over_read_ratio) == (
        True, period_s, window_s, band,
    )  # fmt: skip


def test_an_architecture_that_nobody_measured_has_the_widest_band_and_says_so(opened: Opened) -> None:
    _, sensor = opened(preset="b200")
    (meter,) = sensor.open()
    assert meter.true_over_read_ratio == Range(0.88, 1.0, 1.09)
    assert "no measurement of its sensor is known" in meter.note


def test_opening_twice_is_opening_once(opened: Opened) -> None:
    host, sensor = opened()
    assert sensor.available().is_available
    assert sensor.open() is sensor.open()
    assert host.counts.inits == 1
    sensor.close()
    sensor.close()
    assert host.counts.shutdowns == 1


def test_a_closed_sensor_reads_nothing_and_may_be_opened_again(opened: Opened) -> None:
    _, sensor = opened()
    sensor.close()
    with pytest.raises(SensorLost, match="is closed"):
        sensor.read()
    with pytest.raises(SensorLost, match="is closed"):
        sensor.read_counters()
    sensor.open()
    assert len(sensor.read()) == 1


# energy and power


@pytest.mark.parametrize("preset", ["h100", "a100", "rtx4090", "t4", "b200"])
def test_the_counter_is_the_energy_that_was_drawn(opened: Opened, preset: str) -> None:
    host, sensor = opened(preset=preset, wave=Square(50.0, 300.0, 0.07))
    first = only(sensor.read())
    time.sleep(0.35)
    last = only(sensor.read())
    assert first.energy_j is not None
    assert last.energy_j is not None
    true_j = host.true_energy_j(0, first.at_s, last.at_s)
    assert last.energy_j - first.energy_j == pytest.approx(true_j, abs=300.0 * (COUNTER_S + CALL_S))
    assert last.energy_j == pytest.approx(host.shown_counter_j(0, last.at_s), abs=300.0 * (COUNTER_S + CALL_S))


def test_a_full_reading_has_power_and_utilization_beside_the_energy(opened: Opened) -> None:
    host, sensor = opened(wave=Constant(300.0), utilization=0.42)
    sample = only(sensor.read())
    assert sample.power_w == pytest.approx(300.0, abs=1e-3)
    assert sample.utilization == pytest.approx(0.42, abs=1e-12)
    assert sample.attributed_share is None
    assert abs(sample.at_s - time.monotonic()) < 1.0
    assert host.counts.calls("nvmlDeviceGetFieldValues") == 3  # two to try it, one to read
    only(sensor.read_counters())
    assert host.counts.calls("nvmlDeviceGetFieldValues") == 3


def test_counters_alone_are_the_energy_alone(opened: Opened) -> None:
    host, sensor = opened(gpus=3)
    calls = host.counts.calls()
    samples = sensor.read_counters()
    assert [(s.power_w, s.utilization) for s in samples] == [(None, None)] * 3
    assert host.counts.calls() - calls == 3
    assert all(
        s.energy_j == pytest.approx(host.shown_counter_j(gpu, s.at_s), abs=700.0 * (COUNTER_S + CALL_S))
        for gpu, s in enumerate(samples)
    )


def test_a_counter_going_backwards_is_handed_on_as_it_is(opened: Opened) -> None:
    host, sensor = opened()
    before = only(sensor.read()).energy_j
    host.reset_counter()
    after = only(sensor.read()).energy_j
    assert before is not None
    assert after is not None
    assert after < before


def test_without_fields_the_counter_and_the_power_are_asked_by_their_functions(opened: Opened) -> None:
    host, sensor = opened(preset="v100", wave=Constant(250.0))
    sample = only(sensor.read())
    assert sample.power_w == pytest.approx(250.0, abs=1e-3)
    assert sample.energy_j == pytest.approx(host.shown_counter_j(0, sample.at_s), abs=250.0 * (COUNTER_S + CALL_S))
    assert only(sensor.read_counters()).energy_j is not None


def test_a_library_without_the_field_function_is_read_all_the_same(opened: Opened) -> None:
    host, sensor = opened(is_open=False, wave=Constant(250.0))
    host.fault("nvmlDeviceGetFieldValues", error="function not found")
    (meter,) = sensor.open()
    assert (meter.has_counter, meter.source) == (True, "NVML, driver 580.95.05: total energy")
    assert only(sensor.read()).power_w == pytest.approx(250.0, abs=1e-3)


# without a counter

NO_COUNTER = {"counter": False, "total_energy_field": False, "energy_field": False}


@pytest.mark.parametrize(
    ("preset", "field", "window_s", "period_s", "due_s"),
    [
        ("h100", "average", 1.0, 0.1, 1.0),  # its instant field sees a quarter of the time
        ("rtx4090", "instant", 0.1, 0.1, 0.05),  # twice a period: late readings miss none
        ("a100", "instant", 0.025, 0.1, 0.05),
    ],
)
def test_without_a_counter_power_comes_with_the_time_at_which_it_was_read(
    opened: Opened, preset: str, field: str, window_s: float, period_s: float, due_s: float
) -> None:
    host, sensor = opened(preset=preset, wave=Square(50.0, 300.0, 0.3), **NO_COUNTER)
    (meter,) = sensor.open()
    assert (meter.has_counter, meter.window_s, meter.period_s) == (False, window_s, period_s)
    assert (sensor.period_s, meter.source.partition(": ")[2]) == (due_s, f"power, {field}")
    assert "power is integrated" in meter.note
    sample = only(sensor.read())
    assert sample.energy_j is None
    assert sample.at_s in (
        pytest.approx(host.updated_s(0, field, sample.at_s + 0.002), abs=0.001),
        pytest.approx(host.updated_s(0, field, time.monotonic()), abs=0.001),
    )
    assert sample.power_w == pytest.approx(host.shown_w(0, field, sample.at_s + 0.002), abs=2e-3)
    assert sensor.read_counters() == []


def test_the_same_reading_keeps_its_time_and_time_never_goes_back(opened: Opened) -> None:
    _, sensor = opened(preset="a100", **NO_COUNTER)
    times = []
    for _ in range(40):
        times.append(only(sensor.read()).at_s)
        time.sleep(0.005)
    assert times == sorted(times)
    steps = [(later - sooner) / 0.1 for sooner, later in pairwise(times)]
    assert max(steps) > 0.9
    assert all(abs(step - round(step)) < 0.02 for step in steps)  # the two clocks differ by microseconds


@pytest.mark.parametrize("skew_s", [3600.0, -86400.0, 1.0])
def test_a_timestamp_that_cannot_be_counts_as_now(opened: Opened, skew_s: float) -> None:
    _, sensor = opened(preset="a100", realtime_skew_s=skew_s, **NO_COUNTER)
    before_s = time.monotonic()
    assert before_s <= only(sensor.read()).at_s <= time.monotonic()


def test_before_volta_power_alone_is_read_at_every_change(opened: Opened) -> None:
    _, sensor = opened(preset="p100", wave=Constant(200.0))
    (meter,) = sensor.open()
    assert (meter.has_counter, meter.window_s, meter.period_s, sensor.period_s) == (False, 0.01, 0.02, 0.02)
    sample = only(sensor.read())
    assert (sample.power_w, sample.energy_j) == (pytest.approx(200.0, abs=1e-3), None)


@pytest.mark.parametrize(("driver", "window_s", "period_s"), [("530.30.02", 0.1, 0.05), ("535.54.03", 1.0, 1.0)])
def test_before_driver_535_the_same_function_showed_a_shorter_window(
    opened: Opened, driver: str, window_s: float, period_s: float
) -> None:
    _, sensor = opened(preset="a10g", driver=driver, average=False, instant=False, **NO_COUNTER)
    (meter,) = sensor.open()
    assert (meter.window_s, sensor.period_s) == (window_s, period_s)


def test_a_counter_that_stands_at_nothing_is_none(opened: Opened) -> None:
    _, sensor = opened(counter_gain=0.0)
    assert not sensor.open()[0].has_counter


def test_a_utilization_that_the_device_does_not_have_is_asked_once(opened: Opened) -> None:
    host, sensor = opened(load=False)
    assert only(sensor.read()).utilization is None
    sensor.read()
    assert host.counts.calls("nvmlDeviceGetUtilizationRates") == 1


# boundaries


def test_a_grace_hopper_is_read_as_a_module_and_says_that_more_is_in_it(opened: Opened) -> None:
    host, sensor = opened(preset="gh200", wave=Constant(400.0))
    (meter,) = sensor.open()
    assert (meter.scope, meter.has_counter, meter.max_w) == ("module", True, None)
    assert "the processor beside the accelerator and its memory are in it" in meter.note
    sample = only(sensor.read())
    assert sample.power_w == pytest.approx(520.0, abs=1e-3)
    assert sample.energy_j == pytest.approx(host.shown_counter_j(0, sample.at_s, "module"), abs=520.0 * 0.15)
    assert only(sensor.read_counters()).energy_j == pytest.approx(sample.energy_j, abs=520.0 * 0.3)


def test_a_module_without_a_counter_of_its_own_is_integrated(opened: Opened) -> None:
    _, sensor = opened(preset="gh200", energy_field=False)
    (meter,) = sensor.open()
    assert (meter.scope, meter.has_counter, sensor.period_s) == ("module", False, 1.0)


def test_a_driver_that_does_not_know_scopes_makes_no_module(opened: Opened) -> None:
    _, sensor = opened(scope_module=True)
    assert sensor.open()[0].scope == "gpu"


def test_two_devices_on_one_module_are_read_by_themselves(opened: Opened) -> None:
    _, sensor = opened(gpus=2, preset="b200", scope_module=True, module_extra_w=150.0)
    assert {meter.scope for meter in sensor.open()} == {"gpu"}


def test_a_mig_instance_is_a_share_of_its_parent(opened: Opened) -> None:
    host, sensor = opened(preset="a100", wave=Constant(280.0), is_open=False)
    instances = host.mig(0, slices=(3, 2, 1))
    environment = {"CUDA_VISIBLE_DEVICES": f"{instances[1]},{instances[2]}"}
    sensor = NvmlSensor(environment, time.monotonic)
    meters = sensor.open()
    assert [meter.id for meter in meters] == instances[1:]
    assert [meter.share for meter in meters] == [pytest.approx(2 / 7, abs=1e-12), pytest.approx(1 / 7, abs=1e-12)]
    assert f"modelled share: 2 of 7 slices of {uuid_of(0)}" in meters[0].note
    calls = host.counts.calls("nvmlDeviceGetFieldValues")
    first, second = sensor.read()
    assert host.counts.calls("nvmlDeviceGetFieldValues") == calls + 1  # the parent is read once for both
    assert (first.meter, second.meter) == tuple(instances[1:])
    assert first.energy_j == second.energy_j
    assert (first.power_w, first.utilization) == (pytest.approx(280.0, abs=1e-3), None)
    sensor.close()


def test_a_virtual_gpu_that_shows_nothing_cannot_be_read(opened: Opened) -> None:
    _, sensor = opened(preset="vgpu", is_open=False)
    with pytest.raises(SensorUnavailable, match=r"power is not supported.*GRID A100-20C.*measure there"):
        sensor.open()
    finding = sensor.available()
    assert (finding.is_available, finding.fix != "") == (False, True)


def test_a_device_that_shows_nothing_is_told_beside_those_that_are_read(opened: Opened) -> None:
    _, sensor = opened(gpus=2, preset=["h100", "vgpu"])
    assert [meter.id for meter in sensor.open()] == [uuid_of(0)]
    assert len(sensor.read()) == 1
    assert sensor.lost()[0][0] == uuid_of(1)
    assert "not supported" in sensor.lost()[0][1]


def test_a_question_that_the_driver_is_too_old_for_has_no_answer() -> None:
    class Mismatch(Exception):
        pass

    def refuse(*_: object) -> object:
        raise Mismatch

    driver = Driver({})
    driver._nvml = types.SimpleNamespace(
        NVMLError=KeyError, NVMLLibraryMismatchError=Mismatch, nvmlDeviceGetComputeRunningProcesses=refuse,
        nvmlSystemGetDriverVersion=lambda: b"470.42",
    )  # fmt: skip
    assert driver.processes(1) is None
    assert driver.loads(1, 0) is None  # a package without the function
    assert driver.version == "470.42"


# which devices


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": uuid_of(3)}, [3]),
        ({"CUDA_VISIBLE_DEVICES": uuid_of(1)[:12]}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "1,-1,3"}, [1]),
        ({"NVIDIA_VISIBLE_DEVICES": uuid_of(2)}, [2]),
        ({"SLURM_JOB_GPUS": "1,2"}, [1, 2]),
    ],
)
def test_only_devices_that_are_mine_are_read(opened: Opened, environment: dict[str, str], expected: list[int]) -> None:
    _, sensor = opened(environment, gpus=4)
    assert [meter.id for meter in sensor.open()] == [uuid_of(gpu) for gpu in expected]
    assert sorted(s.meter for s in sensor.read()) == sorted(uuid_of(gpu) for gpu in expected)


def test_where_no_device_is_mine_none_is_read_and_the_library_is_let_go(opened: Opened) -> None:
    host, sensor = opened({"CUDA_VISIBLE_DEVICES": ""}, is_open=False, gpus=4)
    with pytest.raises(SensorUnavailable, match="none of 4 devices is mine; by CUDA_VISIBLE_DEVICES"):
        sensor.open()
    assert host.counts.inits == host.counts.shutdowns == 1


def test_devices_of_another_job_are_passed_over(opened: Opened) -> None:
    host, sensor = opened({"CUDA_VISIBLE_DEVICES": "0"}, is_open=False, gpus=2)
    host.fault("nvmlDeviceGetHandleByIndex", gpu=0, error="no permission")
    assert [meter.id for meter in sensor.open()] == [uuid_of(1)]  # CUDA numbers what this job may reach


def test_what_torch_has_started_with_is_asked_and_torch_is_never_imported(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "0"}
    torch = types.SimpleNamespace(
        cuda=types.SimpleNamespace(
            is_initialized=lambda: True,
            device_count=lambda: 1,
            get_device_properties=lambda index: types.SimpleNamespace(uuid=uuid_of(index).removeprefix("GPU-")),
        )
    )
    _, sensor = opened(environment, gpus=2, preset=["t4", "h100"])
    assert sensor.open()[0].id == uuid_of(1)  # fastest first
    assert "approximated" in sensor.open()[0].note
    sensor.close()
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert sensor.open()[0].id == uuid_of(0)
    sensor.close()
    del torch.cuda.get_device_properties
    assert sensor.open()[0].id == uuid_of(1)


# trouble


def test_a_lost_device_is_told_and_the_others_are_read_on(opened: Opened) -> None:
    clock = Clock()
    host, sensor = opened(gpus=3, clock=clock)
    host.lose(1)
    assert [s.meter for s in sensor.read()] == [uuid_of(0), uuid_of(2)]
    assert sensor.lost() == ((uuid_of(1), "the device is lost: it fell off the bus"),)
    calls = host.counts.gpu_calls(1)
    assert len(sensor.read()) == len(sensor.read_counters()) == 2
    assert host.counts.gpu_calls(1) == calls  # it is left alone
    host.set(1, back_at_s=0.0)
    clock.ahead_s = 11.0
    assert len(sensor.read()) == 3
    assert sensor.lost() == ()


def test_when_every_device_is_lost_so_is_the_sensor(opened: Opened) -> None:
    host, sensor = opened(gpus=2)
    host.lose(0)
    host.lose(1)
    for _ in range(2):
        with pytest.raises(SensorLost, match="fell off the bus"):
            sensor.read()


def test_a_call_that_fails_once_costs_one_sample(opened: Opened) -> None:
    host, sensor = opened(gpus=2)
    host.fault("nvmlDeviceGetFieldValues", gpu=0, error="timeout", times=1)
    assert [s.meter for s in sensor.read()] == [uuid_of(1)]
    assert sensor.lost() == ()
    assert len(sensor.read()) == 2


def test_a_device_that_keeps_failing_is_told_until_it_answers(opened: Opened) -> None:
    host, sensor = opened()
    host.fault("nvmlDeviceGetFieldValues", error="unknown")
    for _ in range(3):
        assert sensor.read() == []
    assert sensor.lost() == ((uuid_of(0), "NVML error 999"),)
    host.clear_faults()
    assert len(sensor.read()) == 1
    assert sensor.lost() == ()


def test_a_library_shut_down_by_somebody_else_is_started_again(opened: Opened) -> None:
    import pynvml

    _, sensor = opened(gpus=2)
    pynvml.nvmlShutdown()
    assert sensor.read() == []
    assert len(sensor.read()) == 2
    assert sensor.lost() == ()


def test_a_forked_child_starts_a_library_of_its_own(emulator: Host) -> None:
    host = emulator(gpus=2)
    code = (
        "import os, time\n"
        "from footprint.measurement.sensors.nvml import NvmlSensor\n"
        "sensor = NvmlSensor(os.environ, time.monotonic)\n"
        "sensor.open(); sensor._lock.acquire()\n"  # as if another thread were reading
        "child = os.fork()\n"
        "if child == 0:\n"
        "    print(len(sensor.read()), len(sensor.read_counters()), flush=True)\n"
        "    sensor.close(); os._exit(0)\n"
        "os.waitpid(child, 0); sensor._lock.release()\n"
        "print(len(sensor.read())); sensor.close()"
    )
    assert host.python(code).split() == ["2", "2", "2"]
    assert host.counts.uninitialized_calls == 0
    assert host.counts.inits == host.counts.shutdowns == 2


def test_a_forked_child_that_only_closes_leaves_the_parents_library_alone(emulator: Host) -> None:
    host = emulator()
    code = (
        "import os, time\n"
        "from footprint.measurement.sensors.nvml import NvmlSensor\n"
        "sensor = NvmlSensor(os.environ, time.monotonic); sensor.open()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sensor.close(); os._exit(0)\n"
        "os.waitpid(child, 0); print(len(sensor.read())); sensor.close()"
    )
    assert host.python(code).strip() == "1"
    assert host.counts.inits == host.counts.shutdowns == 1


@pytest.mark.clock
def test_closing_is_bounded_while_a_call_hangs_and_does_not_pull_the_library_from_under_it(opened: Opened) -> None:
    host, sensor = opened()
    host.fault("nvmlDeviceGetFieldValues", hang=True)
    reader = threading.Thread(target=sensor.read, daemon=True)
    reader.start()
    while host.counts.in_flight == 0:
        time.sleep(0.001)
    started_s = time.monotonic()
    sensor.close()
    assert time.monotonic() - started_s < 2.0
    assert (host.counts.shutdowns, host.counts.shutdowns_in_flight) == (0, 0)
    host.clear_faults()
    reader.join(5.0)
    assert not reader.is_alive()


@pytest.mark.clock
def test_closing_is_bounded_while_the_shutdown_hangs(opened: Opened) -> None:
    host, sensor = opened()
    host.fault("nvmlShutdown", hang=True)
    started_s = time.monotonic()
    sensor.close()
    assert time.monotonic() - started_s < 2.0
    host.clear_faults()


def test_closing_waits_for_a_slow_call(opened: Opened) -> None:
    host, sensor = opened()
    host.fault("nvmlDeviceGetFieldValues", delay_us=200_000.0)
    reader = threading.Thread(target=sensor.read)
    reader.start()
    while host.counts.in_flight == 0:
        time.sleep(0.001)
    sensor.close()
    reader.join()
    assert (host.counts.shutdowns, host.counts.shutdowns_in_flight) == (1, 0)


# findings


def test_a_finding_says_what_is_seen(opened: Opened) -> None:
    _, sensor = opened({"CUDA_VISIBLE_DEVICES": "1,2"}, is_open=False, gpus=4)
    finding = sensor.available()
    assert (finding.sensor, finding.is_available, finding.fix) == ("nvml", True, "")
    assert finding.told == "2 x NVIDIA H100 80GB HBM3, by CUDA_VISIBLE_DEVICES: energy counter"


@pytest.mark.parametrize(
    ("presets", "told"),
    [
        (["p100"], "1 x Tesla P100-SXM2-16GB: power, integrated"),
        (["h100", "p100"], "2 x NVIDIA H100 80GB HBM3, Tesla P100-SXM2-16GB: energy counter on 1, power on the rest"),
        (["h100", "vgpu"], "1 x NVIDIA H100 80GB HBM3: energy counter"),
    ],
)
def test_a_finding_tells_counters_from_power(opened: Opened, presets: list[str], told: str) -> None:
    _, sensor = opened(is_open=False, gpus=len(presets), preset=presets)
    assert sensor.available().told == told


@pytest.mark.parametrize(
    ("error", "told", "fix"),
    [
        ("driver not loaded", "the NVIDIA driver is not loaded", "sudo modprobe nvidia"),
        ("no permission", "is not allowed to this user", "access to /dev/nvidiactl"),
        ("version mismatch", "driver and library are of different versions", "reboot"),
        ("unknown", "NVML error 999", "nvidia-smi"),
    ],
)
def test_a_driver_that_refuses_is_told_with_what_to_do(opened: Opened, error: str, told: str, fix: str) -> None:
    host, sensor = opened(is_open=False)
    host.fault("nvmlInit*", error=error)
    finding = sensor.available()
    assert not finding.is_available
    assert told in finding.told
    assert fix in finding.fix


def test_without_a_library_the_finding_tells_a_bare_host_from_a_container(tmp_path: Path) -> None:
    bare = Driver({}, tmp_path)._unavailable(12)
    assert "no NVIDIA driver" in bare.told
    assert "--gpus all" in bare.fix
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    contained = Driver({"NVIDIA_DRIVER_CAPABILITIES": "compute"}, tmp_path)._unavailable(12)
    assert "(NVIDIA_DRIVER_CAPABILITIES=compute)" in contained.told
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in contained.fix


ASK = (
    "import os, time\n"
    "from footprint.measurement.sensors.nvml import NvmlSensor\n"
    "found = NvmlSensor(os.environ, time.monotonic).available()\n"
    "print(found.is_available, found.told, found.fix, sep='|')"
)


def test_a_host_without_nvidias_library_says_so(emulator: Host) -> None:
    host = emulator()
    answer = host.python(ASK, LD_LIBRARY_PATH="")
    if answer.startswith("True"):
        pytest.skip("this host has NVIDIA's library")
    assert "libnvidia-ml.so.1" in answer


@pytest.mark.parametrize(
    ("files", "is_available", "told", "fix"),
    [
        ({"pynvml.py": "raise ImportError"}, "False", "nvidia-ml-py is not installed", "pip install nvidia-ml-py"),
        ({"pynvml.py": "x = 1"}, "False", "stands before nvidia-ml-py", "--force-reinstall nvidia-ml-py"),
        (
            {
                "pynvml/__init__.py": (
                    "import importlib.machinery, importlib.util, os, sys, warnings\n"
                    "warnings.warn('The pynvml package is deprecated', FutureWarning)\n"
                    "path = importlib.machinery.PathFinder.find_spec('pynvml', sys.path[1:]).origin\n"
                    "exec(compile(open(path).read(), path, 'exec'), globals())"
                )
            },
            "True",
            "the deprecated package pynvml stands before nvidia-ml-py",
            "pip uninstall -y pynvml",
        ),
    ],
)
def test_another_package_of_the_same_name_is_told(
    emulator: Host, tmp_path: Path, files: dict[str, str], is_available: str, told: str, fix: str
) -> None:
    for name, text in files.items():
        (tmp_path / "first" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "first" / name).write_text(text, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'first')!r})\n{ASK}"
    answer = emulator().python(code, PYTHONWARNINGS="error").strip().split("|")
    assert answer[0] == is_available
    assert told in answer[1]
    assert fix in answer[2]


def test_the_sensors_of_a_host_are_found_and_told(opened: Opened) -> None:
    _, _ = opened(gpus=2, is_open=False)
    sensors, findings = detect({}, time.monotonic, wanted=("nvml", "amdsmi"))
    assert [sensor.name for sensor in sensors] == ["nvml"]
    assert [(f.sensor, f.is_available) for f in findings] == [("nvml", True), ("amdsmi", False)]
    assert len(sensors[0].open()) == 2
    sensors[0].close()


def test_where_whole_modules_are_read_the_hosts_own_parts_are_not_read_again(opened: Opened) -> None:
    opened(preset="gh200", is_open=False)
    sensors, findings = detect({}, time.monotonic, wanted=("nvml", "rapl", "cpu-load", "ram-size"))
    assert [sensor.name for sensor in sensors] == ["nvml"]
    assert {f.sensor for f in findings if "part of the modules" in f.told} == {"rapl", "cpu-load", "ram-size"}
    sensors[0].close()


def test_a_sensor_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean nvml"):
        detect({}, time.monotonic, wanted=("nvm",))


# whose work it is


def test_a_device_that_others_use_too_has_an_attributed_share(opened: Opened) -> None:
    clock = Clock()
    host, sensor = opened(utilization=0.8, processes="self:2048:0.75,1:1024:0.25", clock=clock)
    assert only(sensor.read()).attributed_share == pytest.approx(0.75, abs=1e-9)
    asked = host.counts.calls("nvmlDeviceGetComputeRunningProcesses")
    sensor.read()
    assert host.counts.calls("nvmlDeviceGetComputeRunningProcesses") == asked  # now and then is enough
    host.set(processes="self:2048:1.0")
    clock.ahead_s = 7.99  # a reading that is due after eight seconds, or ten, may come a little early
    assert only(sensor.read()).attributed_share is None  # alone


def test_processes_with_other_numbers_than_the_drivers_share_nothing_that_can_be_told(opened: Opened) -> None:
    _, sensor = opened(utilization=0.8, processes="1:2048:0.75,2:1024:0.25")
    assert only(sensor.read()).attributed_share is None


def test_children_count_with_their_parents(tmp_path: Path) -> None:
    for pid, name, parent in ((20, "train (a) b", 10), (30, "worker", 20), (10, "shell", 1), (40, "other", 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0", encoding="ascii")
    assert descends_from(30, (10,), tmp_path)
    assert descends_from(20, (20,), tmp_path)
    assert not descends_from(40, (10,), tmp_path)
    assert not descends_from(999, (10,), tmp_path)

    class Asked:
        def may_be_shared(self, handle: int) -> bool:
            return True

        def processes(self, handle: int) -> list[int]:
            return [20, 30, 40]

        def loads(self, handle: int, since_us: int) -> list[tuple[int, float, int]]:
            return [(20, 30.0, 5), (30, 10.0, 5), (40, 60.0, 6)] if since_us < 6 else []

    shares = ProcessShares(lambda: (10,), tmp_path)
    assert shares.share(Asked(), 1) == pytest.approx(0.4, abs=1e-12)
    assert shares.share(Asked(), 1) is None  # nothing new is known


def test_a_process_that_is_its_own_ancestor_ends(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "stat").write_text("5 (x) S 5 1 1 0", encoding="ascii")
    assert not descends_from(5, (7,), tmp_path)


# numbers and costs


@pytest.mark.parametrize(
    ("kind", "bits", "expected"),
    [
        (0, 0x4059000000000000, 100.0),  # a double
        (1, 0xFFFFFFFF_0000002A, 42.0),  # the upper half of an unsigned is nobody's
        (3, 5_000_000_000_000, 5e12),
        (4, 0xFFFFFFFFFFFFFFFF, -1.0),
        (5, 0xFFFFFFFF, -1.0),
        (6, 0xFFFF0007, 7.0),
        (99, 17, 17.0),
    ],
)
def test_each_type_of_value_is_read_as_what_it_is(kind: int, bits: int, expected: float) -> None:
    assert number(kind, bits) == expected


def test_eight_devices_cost_little_to_read(opened: Opened) -> None:
    _, sensor = opened(gpus=8)

    def least_us(call: Callable[[], object]) -> float:
        call()
        best = float("inf")
        for _ in range(20):
            started = time.thread_time()
            for _ in range(20):
                call()
            best = min(best, (time.thread_time() - started) / 20 * 1e6)
        return best

    assert least_us(sensor.read) < 150.0
    assert least_us(sensor.read_counters) < 60.0


def test_reading_leaves_no_file_and_no_thread_behind(opened: Opened) -> None:
    _, sensor = opened(gpus=2)
    sensor.close()
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        sensor.open()
        sensor.read()
        sensor.close()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (files, threads)


# counters alone, the short way


@pytest.mark.parametrize("preset", ["h100", "v100"], ids=["fields", "a function"])
def test_counting_tells_what_a_reading_in_full_tells_of_energy(opened: Opened, preset: str) -> None:
    _, sensor = opened(gpus=3, preset=preset, wave=Constant(200.0), counter_stuck_at_s=time.monotonic())
    sensor.open()
    read = [round((sample.energy_j or 0.0) * 1e3) for sample in sensor.read()]
    assert list(sensor.count()) == read
    assert len(set(read)) == 1
    assert read[0] > 0


def test_counting_tells_nothing_where_one_device_does_not_answer_until_it_does(opened: Opened) -> None:
    host, sensor = opened(gpus=3)
    sensor.open()
    host.fault("nvmlDeviceGetTotalEnergyConsumption", gpu=1, error="unknown")
    assert list(sensor.count()) == []
    host.clear_faults()
    assert len(sensor.count()) == 3


@pytest.mark.parametrize("scope", [0, 1], ids=["the same counter", "another counter"])
def test_counting_asks_the_function_where_it_tells_what_the_field_tells(opened: Opened, scope: int) -> None:
    settings = {"total_energy_field": False, "scope_module": True, "module_extra_w": 150.0}
    stuck_s = time.monotonic()
    host, sensor = opened(gpus=2, preset="b200", counter_scope=scope, counter_stuck_at_s=stuck_s, **settings)
    read = [round((sample.energy_j or 0.0) * 1e3) for sample in sensor.read()]
    asked = host.counts.calls("nvmlDeviceGetTotalEnergyConsumption")
    assert list(sensor.count()) == read
    assert host.counts.calls("nvmlDeviceGetTotalEnergyConsumption") - asked == (0 if scope else 2)


def test_counting_goes_on_without_a_device_that_is_lost_until_it_is_time_to_ask_whether_it_is_back(
    opened: Opened,
) -> None:
    clock = Clock()
    host, sensor = opened(gpus=3, clock=clock)
    host.lose(1)
    assert list(sensor.count()) == []
    assert len(sensor.read()) == len(sensor.count()) == 2
    host.lose(1, back_at_s=time.monotonic())
    assert len(sensor.count()) == 2
    clock.ahead_s = 11.0
    assert list(sensor.count()) == []
    assert len(sensor.read()) == len(sensor.count()) == 3


def test_counting_tells_nothing_where_power_must_be_integrated(opened: Opened) -> None:
    _, sensor = opened(gpus=2, preset=["h100", "p100"])
    sensor.open()
    assert list(sensor.count()) == []


def test_instances_of_one_device_are_counted_as_they_are_read(emulator: Host, opened: Opened) -> None:
    host, sensor = opened(gpus=2, is_open=False)
    host.mig(0, slices=(3, 2))
    meters = sensor.open()
    found = sensor.count()
    assert len(found) == len(meters) == len(sensor.read()) == 2
    assert found[0] == found[1]
