"""SLURM's accounting: what sacct writes becomes jobs, whatever stands in it; `footprint job` asks it for the times."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_fixture import Cluster, Server, busy_from, needs_prometheus, serving, started_at

from footprint.cli import main
from footprint.errors import InputError
from footprint.fleet import slurm_jobs
from footprint.fleet.devices import Job
from footprint.fleet.slurm import Accounting, Start, read
from footprint.fleet.slurm_jobs import known_of
from footprint.fleet.slurm_words import accelerators, job_id, seconds, time_of, tres
from footprint.units import S_PER_H

HEADER = "JobID|JobIDRaw|Cluster|User|Account|State|Start|End|ElapsedRaw|Suspended|NodeList|AllocTRES|JobName"
COLUMNS = HEADER.split("|")
TRES = "billing=8,cpu=64,gres/gpu:h100=8,gres/gpu=8,mem=500G,node=2"
EIGHT, NINE, TEN = 1793520000, 1793523600, 1793527200  # 2026-11-01, by the hour, UTC


def row(**cells: object) -> str:
    usual = {
        "JobID": 4242, "JobIDRaw": cells.get("JobID", 4242), "Cluster": "c", "User": "eve", "Account": "ml",
        "State": "COMPLETED", "Start": EIGHT, "End": NINE, "ElapsedRaw": 3600, "Suspended": "00:00:00",
        "NodeList": "gpu[01-02]", "AllocTRES": TRES, "JobName": "train",
    }  # fmt: skip
    return "|".join(str({**usual, **cells}[name]) for name in COLUMNS)


def parsed(*rows: str, header: str = HEADER) -> Accounting:
    return read("\n".join((header, *rows)) + "\n", zone=UTC)


def only(*rows: str, header: str = HEADER) -> Start:
    found = parsed(*rows, header=header)
    assert not found.skipped
    (start,) = found.starts
    return start


# reading


def test_a_job_has_its_times_hosts_and_accelerators() -> None:
    start = only(row())
    assert start.job == Job(
        "4242", "train", "eve", "ml", started_utc_s=EIGHT, ended_utc_s=NINE, hosts=("gpu01", "gpu02")
    )
    assert (start.accelerators_count, start.accelerator, start.cluster) == (8, "h100", "c")
    assert start.notes == ()


def test_columns_may_stand_in_any_order_and_most_may_be_missing() -> None:
    start = only("2026-11-01T09:00:00|4242|2026-11-01T08:00:00", header="End|jobid|START")
    assert start.job == Job("4242", started_utc_s=EIGHT, ended_utc_s=NINE)
    assert start.accelerators_count is None


def test_steps_are_folded_into_their_job_and_never_added() -> None:
    steps = [row(JobID=f"4242.{step}", JobName=step) for step in ("batch", "extern", "0", "1")]
    start = only(steps[0], row(), *steps[1:])
    assert start.accelerators_count == 8
    assert start.steps_count == 4
    assert start.job.ended_utc_s == NINE


def test_a_step_tells_the_hosts_that_its_job_does_not() -> None:
    assert only(row(NodeList="None assigned"), row(JobID="4242.extern")).job.hosts == ("gpu01", "gpu02")


def test_of_a_job_without_a_row_of_its_own_the_steps_tell_the_times() -> None:
    start = only(row(JobID="7.batch"), row(JobID="7.0", Start=NINE, End=TEN, NodeList="gpu03"))
    assert (start.job.id, start.job.started_utc_s, start.job.ended_utc_s) == ("7", EIGHT, TEN)
    assert start.job.hosts == ("gpu01", "gpu02", "gpu03")
    assert "its own row is not listed" in start.notes[-1]


def test_each_start_of_a_requeued_job_is_an_interval_of_the_same_id() -> None:
    found = parsed(row(State="NODE_FAIL"), row(JobID="4242.0"), row(Start=NINE, End=TEN, NodeList="gpu07"))
    assert [(one.job.id, one.job.started_utc_s, one.job.ended_utc_s) for one in found.of("4242")] == [
        ("4242", EIGHT, NINE), ("4242", NINE, TEN)
    ]  # fmt: skip
    assert [one.job.status for one in found.starts] == ["failed", "finished"]
    assert [one.steps_count for one in found.starts] == [1, 0]


def test_no_second_is_in_two_starts_of_a_job() -> None:
    found = parsed(row(End=TEN, ElapsedRaw=7200, State="REQUEUED"), row(Start=NINE, End=TEN))
    assert [one.job.ended_utc_s for one in found.starts] == [NINE, TEN]
    assert "its next start is before its end" in found.starts[0].notes[-1]


def test_a_line_that_recurs_counts_once() -> None:
    found = parsed(row(State="RUNNING", End="Unknown"), HEADER, row())
    (start,) = found.starts
    assert start.job.status == "finished"
    assert [str(one) for one in found.skipped] == ["line 2: 4242 began then on line 4 too"]


def test_tasks_of_an_array_are_jobs_and_those_that_wait_are_told() -> None:
    rows = (row(JobID="1234_5", JobIDRaw=1240), row(JobID="1234_6", JobIDRaw=1241), row(JobID="1234_[7-10%2]"))
    found = parsed(*rows)
    assert [one.job.id for one in found.of("1234")] == ["1240", "1241"]
    assert [one.id for one in found.of("1234_6")] == ["1234_6"]
    assert [one.id for one in found.of("1240")] == ["1234_5"]
    assert found.skipped == ()
    assert [(one.id, one.why) for one in found.idle_of("1234")] == [("1234_[7-10%2]", "never began: COMPLETED")]


def test_parts_of_a_heterogeneous_job_are_jobs_with_their_own_labels() -> None:
    found = parsed(row(JobID="1234+0", JobIDRaw=1234), row(JobID="1234+1", JobIDRaw=1235, NodeList="cpu1"))
    assert [one.job.id for one in found.of("1234")] == ["1234", "1235"]
    assert [one.job.hosts for one in found.of("1234+1")] == [("cpu1",)]


def test_suspended_time_is_part_of_the_interval_and_told() -> None:
    start = only(row(ElapsedRaw=3000, Suspended="00:10:00"))
    assert (start.suspended_s, start.job.ended_utc_s) == (600, NINE)
    assert start.notes == ("suspended for 600 s, in which what its devices drew is counted too",)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("COMPLETED", "finished"), ("CANCELLED by 123", "stopped"), ("CANCELLED+", "stopped"), ("TIMEOUT", "stopped"),
        ("OUT_OF_ME+", "finished"), ("NODE_FAIL", "failed"), ("PREEMPTED", "interrupted"), ("MELTED", "finished"),
        ("", "finished"),
    ],
)  # fmt: skip
def test_a_state_is_how_a_run_ended_and_an_unknown_one_is_told(state: str, status: str) -> None:
    start = only(row(State=state))
    assert start.job.status == status
    assert bool(start.notes) == (state in ("MELTED", "OUT_OF_ME+"))


def test_a_job_that_runs_ends_now_or_where_its_elapsed_time_does() -> None:
    text = f"{HEADER}\n{row(State='RUNNING', End='Unknown', ElapsedRaw=1800)}"
    (saved,), (asked,) = read(text).starts, read(text, now_s=TEN).starts
    assert (saved.job.ended_utc_s, asked.job.ended_utc_s) == (EIGHT + 1800, TEN)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Start": "INVALID"}, "4242 has no beginning: COMPLETED"),
        ({"Start": "4294967294"}, "4242 has no beginning: COMPLETED"),
        ({"Start": "Ystday 10:00"}, "4242 'Ystday 10:00' is no time"),
        ({"End": "Unknown", "ElapsedRaw": ""}, "4242 has no end"),
        ({"End": EIGHT - 1}, "4242 ends before it begins"),
        ({"JobID": "", "JobIDRaw": ""}, "has no job id"),
        ({"JobID": "total"}, "has no job id: 'total'"),
    ],
)
def test_what_is_skipped_is_listed_with_its_line_and_reason(cells: dict[str, object], reason: str) -> None:
    found = parsed("", row(**cells), row(JobID=1))
    assert [str(one) for one in found.skipped] == [f"line 3: {reason}"]
    assert [one.id for one in found.starts] == ["1"]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"State": "PENDING", "Start": "Unknown"}, "did not begin yet: PENDING"),
        ({"State": "CANCELLED by 123", "Start": "None"}, "never began: CANCELLED"),
        ({"End": EIGHT, "ElapsedRaw": 0}, "took no time: COMPLETED"),
    ],
)
def test_a_job_that_held_nothing_is_known_by_its_ids_and_its_steps_are_not_missed(
    cells: dict[str, object], why: str
) -> None:
    found = parsed(row(JobID="9_4", JobIDRaw=12, **cells), row(JobID="9_4.batch", **cells), row(JobID=1))
    assert ([one.id for one in found.starts], found.skipped) == (["1"], ())
    assert dict(found.idle_counts) == {why: 1}
    for subject in ("9", "9_4", "12"):
        assert [(one.id, one.why) for one in found.idle_of(subject)] == [("9_4", why)]


def test_lines_of_another_width_are_told_but_bars_in_a_name_belong_to_it() -> None:
    found = parsed(row(JobName="a|b"), "4243|4243", row(JobID=4) + "|")
    assert [one.job.name for one in found.starts] == ["a|b", "train"]
    assert [str(one) for one in found.skipped] == [
        "line 3: has 2 fields where the header has 13: of a name with line breaks?"
    ]


def test_without_a_header_nothing_is_read_and_the_fix_is_told() -> None:
    found = read(row())
    assert found.starts == ()
    assert "save with --parsable2, without --noheader" in str(found.skipped[0])


def test_hosts_that_cannot_be_read_leave_the_job_to_its_label() -> None:
    for hosts in ("gpu[01", "a[1][1][1][1][1][1]" + "[1]" * 3000, "x" * 30_000):
        start = only(row(NodeList=hosts))
        assert start.job.hosts == ()
        assert "found by" in start.notes[0]


def test_times_without_a_zone_are_local_and_that_is_told() -> None:
    text = f"{HEADER}\n{row(Start='2026-11-01T08:00:00', End='2026-11-01T09:00:00')}"
    east = read(text, zone=timezone(timedelta(hours=2)))
    assert east.starts[0].job.started_utc_s == EIGHT - 7200
    assert east.assumed == ("times bear no zone: taken as UTC+02:00",)
    assert "this machine's" in read(text).assumed[0]
    assert parsed(row()).assumed == ()


def test_a_change_of_clocks_shows_in_the_elapsed_time() -> None:
    assert "an hour is a change of clocks" in only(row(ElapsedRaw=7200)).notes[0]


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        ("2026-11-01T08:00:00Z", EIGHT), ("2026-11-01T09:00:00+01:00", EIGHT), ("2026-11-01T03:00:00-0500", EIGHT),
        (str(EIGHT), EIGHT), ("Unknown", None), ("", None), ("0", None), ("18446744073709551614", None),
    ],
)  # fmt: skip
def test_a_time_with_a_zone_is_a_moment(text: str, at_s: float | None) -> None:
    assert time_of(text, None) == (at_s, False)


@pytest.mark.parametrize(
    ("text", "span_s"),
    [("1-02:03:04", 93784), ("02:03:04", 7384), ("03:04", 184), ("03:04.5", 184.5), ("77", 77), ("INVALID", None)],
)
def test_spans_are_read_as_slurm_writes_them(text: str, span_s: float | None) -> None:
    assert seconds(text) == span_s


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gres/gpu=8", (8, "")), ("gres/gpu:h100=8", (8, "h100")), (TRES, (8, "h100")),
        ("gres/gpu:a100=2,gres/gpu:h100=4", (6, "a100+h100")), ("gres/gpu:a100:1g.5gb=2", (2, "a100:1g.5gb")),
        ("billing=4,cpu=4", (None, "")), ("gres/gpuutil=97,gres/gpumem=4G", (None, "")),
        ("gres/gpu=,=,gpu", (None, "")),
    ],
)  # fmt: skip
def test_accelerators_are_counted_once_typed_or_not(text: str, found: tuple[int | None, str]) -> None:
    assert accelerators(tres(text)) == found


def test_an_id_is_taken_apart() -> None:
    one = job_id("1234_5+1.batch")
    assert one is not None
    assert (one.base, one.task, one.part, one.step, one.whole) == ("1234", "5", "1", "batch", "1234_5+1")
    assert job_id("٣٤") is None


WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["4242", "4242.0", "1_[1-3%2]", "1+0", "Unknown", "None", "4294967294", "INVALID", "2026-11-01T08:00:00",
         "9999-12-31T23:59:59", "0001-01-01T00:00:00", "2026-02-30T00:00:00", "1793520000", "99999999999", "1-00:00:00",
         "gpu[01-16,20]", "gpu[", "gres/gpu=8", "gres/gpu:h100=8", "CANCELLED by 123", "RUNNING", "a\x1eb", "٣"]
    ),
)  # fmt: skip


@given(
    st.lists(st.sampled_from([*COLUMNS, "Elapsed", "", "x"]), min_size=1, max_size=14),
    st.lists(st.lists(WORDS, max_size=15), max_size=12),
)
def test_no_table_crashes_it_and_every_start_can_be_used(header: list[str], rows: list[list[str]]) -> None:
    fitted = ["|".join((cells * 15)[: len(header)]) for cells in rows]
    found = read("\n".join(["|".join(header), *fitted]), now_s=TEN)
    for one in found.starts:
        assert one.job.id
        assert one.job.started_utc_s is not None
        assert one.job.ended_utc_s is not None
        assert one.job.started_utc_s < one.job.ended_utc_s
    assert all(one.line > 0 and one.reason for one in found.skipped)


@given(st.text(max_size=300))
def test_no_text_crashes_it(text: str) -> None:
    assert read(text).starts == ()
    assert all(one.reason for one in read(f"{HEADER}\n{text}").skipped)


# asking


def sacct(folder: Path, script: str) -> dict[str, str]:
    """An environment whose PATH has a sacct that runs a script."""
    program = folder / "sacct"
    program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_sacct_is_asked_by_id_with_requeues_and_times_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(f"{HEADER}\n{row()}\n", encoding="utf-8")
    script = f'echo "$SLURM_TIME_FORMAT $@" > {tmp_path}/words\ncat {tmp_path}/said\n'
    known = known_of(Job("4242", project="llm"), None, sacct(tmp_path, script))
    assert [one.job.started_utc_s for one in known.starts] == [EIGHT]
    assert known.starts[0].job.project == "llm"
    told = (tmp_path / "words").read_text(encoding="utf-8").split()
    assert told[:5] == ["%s", "-j", "4242", "-D", "--parsable2"]
    assert "--noconvert" in told


@pytest.mark.parametrize(
    "asked",
    [Job("4242", started_utc_s=1.0), Job(pod="train-0"), Job("4242; id"), Job("-x"), Job("4242", namespace="ml")],
)
def test_sacct_is_not_asked_where_times_are_given_or_it_is_no_job_of_slurm(tmp_path: Path, asked: Job) -> None:
    known = known_of(asked, None, sacct(tmp_path, f"touch {tmp_path}/asked"))
    assert [one.job for one in known.starts] == [asked]
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'accounting storage is disabled' >&2; exit 1", "sacct failed with 1: accounting storage is disabled"),
        (f"echo '{HEADER}'", "sacct knows no start of it"),
        ("exec sleep 30", "sacct did not answer within 0 s"),
    ],
)
def test_where_sacct_knows_nothing_the_label_tells_and_that_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    monkeypatch.setattr(slurm_jobs, "TIMEOUT_S", 0.4 if "sleep" in script else 10.0)
    known = known_of(Job("4242"), None, sacct(tmp_path, script))
    assert [one.job for one in known.starts] == [Job("4242")]
    assert known.notes == (told,)


def test_without_sacct_all_is_as_before(tmp_path: Path) -> None:
    known = known_of(Job("4242"), None, {"PATH": str(tmp_path)})
    assert ([one.job for one in known.starts], known.notes) == ([Job("4242")], ())


def test_hosts_that_are_named_narrow_the_starts(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.write_text("\n".join((HEADER, row(), row(Start=NINE, End=TEN, NodeList="gpu07"))), encoding="utf-8")
    asked = Job("4242", hosts=("gpu02.site",), devices_by_host={"gpu02.site": ("3",)})
    known = known_of(asked, saved, {})
    assert [dict(one.job.devices_by_host) for one in known.starts] == [{"gpu02": ("3",)}]
    assert "on none of the hosts named" in known.notes[0]
    with pytest.raises(InputError, match="had no start of job 4242"):
        known_of(Job("4242", hosts=("elsewhere",)), saved, {})


def test_one_id_on_two_clusters_is_no_one_job(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.write_text("\n".join((HEADER, row(), row(Cluster="d"))), encoding="utf-8")
    with pytest.raises(InputError, match="several clusters: c, d"):
        known_of(Job("4242"), saved, {})


# the command


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.run(["job", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    rows = (row(State="NODE_FAIL"), row(Start=NINE, End=TEN), row(JobID=5, NodeList="gpu03", AllocTRES="gres/gpu=4"))
    (tmp_path / "saved").write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    return str(tmp_path / "saved")


def test_a_saved_output_gives_hours_of_the_allocated_accelerators(
    saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = command(capsys, "5", "--sacct", saved, "--accelerator", "h100-sxm", "--country", "FR")
    assert code == 0, err
    assert out.startswith("train: 4 × h100-sxm5-80gb, 1 h 00 min; IT ")
    assert "SLURM 5: COMPLETED, 2026-11-01 08:00:00 to 2026-11-01 09:00:00 UTC, 4 accelerators allocated" in err


def test_a_job_known_by_its_accounting_alone_names_no_metrics(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("5", "--sacct", saved, "--accelerator", "h100-sxm", "--country", "FR", "--format", "json")
    found = json.loads(command(capsys, *words)[1])
    assert found["tags"] == ["rating", "user-eve"]
    assert {one["meter"]["sensor"] for one in found["meters"]} == {"rating", "node-model"}


def test_a_requeued_job_is_a_line_for_each_start(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("4242", "--sacct", saved, "--accelerator", "h100-sxm", "--country", "FR")
    code, out, err = command(capsys, *words)
    assert code == 0, err
    assert [line.split(";")[0] for line in out.splitlines() if line.startswith("train")] == [
        "train: 8 × h100-sxm5-80gb, 1 h 00 min"
    ] * 2
    code, out, err = command(capsys, *words, "--format", "json")
    assert code == 0, err
    assert [one["status"] for one in json.loads(out)["runs"]] == ["failed", "finished"]
    code, out, err = command(capsys, *words, "--format", "html")
    assert code == 1
    assert "has 2 starts" in err
    assert err.endswith("write --format text, json or csv, which tell all\n")


def test_a_saved_output_without_the_job_says_so(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (("9", "--sacct", saved), "has no start of job 9"),
        (("5", "--sacct", saved + "x"), "cannot be read"),
        (("5", "--sacct", saved, "--from", "2026-11-01"), "give an id, and no --from or --to"),
    ):
        code, _, err = command(capsys, *words)
        assert code == 1
        assert told in err


def test_of_a_job_that_nobody_knows_both_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    monkeypatch.setenv("PATH", sacct(tmp_path, f"echo '{HEADER}'")["PATH"])
    code, _, err = command(capsys, "99", "--country", "FR")
    assert code == 1
    assert "prometheus: is missing; sacct knows no start of it; name the server" in err
    code, _, err = command(capsys, "99", "--country", "FR", "--accelerator", "h100-sxm")
    assert code == 1
    assert "has no beginning or end; sacct knows no start of it; give --from and --to" in err


def test_a_job_on_processors_alone_is_said_to_have_had_no_accelerators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    (tmp_path / "said").write_text(f"{HEADER}\n{row(AllocTRES='cpu=32,mem=64G,node=1')}\n", encoding="utf-8")
    (tmp_path / "site.yaml").write_text("partitions: {gpu: {accelerator: h100-sxm}}\n", encoding="utf-8")
    words = ("4242", "--sacct", str(tmp_path / "said"), "--site", str(tmp_path / "site.yaml"), "--country", "FR")
    code, _, err = command(capsys, *words)
    assert code == 1
    assert "job = '4242': had no accelerators, as SLURM accounts for them; name what it leaves out" in err


# with metrics


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Two devices on one host, drawing 600 W in the first hour, of which a label names one.

    On another host a requeued job, that minutes later had the other device.
    """
    made = Cluster()
    begin = started_at()
    for place in ("0", "1"):
        made.device(
            f"GPU-{place}", "gpu01", busy_from(begin, begin + S_PER_H), begin - 900, begin + S_PER_H + 900, place=place,
            phase_s=7.0, labels=lambda at_s, place=place: ({"hpc_job": "77"} if place == "0" else {},),
        )  # fmt: skip
    for place, since_s, until_s in (("0", 0, 600), ("1", 720, 1800)):
        made.device(
            f"GPU-2-{place}", "gpu02", busy_from(begin + since_s, begin + until_s), begin - 900, begin + S_PER_H,
            place=place,
            labels=lambda at_s, own=(begin + since_s, begin + until_s): (
                {"hpc_job": "90"} if own[0] <= at_s <= own[1] else {},
            ),
        )  # fmt: skip
    with serving(made) as server:
        yield server


def ran(jobid: int, count: int) -> str:
    begin = int(started_at())
    return row(JobID=jobid, Start=begin, End=begin + 3600, NodeList="gpu01", AllocTRES=f"gres/gpu={count}")


@needs_prometheus
def test_by_its_id_alone_a_job_is_measured_between_the_times_that_sacct_tells(
    running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "said").write_text(f"{HEADER}\n{ran(77, 1)}\n", encoding="utf-8")
    monkeypatch.setenv("PATH", sacct(tmp_path, f"cat {tmp_path}/said")["PATH"])
    code, out, err = command(capsys, "77", "--prometheus", running.url, "--country", "FR")
    assert code == 0, err
    assert out.startswith("train: 1 × h100-sxm5-80gb, 1 h 00 min; IT ")
    assert "evidence A" in out
    assert "1 accelerator allocated" in err


@needs_prometheus
def test_a_start_has_its_own_devices_where_minutes_later_the_next_one_had_others(
    running: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = int(started_at())
    rows = [
        row(JobID=90, Start=begin + since, End=begin + until, State=state, NodeList="gpu02", AllocTRES="gres/gpu=1")
        for since, until, state in ((0, 600, "NODE_FAIL"), (720, 1800, "COMPLETED"))
    ]
    (tmp_path / "said").write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    words = ("90", "--sacct", str(tmp_path / "said"), "--prometheus", running.url, "--country", "FR")
    code, out, err = command(capsys, *words, "--format", "json")
    assert code == 0, err
    devices = [
        [(one["meter"]["id"], one["it_energy_kwh"]["mid"]) for one in run["meters"] if one["meter"]["scope"] == "gpu"]
        for run in json.loads(out)["runs"]
    ]
    assert [[uuid for uuid, _ in own] for own in devices] == [["GPU-2-0"], ["GPU-2-1"]]
    assert [kwh for own in devices for _, kwh in own] == pytest.approx([0.1, 0.18], rel=0.002)


@needs_prometheus
def test_devices_of_others_on_the_same_host_are_refused_not_counted(
    running: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "said").write_text("\n".join((HEADER, ran(78, 1), ran(79, 2), ran(80, 4))), encoding="utf-8")
    words = ("--sacct", str(tmp_path / "said"), "--prometheus", running.url, "--country", "FR")
    code, _, err = command(capsys, "78", *words)
    assert code == 1
    assert "has 2 devices in the metrics of its hosts and 1 were allocated; give --host and --gpus" in err
    code, out, err = command(capsys, "78", *words, "--host", "gpu01", "--gpus", "1")
    assert code == 0, err
    assert out.startswith("train: 1 × ")
    assert command(capsys, "79", *words)[1].startswith("train: 2 × ")
    assert "2 of 4 accelerators that were allocated are counted" in command(capsys, "80", *words)[2]
