"""Plan and Site become Usage, and through the assessor a Footprint: as draws, or one input at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from footprint.accounting import assessor
from footprint.accounting.record import record
from footprint.accounting.site import site as make_site
from footprint.catalog import Catalog
from footprint.derivation import Derivation, Plain, mid
from footprint.errors import InputError
from footprint.estimation.plan import Draft
from footprint.estimation.power import GENERATING, accelerator_power_w
from footprint.estimation.stages import UPDATING, Work, check_memory, work
from footprint.formulas import energy
from footprint.uncertainty import draw, one_at_a_time
from footprint.units import Quantity
from footprint.values import Footprint, Plan, Sensitivity, Site, Stage, Usage, UsageLine

OUTPUTS = ("accelerator_hours", "facility_energy_kwh", "total_location_kgco2e")
"""What sensitivities are told for."""

DEVELOPMENT = "development"
"""Kind of the line that holds what came before the final run: hours and energy, no FLOP of the model."""

Calculate = Derivation | Plain


def estimate(name: str, drafts: Sequence[Draft], catalog: Catalog, sensitivity: bool) -> Footprint:
    """The footprint of one plan, or of a family with a part for each.

    Raises
    ------
    InputError
        For a plan that cannot fit, or that contradicts itself.
    """
    built = [_prepare(draft, catalog) for draft in drafts]
    if len(built) == 1:
        draft, site, ledger, notes = built[0]
        return _single(draft, site, ledger, notes, catalog, sensitivity)
    parts = tuple(_single(*one, catalog, False) for one in built)
    return _family(name, built, parts, catalog, sensitivity)


Built = tuple[Draft, Site, tuple[Any, ...], tuple[str, ...]]


def _prepare(draft: Draft, catalog: Catalog) -> Built:
    check_memory(draft.plan.stages, catalog)
    names = list(dict.fromkeys(stage.accelerator for stage in draft.plan.stages))
    site, ledger, notes = make_site(draft.site_words, [catalog.accelerator(n) for n in names], catalog)
    return draft, site, (*draft.ledger, *ledger), (*draft.notes, *notes)


def _single(
    draft: Draft, site: Site, ledger: tuple[Any, ...], notes: tuple[str, ...], catalog: Catalog, sensitivity: bool
) -> Footprint:
    calculate = Derivation()
    drawn_site = draw(site)
    usage = plan_usage(draw(draft.plan), calculate)
    assessment = assessor.assess(usage, drawn_site, calculate)
    return record(
        draft.plan.name, usage, drawn_site, assessment, calculate, catalog,
        site=site, plan=draft.plan, published=tuple(draft.published), ledger=ledger, notes=tuple(dict.fromkeys(notes)),
        sensitivities=sensitivities_of([draft.plan], [site]) if sensitivity else (),
    )  # fmt: skip


def _family(
    name: str, built: Sequence[Built], parts: tuple[Footprint, ...], catalog: Catalog, sensitivity: bool
) -> Footprint:
    """The members' draws are added before they are summarised, so shared errors stay shared."""
    site = _merged_site([b[1] for b in built], name)
    calculate = Derivation()
    drawn_site = draw(site)
    lines: list[UsageLine] = []
    for draft, *_ in built:
        usage = plan_usage(draw(draft.plan), calculate, prefix=f"{draft.plan.name}: ")
        lines += [replace(line, name=f"{draft.plan.name} {line.name}") for line in usage.lines]
    usage = _total(lines, calculate, wall_clock=False, stages=[s for b in built for s in b[0].plan.stages])
    assessment = assessor.assess(usage, drawn_site, calculate)
    notes = [note for b in built for note in b[3]]
    stages = [replace(s, name=f"{b[0].plan.name} {s.name}", after=()) for b in built for s in b[0].plan.stages]
    plan = Plan(name, tuple(stages), name, built[0][0].plan.organization, any(b[0].plan.third_party for b in built))
    return record(
        name, usage, drawn_site, assessment, calculate, catalog,
        site=site, plan=plan, parts=parts, published=tuple(p for b in built for p in b[0].published),
        ledger=tuple(dict.fromkeys(a for b in built for a in b[2])), notes=tuple(dict.fromkeys(notes)),
        sensitivities=sensitivities_of([b[0].plan for b in built], [site] * len(built)) if sensitivity else (),
    )  # fmt: skip


def _merged_site(sites: Sequence[Site], name: str) -> Site:
    """One site for a family: its members must run in one place; their devices' rates are joined."""
    bare = {replace(site, rates=()) for site in sites}
    if len(bare) > 1:
        zones = ", ".join(sorted({site.zone for site in sites}))
        fix = "name one of them, or give --country, --operator and --year for all"
        raise InputError("model", name, f"has members of different places or years ({zones})", fix)
    rates = {rate.accelerator: rate for site in sites for rate in site.rates}
    return replace(sites[0], rates=tuple(rates.values()))


def plan_usage(plan: Plan, calculate: Calculate, prefix: str = "") -> Usage:
    """Hours and IT energy of a drawn plan (arrays of draws, or of scenarios)."""
    works = {stage.name: work(replace(stage, name=prefix + stage.name), calculate) for stage in plan.stages}
    known = _known_hours(plan, works, calculate, prefix)
    lines = [_line(stage, works[stage.name], known.get(stage.name), calculate, prefix) for stage in plan.stages]
    if plan.development_ratio is not None:
        lines += _development(lines, plan.development_ratio, calculate, prefix)
    return _total(lines, calculate, wall_clock=True, stages=list(plan.stages))


def _development(lines: list[UsageLine], ratio: Quantity, calculate: Calculate, prefix: str) -> list[UsageLine]:
    """What came before the final run, on the same kinds of accelerator: a line for each."""
    found = []
    for device in dict.fromkeys(line.accelerator for line in lines):
        own = [line for line in lines if line.accelerator == device]
        name = DEVELOPMENT if len(own) == len(lines) else f"{DEVELOPMENT} {device}"
        part = prefix + name
        hours = calculate(
            energy.development_accelerator_hours, part=part, development_ratio=ratio,
            accelerator_hours=sum(line.accelerator_hours for line in own),
        )  # fmt: skip
        amounts = {
            field: calculate(
                energy.development_energy_kwh, part=part, development_ratio=ratio,
                energy_kwh=sum(getattr(line, field) for line in own),
            )
            for field in ("it_energy_kwh", "nameplate_energy_kwh")
        }  # fmt: skip
        found.append(UsageLine(name=name, kind=DEVELOPMENT, accelerator=device, accelerator_hours=hours, **amounts))
    return found


def _known_hours(plan: Plan, works: dict[str, Work | None], calculate: Calculate, prefix: str) -> dict[str, Quantity]:
    """Known hours of the whole plan, shared out over its stages by their modelled hours."""
    if plan.accelerator_hours is None:
        return {}
    if len(plan.stages) == 1:
        return {plan.stages[0].name: plan.accelerator_hours}
    modelled: dict[str, Quantity] = {}
    for stage in plan.stages:
        done = works[stage.name]
        if done is None:
            raise InputError(
                "accelerator_hours", None, f"cannot be shared out: {stage.name} has no FLOP", "give tokens"
            )
        modelled[stage.name] = _modelled_hours(stage, done, calculate, prefix + stage.name)
    whole = sum(modelled.values())
    return {
        name: calculate(
            energy.shared_accelerator_hours,
            part=prefix + name,
            known_accelerator_hours=plan.accelerator_hours,
            modelled_accelerator_hours=hours,
            modelled_total_accelerator_hours=whole,
        )
        for name, hours in modelled.items()
    }


def _modelled_hours(stage: Stage, done: Work, calculate: Calculate, part: str) -> Quantity:
    return calculate(
        energy.accelerator_hours,
        part=part,
        dense_flop=done.dense_flop,
        generation_flop=done.generation_flop,
        peak_flop_per_s=stage.peak_flop_per_s,
        mfu=stage.mfu,
        generation_mfu=stage.generation_mfu,
        goodput=stage.goodput,
    )


def _line(stage: Stage, done: Work | None, known_hours: Quantity, calculate: Calculate, prefix: str) -> UsageLine:
    part = prefix + stage.name
    hours = known_hours if known_hours is not None else stage.accelerator_hours
    power = stage.power
    if power is None:
        raise InputError("power", stage.name, "is missing", "build stages with estimation.plan")
    mfu: Quantity = None
    known_mfu: Quantity = None
    if hours is None:
        if done is None:
            raise InputError("tokens", None, f"is missing for stage {stage.name}", "give --tokens or --flop")
        hours, mfu = _modelled_hours(stage, done, calculate, part), stage.mfu
    elif done is not None:
        implied = calculate(
            energy.implied_mfu,
            part=part,
            dense_flop=done.dense_flop + done.generation_flop,
            accelerator_hours=hours,
            peak_flop_per_s=stage.peak_flop_per_s,
        )
        _check_possible(stage, hours, implied)
        mfu = known_mfu = implied if stage.kind not in GENERATING else None
    watts = accelerator_power_w(stage, power, done, known_mfu, calculate, part)
    return UsageLine(
        name=stage.name,
        kind=stage.kind,
        accelerator=stage.accelerator,
        accelerator_count=stage.accelerator_count,
        accelerator_hours=hours,
        it_energy_kwh=calculate(energy.it_energy_kwh, part=part, accelerator_hours=hours, accelerator_power_w=watts),
        nameplate_energy_kwh=calculate(
            energy.nameplate_energy_kwh, part=part, accelerator_hours=hours, tdp_w=power.tdp_w
        ),
        wall_clock_h=None
        if stage.accelerator_count is None
        else calculate(
            energy.wall_clock_h, part=part, accelerator_hours=hours, accelerator_count=stage.accelerator_count
        ),
        training_flop=None if done is None else done.dense_flop + done.generation_flop,
        tokens=None if stage.tokens is None else _tokens(stage),
        mfu=mfu,
        goodput=stage.goodput,
    )


def _tokens(stage: Stage) -> Quantity:
    """Tokens that pass the model: every sampled answer of reinforcement learning counts."""
    samples = stage.samples_per_prompt_count if stage.kind == "rl" else 1.0
    tokens: Quantity = stage.tokens
    return tokens * stage.repeats_count * samples


def _total(lines: list[UsageLine], calculate: Calculate, wall_clock: bool, stages: list[Stage]) -> Usage:
    def total(field: str, of: list[UsageLine] = lines) -> Quantity:
        found = {line.name: getattr(line, field) for line in of}
        absent = not found or any(value is None for value in found.values())
        return None if absent else calculate.total(field, found)

    run = [line for line in lines if line.kind != DEVELOPMENT]
    counted = [line for line in run if line.kind != "evaluation"]
    updating = [line for line in lines if line.kind in UPDATING]
    return Usage(
        lines=tuple(lines),
        accelerator_hours=total("accelerator_hours"),
        it_energy_kwh=total("it_energy_kwh"),
        nameplate_energy_kwh=total("nameplate_energy_kwh"),
        wall_clock_h=_critical_path(run, stages, calculate) if wall_clock else None,
        training_flop=total("training_flop", counted),
        update_flop=total("training_flop", updating),
        tokens=total("tokens", updating),
    )


def _critical_path(lines: list[UsageLine], stages: list[Stage], calculate: Calculate) -> Quantity:
    """Time from first start to last end; a stage that says nothing of `after` follows the one listed before it."""
    if any(line.wall_clock_h is None for line in lines):
        return None
    paths: dict[str, list[dict[str, Quantity]]] = {}
    waited_for: set[str] = set()
    previous: tuple[str, ...] = ()
    for line, stage in zip(lines, stages, strict=True):
        before = previous if stage.after is None else stage.after
        waited_for.update(before)
        earlier = [path for name in before for path in paths[name]] or [{}]
        paths[stage.name] = [{**path, stage.name: line.wall_clock_h} for path in earlier]
        previous = (stage.name,)
    return calculate.longest(
        "wall_clock_h", [p for name, all_ in paths.items() if name not in waited_for for p in all_]
    )


def _check_possible(stage: Stage, hours: Quantity, implied_mfu: Quantity) -> None:
    """Known hours must not imply more than the hardware can do."""
    if mid(implied_mfu) > 1:
        raise InputError(
            "accelerator_hours",
            f"{mid(hours):.4g}",
            f"with this model and these tokens gives an MFU of {mid(implied_mfu):.2f} on {stage.accelerator}",
            "check that they are accelerator-hours (devices times hours) and that tokens and parameters are right",
        )


def sensitivities_of(plans: list[Plan], sites: list[Site]) -> tuple[Sensitivity, ...]:
    """Each uncertain input alone at its low and its high end; the largest movers of carbon first."""
    names, records = one_at_a_time((*plans, *sites))
    drawn_plans, drawn_sites = records[: len(plans)], records[len(plans) :]
    totals: dict[str, Quantity] = dict.fromkeys(OUTPUTS, 0.0)
    for plan, site in zip(drawn_plans, drawn_sites, strict=True):
        calculate = Plain()
        usage = plan_usage(plan, calculate)
        found = assessor.assess(usage, site, calculate)
        totals["accelerator_hours"] = totals["accelerator_hours"] + usage.accelerator_hours
        totals["facility_energy_kwh"] = totals["facility_energy_kwh"] + found.facility.facility_energy_kwh
        totals["total_location_kgco2e"] = totals["total_location_kgco2e"] + found.total_location_kgco2e
    rows = []
    for output, values in totals.items():
        if not getattr(values, "ndim", 0):
            continue
        for i, name in enumerate(names):
            low, high = (float(values[2 * i + 1 + end] / values[0]) if values[0] else 1.0 for end in (0, 1))
            rows.append(Sensitivity(name, output, low, high))
    return tuple(sorted(rows, key=lambda r: -abs(r.output_at_high_ratio - r.output_at_low_ratio)))
