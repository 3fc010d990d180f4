"""Journals written by hand become the run that they tell: energy, hours, windows, progress, status, carbon."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import handmade_runs
import pytest

from footprint import records
from footprint.accounting.metered import SERVER
from footprint.errors import InputError, JournalError, UnknownName
from footprint.formulas import node
from footprint.measurement.tracker.boot import boot_id
from footprint.measurement.tracker.reading import list_runs, read_run
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import Meter, Range, Run

UTC_S = datetime(2026, 6, 15, 10, 0, tzinfo=UTC).timestamp()
MONOTONIC_S = 5000.0
"""The same moment on each host's own clock."""
H100_PEAK_FLOP_PER_S = 989.4e12
LONG_AGO_S = 3600.0

GPU = Meter(
    "GPU-0", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured", has_counter=True, period_s=0.0,
    max_w=700.0, memory_gb=80.0,
)  # fmt: skip
CPU = Meter("cpu", "cpu", "Xeon", "cpu-load", "package", "modelled", max_w=350.0)
PLUG = Meter("plug", "node", "PDU", "pdu", "node", "measured", has_counter=True, period_s=0.0, max_w=5000.0)

Line = dict[str, Any]


def gpu(number: int, **changes: Any) -> Meter:
    return replace(GPU, **{"id": f"GPU-{number}"} | changes)


def drawing(
    seconds: float, watts: Sequence[float], *, from_s: float = 0.0, step_s: float = 1.0, **last: Any
) -> list[Line]:
    """Readings of counters that draw steadily, each meter so many watts; the words of the last line with it."""
    lines: list[Line] = []
    for number in range(round(seconds / step_s) + 1):
        at_s = number * step_s
        samples = [[i, 0, 1e6 + power_w * at_s, power_w, 0.9] for i, power_w in enumerate(watts)]
        lines.append({"t": MONOTONIC_S + from_s + at_s, "s": samples})
    lines[-1] |= last
    return lines


def written(
    folder: Path,
    lines: Iterable[Line],
    meters: Sequence[Meter] = (GPU,),
    *,
    words: Mapping[str, Any] | None = None,
    from_s: float = 0.0,
    age_s: float = LONG_AGO_S,
    host: str = "node1",
    **changes: Any,
) -> Path:
    """A journal as text."""
    header = {
        "journal": 1, "run": "run-1", "name": "sft", "project": "llm", "tags": ["night"], "host": host,
        "boot": f"start of {host}", "pid": 100, "restart_count": 0, "rank": 0, "started_utc_s": UTC_S + from_s,
        "started_s": MONOTONIC_S + from_s, "interval_s": 1.0, "meters": [records.to_plain(meter) for meter in meters],
        "words": {"country": "FR", **(words or {})}, "planned": None, "version": "0.1.0",
    } | changes  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{host}-{header['restart_count']}-{header['pid']}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)), encoding="utf-8")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def it_kwh(run: Run, *components: str) -> float:
    """Of the metered components."""
    wanted = components or ("accelerator",)
    return sum(m.it_energy_kwh.mid for m in run.meters if m.meter.component in wanted)


def kwh(watts: float, seconds: float) -> float:
    return watts * seconds / J_PER_KWH


# what adds up


def test_one_journal_of_one_device_is_watts_times_seconds(tmp_path: Path) -> None:
    run = read_run(written(tmp_path / "run-1", drawing(60, [300.0], end="finished")))
    assert it_kwh(run) == pytest.approx(kwh(300, 60), rel=1e-9)
    assert (run.id, run.name, run.project, run.tags, run.hosts) == ("run-1", "sft", "llm", ("night",), ("node1",))
    assert (run.started_utc_s, run.ended_utc_s, run.status) == (UTC_S, UTC_S + 60, "finished")
    (line,) = run.usage.lines
    assert (line.accelerator, line.accelerator_count) == ("h100-sxm5-80gb", 1)
    assert line.accelerator_hours.mid == pytest.approx(60 / S_PER_H, rel=1e-12)
    assert line.nameplate_energy_kwh.mid == pytest.approx(0.7 * 60 / S_PER_H, rel=1e-12)
    assert run.version == run.footprint.version


def two_nodes(folder: Path) -> Path:
    """Two nodes, two starts of 100 s with a pause of 50 s between them, two ranks a node with a device each."""
    for start, (from_s, end) in enumerate(((0.0, "failed"), (150.0, "finished"))):
        for host in (1, 2):
            for rank in (0, 1):
                written(
                    folder, drawing(100, [100.0 * (2 * host + rank)], from_s=from_s, end=end),
                    [gpu(rank)], host=f"node{host}", pid=100 * start + 10 * host + rank, rank=2 * (host - 1) + rank,
                    restart_count=start, from_s=from_s, boot=f"boot-{host}",
                )  # fmt: skip
    return folder


def test_nodes_starts_and_ranks_add_up_to_one_run(tmp_path: Path) -> None:
    run = read_run(two_nodes(tmp_path / "run-1"))
    watts = {("node1", "GPU-0"): 200, ("node1", "GPU-1"): 300, ("node2", "GPU-0"): 400, ("node2", "GPU-1"): 500}
    found = {(m.host, m.meter.id): m for m in run.meters if m.meter.component == "accelerator"}
    assert found.keys() == watts.keys()
    for key, power_w in watts.items():
        assert found[key].it_energy_kwh.mid == pytest.approx(kwh(power_w, 200), rel=1e-9)
        assert found[key].duration_s == 200.0
        assert found[key].mean_w == pytest.approx(power_w, rel=1e-9)
        assert found[key].coverage_share == 1.0
    assert run.hosts == ("node1", "node2")
    assert run.usage.accelerator_hours.mid == pytest.approx(4 * 200 / S_PER_H, rel=1e-12)
    assert run.usage.lines[0].accelerator_count == 4
    assert len(run.segments) == 4
    assert sum(s.it_energy_kwh.mid for s in run.segments) == pytest.approx(kwh(1400, 200), rel=1e-9)
    assert len(run.journals) == 8


def test_pauses_between_starts_are_no_time_of_the_run(tmp_path: Path) -> None:
    run = read_run(two_nodes(tmp_path / "run-1"))
    assert run.usage.wall_clock_h is not None
    assert run.usage.wall_clock_h.mid == pytest.approx(200 / S_PER_H, rel=1e-12)
    assert run.ended_utc_s - run.started_utc_s == 250.0


def test_the_order_in_which_journals_are_given_changes_nothing(tmp_path: Path) -> None:
    paths = sorted(two_nodes(tmp_path / "run-1").iterdir())
    forward, backward = read_run(paths), read_run(paths[::-1])
    assert replace(backward, journals=()) == replace(forward, journals=())


def test_files_that_are_given_twice_or_copied_add_nothing(tmp_path: Path) -> None:
    folder = two_nodes(tmp_path / "run-1")
    once = read_run(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    for number, file in enumerate(sorted(copy.iterdir())):
        shutil.copy2(file, copy / f"renamed-{number}.jsonl")
    twice = read_run([folder, folder, copy, *sorted(folder.iterdir())])
    assert replace(twice, journals=()) == replace(once, journals=())
    assert len(twice.journals) == 8


def test_of_two_copies_the_longer_counts(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", drawing(60, [300.0], end="finished"))
    (tmp_path / "cut").mkdir()
    cut = tmp_path / "cut" / whole.name
    cut.write_bytes(whole.read_bytes()[:3000])
    for order in ([cut, whole], [whole, cut]):
        assert it_kwh(read_run(order)) == pytest.approx(kwh(300, 60), rel=1e-9)


def test_a_restart_after_a_reboot_is_a_start_of_its_own_though_its_clock_began_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    written(folder, drawing(100, [300.0]))
    again = drawing(50, [300.0], from_s=-4990.0, end="finished")
    written(folder, again, pid=7, boot="boot-2", started_s=10.0, started_utc_s=UTC_S + 1000)
    run = read_run(folder)
    assert [(s.started_utc_s - UTC_S, s.ended_utc_s - UTC_S) for s in run.segments] == [(0, 100), (1000, 1050)]
    assert it_kwh(run) == pytest.approx(kwh(300, 150), rel=1e-9)


def test_a_process_that_follows_one_which_ended_is_a_further_start_however_soon(tmp_path: Path) -> None:
    """A loop that tries again at once."""
    folder = tmp_path / "run-1"
    written(folder, drawing(10, [300.0], end="failed", p={"steps_count": 10}), pid=1)
    written(folder, drawing(10, [300.0], from_s=10.5, end="finished", p={"steps_count": 12}), pid=2, from_s=10.5)
    run = read_run(folder)
    assert [s.status for s in run.segments] == ["failed", "finished"]
    assert run.status == "finished"
    assert run.progress.steps_count == 22


def test_runs_that_are_read_together_are_joined_and_it_is_told(tmp_path: Path) -> None:
    """Nodes that wrote apart, each under an id of its own; the device that both saw is counted once."""
    written(tmp_path / "a", drawing(60, [300.0], end="finished"), run="run-a")
    seen = replace(GPU, counted_in="run-a")
    written(tmp_path / "b", drawing(60, [300.0, 100.0], end="finished"), [seen, gpu(1)], run="run-b", pid=2)
    written(tmp_path / "c", drawing(60, [200.0], end="finished"), [gpu(2)], run="run-c", host="node2", boot="boot-2")
    run = read_run([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert it_kwh(run) == pytest.approx(kwh(600, 60), rel=1e-9)
    assert "joined from the runs run-a, run-b, run-c" in run.notes
    assert not any("is counted in run" in note for note in run.notes)
    assert run.usage.lines[0].accelerator_count == 3


def test_a_run_inside_another_ones_time_takes_nothing_of_the_device_away_where_both_are_joined(tmp_path: Path) -> None:
    outer, inner = drawing(100, [300.0], end="finished"), drawing(20, [300.0], from_s=40.0, end="finished")
    outer[0]["from"], inner[0]["from"] = MONOTONIC_S + 0.001, MONOTONIC_S + 40.001
    written(tmp_path / "a", outer, run="run-a")
    written(tmp_path / "b", inner, [replace(GPU, counted_in="run-a")], run="run-b", pid=2, from_s=40.0)
    run = read_run([tmp_path / "a", tmp_path / "b"])
    assert it_kwh(run) == pytest.approx(kwh(300, 100), rel=1e-4)


def test_a_run_is_what_was_drawn_from_the_moment_its_training_began(tmp_path: Path) -> None:
    lines = drawing(10, [300.0], end="finished")
    lines[1]["from"] = MONOTONIC_S + 0.5
    assert it_kwh(read_run(written(tmp_path / "run", lines))) == pytest.approx(kwh(300, 9.5), rel=1e-9)


def test_containers_of_different_names_that_see_one_device_are_one_machine(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    for number, host in enumerate(("pod-a", "pod-b")):
        written(folder, drawing(60, [300.0], end="finished"), host=host, boot="one machine", rank=number, pid=number)
    run = read_run(folder)
    assert it_kwh(run) == pytest.approx(kwh(300, 60), rel=1e-9)
    assert len(run.segments) == 1


def test_a_device_that_another_run_counts_is_told(tmp_path: Path) -> None:
    written(tmp_path / "b", drawing(60, [300.0], end="finished"), [replace(GPU, counted_in="run-a")], run="run-b")
    assert "GPU-0 on node1 is counted in run run-a already" in read_run(tmp_path / "b").notes


def test_runs_below_a_folder_are_listed_and_what_is_none_is_not(tmp_path: Path) -> None:
    written(tmp_path / "run-b", drawing(1, [1.0]))
    written(tmp_path / "run-a", drawing(1, [1.0]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jsonl").write_text("", encoding="utf-8")
    assert [path.name for path in list_runs(tmp_path)] == ["run-a", "run-b"]
    assert list_runs(tmp_path / "not-there") == []


# windows


def windows_of(run: Run) -> dict[str, tuple[int, float, float]]:
    return {w.name: (w.window_count, w.duration_s, w.it_energy_kwh.mid) for w in run.windows}


def test_energy_of_an_interval_is_shared_out_by_the_seconds_inside_a_window(tmp_path: Path) -> None:
    lines = drawing(10, [300.0], end="finished")
    lines[3]["w"] = {"epoch": [0, 1.0], "epoch/step": [4, 0.8]}
    lines[4]["w"] = {"epoch": [1, 0.5]}
    run = read_run(written(tmp_path / "run-1", lines))
    assert windows_of(run) == {
        "epoch": (1, 1.5, pytest.approx(kwh(300, 1.5), rel=1e-9)),
        "epoch/step": (4, 0.8, pytest.approx(kwh(300, 0.8), rel=1e-9)),
    }
    for window in run.windows:
        assert window.it_energy_kwh.low < window.it_energy_kwh.mid < window.it_energy_kwh.high


def test_a_window_has_the_power_of_its_own_interval_however_long_none_was_open_before(tmp_path: Path) -> None:
    """Idle for 50 s, then half a second of checkpoint at 600 W."""
    lines = drawing(50, [60.0])
    lines.append({"t": MONOTONIC_S + 51, "s": [[0, 0, 1e6 + 3600.0, 600.0]], "w": {"checkpoint": [1, 0.5]}})
    run = read_run(written(tmp_path / "run-1", [*lines, {"t": MONOTONIC_S + 51, "end": "finished"}]))
    assert windows_of(run)["checkpoint"][2] == pytest.approx(kwh(600, 0.5), rel=1e-9)


def test_windows_are_those_of_a_hosts_first_rank_with_the_energy_of_all_its_devices(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    for rank in (1, 0):
        lines = drawing(10, [300.0], end="finished")
        lines[5]["w"] = {"step": [5, 0.5]}
        written(folder, lines, [gpu(rank)], rank=rank, pid=100 + rank)
    count, seconds, energy = windows_of(read_run(folder))["step"]
    assert (count, seconds) == (5, 0.5)
    assert energy == pytest.approx(kwh(600, 0.5), rel=1e-3)


def test_windows_of_hosts_add_their_energy_and_not_their_time(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    for host in (1, 2):
        lines = drawing(10, [100.0 * host], end="finished")
        lines[5]["w"] = {"step": [5, 0.5]}
        written(folder, lines, host=f"node{host}")
    assert windows_of(read_run(folder))["step"] == (5, 0.5, pytest.approx(kwh(300, 0.5), rel=1e-9))


def test_windows_of_starts_add_both(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    for start in (0, 1):
        lines = drawing(10, [300.0], from_s=100.0 * start, end="finished")
        lines[5]["w"] = {"step": [5, 0.5]}
        written(folder, lines, restart_count=start, from_s=100.0 * start)
    assert windows_of(read_run(folder))["step"] == (10, 1.0, pytest.approx(kwh(300, 1.0), rel=1e-9))


# progress


def told(folder: Path, *starts: Sequence[Mapping[str, float]], from_s: float = 100.0, **words: Any) -> Run:
    """Starts one after another; in each a rank tells its progress in its last reading."""
    for start, ranks in enumerate(starts):
        for rank, progress in enumerate(ranks):
            lines = drawing(10, [300.0], from_s=from_s * start, p=progress)
            lines.append({"t": lines[-1]["t"], "end": "finished"})
            written(
                folder, lines, [gpu(rank)], rank=rank, pid=10 * start + rank, restart_count=start,
                from_s=from_s * start, words=words,
            )  # fmt: skip
    return read_run(folder)


def test_tokens_of_ranks_add_up_and_those_of_the_run_are_one_number_seen_by_each(tmp_path: Path) -> None:
    own = told(tmp_path / "own", [{"tokens": 1000, "steps_count": 5}, {"tokens": 1200, "steps_count": 5}])
    assert (own.progress.tokens, own.progress.steps_count) == (2200, 5)
    all_of_them = told(tmp_path / "all", [{"run_tokens": 2200, "steps_count": 5}, {"run_tokens": 2100}])
    assert all_of_them.progress.tokens == 2200
    assert all_of_them.usage.tokens == Range.exactly(2200)


def test_counts_that_begin_anew_add_up_over_starts_and_those_that_go_on_do_not(tmp_path: Path) -> None:
    anew = told(tmp_path / "anew", [{"steps_count": 100, "tokens": 1e6}], [{"steps_count": 50, "tokens": 5e5}])
    assert (anew.progress.steps_count, anew.progress.tokens) == (150, 1.5e6)
    on = told(
        tmp_path / "on",
        [{"steps_count": 100, "run_tokens": 1e6}],
        [{"steps_count": 140, "run_tokens": 1.4e6, "begun_steps_count": 90, "begun_run_tokens": 9e5}],
    )
    assert (on.progress.steps_count, on.progress.tokens) == (140, 1.4e6)


def test_a_start_with_a_node_in_anothers_place_is_one_start(tmp_path: Path) -> None:
    """A scheduler starts the job again on other nodes: the steps of the second start are still counted once."""
    folder = tmp_path / "run-1"
    for start, hosts in enumerate((("node1", "node2"), ("node2", "node3"))):
        for host in hosts:
            lines = drawing(10, [300.0], from_s=100.0 * start, p={"steps_count": 100 - 50 * start})
            lines.append({"t": lines[-1]["t"], "end": "failed" if start == 0 else "finished"})
            written(folder, lines, host=host, restart_count=start, from_s=100.0 * start)
    run = read_run(folder)
    assert run.progress.steps_count == 150
    assert run.status == "finished"


def test_totals_are_those_that_were_told_and_else_what_the_user_said(tmp_path: Path) -> None:
    said = told(tmp_path / "said", [{"steps_count": 5}], tokens=1e9, steps=100, epochs=3)
    assert (said.progress.total_steps_count, said.progress.total_tokens) == (100, 1e9)
    assert said.progress.total_epochs_count == 3
    heard = told(tmp_path / "told", [{"steps_count": 5, "total_steps_count": 50}], steps=100)
    assert heard.progress.total_steps_count == 50
    assert told(tmp_path / "none", [{"steps_count": 5}]).progress.total_steps_count is None


def test_what_was_spent_on_steps_that_were_done_again_is_wasted(tmp_path: Path) -> None:
    """A hundred steps, then on from the checkpoint at 80: a fifth of the first start was in vain."""
    run = told(tmp_path / "run", [{"steps_count": 100}], [{"steps_count": 130, "begun_steps_count": 80}])
    first, second = run.segments
    assert first.wasted_it_energy_kwh is not None
    assert first.wasted_it_energy_kwh.mid == pytest.approx(0.2 * kwh(300, 10), rel=1e-9)
    assert second.wasted_it_energy_kwh is None
    assert run.wasted_it_energy_kwh == first.wasted_it_energy_kwh


def test_what_every_device_of_a_start_spent_in_vain_is_wasted(tmp_path: Path) -> None:
    run = told(
        tmp_path / "run",
        [{"steps_count": 100}, {"steps_count": 100}],
        [{"steps_count": 130, "begun_steps_count": 75}, {"steps_count": 130, "begun_steps_count": 75}],
    )
    assert run.wasted_it_energy_kwh is not None
    assert run.wasted_it_energy_kwh.mid == pytest.approx(0.25 * kwh(600, 10), rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ({"steps_count": 100}, {"steps_count": 130, "begun_steps_count": 100}, 0.0),
        ({"steps_count": 100}, {"steps_count": 130, "begun_steps_count": 0}, 1.0),
        ({"steps_count": 90, "begun_steps_count": 50}, {"steps_count": 130, "begun_steps_count": 70}, 0.5),
        ({"steps_count": 90, "begun_steps_count": 50}, {"steps_count": 130, "begun_steps_count": 10}, 1.0),
        ({"steps_count": 100}, {"steps_count": 130}, None),
        ({}, {"steps_count": 130, "begun_steps_count": 10}, None),
    ],
)
def test_the_wasted_share_is_that_of_the_starts_own_steps(
    tmp_path: Path, first: dict[str, float], second: dict[str, float], share: float | None
) -> None:
    wasted = told(tmp_path / "run", [first], [second]).wasted_it_energy_kwh
    if share is None:
        assert wasted is None
    else:
        assert wasted is not None
        assert wasted.mid == pytest.approx(share * kwh(300, 10), rel=1e-9, abs=1e-15)


# status


@pytest.mark.parametrize(
    ("ends", "age_s", "status"),
    [
        (["finished"], 0.0, "finished"),
        (["finished", "finished"], LONG_AGO_S, "finished"),
        (["stopped", "stopped"], LONG_AGO_S, "stopped"),
        (["failed", "finished"], LONG_AGO_S, "failed"),
        (["stopped", "failed"], LONG_AGO_S, "failed"),
        ([None], LONG_AGO_S, "interrupted"),
        ([None, "finished"], LONG_AGO_S, "interrupted"),
        ([None, "failed"], LONG_AGO_S, "failed"),
        ([None], 5.0, "running"),
        ([None, "finished"], 5.0, "running"),
        ([None, "failed"], 5.0, "running"),
    ],
)
def test_a_start_is_what_its_processes_say_and_running_while_one_may_still_write(
    tmp_path: Path, ends: Sequence[str | None], age_s: float, status: str
) -> None:
    for rank, end in enumerate(ends):
        last = {} if end is None else {"end": end}
        written(tmp_path / "run", drawing(10, [300.0], **last), [gpu(rank)], pid=rank, rank=rank, age_s=age_s)
    run = read_run(tmp_path / "run")
    assert run.status == status
    assert run.segments[0].status == status


def test_the_last_start_speaks_for_the_run_and_any_of_its_nodes_for_the_start(tmp_path: Path) -> None:
    def status(*starts: Mapping[str, str]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for start, ends in enumerate(starts):
            for host, end in ends.items():
                lines = drawing(10, [300.0], from_s=100.0 * start, end=end)
                written(folder, lines, host=host, restart_count=start, from_s=100.0 * start)
        return read_run(folder).status

    assert status({"a": "failed"}, {"a": "finished"}) == "finished"
    assert status({"a": "finished"}, {"a": "failed"}) == "failed"
    assert status({"a": "finished", "b": "failed"}) == "failed"
    assert status({"a": "failed", "b": "failed"}, {"c": "finished", "b": "finished"}) == "finished"
    assert status({"a": "stopped", "b": "finished"}) == "stopped"


@pytest.mark.skipif(not boot_id(), reason="the host does not tell its start")
def test_of_a_process_of_this_host_the_kernel_knows_whether_it_lives(tmp_path: Path) -> None:
    here = {"host": platform.node(), "boot": boot_id()}
    alive = written(tmp_path / "alive", drawing(10, [300.0]), pid=os.getpid(), age_s=0.0, **here)
    dead = written(tmp_path / "dead", drawing(10, [300.0]), pid=2**22 + 1, age_s=0.0, **here)
    assert read_run(alive).status == "running"
    assert read_run(dead).status == "interrupted"


def test_the_error_that_ended_a_process_is_told(tmp_path: Path) -> None:
    lines = [*drawing(10, [300.0]), {"t": MONOTONIC_S + 10, "end": "failed", "error": "ValueError"}]
    run = read_run(written(tmp_path / "run", lines))
    assert run.status == "failed"
    assert "ended by ValueError" in run.notes


# damage


def test_torn_lines_are_passed_over_and_told(tmp_path: Path) -> None:
    path = written(tmp_path / "run", drawing(10, [300.0]))
    with path.open("ab") as file:
        file.write(b'{"t": 5011, "s": [[0, 0, 10033')
    os.utime(path, (time.time() - LONG_AGO_S,) * 2)
    run = read_run(path)
    assert it_kwh(run) == pytest.approx(kwh(300, 10), rel=1e-9)
    assert f"{path.name}: 1 torn lines were passed over" in run.notes


def test_a_file_that_is_no_journal_is_told_and_hides_no_other(tmp_path: Path) -> None:
    written(tmp_path / "run", drawing(10, [300.0]))
    (tmp_path / "run" / "other.jsonl").write_text("{}\n", encoding="utf-8")
    run = read_run(tmp_path / "run")
    assert it_kwh(run) == pytest.approx(kwh(300, 10), rel=1e-9)
    assert any("other.jsonl: is no journal" in note for note in run.notes)


@pytest.mark.parametrize("readings", [0, 1])
@pytest.mark.parametrize("meter", [GPU, gpu(0, period_s=0.1), gpu(0, has_counter=False, window_s=0.0), CPU])
def test_a_run_that_was_killed_before_its_second_reading_can_be_read(
    tmp_path: Path, meter: Meter, readings: int
) -> None:
    run = read_run(written(tmp_path / "run", drawing(1, [300.0])[:readings], [meter]))
    assert run.status == "interrupted"
    assert run.usage.it_energy_kwh.mid == 0.0
    assert run.usage.wall_clock_h == Range.exactly(0.0)
    assert run.footprint.facility.facility_energy_kwh.mid == 0.0
    assert records.from_plain(Run, json.loads(records.to_json(run))) == run


def test_a_run_whose_journals_hold_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(JournalError, match=r"run: holds no journal; give the folder of a run"):
        read_run(tmp_path / "run")
    with pytest.raises(JournalError, match=r"nowhere: is not there; give the folder of a run"):
        read_run(tmp_path / "nowhere")
    (tmp_path / "run" / "a.jsonl").write_text("not JSON\n", encoding="utf-8")
    with pytest.raises(JournalError, match=r"a.jsonl: is no journal; give a journal that footprint.track wrote"):
        read_run(tmp_path / "run")


def test_gaps_and_resets_of_a_meter_are_told(tmp_path: Path) -> None:
    lines = drawing(5, [300.0])
    lines += [{"t": MONOTONIC_S + 6, "s": [[0, 0, 5.0, 300.0]]}, {"t": MONOTONIC_S + 30, "end": "finished"}]
    run = read_run(written(tmp_path / "run", lines))
    assert "GPU-0 on node1: its counter was reset 1 times; bridged by power" in run.notes
    assert "GPU-0 on node1: ceased to answer for 24.0 s" in run.notes
    assert run.meters[0].resets_count == 1
    assert [gap.ended_utc_s - gap.started_utc_s for gap in run.meters[0].gaps] == [1.0, 24.0]


# what it costs


def assessed(tmp_path: Path, meters: Sequence[Meter] = (GPU,), seconds: float = 600, **more: Any) -> Run:
    lines = drawing(seconds, [300.0] * len(meters), step_s=10.0, end="finished", **more.pop("last", {}))
    read = {name: more.pop(name) for name in ("data",) if name in more}
    return read_run(written(tmp_path / "run-1", lines, meters, interval_s=10.0, **more), **read)


def test_it_energy_is_that_of_the_meters_and_of_the_rest_of_their_node(tmp_path: Path) -> None:
    run = assessed(tmp_path, [gpu(i) for i in range(8)])
    rest = next(m for m in run.meters if m.meter.component == "node")
    metered_kwh = kwh(2400, 600)
    watts = node.rest_power_w(0.0, 8, 700.0, 0.25)
    by_hand = node.rest_energy_kwh(metered_kwh, watts, 600 / S_PER_H, 0.03)
    assert rest.it_energy_kwh.mid == pytest.approx(by_hand, rel=1e-6)
    assert run.usage.it_energy_kwh.mid == pytest.approx(metered_kwh + by_hand, rel=1e-6)
    assert rest.meter.origin == "default"


def test_a_meter_at_the_plug_has_everything_in_it(tmp_path: Path) -> None:
    run = assessed(tmp_path, [PLUG])
    assert [m.meter.id for m in run.meters] == ["plug"]
    assert run.usage.it_energy_kwh.mid == pytest.approx(kwh(300, 600), rel=1e-9)


def test_coverage_is_the_share_of_energy_that_sensors_read(tmp_path: Path) -> None:
    """A device that was read for half of the time, a processor by load, the rest by the node model."""
    lines = [
        {"t": MONOTONIC_S + at_s, "s": [[0, 0, 300.0 * at_s, 300.0]] * (at_s <= 300) + [[1, 0, None, 100.0]]}
        for at_s in range(0, 601, 10)
    ]
    lines.append({"t": MONOTONIC_S + 600, "end": "finished"})
    run = read_run(written(tmp_path / "run", lines, [GPU, CPU], interval_s=10.0))
    whole_kwh = run.usage.it_energy_kwh.mid
    assert it_kwh(run, "cpu") == pytest.approx(kwh(100, 600), rel=1e-9)
    assert run.usage.coverage_share == pytest.approx(kwh(300, 300) * 0.5 / whole_kwh, rel=1e-9)


@pytest.mark.parametrize(
    ("meters", "grade"),
    [
        ((GPU, CPU), "A"),
        ((replace(GPU, has_counter=False), CPU), "B"),
        ((gpu(0), gpu(1, has_counter=False)), "B"),
        ((PLUG, CPU), "A"),
        ((CPU,), "C"),
        ((replace(CPU, origin="measured", has_counter=True),), "A"),
    ],
)
def test_a_live_run_stands_on_the_same_ladder_of_evidence(tmp_path: Path, meters: Sequence[Meter], grade: str) -> None:
    written(tmp_path, drawing(60.0, [300.0] * len(meters), end="finished"), meters)
    assert read_run(tmp_path).evidence == grade


def test_a_counter_that_was_not_read_for_long_is_evidence_b(tmp_path: Path) -> None:
    lines = [*drawing(60.0, [300.0]), *drawing(100.0, [300.0], from_s=160.0, end="finished")]
    written(tmp_path, lines)
    assert read_run(tmp_path).evidence == "B"


def test_mfu_is_six_n_d_over_what_the_devices_could_have_done(tmp_path: Path) -> None:
    run = assessed(tmp_path, [gpu(0), gpu(1)], words={"params": 7e9}, last={"p": {"run_tokens": 6e6}})
    by_hand = 6 * 7e9 * 6e6 / (2 * 600 * H100_PEAK_FLOP_PER_S)
    assert run.mfu == pytest.approx(by_hand, rel=1e-9)
    assert run.usage.training_flop == Range.exactly(pytest.approx(6 * 7e9 * 6e6, rel=1e-12).expected)
    assert "training FLOP by 6 N D: attention is left out" in run.notes


@pytest.mark.parametrize(
    ("words", "progress", "flop"),
    [
        ({"params": 7e9, "active_params": 1e9}, {"run_tokens": 1e6}, 6e15),
        ({"params": 7e9, "flop_per_token": 5e10}, {"run_tokens": 1e6}, 5e16),
        ({"params": 7e9}, {"run_tokens": 1e6, "training_flop": 3e16}, 3e16),
        ({"params": 7e9}, {}, None),
        ({}, {"run_tokens": 1e6}, None),
    ],
    ids=["active params", "flop per token", "the framework's count", "no tokens", "no params"],
)
def test_training_flop_is_the_best_that_is_known(
    tmp_path: Path, words: dict[str, float], progress: dict[str, float], flop: float | None
) -> None:
    run = assessed(tmp_path, words=words, last={"p": progress})
    if flop is None:
        assert run.mfu is None
        assert run.usage.training_flop is None
    else:
        assert run.mfu == pytest.approx(flop / (600 * H100_PEAK_FLOP_PER_S), rel=1e-9)


def test_precision_chooses_the_peak(tmp_path: Path) -> None:
    fp8 = assessed(tmp_path, words={"params": 7e9, "precision": "fp8"}, last={"p": {"run_tokens": 6e6}})
    assert fp8.mfu == pytest.approx(6 * 7e9 * 6e6 / (600 * 1978.9e12), rel=1e-9)


def test_other_words_move_carbon_and_leave_energy(tmp_path: Path) -> None:
    france = assessed(tmp_path)
    folder = tmp_path / "run-1"
    poland = read_run(folder, words={"country": "PL"})
    leaky = read_run(folder, words={"settings": {"pue": 2.0}})
    assert poland.usage == leaky.usage == france.usage
    assert poland.meters == france.meters
    assert poland.footprint.site.zone == "POL"
    grid = {run.footprint.site.zone: run.footprint.site.location_intensity_g_per_kwh.mid for run in (france, poland)}
    carbon = [run.footprint.facility.operational_location_kgco2e.mid for run in (france, poland)]
    assert carbon[1] / carbon[0] == pytest.approx(grid["POL"] / grid["FRA"], rel=1e-9)
    assert leaky.footprint.site.pue == Range.exactly(2.0)
    assert leaky.footprint.facility.facility_energy_kwh.mid == pytest.approx(2 * france.usage.it_energy_kwh.mid)
    assert leaky.footprint.site.zone == "FRA"


def test_a_new_place_takes_the_place_of_the_old_one_and_settings_stay(tmp_path: Path) -> None:
    assessed(tmp_path, words={"country": None, "region": "aws/us-east-1", "settings": {"pue": "1.3", "wue": "0.5"}})
    run = read_run(tmp_path / "run-1", words={"country": "SE", "region": None, "settings": {"pue": 1.1}})
    assert run.footprint.site.zone == "SWE"
    assert run.footprint.site.region is None
    assert run.footprint.site.pue == Range.exactly(1.1)
    assert run.footprint.site.wue_l_per_kwh == Range.exactly(0.5)


def test_words_are_read_as_everywhere(tmp_path: Path) -> None:
    assessed(tmp_path, last={"p": {"run_tokens": 6e6}})
    run = read_run(tmp_path / "run-1", words={"params": "7B"})
    assert run.mfu == pytest.approx(6 * 7e9 * 6e6 / (600 * H100_PEAK_FLOP_PER_S), rel=1e-9)
    with pytest.raises(InputError, match=r"params = 'seven': is not a number"):
        read_run(tmp_path / "run-1", words={"params": "seven"})
    with pytest.raises(UnknownName, match=r"Atlantis"):
        read_run(tmp_path / "run-1", words={"country": "Atlantis"})


def test_a_place_that_was_not_told_is_the_world_and_said_so(tmp_path: Path) -> None:
    run = assessed(tmp_path, words={"country": None})
    assert run.footprint.site.zone == "World"
    assert any(note.startswith("no place given: grid intensity is the world mean") for note in run.notes)


def test_a_device_in_no_table_is_told_and_its_embodied_carbon_is_wide(tmp_path: Path) -> None:
    run = assessed(tmp_path, [replace(GPU, name="Frobnicator 9000", memory_gb=48.0)])
    (line,) = run.usage.lines
    assert line.accelerator == "Frobnicator 9000"
    assert line.nameplate_energy_kwh.mid == pytest.approx(0.7 * 600 / S_PER_H, rel=1e-12)
    assert any(note.startswith("Frobnicator 9000 is in no table") for note in run.notes)
    embodied = run.footprint.embodied_kgco2e
    assert embodied.high / embodied.low > 5
    assert run.footprint.rental_on_demand_usd is None
    assert run.mfu is None


def test_a_host_without_an_accelerator_is_a_server(tmp_path: Path) -> None:
    run = assessed(tmp_path, [CPU])
    (line,) = run.usage.lines
    assert line.accelerator == SERVER
    assert line.accelerator_hours.mid == pytest.approx(600 / S_PER_H, rel=1e-12)
    assert run.usage.accelerator_hours.mid == 0.0
    assert run.footprint.embodied_kgco2e.mid > 0
    assert any(a.field == "server_embodied_kgco2e" and a.origin == "default" for a in run.footprint.ledger)


def test_two_kinds_of_accelerator_are_two_lines_that_share_the_host_by_hours(tmp_path: Path) -> None:
    other = gpu(1, name="NVIDIA A100-SXM4-80GB", max_w=400.0)
    run = assessed(tmp_path, [GPU, other, CPU])
    assert {line.accelerator for line in run.usage.lines} == {"h100-sxm5-80gb", "a100-sxm4-80gb"}
    assert sum(line.it_energy_kwh.mid for line in run.usage.lines) == pytest.approx(run.usage.it_energy_kwh.mid)
    first, second = (line.it_energy_kwh.mid for line in run.usage.lines)
    assert first == pytest.approx(second, rel=1e-9)


def test_slices_of_a_device_are_their_share_of_its_hours(tmp_path: Path) -> None:
    run = assessed(tmp_path, [gpu(0, share=3 / 7)])
    assert run.usage.accelerator_hours.mid == pytest.approx(3 / 7 * 600 / S_PER_H, rel=1e-9)
    assert run.usage.lines[0].accelerator_count == 1


def test_the_hours_in_which_energy_was_drawn_move_its_carbon(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    columns = "zone,year,month,hour_utc,ratio,annual_intensity_g_per_kwh,provenance,source,as_of"
    rows = [f"FRA,2024,6,{hour},{ratio},50,derived,by hand,2026" for hour, ratio in ((10, 0.5), (11, 2.0))]
    (tables / "grid_profiles.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    plain = assessed(tmp_path / "plain", seconds=7200)
    shaped = assessed(tmp_path / "shaped", seconds=7200, data=tables)
    assert [hour for hour, _ in shaped.hourly_it_energy_kwh] == [int(UTC_S), int(UTC_S) + 3600]
    assert [energy for _, energy in shaped.hourly_it_energy_kwh] == pytest.approx([kwh(300, 3600)] * 2, rel=1e-9)
    ratio = (
        shaped.footprint.site.location_intensity_g_per_kwh.mid / plain.footprint.site.location_intensity_g_per_kwh.mid
    )
    assert ratio == pytest.approx(1.25, rel=1e-9)
    assert shaped.usage.it_energy_kwh == plain.usage.it_energy_kwh
    assert any(a.field == "hourly_intensity_ratio" and a.source == "by hand" for a in shaped.footprint.ledger)


def test_the_tables_that_the_journal_names_are_used_again(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    header = "id,low,mid,high,note,provenance,source,as_of"
    (tables / "constants.csv").write_text(f"{header}\nlifetime_h,1000,1000,1000,,read,own,2026\n", encoding="utf-8")
    run = assessed(tmp_path, words={"data": str(tables)})
    assert run.footprint.site.lifetime_h == Range.exactly(1000.0)


def test_the_plan_that_the_journal_carries_is_kept_and_a_damaged_one_left_out(tmp_path: Path) -> None:
    plan = handmade_runs.footprint()
    assert assessed(tmp_path / "whole", planned=records.to_plain(plan)).planned == plan
    for damaged in ({"name": "x"}, [1, 2], "plan", {**records.to_plain(plan), "usage": 7}):
        assert assessed(tmp_path / "damaged", planned=damaged).planned is None


def test_stalled_energy_is_that_of_the_accelerators_alone(tmp_path: Path) -> None:
    lines = [
        {
            "t": MONOTONIC_S + at_s,
            "s": [[0, 0, 100.0 * at_s, 100.0, 0.0 if at_s <= 5 else 0.9], [1, 0, None, 50.0, 0.0]],
        }
        for at_s in range(11)
    ]
    run = read_run(written(tmp_path / "run", [*lines, {"t": MONOTONIC_S + 10, "end": "finished"}], [GPU, CPU]))
    assert run.stalled_it_energy_kwh == pytest.approx(kwh(100, 5), rel=1e-9)


def test_a_run_that_was_read_survives_being_written_as_json(tmp_path: Path) -> None:
    run = read_run(two_nodes(tmp_path / "run-1"))
    assert records.from_plain(Run, json.loads(records.to_json(run))) == run
