"""`footprint slurm-epilog`: a line of each job at its end, never a drained node, and the script that asks for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.cli import main
from footprint.errors import InputError
from footprint.fleet import epilog

STARTED, ENDED = 1793520000, 1793523600
JOB = {
    "SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "gpu01", "SLURM_JOB_GPUS": "0,1", "SLURM_JOB_USER": "ada",
    "SLURM_JOB_ACCOUNT": "ml", "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_START_TIME": str(STARTED),
    "SLURM_JOB_END_TIME": str(ENDED), "SLURM_CLUSTER_NAME": "c",
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("SLURM", "FOOTPRINT_PROMETHEUS", "FOOTPRINT_SITE")):
            monkeypatch.delenv(name)
    (tmp_path / "site.yaml").write_text("country: FRA\npartitions: {gpu: {accelerator: h100-sxm}}\n", encoding="utf-8")
    return tmp_path / "site.yaml"


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, job: dict[str, str], *words: str
) -> tuple[int, str, str]:
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main.run(["slurm-epilog", "--timeout", "60", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_a_job_is_a_line_of_json_at_the_end_of_a_file(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = site.parent / "footprint.jsonl"
    out.write_text('{"job":"76"}\n', encoding="utf-8")
    for _ in range(2):
        assert run(capsys, monkeypatch, JOB, "--site", str(site), "--out", str(out))[0] == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    told = json.loads(lines[1])
    assert [told[name] for name in ("job", "user", "account", "partition", "cluster", "evidence")] == [
        "77", "ada", "ml", "gpu", "c", "D"
    ]  # fmt: skip
    assert told["accelerator_hours"] == pytest.approx(2.0, rel=1e-9)
    energy = told["it_energy_kwh"]
    assert 0 < energy["low"] < energy["mid"] < energy["high"] < 3
    assert told["ended_utc"] == "2026-11-01T09:00:00Z"


def test_without_a_file_it_is_a_short_line(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, monkeypatch, JOB, "--site", str(site))
    assert code == 0
    assert out.startswith("77: 2 × h100-sxm5-80gb, 1 h 00 min; IT ")
    assert out.endswith("; evidence D\n")


def test_of_a_jobs_nodes_the_first_one_writes(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    several = {**JOB, "SLURM_JOB_NODELIST": "gpu[01-02]"}
    assert run(capsys, monkeypatch, {**several, "SLURMD_NODENAME": "gpu02"}, "--site", str(site))[:2] == (0, "")
    assert "16 × h100" in run(capsys, monkeypatch, {**several, "SLURMD_NODENAME": "gpu01"}, "--site", str(site))[1]


@pytest.mark.parametrize(
    ("changed", "words", "told"),
    [
        ({"SLURM_JOB_ID": "x; rm -rf /"}, (), "is no job's id"),
        ({"SLURM_JOB_PARTITION": "other"}, (), "has no devices with energy"),
        ({"SLURM_JOB_START_TIME": "", "PATH": "/nowhere"}, (), "began nobody knows when"),
        ({}, ("--out", "/nowhere/at/all.jsonl"), "the line cannot be written: No such file"),
        ({}, ("--prometheus", "http://127.0.0.1:1"), "127.0.0.1:1"),
        ({}, ("--comment", "comment"), "scontrol is not in PATH; sacctmgr is not in PATH; it takes one"),
    ],
)
def test_whatever_is_wrong_the_node_is_not_drained_unless_asked(
    changed: dict[str, str], words: tuple[str, ...], told: str, site: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(site.parent))
    code, _, err = run(capsys, monkeypatch, {**JOB, **changed}, "--site", str(site), *words)
    assert code == 0
    assert told in err
    assert run(capsys, monkeypatch, {}, "--site", str(site), "--strict", *words)[0] == 1


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(8)
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up(site: Path, silent: str) -> None:
    words = ["slurm-epilog", "--site", str(site), "--prometheus", silent, "--timeout", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "footprint", *words],
        env={**os.environ, **JOB}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no line of this job: not done within 0.2 s" in done.stderr


def test_the_line_goes_into_a_comment_by_scontrol(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = site.parent / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" > {site.parent}/asked\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{site.parent}:/usr/bin:/bin")
    assert run(capsys, monkeypatch, JOB, "--site", str(site), "--comment", "admin-comment")[0] == 0
    asked = (site.parent / "asked").read_text(encoding="utf-8")
    assert asked.startswith("update JobId=77 AdminComment=footprint: 77: 2 × h100-sxm5-80gb")


def test_of_a_job_that_has_ended_the_comment_goes_into_the_accounting(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (
        ("scontrol", "echo 'Job has already finished for job 77' >&2; exit 1"),
        ("sacctmgr", f'echo "$@" > {site.parent}/asked'),
        ("sacct", "exit 1"),
    ):
        (site.parent / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (site.parent / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{site.parent}:/usr/bin:/bin")
    code, _, err = run(capsys, monkeypatch, JOB, "--site", str(site), "--comment", "comment")
    assert (code, err) == (0, "")
    asked = (site.parent / "asked").read_text(encoding="utf-8")
    assert asked.startswith("-i modify job where jobid=77 set Comment=footprint: 77: 2 × h100-sxm5-80gb")
    (site.parent / "sacctmgr").write_text("#!/bin/sh\necho ' Nothing modified'; exit 1\n", encoding="utf-8")
    code, _, err = run(capsys, monkeypatch, {}, "--site", str(site), "--comment", "comment")
    assert code == 0
    assert "scontrol: Job has already finished for job 77; sacctmgr: Nothing modified; it takes one" in err


def test_by_hand_it_prints_what_to_put_where_without_a_password(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--prometheus", "http://me:secret@metrics:9090", "--site", str(site), "--out", "/var/log/my jobs.jsonl")
    code, out, _ = run(capsys, monkeypatch, {}, *words)
    assert code == 0
    assert "EpilogSlurmctld=/etc/slurm/footprint-epilog.sh" in out
    assert "'/var/log/my jobs.jsonl'" in out
    assert "http://metrics:9090" in out
    assert "secret" not in out
    script = site.parent / "epilog.sh"
    assert run(capsys, monkeypatch, {}, *words, "--write", str(script))[0] == 0
    assert script.read_text(encoding="utf-8") in out
    assert os.access(script, os.X_OK)
    script.write_text("#!/bin/sh\nmine\n", encoding="utf-8")
    code, _, err = run(capsys, monkeypatch, {}, *words, "--write", str(script))
    assert code == 1
    assert "is there and not ours" in err


def test_what_slurm_does_not_hand_on_is_in_the_script_but_for_secrets(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.parent)
    mine = {"FOOTPRINT_PROMETHEUS_URL": "http://metrics:9090", "FOOTPRINT_SITE": "site.yaml"}
    code, out, err = run(capsys, monkeypatch, {**mine, "FOOTPRINT_PROMETHEUS_TOKEN_FILE": "my token"})
    assert (code, err) == (0, "")
    assert f"FOOTPRINT_PROMETHEUS_TOKEN_FILE='{site.parent}/my token'; export FOOTPRINT_PROMETHEUS_TOKEN_FILE\n" in out
    assert f" --prometheus http://metrics:9090 --site {site} " in out
    monkeypatch.setenv("FOOTPRINT_PROMETHEUS_TOKEN", "hush")
    code, out, err = run(capsys, monkeypatch, {}, "--site", "gone.yaml")
    assert code == 0
    assert "hush" not in out + err
    assert "note: no credential is in the script" in err
    assert "note: as it is now, no line would be written: site = 'gone.yaml': cannot be read" in err


def test_the_script_ends_well_even_where_the_program_is_gone(tmp_path: Path) -> None:
    script = tmp_path / "epilog.sh"
    epilog.write_script(script, epilog.script("/nowhere/footprint", ["--out", "x"]))
    assert subprocess.run([str(script)], capture_output=True, check=False).returncode == 0


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(list(JOB)), st.text(max_size=12), min_size=1))
def test_any_environment_is_a_job_or_an_input_error(changed: dict[str, str]) -> None:
    environment = {**JOB, "PATH": "/nowhere", **changed}
    assert epilog.is_others(environment) in (True, False)
    try:
        found = epilog.known(environment)
    except InputError:
        return
    assert len(found.starts) == 1
