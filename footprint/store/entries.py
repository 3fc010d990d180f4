"""What a ledger answers: one line a run or plan, totals of many, and what was found when it caught up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from footprint.values import Range

RUN, PLAN, IMPORTED = "run", "plan", "imported"
KINDS = (RUN, IMPORTED, PLAN)
PLANNED = "planned"
"""The status of a plan."""

GROUPS = ("name", "project", "tag", "month", "status")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run or plan, as it stands in the ledger. Shares are what no other run counts already."""

    id: str
    kind: str
    name: str
    project: str
    tags: tuple[str, ...]
    status: str
    started_utc_s: float
    ended_utc_s: float
    hosts: tuple[str, ...]
    accelerator: str
    accelerator_count: int | None
    accelerator_hours: float
    it_energy_kwh: Range
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    total_location_kgco2e: Range
    electricity_usd: Range | None
    rental_usd: float | None
    tokens: float | None
    mfu: float | None
    coverage_share: float | None
    own_energy_share: float
    own_hours_share: float
    evidence: str = ""  # A to D: how well its energy is known; empty for plans, and where nobody graded it


@dataclass(frozen=True, slots=True)
class Total:
    """Runs of one name, project, tag, month or status, added up. Ends are added as if all erred the same way."""

    key: str
    run_count: int
    accelerator_hours: float
    it_energy_kwh: Range
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    total_location_kgco2e: Range
    electricity_usd: Range | None
    tokens: float | None
    priced_count: int  # runs whose bill is known; the others are not in `electricity_usd`
    counted_elsewhere_it_energy_kwh: float = 0.0  # left out here: another run has it


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are meant. What is None or empty does not matter; times are those of the start."""

    name: str | None = None  # * and ? stand for any letters and any letter
    project: str | None = None
    tags: tuple[str, ...] = ()  # all of them
    status: str | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a ledger found among the journals."""

    read: tuple[str, ...]  # ids of the runs that were new or had changed
    skipped: tuple[tuple[Path, str], ...]  # folders that cannot be read, and why
    notes: tuple[str, ...] = ()  # what the ledger does not hold, or holds otherwise than these journals tell


ALL = Filter()
