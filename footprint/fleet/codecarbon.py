"""Runs that codecarbon measured, as runs of our own: its energy, our grid, water, price and embodied carbon.

What it states has the PUE in it, which is taken out again. Its carbon takes no part: it rests on tables that this
project does not use, and stands in a note beside ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from footprint.accounting import grid
from footprint.accounting.metered import Measured, assess
from footprint.catalog import Catalog, open_catalog
from footprint.errors import InputError
from footprint.evidence import evidence
from footprint.fleet import emissions
from footprint.fleet.emissions import Emissions
from footprint.units import G_PER_KG, J_PER_KWH
from footprint.values import Meter, MeterUsage, Progress, Range, Run
from footprint.version import __version__

__all__ = ["SENSOR", "TAG", "Imported", "meters", "place_words", "read", "run", "run_id", "run_name", "their_carbon"]

SENSOR = TAG = "codecarbon"

_MODELS = re.compile(r"^(\d+) x (.+)$")
_LONGEST_NAME = 200
_MOST_DEVICES = 1024
_NOT_COUNTED = "codecarbon does not count fans, network and power supply"
_QUEBEC = ("CAN", "quebec")
"""What codecarbon writes when it cannot find out where it is."""


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
    runs, bad = [], list(table.bad)
    for row in table.runs:
        try:
            runs.append(run(row, catalog, f"{path.name}, line {row.line}"))
        except InputError as error:  # numbers that no sum holds
            bad.append((row.line, str(error)))
    return Imported(path, tuple(runs), tuple(sorted(bad)), table.earlier)


def run(row: Emissions, catalog: Catalog, source: str) -> Run:
    """One row as a run, assessed where it ran."""
    words, told = place_words(row, catalog)
    metered = tuple(_metered(meter, kwh, row) for meter, kwh in meters(row, catalog, source))
    measured = Measured(run_name(row), metered, Progress(), row.duration_s)
    usage, footprint, measured = assess(measured, words, catalog)
    notes = (
        f"imported from {source}, as measured by codecarbon {row.version}".rstrip(),
        *told,
        their_carbon(row),
        *footprint.notes,
        _NOT_COUNTED,
    )
    return Run(
        id=run_id(row),
        name=run_name(row),
        status="finished",
        started_utc_s=row.started_utc_s,
        ended_utc_s=row.ended_utc_s,
        usage=usage,
        footprint=footprint,
        project=_line(row.project),
        tags=(TAG,),
        evidence=evidence(metered).grade,
        meters=measured.meters,
        notes=tuple(dict.fromkeys(notes)),
        catalog_digest=catalog.digest(),
        version=__version__,
    )


def run_id(row: Emissions) -> str:
    """The same row always has the same, and each of codecarbon's trackers its own."""
    return f"codecarbon-{row.run_id}"


def run_name(row: Emissions) -> str:
    """codecarbon knows a project alone."""
    return _line(row.project) or SENSOR


def _line(text: str) -> str:
    """Text in one line, without what a name must not hold."""
    printable = "".join(c if c.isprintable() and c not in "/\\" else " " for c in text)
    return " ".join(printable.split())[:_LONGEST_NAME].strip()


# energy


def meters(row: Emissions, catalog: Catalog, source: str) -> tuple[tuple[Meter, float], ...]:
    """What it tells apart, each with its IT energy in kWh, and as the node what it does not."""
    pue = row.pue if row.pue is not None else 1.0
    found: list[tuple[Meter, float]] = []
    gpu_kwh = row.parts_kwh.get("gpu", 0.0)
    if gpu_kwh or row.gpu_model:
        name, count = _devices(row)
        note = f"an equal part of what codecarbon states for {count} devices together" if count > 1 else ""
        band = _sensor_band(catalog)
        for place in range(count):
            meter = Meter(f"gpu-{place}", "accelerator", name, SENSOR, "gpu", "measured", source, note=note)
            found.append((replace(meter, true_over_read_ratio=band), gpu_kwh / count / pue))
    for part, scope, name in (("cpu", "package", row.cpu_model), ("ram", "dram", "memory")):
        if part in row.parts_kwh:
            band = catalog.constant(f"codecarbon_{part}_ratio")
            meter = Meter(part, part, name or part, SENSOR, scope, "modelled", source, true_over_read_ratio=band)
            found.append((meter, row.parts_kwh[part] / pue))
    found.append(_rest(row, pue, catalog, source))
    return tuple(found)


def _rest(row: Emissions, pue: float, catalog: Catalog, source: str) -> tuple[Meter, float]:
    """The total where parts are not told apart, or what they leave of it; that there is a node is said in any case."""
    rest_kwh = row.total_kwh - sum(row.parts_kwh.values())
    if rest_kwh <= 0 or len(row.parts_kwh) == len(emissions.PARTS):
        meter = Meter("node", "node", "fans, network, power supply", SENSOR, "node", "default", source)
        return replace(meter, note=_NOT_COUNTED), 0.0
    name = "the rest of the total" if row.parts_kwh else "everything, not told apart"
    band = catalog.constant("codecarbon_cpu_ratio")
    return Meter("node", "node", name, SENSOR, "node", "modelled", source, true_over_read_ratio=band), rest_kwh / pue


def _devices(row: Emissions) -> tuple[str, int]:
    """The accelerators' name and their count: all in the box, as codecarbon writes them."""
    told = _MODELS.match(row.gpu_model)
    name, count = (told.group(2), int(told.group(1))) if told else (row.gpu_model or "GPU", row.gpu_count)
    return name, min(max(count, 1), _MOST_DEVICES)


def _sensor_band(catalog: Catalog) -> Range:
    """The widest of any device's: the table does not say how the driver was read."""
    row = next(row for row in catalog.rows("sensors") if row["id"] == "nvidia-other")
    low, mid, high = (float(row[f"true_over_read{end}_ratio"] or 1) for end in ("_low", "", "_high"))
    return Range(low, mid, high)


def _metered(meter: Meter, it_energy_kwh: float, row: Emissions) -> MeterUsage:
    band = meter.true_over_read_ratio
    return MeterUsage(
        host="",
        meter=meter,
        it_energy_kwh=Range(it_energy_kwh * band.low, it_energy_kwh * band.mid, it_energy_kwh * band.high),
        duration_s=row.duration_s,
        coverage_share=0.0 if meter.origin == "default" else 1.0,
        mean_w=it_energy_kwh * J_PER_KWH / row.duration_s,
    )


# place


def place_words(row: Emissions, catalog: Catalog) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a user of ours would have said of the place, and the notes on how it was understood."""
    notes: list[str] = []
    words: dict[str, Any] = {"year": datetime.fromtimestamp(row.ended_utc_s, UTC).year}
    words |= _place(row, catalog, notes)
    if row.pue is None:
        notes.append("its table states no PUE: what it states is taken as IT energy")
    elif row.pue > 1:
        words["settings"] = {"pue": repr(row.pue)}
    if (row.country, row.region.casefold()) == _QUEBEC and not row.cloud_region:
        notes.append("Quebec is what codecarbon writes when it cannot find out where it is: check the place")
    return words, tuple(notes)


def _place(row: Emissions, catalog: Catalog, notes: list[str]) -> dict[str, str]:
    """The cloud's region, else the state or province, else the country; nothing where no table knows any."""
    if row.cloud_region:
        try:
            found = catalog.region(f"{row.provider}/{row.cloud_region}" if row.provider else row.cloud_region)
            if found["zone"]:
                return {"region": str(found["id"])}
        except InputError:
            notes.append(f"no table knows the region {row.provider}/{row.cloud_region}: its country is taken")
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
        return {"zone": country.zone}
    is_inside = bool(inner.iso2) and inner.iso2 == country.iso2
    return {"zone": inner.zone if is_inside else country.zone}


def their_carbon(row: Emissions) -> str:
    """What codecarbon made of its energy."""
    place = ", ".join(word for word in (row.country, row.region) if word) or "no place"
    rate = f" at {row.kg * G_PER_KG / row.total_kwh:.4g} g/kWh" if row.total_kwh else ""
    return f"codecarbon states {row.kg:.4g} kgCO2e{rate} ({place})"
