"""The one corridor from usage to footprint: `Usage` x `Site` -> `Footprint`.

Plans, samples and past metrics all walk through here, as ranges, as arrays of draws or as arrays of
scenarios: the same lines of code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from footprint.derivation import Derivation, Plain
from footprint.formulas import cost, energy, impact
from footprint.units import Quantity
from footprint.values import Footprint, Impact, Rates, Site, Usage

FACILITY, MODEL_CARD = "facility", "model-card"
RENTALS = {
    "rental_on_demand_usd": "on_demand_usd_per_h",
    "rental_spot_usd": "spot_usd_per_h",
    "rental_reserved_1y_usd": "reserved_1y_usd_per_h",
    "rental_reserved_3y_usd": "reserved_3y_usd_per_h",
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything the assessor works out, still as numbers or arrays."""

    facility: Impact
    model_card: Impact
    embodied_kgco2e: Quantity
    total_location_kgco2e: Quantity
    ownership_usd: Quantity
    rentals: dict[str, Quantity]
    sci_kgco2e_per_token: Quantity
    sci_kgco2e_per_flop: Quantity


def assess(usage: Usage, site: Site, calculate: Derivation | Plain) -> Assessment:
    """What a usage on a site costs. Ranges must have been drawn (`uncertainty.draw`) before.

    A price that one line's hardware lacks makes the whole bill None: a sum with a hole in it would pass for
    the whole.
    """
    facility = _impact(FACILITY, usage.it_energy_kwh, site, calculate)
    model_card = _impact(MODEL_CARD, usage.nameplate_energy_kwh, site, calculate)
    rates = {rate.accelerator: rate for rate in site.rates}
    embodied = _embodied(usage, site, rates, calculate)
    total = calculate(
        impact.total_location_kgco2e,
        part="total",
        operational_location_kgco2e=facility.operational_location_kgco2e,
        embodied_kgco2e=embodied,
    )
    return Assessment(
        facility=facility,
        model_card=model_card,
        embodied_kgco2e=embodied,
        total_location_kgco2e=total,
        ownership_usd=_ownership(usage, site, rates, facility, calculate),
        rentals={field: _rental(usage, rates, field, calculate) for field in RENTALS},
        sci_kgco2e_per_token=None
        if usage.tokens is None
        else calculate(impact.sci_kgco2e_per_token, part="total", total_location_kgco2e=total, tokens=usage.tokens),
        sci_kgco2e_per_flop=None
        if usage.training_flop is None
        else calculate(
            impact.sci_kgco2e_per_flop, part="total", total_location_kgco2e=total, training_flop=usage.training_flop
        ),
    )


def footprint(name: str, usage: Usage, site: Site, assessment: Assessment, **rest: Any) -> Footprint:
    """The assessment as one record; still arrays where it was given arrays."""
    a = assessment
    return Footprint(
        name=name,
        usage=usage,
        site=site,
        facility=a.facility,
        model_card=a.model_card,
        embodied_kgco2e=a.embodied_kgco2e,
        total_location_kgco2e=a.total_location_kgco2e,
        ownership_usd=a.ownership_usd,
        sci_kgco2e_per_token=a.sci_kgco2e_per_token,
        sci_kgco2e_per_flop=a.sci_kgco2e_per_flop,
        **a.rentals,
        **rest,
    )


def _impact(convention: str, it_energy_kwh: Quantity, site: Site, calculate: Derivation | Plain) -> Impact:
    facility_energy_kwh = calculate(
        energy.facility_energy_kwh, part=convention, it_energy_kwh=it_energy_kwh, pue=site.pue
    )
    market = site.market_intensity_g_per_kwh
    price = site.electricity_usd_per_kwh
    return Impact(
        convention=convention,
        it_energy_kwh=it_energy_kwh,
        facility_energy_kwh=facility_energy_kwh,
        operational_location_kgco2e=calculate(
            impact.operational_location_kgco2e,
            part=convention,
            facility_energy_kwh=facility_energy_kwh,
            location_intensity_g_per_kwh=site.location_intensity_g_per_kwh,
        ),
        operational_market_kgco2e=None
        if market is None
        else calculate(
            impact.operational_market_kgco2e,
            part=convention,
            facility_energy_kwh=facility_energy_kwh,
            market_intensity_g_per_kwh=market,
        ),
        onsite_water_l=calculate(
            impact.onsite_water_l, part=convention, it_energy_kwh=it_energy_kwh, wue_l_per_kwh=site.wue_l_per_kwh
        ),
        offsite_water_l=calculate(
            impact.offsite_water_l,
            part=convention,
            facility_energy_kwh=facility_energy_kwh,
            water_intensity_l_per_kwh=site.water_intensity_l_per_kwh,
        ),
        electricity_usd=None
        if price is None
        else calculate(
            cost.electricity_usd,
            part=convention,
            facility_energy_kwh=facility_energy_kwh,
            electricity_usd_per_kwh=price,
        ),
    )


def _embodied(usage: Usage, site: Site, rates: dict[str, Rates], calculate: Derivation | Plain) -> Quantity:
    parts: dict[str, Quantity] = {}
    for line in usage.lines:
        rate = rates[line.accelerator]
        parts[line.name] = calculate(
            impact.embodied_kgco2e,
            part=line.name,
            accelerator_hours=line.accelerator_hours,
            embodied_accelerator_kgco2e=rate.embodied_accelerator_kgco2e,
            embodied_host_kgco2e=rate.embodied_host_kgco2e,
            lifetime_h=site.lifetime_h,
            fleet_utilization=site.fleet_utilization,
        )
    return calculate.total("embodied_kgco2e", parts)


def _rental(usage: Usage, rates: dict[str, Rates], field: str, calculate: Derivation | Plain) -> Quantity:
    parts: dict[str, Quantity] = {}
    for line in usage.lines:
        price = getattr(rates[line.accelerator], RENTALS[field])
        if price is None:
            return None
        parts[line.name] = calculate(
            cost.rental_usd,
            part=f"{line.name}, {field.removeprefix('rental_').removesuffix('_usd').replace('_', ' ')}",
            accelerator_hours=line.accelerator_hours,
            rental_usd_per_h=price,
        )
    return calculate.total(field, parts)


def _share(amount: Quantity, part: Quantity, whole: Quantity) -> Quantity:
    """A line's part of an amount, by its part of the energy; where there is none, none."""
    return amount * (part / (whole + (whole == 0)))


def _ownership(
    usage: Usage, site: Site, rates: dict[str, Rates], facility: Impact, calculate: Derivation | Plain
) -> Quantity:
    if facility.electricity_usd is None:
        return None
    parts: dict[str, Quantity] = {}
    for line in usage.lines:
        capital = _capital(line.name, rates[line.accelerator], site, calculate)
        if capital is None:
            return None
        parts[line.name] = calculate(
            cost.ownership_usd,
            part=line.name,
            accelerator_hours=line.accelerator_hours,
            capital_usd_per_h=capital,
            electricity_usd=_share(facility.electricity_usd, line.it_energy_kwh, usage.it_energy_kwh),
        )
    return calculate.total("ownership_usd", parts)


def _capital(part: str, rate: Rates, site: Site, calculate: Derivation | Plain) -> Quantity:
    """As given, else from the launch price; None where neither is known."""
    if rate.capital_usd_per_h is not None or rate.launch_price_usd is None:
        return rate.capital_usd_per_h
    return calculate(
        cost.capital_usd_per_h,
        part=part,
        launch_price_usd=rate.launch_price_usd,
        server_cost_ratio=site.server_cost_ratio,
        network_cost_share=site.network_cost_share,
        depreciation_share=site.depreciation_share,
        fleet_utilization=site.fleet_utilization,
    )
