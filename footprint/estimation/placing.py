"""The same usage in many places: one plan, estimated once, assessed on the site of each zone or cloud region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from footprint.accounting import assessor
from footprint.accounting.site import SiteWords
from footprint.accounting.site import site as make_site
from footprint.catalog import Catalog
from footprint.derivation import Plain
from footprint.errors import FootprintError, InputError, UnknownName
from footprint.estimation.estimator import estimate, plan_usage
from footprint.estimation.plan import Draft, drafts
from footprint.report.wording import is_third_party
from footprint.studies import ByPlace, HourCell, PlaceFootprint, Profile
from footprint.uncertainty import draw, summarise
from footprint.units import Quantity
from footprint.values import Accelerator, Range, Usage
from footprint.version import __version__

Subject = Any


def by_zone(subject: Subject, zones: Sequence[str] | None, words: Mapping[str, Any], catalog: Catalog) -> ByPlace:
    """A plan in each country, or in the zones named: the place changes, facility and hardware stay."""
    asked = [(zone, zone) for zone in zones] if zones else list(_countries(catalog))
    places = [({"zone": zone, "region": None, "country": None}, name, "") for zone, name in asked]
    return _by_place(subject, places, words, catalog, skips=not zones)


def by_region(subject: Subject, providers: Sequence[str] | None, words: Mapping[str, Any], catalog: Catalog) -> ByPlace:
    """A plan in each region of the cloud providers, or of those named, with their own PUE, grid and prices.

    Raises
    ------
    UnknownName
        For a provider that runs no known region.
    """
    rows = [row for row in catalog.rows("regions") if row["zone"]]
    known = sorted({str(row["provider"]) for row in rows})
    for provider in providers or ():
        if provider not in known:
            raise UnknownName("provider", provider, known, "with known regions: " + ", ".join(known))
    places = [
        (
            {"zone": None, "country": None, "region": str(row["id"]), "operator": None, "provider": None},
            str(row["location"] or row["region"]),
            str(row["provider"]),
        )
        for row in rows
        if not providers or row["provider"] in providers
    ]
    return _by_place(subject, places, words, catalog, skips=True)


def profile(zone: str, catalog: Catalog) -> Profile:
    """The usual intensity of a zone by month and hour of UTC.

    Raises
    ------
    UnknownName
        For a zone without a profile.
    """
    rows = [row for row in catalog.rows("grid_profiles") if row["zone"] == zone]
    if not rows:
        known = sorted({str(row["zone"]) for row in catalog.rows("grid_profiles")})
        raise UnknownName("zone", zone, known, "hourly profiles are known of: " + ", ".join(known))
    yearly = float(rows[0]["annual_intensity_g_per_kwh"])  # type: ignore[arg-type]
    cells = tuple(
        HourCell(
            month=int(float(row["month"])),  # type: ignore[arg-type]
            hour_utc=int(float(row["hour_utc"])),  # type: ignore[arg-type]
            location_intensity_g_per_kwh=float(row["ratio"]) * yearly,  # type: ignore[arg-type]
        )
        for row in rows
    )
    year, source = int(float(rows[0]["year"])), str(rows[0]["source"])  # type: ignore[arg-type]
    return Profile(zone, year, yearly, cells, source, catalog.digest(), __version__)


def _countries(catalog: Catalog) -> Iterator[tuple[str, str]]:
    rows = [row for row in catalog.rows("grid_open") if row["zone_type"] == "country" and row["iso3"]]
    yield from sorted({str(row["iso3"]): str(row["name"]) for row in rows}.items())


def _by_place(
    subject: Subject,
    places: Sequence[tuple[dict[str, Any], str, str]],
    words: Mapping[str, Any],
    catalog: Catalog,
    skips: bool,
) -> ByPlace:
    name, (draft, *others) = drafts(subject, words, catalog)
    if others:
        members = ", ".join([draft.plan.name, *(other.plan.name for other in others)])
        raise InputError("model", name, "is a family of models", f"name one: {members}")
    own = estimate(name, [draft], catalog, False)
    usage = plan_usage(draw(draft.plan), Plain())
    devices = [catalog.accelerator(one) for one in dict.fromkeys(stage.accelerator for stage in draft.plan.stages)]
    iso3s = {iso3 for iso3, _ in _countries(catalog)}
    found: list[PlaceFootprint] = []
    refused: list[str] = []
    for changes, called, provider in places:
        try:
            found.append(_assessed(draft, usage, devices, changes, called, provider, iso3s, catalog))
        except FootprintError:
            if not skips:
                raise
            refused.append(called)
    notes = (f"without a known grid: {len(refused)} places, not drawn",) if refused else ()
    return ByPlace(
        name=own.name,
        own_zone=own.site.zone,
        own_region=own.site.region or "",
        facility_energy_kwh=own.facility.facility_energy_kwh,
        total_location_kgco2e=own.total_location_kgco2e,
        places=tuple(sorted(found, key=lambda one: one.total_location_kgco2e.mid)),
        is_third_party=is_third_party(own),
        notes=notes,
        catalog_digest=own.catalog_digest,
        version=own.version,
    )


def _assessed(
    draft: Draft,
    usage: Usage,
    devices: Sequence[Accelerator],
    changes: dict[str, Any],
    called: str,
    provider: str,
    iso3s: set[str],
    catalog: Catalog,
) -> PlaceFootprint:
    words: SiteWords = replace(draft.site_words, **changes)
    site, _, _ = make_site(words, devices, catalog)
    found = assessor.assess(usage, draw(site), Plain())

    def known(value: Quantity) -> Range | None:
        return None if value is None else summarise(value)

    return PlaceFootprint(
        zone=site.zone,
        iso3=site.zone if site.zone in iso3s else "",
        name=called,
        provider=provider,
        region=site.region or "",
        location_intensity_g_per_kwh=site.location_intensity_g_per_kwh,
        pue=site.pue,
        operational_location_kgco2e=summarise(found.facility.operational_location_kgco2e),
        total_location_kgco2e=summarise(found.total_location_kgco2e),
        electricity_usd=known(found.facility.electricity_usd),
        rental_on_demand_usd=known(found.rentals["rental_on_demand_usd"]),
    )
