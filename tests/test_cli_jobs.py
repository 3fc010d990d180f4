"""`footprint jobs` and `footprint job` as users meet them: what they type, what they are told, what a page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsing
import pytest

from footprint.cli import main

ROOT = Path(__file__).resolve().parent.parent
SITE = ("--site", str(ROOT / "examples" / "site.yaml"))
SACCT = ("--sacct", str(ROOT / "examples" / "sacct.txt"))
OCTOBER = ("--since", "2026-10", "--until", "2026-10")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: str) -> tuple[str, str]:
        with pytest.raises(SystemExit) as left:
            main.run(arguments)
        printed = capsys.readouterr()
        assert not left.value.code, printed.err
        return printed.out, printed.err

    return call


# what is in no row


@pytest.mark.parametrize(("month", "told"), [("2026-10", ["4131"]), ("2026-09", []), ("2026-11", [])])
def test_jobs_without_accelerators_are_those_of_the_month_asked_for(run: Any, month: str, told: list[str]) -> None:
    _, err = run("jobs", "--since", month, "--until", month, *SITE, *SACCT)
    assert re.findall(r"in no row: 1 start: (\d+): without accelerators", err) == told


def test_a_month_without_jobs_is_told_and_no_error(run: Any) -> None:
    out, _ = run("jobs", "--since", "2026-09", "--until", "2026-09", *SITE, *SACCT)
    assert "no job with accelerators between 2026-09-01 and 2026-10-01" in out


# when


def test_a_job_that_ends_before_it_begins_is_refused_as_it_was_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--host", "gpu01", "--from", "2026-11-01T08:00", "--to", "2026-11-01T07:00", "--accelerator", "h100-sxm"]
    with pytest.raises(SystemExit, match="1"):
        main.run(["job", *words])
    assert "to = '2026-11-01T07:00': is not after 2026-11-01T08:00; give --from and" in capsys.readouterr().err


def test_an_id_that_the_accounting_does_not_hold_is_to_be_checked_before_what_was_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = (ROOT / "examples" / "sacct.txt").read_text("utf-8") + "sacct: error\n"
    (tmp_path / "sacct.txt").write_text(saved, "utf-8")
    with pytest.raises(SystemExit, match="1"):
        main.run(["job", "9999", "--sacct", str(tmp_path / "sacct.txt"), "--accelerator", "h100-sxm"])
    told = capsys.readouterr().err
    assert "has no start of job 9999; check the id; passed over: line 13: has 1 field where the header" in told


def test_a_job_that_waits_is_said_to_wait(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main.run(["job", "4140", *SACCT, "--accelerator", "h100-sxm"])
    told = capsys.readouterr().err
    assert told == "error: job = '4140': did not begin yet: PENDING, by SLURM's accounting; ask again when it runs\n"


# which accelerators


def test_what_is_typed_goes_before_the_sites_file_in_a_job_and_in_a_month_and_is_told(run: Any) -> None:
    typed = ("--accelerator", "a100-80gb")
    goes_before = r"--accelerator a100-sxm4-80gb goes before h100-sxm5-80gb, which the site's file or SLURM names, in"
    out, err = run("job", "4101", *SITE, *SACCT, *typed)
    assert "16 × a100-sxm4-80gb" in out
    assert re.search(rf"{goes_before} 1 start$", err, re.MULTILINE)
    month = json.loads(run("jobs", *OCTOBER, *SITE, *SACCT, *typed, "--format", "json")[0])
    assert any(re.fullmatch(rf"{goes_before} 6 starts", note) for note in month["notes"])
    untyped = json.loads(run("jobs", *OCTOBER, *SITE, *SACCT, "--format", "json")[0])
    energies = [one["total"]["whole"]["it_energy_kwh"]["mid"] for one in (month, untyped)]
    assert energies[0] < energies[1]  # an A100 has 400 W, an H100 700 W


def test_a_mistyped_choice_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.run(["jobs", "--by", "acount"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"Error: .*'--by'.*'acount'.* Did you mean 'account'\?\n", told)


def test_what_is_typed_and_named_alike_needs_no_word(run: Any) -> None:
    for words in (("job", "4101"), ("jobs", *OCTOBER)):
        assert "goes before h100" not in run(*words, *SITE, *SACCT, "--accelerator", "h100-sxm")[1]


# the page


@pytest.fixture(scope="module")
def browser() -> Iterator[browsing.Browser]:
    if told := browsing.why_not():
        pytest.skip(told)
    one = browsing.Browser()
    yield one
    one.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 800])
def test_the_page_of_months_shows_waste_and_evidence_without_scrolling(
    run: Any, tmp_path: Path, browser: browsing.Browser, width: int
) -> None:
    long = (ROOT / "examples" / "sacct.txt").read_text("utf-8").replace("|climate|", "|climate-modelling-at-eth|")
    (tmp_path / "sacct.txt").write_text(long, "utf-8")
    page = tmp_path / "page.html"
    words = ("--since", "2026-09", "--until", "2026-11", *SITE, "--sacct", str(tmp_path / "sacct.txt"))
    run("jobs", *words, "--by", "account", "--html", "--out", str(page))
    browser.size(width, 900)
    browser.open(page.as_uri())
    heads = browser.js("return [...document.querySelectorAll('#groups th')].map(one => one.textContent)")
    assert {"waste", "evidence"} <= set(heads)
    assert browser.js(
        "return [...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= one.clientWidth)"
    )
    assert browser.js("return document.documentElement.scrollWidth <= innerWidth")
