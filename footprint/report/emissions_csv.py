"""Measured runs as the emissions.csv of codecarbon: one row a run, its 38 columns in its order.

Energies and mean watts include the PUE, as there; `emissions` is kilograms, operational and location-based. What a
run does not know is an empty cell. The node's rest (fans, network cards, power supply) has no column of its own: it
is in `energy_consumed` alone.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from footprint.catalog import Catalog, open_catalog
from footprint.errors import InputError
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import Run

COLUMNS = (
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate",
    "cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed",
    "water_consumed", "country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "os",
    "python_version", "codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude",
    "latitude", "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue",
)  # fmt: skip
"""Of codecarbon 3.2.3 and later."""

MOMENT = "%Y-%m-%dT%H:%M:%S"
"""Local, without a zone."""

_FORMULA_START = ("=", "+", "-", "@")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

Cell = str | float | int | None


def text(runs: Iterable[Run]) -> str:
    """A header and a row a run."""
    return _lines(COLUMNS, runs, with_header=True)


def append(runs: Sequence[Run], path: Path) -> int:
    """Put the runs at the end of a file, which is made where there is none; runs that stand in it are left out.

    Returns how many were added.

    Raises
    ------
    InputError
        When the file has other columns, or cannot be read or written. It is then as it was.
    """
    try:
        before = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("out", str(path), f"cannot be read ({error})", "name another file") from error
    header, known = _read(before, path)
    new = [run for run in runs if (run.id, _moment(run)) not in known]
    if not new and before:
        return 0
    added = _lines(header, new, with_header=not before)
    if before and not before.endswith("\n"):
        added = "\n" + added
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(added.encode("utf-8"))
    except OSError as error:
        told = f"cannot be written ({error.strerror})"
        raise InputError("out", str(path), told, "name a file in a folder that exists") from error
    return len(new)


def _read(before: str, path: Path) -> tuple[tuple[str, ...], set[tuple[str, str]]]:
    """The header of a file, in its own order, and the runs in it; the full header for a new one."""
    if not before.strip():
        return COLUMNS, set()
    reader = csv.reader(io.StringIO(before, newline=""))
    header = tuple(next(reader))
    if sorted(header) != sorted(COLUMNS):
        told = f"has {len(header)} columns that are not the {len(COLUMNS)} of codecarbon 3.2.3 and later"
        raise InputError("out", str(path), told, "name a new file: a row of other columns would be misread")
    run, moment = header.index("run_id"), header.index("timestamp")
    return header, {(row[run], row[moment]) for row in reader if len(row) == len(header)}


def _lines(header: Sequence[str], runs: Iterable[Run], with_header: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if with_header:
        writer.writerow(header)
    for run in runs:
        cells = row(run)
        writer.writerow([_written(cells[column]) for column in header])
    return out.getvalue()


def _written(cell: Cell) -> str:
    """Numbers keep all digits; text stays in its line and cannot start a formula."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        line = _CONTROLS.sub(" ", cell)
        return f"'{line}" if line.lstrip().startswith(_FORMULA_START) else line
    return repr(cell)


def row(run: Run) -> dict[str, Cell]:
    """The cells of one run by column; None where it does not know."""
    site, facility = run.footprint.site, run.footprint.facility
    pue = site.pue.mid
    duration_s = _duration_s(run)
    kg = facility.operational_location_kgco2e.mid
    cpu, gpu, ram = (_component_kwh(run, name) for name in ("cpu", "accelerator", "ram"))
    energies = {"cpu": cpu, "gpu": gpu if gpu is not None else 0.0, "ram": ram}
    name, iso3, region = _place(site.zone, open_catalog())
    provider, _, cloud_region = (site.region or "").partition("/")
    found: dict[str, Cell] = dict.fromkeys(COLUMNS)
    found |= {
        "timestamp": _moment(run),
        "project_name": run.project or run.name,
        "run_id": run.id,
        "experiment_id": run.name,
        "duration": duration_s,
        "emissions": kg,
        "emissions_rate": kg / duration_s if duration_s else None,
        "energy_consumed": facility.facility_energy_kwh.mid,
        "water_consumed": facility.onsite_water_l.mid,
        "country_name": name,
        "country_iso_code": iso3,
        "region": region,
        "cloud_provider": provider,
        "cloud_region": cloud_region,
        "codecarbon_version": f"footprint {run.version}".strip(),
        "cpu_model": _models(run, "cpu"),
        "gpu_count": _accelerator_count(run),
        "gpu_model": _models(run, "accelerator"),
        "tracking_mode": "machine",
        "on_cloud": "Y" if site.region else "N",
        "pue": pue,
        "wue": site.wue_l_per_kwh.mid,
    }
    for part, it_energy_kwh in energies.items():
        if it_energy_kwh is not None:
            found[f"{part}_energy"] = it_energy_kwh * pue
            found[f"{part}_power"] = it_energy_kwh * pue * J_PER_KWH / duration_s if duration_s else None
    return found


def _moment(run: Run) -> str:
    return datetime.fromtimestamp(run.ended_utc_s).strftime(MOMENT)


def _duration_s(run: Run) -> float:
    """Time of measuring, without the pauses between segments."""
    if run.usage.wall_clock_h is not None:
        return run.usage.wall_clock_h.mid * S_PER_H
    return run.ended_utc_s - run.started_utc_s


def _component_kwh(run: Run, component: str) -> float | None:
    """IT energy of one kind of meter; None where there is no such meter."""
    found = [usage.it_energy_kwh.mid for usage in run.meters if usage.meter.component == component]
    return sum(found) if found else None


def _accelerator_count(run: Run) -> int | None:
    """Devices; a meter may stand for several, then the usage knows how many."""
    metered = sum(usage.meter.component == "accelerator" for usage in run.meters)
    return max(metered, sum(line.accelerator_count or 0 for line in run.usage.lines)) or None


def _models(run: Run, component: str) -> str:
    """ "8 x NVIDIA H100 80GB HBM3" for accelerators, the name alone for processors."""
    names = Counter(usage.meter.name for usage in run.meters if usage.meter.component == component)
    if component != "accelerator":
        return ", ".join(names)
    if len(names) == 1:
        names = Counter({name: _accelerator_count(run) or 1 for name in names})
    return ", ".join(f"{count} x {name}" for name, count in names.items())


@lru_cache(maxsize=64)
def _place(zone: str, catalog: Catalog) -> tuple[str, str, str]:
    """Country, its ISO code and the region of a grid zone; empty where the zone is none's."""
    rows = [*catalog.rows("grid_open"), *catalog.rows("grid_odbl")]
    countries = [r for r in rows if r["zone_type"] == "country"]
    own = next((r for r in rows if zone in (r["zone"], r["iso3"]) and r["zone_type"] == "country"), None)
    own = own or next((r for r in rows if r["zone"] == zone), None)
    if own is None or not (own["iso2"] or own["iso3"]):
        return "", "", ""
    same = ("iso3", own["iso3"]) if own["iso3"] else ("iso2", own["iso2"])
    country = next((r for r in countries if r[same[0]] == same[1] and r["iso3"]), None)
    if country is None:
        return "", str(own["iso3"] or ""), str(own["name"])
    region = "" if own["zone_type"] == "country" else str(own["name"])
    return str(country["name"]), str(country["iso3"]), region
