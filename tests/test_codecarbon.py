"""codecarbon's tables come in by their header, ours go out in its columns, and its trackers write to us."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import handmade_runs
import pytest
from emulator import Emulator, Square
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footprint import records
from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.errors import DataError, InputError
from footprint.fleet import codecarbon, emissions
from footprint.measurement.tracker.reading import list_runs, read_run
from footprint.report import emissions_csv
from footprint.store import open_ledger
from footprint.units import G_PER_KG, J_PER_KWH
from footprint.values import Run

UUID = "66e41014-0a9c-4a93-89d8-8b937ae6b6bd"
OTHER = "e080413e-d5ca-4c8b-a230-6dd806dd66e7"

V1 = (
    "timestamp", "experiment_id", "project_name", "duration", "emissions", "energy_consumed", "country_name",
    "country_iso_code", "region", "on_cloud", "cloud_provider", "cloud_region",
)  # fmt: skip
V26 = (
    "timestamp", "project_name", "run_id", "duration", "emissions", "emissions_rate", "cpu_power", "gpu_power",
    "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "country_name", "country_iso_code",
    "region", "cloud_provider", "cloud_region", "os", "python_version", "codecarbon_version", "cpu_count",
    "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude", "ram_total_size", "tracking_mode", "on_cloud",
    "pue",
)  # fmt: skip
V20 = V26[:-1]
V28 = (*V26[:3], "experiment_id", *V26[3:])
V32 = emissions_csv.COLUMNS
VERSIONS = {"1.2": V1, "2.0": V20, "2.6": V26, "2.8": V28, "3.2.3": V32}

CELLS = {
    "timestamp": "2024-06-03T15:04:51",
    "project_name": "bert",
    "run_id": UUID,
    "experiment_id": UUID,
    "duration": "7200.0",
    "emissions": "0.42",
    "emissions_rate": "5.8e-05",
    "cpu_power": "60.0",
    "gpu_power": "900.0",
    "ram_power": "40.0",
    "cpu_energy": "0.15",
    "gpu_energy": "2.25",
    "ram_energy": "0.1",
    "energy_consumed": "2.5",
    "water_consumed": "0.0",
    "country_name": "France",
    "country_iso_code": "FRA",
    "region": "ile-de-france",
    "cloud_provider": "",
    "cloud_region": "",
    "os": "Linux",
    "python_version": "3.11",
    "codecarbon_version": "2.6.0",
    "cpu_count": "64",
    "cpu_model": "AMD EPYC 7763",
    "gpu_count": "2",
    "gpu_model": "2 x NVIDIA A100-SXM4-80GB",
    "tracking_mode": "machine",
    "on_cloud": "N",
    "pue": "1.25",
    "wue": "0.0",
}


def table(*rows: dict[str, str], columns: Sequence[str] = V32, quoting: Any = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(CELLS | row for row in rows)
    return out.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], codecarbon.Imported]:
    def reading(text: str) -> codecarbon.Imported:
        path = tmp_path / "emissions.csv"
        path.write_text(text, encoding="utf-8")
        return codecarbon.read(path)

    return reading


# import


@pytest.mark.parametrize("version", VERSIONS)
def test_every_header_is_read_and_its_pue_taken_out(read: Any, version: str) -> None:
    columns = VERSIONS[version]
    (run,) = read(table({}, columns=columns)).runs
    pue = 1.25 if "pue" in columns else 1.0
    assert run.usage.it_energy_kwh.mid == pytest.approx(2.5 / pue, rel=1e-12)
    assert run.id == f"codecarbon-{UUID}"
    assert run.usage.wall_clock_h is not None
    assert run.usage.wall_clock_h.mid == pytest.approx(2.0, rel=1e-12)
    assert run.ended_utc_s == datetime.fromisoformat(CELLS["timestamp"]).timestamp()
    assert run.ended_utc_s - run.started_utc_s == pytest.approx(7200, abs=1e-6)
    assert (run.name, run.project, run.status, run.tags) == ("bert", "bert", "finished", ("codecarbon",))
    assert run.evidence == ("B" if version != "1.2" else "C")
    assert any("states no PUE" in note for note in run.notes) == ("pue" not in columns)


def test_columns_are_found_by_name_whatever_their_order(read: Any) -> None:
    (usual,) = read(table({})).runs
    (turned,) = read(table({}, columns=[*reversed(V32), "a_new_one"])).runs
    assert turned == usual


def test_facility_energy_is_what_codecarbon_states_where_it_knows_the_pue(read: Any) -> None:
    (run,) = read(table({})).runs
    assert run.footprint.facility.facility_energy_kwh.mid == pytest.approx(2.5, rel=1e-12)
    assert run.footprint.site.pue.mid == 1.25


def test_a_pue_of_one_is_codecarbons_default_and_ours_is_applied(read: Any) -> None:
    (run,) = read(table({"pue": "1.0"})).runs
    assert run.footprint.site.pue == open_catalog().constant("pue")


def test_parts_keep_their_origin_and_their_sum(read: Any) -> None:
    (run,) = read(table({})).runs
    parts = {m.meter.id: (m.meter.component, m.meter.origin, m.it_energy_kwh.mid) for m in run.meters}
    assert parts == {
        "gpu-0": ("accelerator", "measured", pytest.approx(0.9)),
        "gpu-1": ("accelerator", "measured", pytest.approx(0.9)),
        "cpu": ("cpu", "modelled", pytest.approx(0.12)),
        "ram": ("ram", "modelled", pytest.approx(0.08)),
        "node": ("node", "default", 0.0),
    }
    assert sum(m.it_energy_kwh.mid for m in run.meters) == pytest.approx(run.usage.it_energy_kwh.mid, rel=1e-12)
    assert run.usage.coverage_share == pytest.approx(0.9, rel=1e-12)


def test_a_total_without_parts_is_the_nodes(read: Any) -> None:
    (run,) = read(table({}, columns=V1)).runs
    (meter,) = run.meters
    assert (meter.meter.component, meter.meter.origin, meter.it_energy_kwh.mid) == ("node", "modelled", 2.5)


def test_hours_are_those_of_every_device_of_the_box(read: Any) -> None:
    (run,) = read(table({})).runs
    (line,) = run.usage.lines
    assert (line.accelerator, line.accelerator_count) == ("a100-sxm4-80gb", 2)
    assert line.accelerator_hours.mid == pytest.approx(4.0, rel=1e-12)


def test_carbon_is_by_our_grid_and_theirs_stands_in_a_note(read: Any) -> None:
    (run,) = read(table({})).runs
    facility, grid = run.footprint.facility, run.footprint.site.location_intensity_g_per_kwh
    expected = facility.facility_energy_kwh.mid * grid.mid / G_PER_KG
    assert facility.operational_location_kgco2e.mid == pytest.approx(expected, rel=1e-12)
    assert "codecarbon states 0.42 kgCO2e at 168 g/kWh (FRA, ile-de-france)" in run.notes


@pytest.mark.parametrize(
    ("cells", "zone", "region"),
    [
        ({}, "FRA", None),
        ({"country_iso_code": "USA", "region": "virginia"}, "US-VA", None),
        ({"country_iso_code": "USA", "region": "georgia"}, "USA", None),  # a state and a country: the country
        ({"country_iso_code": "FRA", "region": "virginia"}, "FRA", None),
        ({"on_cloud": "Y", "cloud_provider": "aws", "cloud_region": "eu-west-3"}, "FRA", "aws/eu-west-3"),
        ({"on_cloud": "Y", "cloud_provider": "aws", "cloud_region": "mars-1"}, "FRA", None),
        ({"country_iso_code": "", "region": ""}, "World", None),
        ({"country_iso_code": "ZZZ"}, "World", None),
    ],
)
def test_the_place_is_the_clouds_region_or_the_state_or_the_country(
    read: Any, cells: dict[str, str], zone: str, region: str | None
) -> None:
    (run,) = read(table(cells)).runs
    assert (run.footprint.site.zone, run.footprint.site.region) == (zone, region)


def test_quebec_is_doubted(read: Any) -> None:
    (run,) = read(table({"country_iso_code": "CAN", "region": "quebec"})).runs
    assert any("when it cannot find out where it is" in note for note in run.notes)


def test_an_unknown_device_is_said_and_its_hours_count(read: Any) -> None:
    (run,) = read(table({"gpu_model": "4 x Nobody 9000"})).runs
    assert run.usage.lines[0].accelerator_hours.mid == pytest.approx(8.0)
    assert any("Nobody 9000 is in no table" in note for note in run.notes)


def test_rows_of_a_flush_are_stands_of_one_run_and_the_last_one_counts(read: Any) -> None:
    early = {"duration": "3600", "energy_consumed": "1.25", "cpu_energy": "0.075", "gpu_energy": "1.125"}
    found = read(table(early | {"ram_energy": "0.05", "timestamp": "2024-06-03T14:04:51"}, {}, {"run_id": OTHER}))
    assert [run.id for run in found.runs] == [f"codecarbon-{UUID}", f"codecarbon-{OTHER}"]
    assert found.runs[0].usage.it_energy_kwh.mid == pytest.approx(2.0)
    assert found.earlier == ((2, 3),)


def test_files_that_were_joined_have_a_header_in_the_middle(read: Any) -> None:
    found = read(table({}, columns=V26) + table({"run_id": OTHER}, columns=V32))
    assert len(found.runs) == 2
    assert not found.bad


def test_a_spreadsheets_semicolons_and_byte_order_mark_are_read(read: Any) -> None:
    assert read("\ufeff" + table({}).replace(",", ";")).runs == read(table({})).runs


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"energy_consumed": "nan"}, "energy_consumed = 'nan': must be finite and 0 or above|energy_consumed = nan"),
        ({"energy_consumed": "-1"}, "energy_consumed = -1: must be finite and 0 or above"),
        ({"energy_consumed": "two"}, "energy_consumed = 'two': is not a number"),
        ({"energy_consumed": "0", "cpu_energy": "0", "gpu_energy": "0", "ram_energy": "0"}, "no energy was measured"),
        ({"energy_consumed": "7"}, "is not the sum of its parts, 2.5; have its cells shifted?"),
        ({"duration": "0"}, "duration = 0: must be above 0"),
        ({"timestamp": "2020-04-31T03:26:11"}, "timestamp = '2020-04-31T03:26:11': is no date"),
        ({"timestamp": ""}, "timestamp = '': is no date"),
        ({"pue": "0.9"}, "pue = 0.9: must be from 1 to 10"),
        ({"emissions": ""}, "emissions = '': is not a number"),
        ({"codecarbon_version": "footprint 0.1.0"}, "is a run of footprint's own"),
    ],
)
def test_a_bad_row_is_listed_with_its_line_and_the_others_are_read(read: Any, cells: dict[str, str], told: str) -> None:
    found = read(table({}, cells | {"run_id": OTHER}))
    assert [run.id for run in found.runs] == [f"codecarbon-{UUID}"]
    ((line, problem),) = found.bad
    assert line == 3
    assert any(part in problem for part in told.split("|"))


def test_rows_of_another_length_are_listed(read: Any) -> None:
    found = read(table({}) + "2024-06-03T15:04:51,bert\n" + "\n" + ",".join(["1"] * 39) + "\n")
    assert found.bad == ((3, "has 2 cells, its header 38"), (5, "has 39 cells, its header 38"))


def test_what_follows_an_open_quote_is_listed(read: Any) -> None:
    found = read(table({}) + '2024,"open\n')
    assert len(found.runs) == 1
    ((line, problem),) = found.bad
    assert line == 3
    assert "is not CSV" in problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; expected codecarbon's emissions.csv"),
        (b"name,value\na,1\n", "has no column timestamp, duration, emissions; expected codecarbon's emissions.csv"),
        (b"timestamp,duration,emissions\n", "has no column energy_consumed; expected"),
        (b"task_name,timestamp,duration,emissions\n", "is codecarbon's table of one run's tasks"),
        (b'{"timestamp": 1}', "expected codecarbon's emissions.csv"),
        (b"\xff\xfe\x00\x01", "is not text in UTF-8; expected"),
        (b"\x00\n", "expected codecarbon's emissions.csv"),
    ],
)
def test_a_wrong_kind_of_file_is_told_with_what_was_expected(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "emissions.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"emissions\.csv") as refused:
        codecarbon.read(path)
    assert told in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read \\(No such file or directory\\)"):
        codecarbon.read(tmp_path / "none.csv")


def test_an_imported_run_is_kept_whole_as_plain_data(read: Any) -> None:
    (run,) = read(table({"project_name": "a/b\nc\x07" + "x" * 300})).runs
    assert run.name.startswith("a b c xxx")
    assert len(run.name) <= 200
    assert records.from_plain(Run, json.loads(records.to_json(run))) == run


def test_rows_without_an_id_get_one_that_they_have_again(read: Any) -> None:
    text = table({"run_id": "", "experiment_id": ""}, {"run_id": "", "experiment_id": "", "duration": "60"})
    first, second = (read(text).runs for _ in range(2))
    assert [run.id for run in first] == [run.id for run in second]
    assert first[0].id != first[1].id


CELL = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "nan", "inf", "1e400", "1.5", "2024-06-03T15:04:51", "9999-12-31T23:59:59"]),
    st.text(max_size=20),
    st.floats().map(repr),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(st.sampled_from(V32), CELL, max_size=6), max_size=5), columns=st.permutations(V32))
def test_whatever_stands_in_its_cells_every_row_is_a_run_or_listed(
    tmp_path: Path, rows: list[dict[str, str]], columns: list[str]
) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_text(table(*rows, columns=columns, quoting=csv.QUOTE_ALL), encoding="utf-8", errors="replace")
    found = codecarbon.read(path)
    assert len(found.runs) + len(found.bad) + len(found.earlier) == len(rows)
    for run in found.runs:
        assert 0 < run.usage.it_energy_kwh.mid < float("inf")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        found = emissions.read(path)
        assert all(row.total_kwh > 0 for row in found.runs)


# the command line


@pytest.fixture
def run_cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path / "home"))

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main.run(["import", "codecarbon", *words])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return call


def test_importing_twice_adds_nothing(run_cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table({}, {"run_id": OTHER}), encoding="utf-8")
    for told in ("2 added", "0 added, 2 known already"):
        code, out, err = run_cli(str(path))
        assert (code, out.splitlines()[-1], err) == (0, f"{path}: {told}", "")
    with open_ledger() as ledger:
        entries = ledger.list()
        assert {entry.kind for entry in entries} == {"imported"}
        assert sum(entry.it_energy_kwh.mid for entry in entries) == pytest.approx(4.0)


def test_a_run_that_has_grown_since_takes_its_own_place(run_cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table({}), encoding="utf-8")
    run_cli(str(path))
    later = {"timestamp": "2024-06-03T16:04:51", "energy_consumed": "3", "gpu_energy": "2.75", "duration": "10800"}
    path.write_text(table({}, later), encoding="utf-8")
    code, out, _ = run_cli(str(path))
    assert (code, out.splitlines()[-1]) == (0, f"{path}: 0 added, 1 grown since, 1 row is an earlier stand of its run")
    with open_ledger() as ledger:
        (entry,) = ledger.list()
    assert entry.it_energy_kwh.mid == pytest.approx(2.4)


def test_bad_rows_are_told_on_stderr_with_their_lines(run_cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table({}, *[{"run_id": "x", "pue": "0"}] * 25), encoding="utf-8")
    code, out, err = run_cli(str(path))
    assert (code, out.splitlines()[-1]) == (0, f"{path}: 1 added, 25 rows cannot be read")
    assert f"note: {path}, line 3: pue = 0: must be from 1 to 10" in err
    assert f"note: {path}: nor can lines 23, 24, 25, 26, 27 be read" in err


def test_each_run_has_its_line_and_its_evidence_the_first_twenty_of_many(run_cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table(*({"run_id": f"{i:08d}-0000-4000-8000-000000000000"} for i in range(23))), encoding="utf-8")
    _, out, _ = run_cli(str(path))
    lines = out.splitlines()
    assert lines[0].startswith("bert: 2 × a100-sxm4-80gb, 2 h 00 min; IT 2.0 kWh (")
    assert lines[1].startswith("evidence B: ")
    assert len([line for line in lines if line.startswith("bert: ")]) == 20
    assert lines[-2:] == ["and 3 more: footprint runs list", f"{path}: 23 added"]


def test_a_dry_run_adds_nothing(run_cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table({}), encoding="utf-8")
    code, out, err = run_cli("--dry-run", str(path))
    assert (code, out.splitlines()[-1], err) == (0, f"{path}: 1 to add", "")
    with open_ledger() as ledger:
        assert ledger.list() == ()


def test_of_several_files_a_wrong_one_is_refused_before_any_is_added(run_cli: Any, tmp_path: Path) -> None:
    good, wrong = tmp_path / "emissions.csv", tmp_path / "notes.txt"
    good.write_text(table({}), encoding="utf-8")
    wrong.write_text("hello\n", encoding="utf-8")
    code, out, err = run_cli(str(good), str(wrong))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {wrong}, line 1: has no column timestamp")
    with open_ledger() as ledger:
        assert ledger.list() == ()


# export


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def codecarbon_file(name: str) -> Path:
    spec = find_spec("codecarbon")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / name


def test_the_columns_are_the_installed_codecarbons_in_its_order() -> None:
    tree = ast.parse(codecarbon_file("output_methods/emissions_data.py").read_text(encoding="utf-8"))
    record = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "EmissionsData")
    fields = [n.target.id for n in record.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    assert tuple(fields) == emissions_csv.COLUMNS
    assert len(fields) == 38


def test_units_are_codecarbons() -> None:
    run = handmade_runs.run()
    (row,) = rows_of(emissions_csv.text([run]))
    pue, seconds = 1.15, handmade_runs.HOURS * 3600
    assert float(row["energy_consumed"]) == pytest.approx(29.0 * 1.15, rel=1e-12)  # kWh, PUE included
    assert float(row["gpu_energy"]) == pytest.approx(8 * 2.9 * pue, rel=1e-12)
    assert float(row["cpu_energy"]) == pytest.approx(2.1 * pue, rel=1e-12)
    assert float(row["ram_energy"]) == pytest.approx(0.9 * pue, rel=1e-12)
    assert float(row["gpu_power"]) == pytest.approx(8 * 2.9 * pue * J_PER_KWH / seconds, rel=1e-12)  # mean W
    assert float(row["emissions"]) == pytest.approx(29.0 * 1.15 * 0.369, rel=1e-12)  # kg
    assert float(row["emissions_rate"]) == pytest.approx(float(row["emissions"]) / seconds, rel=1e-12)  # kg/s
    assert float(row["duration"]) == seconds
    assert float(row["water_consumed"]) == pytest.approx(29.0 * 0.18, rel=1e-12)  # L
    assert (float(row["pue"]), float(row["wue"])) == (1.15, 0.18)
    assert row["timestamp"] == datetime.fromtimestamp(run.ended_utc_s).strftime("%Y-%m-%dT%H:%M:%S")


def test_names_and_places_are_codecarbons() -> None:
    (row,) = rows_of(emissions_csv.text([handmade_runs.run()]))
    assert (row["project_name"], row["experiment_id"]) == ("llm", "sft-7b")
    assert (row["country_name"], row["country_iso_code"]) == ("United States", "USA")
    assert (row["cloud_provider"], row["cloud_region"], row["on_cloud"]) == ("aws", "us-east-1", "Y")
    assert (row["gpu_count"], row["gpu_model"]) == ("8", "8 x NVIDIA H100 80GB HBM3")


def test_what_is_not_known_is_an_empty_cell() -> None:
    run = handmade_runs.run(meters=tuple(handmade_runs.gpu(i) for i in range(2)))
    (row,) = rows_of(emissions_csv.text([run]))
    assert {row[name] for name in ("cpu_energy", "ram_power", "os", "longitude", "ram_used_gb")} == {""}
    on_cpu = handmade_runs.run(meters=handmade_runs.host_meters())
    (row,) = rows_of(emissions_csv.text([on_cpu]))
    assert (float(row["gpu_energy"]), row["gpu_model"]) == (0.0, "")


def test_export_of_an_import_states_the_same_energy(read: Any) -> None:
    (run,) = read(table({})).runs
    (row,) = rows_of(emissions_csv.text([run]))
    for name in ("energy_consumed", "cpu_energy", "gpu_energy", "ram_energy", "duration", "pue"):
        assert float(row[name]) == pytest.approx(float(CELLS[name]), rel=1e-12), name
    assert (row["gpu_model"], row["gpu_count"]) == (CELLS["gpu_model"], CELLS["gpu_count"])
    assert (row["country_iso_code"], row["timestamp"]) == ("FRA", CELLS["timestamp"])


def test_text_cannot_start_a_formula_nor_break_a_row() -> None:
    hostile = handmade_runs.run(name='=cmd("x"),1\n2', project="")
    (row,) = rows_of(emissions_csv.text([hostile]))
    assert row["project_name"] == "'" + '=cmd("x"),1 2'


def test_appending_keeps_what_is_there_and_adds_a_run_once(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    first, second = handmade_runs.run(), handmade_runs.run(id="another")
    assert emissions_csv.append([first], path) == 1
    path.write_text(path.read_text("utf-8").rstrip("\n"), encoding="utf-8")  # as an editor may leave it
    assert emissions_csv.append([first, second], path) == 1
    assert emissions_csv.append([first, second], path) == 0
    assert path.read_text("utf-8") == emissions_csv.text([first, second])


def test_appending_follows_the_files_own_order(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(table({}, columns=V32[::-1]), encoding="utf-8")
    emissions_csv.append([handmade_runs.run()], path)
    old, new = rows_of(path.read_text("utf-8"))
    assert (old["run_id"], new["run_id"]) == (UUID, handmade_runs.run().id)
    assert float(new["energy_consumed"]) == pytest.approx(29.0 * 1.15)


def test_a_file_of_other_columns_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(before := table({}, columns=V26), encoding="utf-8")
    with pytest.raises(InputError, match=r"has 31 columns that are not the 38 of codecarbon 3.2.3 and later"):
        emissions_csv.append([handmade_runs.run()], path)
    assert path.read_text("utf-8") == before
    with pytest.raises(InputError, match=r"cannot be (written|read)"):
        emissions_csv.append([handmade_runs.run()], tmp_path)


# its own trackers

TRACKED = """
import json, os, sys, time
from codecarbon import OfflineEmissionsTracker
from codecarbon.output_methods.emissions_data import EmissionsData
from codecarbon.output_methods.file import FileOutput
from footprint.integrations.codecarbon import FootprintOutput
ours = FootprintOutput()
tracker = OfflineEmissionsTracker(
    country_iso_code="FRA", measure_power_secs=0.4, api_call_interval=1, output_handlers=[ours], pue=1.5,
    log_level="error", project_name="my/project", output_dir=sys.argv[1], allow_multiple_runs=True,
    tracking_mode="machine", force_mode_cpu_load=True,
)
tracker.start()
print("started", flush=True)
time.sleep(float(sys.argv[2]))
tracker.stop()
print(json.dumps({"problem": ours.problem, **{k: v for k, v in tracker.final_emissions_data.values.items()}}))
"""


@pytest.fixture
def place(emulator: Callable[..., Emulator], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    host = emulator(gpus=2, wave=Square(100, 400, 0.5))
    home = {"FOOTPRINT_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    return tmp_path, {**host.env, **home}


def test_its_tracker_writes_a_run_of_ours_with_the_same_energy(
    place: tuple[Path, dict[str, str]], run_cli: Any
) -> None:
    folder, env = place
    done = subprocess.run(
        [sys.executable, "-c", TRACKED, str(folder), "1.5"],
        env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    (found,) = list_runs(folder / "home" / "runs")
    run = read_run(found)
    assert told["problem"] == ""
    assert (run.id, run.status, run.name) == (f"codecarbon-{told['run_id']}", "finished", "my project")
    assert run.usage.it_energy_kwh.mid * 1.5 == pytest.approx(told["energy_consumed"], rel=1e-6)
    assert run.footprint.facility.facility_energy_kwh.mid == pytest.approx(told["energy_consumed"], rel=1e-6)
    by_part = {m.meter.id: m.it_energy_kwh.mid for m in run.meters}
    assert by_part["gpu-0"] + by_part["gpu-1"] == pytest.approx(told["gpu_energy"] / 1.5, rel=1e-6)
    assert (by_part["cpu"], by_part["ram"]) == (
        pytest.approx(told["cpu_energy"] / 1.5, rel=1e-5),
        pytest.approx(told["ram_energy"] / 1.5, rel=1e-5),
    )
    assert run.usage.accelerator_hours.mid == pytest.approx(2 * told["duration"] / 3600, rel=0.05)

    (imported,) = codecarbon.read(folder / "emissions.csv").runs  # what codecarbon wrote beside it
    assert imported.id == run.id
    assert imported.usage.it_energy_kwh.mid == pytest.approx(run.usage.it_energy_kwh.mid, rel=1e-6)


def test_its_tracker_killed_without_a_word_leaves_what_it_measured(place: tuple[Path, dict[str, str]]) -> None:
    folder, env = place
    process = subprocess.Popen(
        [sys.executable, "-c", TRACKED, str(folder), "60"], env=env, cwd=folder, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGKILL)
    (found,) = list_runs(folder / "home" / "runs")
    run = read_run(found)
    assert run.status == "interrupted"
    assert run.usage.it_energy_kwh.mid * J_PER_KWH > 2 * 100 * 0.8  # two devices of 100 W at the least
    assert not (folder / "emissions.csv").exists()


def test_codecarbon_appends_to_a_file_of_ours_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    emissions_csv.append([handmade_runs.run()], path)
    code = (
        "import json, sys\n"
        "from codecarbon.output_methods.emissions_data import EmissionsData\n"
        "from codecarbon.output_methods.file import FileOutput\n"
        "FileOutput('emissions.csv', sys.argv[1]).out(EmissionsData(**json.loads(sys.argv[2])), None)\n"
    )
    more = {"longitude": "", "latitude": "", "ram_total_size": "512"}
    cells = json.dumps({**CELLS, **more})
    subprocess.run([sys.executable, "-c", code, str(tmp_path), cells], capture_output=True, timeout=60, check=True)
    ours, theirs = rows_of(path.read_text("utf-8"))
    assert (ours["run_id"], theirs["run_id"]) == (handmade_runs.run().id, UUID)
    assert [p.name for p in tmp_path.iterdir()] == ["emissions.csv"]  # no .bak: it took the header for its own
    found = codecarbon.read(path)
    assert [run.id for run in found.runs] == [f"codecarbon-{UUID}"]


def test_a_folder_that_cannot_be_written_is_told_when_the_output_is_made(tmp_path: Path) -> None:
    from footprint.integrations.codecarbon import OutputHooks

    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"folder = .*cannot be written"):
        OutputHooks(folder=tmp_path / "file" / "runs")


def test_what_is_not_counted_yet_is_not_written(tmp_path: Path) -> None:
    from footprint.integrations.codecarbon import OutputHooks

    class Nothing:
        values = CELLS | {"energy_consumed": 0.0, "cpu_energy": 0.0, "gpu_energy": 0.0, "ram_energy": None}

    output = OutputHooks(folder=tmp_path / "runs")
    output.live_out(Nothing(), None)
    output.exit()
    assert "no energy was measured" in output.problem
    assert list_runs(tmp_path / "runs") == []


def test_two_starts_of_one_tracker_add_up(tmp_path: Path) -> None:
    """Its sums go on over a stop; so do its counters here, in a journal of their own."""
    from footprint.integrations.codecarbon import OutputHooks

    class Total:
        def __init__(self, kwh: float) -> None:
            self.values = CELLS | {"energy_consumed": kwh, "cpu_energy": 0, "gpu_energy": kwh, "ram_energy": 0}
            self.values["duration"] = "1.0"

    output = OutputHooks(folder=tmp_path / "runs")
    for kwh in (1.25, 2.5):
        output.out(Total(kwh), None)
        output.exit()
    (found,) = list_runs(tmp_path / "runs")
    run = read_run(found)
    assert run.usage.it_energy_kwh.mid == pytest.approx(2.0, rel=1e-9)
    assert len(run.segments) == 2


def test_runs_of_ours_are_not_imported_again(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    emissions_csv.append([replace(handmade_runs.run(), version="0.1.0")], path)
    found = codecarbon.read(path)
    assert found.runs == ()
    assert "is a run of footprint's own" in found.bad[0][1]
