"""The command line as users meet it: words, exit codes, what goes where."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from footprint import __version__
from footprint.cli import main
from footprint.cli.output import Format
from footprint.report.formats import FORMATS, TABLE_FORMATS

ROOT = Path(__file__).resolve().parent.parent
PLAN = ["--params", "7B", "--tokens", "2T", "--accelerator", "h100-sxm", "--count", "512", "--region", "aws/us-east-1"]

UNITS = "FLOP/s|USD/kWh|USD/h|g/kWh|L/kWh|kgCO2e|FLOP|kWh|USD|GB|W|h|L|s"
LISTED = ["accelerators", "zones", "regions", "models", "prices", "facilities", "runs", "nodes", "constants", "scores"]


class Ran:
    """An exit code with what was printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FOOTPRINT_DATA", raising=False)

    def call(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as left:
            main.run(arguments)
        printed = capsys.readouterr()
        return Ran(int(left.value.code or 0), printed.out, printed.err)

    return call


def shell(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}, timeout=60, check=False
    )


def test_formats_known_to_the_command_line_are_those_of_the_report() -> None:
    assert [f.value for f in Format] == list(FORMATS) == list(TABLE_FORMATS)


@pytest.mark.parametrize("command", ["estimate", "compare", "explain", "backtest", "catalog"])
def test_every_command_has_help_with_examples(run: Any, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"  footprint {command}" in ran.out.split("Examples:")[1]


def commands() -> list[tuple[str, ...]]:
    """Every command and each of its own."""
    found, left = [], [((), typer.main.get_command(main.app))]
    while left:
        name, command = left.pop()
        found.append(name)
        left += [((*name, sub), inner) for sub, inner in getattr(command, "commands", {}).items()]
    return sorted(found)


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_fits_80_columns_but_for_lines_to_be_copied(run: Any, command: tuple[str, ...]) -> None:
    ran = run(*command, "--help")
    assert ran.code == 0
    assert [line for line in ran.out.splitlines() if len(line) > 80 and not line.startswith("    footprint ")] == []


def test_version(run: Any) -> None:
    assert run("--version").out == f"footprint {__version__}\n"


def test_estimate_answers_on_one_screen(run: Any) -> None:
    ran = run("estimate", *PLAN)
    assert ran.code == 0
    assert len(ran.out.splitlines()) <= 45
    assert "512 × h100-sxm" in ran.out
    assert "aws/us-east-1" in ran.out
    assert "\x1b" not in ran.out


def test_notes_go_to_stderr_and_results_to_stdout(run: Any) -> None:
    ran = run("estimate", "--params", "7B", "--tokens", "2T", "--accelerator", "h100-sxm", "-f", "json")
    data = json.loads(ran.out)
    assert data["notes"]
    assert [f"note: {note}" for note in dict.fromkeys(data["notes"])] == ran.err.splitlines()


def test_doubling_tokens_doubles_hours_through_the_command_line(run: Any) -> None:
    once, twice = (
        json.loads(
            run(
                "estimate", "--params", "7B", "--tokens", n, "--accelerator", "h100-sxm", "--count", "64", "-f", "json"
            ).out
        )
        for n in ("1T", "2T")
    )
    ratio = twice["usage"]["accelerator_hours"]["mid"] / once["usage"]["accelerator_hours"]["mid"]
    assert ratio == pytest.approx(2, rel=1e-9)


def test_set_fixes_a_field(run: Any) -> None:
    data = json.loads(run("estimate", *PLAN, "--set", "pue=1.07", "--set", "mfu=0.35:0.45", "-f", "json").out)
    assert data["site"]["pue"] == {"low": 1.07, "mid": 1.07, "high": 1.07}
    assert data["usage"]["lines"][0]["mfu"] == pytest.approx({"low": 0.35, "mid": 0.4, "high": 0.45}, rel=1e-3)


def test_csv_and_json_carry_the_same_numbers(run: Any) -> None:
    data = json.loads(run("estimate", *PLAN, "-f", "json").out)
    rows = csv.DictReader(io.StringIO(run("estimate", *PLAN, "-f", "csv").out))
    mids = {(r["quantity"], r["convention"]): float(r["mid"]) for r in rows if r["mid"] and r["part"] == "total"}
    assert mids["accelerator_hours", ""] == data["usage"]["accelerator_hours"]["mid"]
    assert mids["facility_energy_kwh", "model-card"] == data["model_card"]["facility_energy_kwh"]["mid"]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.json", '{\n  "schema_version": 1'),
        ("x.csv", "name,part,quantity"),
        ("x.md", "## plan"),
        ("x.tex", "% needs"),
        ("x.html", "<!doctype html>"),
        ("x.txt", "plan\n512 ×"),
    ],
)
def test_the_file_name_chooses_the_format(run: Any, tmp_path: Path, name: str, start: str) -> None:
    ran = run("estimate", *PLAN, "--out", str(tmp_path / name))
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_files_that_cannot_be_written_are_told(run: Any, tmp_path: Path) -> None:
    ran = run("estimate", *PLAN, "--out", str(tmp_path / "none" / "x.json"))
    assert ran.code == 1
    assert "cannot be written (No such file or directory)" in ran.err
    assert run("estimate", *PLAN, "--out", str(tmp_path / "x.doc")).code == 1


def test_a_mistyped_model_is_an_error_with_suggestions_and_no_traceback(run: Any) -> None:
    ran = run("estimate", "llama-3.1-405")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert "llama-3.1-405b" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["jobs", "--by", "acount"], "'account'"),
        (["runs", "list", "--by", "moth"], "'month'"),
        (["estimate", "gpt-4", "-f", "jsn"], "'json'"),
        (["job", "1", "--node-power", "gpus"], "'with-gpus' or 'without-gpus'"),
    ],
)
def test_a_mistyped_choice_is_told_the_nearest_beside_all(run: Any, arguments: list[str], meant: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert re.search(rf"is not one of .*\. Did you mean {meant}\?$", ran.err.strip())


def test_a_choice_that_is_near_none_is_told_all(run: Any) -> None:
    told = run("jobs", "--by", "xyz").err.strip()
    assert told.endswith("is not one of 'user', 'account', 'project', 'partition', 'month'.")


@pytest.mark.parametrize("command", ["estimate", "explain"])
def test_nothing_asked_is_told_what_to_ask(run: Any, command: str) -> None:
    ran = run(command)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: plan: is missing; name a model (footprint catalog models) or a plan.yaml, or")


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "--parms", "7B"],
        ["estimat"],
        ["estimate", "--set", "pue"],
        ["estimate", "llama-3.1-8b", "--format", "xml"],
        ["compare"],
        ["estimate", "--year", "soon"],
    ],
)
def test_wrong_use_exits_with_2(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "words", [["--params", "-7B"], ["--set", "pue=0.9"], ["--country", "XYZ"], ["--params", "seven"]]
)
def test_impossible_values_exit_with_1(run: Any, words: list[str]) -> None:
    ran = run("estimate", *PLAN[2:8], *([] if "--params" in words else ["--params", "7B"]), *words)
    assert ran.code == 1
    assert re.match(r"error: [\w ]+ = ", ran.err)


def test_a_closed_model_is_marked(run: Any) -> None:
    assert "third-party estimate" in run("estimate", "gpt-4").out.splitlines()[0]


def test_a_family_shows_each_model_and_the_total(run: Any) -> None:
    ran = run("estimate", "llama-3.1")
    starts = [line.split()[0] for line in ran.out.splitlines() if line]
    assert [s for s in starts if s.startswith("llama-3.1-") or s == "total"] == [
        "llama-3.1-8b",
        "llama-3.1-70b",
        "llama-3.1-405b",
        "total",
    ]


def test_explain_prints_the_three_nearest_measured_configurations(run: Any) -> None:
    """Each with model, accelerator, count, length, measured MFU and source."""
    told = run("explain", *PLAN).out.partition("Measured configurations nearby")[2].strip().splitlines()
    shown = r" *MFU 0\.\d{3} over the 16-bit peak  .*\w, (?:[\d,]+ x )?[\w-]+ at length [\d,]+ \w+"
    assert all(re.fullmatch(shown, line) for line in told[0:6:2]), told[:6]
    assert all("@" in line or ":" in line for line in told[1:6:2]), told[:6]


def test_backtest_prints_both_layers(run: Any) -> None:
    told = run("backtest").out
    assert re.search(r"\nsteady throughput +rows +median error", told)
    assert re.search(r"\nall configurations +\d{3} ", told)
    assert re.search(r"\ncomparable runs +\d+ ", told)


def test_sensitivity_shows_what_moves_the_result(run: Any) -> None:
    ran = run("estimate", *PLAN, "--sensitivity")
    assert "█" in ran.out
    assert len(ran.out.splitlines()) <= 45


def test_compare_has_scores_for_readers_and_numbers_for_machines(run: Any) -> None:
    ran = run("compare", "llama-3.1-405b", "gpt-4")
    assert ran.out.count("third-party estimate") == 1
    assert "MMLU" in ran.out
    rows = json.loads(run("compare", "llama-3.1-405b", "gpt-4", "-f", "json").out)["rows"]
    assert [row["model"] for row in rows] == ["llama-3.1-405b", "gpt-4"]
    assert [row["is_third_party"] for row in rows] == [False, True]


def test_explain_recomputes_every_step_from_what_it_prints(run: Any) -> None:
    """The second line of each step, typed into a calculator, gives the third."""
    ran = run("explain", "llama-3.1-405b")
    steps = re.findall(r"^  (\w+) = .+\n +(= .+)\n += (\S+)", ran.out, re.MULTILINE)
    assert len(steps) > 20
    for field, equation, value in steps:
        typed = re.sub(
            r"(?<=\d) (?:FLOP/s|USD/h|USD/kWh|g/kWh|L/kWh|kgCO2e|FLOP|kWh|USD|GB|W|h|L|s)\b", "", equation[2:]
        )
        assert re.fullmatch(r"[-+*/().,\de ]+", typed), (field, typed)
        result = eval(typed.replace(",", ""), {"__builtins__": {}})
        assert result == pytest.approx(float(value.replace(",", "")), rel=1e-4, abs=0), field
    assert "Assumptions" in ran.out
    assert "From the model card's energy to the facility's" in ran.out
    assert "Measured configurations nearby" in ran.out


def test_backtest_prints_writes_and_draws(run: Any, tmp_path: Path) -> None:
    ran = run("backtest", "--chart", str(tmp_path / "b.json"), "--out", str(tmp_path / "b.csv"))
    assert ran.code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text(encoding="utf-8"))))
    figure = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert len(rows) > 20
    assert f"{len(rows)} published runs" in figure["layout"]["title"]["text"]
    assert run("backtest", "--chart", str(tmp_path / "b.doc")).code == 1


def test_backtest_shows_runs_groups_and_what_was_left_out(run: Any) -> None:
    out = run("backtest").out
    assert max(map(len, out.splitlines())) <= 80
    assert out.index("reported") < out.index("why it cannot be estimated") < out.index("median error")
    assert "stable-diffusion-v2" in out  # every tier A and B run is named, those that cannot be estimated too


def test_catalog_is_tabs_in_a_pipe_and_columns_when_asked(run: Any) -> None:
    piped = run("catalog", "accelerators", "hopper").out.splitlines()
    assert piped[0].startswith("id\tname\t")
    assert len({line.count("\t") for line in piped}) == 1
    shown = run("catalog", "accelerators", "hopper", "--format", "text").out
    assert "\t" not in shown
    assert "h100-sxm5-80gb" in shown
    rows = json.loads(run("catalog", "accelerators", "hopper", "-f", "json").out)["rows"]
    assert len(rows) == len(piped) - 1


@pytest.mark.parametrize("table", LISTED)
def test_catalog_lists_within_80_columns(run: Any, table: str) -> None:
    ran = run("catalog", table, "--format", "text")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80


def test_catalog_tells_what_it_has(run: Any) -> None:
    assert {"accelerators", "zones", "regions", "models", "prices"} <= set(run("catalog").out.split())
    assert "did you mean accelerators" in run("catalog", "acelerators").err
    none = run("catalog", "zones", "nowhere-at-all")
    assert (none.code, none.err) == (0, "note: no row of zones holds nowhere-at-all\n")


def test_own_data_reach_the_estimate(run: Any, tmp_path: Path) -> None:
    ran = run("estimate", *PLAN, "--data", str(tmp_path))
    assert ran.code == 1
    assert "holds no table" in ran.err


def test_the_module_is_the_command() -> None:
    ran = shell([sys.executable, "-m", "footprint", "--version"])
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"footprint {__version__}\n", "")


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m footprint catalog prices | head -1"
    ran = shell(["bash", "-c", command])
    assert ran.stdout.startswith("id\t")
    assert ran.stderr == ""


def test_no_colour_when_asked_not_to_and_in_ascii() -> None:
    command = [sys.executable, "-m", "footprint", "estimate", "llama-3.1-8b"]
    ran = shell(command, NO_COLOR="1", FORCE_COLOR="1", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_colour_unless_it_asks_for_none(no_color: str) -> None:
    pty = pytest.importorskip("pty")
    child, terminal = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "footprint", "catalog", "zones", "france"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    os.close(terminal)
    seen = b""
    with open(child, "rb", buffering=0) as stream:
        while True:
            try:
                chunk = stream.read(4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    process.communicate(timeout=60)
    assert b"France" in seen
    assert (b"\x1b[" in seen) == (not no_color)


def test_help_does_not_load_what_it_does_not_need() -> None:
    code = "import sys; import footprint.cli.main; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    heavy = ["numpy", "pandas", "plotly", "rich", "yaml", "footprint.catalog", "footprint.estimation"]
    assert shell([sys.executable, "-c", code, *heavy]).stdout == "[]\n"


def test_estimate_does_not_load_pandas_or_plotly() -> None:
    code = (
        "import sys; from footprint.cli.main import run\n"
        "try: run(['estimate', 'llama-3.1-8b'])\n"
        "except SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'pandas', 'plotly', 'scipy', 'jsonschema'}), file=sys.stderr)"
    )
    assert shell([sys.executable, "-c", code]).stderr.splitlines()[-1] == "[]"
