"""The README's examples run, its printed output is the real one. Run as a script to write the output anew."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from footprint.cli import main

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
APART = ("track", "watch", "app", "export")
"""Commands that take the terminal, signals or a port."""

OUTPUT = re.compile(r"(<!-- output: (?P<command>.+?) -->\n```text\n)(?P<text>.*?)(```)", re.DOTALL)


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[str]:
    """Every `footprint` line of the console blocks."""
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ footprint")]


def pictures() -> list[str]:
    """The `footprint chart` and `footprint report` lines, which write files."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(("footprint chart", "footprint report"))]


def run(command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a documented command as a user would, 80 columns wide; a process of its own only where it starts others."""
    words = shlex.split(command, comments=True)[1:]
    here = {"COLUMNS": "80", "NO_COLOR": "1"}
    if words[0] in APART:
        return subprocess.run(
            [sys.executable, "-m", "footprint", *words],
            capture_output=True, text=True, cwd=folder, env=os.environ | here, check=False, encoding="utf-8",
        )  # fmt: skip
    code, out, err = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name, value in here.items():
            patch.setenv(name, value)
        try:
            main.run(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("command", commands())
def test_readme_command_works_as_written(command: str) -> None:
    done = run(command)
    expected = 1 if command.endswith("# fails") else 0
    assert done.returncode == expected, done.stderr
    assert "Traceback" not in done.stderr
    assert (done.stderr if expected else done.stdout + done.stderr).strip()


@pytest.mark.parametrize("command", pictures())
def test_readme_picture_is_drawn_as_written(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / shlex.split(command)[-1]).stat().st_size > 10_000


@pytest.mark.parametrize("code", blocks("python"))
def test_readme_python_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})


def test_readme_shows_what_the_command_prints() -> None:
    found = OUTPUT.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found["text"] == run(found["command"]).stdout.rstrip("\n") + "\n"


def test_the_two_setup_commands_are_in_the_makefile_and_ci_calls_the_second() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^run:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)
    assert "make test" in README.read_text(encoding="utf-8")
    assert "\nmake test\n" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_runs(script: Path) -> None:
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_readme_and_explain_tell_the_two_pairs_apart() -> None:
    text = README.read_text(encoding="utf-8")
    explained = run("footprint explain llama-3.1-405b").stdout
    flat = " ".join(explained.split())
    for figure in ("30.84M", "8,930", "39.3M", "11,390", "27.5 %"):
        assert figure in text
        assert figure in flat


def test_methodology_holds_every_equation() -> None:
    from footprint.derivation import description
    from footprint.formulas import compute, cost, energy, impact, memory, node

    text = (ROOT / "METHODOLOGY.md").read_text(encoding="utf-8")
    formulas = [
        function
        for module in (compute, cost, energy, impact, memory, node)
        for function in vars(module).values()
        if getattr(function, "__module__", "") == module.__name__
    ]
    missing = [equation for equation, _ in map(description, formulas) if f"\n{equation}\n" not in text]
    assert len(formulas) > 30
    assert missing == []


def test_methodology_holds_the_backtest_as_printed() -> None:
    printed = run("footprint backtest").stdout
    groups = printed[printed.index("\ngroup ") + 1 :].rstrip()
    assert groups in (ROOT / "METHODOLOGY.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    content = README.read_text(encoding="utf-8")
    README.write_text(
        OUTPUT.sub(lambda m: m[1] + run(m["command"]).stdout.rstrip("\n") + "\n" + m[4], content), encoding="utf-8"
    )
