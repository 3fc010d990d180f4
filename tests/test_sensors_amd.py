"""AMD devices through amdsmi, against a stand-in for the package whose devices draw a known power."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint.errors import SensorLost, SensorUnavailable
from footprint.measurement.sensors.amd import AmdSensor, visible

STEP_UJ = 15.259


class AmdSmiException(Exception):
    """As amdsmi's own."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told

    def get_error_info(self) -> str:
        return self.told


@dataclass
class Device:
    """One that draws constant power, and what it shows of it."""

    power_w: float = 500.0
    shown: Any = None  # instead of its power
    counter_gain: float | None = 1.0
    name: str = "AMD Instinct MI300X"
    cap: Any = 750_000_000
    fails: bool = False
    uuid: str = ""


@dataclass
class Smi:
    """The package, its devices and the time."""

    devices: list[Device]
    now_s: float = 100.0
    up: int = 0
    is_older: bool = False
    init_error: str = ""
    paused: list[float] = field(default_factory=list)
    AmdSmiException: type[AmdSmiException] = AmdSmiException
    AmdSmiMemoryType: Any = field(default_factory=lambda: types.SimpleNamespace(VRAM=0))

    def clock(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now_s += seconds

    def _of(self, handle: int) -> Device:
        if not self.up:
            raise AmdSmiException("AMDSMI_STATUS_NOT_INIT")
        if self.devices[handle].fails:
            raise AmdSmiException("AMDSMI_STATUS_NO_DATA")
        return self.devices[handle]

    def amdsmi_init(self) -> None:
        if self.init_error:
            raise AmdSmiException(self.init_error)
        self.up += 1

    def amdsmi_shut_down(self) -> None:
        self.up -= 1

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(len(self.devices)))

    def amdsmi_get_gpu_asic_info(self, handle: int) -> dict[str, Any]:
        return {"market_name": self.devices[handle].name, "asic_serial": f"0x00{handle:06X}ABCDEF01"}

    def amdsmi_get_gpu_device_uuid(self, handle: int) -> str:
        return self.devices[handle].uuid or f"{handle:02x}ff74a1-0000-1000-80a0-0123456789ab"

    def amdsmi_get_gpu_device_bdf(self, handle: int) -> str:
        return f"0000:{handle:02x}:00.0"

    def amdsmi_get_power_cap_info(self, handle: int) -> dict[str, Any]:
        return {"power_cap": self._of(handle).cap}

    def amdsmi_get_gpu_memory_total(self, handle: int, kind: int) -> int:
        assert kind == 0
        return 192 * 10**9

    def amdsmi_get_power_info(self, handle: int) -> dict[str, Any]:
        device = self._of(handle)
        shown = round(device.power_w) if device.shown is None else device.shown
        if self.is_older:
            return {"current_socket_power": "N/A", "average_socket_power": shown}
        return {"current_socket_power": shown, "average_socket_power": "N/A", "socket_power": shown}

    def amdsmi_get_energy_count(self, handle: int) -> dict[str, Any]:
        device = self._of(handle)
        if device.counter_gain is None:
            raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
        count = round(device.counter_gain * device.power_w * self.now_s * 1e6 / STEP_UJ)
        name = "power" if self.is_older else "energy_accumulator"
        return {name: count, "counter_resolution": STEP_UJ, "timestamp": round(self.now_s * 1e9)}

    def amdsmi_get_gpu_activity(self, handle: int) -> dict[str, Any]:
        self._of(handle)
        return {"gfx_activity": 87, "umc_activity": 12, "mm_activity": "N/A"}


def make(*devices: Device, environment: dict[str, str] | None = None, **settings: Any) -> tuple[Smi, AmdSensor]:
    smi = Smi(list(devices) or [Device()], **settings)
    return smi, AmdSensor(environment or {}, smi.clock, library=smi, pause=smi.pause)


@pytest.mark.parametrize("is_older", [False, True])
def test_the_counter_is_read_where_it_agrees_with_the_power(is_older: bool) -> None:
    smi, sensor = make(Device(500.0), Device(300.0), is_older=is_older)
    meters = sensor.open()
    assert smi.paused == [0.5]
    assert [(m.has_counter, m.scope, m.share, m.max_w) for m in meters] == [(True, "gpu", 1.0, 750.0)] * 2
    assert (meters[0].component, meters[0].sensor, meters[0].origin) == ("accelerator", "amdsmi", "measured")
    assert meters[0].memory_gb == pytest.approx(192.0, abs=1e-9)
    before = sensor.read()
    smi.now_s += 10.0
    after = sensor.read()
    gained = [b.energy_j - a.energy_j for a, b in zip(before, after, strict=True)]  # type: ignore[operator]
    assert gained == [pytest.approx(5000.0, abs=1e-3), pytest.approx(3000.0, abs=1e-3)]
    assert (after[0].power_w, after[0].utilization, after[0].at_s) == (500.0, 0.87, smi.now_s)
    assert [(s.power_w, s.energy_j is not None) for s in sensor.read_counters()] == [(None, True)] * 2


@pytest.mark.parametrize("gain", [None, 0.0, 1e-4, 1e4, 2.5, 0.3])
def test_a_counter_that_does_not_agree_with_the_power_is_not_used(gain: float | None) -> None:
    _, sensor = make(Device(counter_gain=gain))
    (meter,) = sensor.open()
    assert not meter.has_counter
    assert "power is integrated" in meter.note
    (sample,) = sensor.read()
    assert (sample.energy_j, sample.power_w) == (None, 500.0)
    assert sensor.read_counters() == []


def test_nothing_is_waited_for_where_no_device_counts() -> None:
    smi, sensor = make(Device(counter_gain=None), Device(counter_gain=None))
    sensor.open()
    assert smi.paused == []


def test_dies_that_share_a_socket_share_what_one_of_them_reports() -> None:
    silent = {"shown": "N/A", "counter_gain": None, "name": "AMD Instinct MI250X"}
    pair = (Device(500.0, name="AMD Instinct MI250X"), Device(**silent))
    smi, sensor = make(*pair, *pair)
    meters = sensor.open()
    assert [(m.scope, m.share) for m in meters] == [("module", 0.5)] * 4
    assert "one of 2 dies or partitions" in meters[1].note
    before, at_s = sensor.read(), smi.now_s
    smi.now_s += 4.0
    drawn = sum(
        (b.energy_j - a.energy_j) * meter.share  # type: ignore[operator]
        for a, b, meter in zip(before, sensor.read(), meters, strict=True)
    )
    assert drawn == pytest.approx(2 * 500.0 * (smi.now_s - at_s), abs=1e-2)


def test_a_die_that_does_not_report_is_read_on_the_one_that_does() -> None:
    silent = Device(shown=0, counter_gain=None)
    _, sensor = make(Device(400.0), silent, environment={"HIP_VISIBLE_DEVICES": "1"})
    (meter,) = sensor.open()
    (sample,) = sensor.read()
    assert (sample.meter, sample.power_w, meter.share) == (meter.id, 400.0, 0.5)


def test_a_device_that_reports_nothing_is_told() -> None:
    silent = Device(shown="N/A", counter_gain=None, name="AMD Radeon")
    _, sensor = make(silent, Device())
    assert len(sensor.open()) == 1
    assert "reports neither power nor energy" in sensor.lost()[0][1]
    _, alone = make(silent)
    with pytest.raises(SensorUnavailable, match=r"reports neither power nor energy; see what `amd-smi"):
        alone.open()


@pytest.mark.parametrize(("cap", "limit_w"), [(750_000_000, 750.0), (560, 560.0), ("N/A", None), (0, None)])
def test_the_cap_is_told_in_watts_or_microwatts(cap: Any, limit_w: float | None) -> None:
    _, sensor = make(Device(cap=cap))
    assert sensor.open()[0].max_w == limit_w


def test_devices_of_one_uuid_are_told_apart_by_their_place() -> None:
    _, sensor = make(Device(uuid="same"), Device(uuid="same"))
    assert [meter.id for meter in sensor.open()] == ["same", "same@0000:01:00.0"]


def test_a_device_that_ceases_to_answer_is_told_and_the_others_are_read_on() -> None:
    smi, sensor = make(Device(), Device())
    first, second = (meter.id for meter in sensor.open())
    smi.devices[0].fails = True
    for _ in range(3):
        assert [s.meter for s in sensor.read()] == [second]
    assert [meter for meter, _ in sensor.lost()] == [first]
    smi.devices[0].fails = False
    assert len(sensor.read()) == 2
    assert sensor.lost() == ()
    smi.devices[0].fails = smi.devices[1].fails = True
    assert sensor.read() == sensor.read() == []
    with pytest.raises(SensorLost, match="answers neither power nor energy any more"):
        sensor.read()


def test_opening_and_closing_come_in_pairs() -> None:
    smi, sensor = make()
    assert sensor.available().told == "1 x AMD Instinct MI300X"
    assert sensor.open() is sensor.open()
    assert smi.up == 1
    sensor.close()
    sensor.close()
    assert smi.up == 0
    with pytest.raises(SensorLost, match="is closed"):
        sensor.read()
    assert len(sensor.open()) == 1


# what is missing


def test_without_a_driver_the_package_is_not_even_imported(tmp_path: Path) -> None:
    sensor = AmdSensor({}, lambda: 0.0, root=tmp_path)
    finding = sensor.available()
    assert (finding.is_available, finding.told) == (False, "no AMD driver: /dev/kfd is not there")
    assert "amdsmi" not in sys.modules
    sensor.close()


@pytest.mark.parametrize("broken", [None, types.ModuleType("amdsmi")])
def test_without_the_package_the_finding_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kfd").touch()
    if broken is None:
        monkeypatch.setitem(sys.modules, "amdsmi", None)
    else:
        (tmp_path / "amdsmi.py").write_text("raise OSError('libamd_smi.so: cannot open')", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
    finding = AmdSensor({}, lambda: 0.0, root=tmp_path).available()
    assert not finding.is_available
    if broken is None:
        assert finding.fix == "install it with: pip install 'footprint[amd]'"
    else:
        assert "libamd_smi.so" in finding.told
        assert "install ROCm" in finding.fix


def test_a_driver_that_refuses_is_told_with_what_to_do() -> None:
    _, sensor = make(init_error="AMDSMI_STATUS_DRIVER_NOT_LOADED")
    finding = sensor.available()
    assert finding.told == "amdsmi does not start: AMDSMI_STATUS_DRIVER_NOT_LOADED"
    assert "modprobe amdgpu" in finding.fix


def test_where_no_device_is_mine_the_library_is_let_go() -> None:
    smi, sensor = make(Device(), Device(), environment={"ROCR_VISIBLE_DEVICES": ""})
    with pytest.raises(SensorUnavailable, match="none of 2 devices is mine; by ROCR_VISIBLE_DEVICES"):
        sensor.open()
    assert smi.up == 0


# which devices

SERIALS = ("a1", "b2", "c3", "d4")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"ROCR_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-00000000000000B2,3"}, [1, 3]),
        ({"ROCR_VISIBLE_DEVICES": "1,9,0"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        ({"HIP_VISIBLE_DEVICES": "3,1"}, [3, 1]),
        ({"CUDA_VISIBLE_DEVICES": "2"}, [2]),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "2"}, [0]),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1"}, [3]),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1,5,0"}, [3]),
        ({"GPU_DEVICE_ORDINAL": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
    ],
)
def test_the_variables_of_rocm_choose_one_inside_the_other(environment: dict[str, str], expected: list[int]) -> None:
    assert visible(environment, SERIALS)[0] == expected


@given(
    st.dictionaries(
        st.sampled_from(("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")),
        st.one_of(st.text(max_size=20), st.lists(st.integers(-1, 5).map(str), max_size=6).map(",".join)),
    ),
    st.sampled_from([(), SERIALS, ("", "")]),
)
def test_any_words_choose_places_that_are_there_and_none_twice(
    environment: dict[str, str], serials: tuple[str, ...]
) -> None:
    chosen, _ = visible(environment, serials)
    assert set(chosen) <= set(range(len(serials)))
    assert len(set(chosen)) == len(chosen)
