"""Money. Floats or arrays in, the same out. A missing price stays missing: the caller does not call."""

from __future__ import annotations

from footprint.units import H_PER_YEAR, Quantity


def electricity_usd(facility_energy_kwh: Quantity, electricity_usd_per_kwh: Quantity) -> Quantity:
    """The electricity bill, without demand charges.

    electricity_usd = facility_energy_kwh * electricity_usd_per_kwh

    Parameters
    ----------
    facility_energy_kwh : kWh, PUE included
    electricity_usd_per_kwh : USD/kWh

    References
    ----------
    .. [1] Definition.
    """
    return facility_energy_kwh * electricity_usd_per_kwh


def rental_usd(accelerator_hours: Quantity, rental_usd_per_h: Quantity) -> Quantity:
    """The bill of rented accelerators at a list price; storage, network and support are left out.

    rental_usd = accelerator_hours * rental_usd_per_h

    Parameters
    ----------
    accelerator_hours : h
    rental_usd_per_h : USD per accelerator-hour

    References
    ----------
    .. [1] Definition.
    """
    return accelerator_hours * rental_usd_per_h


def capital_usd_per_h(
    launch_price_usd: Quantity,
    server_cost_ratio: Quantity,
    network_cost_share: Quantity,
    depreciation_share: Quantity,
    fleet_utilization: Quantity,
) -> Quantity:
    """Amortised capital of one accelerator-hour: chip, its share of server and of interconnect.

    capital_usd_per_h = launch_price_usd * server_cost_ratio / (1 - network_cost_share) * depreciation_share / (H_PER_YEAR * fleet_utilization)

    Linear in time at the first year's depreciation, so it overstates old hardware.

    Parameters
    ----------
    launch_price_usd : USD per accelerator
    server_cost_ratio : server over accelerator price, >= 1
    network_cost_share : interconnect's share of the cluster's price, 0 to 1
    depreciation_share : value lost a year, 0.14 orders of magnitude x ln 10
    fleet_utilization : used share of the hours, 0 to 1

    References
    ----------
    .. [1] Cottier et al. 2024, The rising costs of training frontier AI models, arXiv 2405.21015.
    """
    return (
        launch_price_usd * server_cost_ratio / (1 - network_cost_share) * depreciation_share / (H_PER_YEAR * fleet_utilization)
    )  # fmt: skip


def ownership_usd(accelerator_hours: Quantity, capital_usd_per_h: Quantity, electricity_usd: Quantity) -> Quantity:
    """What an owner pays: amortised capital and electricity. Staff, building and financing are left out.

    ownership_usd = accelerator_hours * capital_usd_per_h + electricity_usd

    Parameters
    ----------
    accelerator_hours : h
    capital_usd_per_h : USD per accelerator-hour
    electricity_usd : USD

    References
    ----------
    .. [1] Cottier et al. 2024, arXiv 2405.21015.
    """
    return accelerator_hours * capital_usd_per_h + electricity_usd
