"""What a site bills: its own units by what jobs were given, and its own prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from footprint.fleet.months_held import Held
from footprint.fleet.site_file import Billing, SiteFile
from footprint.formulas import cost
from footprint.units import S_PER_H

__all__ = ["Bill", "bill"]

_DEVICES = "gres/gpu"
_OWN = "billing"


@dataclass(slots=True)
class Bill:
    """Units and dollars; None where the site says nothing of them."""

    units: float | None = None
    usd: float | None = None

    def take(self, other: Bill) -> None:
        """Add another bill."""
        if other.units is not None:
            self.units = (self.units or 0.0) + other.units
        if other.usd is not None:
            self.usd = (self.usd or 0.0) + other.usd


def bill(held: Held, site: SiteFile) -> Bill:
    """Of one start within a month. A price of its partition's accelerators comes before the price of units."""
    billing, partition = site.billing, held.partition
    units = _units(held, billing) if billing is not None else None
    price = partition.accelerator_usd_per_h if partition is not None else None
    if price is not None:
        return Bill(units, float(cost.rental_usd(held.hours, price)))
    if billing is not None and billing.unit_usd is not None and units is not None:
        return Bill(units, units * billing.unit_usd)
    return Bill(units, None)


def _units(held: Held, billing: Billing) -> float:
    """Hours times the weights of what was allocated: their sum, or the largest product."""
    resources: Mapping[str, float] = held.start.resources
    partition = held.partition
    weights = partition.weights if partition is not None and partition.weights is not None else billing.weights
    hours = held.duration_s / S_PER_H
    if not weights:
        return hours * resources.get(_OWN, 0.0)
    amounts = {_DEVICES: float(held.start.accelerators_count or held.count), **resources}
    products = [weight * amounts.get(name, 0.0) for name, weight in weights.items()]
    return hours * (max(products) if billing.takes_most else sum(products))
