"""A footprint taken apart again: what accelerators, their host, the network and the cooling add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from footprint.derivation import Plain
from footprint.errors import InputError
from footprint.estimation.estimator import DEVELOPMENT, plan_usage
from footprint.formulas import energy, impact
from footprint.studies import Answer, Part
from footprint.uncertainty import draw, summarise
from footprint.units import Quantity
from footprint.values import Footprint, Plan, Run, Site, Usage

ACCELERATORS, HOST, NETWORK, COOLING = "accelerators", "host", "network", "cooling"
BY_RATING = "a node's draw is shared between accelerators and host as the accelerators' TDP is to the node's maximum"
BY_METER = "accelerators and host as their meters tell"

Amounts = Mapping[str, Quantity]


def answer(footprint: Footprint) -> Answer:
    """The parts of a plan's footprint, from the draws that made it: they add up to its facility energy and its carbon.

    Raises
    ------
    InputError
        For a footprint that rests on no plan.
    """
    plans = [part.plan for part in footprint.parts] or [footprint.plan]
    known = [plan for plan in plans if plan is not None]
    if len(known) < len(plans):
        raise InputError("plan", footprint.name, "is not kept with the footprint", "estimate it again")
    site = draw(footprint.site)
    usages = [(draw(plan), plan_usage(draw(plan), Plain())) for plan in known]
    drawn: dict[str, Quantity] = dict.fromkeys((ACCELERATORS, HOST, NETWORK), 0.0)
    for plan, usage in usages:
        for name, amount in _parts_of_plan(plan, usage).items():
            drawn[name] = drawn[name] + amount
    return Answer(footprint, _assessed(drawn, [usage for _, usage in usages], site), BY_RATING)


def answer_of_run(run: Run) -> Answer:
    """The parts of a measured run: as metered, modelled and assumed."""
    amounts: dict[str, Quantity] = {ACCELERATORS: 0.0, HOST: 0.0}
    for one in run.meters:
        name = ACCELERATORS if one.meter.component == "accelerator" else HOST
        amounts[name] = amounts[name] + draw(one).it_energy_kwh
    return Answer(run.footprint, _assessed(amounts, [draw(run.usage)], draw(run.footprint.site)), BY_METER)


def _parts_of_plan(plan: Plan, usage: Usage) -> dict[str, Quantity]:
    """IT energy of accelerators, host and network; what came before the final run is shared out as the run is."""
    found: dict[str, Quantity] = dict.fromkeys((ACCELERATORS, HOST, NETWORK), 0.0)
    run: Quantity = 0.0
    for stage, line in zip(plan.stages, usage.lines, strict=False):
        assert stage.power is not None
        hours: Quantity = line.accelerator_hours
        network = energy.it_energy_kwh(hours, stage.power.network_w)
        node = line.it_energy_kwh - network
        rated: Quantity = stage.power.tdp_w / stage.power.max_node_w  # type: ignore[operator]
        rated = rated * (rated <= 1) + (rated > 1)  # a node draws no less than what is in it
        for name, amount in ((ACCELERATORS, node * rated), (HOST, node * (1 - rated)), (NETWORK, network)):
            found[name] = found[name] + amount
        run = run + line.it_energy_kwh
    before = [line for line in usage.lines if line.kind == DEVELOPMENT]
    if before:
        whole: Quantity = usage.it_energy_kwh
        found = {name: amount * (whole / run) for name, amount in found.items()}
    return found


def _assessed(amounts: Amounts, usages: Sequence[Usage], site: Site) -> tuple[Part, ...]:
    it: Quantity = sum(amounts.values())
    drawn = {**amounts, COOLING: energy.facility_energy_kwh(it, site.pue) - it}
    embodied = _embodied(usages, site)
    parts = []
    for name, amount in drawn.items():
        operational = impact.operational_location_kgco2e(amount, site.location_intensity_g_per_kwh)
        own = embodied.get(name)
        parts.append(
            Part(
                name=name,
                facility_energy_kwh=summarise(amount),
                operational_location_kgco2e=summarise(operational),
                embodied_kgco2e=None if own is None else summarise(own),
                total_location_kgco2e=summarise(operational if own is None else operational + own),
            )
        )
    return tuple(parts)


def _embodied(usages: Sequence[Usage], site: Site) -> dict[str, Quantity]:
    """Of accelerators and of hosts; {} where the site tells no rates."""
    rates: dict[str, Any] = {rate.accelerator: rate for rate in site.rates}
    found: dict[str, Quantity] = {}
    for line in (line for usage in usages for line in usage.lines):
        rate = rates.get(line.accelerator)
        if rate is None:
            return {}
        for name, device, host in (
            (ACCELERATORS, rate.embodied_accelerator_kgco2e, 0.0),
            (HOST, 0.0, rate.embodied_host_kgco2e),
        ):
            amount = impact.embodied_kgco2e(
                accelerator_hours=line.accelerator_hours,
                embodied_accelerator_kgco2e=device,
                embodied_host_kgco2e=host,
                lifetime_h=site.lifetime_h,
                fleet_utilization=site.fleet_utilization,
            )
            found[name] = found.get(name, 0.0) + amount
    return found
