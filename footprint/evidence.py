"""How well a run's energy is known: the ladder from A to D, its words, and what puts a run on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from footprint.values import MeterUsage, Run

__all__ = ["GRADES", "Evidence", "evidence", "told"]

LEAST_COVERAGE = 0.95
"""Of a counter or node meter, for the best grade."""

_LEAST_READ = 0.5
"""Below it most of what is told was not read but filled in."""

GRADES = {
    "A": "energy counters or a node meter, almost all of the time",
    "B": "power gauges, or counters with gaps",
    "C": "utilization and a model of power, or readings of less than half of the time",
    "D": "hours allocated times a share of the rating",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A grade, and what it rests on."""

    grade: str
    coverage_share: float

    def __str__(self) -> str:
        told = f"evidence {self.grade}: {GRADES[self.grade]}" if self.grade in GRADES else f"evidence {self.grade}"
        return f"{told}; coverage {self.coverage_share:.1%}" if self.coverage_share else told


def evidence(meters: Iterable[MeterUsage]) -> Evidence:
    """The worst that any accelerator has; without any, the nodes' own meters, else the processors.

    One ladder for live, past and imported runs. Coverage is their mean by time. What stands beside them (memory, fans,
    power supply) is never metered but at the plug and does not count.
    """
    own = _graded(tuple(meters))
    seconds = sum(one.duration_s for one in own)
    covered = sum(one.coverage_share * one.duration_s for one in own)
    coverage_share = covered / seconds if seconds else 0.0
    return Evidence(_worst(own, coverage_share), coverage_share)


def told(run: Run) -> str:
    """'evidence A: energy counters or a node meter, almost all of the time; coverage 99.8%'; '' without a grade."""
    return str(Evidence(run.evidence, evidence(run.meters).coverage_share)) if run.evidence else ""


def _graded(meters: Sequence[MeterUsage]) -> Sequence[MeterUsage]:
    """The meters that a run's grade is about."""
    accelerators = [one for one in meters if one.meter.component == "accelerator"]
    nodes = [one for one in meters if one.meter.component == "node" and one.meter.origin != "default"]
    processors = [one for one in meters if one.meter.component == "cpu"]
    return accelerators or nodes or processors or meters


def _worst(own: Sequence[MeterUsage], coverage_share: float) -> str:
    grades = [_grade(one) for one in own]
    worst = max(grades, default="D")
    if worst in ("A", "B") and coverage_share < _LEAST_READ:
        return "C"
    return "B" if worst == "A" and coverage_share < LEAST_COVERAGE else worst


def _grade(one: MeterUsage) -> str:
    if one.meter.origin == "default":
        return "D"
    if one.meter.origin == "modelled":
        return "C"
    return "A" if one.meter.has_counter or one.meter.component == "node" else "B"
