"""When a run drew its energy: the hourly shape of its grid zone, where one is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from footprint.catalog import Catalog, Cell, Row
from footprint.values import Assumption, Range, Site


def at_its_hours(
    site: Site, hourly_it_energy_kwh: Sequence[tuple[int, float]], catalog: Catalog
) -> tuple[Site, tuple[Assumption, ...]]:
    """The site with its yearly intensity moved to the hours in which energy was drawn.

    intensity = yearly intensity x sum(energy_h x ratio_h) / sum(energy_h), ratio_h the zone's usual intensity in
    that month and hour of UTC over its yearly mean (`data/grid_profiles.csv`). A zone without a profile, or a given
    intensity, stays as it is.
    """
    rows = _rows(site.zone, catalog)
    total_kwh = sum(energy for _, energy in hourly_it_energy_kwh)
    if not rows or total_kwh <= 0 or site.intensity_basis == "given":
        return site, ()
    known = [(rows.get(_month_and_hour(hour)), energy) for hour, energy in hourly_it_energy_kwh]
    weighted = sum(energy * (1.0 if row is None else float(row["ratio"] or 0)) for row, energy in known)
    ratio = weighted / total_kwh
    yearly = site.location_intensity_g_per_kwh
    moved = Range(yearly.low * ratio, yearly.mid * ratio, yearly.high * ratio)
    years, sources = (", ".join(dict.fromkeys(str(row[c]) for row, _ in known if row)) for c in ("year", "source"))
    note = f"{site.zone}, energy-weighted over {len(known)} hours; the shape of {years or 'no year'}"
    told = Assumption("hourly_intensity_ratio", ratio, "catalog", sources, note)
    return replace(site, location_intensity_g_per_kwh=moved), (told,)


def _rows(zone: str, catalog: Catalog) -> dict[tuple[int, int], Row]:
    """By month and hour, of the newest year that has them."""
    own = sorted((row for row in catalog.rows("grid_profiles") if row["zone"] == zone), key=lambda r: _whole(r["year"]))
    return {(_whole(row["month"]), _whole(row["hour_utc"])): row for row in own}


def _month_and_hour(utc_s: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(utc_s, UTC)
    return moment.month, moment.hour


def _whole(cell: Cell) -> int:
    return int(float(cell or 0))
