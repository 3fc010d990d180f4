"""Groups of a site's jobs in a month, their rows, and the row of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from footprint.accounting.metered import total
from footprint.fleet.months_bills import Bill
from footprint.fleet.months_sums import Priced, Sum
from footprint.studies import Drawn, JobsPart, JobsRow
from footprint.values import Range

__all__ = ["IDLE", "USEFUL", "Group", "row_of", "shares", "total_of"]

USEFUL, IDLE, WHOLE = "useful", "idle", "all"


@dataclass(slots=True)
class Group:
    """What is added up of one group in one month."""

    parts: dict[str, Sum] = field(default_factory=dict)
    jobs: set[tuple[str, str]] = field(default_factory=set)
    starts: set[int] = field(default_factory=set)  # by line: one across the month's end is in both
    grades: dict[str, float] = field(default_factory=dict)
    bill: Bill = field(default_factory=Bill)
    knows_idle: bool = False

    def part(self, name: str) -> Sum:
        return self.parts.setdefault(name, Sum())

    def take(self, other: Group) -> None:
        for name, one in other.parts.items():
            self.part(name).take(one)
        self.jobs |= other.jobs
        self.starts |= other.starts
        for grade, kwh in other.grades.items():
            self.grades[grade] = self.grades.get(grade, 0.0) + kwh
        self.bill.take(other.bill)
        self.knows_idle |= other.knows_idle


def row_of(name: str, month: str, group: Group, priced: Priced) -> JobsRow:
    whole = Sum()
    for part in group.parts.values():
        whole.take(part)
    whole.start_count -= group.parts[IDLE].start_count if IDLE in group.parts else 0
    found, drawn = priced.part(WHOLE, whole)
    early = [(state, part) for state, part in group.parts.items() if state not in (USEFUL, IDLE)]
    parts = [priced.part(state, part)[0] for state, part in early]
    idle = priced.part(IDLE, group.part(IDLE))[0] if group.knows_idle else None
    return JobsRow(
        group=name,
        month=month,
        job_count=len(group.jobs),
        whole=found,
        drawn=drawn,
        useful=priced.part(USEFUL, group.part(USEFUL))[0],
        idle=idle,
        ended_early=tuple(sorted(parts, key=lambda part: (-part.it_energy_kwh.mid, part.name))),
        grade_share=shares(group.grades),
        billing_count=group.bill.units,
        charge_usd=group.bill.usd,
    )


def shares(grades: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    whole = sum(grades.values())
    return tuple((grade, kwh / whole) for grade, kwh in sorted(grades.items())) if whole else ()


def total_of(
    months: Sequence[JobsRow], job_count: int, start_count: int, shares: tuple[tuple[str, float], ...]
) -> JobsRow:
    """Months added up: each was assessed with its own hours of the grid."""
    states = dict.fromkeys(part.name for row in months for part in row.ended_early)
    early = [
        _summed(state, [part for row in months for part in row.ended_early if part.name == state]) for state in states
    ]
    idle = [row.idle for row in months if row.idle is not None]
    names = dict.fromkeys(one.name for row in months for one in row.drawn)
    bills = [row.billing_count for row in months if row.billing_count is not None]
    charges = [row.charge_usd for row in months if row.charge_usd is not None]
    return JobsRow(
        group="",
        month="",
        job_count=job_count,
        whole=replace(_summed(WHOLE, [row.whole for row in months]), start_count=start_count),
        drawn=tuple(
            Drawn(name, total(one.it_energy_kwh for row in months for one in row.drawn if one.name == name))
            for name in names
        ),
        useful=_summed(USEFUL, [row.useful for row in months]),
        idle=_summed(IDLE, idle) if idle else None,
        ended_early=tuple(sorted(early, key=lambda part: (-part.it_energy_kwh.mid, part.name))),
        grade_share=shares,
        billing_count=sum(bills) if bills else None,
        charge_usd=sum(charges) if charges else None,
    )


def _summed(name: str, parts: Sequence[JobsPart]) -> JobsPart:
    def added(field: str) -> Range | None:
        values = [getattr(part, field) for part in parts]
        return None if not values or any(value is None for value in values) else total(values)

    return JobsPart(
        name=name,
        start_count=sum(part.start_count for part in parts),
        accelerator_hours=sum(part.accelerator_hours for part in parts),
        it_energy_kwh=total(part.it_energy_kwh for part in parts),
        facility_energy_kwh=total(part.facility_energy_kwh for part in parts),
        operational_location_kgco2e=total(part.operational_location_kgco2e for part in parts),
        operational_market_kgco2e=added("operational_market_kgco2e"),
        electricity_usd=added("electricity_usd"),
    )
