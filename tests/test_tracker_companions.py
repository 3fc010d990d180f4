"""Several processes of one run: the first tells of all, and all stop at one step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.companions import Companions
from footprint.measurement.tracker.words import track_words
from footprint.units import J_PER_KWH
from footprint.values import Meter, Sample

LIMITS = Limits(stalled_utilization=0.05, gap_ratio=3, period_s=0.1, overshoot_ratio=1.5)
H100_PEAK = 989.4e12


def meter(name: str) -> Meter:
    return Meter(
        name, "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured", has_counter=True, memory_gb=80.0
    )


def header(rank: int, meters: tuple[Meter, ...] = (), started_utc_s: float = 1000.0, pid: int = 0) -> Header:
    return Header(
        run="r", name="n", host="h", boot="b", pid=pid or 100 + rank, restart_count=0, rank=rank,
        started_utc_s=started_utc_s, started_s=started_utc_s - 900.0, interval_s=1.0, meters=meters,
    )  # fmt: skip


def written(folder: Path, head: Header, ticks: list[Tick]) -> JournalWriter:
    writer = JournalWriter(folder, head)
    for tick in ticks:
        writer.write(tick)
    return writer


def joules(name: str, *readings: tuple[float, float]) -> list[Tick]:
    return [Tick(at, (Sample(name, at, energy_j=energy, power_w=500.0),)) for at, energy in readings]


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def first_rank(folder: Path, world: int, clock: Clock | None = None, **words: object) -> ActiveRun:
    """Rank 0 with one device that has drawn 1,000 J in 10 s, its journal in the folder."""
    run = ActiveRun("r", track_words("n", words), clock or Clock())
    run.rank, run.world_count = 0, world
    own = header(0, (meter("GPU-0"),))
    writer = written(folder, own, [])
    run.host = HostIntegral(own.meters, 1.0, LIMITS, 900.0)
    for tick in joules("GPU-0", (100.0, 0.0), (110.0, 1000.0)):
        run.host.push(tick.at_s, tick.samples)
    run.companions = Companions(writer.path, own.started_utc_s, LIMITS)
    return run


def test_the_first_rank_adds_what_the_others_measure_and_say(tmp_path: Path) -> None:
    clock = Clock()
    run = first_rank(tmp_path, 2, clock, params=1e9)
    other = written(tmp_path, header(1, (meter("GPU-1"),)), joules("GPU-1", (100.0, 5e6), (110.0, 5e6 + 3000.0)))
    other.write(Tick(110.0, progress={"steps_count": 4.0, "tokens": 6000.0}))
    run.step(4, tokens=4000)
    assert run.companions is not None
    run.companions.refresh()
    clock.now_s = 110.0
    live = run.live()
    assert live.it_energy_kwh == pytest.approx(4000.0 / J_PER_KWH)
    assert live.accelerator_it_energy_kwh == pytest.approx(4000.0 / J_PER_KWH)
    assert live.power_w == pytest.approx(1000.0)
    assert live.tokens == 10_000
    assert live.joules_per_token == pytest.approx(0.4)
    assert live.mfu == pytest.approx(6e9 * 10_000 / (10.0 * 2 * H100_PEAK), rel=0.001)


def test_nothing_is_read_twice_and_a_growing_journal_is_followed(tmp_path: Path) -> None:
    run = first_rank(tmp_path, 2)
    other = written(tmp_path, header(1, (meter("GPU-1"),)), joules("GPU-1", (100.0, 0.0), (110.0, 3000.0)))
    assert run.companions is not None
    for _ in range(3):
        run.companions.refresh()
    assert run.joules() == pytest.approx(4000.0)
    with other.path.open("ab") as file:
        file.write(b'{"t":120.0,"s":[[0,0,60')  # half a line, as a write that is under way
    run.companions.refresh()
    assert run.joules() == pytest.approx(4000.0)
    with other.path.open("ab") as file:
        file.write(b"00.0]]}\n")
    run.companions.refresh()
    assert run.joules() == pytest.approx(7000.0)


def test_journals_of_an_earlier_start_are_left_out(tmp_path: Path) -> None:
    before = header(1, (meter("GPU-1"),), started_utc_s=10.0, pid=7)
    written(tmp_path, before, [*joules("GPU-1", (-880.0, 0.0), (-870.0, 9e5)), Tick(-870.0, end="failed")])
    run = first_rank(tmp_path, 2)
    assert run.companions is not None
    run.companions.refresh()
    assert run.joules() == pytest.approx(1000.0)


def test_counts_of_the_whole_run_are_set_against_the_ranks_that_are_seen(tmp_path: Path) -> None:
    clock = Clock()
    run = first_rank(tmp_path, 4, clock)  # three of four journals lie elsewhere
    clock.now_s = 110.0
    run.progress(tokens=8000)
    assert run.live().joules_per_token == pytest.approx(1000.0 / 2000.0)


def test_other_ranks_tell_no_mfu_of_their_own(tmp_path: Path) -> None:
    run = first_rank(tmp_path, 2, params=1e9)
    run.rank = 1
    run.step(tokens=1000)
    live = run.live()
    assert live.mfu is None
    assert live.joules_per_token is None


def test_one_process_stops_as_soon_as_its_budget_is_reached(tmp_path: Path) -> None:
    run = first_rank(tmp_path, 1, budget_kwh=1, on_budget="stop")
    assert not run.should_stop
    run.budget_reached = True
    assert run.should_stop


def test_all_ranks_stop_at_the_step_that_the_first_one_names(tmp_path: Path) -> None:
    clock = Clock()
    first = first_rank(tmp_path, 2, clock, budget_kwh=1, on_budget="stop")
    second = first_rank(tmp_path / "elsewhere", 2, clock, budget_kwh=1, on_budget="stop")
    second.rank = 1
    assert first.companions is not None
    first.step(20)
    second.step(20)
    clock.now_s = 110.0  # 2 steps/s
    first.budget_reached = True
    first.agree_to_stop(within_s=12.0)
    assert not first.should_stop  # not before the others can have heard of it
    own = written(tmp_path, header(0, pid=55), [Tick(110.0, progress=first.taken_words()[0])])
    second.companions = Companions(tmp_path / "second.jsonl", 1000.0, LIMITS, frozenset((0,)))
    second.companions.refresh()
    second.hear_of_stop()
    ends = []
    for run in (first, second):
        while not run.should_stop:
            run.step()
        ends.append(run.state_dict()["progress"]["steps_count"])
    assert ends == [20 + 24 + 1] * 2
    assert own.path.parent == tmp_path


def test_a_folder_that_cannot_be_reached_changes_nothing(tmp_path: Path) -> None:
    run = first_rank(tmp_path, 2)
    assert run.companions is not None
    other = written(tmp_path, header(1, (meter("GPU-1"),)), joules("GPU-1", (100.0, 0.0), (110.0, 3000.0)))
    run.companions.refresh()
    os.unlink(other.path)
    run.companions.refresh()
    assert run.joules() == pytest.approx(4000.0)
