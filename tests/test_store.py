"""The ledger of runs: nothing twice, nothing lost, and clear words where it cannot be used."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import handmade_runs as handmade
import pytest
from sqlalchemy import create_engine, inspect

from footprint import store
from footprint.errors import InputError, JournalError, StoreError, UnknownName
from footprint.store import engines, place, schema, sqlite_engine
from footprint.store.entries import Filter
from footprint.store.ledger import Ledger
from footprint.values import Range, Run

DAY_S = 86400.0
NOBODY = 65534


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """An empty ledger of either kind."""
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("postgres").empty()
    with store.open_ledger(url) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """A ledger of either kind with several runs and a plan, for those who only look."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with store.open_ledger(server.url(server.new()) if server else "sqlite://") as opened:
        fill(opened)
        opened.save_plan(handmade.footprint(), "a plan")
        yield opened


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file."""
    with store.open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def several() -> list[Run]:
    """Five runs of two names in two projects, one of them failed, one interrupted, over two months."""
    return [
        handmade.run(id="aaaa0001-1", name="sft-7b", project="llm", tags=("sft",)),
        handmade.run(id="aaaa0002-1", name="sft-7b", project="llm", tags=("sft", "night"), status="failed"),
        handmade.run(id="bbbb0001-1", name="sft-13b", project="llm", tags=(), status="interrupted"),
        handmade.run(id="cccc0001-1", name="asr", project="speech", tags=("night",)),
        handmade.run(
            id="cccc0002-1",
            name="asr_2",
            project="speech",
            tags=("night",),
            started_utc_s=handmade.START_S + 40 * DAY_S,
            ended_utc_s=handmade.START_S + 41 * DAY_S,
            hourly_it_energy_kwh=(),
        ),
    ]


def fill(ledger: Ledger) -> list[Run]:
    runs = several()
    for run in runs:
        ledger.save(run)
    return runs


# saving and finding


def test_a_run_comes_back_as_it_went(ledger: Ledger) -> None:
    for run in (handmade.run(), handmade.eventful()):
        ledger.save(run)
        assert ledger.get(run.id) == run


def test_saving_twice_adds_nothing(ledger: Ledger) -> None:
    fill(ledger)
    once = ledger.list(), ledger.totals(), ledger.totals("tag"), ledger.totals("month")
    fill(ledger)
    assert (ledger.list(), ledger.totals(), ledger.totals("tag"), ledger.totals("month")) == once


def test_saving_again_replaces_what_was_known(ledger: Ledger) -> None:
    run = handmade.run(status="running", tags=("a", "b"))
    ledger.save(run)
    ledger.save(replace(run, status="finished", tags=("b", "c"), name="other"))
    (entry,) = ledger.list()
    assert (entry.status, entry.tags, entry.name) == ("finished", ("b", "c"), "other")
    assert [total.key for total in ledger.totals("tag")] == ["b", "c"]


def test_a_grade_of_evidence_is_listed_and_one_of_before_there_were_any_is_empty(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    engines.engine(url, schema.MIGRATIONS[:2]).dispose()
    with store.open_ledger(url) as ledger:
        ledger.save(handmade.run(evidence="B"))
        ledger.save_plan(handmade.footprint(), "next run")
        assert {entry.kind: entry.evidence for entry in ledger.list()} == {"run": "B", "plan": ""}
    with sqlite3.connect(tmp_path / "l.sqlite") as raw:
        raw.execute("UPDATE runs SET evidence = NULL")
    raw.close()
    with store.open_ledger(url) as ledger:
        assert {entry.evidence for entry in ledger.list()} == {""}


def test_a_shorter_reading_never_takes_the_place_of_a_longer_one(ledger: Ledger) -> None:
    run = handmade.run()
    ledger.save(run)
    ledger.save(replace(run, ended_utc_s=run.ended_utc_s - 1, tags=("late",), name="late"))
    assert ledger.get(run.id) == run
    assert [total.key for total in ledger.totals("tag")] == ["night", "sft"]
    longer = replace(run, ended_utc_s=run.ended_utc_s + 1)
    ledger.save(longer)
    assert ledger.get(run.id) == longer


def test_a_plan_is_kept_under_its_name_and_replaces_the_one_before(ledger: Ledger) -> None:
    first, second = handmade.footprint(it_kwh=20.0), handmade.footprint(it_kwh=24.0)
    assert ledger.save_plan(first, "next run") == ledger.save_plan(second, "next run")
    assert ledger.plan("next run") == second
    (entry,) = ledger.list()
    assert (entry.kind, entry.status, entry.it_energy_kwh.mid) == ("plan", "planned", 24.0)


@pytest.mark.parametrize(
    ("name", "told"), [(" ", "is empty"), ("a\nb", "cannot be printed"), ("x" * 201, "longer than 200")]
)
def test_a_plan_needs_a_name_that_can_be_shown(ledger: Ledger, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        ledger.save_plan(handmade.footprint(), name)


def test_a_run_is_found_by_id_by_name_and_by_either_end_of_its_id(ledger: Ledger) -> None:
    fill(ledger)
    assert ledger.find("bbbb0001-1").name == "sft-13b"
    assert ledger.find("sft-13b").id == "bbbb0001-1"
    assert ledger.find("cccc0002").name == "asr_2"
    ledger.save(handmade.run(id="other-run-4242.0"))
    assert ledger.find("4242.0").id == "other-run-4242.0"


def test_a_word_for_several_runs_is_told_with_their_ids_the_newest_first(ledger: Ledger) -> None:
    fill(ledger)
    with pytest.raises(InputError, match=r"'sft-7b': means 2 runs; give an id, newest first: aaaa0001-1, aaaa0002-1"):
        ledger.find("sft-7b")
    with pytest.raises(InputError, match="newest first: cccc0002-1, cccc0001-1"):
        ledger.find("cccc")


def test_a_measured_run_is_meant_before_a_plan_of_its_name(ledger: Ledger) -> None:
    ledger.save(handmade.run())
    ledger.save_plan(handmade.footprint(), "sft-7b")
    assert ledger.find("sft-7b").kind == "run"
    assert ledger.find("sft-7b", ("plan",)).kind == "plan"


def test_an_unknown_run_is_told_with_suggestions(ledger: Ledger) -> None:
    fill(ledger)
    with pytest.raises(UnknownName, match="did you mean sft-13b or sft-7b") as told:
        ledger.find("sft-13")
    assert told.value.suggestions[0] == "sft-13b"
    with pytest.raises(UnknownName, match="footprint runs list"):
        ledger.get("")


def test_names_that_sql_would_act_on_are_names(ledger: Ledger) -> None:
    names = ["'; DROP TABLE runs; --", "100%", "a_b", "a*b", "nul\x00byte", "lone \udc80 surrogate", handmade.HOSTILE]
    for number, name in enumerate(names):
        ledger.save(handmade.run(id=f"{number}-run", name=name, tags=(name,), project=name))
    assert len(ledger.list()) == len(names)
    for number, name in enumerate(names):
        (entry,) = ledger.list(Filter(tags=(name,), project=name))
        assert entry.id == f"{number}-run"
        found = ledger.get(f"{number}-run")
        assert found.name == name


def test_every_handle_is_the_end_of_one_id_and_finds_it(ledger: Ledger) -> None:
    ids = [
        "sft-20261103T080000Z-3f9c2a",
        "sft-20261104T080000Z-3f9c2a",
        "sft-4242.0",
        "eval-4243.0",
        "x-1",
        "y-1",
        "plain",
    ]
    for one in ids:
        ledger.save(handmade.run(id=one))
    handles = ledger.handles()
    assert [handles[one] for one in ids] == [
        "20261103T080000Z-3f9c2a", "20261104T080000Z-3f9c2a", "4242.0", "4243.0", "x-1", "y-1", "plain",
    ]  # fmt: skip
    assert all(ledger.find(handle).id == whole for whole, handle in handles.items())


# filtering


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Filter(), "cccc0002 aaaa0001 aaaa0002 bbbb0001 cccc0001"),
        (Filter(name="sft-7b"), "aaaa0001 aaaa0002"),
        (Filter(name="sft-*"), "aaaa0001 aaaa0002 bbbb0001"),
        (Filter(name="SFT-*"), ""),
        (Filter(name="*[7b]*"), ""),
        (Filter(name="asr?2"), "cccc0002"),
        (Filter(name="asr_2*"), "cccc0002"),
        (Filter(project="speech"), "cccc0002 cccc0001"),
        (Filter(tags=("sft",)), "aaaa0001 aaaa0002"),
        (Filter(tags=("sft", "night")), "aaaa0002"),
        (Filter(status="failed"), "aaaa0002"),
        (Filter(since=datetime(2026, 12, 1, tzinfo=UTC)), "cccc0002"),
        (Filter(until=datetime(2026, 12, 1, tzinfo=UTC)), "aaaa0001 aaaa0002 bbbb0001 cccc0001"),
        (Filter(project="speech", status="failed"), ""),
    ],
)
def test_filters_narrow_the_list_and_the_totals_alike(filled: Ledger, wanted: Filter, ids: str) -> None:
    listed = [entry for entry in filled.list(wanted) if entry.kind != "plan"]
    assert [entry.id.split("-")[0] for entry in listed] == ids.split()
    assert sum(total.run_count for total in filled.totals(None, wanted)) == len(listed)


# adding up


def test_totals_count_failed_and_interrupted_runs_and_no_plans(ledger: Ledger) -> None:
    runs = fill(ledger)
    ledger.save_plan(handmade.footprint(), "a plan")
    (total,) = ledger.totals()
    assert total.run_count == len(runs)
    assert total.it_energy_kwh.mid == pytest.approx(29.0 * len(runs), rel=1e-12)
    assert total.accelerator_hours == pytest.approx(36.0 * len(runs), rel=1e-12)
    by_status = {t.key: t.run_count for t in ledger.totals("status")}
    assert by_status == {"finished": 3, "failed": 1, "interrupted": 1}


def test_totals_by_name_and_project_add_up_to_the_whole(filled: Ledger) -> None:
    (whole,) = filled.totals()
    for by in ("name", "project", "month", "status"):
        parts = filled.totals(by)
        assert sum(t.facility_energy_kwh.mid for t in parts) == pytest.approx(whole.facility_energy_kwh.mid, rel=1e-12)
        assert sum(t.total_location_kgco2e.high for t in parts) == pytest.approx(
            whole.total_location_kgco2e.high, rel=1e-12
        )
    assert {t.key: t.run_count for t in filled.totals("tag")} == {"sft": 2, "night": 3, "": 1}


def test_months_by_project_are_those_of_each_project_alone(filled: Ledger) -> None:
    found = filled.months_by_project()
    assert list(found) == ["llm", "speech"]
    for project, months in found.items():
        assert months == filled.totals("month", Filter(project=project))
    assert filled.months_by_project(Filter(status="failed"))["llm"][0].run_count == 1


def test_a_run_over_two_months_is_in_both_with_its_share(ledger: Ledger) -> None:
    october = datetime(2026, 10, 31, 20, tzinfo=UTC).timestamp()
    hours = tuple((int(october) + 3600 * i, 2.0) for i in range(8))
    ledger.save(handmade.run(started_utc_s=october, ended_utc_s=october + 8 * 3600, hourly_it_energy_kwh=hours))
    first, second = ledger.totals("month")
    assert (first.key, second.key) == ("2026-10", "2026-11")
    assert first.it_energy_kwh.mid == pytest.approx(29.0 / 2, rel=1e-12)
    assert second.tokens == pytest.approx(1e9, rel=1e-12)
    assert first.run_count == second.run_count == 1


def test_what_another_run_counts_is_not_added_twice(ledger: Ledger) -> None:
    mine = handmade.run(meters=tuple(handmade.gpu(i) for i in range(8)))
    shared = handmade.run(
        id="twice",
        meters=(*(handmade.gpu(i) for i in range(6)), *(handmade.gpu(i, counted_in=mine.id) for i in (6, 7))),
    )
    ledger.save(mine)
    ledger.save(shared)
    (total,) = ledger.totals()
    assert ledger.find("twice").own_energy_share == pytest.approx(0.75, rel=1e-12)
    assert ledger.find("twice").it_energy_kwh.mid == 29.0
    assert total.it_energy_kwh.mid == pytest.approx(29.0 * 1.75, rel=1e-12)
    assert total.total_location_kgco2e.mid == pytest.approx(mine.footprint.total_location_kgco2e.mid * 1.75, rel=1e-12)
    assert total.accelerator_hours == pytest.approx(36.0 * 1.75, rel=1e-12)
    assert total.counted_elsewhere_it_energy_kwh == pytest.approx(29.0 / 4, rel=1e-12)


def test_a_run_wholly_counted_elsewhere_adds_nothing_even_before_it_has_energy(ledger: Ledger) -> None:
    still = handmade.gpu(0, counted_in="other", it_energy_kwh=Range.exactly(0.0), duration_s=0.0)
    ledger.save(handmade.run(meters=(still,)))
    (entry,) = ledger.list()
    assert (entry.own_energy_share, entry.own_hours_share) == (0.0, 0.0)


def test_an_unknown_bill_is_told_and_not_taken_for_nothing(ledger: Ledger) -> None:
    ledger.save(handmade.run())
    ledger.save(handmade.run(id="priceless", footprint=handmade.footprint(price=None)))
    (total,) = ledger.totals()
    bill = handmade.run().footprint.facility.electricity_usd
    assert (total.run_count, total.priced_count) == (2, 1)
    assert total.electricity_usd is not None
    assert bill is not None
    assert total.electricity_usd.mid == pytest.approx(bill.mid, rel=1e-12)
    assert ledger.find("priceless").electricity_usd is None


def test_totals_of_nothing_are_empty_and_an_unknown_grouping_is_told(ledger: Ledger) -> None:
    assert ledger.totals() == ledger.totals("month") == ()
    with pytest.raises(UnknownName, match="add up by name, project, tag, month, status"):
        ledger.totals("week")


# deleting


def test_a_deleted_run_leaves_nothing_behind(filed: Ledger, tmp_path: Path) -> None:
    fill(filed)
    filed.delete("aaaa0002-1")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        for table in ("run_tags", "run_months", "run_documents"):
            assert raw.execute(f"SELECT count(*) FROM {table} WHERE run_id = 'aaaa0002-1'").fetchone() == (0,)
    raw.close()
    assert len(filed.list()) == 4


# catching up with journals


def journal_folder(root: Path, run_id: str, text: str = "{}\n") -> Path:
    folder = root / run_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu01-0-1.jsonl").write_text(text)
    return folder


class Reader:
    """Stands for the reading of journals: a run for a folder, and which folders it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = "finished"

    def __call__(self, folder: Path) -> Run:
        self.asked.append(folder.name)
        text = (folder / "gpu01-0-1.jsonl").read_text()
        if text.startswith("broken"):
            raise JournalError(folder, "line 1:\nis torn", "mend it")
        if text.startswith("odd"):
            raise KeyError("meters")
        run = handmade.run(id=folder.name, status=self.status)
        return replace(run, started_utc_s=1e300, hourly_it_energy_kwh=()) if text.startswith("far") else run


def test_only_what_is_new_or_changed_is_read(ledger: Ledger, tmp_path: Path) -> None:
    root, read = tmp_path / "runs", Reader()
    for name in ("one", "two"):
        journal_folder(root, name)
    assert ledger.catch_up(root, read).read == ("one", "two")
    assert ledger.catch_up(root, read).read == ()
    journal_folder(root, "two", "{}\n{}\n")
    journal_folder(root, "three")
    assert ledger.catch_up(root, read).read == ("three", "two")
    assert read.asked == ["one", "two", "three", "two"]
    assert ledger.catch_up(root, read, stamp="other tables").read == ("one", "three", "two")
    assert ledger.folders_of("two") == (root / "two",)


def test_who_read_less_of_a_run_that_goes_on_does_not_take_the_place_of_who_read_more(
    ledger: Ledger, tmp_path: Path
) -> None:
    """One reads; before he writes, the run goes on, and another one reads it and writes."""
    root = tmp_path / "runs"
    journal_folder(root, "one", "{}\n")

    def lines(folder: Path) -> Run:
        count = len((folder / "gpu01-0-1.jsonl").read_text().splitlines())
        return handmade.run(id=folder.name, ended_utc_s=handmade.START_S + count, status="running")

    def slowly(folder: Path) -> Run:
        found = lines(folder)
        journal_folder(root, "one", "{}\n{}\n{}\n")
        assert ledger.catch_up(root, lines).read == ("one",)
        return found

    assert ledger.catch_up(root, slowly).notes == ()
    assert ledger.find("one").ended_utc_s == handmade.START_S + 3


def test_a_journal_that_was_cut_is_told_and_read_anew_when_asked(ledger: Ledger, tmp_path: Path) -> None:
    root, read = tmp_path / "runs", Reader()
    journal_folder(root, "one", "{}\n{}\n")
    ledger.catch_up(root, read)
    read.status = "failed"
    journal_folder(root, "one", "{}\n")
    for _ in range(2):
        (note,) = ledger.catch_up(root, read).notes
        assert note.startswith("one tells less than the ledger holds of its run")
    assert ledger.find("one").status == "finished"
    assert read.asked == ["one", "one"]
    assert ledger.catch_up(root, read, again=True).notes == ()
    assert ledger.find("one").status == "failed"
    assert ledger.catch_up(root, read).notes == ()


def test_a_run_that_was_alive_is_looked_at_again_though_its_files_did_not_change(
    ledger: Ledger, tmp_path: Path
) -> None:
    root, read = tmp_path / "runs", Reader()
    journal_folder(root, "one")
    read.status = "running"
    ledger.catch_up(root, read)
    read.status = "interrupted"
    assert ledger.catch_up(root, read).read == ("one",)
    assert ledger.find("one").status == "interrupted"
    assert ledger.catch_up(root, read).read == ()


def test_a_broken_folder_is_listed_each_time_and_hides_no_other(ledger: Ledger, tmp_path: Path) -> None:
    root, read = tmp_path / "runs", Reader()
    bad = journal_folder(root, "bad", "broken")
    odd = journal_folder(root, "odd", "odd")
    journal_folder(root, "good")
    for _ in range(2):
        assert ledger.catch_up(root, read).skipped == ((bad, f"{bad}: line 1: is torn; mend it"), (odd, "'meters'"))
    assert read.asked == ["bad", "good", "odd"]
    assert [entry.id for entry in ledger.list()] == ["good"]
    journal_folder(root, "bad", "mended")
    assert ledger.catch_up(root, read).skipped == ((odd, "'meters'"),)


def test_a_run_of_no_calendar_is_listed_as_broken(ledger: Ledger, tmp_path: Path) -> None:
    far = journal_folder(tmp_path, "far", "far")
    ((folder, told),) = ledger.catch_up(tmp_path, Reader()).skipped
    assert folder == far
    assert "out of range" in told or "too large" in told
    assert ledger.list() == ()


def test_what_was_read_stays_when_catching_up_is_cut_off(ledger: Ledger, tmp_path: Path) -> None:
    root, read = tmp_path / "runs", Reader()
    for name in ("one", "two"):
        journal_folder(root, name)

    def cut(folders: object) -> Iterator[Path]:
        yield root / "one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        ledger.catch_up(root, read, progress=cut)
    assert ledger.catch_up(root, read).read == ("two",)


def test_a_folder_that_is_not_there_has_no_runs(ledger: Ledger, tmp_path: Path) -> None:
    found = ledger.catch_up(tmp_path / "none", Reader())
    assert (found.read, found.skipped) == ((), ())


def test_a_deleted_run_comes_back_only_while_its_journals_are_there(ledger: Ledger, tmp_path: Path) -> None:
    root, read = tmp_path / "runs", Reader()
    folder = journal_folder(root, "one")
    ledger.catch_up(root, read)
    ledger.delete("one")
    assert ledger.catch_up(root, read).read == ("one",)
    ledger.delete("one")
    (folder / "gpu01-0-1.jsonl").unlink()
    assert ledger.catch_up(root, read).read == ()


# the database


@pytest.mark.parametrize(
    ("told", "environment", "url"),
    [
        (None, {"FOOTPRINT_HOME": "/h"}, "sqlite:////h/ledger.sqlite"),
        (None, {"XDG_DATA_HOME": "/x", "HOME": "/u"}, "sqlite:////x/footprint/ledger.sqlite"),
        (None, {"FOOTPRINT_STORE": "/s/team.sqlite", "FOOTPRINT_HOME": "/h"}, "sqlite:////s/team.sqlite"),
        (None, {"FOOTPRINT_STORE": "sqlite:////s/t.db"}, "sqlite:////s/t.db"),
        ("/p/l.sqlite", {"FOOTPRINT_STORE": "/s/team.sqlite"}, "sqlite:////p/l.sqlite"),
    ],
)
def test_the_ledger_lies_where_it_was_told_or_at_home(told: str | None, environment: dict[str, str], url: str) -> None:
    assert place.ledger_url(told, environment) == url


def test_tables_of_the_code_are_those_of_the_migrations(tmp_path: Path) -> None:
    store.open_ledger(tmp_path / "l.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'l.sqlite'}")
    found = inspect(engine)
    assert set(found.get_table_names()) == set(schema.METADATA.tables)
    for name, table in schema.METADATA.tables.items():
        columns = {c["name"]: c["nullable"] for c in found.get_columns(name) if not c["primary_key"]}
        assert columns == {c.name: c.nullable for c in table.columns if not c.primary_key}, name
        assert found.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key], name
    engine.dispose()


def test_an_older_ledger_is_brought_up_to_date_step_by_step(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    with store.open_ledger(url) as ledger:
        fill(ledger)
    longer = (*schema.MIGRATIONS, ("ALTER TABLE runs ADD COLUMN mood TEXT",), ("CREATE TABLE moods (id TEXT)",))
    made = engines.engine(url, longer)
    with made.connect() as connection:
        assert schema.version_of(connection) == len(longer)
        assert connection.exec_driver_sql("SELECT count(*) FROM runs WHERE mood IS NULL").scalar() == 5
        assert connection.exec_driver_sql("SELECT count(*) FROM moods").scalar() == 0
    made.dispose()


def test_a_migration_that_fails_half_way_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    with store.open_ledger(url) as ledger:
        fill(ledger)
    with pytest.raises(StoreError, match="cannot be used"):
        engines.engine(
            url, (*schema.MIGRATIONS, ("CREATE TABLE moods (id TEXT)", "ALTER TABLE none ADD COLUMN x TEXT"))
        )
    with store.open_ledger(url) as ledger:
        assert len(ledger.list()) == 5
    with sqlite3.connect(tmp_path / "l.sqlite") as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'moods'").fetchone() == (0,)
    raw.close()


def test_a_newer_ledger_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    engines.engine(url, (*schema.MIGRATIONS, ("CREATE TABLE moods (id TEXT)",))).dispose()
    with pytest.raises(
        StoreError,
        match=rf"schema {len(schema.MIGRATIONS) + 1}, written by a newer footprint .* pip install --upgrade footprint",
    ):
        store.open_ledger(url)


@pytest.mark.parametrize("content", [b"this is no database, and long enough to tell that it is none" * 20])
def test_a_file_that_is_no_ledger_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match=r"l.sqlite is no ledger; move it away: .* read again from the journals"):
        store.open_ledger(tmp_path / "l.sqlite")


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "mysql+pymysql://me:secret@host/db"])
def test_other_databases_are_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"ledger cannot lie in mysql; name a file, .* postgresql://USER@HOST") as told:
        store.open_ledger(url)
    assert "secret" not in str(told.value)


def test_a_url_that_is_none_is_told_without_repeating_it() -> None:
    with pytest.raises(StoreError, match="URL cannot be read") as told:
        store.open_ledger("sqlite:://secret")
    assert "secret" not in str(told.value)


def test_a_damaged_record_is_told_and_hides_no_other(filed: Ledger, tmp_path: Path) -> None:
    fill(filed)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute("UPDATE run_documents SET body = '{' WHERE run_id = 'aaaa0001-1'")
    raw.close()
    with pytest.raises(StoreError, match=r"record of aaaa0001-1 cannot be read .*footprint runs delete aaaa0001-1"):
        filed.get("aaaa0001-1")
    assert len(filed.list()) == 5
    assert filed.get("asr").id == "cccc0001-1"


def test_a_place_that_cannot_be_made_is_told_and_reading_goes_on_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"FOOTPRINT_HOME": str(tmp_path / "file" / "home")}
    with pytest.raises(StoreError, match="cannot be opened; set FOOTPRINT_HOME to a folder that can be written"):
        store.open_ledger(environment=environment)
    root, read = tmp_path / "runs", Reader()
    journal_folder(root, "one")
    ledger, reason = store.open_ledger_for_reading(environment=environment)
    with ledger:
        assert "cannot be opened" in reason
        assert ledger.catch_up(root, read).read == ("one",)
        assert [entry.id for entry in ledger.list()] == ["one"]


def test_a_read_only_home_is_listed_and_says_so() -> None:
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        with store.open_ledger(home / "ledger.sqlite") as ledger:
            fill(ledger)
        (home / "ledger.sqlite").chmod(0o444)
        home.chmod(0o555)
        is_root = os.geteuid() == 0  # who may write everywhere
        try:
            if is_root:
                os.seteuid(NOBODY)
            check_read_only_copy(home / "ledger.sqlite")
            with pytest.raises(StoreError, match="cannot be opened; set FOOTPRINT_HOME"):
                store.open_ledger(home / "other.sqlite")
        finally:
            if is_root:
                os.seteuid(0)
            home.chmod(0o755)


def test_a_ledger_opened_for_reading_alone_is_copied_and_says_so(tmp_path: Path) -> None:
    with store.open_ledger(tmp_path / "ledger.sqlite") as ledger:
        fill(ledger)
    check_read_only_copy(f"sqlite:///file:{tmp_path / 'ledger.sqlite'}?mode=ro&uri=true")


def check_read_only_copy(file: Path | str) -> None:
    ledger, reason = store.open_ledger_for_reading(file)
    with ledger:
        assert "cannot be written; set FOOTPRINT_HOME" in reason
        assert len(ledger.list()) == 5
        ledger.save(handmade.run(id="in memory alone"))
        assert len(ledger.list()) == 6


def test_a_ledger_that_another_process_holds_is_told_and_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engine, "BUSY_S", 0.05)
    file = tmp_path / "ledger.sqlite"
    with store.open_ledger(file) as ledger:
        fill(ledger)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with store.open_ledger(file) as ledger:
        assert len(ledger.list()) == 5
        with pytest.raises(StoreError, match="is locked by another process; try again when that has ended"):
            ledger.save(handmade.run())
    ledger, reason = store.open_ledger_for_reading(file)
    with ledger:
        assert "is locked by another process" in reason
        assert len(ledger.list()) == 5
    holder.execute("ROLLBACK")
    holder.close()


def test_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with store.open_ledger(file) as ledger:
                for i in range(5):
                    ledger.save(handmade.run(id=f"{number}-{i}"))
                    ledger.save(handmade.run(id="everybody's"))
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with store.open_ledger(file) as ledger:
        assert len(ledger.list()) == 31
        assert sum(t.run_count for t in ledger.totals()) == 31


def test_the_log_that_needs_shared_memory_is_not_used_on_a_file_system_of_several_hosts(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path}/a\\040b nfs4 rw 0 0\nshort\n")
    assert sqlite_engine.is_shared(tmp_path / "a b" / "c" / "ledger.sqlite", mounts)
    assert not sqlite_engine.is_shared(tmp_path / "ledger.sqlite", mounts)
    assert not sqlite_engine.is_shared(tmp_path / "ledger.sqlite", tmp_path / "none")


def test_no_file_stays_open_and_the_log_is_written_ahead(filed: Ledger, tmp_path: Path) -> None:
    fill(filed)
    held = (
        {os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")} if os.path.exists("/proc") else ()
    )
    assert not [path for path in held if str(tmp_path) in path]
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


def test_the_store_loads_its_database_only_when_opened() -> None:
    code = "import footprint, footprint.store, footprint.store.entries, sys; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_record_in_the_ledger_is_plain_json(filed: Ledger, tmp_path: Path) -> None:
    filed.save(handmade.run())
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        (body,) = raw.execute("SELECT body FROM run_documents").fetchone()
    raw.close()
    assert json.loads(body)["usage"]["it_energy_kwh"]["mid"] == 29.0
