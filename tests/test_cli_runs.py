"""`footprint runs` as users meet it: what was measured is listed, shown, joined, kept and thrown away."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import handmade_runs as handmade
import pytest
import typer
from homes import BEGAN_S, EVERY_S, TICKS, WATTS, measured

from footprint import records, store
from footprint.cli import main
from footprint.cli.ledger import By, Kind, Status
from footprint.measurement import journal
from footprint.store.entries import GROUPS, KINDS, PLANNED
from footprint.values import STATUSES, Run

HOUR_S = 3600


class Ran:
    """An exit code with what was printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, with the ledger in it, or in a team's database."""
    for name in ("FOOTPRINT_STORE", "FOOTPRINT_FOLDER", "FOOTPRINT_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    if request.param == "postgresql":
        monkeypatch.setenv("FOOTPRINT_STORE", request.getfixturevalue("postgres").empty())
    return tmp_path / "home"


@pytest.fixture(autouse=True, scope="module")
def unsynced() -> Iterator[None]:
    """Journals are written without waiting for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SYNC_S", math.inf)
        yield


@pytest.fixture(scope="module")
def built() -> Any:
    """The command line, built once."""
    return typer.main.get_command(main.app)


@pytest.fixture
def run(home: Path, built: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(main, "app", built)

    def call(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as left:
            main.run(["runs", *arguments])
        printed = capsys.readouterr()
        return Ran(int(left.value.code or 0), printed.out, printed.err)

    return call


KWH = WATTS * EVERY_S * TICKS / 3.6e6
"""Of one device in one journal."""


@pytest.fixture(scope="module")
def evil_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run, cut off, whose every name tries to do something."""
    home, bad = tmp_path_factory.mktemp("evil"), handmade.HOSTILE
    measured(home / "runs", "evil", host=bad, name=bad, project=bad, tags=(bad, "=1+1"), end="", words={})
    return home


def accelerator_kwh(run: Run) -> float:
    return sum(m.it_energy_kwh.mid for m in run.meters if m.meter.component == "accelerator")


def shown(run: Any, *arguments: str) -> Run:
    return records.from_plain(Run, json.loads(run("show", *arguments, "--format", "json").out))


# names that are known to the command line without loading the ledger


def test_names_known_to_the_command_line_are_those_of_the_ledger() -> None:
    assert tuple(By) == GROUPS
    assert set(Kind) == set(KINDS)
    assert tuple(Status) == (*STATUSES, PLANNED)


@pytest.mark.parametrize("command", ["list", "show", "export", "merge", "recover", "delete", "grants"])
def test_every_command_has_help_with_examples(run: Any, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"  footprint runs {command}" in ran.out.split("Examples:")[1]


def test_other_commands_do_not_load_the_database() -> None:
    code = (
        "import sys; from footprint.cli import main\n"
        "try: main.run(['estimate', '--params', '7B', '--tokens', '1T', '--accelerator', 'h100-sxm'])\n"
        "except SystemExit: pass\n"
        "print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


# listing


def test_what_was_measured_is_listed_with_the_sum_of_all(run: Any, home: Path) -> None:
    measured(home / "runs", "sft-20261103T080000Z-aaaaaa")
    measured(home / "runs", "sft-20261103T090000Z-bbbbbb", end="failed", started_utc_s=BEGAN_S + HOUR_S)
    ran = run("list")
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[2].split()[:4] == ["bbbbbb", "sft", "failed", "2026-11-03T09:00Z"]
    assert lines[3].split()[:4] == ["aaaaaa", "sft", "finished", "2026-11-03T08:00Z"]
    assert lines[-1].startswith("2 runs · 1.33 accelerator-hours · ")
    assert max(map(len, lines)) <= 80


def test_listing_again_reads_nothing_again(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from footprint.measurement.tracker import reading

    asked: list[Path] = []
    real = reading.read_run
    monkeypatch.setattr(reading, "read_run", lambda path, **words: (asked.append(path), real(path, **words))[1])
    measured(home / "runs", "one")
    for _ in range(2):
        assert run("list").code == 0
    assert [path.name for path in asked] == ["one"]


def test_filters_and_totals_reach_the_ledger(run: Any, home: Path) -> None:
    measured(home / "runs", "one", project="llm", tags=("night",))
    measured(home / "runs", "two", project="asr", end="failed")
    rows = list(csv.DictReader(io.StringIO(run("list", "--status", "failed", "-f", "csv").out)))
    assert [row["id"] for row in rows] == ["two"]
    rows = json.loads(run("list", "--by", "project", "--format", "json").out)["rows"]
    assert {row["project"]: row["run_count"] for row in rows} == {"llm": 1, "asr": 1}
    assert run("list", "--tag", "night", "--project", "asr").err == (
        "note: no such run; one is recorded by: footprint track -- COMMAND\n"
    )
    assert "one" in run("list", "--name", "o*", "--since", "2026-11", "--until", "2026-11").out
    assert "| llm | 1 |" in run("list", "--by", "project", "--format", "markdown").out


def test_an_empty_ledger_says_how_to_begin(run: Any) -> None:
    ran = run("list")
    assert (ran.code, ran.out) == (0, "")
    assert "footprint track -- COMMAND" in ran.err


def test_a_broken_journal_is_told_and_hides_no_other(run: Any, home: Path) -> None:
    measured(home / "runs", "good")
    (home / "runs" / "bad").mkdir()
    (home / "runs" / "bad" / "x.jsonl").write_text("{", encoding="utf-8")
    ran = run("list")
    assert ran.code == 0
    assert "good" in ran.out
    assert "note: bad cannot be read: " in ran.err


def test_where_nothing_can_be_written_runs_are_listed_from_their_journals(
    run: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(home / "runs", "one")
    (home / "file").write_text("")
    ran = run("list", "--store", str(home / "file" / "ledger.sqlite"))
    assert (ran.code, "one" in ran.out) == (0, True)
    assert "cannot be opened; set FOOTPRINT_HOME" in ran.err
    ran = run("delete", "one", "--yes", "--store", str(home / "file" / "ledger.sqlite"))
    assert ran.code == 1
    assert (home / "runs" / "one").is_dir()


def test_journals_elsewhere_are_named(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(tmp_path / "shared", "one")
    assert "one" in run("list", "--folder", str(tmp_path / "shared")).out
    measured(tmp_path / "other", "two")
    monkeypatch.setenv("FOOTPRINT_FOLDER", str(tmp_path / "other"))
    assert "two" in run("list").out


# showing


def test_a_run_is_shown_by_any_of_its_names_and_the_newest_without_one(run: Any, home: Path) -> None:
    measured(home / "runs", "sft-20261103T080000Z-aaaaaa")
    measured(home / "runs", "dpo-20261103T090000Z-bbbbbb", started_utc_s=BEGAN_S + HOUR_S)
    for word in ("sft", "aaaaaa", "sft-2026", "sft-20261103T080000Z-aaaaaa"):
        assert run("show", word).out.startswith("sft · finished\n1 × h100-sxm5-80gb on gpu01")
    assert run("show").out.startswith("dpo · finished")
    assert accelerator_kwh(shown(run, "sft")) == pytest.approx(KWH, rel=1e-3)


def test_a_run_is_assessed_again_with_another_place(run: Any, home: Path) -> None:
    measured(home / "runs", "one")
    here, there = shown(run, "one"), shown(run, "one", "--country", "FRA", "--set", "pue=1.5")
    assert there.footprint.site.pue.mid == 1.5
    assert there.footprint.site.region is None
    assert there.usage.it_energy_kwh == here.usage.it_energy_kwh
    assert there.footprint.facility.operational_location_kgco2e.mid < (
        here.footprint.facility.operational_location_kgco2e.mid / 3
    )
    assert shown(run, "one") == here


def test_a_run_without_journals_is_shown_but_not_assessed_again(run: Any, home: Path) -> None:
    with store.open_ledger() as ledger:
        ledger.save(handmade.run(), "imported")
    assert run("show", "sft-7b").out.startswith("sft-7b · finished")
    ran = run("show", "sft-7b", "--country", "FRA")
    assert ran.code == 1
    assert "has no journals here, to be assessed with other words" in ran.err


@pytest.mark.parametrize(
    ("name", "start"), [("x.html", "<!doctype"), ("x.md", "## one"), ("x.csv", "run,name"), ("x.txt", "one · finished")]
)
def test_the_file_name_chooses_the_format(run: Any, home: Path, tmp_path: Path, name: str, start: str) -> None:
    measured(home / "runs", "one")
    ran = run("show", "one", "--out", str(tmp_path / name))
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_an_unknown_run_is_told_with_suggestions(run: Any, home: Path) -> None:
    measured(home / "runs", "pretrain")
    ran = run("show", "pretrian")
    assert (ran.code, ran.out) == (1, "")
    assert "did you mean pretrain?" in ran.err
    assert run("show", "\x1b[31m").err.count("\x1b") == 0


# plans


def test_an_estimate_is_saved_listed_and_shown_but_in_no_total(
    run: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    words = ["--params", "7B", "--tokens", "2B", "--accelerator", "h100-sxm", "--count", "8"]
    with pytest.raises(SystemExit, match="0"):
        main.run(["estimate", *words, "--save", "next run"])
    assert "footprint track --plan 'next run' -- COMMAND" in capsys.readouterr().err
    assert "next run" in run("list", "--kind", "plan").out
    assert run("list", "--by", "project").out == ""
    assert run("show", "next run").out.startswith("plan\n8 × h100-sxm5-80gb")
    assert "is a plan, for one place" in run("show", "next run", "--country", "FRA").err
    with store.open_ledger() as ledger:
        assert ledger.plan("next run").usage.accelerator_hours.mid > 1
    with pytest.raises(SystemExit, match="1"):
        main.run(["estimate", *words, "--save", "a\nb"])
    assert "holds characters that cannot be printed" in capsys.readouterr().err


def test_an_estimate_is_saved_into_the_ledger_that_is_named(
    run: Any, capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path
) -> None:
    other = str(tmp_path / "team.sqlite")
    words = ["--params", "7B", "--tokens", "2B", "--accelerator", "h100-sxm", "--count", "8", "--store", other]
    with pytest.raises(SystemExit, match="0"):
        main.run(["estimate", *words, "--save", "ours"])
    assert re.search(r"kept as ours in .*team\.sqlite: .*, FOOTPRINT_STORE being that", capsys.readouterr().err)
    assert "ours" in run("list", "--kind", "plan", "--store", other).out
    assert "ours" not in run("list", "--kind", "plan").out
    with pytest.raises(SystemExit, match="1"):
        main.run(["estimate", *words[:-1], "postgresql://me:secret@host/db"])
    told = capsys.readouterr()
    assert "store: is for a plan that is kept; give --save NAME" in told.err
    assert "secret" not in told.out + told.err


def test_a_file_that_is_named_and_was_no_ledger_is_told(run: Any, home: Path, tmp_path: Path) -> None:
    named = str(tmp_path / "tema.sqlite")
    assert f"note: there was no ledger at {named}: a new one is begun" in run("list", "--store", named).err
    assert "there was no ledger" not in run("list", "--store", named).err
    assert "there was no ledger" not in run("list").err


# exporting


def test_exports_carry_every_run_once(run: Any, home: Path, tmp_path: Path) -> None:
    measured(home / "runs", "one")
    measured(home / "runs", "two", end="failed")
    one = json.loads(run("export", "one").out)
    assert records.from_plain(Run, one).id == "one"
    several = json.loads(run("export", "all").out)
    assert [records.from_plain(Run, plain).id for plain in several["runs"]] == ["one", "two"]
    assert len(json.loads(run("export", "one", "two", "one").out)["runs"]) == 2
    ran = run("export", "all", "--status", "failed", "--out", str(tmp_path / "runs.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text(encoding="utf-8"))))
    assert ([row["id"] for row in rows], ran.out) == (["two"], "")
    assert "note: 1 run written to" in ran.err


def test_codecarbons_users_get_its_file(run: Any, home: Path) -> None:
    measured(home / "runs", "one")
    (row,) = csv.DictReader(io.StringIO(run("export", "one", "--format", "codecarbon").out))
    assert (row["run_id"], len(row)) == ("one", 38)


def test_an_emissions_file_that_is_there_is_added_to(run: Any, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "emissions.csv"
    words = ("export", "all", "--format", "codecarbon", "--out", str(file))
    measured(home / "runs", "one")
    assert "1 run written to" in run(*words).err
    measured(home / "runs", "two", started_utc_s=BEGAN_S + HOUR_S)
    assert run(*words).err == f"note: 1 run added to {file}, 1 stood there already\n"
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert [row["run_id"] for row in rows] == ["one", "two"]
    file.write_text("a,b\n1,2\n")
    ran = run(*words)
    assert (ran.code, file.read_text()) == (1, "a,b\n1,2\n")
    assert "name a new file" in ran.err


def test_a_plan_is_no_run_to_export(run: Any, home: Path) -> None:
    with store.open_ledger() as ledger:
        ledger.save_plan(handmade.footprint(), "next")
    assert run("export", "next").code == 1
    assert json.loads(run("export", "all").out)["runs"] == []


# merging


def test_what_nodes_wrote_apart_becomes_one_run_and_merging_twice_adds_nothing(
    run: Any, home: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        measured(tmp_path / f"node{number}", "sft-4242", f"gpu0{number}", (2 * number, 2 * number + 1))
    places = [str(tmp_path / f"node{number}" / "sft-4242") for number in (1, 2)]
    ran = run("merge", *places)
    assert ran.code == 0
    assert "4 × h100-sxm5-80gb on gpu01, gpu02" in ran.out
    assert "note: 2 journals added to" in ran.err
    first = run("list", "-f", "csv").out
    again = run("merge", *places, str(home / "runs" / "sft-4242"))
    assert "note: nothing new in them" in again.err
    assert run("list", "-f", "csv").out == first
    assert accelerator_kwh(shown(run, "sft-4242")) == pytest.approx(4 * KWH, rel=1e-3)


def test_a_journal_that_has_grown_takes_the_place_of_its_copy(run: Any, home: Path, tmp_path: Path) -> None:
    file = measured(tmp_path, "one")
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[: TICKS // 2]))
    os.utime(file, (BEGAN_S, BEGAN_S))
    run("merge", str(file))
    assert shown(run, "one").status == "interrupted"
    file.write_bytes(whole)
    assert "1 journal added" in run("merge", str(file)).err
    assert shown(run, "one").status == "finished"
    file.write_bytes(whole[: len(whole) - 100])
    assert "nothing new" in run("merge", str(file)).err
    assert accelerator_kwh(shown(run, "one")) == pytest.approx(KWH, rel=1e-3)


def test_runs_that_lay_beside_each_other_become_one_and_count_once(run: Any, home: Path) -> None:
    first = measured(home / "runs", "node1", "gpu01", (0,))
    second = measured(home / "runs", "node2", "gpu02", (1,), started_utc_s=BEGAN_S + 1)
    assert len(run("list", "-f", "csv").out.splitlines()) == 3
    assert run("merge", str(first.parent), str(second.parent)).code == 0
    (row,) = csv.DictReader(io.StringIO(run("list", "-f", "csv").out))
    assert row["id"] == "node1"
    assert not second.parent.exists()
    assert accelerator_kwh(shown(run, "node1")) == pytest.approx(2 * KWH, rel=1e-3)


def test_a_file_that_is_no_journal_is_never_thrown_away_by_a_merge(run: Any, home: Path) -> None:
    first = measured(home / "runs", "node1", "gpu01", (0,))
    second = measured(home / "runs", "node2", "gpu02", (1,), started_utc_s=BEGAN_S + 1)
    torn = second.with_name("torn.jsonl")
    torn.write_text("{", encoding="utf-8")
    ran = run("merge", str(first.parent), str(second.parent))
    assert torn.exists()
    assert not second.exists()
    assert "stays: it holds torn.jsonl" in ran.err


def test_two_processes_of_one_name_are_both_kept(run: Any, home: Path, tmp_path: Path) -> None:
    one = measured(tmp_path / "a", "sft", "box", (0,), pid=1, boot="first")
    two = measured(tmp_path / "b", "sft", "box", (1,), pid=1, boot="second", started_utc_s=BEGAN_S + HOUR_S)
    assert one.name == two.name
    run("merge", str(one), str(two))
    assert sorted(p.name for p in (home / "runs" / "sft").iterdir()) == ["box-0-1-2.jsonl", "box-0-1.jsonl"]
    assert accelerator_kwh(shown(run, "sft")) == pytest.approx(2 * KWH, rel=1e-3)


def test_a_run_id_from_a_foreign_file_leads_nowhere(run: Any, home: Path, tmp_path: Path) -> None:
    file = measured(tmp_path, "one")
    text = file.read_text(encoding="utf-8").replace('"run": "one"', '"run": "../../../escaped"')
    file.write_text(text, encoding="utf-8")
    run("merge", str(file))
    assert [p.name for p in (home / "runs").iterdir()] == ["_.._.._escaped"]
    assert not list(tmp_path.glob("**/escaped"))


def test_a_folder_without_journals_is_told(run: Any, tmp_path: Path) -> None:
    ran = run("merge", str(tmp_path))
    assert ran.code == 1
    assert "holds no journal" in ran.err


# what was cut off


def test_a_run_that_was_cut_off_is_told_with_what_is_known(run: Any, home: Path) -> None:
    measured(home / "runs", "killed-20261103T080000Z-aaaaaa", end="")
    measured(home / "runs", "fine")
    ran = run("recover")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split()[:4] == ["aaaaaa", "killed", "2026-11-03T08:00Z", "2026-11-03T08:40Z"]
    assert "fine" not in ran.out
    assert "is finished: nothing to recover" in run("recover", "fine").err
    assert "interrupted" in run("list", "--status", "interrupted").out


def test_nothing_cut_off_is_told_too(run: Any, home: Path) -> None:
    assert run("recover").err == "note: no run was cut off\n"
    (home / "runs" / "bad").mkdir(parents=True)
    (home / "runs" / "bad" / "x.jsonl").write_text("{", encoding="utf-8")
    assert "beside the folders that cannot be read" in run("recover").err


# throwing away


@pytest.mark.parametrize("columns", [80, 100, 130, 140, 180])
def test_no_heading_is_cut_at_any_width(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for number, name in enumerate(("a-name-that-takes-many-letters", "another-of-that-length-and-more")):
        measured(home / "runs", f"run-{number}", gpus=range(64), end="", name=name, project="language", tags=("night",))
    for table in (run("list"), run("recover"), run("list", "--by", "name")):
        head = table.out[: table.out.index("a-name")].splitlines()
        assert "…" not in "".join(head[:2])
        assert all(len(line) <= columns for line in table.out.splitlines())
    assert ("64 ×" in run("list").out) == (columns >= 140)


def test_a_run_is_deleted_with_its_journals_when_asked_twice(
    run: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = measured(home / "runs", "one")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = run("delete", "one")
    assert (ran.code, file.exists()) == (1, True)
    assert "Delete one (one, " in ran.err
    assert run("delete", "one", "--yes").code == 0
    assert not (home / "runs" / "one").exists()
    assert run("list").out == ""
    assert run("delete", "one", "--yes").code == 1


def test_files_of_others_in_the_folder_stay(run: Any, home: Path) -> None:
    folder = measured(home / "runs", "one").parent
    (folder / "notes.txt").write_text("mine")
    ran = run("delete", "one", "--yes")
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]
    assert "stays: it holds notes.txt" in ran.err
    assert run("list").out == ""


def test_a_run_that_goes_on_is_not_deleted(run: Any, home: Path) -> None:
    file = measured(home / "runs", "one", end="")
    os.utime(file, (time.time(), time.time()))
    ran = run("delete", "one", "--yes")
    assert (ran.code, file.exists()) == (1, True)
    assert "is still running; stop it first" in ran.err


@pytest.mark.parametrize("home", ["postgresql"], indirect=True)
def test_journals_on_another_host_are_not_deleted_and_that_is_told(
    run: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = measured(home / "runs", "one").parent
    monkeypatch.setattr("platform.node", lambda: "gpu01")
    run("list")
    monkeypatch.setattr("platform.node", lambda: "gpu02")
    folder.rename(home / "elsewhere")
    ran = run("delete", "one", "--yes")
    assert f"gpu01:{folder} is not deleted: the run comes back when that is read" in ran.err
    assert (home / "elsewhere").is_dir()


def test_a_plan_is_deleted_by_its_name(run: Any, home: Path) -> None:
    with store.open_ledger() as ledger:
        ledger.save_plan(handmade.footprint(), "next")
        ledger.save(handmade.run(name=handmade.HOSTILE, id="evil"))
    assert "next" in run("delete", "next", "--yes").err
    told = run("delete", "evil", "--yes").err
    assert not [c for c in told if not c.isprintable() and c != "\n"]
    assert run("list").out == ""


# names that try to act


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",), ("list", "--by", "tag"), ("list", "-f", "json"), ("list", "-f", "csv"), ("list", "-f", "html"),
        ("list", "-f", "markdown"), ("show", "evil"), ("show", "evil", "-f", "json"), ("export", "all"),
        ("export", "all", "-f", "csv"), ("recover",), ("recover", "evil"),
        ("show", "no such \x1b[31mrun"), ("list", "--since", "\x1b[31m"),
    ],
)  # fmt: skip
def test_no_name_steers_the_terminal(
    run: Any, evil_home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FOOTPRINT_HOME", str(evil_home))
    ran = run(*arguments)
    assert not [c for c in ran.out + ran.err if not c.isprintable() and c != "\n"]
    if "html" in arguments or "markdown" in arguments:
        assert "<script" not in ran.out
