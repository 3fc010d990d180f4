"""`footprint import`: files into the ledger, once; told what is missing, and which command a file is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_imports import RECORDED, WANDB, WORLD, megatron

from footprint.cli import main
from footprint.store import open_ledger

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.setenv("FOOTPRINT_STORE", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("COLUMNS", "80")

    def running(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["import", *(str(word) for word in words)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return running


def test_a_run_is_told_with_its_evidence_and_added_once(cli: Cli) -> None:
    code, out, err = cli("wandb", WANDB, "--country", "FR")
    assert code == 0
    assert "first: 2 × " in out
    assert "evidence A: energy counters" in out
    assert out.endswith(f"{WANDB}: 1 added\n")
    assert "note: imported from run-vonp44wa.wandb, as wandb 0.31.0 recorded it" in err
    assert cli("wandb", WANDB)[1].endswith(": 0 added, 1 known already\n")
    with open_ledger() as ledger:
        (entry,) = ledger.list()
    assert (entry.kind, entry.tags, entry.project) == ("imported", ("wandb",), "tiny")


def test_a_file_in_the_folder_where_one_stands_is_told_with_that_folder(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(RECORDED)
    code, _, err = cli("trainer-state", "trainer_state.json", "--accelerator", "h100-sxm", "--count", 8)
    assert code == 0
    assert f"note: imported from {RECORDED.name}/trainer_state.json," in err


def test_a_file_of_another_kind_is_named_with_its_line(cli: Cli) -> None:
    path = RECORDED / "trainer_state.json"
    code, _, err = cli("codecarbon", path)
    assert code == 1
    assert err.startswith(f"error: {path}: line 1: has no column timestamp")
    assert err.endswith(f"footprint import trainer-state {path}\n")


def test_a_dry_run_adds_nothing_and_save_is_what_happens_anyway(cli: Cli) -> None:
    assert cli("wandb", WANDB, "--dry-run")[1].endswith(": 1 to add\n")
    assert cli("wandb", WANDB, "--save")[1].endswith(": 1 added\n")


def test_a_log_that_has_grown_takes_its_own_place(cli: Cli, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(WORLD + megatron(range(10, 110, 10)))
    assert cli("megatron", log, "--accelerator", "h100-sxm")[1].endswith(": 1 added\n")
    log.write_text(WORLD + megatron(range(10, 210, 10)))
    assert cli("megatron", log, "--accelerator", "h100-sxm")[1].endswith(": 0 added, 1 grown since\n")
    with open_ledger() as ledger:
        (entry,) = ledger.list()
    assert entry.accelerator_count == 16


def test_a_file_without_its_kind_is_looked_into(cli: Cli) -> None:
    assert cli(RECORDED / "mlruns", "--accelerator", "h100-sxm", "--dry-run")[1].endswith(": 1 to add\n")
    code, _, err = cli(RECORDED / "mlflow.sql")
    assert code == 1
    assert "is of no kind that can be told by what is in it; name its kind: footprint import KIND FILE" in err
    code, _, err = cli("nothing.here")
    assert code == 2
    assert "'nothing.here' is neither a file that is there nor a kind: wandb, mlflow" in err
    assert "Did you mean" not in err
    assert cli("wanbd", "x")[2].endswith(" Did you mean 'wandb'?\n")


def test_a_wrong_file_is_refused_before_any_is_added(cli: Cli) -> None:
    code, out, err = cli("wandb", WANDB, RECORDED / "trainer_state.json")
    assert (code, out) == (1, "")
    assert f"footprint import trainer-state {RECORDED / 'trainer_state.json'}" in err
    code, _, err = cli("codecarbon", WANDB)
    assert code == 1
    assert err.endswith(f"This is a run of Weights & Biases: footprint import wandb {WANDB}\n")
    with open_ledger() as ledger:
        assert ledger.list() == ()


def test_the_whole_run_is_told_in_every_format(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("wandb", WANDB, "--format", "json", "--dry-run")
    assert code == 0
    assert json.loads(out)["id"] == "wandb-1795643716-vonp44wa"
    assert cli("wandb", WANDB, "--out", tmp_path / "run.html", "--dry-run")[0] == 0
    assert "<html" in (tmp_path / "run.html").read_text("utf-8")
    code, _, err = cli("wandb", WANDB, WANDB, "--format", "json")
    assert code == 1
    assert "is for one run, and there are 2" in err


def test_hours_that_the_trainer_does_not_tell_are_the_estimators(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"global_step": 100, "total_flos": 1e21, "log_history": []}))
    code, out, err = cli("trainer-state", path, "--accelerator", "h100-sxm", "--count", 8)
    assert code == 0
    assert "evidence D: hours allocated times a share of the rating" in out
    assert "those of a plan with its total_flos" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--accelerator", "h1000"), "did you mean"),
        (("--gpus", "9"), "gpus = '9': are no devices of run-vonp44wa.wandb; it has 0, 1"),
        (("--country", "Atlantis"), "country"),
        (("--from", "someday"), "from = 'someday': is no moment"),
        (("--name", "a/b"), "name = 'a/b': must not hold slashes"),
    ],
)
def test_words_that_cannot_be_are_told(cli: Cli, words: tuple[str, ...], told: str) -> None:
    code, out, err = cli("wandb", WANDB, *words)
    assert (code, out) == (1, "")
    assert told in err


@pytest.mark.parametrize("kind", ["", "wandb", "mlflow", "trackio", "megatron", "trainer-state", "codecarbon"])
def test_help_fits_a_narrow_terminal_and_shows_examples(cli: Cli, kind: str) -> None:
    code, out, _ = cli(*([kind] if kind else []), "--help")
    assert code == 0
    assert "Examples:" in out
    assert max(len(line) for line in out.splitlines()) <= 80
