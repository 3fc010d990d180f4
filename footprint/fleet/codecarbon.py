"""Runs that codecarbon measured, as runs of our own: its energy, our grid, water, price and embodied carbon.

What it states has the PUE in it, which is taken out again (`Emissions.pue`). Its carbon takes no part: it rests on
tables that this project does not use, and stands in a note beside ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from footprint.accounting import assessor, grid
from footprint.accounting.site import SiteWords, site
from footprint.catalog import Catalog, open_catalog
from footprint.derivation import Derivation
from footprint.errors import InputError
from footprint.fleet import emissions
from footprint.fleet.emissions import Emissions
from footprint.formulas import energy
from footprint.uncertainty import draw, summarise_record
from footprint.units import G_PER_KG, J_PER_KWH, S_PER_H
from footprint.values import Accelerator, Assumption, Footprint, Meter, MeterUsage, Range, Run, Usage, UsageLine
from footprint.version import __version__

SENSOR = "codecarbon"
TAG = "codecarbon"
_MODELS = re.compile(r"^(\d+) x (.+)$")
_LONGEST_NAME = 200

_PARTS = {"gpu": "accelerator", "cpu": "cpu", "ram": "ram"}
_BANDS = {"cpu": "codecarbon_cpu_ratio", "ram": "codecarbon_ram_ratio"}
_NOTES = {
    "gpu": "read by codecarbon from the driver",
    "cpu": "by RAPL or by a model of the load: codecarbon's table does not say which",
    "ram": "modelled by codecarbon from the memory's size",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held: its runs, the rows that cannot be read and the earlier stands of runs."""

    path: Path
    runs: tuple[Run, ...]
    bad: tuple[tuple[int, str], ...]  # line, what is wrong with it
    earlier: tuple[tuple[int, int], ...]  # line of an earlier stand, line of the last one


def read(path: Path, data: Path | str | None = None) -> Imported:
    """The runs of an emissions.csv of any version.

    Raises
    ------
    DataError
        When the file cannot be read or is none of codecarbon's; its message names what was expected.
    """
    catalog = open_catalog(data)
    table = emissions.read(path)
    runs = tuple(run(row, catalog, f"{path.name}, line {row.line}") for row in table.runs)
    return Imported(path, runs, table.bad, table.earlier)


def run(row: Emissions, catalog: Catalog, source: str) -> Run:
    """One row as a run, assessed where it ran."""
    notes = [f"imported from {source}, as measured by codecarbon {row.version}".rstrip()]
    meters = _meters(row, catalog, source, notes)
    accelerator, count = _accelerator(row, catalog, notes)
    name = _name(row.project) or SENSOR
    result = _assessed(name, row, meters, accelerator, count, catalog, notes)
    return Run(
        id=run_id(row),
        name=name,
        status="finished",
        started_utc_s=row.started_utc_s,
        ended_utc_s=row.ended_utc_s,
        usage=result.usage,
        footprint=result,
        project=_name(row.project),
        tags=(TAG,),
        meters=meters,
        notes=(*notes, _their_carbon(row, result)),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def run_id(row: Emissions) -> str:
    """The same row always has the same, and each of codecarbon's trackers its own."""
    return f"codecarbon-{row.run_id}"


def _name(text: str) -> str:
    """A project's name in one line, without what a name must not hold."""
    printable = "".join(c if c.isprintable() and c not in "/\\" else " " for c in text)
    return " ".join(printable.split())[:_LONGEST_NAME]


# energy


def _meters(row: Emissions, catalog: Catalog, source: str, notes: list[str]) -> tuple[MeterUsage, ...]:
    """One meter a part that the row tells apart; the rest of its total, or all of it, as the node."""
    pue = row.pue if row.pue is not None else 1.0
    if row.pue is None:
        notes.append("its table states no PUE: what it states is taken as IT energy")
    names = {"gpu": _MODELS.sub(r"\2", row.gpu_model), "cpu": row.cpu_model, "ram": "memory"}
    found = []
    for part, component in _PARTS.items():
        stated_kwh = row.parts_kwh.get(part)
        if stated_kwh is None or (part == "gpu" and not stated_kwh and not row.gpu_model):
            continue
        meter = Meter(
            id=part, component=component, name=names[part] or part, sensor=SENSOR,
            scope="gpu" if part == "gpu" else "package" if part == "cpu" else "dram",
            origin="measured" if part == "gpu" else "modelled", source=source,
            true_over_read_ratio=_band(part, catalog), note=_NOTES[part],
        )  # fmt: skip
        found.append(_metered(meter, stated_kwh / pue, row))
    rest_kwh = row.total_kwh - sum(row.parts_kwh.values())
    if not row.parts_kwh or (len(row.parts_kwh) < len(_PARTS) and rest_kwh > 0):
        note = "parts are not told apart" if not row.parts_kwh else "the rest of its total"
        meter = Meter(
            id="node", component="node", name="all that codecarbon counted" if not row.parts_kwh else "rest",
            sensor=SENSOR, scope="node", origin="modelled", source=source,
            true_over_read_ratio=_band("cpu", catalog), note=note,
        )  # fmt: skip
        found.append(_metered(meter, max(rest_kwh, 0.0) / pue, row))
    return tuple(found)


def _band(part: str, catalog: Catalog) -> Range:
    """How far the true energy may be from what codecarbon states."""
    if part in _BANDS:
        return catalog.constant(_BANDS[part])
    row = next(row for row in catalog.rows("sensors") if row["id"] == "nvidia-other")
    ends = [float(row[f"true_over_read{end}_ratio"]) for end in ("_low", "", "_high")]  # type: ignore[arg-type]
    return Range(ends[0], ends[1], ends[2])


def _metered(meter: Meter, it_energy_kwh: float, row: Emissions) -> MeterUsage:
    band = meter.true_over_read_ratio
    return MeterUsage(
        host="",
        meter=meter,
        it_energy_kwh=Range(it_energy_kwh * band.low, it_energy_kwh * band.mid, it_energy_kwh * band.high),
        duration_s=row.duration_s,
        coverage_share=1.0,
        mean_w=it_energy_kwh * J_PER_KWH / row.duration_s,
    )


def _accelerator(row: Emissions, catalog: Catalog, notes: list[str]) -> tuple[Accelerator | None, int]:
    """The device and how many; None where there is none or it is in no table."""
    if not row.gpu_model or not row.total_kwh:
        return None, 0
    told = _MODELS.match(row.gpu_model)
    name, count = (told.group(2), int(told.group(1))) if told else (row.gpu_model, max(row.gpu_count, 1))
    try:
        device = catalog.accelerator(name)
    except InputError:
        notes.append(f"{row.gpu_model} is in no table: its hours and embodied carbon are not counted")
        return None, 0
    if count > 1:
        notes.append(f"codecarbon states every accelerator of the box, {count}: fewer may have been in use")
    return device, count


# place


def _site_words(row: Emissions, catalog: Catalog, notes: list[str]) -> SiteWords:
    settings = {"pue": Range.exactly(row.pue)} if row.pue is not None and row.pue > 1 else {}
    year = datetime.fromtimestamp(row.ended_utc_s, UTC).year
    place = _place(row, catalog, notes)
    if (row.country, row.region.casefold(), row.cloud_region) == ("CAN", "quebec", ""):
        notes.append("Quebec is where codecarbon says that it is when it cannot find out: check the place")
    return SiteWords(**place, year=year, settings=settings)


def _place(row: Emissions, catalog: Catalog, notes: list[str]) -> dict[str, str]:
    """The cloud's region, else the state or province, else the country; nothing where no table knows any."""
    if row.cloud_region:
        for name in (f"{row.provider}/{row.cloud_region}", row.cloud_region):
            try:
                found = catalog.region(name)
            except InputError:
                continue
            if found["zone"]:
                return {"region": str(found["id"])}
    if not row.country:
        return {}
    try:
        country = grid.place(row.country, catalog)
    except InputError:
        notes.append(f"no table knows the country {row.country}")
        return {}
    try:
        inner = grid.place(row.region, catalog) if row.region else country
    except InputError:
        inner = country
    is_inside = bool(inner.iso2) and inner.iso2 == country.iso2
    return {"zone": inner.zone if is_inside else country.zone}


# the answer


def _assessed(
    name: str,
    row: Emissions,
    meters: tuple[MeterUsage, ...],
    accelerator: Accelerator | None,
    count: int,
    catalog: Catalog,
    notes: list[str],
) -> Footprint:
    """The one corridor: a usage, a site, the assessor."""
    calculate = Derivation()
    devices = [accelerator] if accelerator else []
    where, ledger, told = site(_site_words(row, catalog, notes), devices, catalog)
    usage = _usage(name, row, meters, accelerator, count)
    drawn_site = draw(where)
    drawn_usage = draw(usage)
    assessment = assessor.assess(drawn_usage, drawn_site, calculate)
    found = summarise_record(replace(assessor.footprint(name, drawn_usage, drawn_site, assessment), site=where))
    if accelerator is None:  # a sum over no device would pass for a bill of nothing
        found = replace(
            found, rental_on_demand_usd=None, rental_spot_usd=None, rental_reserved_1y_usd=None,
            rental_reserved_3y_usd=None, ownership_usd=None,
        )  # fmt: skip
    return replace(
        found,
        usage=usage,
        steps=tuple(calculate.steps),
        ledger=(*_energy_ledger(meters), *ledger),
        notes=tuple(told),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def _usage(
    name: str, row: Emissions, meters: tuple[MeterUsage, ...], accelerator: Accelerator | None, count: int
) -> Usage:
    found = [usage.it_energy_kwh for usage in meters]
    it_energy_kwh = Range(sum(r.low for r in found), sum(r.mid for r in found), sum(r.high for r in found))
    hours_h = row.duration_s / S_PER_H
    hours = Range.exactly(hours_h * count)
    nameplate_kwh = energy.nameplate_energy_kwh(hours.mid, accelerator.tdp_w) if accelerator else 0.0
    nameplate = Range.exactly(nameplate_kwh)
    lines: tuple[UsageLine, ...] = ()
    if accelerator is not None:
        line = UsageLine(
            name=name, accelerator=accelerator.id, accelerator_hours=hours, nameplate_energy_kwh=nameplate,
            it_energy_kwh=it_energy_kwh, accelerator_count=count, wall_clock_h=Range.exactly(hours_h),
        )  # fmt: skip
        lines = (line,)
    return Usage(
        lines=lines,
        accelerator_hours=hours,
        it_energy_kwh=it_energy_kwh,
        nameplate_energy_kwh=nameplate,
        wall_clock_h=Range.exactly(hours_h),
        coverage_share=_measured_share(meters),
    )


def _measured_share(meters: tuple[MeterUsage, ...]) -> float:
    whole = sum(usage.it_energy_kwh.mid for usage in meters)
    measured = sum(usage.it_energy_kwh.mid for usage in meters if usage.meter.origin == "measured")
    return measured / whole if whole else 0.0


def _energy_ledger(meters: tuple[MeterUsage, ...]) -> tuple[Assumption, ...]:
    return tuple(
        Assumption("it_energy_kwh", u.it_energy_kwh, u.meter.origin, u.meter.source, f"{u.meter.id}: {u.meter.note}")
        for u in meters
    )


def _their_carbon(row: Emissions, ours: Footprint) -> str:
    """What codecarbon made of the same energy."""
    if not row.total_kwh:
        return f"codecarbon states {row.kg:.4g} kgCO2e and no energy"
    place = ", ".join(word for word in (row.country, row.region) if word) or "no place"
    theirs, mine = row.kg * G_PER_KG / row.total_kwh, ours.site.location_intensity_g_per_kwh.mid
    return (
        f"codecarbon states {row.kg:.4g} kgCO2e at {theirs:.4g} g/kWh ({place}); "
        f"here {mine:.4g} g/kWh ({ours.site.zone})"
    )
