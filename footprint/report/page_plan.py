"""The sections of an estimate's page, and those that a measured run's page shares with it."""

from __future__ import annotations

import html
from collections.abc import Sequence

from footprint.report import methods, page_pictures, page_tables
from footprint.report.explain import bridge, with_numbers
from footprint.report.layout import to_narrow
from footprint.report.page_parts import (
    Box,
    Section,
    code,
    items,
    more,
    paragraph,
    ranged,
    table,
    text,
)
from footprint.report.page_pictures import Picture
from footprint.report.tables import Table
from footprint.report.wording import (
    STATED,
    base_unit,
    drivers,
    exact,
    origin_of,
    show_range,
    stated,
)
from footprint.units import scale_for
from footprint.values import Footprint, Range, Step

CONVENTIONS = (
    "Two conventions are in use, and they differ by more than a rounding. Model-card: the accelerators' nameplate "
    "power times hours times PUE, as model cards state it. Facility: what whole nodes and the network draw, times PUE, "
    "as the building's meter reads it. Both are shown; never compare one with the other."
)
_CARBON = "Location-based follows the grid, market-based the operator's contracts; they are never added."


def answer(footprint: Footprint) -> list[Box]:
    """Hours, energy, carbon, water and money, with what each rests on."""
    usage, facility, site = footprint.usage, footprint.facility, footprint.site
    onsite = show_range("onsite_water_l", facility.onsite_water_l, bounds=False)
    intensity = show_range("location_intensity_g_per_kwh", site.location_intensity_g_per_kwh, bounds=False)
    found = [
        Box("Accelerator-hours", show_range("accelerator_hours", usage.accelerator_hours), _origin_of_hours(footprint)),
        ranged("Duration", "wall_clock_h", usage.wall_clock_h, "first start to last end"),
        ranged("Energy", "facility_energy_kwh", facility.facility_energy_kwh, f"facility, PUE {site.pue.mid:.3g}"),
        ranged(
            "CO2e",
            "total_location_kgco2e",
            footprint.total_location_kgco2e,
            f"location-based and embodied, {intensity}",
        ),
        ranged("Water", "offsite_water_l", facility.offsite_water_l, f"at power stations; on site {onsite}"),
        money(footprint),
    ]
    return [box for box in found if box.name != "Duration" or usage.wall_clock_h]


def money(footprint: Footprint) -> Box:
    """What it costs: rented where a price is known, else owned, else electricity alone."""
    for field, name, told in (
        ("rental_on_demand_usd", "Rental on demand", "list price"),
        ("ownership_usd", "Ownership", "capital and electricity"),
    ):
        if getattr(footprint, field) is not None:
            return ranged(name, field, getattr(footprint, field), told)
    return ranged("Electricity", "electricity_usd", footprint.facility.electricity_usd, "no price of hardware is known")


def _origin_of_hours(footprint: Footprint) -> str:
    origin = origin_of(footprint, "accelerator_hours")
    return f"hours are {origin}" if origin else "hours follow from FLOP, MFU and goodput"


def sections(footprint: Footprint, pictures: Sequence[Picture], sources: methods.SourceRows) -> list[Section]:
    """Everything below the answer, in the order in which it is read."""
    return [
        Section("pictures", "In pictures", page_pictures.told(pictures)),
        Section("models", "Models", table(page_tables.members(footprint), "The models of the family")),
        conventions(footprint),
        money_and_embodied(footprint),
        Section("stages", "Stages", table(page_tables.stages(footprint), "Each stage of the plan")),
        Section(
            "published",
            STATED,
            table(Table(("model", "figures", "source"), tuple(stated(footprint))), "What its makers state"),
        ),
        _drivers(footprint),
        Section("layout", "Layout and time of a step", table(page_tables.layouts(footprint), "Layouts found")),
        derivation(footprint),
        assumptions(footprint),
        methods_of(methods.of_plan(footprint), footprint, sources),
    ]


def conventions(footprint: Footprint) -> Section:
    """The two energy conventions side by side, and the bridge between them."""
    steps = "\n".join(line[2:] for line in bridge(footprint))
    body = (
        paragraph(CONVENTIONS)
        + table(page_tables.by_convention(footprint), f"By convention, {page_tables.RANGED}")
        + paragraph(_CARBON, "quiet")
        + (more("From the one to the other, factor by factor", code(steps, "bridge-steps", "Bridge")) if steps else "")
    )
    return Section("conventions", "Two energy conventions", body)


def money_and_embodied(footprint: Footprint) -> Section:
    """What does not depend on the convention."""
    return Section(
        "money", "Hardware and money", table(page_tables.others(footprint), "Both conventions agree on these")
    )


def _drivers(footprint: Footprint) -> Section:
    label, movers = drivers(footprint)
    if not movers:
        return Section("drivers", "What drives it", "")
    body = table(page_tables.driving(footprint), f"{label}, when one input alone goes to its end")
    return Section("drivers", f"What drives {label}", body + paragraph(to_narrow(movers), "quiet"))


def derivation(footprint: Footprint) -> Section:
    """Every step with its numbers put in, a list for each part."""
    parts = []
    for name in dict.fromkeys(step.part for step in footprint.steps):
        own = [step for step in footprint.steps if step.part == name]
        steps = "".join(f"<li>{_step(step)}</li>" for step in own)
        told = f"{name or 'The whole run'}: {len(own)} step{'' if len(own) == 1 else 's'}"
        parts.append(more(told, f'<ol class="steps">{steps}</ol>'))
    told = paragraph("Middle values; every line can be recomputed by hand.", "quiet") if parts else ""
    return Section("derivation", "Derivation, with the numbers put in", told + "".join(parts))


def _step(step: Step) -> str:
    unit = base_unit(step.field)
    field = "wall_clock_h" if step.field == "accelerator_hours" else step.field
    is_scaled = scale_for(field, step.value)[1] != unit
    shown = f" ({show_range(step.field, Range.exactly(step.value))})" if is_scaled else ""
    value = f"= {exact(step.value)} {unit}".rstrip() + shown
    reference = f"<small>{text(step.reference)}</small>" if step.reference else ""
    return (
        f"<code>{text(step.equation, len(step.equation))}</code>"
        f'<code class="numbers">= {html.escape(with_numbers(step))}</code><code>{text(value)}</code>{reference}'
    )


def assumptions(footprint: Footprint) -> Section:
    """The ledger, what to doubt first on top."""
    found = table(page_tables.ledger(footprint), "Assumptions, the least certain origins first")
    return Section("assumptions", "Assumptions and their sources", found)


def methods_of(words: str, footprint: Footprint, sources: methods.SourceRows) -> Section:
    """What to paste into a paper."""
    told = f'<blockquote><p id="methods-text" data-copy="paragraph">{text(words, len(words))}</p></blockquote>'
    cited = code(methods.bibtex(footprint, sources), "bibtex", "BibTeX of the sources").replace(
        "<pre ", '<pre data-copy="BibTeX" ', 1
    )
    return Section("methods", "For the methods section", f"{told}<h3>Sources as BibTeX</h3>{cited}")


def loud(notes: Sequence[str]) -> str:
    """What must be known before a number is used."""
    return f'<div class="loud" role="note">{items(notes)}</div>' if notes else ""
