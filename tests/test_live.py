"""A run's live screen, and the journals' ends that it is drawn from."""

from __future__ import annotations

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import live_runs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from footprint.measurement.following import Follower
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.report import live, run_wording
from footprint.report.live_power import Screen, bar, spark
from footprint.values import Meter, Progress, Range, Sample

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]x[/bold red]\n\u202egnp.exe"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


# the screen


@pytest.mark.parametrize("columns", [40, 80, 140])
@pytest.mark.parametrize("devices", [0, 1, 8, 16, 64])
def test_no_line_is_wider_than_the_terminal_and_the_screen_is_not_higher(columns: int, devices: int) -> None:
    shown = live.text(live_runs.now(devices), Screen(columns, lines=40))
    assert all(cell_len(line) <= columns for line in shown.splitlines())
    assert len(shown.splitlines()) <= 40


def test_the_screen_says_how_far_what_it_draws_and_what_it_costs() -> None:
    shown = live.text(live_runs.now(2), Screen(80))
    assert shown.startswith("sft-7b · running · 2 h 14 min · node-1\n")
    for told in (
        "61.2 %", "step 6,120 of 10,000", "1.22B of 2.00B tokens", "ends 01:52 (01:45 – 02:10), in 1 h 25 min",
        "6.10 kW with the facility", "0 H100 80GB HBM3", "612 W", "94%", "cpu, modelled", "node, default",
        "12.10 kWh (11.90 – 12.30)", "21.6 kWh (20.5 – 23.4)", "7.9 kgCO2e (7.4 – 8.6)", "1.70 USD (1.60 – 1.90)",
        "26% of 50.0 kWh, 43% in the end", "MFU 0.41", "41,200 tokens/s", "0.312 J/token", "measured 99.8%",
    ):  # fmt: skip
        assert told in shown, told


def test_many_devices_on_few_lines_become_one_line_a_host() -> None:
    meters = tuple(live_runs.device(i, host) for host in ("node-1", "node-2") for i in range(8))
    shown = live.text(live_runs.now(0, meters=meters), Screen(80, lines=22))
    assert "node-1 8 × H100 80GB HBM3" in shown
    assert "4,896 W" in shown
    assert "0 H100" not in shown


def test_devices_of_several_hosts_carry_their_hosts_name() -> None:
    meters = tuple(live_runs.device(i, host) for host in ("node-1", "node-2") for i in range(2))
    shown = live.text(live_runs.now(0, meters=meters), Screen(140))
    assert "node-2 1 H100 80GB HBM3" in shown


def test_a_run_that_has_ended_shows_no_forecast() -> None:
    shown = live.text(live_runs.now(2, run=live_runs.run("finished")), Screen(80))
    assert "sft-7b · finished · 2 h 14 min" in shown
    assert "in the end" not in shown
    assert "ends" not in shown


def test_a_budget_that_will_not_hold_is_red_and_says_by_how_much() -> None:
    now = live_runs.now(1, budgets=(("facility_energy_kwh", 20.0), ("operational_location_kgco2e", 100.0)))
    assert "66% of 20.0 kWh, 108% in the end" in live.text(now, Screen(80))
    colored = live.text(now, Screen(80), color=True)
    assert "\x1b[1;31m 66%" in colored
    assert "\x1b[1;32m 5%" in colored


def test_a_meter_that_is_lost_says_so() -> None:
    shown = live.text(live_runs.now(0, meters=(live_runs.device(0, watts=None),)), Screen(80))
    assert "lost" in shown


def test_without_a_total_the_screen_says_that_nobody_told_how_far_it_is() -> None:
    run = replace(live_runs.run(), progress=Progress(steps_count=12.0))
    shown = live.text(live_runs.now(1, run=run, forecast=None), Screen(80))
    assert "step 12 · how far it is, nobody told" in shown
    assert "%" not in shown.splitlines()[2]


def test_a_plan_stands_beside_the_forecast() -> None:
    planned = replace(live_runs.footprint(), facility=live_runs.impact("facility", Range.exactly(20.0)))
    shown = live.text(live_runs.now(1, run=replace(live_runs.run(), planned=planned)), Screen(80))
    assert "planned 21.8 kWh and 8 kgCO2e · 0.99 of the energy by forecast" in shown


def test_hostile_names_steer_neither_terminal_nor_markup() -> None:
    meter = replace(live_runs.device(0).meter, name=HOSTILE)
    run = replace(live_runs.run(name=HOSTILE, notes=(HOSTILE,)), hosts=(HOSTILE, HOSTILE))
    now = live_runs.now(0, run=run, meters=(replace(live_runs.device(0), meter=meter, host=HOSTILE),))
    shown = live.text(now, Screen(200))
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "[bold red]x[/bold red]" in shown.splitlines()[0]
    console = Console(file=io.StringIO(), force_terminal=True, width=200, markup=True, color_system="standard")
    console.print(live.view(now, Screen(200)))
    assert "\x1b]0;" not in console.file.getvalue()  # type: ignore[attr-defined]
    assert "[2J" not in console.file.getvalue().replace(" [2J", "")  # type: ignore[attr-defined]


@settings(deadline=None)
@given(st.floats(-1, 2), st.integers(1, 200), st.booleans())
def test_a_bar_is_as_long_as_it_was_asked_to_be(share: float, width: int, is_ascii: bool) -> None:
    assert cell_len(bar(share, width, is_ascii)) == width


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e4), max_size=99), st.floats(0, 1e4), st.integers(0, 80), st.booleans())
def test_a_trace_is_as_long_as_it_was_asked_to_be(values: list[float], most: float, width: int, plain: bool) -> None:
    assert cell_len(spark(values, most, width, plain)) == width


def test_ascii_screens_hold_no_block_characters() -> None:
    shown = live.text(live_runs.now(4), Screen(80, is_ascii=True))
    assert not set("█░▏▁▇") & set(shown)
    assert "####" in shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "0 s"), (59.2, "59 s"), (60.0, "1 min"), (3660.0, "1 h 01 min"), (90_000.0, "1 d 1 h")],
)
def test_durations_are_told_in_two_units_at_most(seconds: float, told: str) -> None:
    assert run_wording.duration(seconds) == told


# the journals' ends

GPU = Meter("GPU-1", "accelerator", "NVIDIA H100", "nvml", "gpu", "measured", has_counter=True, max_w=700.0)
HALF = replace(GPU, id="MIG-1", share=0.5)
CPU = Meter("cpu", "cpu", "Xeon", "rapl", "package", "measured", has_counter=True)


def writer(folder: Path, *meters: Meter, pid: int = 1, **words: object) -> JournalWriter:
    header = Header("r-1", "sft", "node-1", "boot", pid, 0, 0, 1e9, 0.0, 1.0, meters, words=words)
    return JournalWriter(folder, header)


def test_power_is_read_from_the_end_and_a_torn_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    journal = writer(tmp_path, GPU, CPU, budget_kwh=5.0)
    journal.write(Tick(1.0, (Sample("GPU-1", 1.0, 500.0, 480.0, 0.9), Sample("cpu", 1.0, 100.0))))
    follower = Follower(tmp_path)
    gpu, *rest = follower.refresh()
    assert (gpu.power_w, gpu.utilization, rest) == (480.0, 0.9, [])  # a counter alone needs two readings
    line = journal._line(Tick(2.0, (Sample("GPU-1", 2.0, 1100.0, 612.0, 0.95), Sample("cpu", 2.0, 190.0))))
    with journal.path.open("ab") as file:
        file.write(line[:20])
    assert follower.refresh()[0].power_w == 480.0
    with journal.path.open("ab") as file:
        file.write(line[20:])
    gpu, cpu = follower.refresh()
    assert (gpu.power_w, list(gpu.trace_w), cpu.power_w) == (612.0, [480.0, 612.0], 90.0)
    assert follower.words == {"budget_kwh": 5.0}


def test_the_share_of_a_device_that_is_mine_is_what_is_shown(tmp_path: Path) -> None:
    writer(tmp_path, HALF).write(Tick(1.0, (Sample("MIG-1", 1.0, 0.0, 300.0),)))
    assert Follower(tmp_path).refresh()[0].power_w == 150.0


def test_a_meter_that_falls_silent_is_lost_and_comes_back(tmp_path: Path) -> None:
    journal = writer(tmp_path, GPU, CPU)
    journal.write(Tick(1.0, (Sample("GPU-1", 1.0, 0.0, 300.0), Sample("cpu", 1.0, 0.0, 90.0))))
    for second in range(2, 8):
        journal.write(Tick(float(second), (Sample("cpu", float(second), 90.0 * second, 90.0),)))
    follower = Follower(tmp_path)
    gpu, cpu = follower.refresh()
    assert (gpu.power_w, cpu.power_w) == (None, 90.0)
    journal.write(Tick(8.0, (Sample("GPU-1", 8.0, 900.0, 310.0),)))
    assert follower.refresh()[0].power_w == 310.0


def test_a_device_that_another_run_counts_is_not_shown(tmp_path: Path) -> None:
    elsewhere = replace(GPU, counted_in="r-0")
    writer(tmp_path, elsewhere).write(Tick(1.0, (Sample("GPU-1", 1.0, 0.0, 300.0),)))
    assert Follower(tmp_path).refresh() == []


def test_a_further_process_appears_and_an_ended_one_goes(tmp_path: Path) -> None:
    first = writer(tmp_path, GPU, pid=1)
    first.write(Tick(1.0, (Sample("GPU-1", 1.0, 0.0, 300.0),)))
    follower = Follower(tmp_path)
    assert len(follower.refresh()) == 1
    second = writer(tmp_path, CPU, pid=2)
    second.write(Tick(2.0, (Sample("cpu", 2.0, 0.0, 90.0),)))
    assert len(follower.refresh()) == 2
    first.write(Tick(3.0, end="finished"))
    assert [shown.meter.id for shown in follower.refresh()] == ["cpu"]
    assert not follower.has_ended
    second.write(Tick(3.0, end="finished"))
    assert [shown.meter.id for shown in follower.refresh()] == ["GPU-1", "cpu"]
    assert follower.has_ended


def test_a_journal_without_a_line_for_long_has_ended_without_a_word(tmp_path: Path) -> None:
    journal = writer(tmp_path, GPU)
    journal.write(Tick(1.0, (Sample("GPU-1", 1.0, 0.0, 300.0),)))
    assert not Follower(tmp_path).has_ended
    long_ago = time.time() - 3600
    os.utime(journal.path, (long_ago, long_ago))
    assert Follower(tmp_path).has_ended


def test_a_long_journal_is_read_from_near_its_end(tmp_path: Path) -> None:
    journal = writer(tmp_path, GPU)
    with journal.path.open("ab") as file:
        for second in range(10_000):
            file.write(journal._line(Tick(float(second), (Sample("GPU-1", float(second), 300.0 * second, 300.0),))))
    (shown,) = Follower(tmp_path).refresh()
    assert len(shown.trace_w) == 240
    assert shown.last is not None
    assert shown.last.at_s == 9999.0


def test_what_is_no_journal_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    assert Follower(tmp_path).refresh() == []
