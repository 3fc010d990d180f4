"""Carbon and water of energy and of hardware. Floats or arrays in, the same out."""

from __future__ import annotations

from footprint.units import G_PER_KG, Quantity


def operational_location_kgco2e(facility_energy_kwh: Quantity, location_intensity_g_per_kwh: Quantity) -> Quantity:
    """Scope 2 carbon by the grid that physically supplies the site.

    operational_location_kgco2e = facility_energy_kwh * location_intensity_g_per_kwh / G_PER_KG

    Parameters
    ----------
    facility_energy_kwh : kWh, PUE included
    location_intensity_g_per_kwh : g/kWh, average grid mix; lifecycle or direct as the ledger says

    References
    ----------
    .. [1] GHG Protocol Scope 2 Guidance 2015, location-based method.
    """
    return facility_energy_kwh * location_intensity_g_per_kwh / G_PER_KG


def operational_market_kgco2e(facility_energy_kwh: Quantity, market_intensity_g_per_kwh: Quantity) -> Quantity:
    """Scope 2 carbon by the operator's contracts; a claim, not physics, and never added to the location-based one.

    operational_market_kgco2e = facility_energy_kwh * market_intensity_g_per_kwh / G_PER_KG

    Parameters
    ----------
    facility_energy_kwh : kWh, PUE included
    market_intensity_g_per_kwh : g/kWh

    References
    ----------
    .. [1] GHG Protocol Scope 2 Guidance 2015, market-based method.
    """
    return facility_energy_kwh * market_intensity_g_per_kwh / G_PER_KG


def embodied_kgco2e(
    accelerator_hours: Quantity,
    embodied_accelerator_kgco2e: Quantity,
    embodied_host_kgco2e: Quantity,
    lifetime_h: Quantity,
    fleet_utilization: Quantity,
) -> Quantity:
    """The share of making the hardware that falls to this usage.

    embodied_kgco2e = accelerator_hours * (embodied_accelerator_kgco2e + embodied_host_kgco2e) / (lifetime_h * fleet_utilization)

    SCI's M = TE x (TiR / EL) x (RR / ToR), with the expected lifespan reduced to its used hours, so that a
    fleet's whole embodied carbon is shared out. Buildings, network and end of life are left out.

    Parameters
    ----------
    accelerator_hours : h
    embodied_accelerator_kgco2e, embodied_host_kgco2e : kgCO2e per accelerator; the host's share of one node
    lifetime_h : h in service
    fleet_utilization : share of those hours that run jobs, 0 to 1

    References
    ----------
    .. [1] ISO/IEC 21031:2024, Software Carbon Intensity, section on M.
    """
    return (
        accelerator_hours
        * (embodied_accelerator_kgco2e + embodied_host_kgco2e)
        / (lifetime_h * fleet_utilization)
    )  # fmt: skip


def total_location_kgco2e(operational_location_kgco2e: Quantity, embodied_kgco2e: Quantity) -> Quantity:
    """Operational (location-based, facility convention) and embodied carbon together.

    total_location_kgco2e = operational_location_kgco2e + embodied_kgco2e

    Parameters
    ----------
    operational_location_kgco2e, embodied_kgco2e : kgCO2e

    References
    ----------
    .. [1] ISO/IEC 21031:2024: (E x I) + M.
    """
    return operational_location_kgco2e + embodied_kgco2e


def sci_kgco2e_per_token(total_location_kgco2e: Quantity, tokens: Quantity) -> Quantity:
    """Software Carbon Intensity of training per token trained on.

    sci_kgco2e_per_token = total_location_kgco2e / tokens

    Parameters
    ----------
    total_location_kgco2e : kgCO2e; market-based instruments are not allowed here
    tokens : functional unit R

    References
    ----------
    .. [1] ISO/IEC 21031:2024; SCI for AI specification, training functional units.
    """
    return total_location_kgco2e / tokens


def sci_kgco2e_per_flop(total_location_kgco2e: Quantity, training_flop: Quantity) -> Quantity:
    """Software Carbon Intensity of training per FLOP.

    sci_kgco2e_per_flop = total_location_kgco2e / training_flop

    Parameters
    ----------
    total_location_kgco2e : kgCO2e
    training_flop : FLOP, functional unit R

    References
    ----------
    .. [1] ISO/IEC 21031:2024; SCI for AI specification, training functional units.
    """
    return total_location_kgco2e / training_flop


def onsite_water_l(it_energy_kwh: Quantity, wue_l_per_kwh: Quantity) -> Quantity:
    """Water evaporated at the data centre. PUE plays no part: WUE is per IT kWh.

    onsite_water_l = it_energy_kwh * wue_l_per_kwh

    Parameters
    ----------
    it_energy_kwh : kWh, before PUE
    wue_l_per_kwh : L per IT kWh

    References
    ----------
    .. [1] ISO/IEC 30134-9:2022, Water usage effectiveness.
    """
    return it_energy_kwh * wue_l_per_kwh


def offsite_water_l(facility_energy_kwh: Quantity, water_intensity_l_per_kwh: Quantity) -> Quantity:
    """Water consumed in making the electricity.

    offsite_water_l = facility_energy_kwh * water_intensity_l_per_kwh

    Parameters
    ----------
    facility_energy_kwh : kWh, PUE included
    water_intensity_l_per_kwh : L per facility kWh

    References
    ----------
    .. [1] Li et al. 2023, Making AI less thirsty, arXiv 2304.03271; Reig et al. 2020, WRI guidance.
    """
    return facility_energy_kwh * water_intensity_l_per_kwh
