"""The months of a site as tables: a line a group, waste apart, for eyes and for machines."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import RenderableType

from footprint.report import terminal
from footprint.report.run_wording import label, percent
from footprint.report.tables import Cell, Table
from footprint.report.wording import UNKNOWN, plain, show_range
from footprint.studies import JobsPart, JobsRow, JobsTable
from footprint.units import scale_for
from footprint.values import Range

__all__ = [
    "counted",
    "cut",
    "flat",
    "grades",
    "halves",
    "headline",
    "hours",
    "numbers",
    "readable",
    "remarks",
    "text",
    "title",
    "waste",
    "wasted_share",
]

TOTAL = "total"
_MOST_REMARKS = 8
_FEW = 3
_FIRST_RANKS = 4
_LITTLE_MONEY, _CENTS = 100.0, 2
_LONGEST_GROUP = 24
_SPACE = 2
_RANGED = (
    "it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "operational_market_kgco2e",
)  # fmt: skip


def text(table: JobsTable, width: int | None = None, color: bool = False) -> str:
    """Everything on a terminal: what it is, a line a group, what was wasted."""
    columns = width or shutil.get_terminal_size().columns
    items: list[RenderableType] = [terminal.heading(title(table)), *(terminal.aside(line) for line in headline(table))]
    for found, cut_column in ((readable(table, columns), table.by), (waste(table), "ended")) if table.rows else ():
        items += [terminal.aside(""), terminal.grid(found, cut_column)]
    return terminal.render(items, columns, color)


def title(table: JobsTable) -> str:
    """'tanager, 2026-10, by account'."""
    months = list(dict.fromkeys(row.month for row in table.rows)) or _asked_months(table)
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    return ", ".join(one for one in (plain(table.name), span, f"by {table.by}") if one)


def headline(table: JobsTable) -> list[str]:
    """The sum in words, and what it rests on."""
    whole, all_jobs = table.total.whole, table.total
    if not table.rows:
        begun, ended = _at(table.started_utc_s, table), _at(table.ended_utc_s, table)
        return [f"no job with accelerators between {begun:%Y-%m-%d} and {ended:%Y-%m-%d}"]
    sums = [
        f"{counted(all_jobs.job_count, 'job')} in {counted(whole.start_count, 'start')}",
        f"{hours(whole.accelerator_hours)} accelerator-hours",
        f"facility {show_range('facility_energy_kwh', whole.facility_energy_kwh)}",
        f"operation {show_range('operational_location_kgco2e', whole.operational_location_kgco2e)}",
    ]
    site, drawn = table.site, {one.name: one.it_energy_kwh for one in all_jobs.drawn}
    told = ", ".join(f"{name} {show_range('it_energy_kwh', kwh, bounds=False)}" for name, kwh in drawn.items())
    sums.insert(2, f"IT {show_range('it_energy_kwh', whole.it_energy_kwh, bounds=False)} ({told})")
    rests = [
        f"PUE {show_range('pue', site.pue, bounds=False)}",
        f"{plain(site.zone)} {show_range('location_intensity_g_per_kwh', site.location_intensity_g_per_kwh, False)}",
        f"evidence {grades(all_jobs)}",
    ]
    return ["; ".join(sums), "; ".join(rests)]


def grades(row: JobsRow) -> str:
    """'A 93% D 7%': of the accelerators' energy."""
    return " ".join(f"{grade} {_share(share)}" for grade, share in row.grade_share)


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _asked_months(table: JobsTable) -> list[str]:
    """The first and the last month that were asked for; an end at midnight is the day's before."""
    last_s = max(table.ended_utc_s - 1, table.started_utc_s)
    return list(dict.fromkeys(f"{_at(at_s, table):%Y-%m}" for at_s in (table.started_utc_s, last_s)))


def _at(utc_s: float, table: JobsTable) -> datetime:
    return datetime.fromtimestamp(utc_s, ZoneInfo(table.timezone))


# a line a group


@dataclass(frozen=True, slots=True)
class _Scale:
    """One unit and as many decimals for a whole column, by its largest value."""

    divisor: float
    unit: str
    decimals: int

    @classmethod
    def of(cls, field: str, values: Iterable[Range | None]) -> _Scale:
        largest = max((value.mid for value in values if value is not None), default=0.0)
        divisor, unit = scale_for(field, largest)
        before = math.floor(math.log10(largest / divisor)) if largest else 0
        return cls(divisor, unit, max(0, _FEW - 1 - before))

    def number(self, value: float) -> str:
        shown = f"{value / self.divisor:,.{self.decimals}f}"
        return (
            f"< {10.0**-self.decimals:.{self.decimals}f}" if value > 0 and not float(shown.replace(",", "")) else shown
        )

    def cell(self, value: Range | None, bounds: bool = False) -> str:
        if value is None:
            return UNKNOWN
        low, mid, high = (self.number(end) for end in (value.low, value.mid, value.high))
        return mid if not bounds or low == high else f"{mid} ({low}–{high})"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table; those of the lowest rank stand there whatever the width."""

    head: str
    cell: Callable[[JobsRow], Cell]
    rank: int = 0
    is_number: bool = True


def readable(table: JobsTable, width: int | None = None) -> Table:
    """A line a group and month, and the total: rounded, each column in one unit; as many columns as the width takes."""
    found = _columns(table)
    if width is not None:
        cells = {one.head: [str(one.cell(row)) for row in (*table.rows, table.total)] for one in found}
        found = _fitting(found, {head: max(map(_length, (head, *own))) for head, own in cells.items()}, width)
    return _lines(found, table)


def halves(table: JobsTable) -> tuple[Table, Table]:
    """The same lines twice, all columns in two tables that a page takes: what is asked for first, and the rest."""
    found = _columns(table)
    names = [one for one in found if one.head in (table.by, "month")]
    first, rest = ([one for one in found if (one.rank > _FIRST_RANKS) is is_rest] for is_rest in (False, True))
    return _lines(first, table), _lines([*names, *rest], table)


def _lines(columns: Sequence[_Column], table: JobsTable) -> Table:
    rows = tuple(tuple(one.cell(row) for one in columns) for row in (*table.rows, table.total))
    right = frozenset(one.head for one in columns if one.is_number)
    return Table(tuple(one.head for one in columns), rows, title(table), right)


def _length(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _fitting(columns: Sequence[_Column], widths: dict[str, int], width: int) -> list[_Column]:
    """Those that must, then others by rank as long as there is room."""
    chosen = [one for one in columns if not one.rank]
    room = width - sum(widths[one.head] + _SPACE for one in chosen)
    for one in sorted((one for one in columns if one.rank), key=lambda one: one.rank):
        if widths[one.head] + _SPACE <= room:
            chosen.append(one)
            room -= widths[one.head] + _SPACE
    return [one for one in columns if one in chosen]


def _columns(table: JobsTable) -> list[_Column]:
    whole, money = table.total.whole, plain(table.currency)
    energy = _Scale.of("facility_energy_kwh", (row.whole.facility_energy_kwh for row in table.rows))
    it = _Scale.of("it_energy_kwh", (row.whole.it_energy_kwh for row in table.rows))
    carbon = _Scale.of("operational_location_kgco2e", (row.whole.operational_location_kgco2e for row in table.rows))
    found = [_Column(table.by, lambda row: TOTAL if row is table.total else cut(row.group), is_number=False)]
    if len({row.month for row in table.rows}) > 1 and table.by != "month":
        found.append(_Column("month", lambda row: row.month, is_number=False))
    found += [
        _Column("jobs", lambda row: f"{row.job_count:,}", 3),
        _Column("starts", lambda row: f"{row.whole.start_count:,}", 5),
        _Column("accel.\nhours", lambda row: hours(row.whole.accelerator_hours), 1),
        _Column(f"accel.\nIT {it.unit}", lambda row: it.cell(_drawn(row, "accelerators"), bounds=True), 8),
        _Column(f"hosts\nIT {it.unit}", lambda row: it.cell(_drawn(row, "hosts"), bounds=True), 9),
        _Column(f"facility\n{energy.unit}", lambda row: energy.cell(row.whole.facility_energy_kwh, bounds=True)),
        _Column(f"{carbon.unit}\nlocation", lambda row: carbon.cell(row.whole.operational_location_kgco2e)),
    ]
    if whole.operational_market_kgco2e is not None:
        found.append(_Column(f"{carbon.unit}\nmarket", lambda row: carbon.cell(row.whole.operational_market_kgco2e), 6))
    found.append(_Column(f"electr.\n{money}", lambda row: _money(row.whole.electricity_usd, table), 2))
    if table.total.billing_count is not None:
        unit = cut(table.billing_unit).replace(" ", "\n", 1)
        found.append(_Column(f"{unit}s", lambda row: _count(row.billing_count), 7))
    if table.total.charge_usd is not None:
        found.append(_Column(f"charge\n{money}", lambda row: _charge(row, table), 4))
    found.append(_Column("waste", lambda row: _share(wasted_share(row))))
    found.append(_Column("evidence", grades, is_number=False))
    return found


def _share(value: float) -> str:
    return "< 0.1%" if value > 0 and percent(value) == "0.0%" else percent(value)


def hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or not value else "< 1"


def _drawn(row: JobsRow, name: str) -> Range | None:
    return next((one.it_energy_kwh for one in row.drawn if one.name == name), None)


def wasted_share(row: JobsRow) -> float:
    """Of a row's facility energy: what ended early and what was held idle."""
    whole = row.whole.facility_energy_kwh.mid
    parts = (*row.ended_early, *([row.idle] if row.idle is not None else []))
    return sum(part.facility_energy_kwh.mid for part in parts) / whole if whole else 0.0


def _money(value: Range | None, table: JobsTable) -> str:
    whole = table.total.whole.electricity_usd
    return UNKNOWN if value is None or whole is None else _amount(value.mid, whole.mid, table)


def _charge(row: JobsRow, table: JobsTable) -> str:
    return "" if row.charge_usd is None else _amount(row.charge_usd, table.total.charge_usd or 0.0, table)


def _amount(usd: float, whole_usd: float, table: JobsTable) -> str:
    """In the table's currency; with its hundredths where the whole is so little that rows would vanish beside it."""
    value, decimals = usd / table.currency_usd, 0 if whole_usd >= _LITTLE_MONEY * table.currency_usd else _CENTS
    least = 10.0**-decimals
    return f"< {least:.{decimals}f}" if 0 < value < least else f"{value:,.{decimals}f}"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1 or not value else "< 1"


def cut(name: str) -> str:
    """A name as long as a column takes."""
    shown = plain(name)
    return shown if len(shown) <= _LONGEST_GROUP else shown[: _LONGEST_GROUP - 1] + "…"


# waste


def waste(table: JobsTable) -> Table:
    """What was of use, and apart from it what was not, over all groups."""
    total = table.total
    parts: list[tuple[str, JobsPart]] = [("well, at work", total.useful)]
    if total.idle is not None:
        parts.append(("well, held idle", total.idle))
    parts += [(plain(part.name), part) for part in total.ended_early]
    energy = _Scale.of("facility_energy_kwh", (part.facility_energy_kwh for _, part in parts))
    carbon = _Scale.of("operational_location_kgco2e", (part.operational_location_kgco2e for _, part in parts))
    whole = total.whole.facility_energy_kwh.mid
    columns = (
        "ended", "starts", "accel.\nhours", f"facility\n{energy.unit}", f"{carbon.unit}\nlocation",
        f"electr.\n{plain(table.currency)}", "share",
    )  # fmt: skip
    rows = tuple(
        (
            name,
            f"{part.start_count:,}",
            hours(part.accelerator_hours) if part.accelerator_hours else "",
            energy.cell(part.facility_energy_kwh, bounds=True),
            carbon.cell(part.operational_location_kgco2e),
            _money(part.electricity_usd, table),
            _share(part.facility_energy_kwh.mid / whole) if whole else "",
        )
        for name, part in parts
    )
    return Table(columns, rows, "Of this energy", frozenset(columns[1:]))


def remarks(table: JobsTable, most: int = _MOST_REMARKS) -> list[str]:
    """How it was counted, what is not in it, and what to know."""
    found = [
        "of a job only what lies inside its month is counted: energy by its metrics there, else by time",
        "what ended early may have been of use, by its checkpoints: SLURM does not know",
        "of devices held idle their own energy is apart, not their hosts': nothing tells when they were",
    ]
    if table.total.idle is None:
        found[-1] = "nothing tells which devices were held idle: that needs metrics, or comments of jobstats"
    found = found if table.rows else []
    found += [plain(note) for note in table.notes]
    found += [f"in no row: {plain(where)}: {plain(why)}" for where, why in table.skipped[:most]]
    more = len(table.skipped) - most
    return [*found, f"and {more:,} more are in no row: see --format json"] if more > 0 else found


# for machines


def numbers(table: JobsTable) -> Table:
    """A row a group and month and one for all, unrounded; units stand in the columns' names."""
    states = dict.fromkeys(part.name for row in (*table.rows, table.total) for part in row.ended_early)
    money = "".join(c for c in table.currency.casefold() if c.isalnum())
    columns = (
        "month", table.by if table.by != "month" else "group", "job_count", "start_count", "accelerator_hours",
        *_named("accelerators_it_energy_kwh"), *_named("hosts_it_energy_kwh"),
        *(name for field in _RANGED for name in _named(field)), *_named(f"electricity_{money}"),
        f"charge_{money}", "billing_units_count",
        *_named("useful_facility_energy_kwh"), *_named("idle_it_energy_kwh"), *_named("idle_facility_energy_kwh"),
        *(name for state in states for name in _named(f"ended_early_{label(state)}_facility_energy_kwh")),
        *(f"evidence_{grade}_share" for grade in "ABCD"),
    )  # fmt: skip
    rows = tuple(_numbers(row, table, states) for row in (*table.rows, table.total))
    return Table(columns, rows, title(table), frozenset(columns[2:]))


def _numbers(row: JobsRow, table: JobsTable, states: Iterable[str]) -> tuple[Cell, ...]:
    whole, idle, share = row.whole, row.idle, dict(row.grade_share)
    early = {part.name: part.facility_energy_kwh for part in row.ended_early}
    is_total = row is table.total
    return (
        "all" if is_total else row.month,
        TOTAL if is_total else label(row.group),
        row.job_count,
        whole.start_count,
        whole.accelerator_hours,
        *_ends(_drawn(row, "accelerators")),
        *_ends(_drawn(row, "hosts")),
        *(end for field in _RANGED for end in _ends(getattr(whole, field))),
        *_ends(whole.electricity_usd, table.currency_usd),
        None if row.charge_usd is None else row.charge_usd / table.currency_usd,
        row.billing_count,
        *_ends(row.useful.facility_energy_kwh),
        *_ends(None if idle is None else idle.it_energy_kwh),
        *_ends(None if idle is None else idle.facility_energy_kwh),
        *(end for state in states for end in _ends(early.get(state))),
        *(share.get(grade, 0.0) for grade in "ABCD"),
    )


def _named(field: str) -> tuple[str, str, str]:
    return f"{field}_low", field, f"{field}_high"


def _ends(value: Range | None, over: float = 1.0) -> Sequence[float | None]:
    return (None,) * 3 if value is None else tuple(end / over for end in (value.low, value.mid, value.high))


def flat(table: Table) -> Table:
    """Heads on one line."""
    heads = {name: name.replace("\n", " ") for name in table.columns}
    return Table(tuple(heads.values()), table.rows, table.title, frozenset(heads[name] for name in table.right))
