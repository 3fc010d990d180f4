"""The tables of a measured run: its answer, where the energy went, windows, starts, and the plan beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from footprint.report.run_wording import (
    duration,
    kind_of,
    lasted,
    measured_share,
    percent,
    short,
    short_id,
    tokens_of,
    utc,
)
from footprint.report.tables import Cell, Table
from footprint.report.wording import LABELS, MONEY_FIELDS, plain, show_days, show_range
from footprint.units import J_PER_KWH, S_PER_H, W_PER_KW, show, show_number
from footprint.values import COMPONENTS, Footprint, MeterUsage, Range, Run, WindowUsage

_SHORT = {
    "accelerator_hours": "Accelerator-hours",
    "operational_location_kgco2e": "CO2e location",
    "operational_market_kgco2e": "CO2e market",
    "electricity_usd": "Electricity",
}
_PLANNED = ("it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "electricity_usd")


# the answer


def answer(run: Run) -> Table:
    """What it cost, each with its interval and what it rests on."""
    found = run.footprint
    facility, site = found.facility, found.site
    rows: list[tuple[Cell, ...]] = [
        (LABELS["accelerator_hours"], show_range("accelerator_hours", run.usage.accelerator_hours), ""),
        ("Duration", _shown("wall_clock_h", run.usage.wall_clock_h or lasted(run)), _starts(run)),
        ("IT energy", show_range("it_energy_kwh", facility.it_energy_kwh), _read(run)),
        ("Facility energy", show_range("facility_energy_kwh", facility.facility_energy_kwh), _with("pue", site.pue)),
        (
            "CO2e location",
            show_range("operational_location_kgco2e", facility.operational_location_kgco2e),
            f"{show_range('location_intensity_g_per_kwh', site.location_intensity_g_per_kwh, bounds=False)}, "
            f"{plain(site.intensity_basis)}",
        ),
        ("CO2e market", show_range("operational_market_kgco2e", facility.operational_market_kgco2e), _claimed(found)),
        ("CO2e embodied", show_range("embodied_kgco2e", found.embodied_kgco2e), "making the hardware"),
        ("CO2e total", show_range("total_location_kgco2e", found.total_location_kgco2e), "location-based and embodied"),
        ("Water on site", show_range("onsite_water_l", facility.onsite_water_l), ""),
        ("Water off site", show_range("offsite_water_l", facility.offsite_water_l), "of the power stations"),
        ("Electricity", show_range("electricity_usd", facility.electricity_usd), _price(found)),
    ]
    notes = {"ownership_usd": "capital and electricity"}
    for field in MONEY_FIELDS:
        value: Range | None = getattr(found, field)
        if value is not None:
            rows.append((LABELS[field], show_range(field, value), notes.get(field, "list price")))
    return Table(("", " ", "  "), (*rows, *_work(run)))


def _work(run: Run) -> Iterator[tuple[Cell, ...]]:
    """What was trained: MFU, tokens, joules a token, steps."""
    if run.mfu is not None:
        yield "MFU", show("mfu", run.mfu), "of the dense peak"
    tokens = tokens_of(run)
    if tokens:
        seconds = run.ended_utc_s - run.started_utc_s
        rate = f"{show('tokens', tokens / seconds)} tokens/s" if seconds > 0 else ""
        yield "Tokens", show_range("tokens", Range.exactly(tokens)), rate
        joules = run.footprint.facility.it_energy_kwh.mid * J_PER_KWH / tokens
        yield "IT energy per token", f"{show_number(joules)} J/token", ""
    done = run.progress
    if done.steps_count:
        yield "Steps", f"{done.steps_count:,.0f}{_of(done.total_steps_count)}", ""
    if done.epochs_count:
        yield "Epochs", f"{done.epochs_count:,.4g}{_of(done.total_epochs_count)}", ""


def _of(total: float | None) -> str:
    return f" of {total:,.4g}" if total else ""


def _starts(run: Run) -> str:
    count = len({segment.restart_count for segment in run.segments})
    return f"in {count} starts" if count > 1 else ""


def _read(run: Run) -> str:
    share = measured_share(run)
    return "" if share is None else f"{percent(share)} measured"


def _with(field: str, value: Range) -> str:
    return f"{field.upper()} {show_range(field, value)}"


def _claimed(found: Footprint) -> str:
    return "" if found.facility.operational_market_kgco2e is None else "claimed by the operator"


def _price(found: Footprint) -> str:
    price = found.site.electricity_usd_per_kwh
    return "" if price is None else show_range("electricity_usd_per_kwh", price, bounds=False)


# where the energy went


def parts(run: Run, wide: bool = True) -> Table:
    """A row for each component and what its energy rests on, with its share of the whole."""
    groups: dict[tuple[str, str, str], list[MeterUsage]] = {}
    for one in run.meters:
        groups.setdefault((one.meter.component, kind_of(one), one.meter.sensor), []).append(one)
    known = {name: i for i, name in enumerate(COMPONENTS)}
    whole = math.fsum(m.it_energy_kwh.mid for m in run.meters)
    rows = tuple(
        (_part(component, same), kind, *_energy(same, whole))
        for (component, kind, _), same in sorted(groups.items(), key=lambda g: known.get(g[0][0], len(known)))
    )
    columns = ("IT energy by part", "known by", "energy", "share", "coverage", "mean power")
    return _without(Table(columns, rows, right=frozenset(columns[3:])), () if wide else ("mean power",))


def _without(table: Table, names: Collection[str]) -> Table:
    """Some columns left out."""
    kept = [i for i, name in enumerate(table.columns) if name not in names]
    columns, rows = tuple(table.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows)
    return Table(columns, rows, table.title, table.right - frozenset(names))


def _part(component: str, same: Sequence[MeterUsage]) -> str:
    names = list(dict.fromkeys(short(one.meter.name) for one in same))
    if component == "node":
        return names[0]
    if component == "accelerator":
        return f"{len(same)} × {names[0]}" if len(names) == 1 else f"{len(same)} accelerators"
    told = f"{len(same)} × " if len(same) > 1 else ""
    return f"{told}{component.upper()}, {same[0].meter.sensor}"


def _energy(same: Sequence[MeterUsage], whole: float) -> tuple[Cell, ...]:
    """Ends are added as if all erred the same way: sensors of one kind do."""
    added = Range(*(math.fsum(getattr(m.it_energy_kwh, end) for m in same) for end in ("low", "mid", "high")))
    seconds = math.fsum(m.duration_s for m in same)
    covered = math.fsum(m.coverage_share * m.duration_s for m in same) / seconds if seconds else 0.0
    watts = [m.mean_w for m in same if m.mean_w is not None]
    return (
        show_range("it_energy_kwh", added),
        percent(added.mid / whole) if whole else "",
        percent(covered),
        show("mean_w", math.fsum(watts)) if watts else "",
    )


def devices(run: Run) -> Table:
    """A row an accelerator, where there are several; its name where they differ."""
    several = [m for m in run.meters if m.meter.component == "accelerator"]
    hosts = {m.host for m in several}

    def shown(field: str, value: float | None, digits: int = 3) -> str:
        return "" if value is None else show(field, value, digits)

    rows = tuple(
        (
            (f"{plain(one.host)} " if len(hosts) > 1 else "") + short_id(one.meter.id),
            short(one.meter.name),
            show_range("it_energy_kwh", one.it_energy_kwh),
            shown("mean_w", one.mean_w),
            shown("peak_w", one.peak_w),
            shown("stalled_it_energy_kwh", one.stalled_it_energy_kwh, 2),
            percent(one.coverage_share),
        )
        for one in (several if len(several) > 1 else ())
    )
    columns = ("device", "name", "energy", "mean", "peak", "stalled", "coverage")
    table = Table(columns, rows, right=frozenset(columns[3:]))
    return _without(table, ("name",) if len({m.meter.name for m in several}) == 1 else ())


def spent(run: Run) -> Table:
    """Energy that trained nothing, and what of a shared device was this run's."""
    whole = run.footprint.facility.it_energy_kwh.mid
    rows: list[tuple[Cell, ...]] = []

    def add(label: str, value: Range, told: str) -> None:
        rows.append((label, show_range("it_energy_kwh", value), percent(value.mid / whole) if whole else "", told))

    if run.stalled_it_energy_kwh:
        add("Stalled", Range.exactly(run.stalled_it_energy_kwh), "accelerators near idle")
    if run.wasted_it_energy_kwh is not None:
        add("Done again", run.wasted_it_energy_kwh, "repeated by a later start")
    for one in run.meters:
        if one.attributed_it_energy_kwh is not None:
            told = f"of {show_range('it_energy_kwh', one.it_energy_kwh, bounds=False)}, shared"
            add(f"Ours on {short_id(one.meter.id)}", one.attributed_it_energy_kwh, told)
    return Table(("of it", "energy", "share", ""), tuple(rows), right=frozenset({"share"}))


# windows, starts, plan


def windows(run: Run) -> Table:
    """Named windows, nested ones below and inside of those around them, the most energy first."""
    energy = {one.name: one.it_energy_kwh.mid for one in run.windows}
    whole = run.footprint.facility.it_energy_kwh.mid

    def place_of(one: WindowUsage) -> tuple[tuple[float, str], ...]:
        names = one.name.split("/")
        paths = ["/".join(names[: i + 1]) for i in range(len(names))]
        return tuple((-energy.get(path, 0.0), path) for path in paths)

    rows = tuple(
        (
            "· " * one.name.count("/") + plain(one.name.rsplit("/", 1)[-1]),
            f"{one.window_count:,}",
            duration(one.duration_s),
            show_range("it_energy_kwh", one.it_energy_kwh),
            percent(one.it_energy_kwh.mid / whole) if whole else "",
            _each(one),
        )
        for one in sorted(run.windows, key=place_of)
    )
    columns = ("window", "count", "time", "IT energy", "share", "each")
    return Table(columns, rows, right=frozenset({"count", "time", "share", "each"}))


def _each(one: WindowUsage) -> str:
    if not one.window_count:
        return ""
    kwh = one.it_energy_kwh.mid / one.window_count
    joules = kwh * J_PER_KWH
    return f"{show_number(joules)} J" if joules < J_PER_KWH / W_PER_KW else show("it_energy_kwh", kwh)


def starts(run: Run, wide: bool = True) -> Table:
    """A row for each start on each host, where there are several, with what a later one did again."""

    def energy(value: Range | None) -> str:
        return "" if value is None else show_range("it_energy_kwh", value, bounds=False)

    rows = tuple(
        (
            f"{one.restart_count}",
            plain(one.host),
            utc(one.started_utc_s),
            duration(one.ended_utc_s - one.started_utc_s),
            plain(one.status),
            f"{one.progress.steps_count:,.0f}" if one.progress.steps_count else "",
            energy(one.it_energy_kwh),
            energy(one.wasted_it_energy_kwh),
        )
        for one in sorted(run.segments, key=lambda s: (s.restart_count, s.started_utc_s, s.host))
    )
    columns = ("start", "host", "began", "lasted", "status", "steps", "IT energy", "done again")
    right = frozenset({"lasted", "steps", "IT energy", "done again"})
    table = Table(columns, rows if len(rows) > 1 else (), right=right)
    return _without(table, () if wide else ("lasted",))


def against_plan(run: Run, wide: bool = True) -> Table:
    """What was planned, what it came to, and the ratio of the two."""
    actual = "so far" if run.status == "running" else "measured"
    columns = ("quantity", "planned", actual, "ratio", "")
    rows = tuple(
        (label, _shown(field, planned, wide), _shown(field, value), _ratio(planned, value), _verdict(planned, value))
        for label, field, planned, value in _pairs(run)
    )
    return Table(columns, rows, right=frozenset({"ratio"}))


def _pairs(run: Run) -> Iterator[tuple[str, str, Range, Range]]:
    """Label, field, planned and measured of every quantity that both know."""
    plan, found = run.planned, run.footprint
    if plan is None:
        return
    pairs: list[tuple[str, str, Range | None, Range | None]] = [
        (LABELS["accelerator_hours"], "accelerator_hours", plan.usage.accelerator_hours, run.usage.accelerator_hours),
        ("Duration", "wall_clock_h", plan.usage.wall_clock_h, run.usage.wall_clock_h or lasted(run)),
        ("Tokens", "tokens", plan.usage.tokens, Range.exactly(tokens_of(run)) if tokens_of(run) else None),
        ("MFU", "mfu", _main_mfu(plan), None if run.mfu is None else Range.exactly(run.mfu)),
        *((_SHORT.get(f, LABELS[f]), f, getattr(plan.facility, f), getattr(found.facility, f)) for f in _PLANNED),
        ("CO2e total", "total_location_kgco2e", plan.total_location_kgco2e, found.total_location_kgco2e),
    ]
    for label, field, planned, value in pairs:
        if planned is not None and value is not None:
            yield label, field, planned, value


def _main_mfu(plan: Footprint) -> Range | None:
    main = max(plan.usage.lines, key=lambda line: line.accelerator_hours.mid, default=None)
    return None if main is None else main.mfu


def _shown(field: str, value: Range, bounds: bool = True) -> str:
    """A quantity; one known duration as people say it."""
    if field != "wall_clock_h":
        return show_range(field, value, bounds)
    return duration(value.mid * S_PER_H) if value.low == value.high or not bounds else show_days(value)


def _ratio(planned: Range, value: Range) -> str:
    return f"x {value.mid / planned.mid:.2f}" if planned.mid else ""


def _verdict(planned: Range, value: Range) -> str:
    """How the plan's interval and the measured one lie."""
    if value.low > planned.high:
        return "above"
    return "below" if value.high < planned.low else "inside"
