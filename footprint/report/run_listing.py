"""Many runs as tables: a line a run, totals of a name, project, tag, month or status, folders that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from footprint.report.run_wording import label, percent, utc
from footprint.report.tables import Cell, Table
from footprint.report.wording import UNKNOWN, plain, show_range
from footprint.store.entries import Entry, Total
from footprint.units import show_number
from footprint.values import Range

NONE = "(none)"
LEAST_COLUMNS = 6
"""Of a run, which stand there on any screen."""
_RANGED = (
    "it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "total_location_kgco2e", "electricity_usd",
)  # fmt: skip
_SHORT = len("2026-11-03T08:00")
_LONGEST_HANDLE, _NARROW_HANDLE, _LONGEST_NAME = 24, 16, 28


def entries(found: Sequence[Entry], handles: Mapping[str, str], wide: bool) -> Table:
    """What readers see of each run: what to call it by, how it ended, when, how much."""
    columns: tuple[str, ...] = ("run", "name", "status", "started", "facility\nenergy", "CO2e\ntotal")
    if wide:
        columns += ("grade", "electricity", "hours", "accelerators", "project", "tags")
    rows = tuple(_entry(one, handles.get(one.id, one.id), wide) for one in found)
    return Table(columns, rows, right=frozenset({"hours"}))


def _entry(one: Entry, handle: str, wide: bool) -> tuple[Cell, ...]:
    row = (
        _called(one, handle, _LONGEST_HANDLE if wide else _NARROW_HANDLE),
        _cut(one.name, _LONGEST_NAME) if wide else plain(one.name),
        plain(one.status),
        _minute(one.started_utc_s),
        show_range("facility_energy_kwh", one.facility_energy_kwh, bounds=False),
        show_range("total_location_kgco2e", one.total_location_kgco2e, bounds=False),
    )
    if not wide:
        return row
    count = f"{one.accelerator_count:,} × " if one.accelerator_count else ""
    return (
        *row,
        plain(one.evidence),
        _bill(one.electricity_usd),
        show_number(one.accelerator_hours),
        f"{count}{plain(one.accelerator)}",
        _cut(one.project, _LONGEST_NAME),
        ", ".join(plain(tag) for tag in one.tags),
    )


def _called(one: Entry, handle: str, most: int) -> str:
    """What to call a run by; where that is too long, the beginning of its id, which will do too."""
    return plain(handle) if len(plain(handle)) <= most else _cut(one.id, most)


def _cut(text: str, most: int) -> str:
    shown = plain(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _minute(seconds: float) -> str:
    return utc(seconds)[:_SHORT] + "Z"


def _bill(value: Range | None) -> str:
    return UNKNOWN if value is None else show_range("electricity_usd", value, bounds=False)


def recovered(found: Sequence[Entry], handles: Mapping[str, str]) -> Table:
    """Runs that were cut off, and what is known of them."""
    columns = ("run", "name", "began", "last reading", "IT energy", "hours")
    rows = tuple(
        (
            _called(one, handles.get(one.id, one.id), _NARROW_HANDLE),
            plain(one.name),
            _minute(one.started_utc_s),
            _minute(one.ended_utc_s),
            show_range("it_energy_kwh", one.it_energy_kwh, bounds=False),
            show_number(one.accelerator_hours),
        )
        for one in found
    )
    return Table(columns, rows, right=frozenset(columns[5:]))


def called(one: Entry) -> str:
    """A run in a sentence: its name, its id and what it drew."""
    energy = show_range("facility_energy_kwh", one.facility_energy_kwh, bounds=False)
    return f"{plain(one.name)} ({plain(one.id)}, {energy})"


def totals(found: Sequence[Total], by: str | None, wide: bool) -> Table:
    """A line a group, and how many runs' bills are not in the sum."""
    columns = (by or "", "runs", "facility energy", "share", "CO2e total", "electricity", "hours")
    whole = sum(one.facility_energy_kwh.mid for one in found)
    rows = tuple(
        (
            plain(one.key) or (NONE if by else "all"),
            f"{one.run_count:,}",
            show_range("facility_energy_kwh", one.facility_energy_kwh, bounds=wide),
            percent(one.facility_energy_kwh.mid / whole) if whole and by not in (None, "tag") else "",
            show_range("total_location_kgco2e", one.total_location_kgco2e, bounds=wide),
            _bill(one.electricity_usd) + _unpriced(one),
            show_number(one.accelerator_hours),
        )
        for one in found
    )
    return Table(columns, rows, right=frozenset({"runs", "share", "hours"}))


def _unpriced(one: Total) -> str:
    return f" ({one.priced_count} of {one.run_count})" if 0 < one.priced_count < one.run_count else ""


def summary(whole: Sequence[Total], bounds: bool = True) -> str:
    """All runs that are listed, in one line; empty where there are none."""
    if not whole:
        return ""
    (one,) = whole
    told = [
        f"{one.run_count:,} run{'' if one.run_count == 1 else 's'}",
        f"{show_number(one.accelerator_hours)} accelerator-hours",
        show_range("facility_energy_kwh", one.facility_energy_kwh, bounds),
        show_range("total_location_kgco2e", one.total_location_kgco2e, bounds),
    ]
    if one.electricity_usd is not None:
        told.append(_bill(one.electricity_usd) + _unpriced(one))
    return " · ".join(told)


def remarks(whole: Sequence[Total], by: str | None) -> list[str]:
    """What a reader of totals must know."""
    found = []
    for one in whole:
        if one.counted_elsewhere_it_energy_kwh:
            left = show_range("it_energy_kwh", Range.exactly(one.counted_elsewhere_it_energy_kwh))
            found.append(f"{left} of IT energy are counted by other runs already and left out of the totals")
        if one.priced_count < one.run_count:
            found.append(f"electricity is not known for {one.run_count - one.priced_count} of {one.run_count} runs")
    if by == "tag":
        found.append("a run with several tags is in the total of each")
    return found


def broken(skipped: Sequence[tuple[Path, str]]) -> list[str]:
    """Folders that cannot be read, and why."""
    return [f"{plain(folder.name)} cannot be read: {plain(told)}" for folder, told in skipped]


# for machines


def entry_numbers(found: Sequence[Entry]) -> Table:
    """One row a run, unrounded, each quantity in three columns."""
    columns = (
        "id", "kind", "name", "project", "tags", "status", "started_utc", "ended_utc", "hosts", "accelerator",
        "accelerator_count", "accelerator_hours", *_ended(), "rental_usd", "tokens", "mfu", "coverage_share",
        "own_energy_share", "own_hours_share", "evidence",
    )  # fmt: skip
    texts = frozenset((*columns[:10], "evidence"))
    rows = tuple(
        (
            *map(label, (one.id, one.kind, one.name, one.project, " ".join(one.tags), one.status)),
            utc(one.started_utc_s),
            utc(one.ended_utc_s),
            *map(label, (" ".join(one.hosts), one.accelerator)),
            one.accelerator_count,
            one.accelerator_hours,
            *_ends(one),
            one.rental_usd,
            one.tokens,
            one.mfu,
            one.coverage_share,
            one.own_energy_share,
            one.own_hours_share,
            label(one.evidence),
        )
        for one in found
    )
    return Table(columns, rows, right=frozenset(columns) - texts)


def total_numbers(found: Sequence[Total], by: str | None) -> Table:
    """One row a group, unrounded, each quantity in three columns."""
    columns = (
        by or "total", "run_count", "accelerator_hours", *_ended(), "tokens", "priced_count",
        "counted_elsewhere_it_energy_kwh",
    )  # fmt: skip
    rows = tuple(
        (
            label(one.key),
            one.run_count,
            one.accelerator_hours,
            *_ends(one),
            one.tokens,
            one.priced_count,
            one.counted_elsewhere_it_energy_kwh,
        )
        for one in found
    )
    return Table(columns, rows, right=frozenset(columns[1:]))


def _ended() -> tuple[str, ...]:
    return tuple(name for field in _RANGED for name in (f"{field}_low", field, f"{field}_high"))


def _ends(one: Entry | Total) -> tuple[float | None, ...]:
    values: list[Range | None] = [getattr(one, field) for field in _RANGED]
    return tuple(end for v in values for end in ((None, None, None) if v is None else (v.low, v.mid, v.high)))
