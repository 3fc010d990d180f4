"""What other tools recorded becomes runs: files that they wrote themselves, and what can be wrong with files.

The files in `recorded/` were written by wandb 0.31.0, mlflow 3.17.2, trackio 0.43.0 and transformers 5.23, the first
three while two emulated GPUs drew a square wave (100 and 600 W, 3 s) and 500 W; the truth is that of the waves.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footprint import records
from footprint.catalog import Catalog, open_catalog
from footprint.errors import DataError, FootprintError, InputError, MissingExtra
from footprint.fleet import kinds, wandb_log
from footprint.fleet.imported import Asked, Imported
from footprint.units import J_PER_KWH
from footprint.values import Range, Run

RECORDED = Path(__file__).resolve().parent / "recorded"
WANDB = RECORDED / "run-vonp44wa.wandb"
BEGUN = 1_780_000_000.0
H100 = Asked(model="h100-sxm5-80gb")
EIGHT = Asked(model="h100-sxm5-80gb", count=8)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return open_catalog()


@pytest.fixture
def read(tmp_path: Path, catalog: Catalog) -> Callable[..., Imported]:
    def reading(kind: str, told: str | bytes | Path, asked: Asked = H100, name: str = "file") -> Imported:
        path = told if isinstance(told, Path) else tmp_path / name
        if isinstance(told, bytes):
            path.write_bytes(told)
        elif isinstance(told, str):
            path.write_text(told, encoding="utf-8")
        return kinds.read(kind, path, asked, catalog, lambda flop, model, count: Range(1.0, 2.0, 4.0))

    return reading


@pytest.fixture
def database(tmp_path: Path) -> Callable[..., Path]:
    def make(script: str, *more: str, name: str = "made.db") -> Path:
        path = tmp_path / name
        connection = sqlite3.connect(path)
        connection.executescript((RECORDED / script).read_text("utf-8") if script.endswith(".sql") else script)
        for statement in more:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return path

    return make


def joules(run: Run) -> list[float]:
    return [one.it_energy_kwh.mid * J_PER_KWH for one in run.meters if one.meter.component == "accelerator"]


def history(watts: Sequence[float | str], *, counter: Sequence[float] = (), step_s: float = 15.0) -> str:
    """Rows of run.history(stream="system") of one GPU, as pandas writes them."""
    lines = [",_runtime,_timestamp,system.gpu.0.powerWatts" + (",system.gpu.0.energyJoules" if counter else "")]
    for i, power in enumerate(watts):
        cells = [str(i), f"{i * step_s}", f"{BEGUN + i * step_s}", f"{power}"]
        lines.append(",".join([*cells, *(f"{joules}" for joules in counter[i : i + 1])]))
    return "\n".join(lines) + "\n"


# what the tools wrote themselves


def test_wandbs_own_file_gives_the_true_energy_without_wandb(read: Any) -> None:
    (run,) = read("wandb", WANDB, Asked()).runs
    assert joules(run) == pytest.approx([2623.0, 4057.9], rel=0.005)
    assert run.evidence == "A"
    assert (run.name, run.project, run.status, run.hosts) == ("first", "tiny", "finished", ("vm",))
    assert {one.meter.name for one in run.meters if one.meter.component == "accelerator"} == {"NVIDIA H100 80GB HBM3"}
    assert run.id == "wandb-1795643716-vonp44wa"
    assert run.ended_utc_s - run.started_utc_s == pytest.approx(8.116, abs=0.001)
    assert any("wandb 0.31.0" in note for note in run.notes)


def test_mlflows_folder_gives_the_true_energy_within_its_band(read: Any) -> None:
    (run,) = read("mlflow", RECORDED / "mlruns").runs
    assert joules(run) == pytest.approx([2107.8, 3039.0], rel=0.01)
    assert (run.evidence, run.name, run.project, run.status) == ("B", "first", "tiny", "finished")
    assert [one.meter.max_w for one in run.meters[:2]] == [700, 700]  # from watts and percent
    assert not run.meters[0].meter.has_counter


def test_mlflows_store_gives_its_nodes_and_the_true_energy_within_its_band(read: Any, database: Any) -> None:
    (run,) = read("mlflow", database("mlflow.sql")).runs
    first, second = joules(run)
    assert second == pytest.approx(3255.0, rel=0.001)
    band = run.meters[0].it_energy_kwh
    assert band.low * J_PER_KWH < 2384.6 < band.high * J_PER_KWH
    assert first == pytest.approx(2384.6, rel=0.12)  # a wave of 3 s by a mean of 1 s each half second
    assert (run.evidence, run.hosts, run.name) == ("B", ("node-0",), "second")


def test_trackios_database_gives_the_true_energy(read: Any, database: Any) -> None:
    (run,) = read("trackio", database("trackio.sql", name="tiny.db")).runs
    assert joules(run) == pytest.approx([2485.6, 3929.3], rel=0.005)
    assert (run.evidence, run.name, run.project) == ("A", "first", "tiny")
    assert [one.meter.max_w for one in run.meters[:2]] == [700, 700]


def test_the_trainers_own_file_gives_work_and_hours(read: Any) -> None:
    (run,) = read("trainer-state", RECORDED / "trainer_state.json", EIGHT).runs
    assert run.evidence == "D"
    assert run.usage.accelerator_hours.mid * 3600 == pytest.approx(8 * 15.85, rel=1e-6)
    assert run.usage.training_flop is not None
    assert run.usage.training_flop.mid == 3074949120.0
    assert (run.progress.tokens, run.progress.steps_count) == (5120, 20)


def test_an_imported_run_is_kept_whole_as_plain_data(read: Any) -> None:
    (run,) = read("wandb", WANDB).runs
    assert records.from_plain(Run, json.loads(records.to_json(run))) == run


def test_the_same_file_gives_the_same_run_again(read: Any) -> None:
    assert read("wandb", history([500] * 4)).runs[0].id == read("wandb", history([500] * 9), name="other").runs[0].id


# readings


def test_power_is_added_up_by_trapezoids(read: Any) -> None:
    (run,) = read("wandb", history([500, 700, 500, 500])).runs
    assert joules(run) == pytest.approx([15 * (600 + 600 + 500)], rel=1e-6)
    assert run.started_utc_s == BEGUN
    assert run.evidence == "B"


def test_a_steady_counter_is_what_it_moved(read: Any) -> None:
    (run,) = read("wandb", history([500] * 5, counter=[1e6 + 7500 * i for i in range(5)])).runs
    assert joules(run) == pytest.approx([30000], rel=0.01)
    assert run.evidence == "A"


def test_a_counter_that_begins_anew_is_bridged_with_power(read: Any) -> None:
    counter = [1e6 + 7500 * i for i in range(40)] + [7500.0 * i for i in range(1, 41)]
    (run,) = read("wandb", history([500] * 80, counter=counter)).runs
    assert joules(run) == pytest.approx([500 * 15 * 79], rel=0.01)
    assert run.meters[0].resets_count == 1


def test_a_counter_that_stands_still_gives_way_to_power(read: Any) -> None:
    (run,) = read("wandb", history([500] * 5, counter=[77.0] * 5)).runs
    assert joules(run) == pytest.approx([30000], rel=1e-6)
    assert run.evidence == "B"


def test_rows_in_any_order_and_twice_are_the_same_run(read: Any) -> None:
    lines = history([500, 700, 500, 500]).splitlines()
    (usual,) = read("wandb", "\n".join(lines)).runs
    (turned,) = read("wandb", "\n".join([lines[0], *reversed(lines[1:]), lines[2], lines[2]]), name="turned").runs
    assert joules(turned) == joules(usual)
    assert turned.usage == usual.usage


@pytest.mark.parametrize("cell", ["NaN", "nan", "Infinity", "-1", "", "null", "1e30", "N/A", "1e400"])
def test_what_is_no_reading_is_a_gap(read: Any, cell: str) -> None:
    (run,) = read("wandb", history([500, 500, cell, 500, 500])).runs
    assert joules(run) == pytest.approx([30000], rel=1e-6)


def test_a_gap_is_filled_and_told(read: Any) -> None:
    watts: list[float | str] = [500.0] * 60
    watts[20:40] = [""] * 20
    (run,) = read("wandb", history(watts)).runs
    assert joules(run) == pytest.approx([500 * 59 * 15], rel=1e-6)
    assert run.meters[0].coverage_share == pytest.approx(1 - 21 / 59, rel=1e-6)
    energy = run.meters[0].it_energy_kwh
    assert energy.low < 0.75 * energy.mid
    assert [gap.reason for gap in run.meters[0].gaps] == ["no reading"]


def test_a_long_silence_is_a_pause_in_which_nothing_is_counted(read: Any) -> None:
    lines = history([500.0] * 200).splitlines()
    (run,) = read("wandb", "\n".join([*lines[:41], *lines[161:]])).runs
    assert joules(run) == pytest.approx([500 * 15 * (39 + 39)], rel=1e-6)
    assert run.usage.wall_clock_h is not None
    assert run.usage.wall_clock_h.mid * 3600 == pytest.approx(15 * 78, rel=1e-6)
    assert run.meters[0].coverage_share == 1
    assert any("1 pauses without a reading, 1815 s" in note for note in run.notes)


def test_hours_are_told_for_the_grid_that_varies(read: Any) -> None:
    (run,) = read("wandb", history([500.0] * 600)).runs
    assert len(run.hourly_it_energy_kwh) >= 3
    assert sum(kwh for _, kwh in run.hourly_it_energy_kwh) * J_PER_KWH == pytest.approx(joules(run)[0], rel=1e-6)


def test_chosen_places_alone_are_counted(read: Any) -> None:
    (run,) = read("wandb", WANDB, replace(H100, places=frozenset({"1"}))).runs
    assert joules(run) == pytest.approx([4057.9], rel=0.005)
    with pytest.raises(InputError, match=r"gpus = '7': are no devices of run-vonp44wa.wandb; it has 0, 1"):
        read("wandb", WANDB, replace(H100, places=frozenset({"7"})))


def test_accelerators_without_a_name_are_told(read: Any) -> None:
    (run,) = read("wandb", history([500] * 4), Asked()).runs
    assert any("give --accelerator" in note for note in run.notes)


def test_one_reading_alone_is_refused_with_what_is_missing(read: Any) -> None:
    with pytest.raises(
        InputError, match=r"has no two readings of accelerators' energy or power; gpu\.\{i\}\.powerWatts"
    ):
        read("wandb", history([500]))


# tables


def test_the_same_rows_in_every_form_are_the_same_run(read: Any) -> None:
    rows = [{"_timestamp": BEGUN + 15 * i, "system.gpu.0.powerWatts": 500 + i} for i in range(6)]
    columns = {name: {str(i): row[name] for i, row in enumerate(rows)} for name in rows[0]}
    told = {
        "list": json.dumps(rows),
        "pretty": json.dumps(rows, indent=1),
        "columns": json.dumps(columns),
        "split": json.dumps({"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}),
        "lines": "\n".join(json.dumps(row) for row in rows) + '\n{"_timestamp": 17800',
        "csv": "\ufeff_timestamp;system/gpu.0.powerWatts\n"
        + "".join(f"{row['_timestamp']};{row['system.gpu.0.powerWatts']}\n" for row in rows),
    }
    found = {form: read("wandb", text, name=form) for form, text in told.items()}
    assert {form: joules(one.runs[0]) for form, one in found.items()} == {
        form: [pytest.approx(37687.5)] for form in told
    }
    assert found["lines"].problems == ("line 7: is no JSON object",)


def test_a_chart_exported_by_seconds_since_the_start_needs_the_start(read: Any) -> None:
    name = "bright-sun-7 - system/gpu.0.powerWatts"
    text = f'"Relative Time (Process)","{name}","{name}__MIN","{name}__MAX"\n' + "".join(
        f'"{15 * i}","500","480","520"\n' for i in range(5)
    )
    with pytest.raises(InputError, match="seconds since the start alone; give --from"):
        read("wandb", text)
    (run,) = read("wandb", text, replace(H100, started_utc_s=BEGUN)).runs
    assert (run.name, joules(run), run.started_utc_s) == ("bright-sun-7", [pytest.approx(30000)], BEGUN)


def test_a_chart_of_several_runs_is_refused(read: Any) -> None:
    text = "_timestamp,a - gpu.0.powerWatts,b - gpu.0.powerWatts\n1780000000,1,2\n1780000015,1,2\n"
    with pytest.raises(DataError, match="holds several runs of W&B; name one of them: a, b"):
        read("wandb", text)


def test_an_export_that_was_thinned_out_says_so(read: Any) -> None:
    assert any("thins exports out to 500 rows" in note for note in read("wandb", history([500] * 500)).runs[0].notes)


def test_several_machines_that_write_one_run_are_hosts(read: Any) -> None:
    text = "_timestamp,system.gpu.0.powerWatts/l:n0,system.gpu.0.powerWatts/l:n1\n"
    (run,) = read("wandb", text + "".join(f"{BEGUN + 15 * i},500,300\n" for i in range(5))).runs
    assert run.hosts == ("n0", "n1")
    assert joules(run) == pytest.approx([30000, 18000])


def test_parquet_needs_its_reader_and_says_so(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"needs pyarrow; install it with: pip install 'footprint\[parquet\]'"):
        read("wandb", b"PAR1 and so on")


def test_parquet_is_read_where_its_reader_is(read: Any, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"timestamp": f"2026-05-01T08:00:{10 * i:02}+00:00", "gpu/0/power": 500.0, "run_name": "a"} for i in range(6)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "tiny_system.parquet")
    (run,) = read("trackio", tmp_path / "tiny_system.parquet").runs
    assert (joules(run), run.project) == ([pytest.approx(25000)], "tiny")


# W&B's own file


def test_a_run_that_was_killed_is_interrupted_and_keeps_what_it_recorded(read: Any) -> None:
    (run,) = read("wandb", WANDB.read_bytes()[:9000]).runs
    assert run.status == "interrupted"
    assert run.id == "wandb-1795643716-vonp44wa"
    assert 0 < sum(joules(run)) < 6000


def test_a_folder_of_runs_gives_each_and_tells_those_without_readings(read: Any, tmp_path: Path) -> None:
    for name, data in (("offline-run-1", WANDB.read_bytes()), ("run-2", WANDB.read_bytes()[:500])):
        (tmp_path / "wandb" / name).mkdir(parents=True)
        (tmp_path / "wandb" / name / f"{name}.wandb").write_bytes(data)
    (tmp_path / "wandb" / "latest-run").symlink_to("run-2")
    found = read("wandb", tmp_path / "wandb")
    assert [run.name for run in found.runs] == ["first"]
    assert len(found.problems) == 1
    assert "has no two readings" in found.problems[0]


def test_older_versions_name_their_accelerators_in_a_file_beside(read: Any, tmp_path: Path) -> None:
    kept = [one for one in wandb_log.records(WANDB) if not wandb_log.first(one, 26)]  # without the environment
    log = b":W&B\xe1\xbe\x00" + b"".join(struct.pack("<IHB", 0, len(one), 1) + one for one in kept)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "wandb-metadata.json").write_text(json.dumps({"gpu": "NVIDIA A100-SXM4-80GB"}))
    (run,) = read("wandb", log, Asked(), name="run-a.wandb").runs
    assert run.meters[0].meter.name == "NVIDIA A100-SXM4-80GB"
    assert joules(run) == pytest.approx([2623.0, 4057.9], rel=0.005)


# MLflow


def test_runs_of_a_store_are_told_apart_and_deleted_ones_left(read: Any, database: Any) -> None:
    columns = "(run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
    made = [
        f"INSERT INTO runs {columns} VALUES ('b', 'third', 'RUNNING', 1780000000000, 'active', 1)",
        f"INSERT INTO runs {columns} VALUES ('c', 'fourth', 'FAILED', 1780000000000, 'active', 1)",
        f"INSERT INTO runs {columns} VALUES ('d', 'fifth', 'FINISHED', 1780000000000, 'deleted', 1)",
    ]
    key = "system/gpu_0_power_usage_watts"
    made += [
        f"INSERT INTO metrics VALUES ('{key}', 500, {1780000000000 + 10000 * i}, '{run}', {i}, 0)"
        for run in "bd"
        for i in range(4)
    ]
    found = read("mlflow", database("mlflow.sql", *made))
    assert {run.name: run.status for run in found.runs} == {"second": "finished", "third": "running"}
    assert [problem.partition(":")[0] for problem in found.problems] == ["run = 'fourth'"]
    assert joules(found.runs[0]) == pytest.approx([15000])


def test_a_runs_folder_alone_is_read_and_bad_lines_are_told(read: Any, tmp_path: Path) -> None:
    metrics = tmp_path / "0a" / "metrics" / "system" / "n1"
    metrics.mkdir(parents=True)
    (tmp_path / "0a" / "meta.yaml").write_text("run_id: 0a\nstatus: 4\nrun_name: 'quick: fox'\nend_time: null\n")
    (metrics / "gpu_3_power_usage_watts").write_text(
        "1780000000000 500.0 0\n1780000010000 500.0 1\n\n1780000020000 nan 2\noops\n1780000030000 500.0 3\n17800000"
    )
    found = read("mlflow", tmp_path / "0a")
    (run,) = found.runs
    assert (run.name, run.status, run.hosts, joules(run)) == ("quick: fox", "failed", ("n1",), [pytest.approx(15000)])
    assert run.meters[0].meter.id == "gpu-3"
    assert len(found.problems) == 2
    assert "line 5" in found.problems[0]


# Trackio


def test_projects_of_older_versions_have_names_alone_and_no_zone(read: Any, database: Any) -> None:
    script = "CREATE TABLE system_metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, metrics TEXT);"
    script += "".join(
        f"INSERT INTO system_metrics (timestamp, run_name, metrics) VALUES ('2026-05-01T08:00:{10 * i:02}', '{run}', "
        f'\'{{"gpu/0/power": {watts}, "gpu/0/energy_consumed": {watts * 10 * i}}}\');'
        for run, watts in (("a", 400), ("b", 600))
        for i in range(6)
    )
    found = read("trackio", database(script, "INSERT INTO system_metrics (run_name, metrics) VALUES ('a', '{oops')"))
    assert {run.name: joules(run) for run in found.runs} == {
        "a": [pytest.approx(20000, rel=0.01)],
        "b": [pytest.approx(30000, rel=0.01)],
    }
    assert len({run.id for run in found.runs}) == 2
    assert any("name no zone" in note for note in found.runs[0].notes)
    assert found.problems == ("a row's metrics are no JSON",)


# logs


def megatron(
    numbers: Sequence[int],
    *,
    begun: datetime | None = datetime(2026, 3, 1, 8),
    step: int = 10,
    energy: str = " energy per GPU (J/iter/GPU): 1950.0 | power per GPU (W/GPU): 650.0 |",
    pauses: dict[int, float] | None = None,
) -> str:
    """Lines of 3 s an iteration, at 650 W."""
    lines, at = [], begun
    for number in numbers:
        if at is not None:
            at += timedelta(seconds=3 * step + (pauses or {}).get(number, 0.0))
        moment = f" [{at:%Y-%m-%d %H:%M:%S.%f}]" if at is not None else ""
        lines.append(
            f"{moment} iteration {number:8d}/    1000 | consumed samples: {number * 256:12d} | elapsed time per "
            f"iteration (ms): 3000.0 | throughput per GPU (TFLOP/s/GPU): 420.0 |{energy} learning rate: 1.0E-05 | "
            "global batch size:   256 | lm loss: 2.4E+00 | number of nan iterations:   0 |"
        )
    return "\n".join(lines) + "\n"


WORLD = "using world size: 16, data-parallel size: 16, context-parallel size: 1\n  seq_length ........... 4096\n"


def test_a_log_is_joules_times_iterations_times_accelerators(read: Any) -> None:
    (run,) = read("megatron", WORLD + megatron(range(10, 510, 10))).runs
    assert joules(run) == pytest.approx([1950.0 * 500] * 16, rel=1e-6)
    assert (run.evidence, run.progress.steps_count, run.progress.tokens) == ("A", 500, 500 * 256 * 4096)
    assert run.usage.training_flop is not None
    assert run.usage.training_flop.mid == pytest.approx(420e12 * 1500 * 16, rel=1e-6)
    assert run.mfu == pytest.approx(420 / 989, rel=0.01)
    assert run.hosts == ("host-0", "host-1")
    assert run.ended_utc_s - run.started_utc_s == pytest.approx(1500, abs=1e-3)


def test_pauses_between_lines_are_filled_in_and_widen_the_band(read: Any) -> None:
    (run,) = read("megatron", WORLD + megatron(range(10, 510, 10), pauses={100: 60.0, 200: 90.0})).runs
    assert joules(run)[0] == pytest.approx(1950.0 * 500 + 650 * 150, rel=1e-6)
    (plain,) = read("megatron", WORLD + megatron(range(10, 510, 10)), name="plain").runs
    wide, narrow = run.meters[0].it_energy_kwh, plain.meters[0].it_energy_kwh
    assert wide.low / wide.mid < narrow.low / narrow.mid
    assert run.evidence == "B"  # a tenth of the time was not seen
    assert run.meters[0].coverage_share == pytest.approx(1500 / 1650, rel=1e-6)
    assert any("2 pauses beside its iterations" in note for note in run.notes)


def test_starts_in_one_log_are_told_apart_and_what_lies_between_is_not_counted(read: Any) -> None:
    later = megatron(range(410, 610, 10), begun=datetime(2026, 3, 1, 18))
    loaded = "successfully loaded checkpoint from /ckpt [ t 1/1, p 1/1 ] at iteration 400\n"
    (run,) = read("megatron", WORLD + megatron(range(10, 510, 10)) + WORLD + loaded + later).runs
    assert joules(run)[0] == pytest.approx(1950.0 * 700, rel=1e-6)
    assert any("2 starts in one log, 100 iterations done again" in note for note in run.notes)
    grepped = "".join(line for line in (megatron(range(10, 510, 10)) + later).splitlines(keepends=True))
    (same,) = read("megatron", grepped, replace(H100, count=16), name="grepped").runs
    assert joules(same)[0] == pytest.approx(joules(run)[0], rel=1e-6)


def test_a_long_silence_within_a_log_is_a_start_anew(read: Any) -> None:
    text = megatron(range(10, 510, 10), pauses={300: 7200.0})
    (run,) = read("megatron", text, replace(H100, count=8)).runs
    assert joules(run)[0] == pytest.approx(1950.0 * 500, rel=1e-6)


def test_the_first_line_after_a_resume_counts_as_many_iterations_as_lines_are_apart(read: Any) -> None:
    (run,) = read("megatron", megatron(range(100_010, 100_110, 10)), EIGHT).runs
    assert joules(run)[0] == pytest.approx(1950.0 * 100, rel=1e-6)
    lone = megatron([1], step=1) + megatron(range(10, 110, 10), begun=datetime(2026, 3, 1, 8, 0, 1))
    (run,) = read("megatron", lone, EIGHT, name="lone").runs
    assert joules(run)[0] == pytest.approx(1950.0 * 100, rel=1e-6)


def test_a_log_without_times_cannot_tell_its_pauses_and_is_graded_so(read: Any) -> None:
    (run,) = read("megatron", megatron(range(10, 510, 10), begun=None), EIGHT).runs
    assert (run.evidence, joules(run)[0]) == ("B", pytest.approx(1950.0 * 500, rel=1e-6))
    assert any("tells no times" in note for note in run.notes)


def test_lines_of_other_ranks_colours_and_torn_ends_are_passed_over(read: Any) -> None:
    usual = megatron(range(10, 110, 10))
    noisy = "".join(f"\x1b[32m[rank7]:{line}\n\x1b[0m[rank3]:{line}\n" for line in usual.splitlines())
    (run,) = read("megatron", noisy + " iteration      120/    1000 | consumed sam", EIGHT).runs
    assert joules(run)[0] == pytest.approx(1950.0 * 100, rel=1e-6)


def test_a_log_without_energy_gives_hours_and_work_and_a_rating(read: Any) -> None:
    text = WORLD + megatron(range(10, 510, 10), energy="")
    (run,) = read("megatron", text).runs
    assert (run.evidence, run.usage.accelerator_hours.mid) == ("D", pytest.approx(16 * 1500 / 3600, rel=1e-6))
    assert run.mfu == pytest.approx(420 / 989, rel=0.01)
    with pytest.raises(InputError, match="accelerator: is missing: the log states no energy; give --accelerator"):
        read("megatron", text, Asked())


def test_a_log_that_does_not_tell_the_world_size_asks_for_it(read: Any) -> None:
    with pytest.raises(InputError, match="count: is missing: file does not tell the world size; give --count 64"):
        read("megatron", megatron(range(10, 60, 10)))


def test_nanotrons_lines_are_read(read: Any) -> None:
    text = "".join(
        f"03/01/2026 08:{i:02}:00 [INFO|DP=0|PP=0|TP=0|n1]: iteration: {i} / 500 | consumed_tokens: {i}.05M | "
        "elapsed_time_per_iteration_ms: 60K | tokens_per_sec: 17.5K | tokens_per_sec_per_gpu: 2.2K | "
        "global_batch_size: 256 | lm_loss: 2.4 | model_tflops_per_gpu: 400 | hardware_tflops_per_gpu: 410 |\n"
        for i in range(1, 31)
    )
    (run,) = read("megatron", text, EIGHT).runs
    assert (run.evidence, run.usage.accelerator_hours.mid) == ("D", pytest.approx(8 * 0.5, rel=1e-6))
    assert run.mfu == pytest.approx(400 / 989, rel=0.01)


def test_torchtitans_lines_are_read(read: Any) -> None:
    text = (
        "[rank0]:2026-03-01 08:00:00,000 - root - INFO - Building 2-D device mesh with ['dp', 'tp'], [4, 2]\n"
        "[rank0]:2026-03-01 08:00:01,000 - root - INFO - CUDA capacity: NVIDIA H100 80GB HBM3 with 79.10GiB memory\n"
    )
    text += "".join(
        f"[rank0]:[titan] 2026-03-01 08:{i // 6:02}:{i % 6 * 10:02},000 - root - INFO - "
        f"\x1b[31mstep: {10 * i + 1:2}  \x1b[32mloss:  7.9  memory: 40GiB(50%)  tps: 5,000  tflops: 390.00  "
        "mfu: 39.43%\n"
        for i in range(61)
    )
    (run,) = read("megatron", text, Asked()).runs
    assert run.usage.accelerator_hours.mid == pytest.approx(8 / 6, rel=1e-6)
    assert run.mfu == pytest.approx(0.3943, rel=0.001)
    assert run.progress.tokens == pytest.approx(5000 * 600 * 8)


def test_torchtitans_mesh_tells_the_world_and_experts_are_inside_it(read: Any) -> None:
    mesh = "Building device mesh with parallelism: pp=2, dp_replicate=1, dp_shard=8, cp=1, tp=4, ep=8, etp=1\n"
    (run,) = read("megatron", mesh + megatron(range(10, 60, 10))).runs
    assert run.usage.lines[0].accelerator_count == 64


def test_starts_on_other_numbers_of_accelerators_are_not_mixed(read: Any) -> None:
    later = megatron(range(60, 110, 10), begun=datetime(2026, 3, 2))
    with pytest.raises(InputError, match="is not the same at all starts in file: 16, 32; split the log at its starts"):
        read("megatron", WORLD + megatron(range(10, 60, 10)) + WORLD.replace("16", "32") + later)


def test_very_many_accelerators_are_told_by_host(read: Any) -> None:
    (run,) = read("megatron", megatron(range(10, 110, 10)), replace(H100, count=4096)).runs
    assert len(run.meters) == 3 * 512
    assert run.usage.lines[0].accelerator_count == 4096
    assert sum(joules(run)) == pytest.approx(1950.0 * 100 * 4096, rel=1e-6)


# the Trainer's


def state(**told: Any) -> str:
    return json.dumps({"global_step": 100, "max_steps": 100, "total_flos": 1e18, "log_history": [], **told})


def test_hours_that_are_not_logged_are_those_of_a_plan(read: Any) -> None:
    (run,) = read("trainer-state", state(), EIGHT).runs
    assert run.usage.accelerator_hours.mid == 16
    assert any("hours: those of a plan with its total_flos, 2 h (1 to 4 h)" in note for note in run.notes)


def test_hours_of_several_starts_add_up_and_are_carried_on_to_the_last_step(read: Any) -> None:
    log = [{"step": s, "train_runtime": r} for s, r in ((10, 100), (20, 200), (30, 90), (50, 290))]
    (run,) = read("trainer-state", state(log_history=log), EIGHT).runs
    assert run.usage.accelerator_hours.mid * 3600 == pytest.approx(8 * 490 * 2)
    assert any("2 starts" in note for note in run.notes)


def test_a_checkpoint_of_a_run_has_the_runs_id(read: Any) -> None:
    (early,) = read("trainer-state", RECORDED / "checkpoint-10", EIGHT).runs
    (late,) = read("trainer-state", RECORDED, EIGHT).runs
    assert early.id == late.id
    assert (early.name, late.name) == ("recorded", "recorded")


def test_more_work_than_accelerators_can_do_is_told(read: Any) -> None:
    (run,) = read("trainer-state", state(total_flos=1e23, log_history=[{"step": 100, "train_runtime": 60}]), EIGHT).runs
    assert "would be an MFU of" in run.notes[0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Asked(count=8), "accelerator: is missing: trainer_state.json names none; give --accelerator"),
        (H100, "count: is missing: trainer_state.json does not tell it; give --count 8"),
    ],
)
def test_what_the_trainer_does_not_tell_is_asked_for(read: Any, asked: Asked, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read("trainer-state", RECORDED, asked)


# of the wrong kind


def test_a_file_of_another_kind_is_refused_with_the_command_for_it(read: Any, database: Any, tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(WORLD + megatron(range(10, 60, 10)))
    (tmp_path / "emissions.csv").write_text("timestamp,duration,emissions,energy_consumed\n2026-01-01,1,1,1\n")
    files = {
        "wandb": WANDB,
        "mlflow": database("mlflow.sql"),
        "trackio": database("trackio.sql", name="tiny.db"),
        "megatron": tmp_path / "train.log",
        "trainer-state": RECORDED / "trainer_state.json",
        "codecarbon": tmp_path / "emissions.csv",
    }
    for kind, path in files.items():
        assert kinds.kind_of(path) == kind
        for other in files:
            if other in (kind, "codecarbon"):
                continue
            with pytest.raises(DataError, match=r"expected .*This is .*: footprint import ") as refused:
                read(other, path, EIGHT)
            assert str(refused.value).endswith(f": footprint import {kind} {path}"), (other, kind)


@pytest.mark.parametrize("kind", [kind for kind, one in kinds.KINDS.items() if one.read])
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a,b\n1,2\n", b"\x00\xff\xfe", b"[" * 100_000, b"{}", b"SQLite format 3\x00"]
)
def test_what_is_of_no_kind_is_refused_with_what_was_expected(read: Any, kind: str, content: bytes) -> None:
    with pytest.raises(DataError, match="expected "):
        read(kind, content, EIGHT)


@pytest.mark.parametrize("kind", [kind for kind, one in kinds.KINDS.items() if one.read])
def test_what_is_not_there_is_refused(read: Any, kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.here"):
        read(kind, tmp_path / "nothing.here", EIGHT)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected "):
        read(kind, tmp_path / "empty", EIGHT)


_SEEDS: dict[str, Callable[[], bytes]] = {
    "wandb": WANDB.read_bytes,
    "mlflow": lambda: b"1780000000000 500.0 0\n1780000010000 500.0 1\n1780000020000 500.0 2\n",
    "trackio": lambda: "".join(
        json.dumps({"timestamp": BEGUN + i, "run_name": "a", "gpu/0/power": 5, "gpu/0/energy_consumed": i}) + "\n"
        for i in range(6)
    ).encode(),
    "megatron": lambda: (WORLD + megatron(range(10, 60, 10))).encode(),
    "trainer-state": (RECORDED / "trainer_state.json").read_bytes,
}
_PIECES = st.sampled_from([b"nan", b"-1", b"1e308", b"9" * 40, b"\x00", b"\xff", b"", b"|", b"[", b"null", b'"', b"\n"])
_CUTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 200), _PIECES), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(_SEEDS)), cuts=_CUTS, as_kind=st.none() | st.sampled_from(sorted(_SEEDS)))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(
    read: Any, kind: str, cuts: list[tuple[float, int, bytes]], as_kind: str | None
) -> None:
    data = bytearray(_SEEDS[kind]())
    for where, length, piece in cuts:
        start = int(where * len(data))
        data[start : start + length] = piece
    try:
        found = read(as_kind or kind, bytes(data), EIGHT)
    except FootprintError as error:
        told = str(error)
    else:
        told = ""
        assert all(run.usage.it_energy_kwh.mid >= 0 for run in found.runs)
    assert len(told) < 2000
