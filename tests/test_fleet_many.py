"""Energies of many past jobs at once, on a real Prometheus: a small site whose energy is known by construction."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_fixture import SCRAPE_S, Cluster, Server, busy_from, needs_prometheus, serving, started_at

from footprint.catalog import open_catalog
from footprint.fleet.access import Access
from footprint.fleet.devices import Job
from footprint.fleet.many import JobEnergy, many_energies
from footprint.fleet.prometheus import KeptAnswer, Prometheus
from footprint.units import J_PER_KWH, S_PER_H

pytestmark = needs_prometheus

BENCHMARKS = Path(__file__).resolve().parent / "benchmarks"
START = started_at()


def _benchmark(name: str) -> ModuleType:
    """By path: the benchmark is called as Python's own module is."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(BENCHMARKS))
    spec.loader.exec_module(module)
    return module


# a site's day


class Closed(Prometheus):
    """A server that hands out no series as it keeps them, as Thanos and VictoriaMetrics do."""

    def kept(self, *_: object) -> KeptAnswer:
        raise ValueError("the server hands out nothing as it keeps it")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[object], str]]:
    """All jobs of 32 devices in a day, with a reset, a gap in scrapes and devices in parts among them."""
    benchmark = _benchmark("site")
    plan, data = benchmark.built(32, 1, 0.15, tmp_path_factory.mktemp("site"))
    with benchmark.served(data) as (url, _):
        yield plan.jobs, url


@pytest.fixture(scope="module", params=[(Prometheus, 0), (Prometheus, 2), (Closed, 0)])
def asked(
    site: tuple[list[object], str], request: pytest.FixtureRequest
) -> tuple[list[object], dict[tuple[str, float | None], JobEnergy]]:
    """By readings as the server keeps them, in this process and in others, and by queries alone."""
    (jobs, url), (kind, count) = site, request.param
    own = [one.job for one in jobs]  # type: ignore[attr-defined]
    found = list(many_energies(own, kind(Access(url)), open_catalog(), processes_count=count))
    assert len(found) == len(jobs) > 100
    return jobs, {(one.job.id, one.job.started_utc_s): one for one in found}


def pairs(asked: tuple[list[object], dict[tuple[str, float | None], JobEnergy]]) -> Iterator[tuple[object, JobEnergy]]:
    for one in asked[0]:
        found = asked[1][one.job.id, one.job.started_utc_s]  # type: ignore[attr-defined]
        if found.it_energy_kwh is not None:
            yield one, found


def test_each_job_is_the_truth_to_a_thousandth_or_to_a_scrape_at_its_edges_and_says_so(asked) -> None:  # type: ignore[no-untyped-def]
    site = _benchmark("site")
    exact, at_edges, wrong, told = site.judged(asked[0], asked[1].values())
    assert wrong == 0
    assert exact + at_edges == told
    assert exact > 0.6 * told  # of a day with many short jobs


def test_a_jobs_range_holds_the_truth(asked) -> None:  # type: ignore[no-untyped-def]
    for truth, found in pairs(asked):
        energy = found.it_energy_kwh
        slack = 0.001 * truth.joules / J_PER_KWH
        assert energy.low - slack <= truth.joules / J_PER_KWH <= energy.high + slack, found


def test_what_was_drawn_idle_is_told_with_its_range(asked) -> None:  # type: ignore[no-untyped-def]
    whole = idle = truth_kwh = 0.0
    for truth, found in pairs(asked):
        if truth.instance:
            continue
        energy, stalled = found.it_energy_kwh, found.stalled_it_energy_kwh
        assert stalled is not None
        assert 0 <= stalled.low <= stalled.mid <= stalled.high <= energy.high * (1 + 1e-9)
        whole, idle, truth_kwh = whole + energy.mid, idle + stalled.mid, truth_kwh + truth.stalled_j / J_PER_KWH
        if truth.kind.name == "idle" and truth.job.ended_utc_s - truth.job.started_utc_s > 4 * SCRAPE_S:
            assert stalled.mid == pytest.approx(energy.mid, rel=0.05)
    assert idle == pytest.approx(truth_kwh, rel=0.1)


def test_devices_and_their_parts_are_counted(asked) -> None:  # type: ignore[no-untyped-def]
    for truth, found in pairs(asked):
        assert found.accelerator == "h100-sxm5-80gb"
        assert found.accelerators_count == len(truth.devices)
        assert found.accelerators_held == pytest.approx(truth.share * len(truth.devices))
        assert found.evidence == "A"
        assert found.coverage == pytest.approx(1, abs=0.05)


def test_a_job_between_two_scrapes_has_no_energy_and_a_reason(asked) -> None:  # type: ignore[no-untyped-def]
    lacking = [found for found in asked[1].values() if found.it_energy_kwh is None]
    for one in lacking:
        assert one.job.ended_utc_s - one.job.started_utc_s < 2 * SCRAPE_S
        assert any("shorter than a scrape" in note for note in one.notes)
        assert one.evidence == ""


def test_a_month_beyond_its_limits_is_a_failure_and_says_which() -> None:
    site = _benchmark("site")
    assert list(site.beyond("a month", 60.0, 500.0)) == []
    assert list(site.beyond("a month", 61.0, 501.0)) == [
        "a month: 61 s, more than 60",
        "a month: 501 MB, more than 500",
    ]


# single cases among many


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Thirty devices without labels of jobs, each busy for an hour and a bit; one has a reset, one a gap."""
    made = Cluster()
    for i in range(30):
        begun_s = START + 60 * i
        made.device(
            f"GPU-{i}", f"n{i:02d}", busy_from(begun_s, begun_s + 3 * S_PER_H), START - 1800, START + 5 * S_PER_H,
            phase_s=i / 2, resets=(START + 5000,) if i == 3 else (),
            gaps=((START + 6000, START + 6600),) if i == 4 else (),
        )  # fmt: skip
    with serving(made) as server:
        yield server


def hours(server: Server, *jobs: Job) -> list[JobEnergy]:
    found = list(many_energies(jobs, Prometheus(Access(server.url)), open_catalog()))
    return sorted(found, key=lambda one: one.job.id)


def of(i: int, **more: object) -> Job:
    begun_s = START + 60 * i
    job = Job(str(1000 + i), hosts=(f"n{i:02d}",), started_utc_s=begun_s, ended_utc_s=begun_s + 3 * S_PER_H)
    return replace(job, **more)  # type: ignore[arg-type]


def test_jobs_of_hosts_without_labels_are_found_by_host(running: Server) -> None:
    found = hours(running, *(of(i) for i in range(30)))
    for i, one in enumerate(found):
        assert one.it_energy_kwh is not None, one
        assert one.it_energy_kwh.mid == pytest.approx(1.8, rel=0.001), i
    assert any("reset" in note for note in found[3].notes)
    assert found[4].largest_gap_s == pytest.approx(600, abs=120)
    assert all(one.largest_gap_s < 300 for i, one in enumerate(found) if i != 4)
    assert all(one.stalled_it_energy_kwh is None for one in found)  # no series of utilization


def test_a_few_jobs_are_asked_for_one_by_one_and_come_to_the_same(running: Server) -> None:
    (one,) = hours(running, of(7))
    assert one.it_energy_kwh is not None
    assert one.it_energy_kwh.mid == pytest.approx(1.8, rel=0.001)


def test_what_cannot_be_told_says_why_and_the_others_are_told(running: Server) -> None:
    strange = [
        of(0, id="a", hosts=("nowhere",)),
        of(1, id="b", ended_utc_s=None, hosts=("n01",)),
        of(2, id="c", ended_utc_s=START - 7200.0),
        Job("d"),
        of(5, id="e", hosts=("n05", "nowhere")),
        of(6, id='f"} or vector(1) #', hosts=("n06",)),
    ]
    found = {one.job.id: one for one in hours(running, *(of(i) for i in range(30)), *strange)}
    assert len(found) == 36
    for name in "abcd":
        assert found[name].it_energy_kwh is None
        assert found[name].notes
    energy = found["e"].it_energy_kwh
    assert energy is not None
    assert energy.mid == pytest.approx(1.8, rel=0.001)
    assert any("1 of 2 hosts are in no metrics" in note for note in found["e"].notes)
    assert found['f"} or vector(1) #'].it_energy_kwh is not None


def test_two_jobs_on_one_device_at_once_without_labels_are_both_told(running: Server) -> None:
    found = hours(running, *(of(i) for i in range(30)), of(9, id="second"))
    assert found[-1].it_energy_kwh is not None
    assert found[-1].it_energy_kwh.mid == pytest.approx(1.8, rel=0.001)


def test_a_clock_that_is_ahead_shows_in_the_labels_of_most_jobs() -> None:
    made = Cluster()
    begun_s, ended_s = START, START + 3 * S_PER_H
    for i in range(21):
        made.device(
            f"GPU-{i}", f"n{i:02d}", busy_from(begun_s, ended_s), begun_s - 1800, ended_s + 1800, phase_s=i,
            clock_s=90.0,
            labels=lambda at_s, i=i: ({"hpc_job": str(1000 + i)} if begun_s <= at_s <= ended_s else {},),  # type: ignore[misc]
        )  # fmt: skip
    with serving(made) as server:
        found = hours(server, *(of(i, started_utc_s=begun_s, ended_utc_s=ended_s) for i in range(21)))
        told = list(
            many_energies([one.job for one in found], Prometheus(Access(server.url)), open_catalog(), clock_skew_s=90.0)
        )
    for one in found:
        assert one.it_energy_kwh is not None
        assert one.it_energy_kwh.mid == pytest.approx(1.8, rel=0.001)
        assert one.notes[0].endswith("s ahead of the jobs'")
    assert all(one.it_energy_kwh is not None and one.it_energy_kwh.mid == pytest.approx(1.8, rel=1e-5) for one in told)


def test_a_server_that_is_away_is_an_error_with_its_address() -> None:
    from footprint.errors import QueryError

    with pytest.raises(QueryError, match="cannot be reached"):
        list(many_energies([of(i) for i in range(30)], Prometheus(Access("http://127.0.0.1:9")), open_catalog()))


def test_progress_is_shown_job_by_job(running: Server) -> None:
    seen: list[Job] = []

    def shown(jobs: list[Job]) -> Iterator[Job]:
        for one in jobs:
            seen.append(one)
            yield one

    jobs = [of(i) for i in range(30)]
    found = many_energies(jobs, Prometheus(Access(running.url)), open_catalog(), shown=shown)  # type: ignore[arg-type]
    assert len(list(found)) == len(seen) == 30


class Once(Prometheus):
    """A server that ceases to hand out series as it keeps them."""

    kept_count = 0

    def kept(self, *asked: object) -> KeptAnswer:
        self.kept_count += 1
        if self.kept_count > 1:
            raise ValueError("the server hands out nothing as it keeps it")
        return super().kept(*asked)  # type: ignore[arg-type]


def test_a_server_that_ceases_to_hand_out_what_it_keeps_is_asked_for_sums(running: Server) -> None:
    server = Once(Access(running.url))
    found = list(many_energies([of(i) for i in range(30)], server, open_catalog()))
    assert server.kept_count > 1
    for one in found:
        assert one.it_energy_kwh is not None
        assert one.it_energy_kwh.mid == pytest.approx(1.8, rel=0.001)
