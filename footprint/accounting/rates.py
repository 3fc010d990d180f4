"""What an accelerator-hour carries beside energy: embodied carbon, list prices, the price of the device."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from footprint.accounting.assessor import RENTALS
from footprint.catalog import Catalog, Row
from footprint.values import HIGH_SHARE, LOW_SHARE, Accelerator, Assumption, Range, Rates

HISTORY = "epoch_hardware_prices"
"""A source of past prices: they take no part in what an hour costs now."""


def hardware_rates(
    accelerator: Accelerator,
    settings: Mapping[str, Range],
    provider: str | None,
    region: str | None,
    catalog: Catalog,
) -> tuple[Rates, list[Assumption]]:
    """The rates of one kind of accelerator and their ledger; a price that nobody lists is None."""
    ledger: list[Assumption] = []

    def given(field: str) -> Range | None:
        value = settings.get(field)
        if value is not None:
            ledger.append(Assumption(field, value, "given", "user"))
        return value

    offers = _offers(accelerator, provider, catalog)
    prices: dict[str, Range | None] = {}
    for field in RENTALS.values():
        prices[field] = given(field)
        if prices[field] is None and (told := _rental(accelerator, field, offers, region)) is not None:
            ledger.append(told)
            prices[field] = told.value  # type: ignore[assignment]
    device = given("embodied_accelerator_kgco2e") or _keep(ledger, _device_embodied(accelerator, catalog))
    host = given("embodied_host_kgco2e") or _keep(ledger, _host_embodied(accelerator, catalog))
    capital = given("capital_usd_per_h")
    if capital is None and accelerator.launch_price_usd is not None:
        note = f"{accelerator.id}, launch price"
        ledger.append(Assumption("launch_price_usd", accelerator.launch_price_usd, "catalog", accelerator.source, note))
    return (
        Rates(
            accelerator=accelerator.id,
            embodied_accelerator_kgco2e=device,
            embodied_host_kgco2e=host,
            capital_usd_per_h=capital,
            launch_price_usd=accelerator.launch_price_usd,
            **prices,
        ),
        ledger,
    )


def _keep(ledger: list[Assumption], told: Assumption) -> Range:
    ledger.append(told)
    assert isinstance(told.value, Range)
    return told.value


def _device_embodied(accelerator: Accelerator, catalog: Catalog) -> Assumption:
    field = "embodied_accelerator_kgco2e"
    if accelerator.embodied_kgco2e is not None:
        return Assumption(field, accelerator.embodied_kgco2e, "catalog", accelerator.source, accelerator.id)
    row = catalog.constant_row(field)
    note = f"{accelerator.id} is not known: the span of data-centre devices that are"
    return Assumption(field, catalog.constant(field), "default", str(row["source"]), note)


def _host_embodied(accelerator: Accelerator, catalog: Catalog) -> Assumption:
    field = "embodied_host_kgco2e"
    known = sorted(
        node.embodied_host_kgco2e / node.accelerator_count
        for node in catalog.nodes_for(accelerator.id)
        if node.embodied_host_kgco2e
    )
    if known:
        value = Range(known[0], statistics.median(known), known[-1])
        return Assumption(field, value, "catalog", "nodes.csv", f"{len(known)} nodes with {accelerator.id}")
    row = catalog.constant_row("host_embodied_kgco2e")
    value = catalog.constant("host_embodied_kgco2e")
    return Assumption(field, value, "default", str(row["source"]), str(row["note"] or ""))


def _offers(accelerator: Accelerator, provider: str | None, catalog: Catalog) -> list[Row]:
    """List prices that still hold: the provider's own where one is named, else everybody's."""
    return [
        row
        for row in catalog.rows("prices")
        if row["accelerator"] == accelerator.id
        and (provider is None or row["provider"] == provider)
        and HISTORY not in str(row["source"])
    ]


def _rental(accelerator: Accelerator, field: str, listed: Sequence[Row], region: str | None) -> Assumption | None:
    """The region's offers, else the provider's; over several providers the span of their own medians.

    A provider that lists many regions counts once, like one that lists a single price.
    """
    offers = [row for row in listed if row[field] is not None]
    offers = [row for row in offers if region and row["region"] == region] or offers
    if not offers:
        return None
    by_provider: dict[str, list[float]] = {}
    for row in offers:
        by_provider.setdefault(str(row["provider"]), []).append(float(row[field]))  # type: ignore[arg-type]
    several = len(by_provider) > 1
    prices = [statistics.median(p) for p in by_provider.values()] if several else next(iter(by_provider.values()))
    providers = sorted(by_provider)
    named = ", ".join(providers[:4]) + (f" and {len(providers) - 4} more" if len(providers) > 4 else "")
    dates = sorted({str(row["as_of"]) for row in offers})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    note = f"{accelerator.id}, {len(offers)} offers: {named}; {span}"
    return Assumption(field, _percentiles(prices), "catalog", "prices.csv", note)


def _percentiles(values: Sequence[float]) -> Range:
    """5th percentile, median and 95th (nearest rank): the ends themselves where there are few."""
    ordered = sorted(values)
    last = len(ordered) - 1
    low, high = ordered[math.floor(LOW_SHARE * last)], ordered[math.ceil(HIGH_SHARE * last)]
    return Range(low, statistics.median(ordered), high)
