"""Tables that only a page has: the numbers beside its pictures, coverage and gaps, the two conventions."""

from __future__ import annotations

from collections.abc import Iterator

from footprint.report import run_tables
from footprint.report.layout import stage_words
from footprint.report.run_wording import by_hours, duration, is_by_accelerators, kind_of, percent, short, short_id, utc
from footprint.report.tables import Cell, Table
from footprint.report.wording import (
    IMPACT_FIELDS,
    MONEY_FIELDS,
    OTHER_FIELDS,
    Entry,
    drivers,
    entries,
    impacts,
    ledger_by_doubt,
    once_each,
    plain,
    show_range,
    show_value,
    stated,
    title,
)
from footprint.studies import Answer
from footprint.units import S_PER_H, show
from footprint.values import Footprint, MeterUsage, Run

MOST_HOURS, MOST_GAPS = 48, 100
RANGED = "mid (5th – 95th percentile)"


def by_convention(footprint: Footprint) -> Table:
    """Every quantity that differs between the two energy conventions."""
    found: dict[str, list[Entry]] = {}
    for entry in entries(footprint):
        if entry.convention:
            found.setdefault(entry.field, []).append(entry)
    rows = tuple(
        (found[field][0].label, *(show_range(field, e.value) for e in found[field])) for field in IMPACT_FIELDS
    )
    return Table(("quantity", *(impact.convention for impact in impacts(footprint))), rows)


def parts_of(answer: Answer) -> Table:
    """What each part of the equipment adds."""
    fields = ("facility_energy_kwh", "operational_location_kgco2e", "embodied_kgco2e", "total_location_kgco2e")
    whole = answer.footprint
    total = (whole.facility.facility_energy_kwh, whole.facility.operational_location_kgco2e, whole.embodied_kgco2e)
    rows = [("total", *map(show_range, fields, (*total, whole.total_location_kgco2e)))]
    for part in answer.parts:
        values = [getattr(part, field) for field in fields]
        rows.append(
            (plain(part.name), *("" if v is None else show_range(f, v) for f, v in zip(fields, values, strict=True)))
        )
    columns = ("part", "facility energy", "CO2e operational", "CO2e embodied", "CO2e both")
    return Table(columns, tuple(rows))


def others(footprint: Footprint) -> Table:
    """What both conventions agree on: embodied carbon, totals, money."""
    found = {e.field: e for e in entries(footprint)}
    chosen = [f for f in OTHER_FIELDS if found[f].value is not None or f in MONEY_FIELDS]
    return Table(("quantity", RANGED), tuple((found[f].label, show_range(f, found[f].value)) for f in chosen))


def members(footprint: Footprint) -> Table:
    """The models of a family."""
    fields = ("facility_energy_kwh", "total_location_kgco2e", "rental_on_demand_usd")
    rows = tuple(
        (
            title(member),
            show_range("accelerator_hours", member.usage.accelerator_hours),
            show_range(fields[0], member.facility.facility_energy_kwh),
            *(show_range(field, getattr(member, field)) for field in fields[1:]),
        )
        for member in footprint.parts
    )
    return Table(("model", "accelerator-hours", "facility energy", "CO2e total", "rental on demand"), rows)


def published(footprint: Footprint) -> Table:
    """What the makers stated, beside ours."""
    return Table(("model", "figures", "source"), tuple(stated(footprint)))


def stages(footprint: Footprint) -> Table:
    """A row a stage: on what, for how long, at which MFU."""
    rows = tuple(
        (
            plain(line.name),
            f"{line.accelerator_count:,} × {plain(line.accelerator)}" if line.accelerator_count else line.accelerator,
            show_range("tokens", line.tokens) if line.tokens else "",
            show_range("accelerator_hours", line.accelerator_hours),
            show_range("it_energy_kwh", line.it_energy_kwh),
            show_range("mfu", line.mfu) if line.mfu else "",
        )
        for line in (() if footprint.parts else footprint.usage.lines)
    )
    return Table(("stage", "accelerators", "tokens", "accelerator-hours", "IT energy", "MFU"), rows)


def layouts(footprint: Footprint) -> Table:
    """The layout of each stage and where a step's time goes."""
    rows = tuple(stage_words(stage) for stage in footprint.plan.stages if stage.layout) if footprint.plan else ()
    return Table(("stage", "layout found", "steady MFU", "a step", "its time"), rows)


def ledger(footprint: Footprint) -> Table:
    """What was assumed, once each, with where it came from; what to doubt first stands first."""
    rows: list[tuple[Cell, ...]] = []
    for a, parts in once_each(ledger_by_doubt(footprint)):
        told = "; ".join(filter(None, (plain(a.note), "of " + ", ".join(map(plain, parts)) if parts else "")))
        rows.append((plain(a.field), show_value(a.field, a.value), a.origin, plain(a.source), told))
    return Table(("assumption", "value", "origin", "source", "remark"), tuple(rows))


def driving(footprint: Footprint) -> Table:
    """How far each uncertain input alone moves the output."""
    rows = []
    for s in drivers(footprint)[1]:
        low, high = s.output_at_low_ratio - 1, s.output_at_high_ratio - 1
        rows.append((plain(s.field), f"{low:+.1%}", f"{high:+.1%}"))
    columns = ("input", "at its low end", "at its high end")
    return Table(columns, tuple(rows), right=frozenset(columns[1:]))


# runs


def hours(run: Run) -> Table:
    """IT energy and its sum, hour by hour, or several hours a row."""
    each, sums = by_hours(run, MOST_HOURS)
    first = min((hour for hour, _ in run.hourly_it_energy_kwh), default=0)
    rows, total = [], 0.0
    for place, kwh in enumerate(sums):
        total += kwh
        start = utc(first + int(S_PER_H) * each * place)
        rows.append((start, show("it_energy_kwh", kwh), show("it_energy_kwh", total)))
    what = "IT energy of the accelerators" if is_by_accelerators(run) else "IT energy"
    columns = ("from" if each == 1 else f"{each} hours from", what, "so far")
    return Table(columns, tuple(rows), right=frozenset(columns[1:]))


def meters(run: Run) -> Table:
    """Every meter with what it knows and what it missed."""
    rows = tuple(
        (
            f"{plain(one.host)} {short_id(one.meter.id)}",
            short(one.meter.name),
            kind_of(one),
            f"{plain(one.meter.sensor)}, {plain(one.meter.scope)}",
            percent(one.coverage_share),
            f"{len(one.gaps)}" if one.gaps else "",
            _longest(one),
            show_range("it_energy_kwh", one.it_energy_kwh),
            "" if one.mean_w is None else show("mean_w", one.mean_w, 3),
            "" if one.peak_w is None else show("peak_w", one.peak_w, 3),
        )
        for one in run.meters
    )
    columns = ("meter", "name", "known by", "sensor", "coverage", "gaps", "longest", "energy", "mean", "peak")
    return Table(columns, rows, right=frozenset({"coverage", "gaps", "longest", "mean", "peak"}))


def _longest(one: MeterUsage) -> str:
    return duration(max(gap.ended_utc_s - gap.started_utc_s for gap in one.gaps)) if one.gaps else ""


def gaps(run: Run) -> Table:
    """When which meter was not read, and why; the longest first."""
    found = [(one, gap) for one in run.meters for gap in one.gaps]
    found.sort(key=lambda pair: pair[1].started_utc_s - pair[1].ended_utc_s)
    rows: list[tuple[Cell, ...]] = [
        (
            utc(gap.started_utc_s),
            duration(gap.ended_utc_s - gap.started_utc_s),
            f"{plain(one.host)} {short_id(one.meter.id)}",
            plain(gap.reason),
        )
        for one, gap in found[:MOST_GAPS]
    ]
    if len(found) > MOST_GAPS:
        rows.append((f"and {len(found) - MOST_GAPS:,} more", "", "", "in the data inside this page"))
    return Table(("from", "for", "meter", "reason"), tuple(rows), right=frozenset({"for"}))


def devices(run: Run) -> Table:
    """Mean and peak of every meter."""
    found = run_tables.devices(run)
    if found.rows:
        return found
    table = meters(run)
    kept = [place for place, name in enumerate(table.columns) if name in ("meter", "energy", "mean", "peak")]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return Table(tuple(table.columns[place] for place in kept), rows, right=table.right)


def facts(pairs: Iterator[tuple[str, str]]) -> Table:
    """Names and values."""
    return Table(("what", "value"), tuple(pairs))
