"""`footprint doctor`: what can be measured here, and what to do about the rest."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator, uuid_of

from footprint.cli.doctor import Examination
from footprint.report import diagnosis
from footprint.report.diagnosis import Diagnosis, Folder, ReadingTime
from footprint.values import Finding, Meter, Range, Sample

HOSTILE = "\x1b[2J[bold]x[/bold]\n"


def doctor(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "footprint", "doctor", *arguments],
        env={**env, "COLUMNS": "80"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def bare(emulator: Callable[..., Emulator], tmp_path: Path) -> dict[str, str]:
    """A host without GPUs and without readable counters."""
    (tmp_path / "powercap").mkdir()
    env = {**emulator(gpus=0).env, "FOOTPRINT_POWERCAP": str(tmp_path / "powercap")}
    env["FOOTPRINT_CLAIMS"] = str(tmp_path / "claims")
    return env | {"FOOTPRINT_FOLDER": str(tmp_path / "runs")}


def test_where_nothing_is_measured_it_says_so_and_exits_with_0_or_strictly_with_1(bare: dict[str, str]) -> None:
    ran = doctor(bare)
    assert ran.returncode == 0
    assert "nothing is measured here" in ran.stdout
    assert "fix: give --region aws/us-east-1" in ran.stdout
    assert "FOOTPRINT_FOLDER" in ran.stdout
    assert not ran.stderr
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert doctor(bare, "--strict").returncode == 1


def test_devices_are_named_by_uuid_with_the_variable_that_chose_them(
    emulator: Callable[..., Emulator], bare: dict[str, str]
) -> None:
    env = {**bare, **emulator(gpus=4).env, "CUDA_VISIBLE_DEVICES": f"{uuid_of(2)},{uuid_of(0)}"}
    plain = json.loads(doctor(env, "--strict", "--format", "json").stdout)
    assert [m["id"] for m in plain["meters"] if m["component"] == "accelerator"] == [uuid_of(2), uuid_of(0)]
    assert next(iter(plain["visible"])) == "CUDA_VISIBLE_DEVICES"
    assert {t["sensor"] for t in plain["reading_times"]} >= {"nvml"}
    assert 0 < plain["overhead_share"] < 0.05
    shown = doctor(env, "--country", "FRA").stdout
    assert uuid_of(2) in shown
    assert uuid_of(1) not in shown
    assert "chosen by CUDA_VISIBLE_DEVICES=" in shown
    assert "FRA: " in shown


def test_slurm_a_folder_that_cannot_be_written_and_an_unknown_place_are_told(
    bare: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    env = {**bare, "SLURM_JOB_ID": "77", "SLURM_NTASKS": "4", "FOOTPRINT_FOLDER": str(tmp_path / "file" / "runs")}
    shown = " ".join(doctor(env).stdout.split())
    assert "launched by slurm, run 77, rank 0 of 4" in shown
    assert "cannot be written fix: set FOOTPRINT_FOLDER" in shown
    ran = doctor(env, "--country", "FRX")
    assert ran.returncode == 1
    assert "did you mean" in ran.stderr


@pytest.mark.parametrize("wrong", [["--interval", "0"], ["--format", "csv"], ["--nope"]])
def test_a_wrong_use_exits_with_2(bare: dict[str, str], wrong: list[str]) -> None:
    assert doctor(bare, *wrong).returncode == 2


# sensors that misbehave

METER = Meter("gpu-1", "accelerator", "H100", "fake", "gpu", "measured", has_counter=True)


class FakeSensor:
    name, period_s = "fake", None

    def __init__(self, read: Callable[[], Sequence[Sample]]) -> None:
        self.read = read
        self.is_closed = False

    def open(self) -> tuple[Meter, ...]:
        return (METER,)

    def close(self) -> None:
        self.is_closed = True


def detect(*sensors: FakeSensor) -> Callable[..., Any]:
    return lambda environment, clock: (list(sensors), [Finding(s.name, True, "1 device") for s in sensors])


def test_a_driver_that_hangs_is_told_and_what_was_heard_before_stays() -> None:
    never = threading.Event()
    examination = Examination({}, detect(FakeSensor(lambda: ()), FakeSensor(lambda: never.wait() and ())))  # type: ignore[arg-type]
    examination.within(0.3)
    assert [t.sensor for t in examination.times] == ["fake"]
    assert examination.notes == ["fake does not answer within 0.3 s: its driver hangs"]
    never.set()


def test_a_sensor_that_fails_is_told_and_closed_and_the_next_is_asked() -> None:
    def fail() -> Sequence[Sample]:
        raise RuntimeError("no such symbol")

    broken, sound = FakeSensor(fail), FakeSensor(lambda: ())
    examination = Examination({}, detect(broken, sound))
    examination.within(10)
    assert examination.notes == ["fake: RuntimeError: no such symbol"]
    assert (broken.is_closed, sound.is_closed, len(examination.times)) == (True, True, 1)


# the text


def diagnosed(**changes: Any) -> Diagnosis:
    given: dict[str, Any] = {
        "version": "0.1.0",
        "system": (("Python", "3.11"),),
        "findings": (Finding("rapl", False, "energy_uj is readable by root alone", "sudo chmod a+r FILE"),),
        "meters": (METER,),
        "visible": (),
        "reading_times": (ReadingTime("fake", 1e-3, 5e-4),),
        "overhead_share": 5e-4,
        "interval_s": 1.0,
        "zone": "World",
        "location_intensity_g_per_kwh": Range(37.0, 473.0, 784.0),
        "is_place_given": False,
        "folders": (Folder("runs", "/data/runs", "FOOTPRINT_FOLDER", True, "lustre", True, 1200.0),),
    }
    return Diagnosis(**{**given, **changes})


def test_the_text_gives_each_missing_thing_the_line_that_fixes_it() -> None:
    shown = diagnosis.text(diagnosed(), width=80)
    assert "no  rapl  energy_uj is readable by root alone\n            fix: sudo chmod a+r FILE" in shown
    assert "0  H100  gpu-1  energy counter" in shown
    assert "fake 1,000 µs\n  0.050 % of one core, with a reading each 1 s" in shown
    told = "yes runs /data/runs (FOOTPRINT_FOLDER, lustre, shared by hosts, 1,200 GB free)"
    assert told in " ".join(shown.split())


def test_hostile_names_steer_no_terminal() -> None:
    shown = diagnosis.text(
        diagnosed(
            meters=(Meter(HOSTILE, "accelerator", HOSTILE, "fake", "gpu", "measured", counted_in=HOSTILE),),
            visible=(("CUDA_VISIBLE_DEVICES", HOSTILE),), findings=(Finding(HOSTILE, True, HOSTILE),), zone=HOSTILE,
            notes=(HOSTILE,), launcher=(("run", HOSTILE),),
        ),
        width=200,
    )  # fmt: skip
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown
