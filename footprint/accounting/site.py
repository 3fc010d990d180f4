"""Names and gaps become a `Site`: where it runs, and what we assume of it when told nothing.

Every value goes into the ledger with its origin; what is assumed for want of a word is said in a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from footprint.accounting import grid
from footprint.accounting import words as read
from footprint.accounting.rates import hardware_rates
from footprint.catalog import Catalog, Row
from footprint.errors import InputError, UnknownName
from footprint.values import Accelerator, Assumption, Range, Rates, Site

PLACE = ("region", "country", "zone", "operator", "provider", "year", "grid")
"""Words that say where it runs."""

SETTINGS = (
    "pue",
    "location_intensity_g_per_kwh",
    "market_intensity_g_per_kwh",
    "wue_l_per_kwh",
    "water_intensity_l_per_kwh",
    "electricity_usd_per_kwh",
    "lifetime_h",
    "fleet_utilization",
    "embodied_accelerator_kgco2e",
    "embodied_host_kgco2e",
    "on_demand_usd_per_h",
    "spot_usd_per_h",
    "reserved_1y_usd_per_h",
    "reserved_3y_usd_per_h",
    "capital_usd_per_h",
    "server_cost_ratio",
    "network_cost_share",
    "depreciation_share",
)
"""Fields of the site that a user may set."""


@dataclass(frozen=True, slots=True)
class SiteWords:
    """What the user said of the place; all may be None."""

    region: str | None = None
    country: str | None = None
    zone: str | None = None
    operator: str | None = None
    provider: str | None = None
    year: int | None = None
    grid: str | None = None
    settings: Mapping[str, Range] = field(default_factory=dict)
    place_origin: str = "given"
    """`given`, or `catalog` where a preset names the place."""


def site_words(plain: Mapping[str, Any]) -> SiteWords:
    """The words of the place, from a journal or from a user."""
    year = plain.get("year")
    names: dict[str, Any] = {word: plain.get(word) for word in PLACE if word != "year"}
    return SiteWords(
        **names,
        year=None if year is None else read.whole("year", year),
        settings=read.settings(plain.get("settings"), SETTINGS),
    )


def site(
    words: SiteWords, accelerators: Sequence[Accelerator], catalog: Catalog
) -> tuple[Site, tuple[Assumption, ...], tuple[str, ...]]:
    """A site, its ledger and the notes that the user must see.

    Raises
    ------
    UnknownName
        For a region, country, zone, provider or grid source that no table knows.
    InputError
        For two places that contradict each other, or a setting out of its bounds.
    """
    builder = _Builder(words, catalog)
    return builder.build(accelerators), tuple(builder.ledger), tuple(builder.notes)


def check_place(words: SiteWords, catalog: Catalog) -> None:
    """Refuse a place, provider, operator or grid source that no table knows; quicker than making the site.

    Raises
    ------
    UnknownName, InputError
        As `site`.
    """
    builder = _Builder(words, catalog)
    if words.operator is not None:
        builder._operator_row("pue")


class _Builder:
    def __init__(self, words: SiteWords, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ledger: list[Assumption] = []
        self.notes: list[str] = []
        self.words, self.region = self._region(words)
        if words.provider is not None:
            sellers = {str(row["provider"]) for row in catalog.rows("prices")}
            if words.provider not in sellers:
                raise UnknownName("provider", words.provider, sellers, "see: footprint catalog prices")
        self._check_grid()
        self.place = self._place()

    def _region(self, words: SiteWords) -> tuple[SiteWords, Row | None]:
        """The region's row; the key of a country or grid zone in its stead is that place, and said to be."""
        if not words.region:
            return words, None
        with suppress(UnknownName):
            return words, self.catalog.region(words.region)
        try:
            found = grid.place(words.region, self.catalog)
        except UnknownName:
            regions = (str(row[column]) for row in self.catalog.rows("regions") for column in ("id", "region"))
            known, fix = {*regions, *grid.place_names(self.catalog)}, "see: footprint catalog regions, or zones"
            raise UnknownName("region", words.region, known, fix) from None
        if words.zone is not None or words.region.casefold() == found.name.casefold():
            raise InputError("region", words.region, "is no cloud region", f"give --zone {found.zone} in its place")
        self.notes.append(f"{words.region} is no cloud region: the grid zone {found.name} is taken")
        return replace(words, region=None, zone=words.region), None

    def _check_grid(self) -> None:
        source = self.words.grid
        if source is not None and source not in grid.SOURCES:
            raise UnknownName("grid", source, grid.SOURCES, "the order of preference is " + ", ".join(grid.SOURCES))

    def build(self, accelerators: Sequence[Accelerator]) -> Site:
        zone = self.place.zone if self.place else grid.WORLD
        origin = self.words.place_origin if self.place else "default"
        source = {"given": "user", "catalog": "models.csv"}.get(origin, "no place given")
        self._tell("zone", zone, origin, source, self.words.region or "")
        intensity, basis, scope = self._intensity()
        return Site(
            zone=zone,
            region=str(self.region["id"]) if self.region else None,
            pue=self._pue(),
            location_intensity_g_per_kwh=intensity,
            intensity_basis=basis,
            intensity_scope=scope,
            market_intensity_g_per_kwh=self._market(),
            wue_l_per_kwh=self._wue(),
            water_intensity_l_per_kwh=self._water_intensity(),
            electricity_usd_per_kwh=self._electricity(),
            lifetime_h=self._constant("lifetime_h"),
            fleet_utilization=self._constant("fleet_utilization"),
            server_cost_ratio=self._constant("server_cost_ratio"),
            network_cost_share=self._constant("network_cost_share"),
            depreciation_share=self._constant("depreciation_share"),
            rates=tuple(self._rates(accelerator) for accelerator in accelerators),
        )

    def _tell(self, name: str, value: Range | str | None, origin: str, source: str, note: str = "") -> None:
        self.ledger.append(Assumption(name, value, origin, source, note))

    def _given(self, name: str) -> Range | None:
        value = self.words.settings.get(name)
        if value is not None:
            self._tell(name, value, "given", "user")
        return value

    def _constant(self, name: str) -> Range:
        given = self._given(name)
        if given is not None:
            return given
        row = self.catalog.constant_row(name)
        value = self.catalog.constant(name)
        self._tell(name, value, "default", str(row["source"]), str(row["note"] or ""))
        return value

    def _rates(self, accelerator: Accelerator) -> Rates:
        provider = self.words.provider or (str(self.region["provider"]) if self.region else None)
        region = str(self.region["region"]) if self.region else None
        found, ledger = hardware_rates(accelerator, self.words.settings, provider, region, self.catalog)
        self.ledger += ledger
        if found.on_demand_usd_per_h is None:
            seller = f" at {provider}" if provider else ""
            self.notes.append(f"no list price of {accelerator.id}{seller} is known: the rental bill is not known")
        return found

    def _place(self) -> grid.Place | None:
        words = self.words
        zone = words.zone or words.country
        if words.zone and words.country and not self.region:
            outer, inner = grid.place(words.country, self.catalog), grid.place(words.zone, self.catalog)
            if inner.iso2 and outer.iso2 and inner.iso2 != outer.iso2:
                raise InputError("zone", words.zone, f"does not lie in {words.country}", "give one of the two")
        if self.region:
            if not self.region["zone"]:
                raise InputError("region", words.region, "has no known grid zone", "give --zone or --country instead")
            if words.provider not in (None, self.region["provider"]):
                raise InputError("provider", words.provider, f"does not run {self.region['id']}", "leave one out")
            found = grid.place(str(self.region["zone"]), self.catalog)
            if zone and grid.place(zone, self.catalog).iso2 != found.iso2:
                raise InputError("region", words.region, f"lies in {found.zone}, not in {zone}", "give one of the two")
            return found
        return grid.place(zone, self.catalog) if zone else None

    def _intensity(self) -> tuple[Range, str, str]:
        given = self._given("location_intensity_g_per_kwh")
        if given is not None:
            return given, "given", "given"
        if self.place is None:
            found, value = grid.world(self.words.year, self.catalog)
            self._tell("location_intensity_g_per_kwh", value, "default", found.source, f"world mean {found.year}")
            self.notes.append(
                f"no place given: grid intensity is the world mean, {value.mid:.0f} g/kWh, with the spread of "
                f"countries as its range ({value.low:.0f} to {value.high:.0f}); give --country, --zone or --region"
            )
            return value, found.basis, found.scope
        found, value = grid.intensity(self.place, self.words.year, self.words.grid, self.catalog)
        value, note = self._with_alternative(value, f"{found.name} {found.year}, {found.basis}, {found.scope}")
        self._tell("location_intensity_g_per_kwh", value, "catalog", found.source, note)
        if self.words.year is not None and self.words.year != found.year:
            self.notes.append(
                f"{found.source} has no {self.words.year} intensity for {found.zone}: {found.year} is used"
            )
        if found.basis.startswith("direct"):
            self.notes.append(
                f"{found.source} states direct factors ({found.basis}) without the upstream part of lifecycle ones; "
                "do not compare with lifecycle results"
            )
        return value, found.basis, found.scope

    def _with_alternative(self, value: Range, note: str) -> tuple[Range, str]:
        """Where two balancing areas are defensible for a region, the range holds both."""
        other = self.region["alternative_zone"] if self.region else None
        if not other:
            return value, note
        found, _ = grid.intensity(grid.place(str(other), self.catalog), self.words.year, self.words.grid, self.catalog)
        held = Range(min(value.low, found.g_per_kwh), value.mid, max(value.high, found.g_per_kwh))
        return held, f"{note}; {other} is as defensible: {found.g_per_kwh:.0f}"

    def _region_year(self, column: str) -> Row | None:
        if self.region is None:
            return None
        rows = [r for r in self.catalog.rows("region_years") if r["id"] == self.region["id"] and r[column] is not None]
        wanted = self.words.year or max((_year(r) for r in rows), default=0)
        return min(rows, key=lambda r: (abs(_year(r) - wanted), -_year(r)), default=None)

    def _operator_row(self, column: str) -> Row | None:
        """The operator's own figure; a provider that publishes none falls through to the default."""
        operator = self.words.operator or (str(self.region["provider"]) if self.region else self.words.provider)
        if operator is None:
            return None
        rows = self.catalog.rows("facilities")
        names = {str(r[k]) for r in rows for k in ("operator", "provider")}
        stating = {str(r[k]) for r in rows for k in ("operator", "provider") if r[column] is not None}
        named = operator.strip().casefold()
        if named not in stating and (named in names or self.words.operator is None):
            return None
        return self.catalog.facility(operator, self.words.year, having=column)

    def _pue(self) -> Range:
        given = self._given("pue")
        if given is not None:
            return given
        row = self._region_year("pue")
        if row is not None:
            value = Range.exactly(float(row["pue"]))  # type: ignore[arg-type]
            self._tell("pue", value, "catalog", str(row["source"]), f"{row['id']} {_year(row)}")
            return value
        row = self._operator_row("pue")
        if row is not None:
            ratio, pue = self.catalog.constant("operator_pue_ratio"), float(row["pue"])  # type: ignore[arg-type]
            value = Range(max(1.0, pue * ratio.low), pue, pue * ratio.high)
            self._tell(
                "pue", value, "catalog", str(row["source"]),
                f"{row['operator']} {row['site']} {_year(row)}; range: regions around a provider's own mean",
            )  # fmt: skip
            return value
        return self._constant("pue")

    def _wue(self) -> Range:
        given = self._given("wue_l_per_kwh")
        if given is not None:
            return given
        row = self._region_year("wue_l_per_kwh") or self._operator_row("wue_l_per_kwh")
        if row is None:
            return self._constant("wue_l_per_kwh")
        value = Range.exactly(float(row["wue_l_per_kwh"]))  # type: ignore[arg-type]
        place = row["id"] if "id" in row else f"{row['operator']} {row['site']}"
        self._tell("wue_l_per_kwh", value, "catalog", str(row["source"]), f"{place} {_year(row)}")
        return value

    def _market(self) -> Range | None:
        given = self._given("market_intensity_g_per_kwh")
        if given is not None:
            return given
        row = self._region_year("market_intensity_g_per_kwh")
        if row is None:
            self._tell("market_intensity_g_per_kwh", None, "default", "", "not known: no market-based figure")
            return None
        value = Range.exactly(float(row["market_intensity_g_per_kwh"]))  # type: ignore[arg-type]
        self._tell(
            "market_intensity_g_per_kwh", value, "catalog", str(row["source"]), f"the provider's claim, {_year(row)}"
        )
        return value

    def _water_intensity(self) -> Range:
        given = self._given("water_intensity_l_per_kwh")
        if given is not None:
            return given
        rows = {str(r["zone"]): r for r in self.catalog.rows("grid_water")}
        row = rows.get(self.place.iso3) if self.place else None
        if row is None or row["water_l_per_kwh"] is None or "water" in str(row["world_default"] or ""):
            return self._constant("water_intensity_l_per_kwh")
        value = Range.exactly(float(row["water_l_per_kwh"]))
        self._tell("water_intensity_l_per_kwh", value, "catalog", str(row["source"]), f"{row['name']}, country mean")
        return value

    def _electricity(self) -> Range | None:
        given = self._given("electricity_usd_per_kwh")
        if given is not None:
            return given
        rows = [
            r
            for r in self.catalog.rows("electricity")
            if self.place and r["iso2"] and r["iso2"] == self.place.iso2 and r["kind"] == "industrial_retail"
        ]
        if not rows:
            return self._constant("electricity_usd_per_kwh")
        ratio, price = self.catalog.constant("electricity_price_ratio"), float(rows[0]["electricity_usd_per_kwh"])  # type: ignore[arg-type]
        value = Range(price * ratio.low, price, price * ratio.high)
        self._tell(
            "electricity_usd_per_kwh", value, "catalog", str(rows[0]["source"]),
            f"{rows[0]['area']} {rows[0]['period']}, industrial, {rows[0]['provenance']}",
        )  # fmt: skip
        return value


def _year(row: Row) -> int:
    return int(float(row["year"]))  # type: ignore[arg-type]
