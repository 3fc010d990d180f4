"""One screen: the answer first, then what drives it, then what was assumed and from where."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from footprint.report.layout import main_layout, to_narrow
from footprint.report.tables import Cell, Table
from footprint.report.terminal import aside, grid, heading, render
from footprint.report.wording import (
    MONEY_FIELDS,
    STATED,
    UNKNOWN,
    Entry,
    drivers,
    entries,
    hardware,
    is_third_party,
    ledger_by_doubt,
    once_each,
    origin_of,
    place,
    plain,
    reach,
    reported_hours,
    show_days,
    show_range,
    show_value,
    stated,
    title,
)
from footprint.values import Assumption, Footprint, Range, Sensitivity

SCREEN_LINES = 40
MAX_MEMBERS = 12
MAX_STATED = 2
_BAR_HALF = 14
_CONVENTION_FIELDS = (
    "facility_energy_kwh", "operational_location_kgco2e", "operational_market_kgco2e",
    "onsite_water_l", "offsite_water_l", "electricity_usd",
)  # fmt: skip
_SHORT = {
    "facility_energy_kwh": "Energy",
    "operational_location_kgco2e": "CO2e location",
    "operational_market_kgco2e": "CO2e market",
    "electricity_usd": "Electricity",
}
_DRIVERS = {
    "mfu": "MFU",
    "goodput": "Goodput",
    "pue": "PUE",
    "location_intensity_g_per_kwh": "Grid intensity",
}


def text(footprint: Footprint, width: int | None = None, color: bool = False) -> str:
    """A footprint for reading in a terminal, in at most 40 lines or so at 80 columns."""
    items: list[RenderableType] = [heading(title(footprint)), *_subtitle(footprint), Text()]
    if footprint.parts:
        items += [_members(footprint), Text()]
    items += [
        _run(footprint),
        *_layout(footprint),
        Text(),
        *_stages(footprint),
        _by_convention(footprint),
        Text(),
        _once(footprint),
        Text(),
    ]
    items += [*_stated(footprint), *_drivers(footprint), Text()]
    body = render(items, width, color)
    room = max(4, SCREEN_LINES - body.count("\n") - 2)
    return body + render(_ledger(footprint, room), width, color)


def _subtitle(footprint: Footprint) -> list[RenderableType]:
    where = " · ".join(words for words in (hardware(footprint), place(footprint)) if words)
    return [aside(where), aside("mid value (5th – 95th percentile)")]


def _members(footprint: Footprint) -> RenderableType:
    columns = ("model", "accelerator-hours", "reported", "facility energy", "CO2e total")
    fields = ("accelerator_hours", "facility_energy_kwh", "total_location_kgco2e")
    shown = footprint.parts[:MAX_MEMBERS]
    rows: list[tuple[Cell, ...]] = []
    for member in (*shown, footprint):
        name = "total" if member is footprint else member.name + (" *" if is_third_party(member) else "")
        values = {e.field: e.value for e in entries(member) if e.convention != "model-card"}
        hours, *others = (show_range(f, values[f], bounds=member is footprint and f == fields[0]) for f in fields)
        known = reported_hours(member)
        told = show_range("accelerator_hours", Range.exactly(known)) if known else UNKNOWN
        rows.append((name, hours, told, *others))
    if len(footprint.parts) > MAX_MEMBERS:
        rows.insert(-1, (f"and {len(footprint.parts) - MAX_MEMBERS} more", "", "", "", ""))
    return grid(Table(columns, tuple(rows)))


def _stages(footprint: Footprint) -> list[RenderableType]:
    """A row a stage, where there are several."""
    lines = footprint.usage.lines
    if len(lines) < 2 or footprint.parts:
        return []
    fields = ("accelerator_hours", "it_energy_kwh", "mfu")
    rows: list[tuple[Cell, ...]] = [
        (plain(line.name), line.accelerator, *(show_range(f, getattr(line, f), bounds=False) for f in fields))
        for line in lines[:MAX_MEMBERS]
    ]
    if len(lines) > MAX_MEMBERS:
        rows.append((f"and {len(lines) - MAX_MEMBERS} more", "", "", "", ""))
    return [grid(Table(("stage", "accelerator", "hours", "IT energy", "MFU"), tuple(rows))), Text()]


def _run(footprint: Footprint) -> RenderableType:
    usage = footprint.usage
    counts = {line.accelerator_count for line in usage.lines if line.kind != "development"}
    at = f"on {next(iter(counts)):,} accelerators" if len(counts) == 1 and None not in counts else ""
    rows: list[tuple[Cell, ...]] = [
        ("Accelerator-hours", show_range("accelerator_hours", usage.accelerator_hours), ""),
        ("Training FLOP", show_range("training_flop", usage.training_flop).removesuffix(" FLOP"), ""),
    ]
    if not footprint.parts:
        hint = at if usage.wall_clock_h else "give a count to know it"
        rows.insert(1, ("Duration", show_days(usage.wall_clock_h), hint))
    if usage.coverage_share is not None:
        rows.append(("Measured share", show_range("coverage_share", Range.exactly(usage.coverage_share)), ""))
    return grid(Table(("", " ", "  "), tuple(rows)))


def _layout(footprint: Footprint) -> list[RenderableType]:
    layout = main_layout(footprint)
    return [aside(f"Layout: {layout}")] if layout else []


def _by_convention(footprint: Footprint) -> RenderableType:
    values = {(e.field, e.convention): e for e in entries(footprint)}
    rows: list[tuple[Cell, ...]] = []
    for field in _CONVENTION_FIELDS:
        pair = [values[field, convention] for convention in ("facility", "model-card")]
        label = _SHORT.get(field, pair[0].label)
        if field == "operational_market_kgco2e" and pair[0].value is not None:
            label += " (claimed)"
        rows.append((label, *(show_range(field, entry.value) for entry in pair)))
    return grid(Table(("by convention", "facility", "model-card"), tuple(rows)))


def _once(footprint: Footprint) -> RenderableType:
    """What does not depend on the convention: embodied carbon, totals, money."""
    found = {e.field: e for e in entries(footprint) if not e.convention}
    rows: list[tuple[Cell, ...]] = [
        ("CO2e embodied", show_range("embodied_kgco2e", footprint.embodied_kgco2e), "making the hardware"),
        (
            "CO2e total",
            show_range("total_location_kgco2e", footprint.total_location_kgco2e),
            "facility, location-based",
        ),
    ]
    unknown = [found[field] for field in MONEY_FIELDS if found[field].value is None]
    notes = {"ownership_usd": "capital and electricity"}
    rows += [
        (found[field].label, show_range(field, found[field].value), notes.get(field, "list price"))
        for field in MONEY_FIELDS
        if found[field].value is not None
    ]
    if unknown:
        rows.append((UNKNOWN.capitalize(), _prices(unknown), ""))
    return grid(Table(("", " ", "  "), tuple(rows)))


def _prices(unknown: list[Entry]) -> str:
    """The prices that the catalog lacks, in one breath: 'rental on demand, spot'."""
    rentals = [e.label.removeprefix("Rental ") for e in unknown if e.label.startswith("Rental")]
    others = [e.label.lower() for e in unknown if not e.label.startswith("Rental")]
    return ", ".join((["rental " + ", ".join(rentals)] if rentals else []) + others)


def _stated(footprint: Footprint) -> list[RenderableType]:
    """The makers' own figures, to hold the estimate against."""
    rows = stated(footprint)
    if not rows or footprint.parts:
        return []
    shown = tuple((model, figures) for model, figures, _ in rows[:MAX_STATED])
    return [heading(STATED), grid(Table(("", " "), shown)), Text()]


def _drivers(footprint: Footprint) -> list[RenderableType]:
    label, movers = drivers(footprint)
    if movers:
        return [heading(f"What drives {label}"), bars(movers), aside(to_narrow(movers))]
    values: dict[str, Range | None] = {name: getattr(footprint.site, name, None) for name in _DRIVERS}
    main = max(footprint.usage.lines, key=lambda line: line.accelerator_hours.mid, default=None)
    if main is not None and not footprint.parts:
        values.update(mfu=main.mfu, goodput=main.goodput)
    rows = [
        (label, show_range(name, values[name]), origin_of(footprint, name))
        for name, label in _DRIVERS.items()
        if values[name] is not None
    ]
    return [heading("What drives it"), grid(Table(("", " ", "  "), tuple(rows)))]


def bars(sensitivities: list[Sensitivity], most: int = 6) -> RenderableType:
    """One bar an input: how far the output goes when the input goes to its low and to its high end."""
    longest = reach(sensitivities[0])
    rows: list[tuple[Cell, ...]] = []
    for s in sensitivities[:most]:
        low, high = sorted((s.output_at_low_ratio - 1, s.output_at_high_ratio - 1))
        left = round(-min(low, 0.0) / longest * _BAR_HALF)
        right = round(max(high, 0.0) / longest * _BAR_HALF)
        bar = " " * (_BAR_HALF - left) + "█" * left + "│" + "█" * right + " " * (_BAR_HALF - right)
        rows.append((s.field, f"{low:+.0%}", bar, f"{high:+.0%}"))
    return grid(Table(("", " ", "  ", "   "), tuple(rows), right=frozenset({" ", "   "})), cut="")


def _ledger(footprint: Footprint, room: int) -> list[RenderableType]:
    ledger = [a for a, _ in once_each(ledger_by_doubt(footprint))]
    if not ledger:
        return []
    shown = ledger if len(ledger) <= room else ledger[: room - 1]
    rows = tuple(_row(a) for a in shown)
    items: list[RenderableType] = [grid(Table(("assumed", "value", "origin", "source"), rows))]
    if len(shown) < len(ledger):
        items.append(aside(f"and {len(ledger) - len(shown)} more, all with their sources: footprint explain"))
    return items


def _row(assumption: Assumption) -> tuple[Cell, ...]:
    value = show_value(assumption.field, assumption.value)
    short = value if len(value) <= 34 else value[:33] + "…"
    return plain(assumption.field), short, assumption.origin, assumption.source
