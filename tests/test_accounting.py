"""Sites and the assessor: where an intensity and a PUE come from, and the one corridor from usage to footprint."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import footprint
from footprint.accounting import assessor, grid
from footprint.accounting.site import SETTINGS, SiteWords, site
from footprint.catalog import open_catalog
from footprint.derivation import Derivation, Plain
from footprint.errors import InputError, UnknownName
from footprint.uncertainty import draw, mids, summarise
from footprint.values import ORIGINS, Assumption, Range, Rates, Site, Usage, UsageLine

CATALOG = open_catalog()
H100 = CATALOG.accelerator("h100-sxm")


def made(*devices: str, **words: Any) -> tuple[Site, dict[str, Assumption], tuple[str, ...]]:
    found, ledger, notes = site(SiteWords(**words), [CATALOG.accelerator(d) for d in devices or ("h100-sxm",)], CATALOG)
    return found, {line.field: line for line in ledger}, notes


def stated(zone: str, source: str) -> dict[int, float]:
    """What one source's rows say of a zone, by year."""
    rows = [r for table in ("grid_open", "grid_odbl") for r in CATALOG.rows(table)]
    return {
        int(r["year"] or 0): float(r["intensity_g_per_kwh"] or 0)
        for r in rows
        if r["zone"] == zone and r["source"] == source
    }


# the grid


@pytest.mark.parametrize("name", ["FR", "FRA", "fra", "France", "france"])
def test_a_country_is_known_by_code_and_name_and_taken_from_ember(name: str) -> None:
    found, ledger, notes = made(country=name)
    newest = max(stated("FRA", "ember_co2js").items())
    assert (found.zone, found.intensity_basis, found.intensity_scope) == ("FRA", "lifecycle", "production")
    assert found.location_intensity_g_per_kwh.mid == newest[1]
    assert ledger["location_intensity_g_per_kwh"].source == "ember_co2js"
    assert notes == ()


def test_the_range_of_a_country_holds_the_other_lifecycle_sources() -> None:
    found, _, _ = made(country="FR")
    others = [max(stated(*key).items())[1] for key in (("FR", "electricitymaps_yearly"), ("FRA", "owid_codecarbon"))]
    value = found.location_intensity_g_per_kwh
    assert (value.low, value.high) == (min(value.mid, *others), max(value.mid, *others))


def test_a_grid_zone_is_taken_from_electricity_maps() -> None:
    found, ledger, _ = made(zone="US-CAL-CISO")
    assert found.location_intensity_g_per_kwh.mid == max(stated("US-CAL-CISO", "electricitymaps_yearly").items())[1]
    assert found.intensity_scope == "consumption"
    assert ledger["location_intensity_g_per_kwh"].source == "electricitymaps_yearly"


def test_where_one_source_alone_knows_a_zone_the_range_is_how_far_sources_differ() -> None:
    value = made(zone="US-CAL-CISO")[0].location_intensity_g_per_kwh
    ratio = CATALOG.constant("grid_source_ratio")
    assert (value.low / value.mid, value.high / value.mid) == pytest.approx((ratio.low, ratio.high), rel=1e-12)


@pytest.mark.parametrize(
    ("zone", "source", "basis"),
    [
        ("US-VA", "egrid2023_state", "direct_co2e"),
        ("EGRID-SRVC", "egrid2023_subregion", "direct_co2e"),
        ("CN-GD", "china_mee_codecarbon", "direct_co2"),
    ],
)
def test_direct_factors_are_told_in_a_note(zone: str, source: str, basis: str) -> None:
    found, ledger, notes = made(zone=zone)
    assert found.intensity_basis == basis
    assert ledger["location_intensity_g_per_kwh"].source == source
    assert found.location_intensity_g_per_kwh.mid == stated(zone, source)[2023]
    (note,) = notes
    assert "direct factors" in note
    assert "lifecycle" in note


def test_lifecycle_and_direct_factors_are_never_mixed() -> None:
    """The range of every zone ends at values of its own basis, or at the stated ratio where one source is alone."""
    sources = {name: build(CATALOG) for name, build in grid.SOURCES.items()}
    ratio = CATALOG.constant("grid_source_ratio")
    rows = [r for table in ("grid_odbl", "grid_open") for r in CATALOG.rows(table) if r["zone_type"] != "aggregate"]
    both = set()
    for zone in sorted({str(r["zone"]) for r in rows}):
        where = grid.place(zone, CATALOG)
        chosen, value = grid.intensity(where, None, None, CATALOG)
        known = [found for source in sources.values() if (found := source.intensity(where, None)) is not None]
        alike = {found.g_per_kwh for found in known if found.basis == chosen.basis}
        if len({found.basis.partition("_")[0] for found in known}) > 1:
            both.add(zone)
        assert value.low in alike | {value.mid * ratio.low}, zone
        assert value.high in alike | {value.mid * ratio.high}, zone
    assert both == {"US-AK", "US-HI"}  # zones of Electricity Maps and states of eGRID: both bases under one name


@pytest.mark.parametrize("basis", ["lifecycle", "direct_co2e", "direct_co2"])
def test_the_site_says_which_basis_it_has(basis: str) -> None:
    zones = {str(r["basis"]): str(r["zone"]) for r in CATALOG.rows("grid_open") if r["zone_type"] != "aggregate"}
    found, ledger, _ = made(zone=zones[basis])
    assert found.intensity_basis == basis
    assert basis in ledger["location_intensity_g_per_kwh"].note


@pytest.mark.parametrize(
    ("name", "zone", "source"),
    [
        ("owid", "FRA", "owid_codecarbon"),
        ("electricitymaps", "FR", "electricitymaps_yearly"),
        ("ember", "FRA", "ember_co2js"),
    ],
)
def test_a_named_source_is_taken(name: str, zone: str, source: str) -> None:
    found, ledger, _ = made(country="FR", grid=name)
    assert found.location_intensity_g_per_kwh.mid == max(stated(zone, source).items())[1]
    assert ledger["location_intensity_g_per_kwh"].source == source


def test_codecarbon_gives_what_its_own_table_says() -> None:
    """Read by path: `import codecarbon` would look for GPUs."""
    spec = importlib.util.find_spec("codecarbon")
    assert spec is not None
    assert spec.submodule_search_locations
    table = Path(spec.submodule_search_locations[0]) / "data/private_infra/global_energy_mix.json"
    row = json.loads(table.read_text(encoding="utf-8"))["FRA"]
    found, _, _ = made(country="FR", grid="codecarbon")
    assert found.location_intensity_g_per_kwh.mid == pytest.approx(row["carbon_intensity"], rel=1e-12)


def test_a_source_that_does_not_know_the_place_is_refused() -> None:
    with pytest.raises(InputError, match="grid = 'ember': has no value for US-CAL-CISO; choose another with --grid"):
        made(zone="US-CAL-CISO", grid="ember")


def test_an_unknown_source_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="grid = 'embr': is not a known name; did you mean ember"):
        made(country="FR", grid="embr")


@pytest.mark.parametrize("year", [2021, 2023, 2025])
def test_the_years_own_value_is_taken(year: int) -> None:
    found, _, _ = made(country="FR", grid="electricitymaps", year=year)
    assert found.location_intensity_g_per_kwh.mid == stated("FR", "electricitymaps_yearly")[year]


@pytest.mark.parametrize(("asked", "nearest"), [(1999, 2021), (2040, 2025)])
def test_a_year_without_value_takes_the_nearest_and_says_which(asked: int, nearest: int) -> None:
    found, ledger, _ = made(country="FR", grid="electricitymaps", year=asked)
    assert found.location_intensity_g_per_kwh.mid == stated("FR", "electricitymaps_yearly")[nearest]
    assert str(nearest) in ledger["location_intensity_g_per_kwh"].note


def test_a_given_intensity_wins_over_every_table() -> None:
    given = Range(20.0, 25.0, 30.0)
    found, ledger, _ = made(country="PL", settings={"location_intensity_g_per_kwh": given})
    assert found.location_intensity_g_per_kwh == given
    assert (found.intensity_basis, ledger["location_intensity_g_per_kwh"].origin) == ("given", "given")


def test_no_place_is_the_world_with_a_note_and_the_spread_of_countries() -> None:
    found, ledger, notes = made()
    value = found.location_intensity_g_per_kwh
    assert (found.zone, ledger["location_intensity_g_per_kwh"].origin) == ("World", "default")
    assert value.mid == max(stated("World", "ember_co2js").items())[1]
    rows = [r for r in CATALOG.rows("grid_open") if r["source"] == "ember_co2js" and r["zone_type"] == "country"]
    countries = np.array([float(r["intensity_g_per_kwh"] or 0) for r in rows])
    assert (countries < value.low).mean() == pytest.approx(0.05, abs=0.01)
    assert (countries > value.high).mean() == pytest.approx(0.05, abs=0.01)
    (note,) = notes
    assert note.startswith("no place given: grid intensity is the world mean, 473 g/kWh")
    assert "--country, --zone or --region" in note


def test_an_unknown_country_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="country or zone = 'Frnce': is not a known name; did you mean France"):
        made(country="Frnce")


def test_an_unknown_zone_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'US-CAL-CIS0': is not a known name; did you mean US-CAL-CISO"):
        made(zone="US-CAL-CIS0")


def test_an_unknown_region_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="region = 'aws/us-east-11': is not a known name; did you mean aws/us-east-1"):
        made(region="aws/us-east-11")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("Frence", "France"), ("DEUU", "DEU"), ("californa", "California"), ("US-CAL-CIS0", "US-CAL-CISO")],
)
def test_an_unknown_region_near_a_country_or_a_zone_is_refused_with_that(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"region = '{typed}': is not a known name; did you mean {meant}"):
        made(region=typed)


def test_a_country_or_zone_in_a_regions_place_is_taken_and_told() -> None:
    for named, same in (("FRA", "FRA"), ("de", "DEU"), ("US-CAL-CISO", "US-CAL-CISO")):
        found, _, notes = site(SiteWords(region=named), [], CATALOG)
        expected, _, _ = site(SiteWords(zone=same), [], CATALOG)
        assert found == expected
        assert [note for note in notes if note.startswith(f"{named} is no cloud region: the grid zone ")]
    with pytest.raises(InputError, match="does not lie in DEU"):
        site(SiteWords(region="FRA", country="DEU"), [], CATALOG)
    for words in (SiteWords(region="France"), SiteWords(region="FRA", zone="DEU")):
        with pytest.raises(InputError, match="is no cloud region; give --zone FRA in its place"):
            site(words, [], CATALOG)
    with pytest.raises(InputError, match="'Georgia': names the country and US-GA; write GEO or US-GA"):
        site(SiteWords(region="Georgia"), [], CATALOG)


def test_a_region_lies_in_its_grid_zone() -> None:
    found, ledger, _ = made(region="aws/us-east-1")
    assert (found.region, found.zone) == ("aws/us-east-1", "US-MIDA-PJM")
    assert "PJM" in ledger["location_intensity_g_per_kwh"].note


def test_where_two_grids_are_defensible_the_range_holds_both() -> None:
    region = next(r for r in CATALOG.rows("regions") if r["id"] == "aws/us-west-2")
    value = made(region="aws/us-west-2")[0].location_intensity_g_per_kwh
    other = max(stated(str(region["alternative_zone"]), "electricitymaps_yearly").items())[1]
    assert value.low <= other <= value.high
    assert other in (value.low, value.high)


def test_a_region_and_a_country_that_disagree_are_refused() -> None:
    message = "region = 'aws/us-east-1': lies in US-MIDA-PJM, not in FR; give one of the two"
    with pytest.raises(InputError, match=message):
        made(region="aws/us-east-1", country="FR")


def test_a_zone_and_a_country_that_disagree_are_refused() -> None:
    with pytest.raises(InputError, match="zone = 'US-CAL-CISO': does not lie in DE; give one of the two"):
        made(zone="US-CAL-CISO", country="DE")


@pytest.mark.parametrize("words", [{"region": "aws/us-east-1", "country": "USA"}, {"zone": "SE-SE3", "country": "SE"}])
def test_two_names_of_one_place_agree(words: dict[str, str]) -> None:
    one = dict(list(words.items())[:1])
    assert made(**words)[0].location_intensity_g_per_kwh == made(**one)[0].location_intensity_g_per_kwh


# the facility


def test_pue_of_a_region_is_its_own_and_of_the_year() -> None:
    rows = {int(r["year"] or 0): r["pue"] for r in CATALOG.rows("region_years") if r["id"] == "aws/us-east-1"}
    for year in (2022, 2024):
        found, ledger, _ = made(region="aws/us-east-1", year=year)
        assert found.pue == Range.exactly(float(rows[year] or 0))
        assert ledger["pue"].note == f"aws/us-east-1 {year}"


def test_pue_of_an_operator_has_the_spread_of_its_regions() -> None:
    found, ledger, _ = made(country="US", operator="google", year=2020)
    ratio = CATALOG.constant("operator_pue_ratio")
    assert found.pue == Range(max(1.0, 1.1 * ratio.low), 1.1, 1.1 * ratio.high)
    assert ledger["pue"].note.startswith("google fleet 2020")


def test_a_region_without_its_own_pue_takes_its_providers() -> None:
    own = {r["id"] for r in CATALOG.rows("region_years") if r["pue"] is not None}
    providers = {r["provider"] for r in CATALOG.rows("facilities") if r["pue"] is not None}
    region = next(r for r in CATALOG.rows("regions") if r["id"] not in own and r["provider"] in providers)
    _, ledger, _ = made(region=str(region["id"]))
    assert ledger["pue"].origin == "catalog"
    assert ledger["pue"].note.endswith("range: regions around a provider's own mean")


def test_an_operator_wins_over_the_default_only_where_it_states_a_figure() -> None:
    """IDRIS states a PUE for Jean Zay and no WUE: the one is taken, for the other nothing is known."""
    found, ledger, _ = made(country="FR", operator="jean zay")
    assert found.pue.mid == 1.2
    assert ledger["pue"].origin == "catalog"
    assert ledger["wue_l_per_kwh"].origin == "default"


@pytest.mark.parametrize("operator", sorted({str(r["operator"]) for r in CATALOG.rows("facilities")}))
def test_every_operator_of_the_table_makes_a_site(operator: str) -> None:
    found, _, _ = made(country="US", operator=operator)
    stated_pue = {r["pue"] for r in CATALOG.rows("facilities") if r["operator"] == operator and r["pue"] is not None}
    assert found.pue.mid in (stated_pue or {CATALOG.constant("pue").mid})


def test_an_unknown_operator_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="operator = 'gooogle': is not a known name; did you mean google"):
        made(country="US", operator="gooogle")


def test_without_region_or_operator_the_pue_is_the_default_range() -> None:
    found, ledger, _ = made(country="FR")
    assert found.pue == CATALOG.constant("pue")
    assert ledger["pue"].origin == "default"


def test_a_given_pue_wins_over_the_regions() -> None:
    found, ledger, _ = made(region="aws/us-east-1", settings={"pue": Range.exactly(1.4)})
    assert (found.pue, ledger["pue"].origin) == (Range.exactly(1.4), "given")


def test_no_market_figure_is_none_and_a_claim_of_zero_is_zero() -> None:
    unknown, ledger, _ = made(country="US")
    assert unknown.market_intensity_g_per_kwh is None
    assert ledger["market_intensity_g_per_kwh"].value is None
    claimed, ledger, _ = made(region="aws/us-east-1")
    assert claimed.market_intensity_g_per_kwh == Range.exactly(0.0)
    assert "claim" in ledger["market_intensity_g_per_kwh"].note


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_reaches_the_site_and_the_ledger(name: str) -> None:
    given = Range(1.11, 1.22, 1.33)
    found, ledger, _ = made(country="FR", settings={name: given})
    holder = found if hasattr(found, name) else found.rates[0]
    assert getattr(holder, name) == given
    assert (ledger[name].value, ledger[name].origin, ledger[name].source) == (given, "given", "user")


@pytest.mark.parametrize("words", [{}, {"country": "FR"}, {"region": "gcp/us-central1"}, {"zone": "CN-GD"}])
def test_every_line_of_a_sites_ledger_has_an_origin_and_a_source(words: dict[str, str]) -> None:
    found, ledger, _ = made(**words)
    for line in ledger.values():
        assert line.origin in ORIGINS
        assert line.source or line.value is None, line
    told = {name for name in ledger if hasattr(found, name)}
    assert told >= {
        "pue", "location_intensity_g_per_kwh", "market_intensity_g_per_kwh", "wue_l_per_kwh",
        "water_intensity_l_per_kwh", "electricity_usd_per_kwh", "lifetime_h", "fleet_utilization",
    }  # fmt: skip


# prices and hardware


def test_a_price_that_nobody_lists_stays_none() -> None:
    found, ledger, _ = made("tpu-v7", country="US")
    listed = [r for r in CATALOG.rows("prices") if r["accelerator"] == "tpu-v7" and r["spot_usd_per_h"] is not None]
    assert listed == []
    (rates,) = found.rates
    assert rates.spot_usd_per_h is None
    assert rates.capital_usd_per_h is None
    assert "spot_usd_per_h" not in ledger


def test_a_part_without_any_price_costs_nothing_known_not_nothing() -> None:
    device = "mtia-v2"
    assert not [r for r in CATALOG.rows("prices") if r["accelerator"] == device]
    found, _, _ = made(device, country="US")
    result = assessor.assess(mids(usage(device)), mids(found), Plain())
    assert set(result.rentals.values()) == {None}
    assert result.ownership_usd is None


def test_unknown_embodied_carbon_is_the_span_of_known_devices_and_said() -> None:
    device = next(a.id for a in CATALOG.accelerators() if a.embodied_kgco2e is None)
    found, ledger, _ = made(device, country="US")
    assert found.rates[0].embodied_accelerator_kgco2e == CATALOG.constant("embodied_accelerator_kgco2e")
    assert ledger["embodied_accelerator_kgco2e"].origin == "default"
    result = assessor.assess(mids(usage(device)), mids(found), Plain())
    assert result.total_location_kgco2e == result.facility.operational_location_kgco2e + result.embodied_kgco2e


def test_prices_are_the_middle_and_ends_of_what_is_listed() -> None:
    found, ledger, _ = made(region="aws/us-east-1")
    price = found.rates[0].on_demand_usd_per_h
    assert price is not None
    listed = [
        float(r["on_demand_usd_per_h"])
        for r in CATALOG.rows("prices")
        if (r["accelerator"], r["provider"], r["region"]) == (H100.id, "aws", "us-east-1")
        and r["on_demand_usd_per_h"] is not None
        and "epoch" not in str(r["source"])
    ]
    assert (price.low, price.high) == (min(listed), max(listed))
    assert f"{len(listed)} offers: aws" in ledger["on_demand_usd_per_h"].note


def test_embodied_carbon_of_a_device_is_a_wide_range_from_die_to_vendors_figure() -> None:
    rates = made(country="US")[0].rates[0]
    assert rates.embodied_accelerator_kgco2e == H100.embodied_kgco2e
    assert H100.embodied_kgco2e is not None
    assert H100.embodied_kgco2e.low < 0.2 * H100.embodied_kgco2e.mid
    assert H100.embodied_kgco2e.high > 2 * H100.embodied_kgco2e.mid


# the assessor


def usage(*devices: str, hours: float = 1e6, watts: float = 900.0) -> Usage:
    lines = tuple(
        UsageLine(
            name=f"stage {i}",
            accelerator=CATALOG.accelerator(device).id,
            accelerator_hours=Range.exactly(hours * (i + 1)),
            nameplate_energy_kwh=Range.exactly(hours * (i + 1) * 0.7),
            it_energy_kwh=Range.exactly(hours * (i + 1) * watts / 1000),
        )
        for i, device in enumerate(devices or ("h100-sxm",))
    )

    def total(field: str) -> Range:
        return Range.exactly(sum(getattr(line, field).mid for line in lines))

    return Usage(
        lines=lines,
        accelerator_hours=total("accelerator_hours"),
        it_energy_kwh=total("it_energy_kwh"),
        nameplate_energy_kwh=total("nameplate_energy_kwh"),
        training_flop=Range.exactly(1e24),
        tokens=Range.exactly(1e12),
    )


RATES = Rates(
    H100.id, Range.exactly(164.0), Range.exactly(750.0), Range.exactly(3.0), None, None, None, Range.exactly(2.5)
)
SITE = Site(
    zone="XX",
    pue=Range(1.1, 1.2, 1.5),
    location_intensity_g_per_kwh=Range(300.0, 400.0, 500.0),
    intensity_basis="lifecycle",
    intensity_scope="production",
    market_intensity_g_per_kwh=Range.exactly(0.0),
    wue_l_per_kwh=Range(0.1, 0.4, 1.8),
    water_intensity_l_per_kwh=Range(1.5, 3.9, 12.0),
    electricity_usd_per_kwh=Range(0.05, 0.08, 0.16),
    lifetime_h=Range(26280.0, 43800.0, 52560.0),
    fleet_utilization=Range(0.5, 0.8, 1.0),
    server_cost_ratio=Range.exactly(1.64),
    network_cost_share=Range.exactly(0.19),
    depreciation_share=Range(0.28, 0.32, 0.37),
    rates=(RATES,),
)


def outputs(found: assessor.Assessment) -> dict[str, Any]:
    """The additive quantities of an assessment by name."""
    named: dict[str, Any] = {
        "embodied_kgco2e": found.embodied_kgco2e,
        "total_location_kgco2e": found.total_location_kgco2e,
        "ownership_usd": found.ownership_usd,
        "rental_on_demand_usd": found.rentals["rental_on_demand_usd"],
    }
    for one in (found.facility, found.model_card):
        for field in (
            "facility_energy_kwh", "operational_location_kgco2e", "operational_market_kgco2e", "onsite_water_l",
            "offsite_water_l", "electricity_usd",
        ):  # fmt: skip
            named[f"{one.convention}.{field}"] = getattr(one, field)
    return named


def plain(used: Usage, where: Site) -> dict[str, Any]:
    return outputs(assessor.assess(mids(used), mids(where), Plain()))


def test_the_whole_corridor_by_hand() -> None:
    """1e6 h at 900 W: 900 MWh IT, x 1.2 = 1,080 MWh, x 400 g = 432 t, and the rest from the same meters."""
    found = plain(usage(), SITE)
    by_hand = {
        "facility.facility_energy_kwh": 1_080_000.0,
        "facility.operational_location_kgco2e": 432_000.0,
        "facility.operational_market_kgco2e": 0.0,
        "facility.onsite_water_l": 360_000.0,
        "facility.offsite_water_l": 4_212_000.0,
        "facility.electricity_usd": 86_400.0,
        "model-card.facility_energy_kwh": 840_000.0,
        "model-card.operational_location_kgco2e": 336_000.0,
        "embodied_kgco2e": 1e6 * 914 / (43_800 * 0.8),
        "total_location_kgco2e": 432_000 + 1e6 * 914 / (43_800 * 0.8),
        "rental_on_demand_usd": 3e6,
        "ownership_usd": 2.5e6 + 86_400,
    }
    assert {name: found[name] for name in by_hand} == pytest.approx(by_hand, rel=1e-12)


@given(st.floats(1.0, 1e9), st.floats(1e-3, 1e3))
def test_twice_the_hours_is_twice_of_everything(hours: float, factor: float) -> None:
    once, more = plain(usage(hours=hours), SITE), plain(usage(hours=hours * factor), SITE)
    assert more == pytest.approx({name: value * factor for name, value in once.items()}, rel=1e-12)


@given(st.floats(1.0, 3.0), st.floats(1.0, 3.0))
def test_pue_enters_water_once_and_onsite_water_never(first: float, second: float) -> None:
    one, other = (plain(usage(), replace(SITE, pue=Range.exactly(pue))) for pue in (first, second))
    assert one["facility.onsite_water_l"] == other["facility.onsite_water_l"]
    for name in ("offsite_water_l", "operational_location_kgco2e", "facility_energy_kwh", "electricity_usd"):
        grown = one[f"facility.{name}"] * second / first
        assert other[f"facility.{name}"] == pytest.approx(grown, rel=1e-12)


@given(st.floats(1.0, 3.0))
def test_the_facility_uses_at_least_what_its_computers_do(pue: float) -> None:
    found = assessor.assess(mids(usage()), mids(replace(SITE, pue=Range.exactly(pue))), Plain())
    assert found.facility.facility_energy_kwh >= found.facility.it_energy_kwh
    assert found.model_card.facility_energy_kwh >= found.model_card.it_energy_kwh


def test_stages_add_up() -> None:
    """Two stages of 1e6 and 2e6 hours cost what one of 3e6 hours does."""
    assert plain(usage("h100-sxm", "h100-sxm"), SITE) == pytest.approx(plain(usage(hours=3e6), SITE), rel=1e-12)


def test_one_stage_without_a_price_leaves_the_whole_without() -> None:
    bare = Rates(CATALOG.accelerator("tpu-v4").id, Range.exactly(164.0), Range.exactly(750.0))
    found = plain(usage("h100-sxm", "tpu-v4"), replace(SITE, rates=(RATES, bare)))
    assert [found[n] for n in ("ownership_usd", "rental_on_demand_usd")] == [None, None]
    assert found["embodied_kgco2e"] is not None


def test_an_unknown_market_intensity_makes_no_market_carbon_and_zero_makes_zero() -> None:
    assert plain(usage(), SITE)["facility.operational_market_kgco2e"] == 0.0
    unknown = plain(usage(), replace(SITE, market_intensity_g_per_kwh=None))
    assert unknown["facility.operational_market_kgco2e"] is None
    assert unknown["facility.operational_location_kgco2e"] == pytest.approx(432_000, rel=1e-12)


def test_no_electricity_price_leaves_rent_as_it_is() -> None:
    found = plain(usage(), replace(SITE, electricity_usd_per_kwh=None))
    assert found["facility.electricity_usd"] is None
    assert found["ownership_usd"] is None
    assert found["rental_on_demand_usd"] == 3e6


def test_sci_is_the_total_per_token_and_per_flop() -> None:
    found = assessor.assess(mids(usage()), mids(SITE), Plain())
    assert found.sci_kgco2e_per_token * 1e12 == pytest.approx(found.total_location_kgco2e, rel=1e-15)
    assert found.sci_kgco2e_per_flop * 1e24 == pytest.approx(found.total_location_kgco2e, rel=1e-15)
    unknown = assessor.assess(mids(replace(usage(), tokens=None, training_flop=None)), mids(SITE), Plain())
    assert (unknown.sci_kgco2e_per_token, unknown.sci_kgco2e_per_flop) == (None, None)


def test_slot_0_of_the_draws_is_the_hand_calculation_to_the_last_digit() -> None:
    drawn = outputs(assessor.assess(draw(usage()), draw(SITE), Plain()))
    for name, value in plain(usage(), SITE).items():
        slot = drawn[name][0] if np.ndim(drawn[name]) else drawn[name]
        assert slot == value, name


def test_one_pue_draw_serves_carbon_water_and_cost() -> None:
    """With everything else certain, the three move together in every draw."""
    certain = replace(
        SITE,
        location_intensity_g_per_kwh=Range.exactly(400.0),
        water_intensity_l_per_kwh=Range.exactly(3.9),
        electricity_usd_per_kwh=Range.exactly(0.08),
    )
    found = outputs(assessor.assess(draw(usage()), draw(certain), Plain()))
    carbon = found["facility.operational_location_kgco2e"]
    np.testing.assert_allclose(found["facility.offsite_water_l"] / carbon, 3.9 / 0.4, rtol=1e-12)
    np.testing.assert_allclose(found["facility.electricity_usd"] / carbon, 0.08 / 0.4, rtol=1e-12)


def test_embodied_carbon_is_a_range_where_device_and_lifetime_are() -> None:
    wide = replace(RATES, embodied_accelerator_kgco2e=Range(14.65, 164.0, 575.1))
    found = summarise(assessor.assess(draw(usage()), draw(replace(SITE, rates=(wide,))), Plain()).embodied_kgco2e)
    assert found.mid == pytest.approx(1e6 * 914 / (43_800 * 0.8), rel=1e-12)
    assert 0.6 * found.mid < found.low < 0.95 * found.mid
    assert 1.3 * found.mid < found.high < 2.5 * found.mid


def test_the_steps_of_the_corridor_are_its_calculation() -> None:
    calculate = Derivation()
    found = assessor.assess(mids(usage("h100-sxm", "h100-sxm")), mids(SITE), calculate)
    by_place = {(step.part, step.field): step.value for step in calculate.steps}
    assert by_place["facility", "facility_energy_kwh"] == found.facility.facility_energy_kwh
    assert by_place["model-card", "facility_energy_kwh"] == found.model_card.facility_energy_kwh
    assert by_place["total", "embodied_kgco2e"] == found.embodied_kgco2e
    assert by_place["total", "total_location_kgco2e"] == found.total_location_kgco2e
    parts = [value for (part, field), value in by_place.items() if field == "embodied_kgco2e" and part != "total"]
    assert sum(parts) == found.embodied_kgco2e


def test_a_provider_with_many_regions_counts_once() -> None:
    """The median of providers' medians; over all offers, the provider with most regions would set the price."""
    found, _, _ = made(country="US")
    offers = [
        r
        for r in CATALOG.rows("prices")
        if r["accelerator"] == H100.id and r["on_demand_usd_per_h"] and "epoch" not in str(r["source"])
    ]
    by_provider: dict[str, list[float]] = {}
    for row in offers:
        by_provider.setdefault(str(row["provider"]), []).append(float(row["on_demand_usd_per_h"]))
    expected = float(np.median([np.median(prices) for prices in by_provider.values()]))
    price = found.rates[0].on_demand_usd_per_h
    assert price is not None
    assert price.mid == pytest.approx(expected, rel=1e-12)
    assert price.mid < float(np.median([float(r["on_demand_usd_per_h"]) for r in offers]))


def test_a_users_own_grid_row_comes_first(tmp_path: Path) -> None:
    header = (CATALOG.shipped / "grid_open.csv").read_text(encoding="utf-8").splitlines()[0]
    row = "FRA,country,FR,FRA,France,2026,21.5,lifecycle,production,,read,our meter,2026-11-01"
    (tmp_path / "grid_open.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    result = footprint.estimate(params="7B", tokens="1T", accelerator="h100", country="FRA", data=tmp_path)
    assert result.site.location_intensity_g_per_kwh.mid == 21.5
