"""The derivation with its numbers put in, every assumption with its source, the bridge between the conventions."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from footprint import units
from footprint.report.layout import layout_lines
from footprint.report.wording import (
    STATED,
    base_unit,
    exact,
    hardware,
    ledger_by_doubt,
    once_each,
    place,
    plain,
    show_range,
    show_value,
    stated,
    title,
)
from footprint.studies import Neighbour
from footprint.values import Assumption, Footprint, Range, Step

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANTS = {name: value for name, value in vars(units).items() if name.isupper() and isinstance(value, float)}


def explain(footprint: Footprint, neighbours: Sequence[Neighbour] = (), width: int = 100) -> str:
    """How a footprint came about, as text: steps, ledger, bridge, measured neighbours."""
    lines = [title(footprint), " · ".join(w for w in (hardware(footprint), place(footprint)) if w), ""]
    lines += derivation(footprint, width)
    lines += ["", "Assumptions", ""]
    lines += [line for a, parts in once_each(ledger_by_doubt(footprint)) for line in _assumption(a, parts, width)]
    lines += _section("From the model card's energy to the facility's", bridge(footprint))
    lines += _section(STATED, [f"  {m}: {f}  [{s}]" for m, f, s in stated(footprint)])
    lines += _section("Layout found and time of a step", layout_lines(footprint))
    lines += _section("Measured configurations nearby", _neighbours(neighbours))
    lines += _section("Notes", [line for note in footprint.notes for line in _wrapped(plain(note), width, "  ")])
    lines += ["", f"footprint {footprint.version}, catalog {footprint.catalog_digest}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def derivation(footprint: Footprint, width: int = 100) -> list[str]:
    """Every step: its equation, the same with numbers, its value and reference; grouped by part."""
    lines = ["Derivation (mid values)"]
    for part in dict.fromkeys(step.part for step in footprint.steps):
        lines += ["", f"[{plain(part) or 'run'}]"]
        for step in footprint.steps:
            if step.part == part:
                lines += ["", *_step(step, width)]
    return lines


def with_numbers(step: Step) -> str:
    """The right side of a step's equation with names replaced by numbers and units."""
    inputs = dict(step.inputs)
    _, _, right = step.equation.partition("=")
    if not right:
        return ", ".join(f"{name} {exact(value)}" for name, value in step.inputs)

    def number(match: re.Match[str]) -> str:
        name = match.group()
        value = inputs.get(name, _CONSTANTS.get(name))
        return name if value is None else f"{exact(value)} {'' if name.isupper() else base_unit(name)}".rstrip()

    return _NAME.sub(number, right.strip())


def bridge(footprint: Footprint) -> list[str]:
    """From nameplate power times hours to what the building's meter reads, one factor a line."""
    usage, site = footprint.usage, footprint.site
    hours, pue = usage.accelerator_hours.mid, site.pue.mid
    nameplate, real = usage.nameplate_energy_kwh.mid, usage.it_energy_kwh.mid
    if not hours or not nameplate:
        return []
    tdp_w, power_w = (kwh * units.W_PER_KW / hours for kwh in (nameplate, real))
    network_w = _weighted_input(footprint.steps, "accelerator_power_w", "network_w")
    card, facility = footprint.model_card.facility_energy_kwh, footprint.facility.facility_energy_kwh
    rows = [
        ("nameplate power (TDP)", f"{exact(tdp_w, 4)} W", "what the model card counts"),
        ("x PUE", exact(pue, 4), f"model-card energy: {show_range('facility_energy_kwh', card)}"),
    ]
    if network_w is not None:
        node_w = power_w - network_w
        rows += [
            ("node's real draw", f"{exact(node_w, 4)} W", f"x {node_w / tdp_w:.3f}: accelerator, host, fans, supply"),
            ("+ network", f"{exact(network_w, 4)} W", f"x {power_w / node_w:.3f}: switches and optics"),
        ]
    rows += [
        ("IT power", f"{exact(power_w, 4)} W", f"x {real / nameplate:.3f} of nameplate, per accelerator"),
        ("x PUE", exact(pue, 4), f"facility energy: {show_range('facility_energy_kwh', facility)}"),
        ("facility / model card", f"x {facility.mid / card.mid:.3f}" if card.mid else "", ""),
    ]
    return [f"  {label:<24}{value:>12}   {note}" for label, value, note in rows]


def _step(step: Step, width: int) -> Iterator[str]:
    yield f"  {step.equation}"
    indent = "  " + " " * len(step.field)
    yield f"{indent} = {with_numbers(step)}"
    unit = base_unit(step.field)
    field = "wall_clock_h" if step.field == "accelerator_hours" else step.field
    is_scaled = units.scale_for(field, step.value)[1] != unit
    shown = f"  ({show_range(step.field, Range.exactly(step.value))})" if is_scaled else ""
    yield f"{indent} = {exact(step.value)} {unit}".rstrip() + shown
    if step.reference:
        yield from _wrapped(f"[{plain(step.reference)}]", width, f"{indent}   ")


def _assumption(assumption: Assumption, parts: Sequence[str], width: int) -> Iterator[str]:
    value = show_value(assumption.field, assumption.value)
    yield f"  {plain(assumption.field)} = {value}  [{assumption.origin}]"
    for text in ("of " + ", ".join(parts) if parts else "", assumption.source, assumption.note):
        if text:
            yield from _wrapped(plain(text), width, "      ")


def _neighbours(neighbours: Iterable[Neighbour]) -> list[str]:
    lines = []
    for n in neighbours:
        size = " ".join(
            words
            for words in (
                f"{n.accelerator_count:,} x {plain(n.accelerator)}" if n.accelerator_count else plain(n.accelerator),
                f"at length {n.seq_len:,}" if n.seq_len else "",
                n.precision,
            )
            if words
        )
        lines.append(f"  MFU {n.mfu:.3f} over the 16-bit peak  {plain(n.model)}, {size}")
        lines.append(f"             {plain(n.source)}")
    return lines


def _weighted_input(steps: Sequence[Step], field: str, name: str) -> float | None:
    """An input of the steps of a field; None where they differ, since no one number stands for them."""
    found = {dict(step.inputs).get(name) for step in steps if step.field == field}
    return found.pop() if len(found) == 1 else None


def _section(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", heading, "", *lines] if lines else []


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
