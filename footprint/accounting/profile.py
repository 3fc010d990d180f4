"""When a run drew its energy: the hourly shape of its grid zone, where one is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from footprint.catalog import Catalog, Row
from footprint.values import Assumption, Range, Site

FIELD = "location_intensity_g_per_kwh"


def at_its_hours(
    site: Site, hourly_it_energy_kwh: Sequence[tuple[int, float]], catalog: Catalog
) -> tuple[Site, tuple[Assumption, ...]]:
    """The site with its yearly intensity moved to the hours in which energy was drawn.

    intensity = yearly intensity x sum(energy_h x ratio_h) / sum(energy_h), ratio_h the zone's usual intensity in
    that month and hour of UTC over its yearly mean (`data/grid_profiles.csv`). A zone without a profile, or a given
    intensity, stays as it is.
    """
    ratios = _ratios(site.zone, catalog)
    total_kwh = sum(energy for _, energy in hourly_it_energy_kwh)
    if not ratios or total_kwh <= 0 or site.intensity_basis == "given":
        return site, ()
    weighted = sum(energy * _ratio(ratios, hour) for hour, energy in hourly_it_energy_kwh)
    ratio = weighted / total_kwh
    yearly = site.location_intensity_g_per_kwh
    moved = Range(yearly.low * ratio, yearly.mid * ratio, yearly.high * ratio)
    row = next(iter(ratios.values()))
    note = f"{site.zone}, energy-weighted over {len(hourly_it_energy_kwh)} hours; the shape of {row['year']}"
    told = Assumption("hourly_intensity_ratio", ratio, "catalog", str(row["source"]), note)
    return replace(site, location_intensity_g_per_kwh=moved), (told,)


def _ratios(zone: str, catalog: Catalog) -> dict[tuple[int, int], Row]:
    return {
        (int(float(row["month"])), int(float(row["hour_utc"]))): row  # type: ignore[arg-type]
        for row in catalog.rows("grid_profiles")
        if row["zone"] == zone
    }


def _ratio(ratios: dict[tuple[int, int], Row], utc_s: int) -> float:
    moment = datetime.fromtimestamp(utc_s, UTC)
    row = ratios.get((moment.month, moment.hour))
    return 1.0 if row is None else float(row["ratio"])  # type: ignore[arg-type]
