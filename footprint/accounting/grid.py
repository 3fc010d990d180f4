"""Where a grid intensity comes from: places, sources in their order, and the world when nothing is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from footprint.catalog import Catalog, Row
from footprint.errors import InputError, UnknownName
from footprint.values import Range

WORLD = "World"


@dataclass(frozen=True, slots=True)
class Intensity:
    """Average grid intensity of a zone in a year, as one source states it."""

    zone: str
    name: str
    year: int
    g_per_kwh: float
    basis: str
    scope: str
    source: str


@dataclass(frozen=True, slots=True)
class Place:
    """A country (both ISO codes) or a grid zone of it."""

    zone: str
    name: str
    iso2: str = ""
    iso3: str = ""


class YearlyTable:
    """Yearly averages from one of the catalog's grid tables."""

    def __init__(
        self,
        catalog: Catalog,
        table: str,
        holds: Callable[[str], bool],
        key: Callable[[Place], Iterable[str]],
    ) -> None:
        self._key = key
        self._by_zone: dict[str, list[Intensity]] = {}
        for row in catalog.rows(table):
            if holds(str(row["source"])):
                found = Intensity(
                    zone=str(row["zone"]),
                    name=str(row["name"]),
                    year=int(float(row["year"])),  # type: ignore[arg-type]
                    g_per_kwh=float(row["intensity_g_per_kwh"]),  # type: ignore[arg-type]
                    basis=str(row["basis"]),
                    scope=str(row["scope"]),
                    source=str(row["source"]),
                )
                self._by_zone.setdefault(found.zone, []).append(found)

    def intensity(self, place: Place, year: int | None) -> Intensity | None:
        """The year's value, else the nearest year's; the newest where no year is asked."""
        for key in self._key(place):
            rows = self._by_zone.get(key)
            if rows:
                wanted = year if year is not None else max(row.year for row in rows)
                return min(rows, key=lambda row: (abs(row.year - wanted), -row.year))
        return None


class CodecarbonTable:
    """The country table of the installed codecarbon package, read by path: importing it would start NVML."""

    def __init__(self, catalog: Catalog) -> None:
        self._mix = _codecarbon_mix()

    def intensity(self, place: Place, year: int | None) -> Intensity | None:
        """The value that codecarbon itself would use for a country, whatever the year."""
        row = self._mix.get(place.iso3)
        if row is None or place.zone != place.iso3:
            return None
        return Intensity(
            zone=place.iso3,
            name=str(row["country_name"]),
            year=int(float(str(row["year"]))),
            g_per_kwh=float(str(row["carbon_intensity"])),
            basis="lifecycle",
            scope="production",
            source="owid_codecarbon",
        )


@lru_cache(maxsize=1)
def _codecarbon_mix() -> dict[str, dict[str, object]]:
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return {}
    file = Path(spec.submodule_search_locations[0]) / "data/private_infra/global_energy_mix.json"
    mix: dict[str, dict[str, object]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return mix


def _country(place: Place) -> Iterable[str]:
    return (place.iso3,) if place.zone in (place.iso3, WORLD) and place.iso3 else ()


def _zone(place: Place) -> Iterable[str]:
    return (place.zone, place.iso2) if place.zone == place.iso3 else (place.zone,)


def _own(place: Place) -> Iterable[str]:
    return (place.zone, place.iso3) if place.zone in (place.iso3, place.iso2) else (place.zone,)


EMBER, OWID = ("ember_co2js",), ("owid_codecarbon",)
EGRID = ("egrid2023_state", "egrid2023_subregion")
AUTHORITIES = ("china_mee_codecarbon", "nordic_codecarbon")
SHIPPED = (*EMBER, *OWID, *EGRID, *AUTHORITIES)

SOURCES: dict[str, Callable[[Catalog], YearlyTable | CodecarbonTable]] = {
    "own": lambda c: YearlyTable(c, "grid_open", lambda source: source not in SHIPPED, _own),
    "ember": lambda c: YearlyTable(c, "grid_open", EMBER.__contains__, _country),
    "electricitymaps": lambda c: YearlyTable(c, "grid_odbl", lambda _: True, _zone),
    "egrid": lambda c: YearlyTable(c, "grid_open", EGRID.__contains__, _zone),
    "authorities": lambda c: YearlyTable(c, "grid_open", AUTHORITIES.__contains__, _zone),
    "owid": lambda c: YearlyTable(c, "grid_open", OWID.__contains__, _country),
    "codecarbon": CodecarbonTable,
}
"""In order of preference. Rows of a user's own folder come first. A country is first looked up in Ember, which alone
is open and national; a grid zone, which Ember does not know, in Electricity Maps; a US state or eGRID subregion, a
province, with its authority."""


def place(text: str, catalog: Catalog) -> Place:
    """A country by ISO code or English name, or a grid zone, state, subregion or province by its key.

    Raises
    ------
    UnknownName
        With the nearest known names.
    """
    found = _countries(catalog).get(text.casefold())
    state = _named_zones(catalog).get(text.casefold())
    if found is not None and state is not None and text.casefold() == found.name.casefold():
        fix = f"write {found.zone} or {state.zone}"
        raise InputError("country or zone", text, f"names the country and {state.zone}", fix)
    found = found or state
    if found is None:
        known = _places(catalog)
        found = known.get(text.casefold())
    if found is None:
        raise UnknownName("country or zone", text, place_names(catalog), "see: footprint catalog zones")
    return found


def place_names(catalog: Catalog) -> set[str]:
    """Keys and names of all countries and zones, for those who mistype one."""
    return {name for one in _places(catalog).values() for name in (one.zone, one.name)}


@lru_cache(maxsize=8)
def _countries(catalog: Catalog) -> dict[str, Place]:
    """Countries by ISO code and name, from the smaller table: most look-ups end here."""
    return _named(catalog.rows("grid_open"))


@lru_cache(maxsize=8)
def _named_zones(catalog: Catalog) -> dict[str, Place]:
    """US states and provinces by name."""
    rows = (row for row in catalog.rows("grid_open") if row["zone_type"] in ("us_state", "province"))
    return {
        str(row["name"]).casefold(): Place(str(row["zone"]), str(row["name"]), str(row["iso2"] or ""), "")
        for row in rows
    }


@lru_cache(maxsize=8)
def _places(catalog: Catalog) -> dict[str, Place]:
    """Every name of every place; countries win over zones of the same name."""
    rows = (*catalog.rows("grid_odbl"), *catalog.rows("grid_open"))
    zones = [row for row in rows if row["zone_type"] != "country"]
    known = {
        str(row["zone"]).casefold(): Place(
            str(row["zone"]), str(row["name"]), str(row["iso2"] or ""), str(row["iso3"] or "")
        )
        for row in zones
    }
    return {**known, **_named(rows)}


def _named(rows: Iterable[Row]) -> dict[str, Place]:
    known: dict[str, Place] = {}
    for row in rows:
        if row["zone_type"] == "country":
            iso2, iso3, name = str(row["iso2"] or ""), str(row["iso3"] or ""), str(row["name"])
            zone = iso3 or str(row["zone"])
            known.update({key.casefold(): Place(zone, name, iso2, iso3) for key in (iso3, iso2, name) if key})
    return known


def intensity(where: Place, year: int | None, source: str | None, catalog: Catalog) -> tuple[Intensity, Range]:
    """The preferred source's value and the range over the sources of the same basis.

    Raises
    ------
    UnknownName
        When `source` is none of `SOURCES`.
    InputError
        When the named source, or no source at all, knows the place.
    """
    found = [i for name in SOURCES if (i := _table(name, catalog).intensity(where, year)) is not None]
    chosen = _table(source, catalog).intensity(where, year) if source else next(iter(found), None)
    if chosen is None:
        fix = "choose another with --grid" if source else "give --set location_intensity_g_per_kwh=VALUE"
        raise InputError("grid", source or "any", f"has no value for {where.zone}", fix)
    others = [i.g_per_kwh for i in found if i.basis == chosen.basis and i.source != chosen.source]
    return chosen, _spread(chosen.g_per_kwh, others, catalog)


def world(year: int | None, catalog: Catalog) -> tuple[Intensity, Range]:
    """The world's mean with the spread of countries: for a place that nobody named."""
    rows = [r for r in catalog.rows("grid_open") if r["source"] == "ember_co2js"]
    countries = sorted(float(r["intensity_g_per_kwh"]) for r in rows if r["zone_type"] == "country")  # type: ignore[arg-type]
    mean = next(r for r in rows if r["zone"] == WORLD)
    value = float(mean["intensity_g_per_kwh"])  # type: ignore[arg-type]
    found = Intensity(
        WORLD, WORLD, int(float(mean["year"])), value, str(mean["basis"]), str(mean["scope"]), str(mean["source"])  # type: ignore[arg-type]
    )  # fmt: skip
    low, high = (countries[round(q * (len(countries) - 1))] for q in (0.05, 0.95))
    return found, Range(low, value, high)


def _spread(value: float, others: list[float], catalog: Catalog) -> Range:
    if others:
        return Range(min(value, *others), value, max(value, *others))
    ratio = catalog.constant("grid_source_ratio")
    return Range(value * ratio.low, value, value * ratio.high)


@lru_cache(maxsize=32)
def _table(source: str, catalog: Catalog) -> YearlyTable | CodecarbonTable:
    return SOURCES[source](catalog)
