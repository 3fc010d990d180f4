"""What a live SLURM 22.05 with accounting wrote, in the words in which it is asked: nothing of it is lost or twice.

Four nodes (two of eight h100, one of four a100, one without), 48 jobs of all kinds within eight minutes; the fields are
parted by a unit separator in place of the delimiter that is made up for each question.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.fleet import epilog
from footprint.fleet.devices import Job
from footprint.fleet.months import jobs_table
from footprint.fleet.site_file import Partition, SiteFile
from footprint.fleet.slurm import Accounting, read_lines
from footprint.fleet.slurm_asked import FIELDS as ASKED_OF_MONTHS
from footprint.fleet.slurm_asked import accounting
from footprint.fleet.slurm_jobs import FIELDS as ASKED_OF_JOBS
from footprint.fleet.slurm_jobs import known_of
from footprint.fleet.slurm_rows import delimiter

RECORDED = Path(__file__).parent / "recorded" / "slurm-22.05"
UNIT = "\x1f"
BEGAN, ENDED = 1795665600.0, 1795666920.0  # 2026-11-26 04:00 to 04:22 UTC
SITE = SiteFile(
    words={"country": "FRA"},
    partitions=(Partition("all", "h100-sxm5-80gb", 8),),
)
SECONDS_BY_STATE = {
    "well, at work": 1061 + 279 + 16, "NODE_FAIL": 561, "CANCELLED": 305, "TIMEOUT": 258, "FAILED": 74, "PREEMPTED": 40,
    "REQUEUED": 33,
}  # fmt: skip
"""Devices allocated times seconds, added up by hand from sacct's own lines; of the job that was resized 2 x 8 + 22."""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH whose sacct answers as it did, and notes what it is asked."""
    program = tmp_path / "sacct"
    script = (
        "#!/bin/sh",
        f'printf "%s\\n" "$@" >> "{tmp_path}/asked"',
        f'[ "$1" = -e ] && exec cat "{RECORDED}/fields.txt"',
        "for word; do case $word in -a) said=months;; -j) said=jobs;; --delimiter=*) bar=${word#*=};; esac; done",
        f'exec sed "s/{UNIT}/$bar/g" "{RECORDED}/$said.txt"',
    )
    program.write_text("\n".join(script) + "\n", encoding="utf-8")
    program.chmod(0o755)
    for name in list(os.environ):
        if name.startswith(("SLURM", "FOOTPRINT_PROMETHEUS", "FOOTPRINT_SITE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def job(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.run(["job", *words, "--country", "FR"])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def read_months() -> Accounting:
    text = (RECORDED / "months.txt").read_text("utf-8").replace(UNIT, delimiter())
    return read_lines(text.splitlines(keepends=True), now_s=ENDED, between=(BEGAN, ENDED))


# a site's months


def test_the_fields_that_are_asked_for_are_those_that_this_version_has(path: Path) -> None:
    accounting(None, os.environ, BEGAN, ENDED, None)
    asked = (path / "asked").read_text("utf-8").splitlines()
    header = (RECORDED / "months.txt").read_text("utf-8").partition("\n")[0]
    assert asked[asked.index("-o") + 1].split(",") == header.split(UNIT)
    assert set(ASKED_OF_MONTHS) - set(header.split(UNIT)) == {"Exclusive"}
    assert ASKED_OF_JOBS.split(",") == (RECORDED / "jobs.txt").read_text("utf-8").partition("\n")[0].split(UNIT)


@pytest.mark.parametrize(
    ("by", "seconds"),
    [
        ("account", {"ml-team": 1993, "bio": 634}),
        ("user", {"alice": 1441, "bob": 907, "zoe": 279}),
        ("partition", {"gpu": 1937, "a100": 654, "all": 36}),
        ("project", {"proj1": 2276, "bio": 279, "llm-pretrain": 72}),
    ],
)
def test_each_second_of_each_device_is_in_one_row_and_one_state(by: str, seconds: dict[str, int]) -> None:
    found = jobs_table(read_months(), BEGAN, ENDED, by, SITE, open_catalog(), {})
    rows = {row.group: row.whole.accelerator_hours * 3600 for row in found.rows}
    assert rows == pytest.approx(seconds, rel=1e-9)
    total = found.total
    parts = {"well, at work": total.useful, **{part.name: part for part in total.ended_early}}
    states = {name: part.accelerator_hours * 3600 for name, part in parts.items()}
    assert states == pytest.approx(SECONDS_BY_STATE, rel=1e-9)
    assert (total.job_count, total.whole.start_count) == (39, 45)


def test_what_is_in_no_row_is_told_with_its_reason_and_lines_are_passed_over_for_none() -> None:
    found = jobs_table(read_months(), BEGAN, ENDED, "account", SITE, open_catalog(), {})
    assert dict(found.skipped) == {
        "3 starts: 5, 8+2, 40": "without accelerators",
        "1 job: 19": "took no time: COMPLETED",
        "3 jobs: 32, 34, 30": "did not begin yet: PENDING",
    }
    assert "1 start with accelerators of several types, counted as of one: 39" in found.notes


# a job alone


def test_a_job_needs_no_more_than_its_id_where_slurm_names_its_chips(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = job(capsys, "3")
    assert code == 0, err
    assert out.startswith("two nodes: 16 × h100-sxm5-80gb, 15 s; IT ")
    assert "SLURM 3: COMPLETED, 2026-11-26 04:15:17 to 2026-11-26 04:15:32 UTC, 16 accelerators allocated (h100)" in err


def test_tasks_of_an_array_and_parts_of_a_job_are_told_apart(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = job(capsys, "4", "--format", "json")
    assert code == 0, err
    tasks = json.loads(out)["runs"]
    assert sorted(one["name"] for one in tasks) == [f"4_{task} arr" for task in range(6)]
    assert [one["ended_utc_s"] - one["started_utc_s"] for one in tasks] == [6] * 6
    assert sorted(one["status"] for one in tasks) == ["failed", *["finished"] * 5]
    code, out, err = job(capsys, "8")
    assert code == 0, err
    assert [line.partition(",")[0] for line in out.splitlines() if " het: " in line] == [
        "8+0 het: 1 × h100-sxm5-80gb", "8+1 het: 1 × a100-sxm4-80gb"
    ]  # fmt: skip
    assert "not counted: SLURM 8+2: COMPLETED" in err
    assert err.count("note: SLURM 8+0") == 1


@pytest.mark.parametrize(
    ("id", "spans", "statuses"),
    [
        ("16", [(2, 9), (2, 26)], ["interrupted", "finished"]),
        ("17", [(2, 30)], ["finished"]),
        ("18", [(2, 8), (1, 22)], ["running", "finished"]),
    ],
)
def test_requeued_suspended_and_resized_jobs_hold_what_they_held(
    path: Path, id: str, spans: list[tuple[int, int]], statuses: list[str]
) -> None:
    found = known_of(Job(id), None, os.environ)
    held = [(one.accelerators_count, (one.job.ended_utc_s or 0) - (one.job.started_utc_s or 0)) for one in found.starts]
    assert (held, [one.job.status for one in found.starts]) == (spans, statuses)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("15", "never began: CANCELLED, by SLURM's accounting; there is nothing to count"),
        ("19", "took no time: COMPLETED, by SLURM's accounting; there is nothing to count"),
        ("32", "did not begin yet: PENDING, by SLURM's accounting; ask again when it runs"),
        ("99", "prometheus: is missing; sacct knows no start of it; name the server"),
        ("8.0", "sacct was not asked, for it is no id of a job, such as 4242, 4242_5 or 4242+1"),
        ("39", "prometheus: is missing; name the server"),
    ],
)
def test_what_cannot_be_counted_says_why(path: Path, capsys: pytest.CaptureFixture[str], id: str, told: str) -> None:
    code, out, err = job(capsys, id)
    assert (code, out) == (1, "")
    assert told in err


def test_names_with_bars_quotes_and_line_breaks_stay_names(path: Path) -> None:
    (barred,), (broken,) = (known_of(Job(id), None, os.environ).starts for id in ("11", "12"))
    assert barred.job.name == "a|b c `quoted` 'single' über Ärger ???"  # as this database kept them
    assert broken.job.name == "line1_line2_Tab"
    assert (barred.accelerators_count, broken.accelerators_count) == (1, 1)


def test_a_name_cannot_forge_a_line() -> None:
    lines = (RECORDED / "jobs.txt").read_text("utf-8").splitlines()
    forged = next(line for line in lines if line.startswith(f"3{UNIT}")).replace("bob", "eve")
    own = delimiter()
    text = "\n".join(
        line.replace(UNIT, own) + ("" if not line.startswith("line2") else f"\n{forged}\n{forged.replace(UNIT, '|')}")
        for line in lines
    )
    found = read_lines(text.splitlines(keepends=True))
    assert {one.job.user for one in found.starts} == {"alice", "bob"}
    assert found.skipped == ()


# an epilog

ON_CONTROLLER = {
    "SLURM_ARRAY_JOB_ID": "4", "SLURM_ARRAY_TASK_ID": "5", "SLURM_CLUSTER_NAME": "tanager", "SLURM_JOB_ACCOUNT": "bio",
    "SLURM_JOB_EXIT_CODE": "0", "SLURM_JOB_ID": "4", "SLURM_JOB_NAME": "arr", "SLURM_JOB_NODELIST": "node02",
    "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_USER": "bob", "SLURM_SCRIPT_CONTEXT": "epilog_slurmctld",
}  # fmt: skip
ON_NODE = {
    "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7", "SLURMD_NODENAME": "node01", "SLURM_CLUSTER_NAME": "tanager",
    "SLURM_JOB_ACCOUNT": "ml-team", "SLURM_JOB_GPUS": "0,1,2,3,4,5,6,7", "SLURM_JOB_ID": "3",
    "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_USER": "bob",
    "SLURM_NODELIST": "node[01-02]", "SLURM_SCRIPT_CONTEXT": "epilog_slurmd",
}  # fmt: skip
"""As this version handed them on: the list of nodes has another name than on the controller, and no time is in it."""


def test_the_task_of_an_array_whose_id_is_the_arrays_is_that_task_alone(path: Path) -> None:
    (start,) = epilog.known({**os.environ, **ON_CONTROLLER}).starts
    assert (start.id, start.job.name, start.accelerators_count, start.accelerator) == ("4_5", "arr", 1, "h100")


def test_of_two_nodes_the_first_writes_for_both(path: Path) -> None:
    assert not epilog.is_others(ON_NODE)
    assert epilog.is_others({**ON_NODE, "SLURMD_NODENAME": "node02"})
    found = epilog.known({**os.environ, **ON_NODE})
    assert [one.accelerators_count for one in found.starts] == [16]
    assert not found.has_places  # eight of them are on the other node


def test_places_are_those_of_their_host_and_of_as_many_devices_as_were_allocated(path: Path) -> None:
    given = {**os.environ, **ON_NODE, "SLURM_JOB_ID": "17", "SLURM_NODELIST": "node02", "SLURM_JOB_GPUS": "5,6"}
    (start,) = epilog.known(given).starts
    assert start.job.devices_by_host == {"node02": ("5", "6")}
    assert not epilog.known({**given, "SLURM_JOB_GPUS": "5"}).has_places
    assert not epilog.known({**given, "SLURM_NODELIST": "node01"}).has_places


def test_an_end_that_lies_ahead_is_the_limit_and_not_the_end(tmp_path: Path) -> None:
    now_s = time.time()
    newer = {"SLURM_JOB_START_TIME": str(int(now_s - 600)), "SLURM_JOB_END_TIME": str(int(now_s + 86400))}
    (start,) = epilog.known({**ON_CONTROLLER, **newer, "PATH": str(tmp_path)}).starts
    assert (start.job.ended_utc_s or 0) - (start.job.started_utc_s or 0) == pytest.approx(600, abs=60)


def test_a_start_that_accounting_does_not_know_yet_is_told_by_its_variables(path: Path) -> None:
    later = {"SLURM_JOB_START_TIME": "1795670000", "SLURM_JOB_END_TIME": "1795670060", "SLURM_JOB_GPUS": "0"}
    (start,) = epilog.known({**os.environ, **ON_CONTROLLER, **later}).starts
    assert (start.job.started_utc_s, start.accelerators_count, start.state) == (1795670000, 1, "")
