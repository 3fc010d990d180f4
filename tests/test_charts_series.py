"""A run's journals as series for the eye: means, ends, windows, progress; and charts of runs found by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from footprint import charts
from footprint.cli import main
from footprint.errors import InputError, UnknownName
from footprint.measurement import journal
from footprint.measurement.tracker import reading, series
from footprint.report import charts as drawn
from footprint.values import Meter, Range

START_UTC_S, START_S = 1_790_000_000.0, 50.0
METERS = (
    Meter("GPU-0", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured", has_counter=True, max_w=700.0),
    Meter("package-0", "cpu", "a processor", "rapl", "package", "measured", has_counter=True),
)


def write(
    folder: Path, lines: list[dict[str, Any]], rank: int = 0, torn: str = "", meters: Any = METERS, **changes: Any
) -> Path:
    header = journal.Header(
        run="sft-1", name="sft-7b", host="gpu01", boot="b", pid=100 + rank, restart_count=0, rank=rank,
        started_utc_s=START_UTC_S, started_s=START_S, interval_s=1.0, meters=meters, project="llm", version="0.1.0",
        **changes,
    )  # fmt: skip
    writer = journal.JournalWriter(folder, header)
    writer.close()
    with writer.path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.write(torn)
    return writer.path


def ticks(count: int, watts: float = 400.0) -> list[dict[str, Any]]:
    """One a second: the accelerator alternates about its mean, the processor counts 50 J and tells no power."""
    return [
        {"t": START_S + t, "s": [[0, 0.0, watts * t, watts + (100 if t % 2 else -100), 0.9], [1, 0.0, 50.0 * t]],
         "w": {"epoch/step": [1, 0.5]}, "p": {"steps_count": t, "total_steps_count": 2.0 * (count - 1)}}
        for t in range(count)
    ]  # fmt: skip


def test_means_lie_between_the_lowest_and_the_highest_reading(tmp_path: Path) -> None:
    write(tmp_path, ticks(101))
    found = series.read_series(tmp_path, points=10)
    gpu = found.meters[0]
    assert (found.run_id, found.name, found.piece_s, found.sample_count) == ("sft-1", "sft-7b", 10.0, 202)
    assert gpu.mean_w[:9] == pytest.approx([400.0] * 9, rel=1e-12)
    assert set(gpu.low_w) == {300.0}
    assert set(gpu.high_w) == {500.0}


def test_a_counter_without_power_is_drawn_by_its_moves(tmp_path: Path) -> None:
    write(tmp_path, ticks(101))
    cpu = series.read_series(tmp_path, points=10).meters[1]
    assert cpu.mean_w == pytest.approx([50.0] * 10, rel=1e-12)


def test_a_model_that_is_read_more_rarely_than_counters_is_drawn_in_between_too(tmp_path: Path) -> None:
    model = Meter("cpu", "cpu", "a processor", "cpu-load", "package", "modelled", period_s=10.0)
    lines = ticks(101)
    for second, line in enumerate(lines):
        line["s"] = [[0, 0, 300.0 * second]]
        if second in (0, 1, 11, 21, 30, 91, 100):
            line["s"] += [[1, 0.0, None, 20.0 + second]]
    write(tmp_path, lines, meters=(METERS[0], model))
    cpu = series.read_series(tmp_path).meters[1]
    assert cpu.mean_w[:31] == (20.0, 21.0, *[31.0] * 10, *[41.0] * 10, *[50.0] * 9)
    assert set(cpu.mean_w[31:91]) == {None}  # too long to have been read
    assert cpu.mean_w[91:] == (111.0, *[120.0] * 7, 120.0)


def test_no_piece_is_shorter_than_the_time_between_readings(tmp_path: Path) -> None:
    write(tmp_path, ticks(21))
    found = series.read_series(tmp_path, points=2000)
    assert (found.piece_s, len(found.meters[0].mean_w)) == (1.0, 20)


def test_thinning_out_keeps_peaks(tmp_path: Path) -> None:
    lines = ticks(1001)
    lines[503]["s"][0][3] = 690.0
    write(tmp_path, lines)
    assert max(series.read_series(tmp_path, points=5).meters[0].high_w) == 690.0  # type: ignore[type-var]


def test_a_share_of_a_device_is_drawn_as_a_share_of_its_power(tmp_path: Path) -> None:
    write(tmp_path, ticks(11), meters=(replace(METERS[0], share=0.5), METERS[1]))
    assert series.read_series(tmp_path, points=1).meters[0].high_w == (250.0,)


def test_where_nothing_was_read_there_is_a_hole(tmp_path: Path) -> None:
    write(tmp_path, [*ticks(11), {"t": START_S + 100, "s": [[0, 0.0, 4e4, 400.0]]}])
    gpu = series.read_series(tmp_path, points=10).meters[0]
    assert gpu.mean_w[5] is None
    assert gpu.mean_w[-1] == 400.0


def test_windows_of_the_first_rank_alone_are_drawn(tmp_path: Path) -> None:
    write(tmp_path, ticks(101))
    write(tmp_path, [{"t": START_S + t, "w": {"other": [1, 1.0]}} for t in range(100)], rank=1)
    (window,) = series.read_series(tmp_path, points=10).windows
    assert window.name == "epoch/step"
    assert window.inside_share[:9] == pytest.approx([0.5] * 9, rel=1e-12)


def test_torn_and_strange_lines_are_passed_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        [*ticks(11), {"s": [[0, 0.0, 1.0, 1e9]]}, {"t": START_S + 10, "s": [[7, 0.0, 1.0, 1.0]]}],
        torn='{"t": 5',
    )
    assert max(series.read_series(tmp_path, points=1).meters[0].high_w) == 500.0  # type: ignore[type-var]


def test_two_starts_are_one_line(tmp_path: Path) -> None:
    write(tmp_path, ticks(11))
    header = replace(
        journal.read(journal.files_of(tmp_path)[0]).header, restart_count=1, pid=7, started_utc_s=START_UTC_S + 20
    )
    writer = journal.JournalWriter(tmp_path, header)
    writer.close()
    with writer.path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in ticks(11))
    found = series.read_series(tmp_path, points=30)
    assert len(found.meters) == 2
    assert len(found.meters[0].mean_w) == 30
    assert found.meters[0].mean_w[15] is None


def test_half_done_at_a_steady_pace_will_have_cost_twice_as_much(tmp_path: Path) -> None:
    write(tmp_path, ticks(101))
    run = replace(reading.read_run(tmp_path), status="running")
    found = series.forecast_of(run, series.read_series(tmp_path, points=50, said=run.progress))
    assert found is not None
    so_far = run.footprint.facility.operational_location_kgco2e
    assert found.done_share == pytest.approx(0.5, rel=1e-12)
    assert found.operational_location_kgco2e.mid == pytest.approx(2 * so_far.mid, rel=0.03)  # edges of the pieces
    assert found.operational_location_kgco2e.high / found.operational_location_kgco2e.mid >= so_far.high / so_far.mid
    assert series.forecast_of(replace(run, status="finished"), series.read_series(tmp_path)) is None


def test_nothing_to_read_is_an_empty_series(tmp_path: Path) -> None:
    assert series.read_series(tmp_path).meters == ()
    assert "no power was read" in drawn.power(series.read_series(tmp_path)).layout.meta["finding"]


# by name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path / "home"))
    write(tmp_path / "home" / "runs" / "sft-1", [*ticks(101), {"t": START_S + 100, "end": "finished"}])
    return tmp_path / "home"


@pytest.mark.parametrize("kind", sorted(charts.RUNS.keys() - {"planned"}))
def test_a_run_is_found_by_name_by_id_by_folder_or_as_the_newest(kind: str, home: Path) -> None:
    by_name = charts.draw(kind, "sft-7b").to_json()
    for found in (charts.draw(kind, "sft-1"), charts.draw(kind, home / "runs" / "sft-1"), charts.draw(kind)):
        assert found.to_json() == by_name


def test_a_run_in_another_place_emits_otherwise(home: Path) -> None:
    here, there = (charts.cumulative("sft-7b", country=place).layout.meta["finding"] for place in ("FR", "PL"))
    assert here != there


def test_an_answer_of_a_run_is_by_its_meters(home: Path) -> None:
    figure = charts.answer(reading.read_run(home / "runs" / "sft-1"))
    assert "as their meters tell" in figure.layout.meta["assumed"]


def test_months_come_from_the_ledger(home: Path) -> None:
    figure = charts.history()
    assert figure.layout.meta["finding"].startswith("1 run over 1 month")
    assert [trace.name for trace in figure.data] == ["llm", "interval"]


def test_an_unknown_run_is_told(home: Path) -> None:
    with pytest.raises(UnknownName, match="list them with: footprint runs list"):
        charts.power("sft-8b")
    with pytest.raises(UnknownName, match="did you mean power"):
        charts.draw("powr")


def test_power_needs_the_journals(home: Path) -> None:
    run = replace(reading.read_run(home / "runs" / "sft-1"), journals=("/nowhere/x.jsonl",))
    with pytest.raises(InputError, match="has no journals here"):
        charts.power(run)


# the command


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main.run(words)
    return int(left.value.code or 0), capsys.readouterr().err


PLAN = ("--params", "7B", "--accelerator", "h100-sxm")


@pytest.mark.parametrize(
    ("words", "axis"),
    [
        (("answer", "llama-3.1-8b"), "facility energy (MWh)"),
        (("hours", "llama-3.1-8b", "--count", "256,512"), None),
        (("heatmap", *PLAN, "--tokens", "1T,2T", "--count", "64,256", "--quantity", "wall_clock_h"), "tokens (count)"),
        (("heatmap", *PLAN, "--tokens", "1T", "--count", "64,256", "--set", "pue=1.1,1.3"), "accelerators (count)"),
        (("pareto", "llama-3.1-8b", "--accelerator", "a100-80gb,h100-sxm", "--count", "256,512"), None),
        (("regions", "llama-3.1-8b", "--provider", "gcp,ovh"), None),
        (("compare", "llama-3.1-8b", "gpt-4"), "Accelerator-hours (M h)"),
        (("power",), None),
        (("history",), "month (UTC)"),
        (("profile", "US-MIDA-PJM"), "hour of the day (UTC)"),
    ],
)
def test_the_command_draws(
    words: tuple[str, ...], axis: str | None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    assert command(capsys, "chart", *words, "--out", str(file)) == (0, "")
    layout = json.loads(file.read_text(encoding="utf-8"))["layout"]
    assert axis is None or layout["xaxis"]["title"]["text"] == axis
    assert layout["meta"]["finding"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("answer", "llama-3.1-8b", "gpt-4"), "compare shows several"),
        (("answer", "llama-3.1-8b", "--stage", "x"), "leave out --stage"),
        (("answer", "llama-3.1-8b", "--quantity", "x"), "leave out --quantity"),
        (("answer", "llama-3.1-8b", "--theme", "drak"), "did you mean dark?"),
        (("history", "llm"), "takes no llm"),
        (("power", "nothing"), "footprint runs list"),
    ],
)
def test_the_command_tells_what_cannot_be_drawn(
    words: tuple[str, ...], told: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = command(capsys, "chart", *words, "--out", str(tmp_path / "x.html"))
    assert code == 1
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "x.html").exists()


def test_a_range_holds_its_middle_in_every_forecast() -> None:
    assert series._as_sure(Range(0.5, 1.0, 2.0), Range(9.0, 10.0, 11.0)) == Range(5.0, 10.0, 20.0)
