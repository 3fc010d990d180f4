"""How numbers and names are worded: digits that a range supports, one unit for its three values, plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from footprint.units import H_PER_DAY, round_to, scale_for, show, show_number, significant_digits, unit_of
from footprint.values import Assumption, Footprint, Impact, Range, Sensitivity

UNKNOWN = "not known"
THIRD_PARTY = "third-party estimate"
RANGES = "Mid values, with 5th and 95th percentiles"

_LEAST_DIGITS = {"pue": 3}
"""What is read as the part above one needs a digit more."""

_NEXT_TO_NOTHING = 0.01
"""Below this share of the mid, a low end is told as a bound, and a driver is not told."""

DERIVED_FIRST = ("default", "modelled", "catalog", "measured", "given")
"""The ledger's order for readers: what to doubt first stands first."""

LABELS = {
    "accelerator_hours": "Accelerator-hours",
    "wall_clock_h": "Wall-clock",
    "training_flop": "Training FLOP",
    "tokens": "Tokens",
    "it_energy_kwh": "IT energy",
    "facility_energy_kwh": "Facility energy",
    "operational_location_kgco2e": "CO2e location-based",
    "operational_market_kgco2e": "CO2e market-based",
    "onsite_water_l": "Water on site",
    "offsite_water_l": "Water off site",
    "electricity_usd": "Electricity bill",
    "embodied_kgco2e": "CO2e embodied",
    "total_location_kgco2e": "CO2e total",
    "rental_on_demand_usd": "Rental on demand",
    "rental_spot_usd": "Rental spot",
    "rental_reserved_1y_usd": "Rental reserved 1 y",
    "rental_reserved_3y_usd": "Rental reserved 3 y",
    "ownership_usd": "Ownership",
    "sci_kgco2e_per_token": "SCI per token",
    "sci_kgco2e_per_flop": "SCI per FLOP",
}
USAGE_FIELDS = ("accelerator_hours", "wall_clock_h", "training_flop", "tokens")
IMPACT_FIELDS = (
    "it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "operational_market_kgco2e",
    "onsite_water_l", "offsite_water_l", "electricity_usd",
)  # fmt: skip
OTHER_FIELDS = tuple(field for field in LABELS if field not in USAGE_FIELDS + IMPACT_FIELDS)
MONEY_FIELDS = tuple(field for field in OTHER_FIELDS if field.endswith("_usd"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One quantity of a footprint, with the convention that it belongs to ('' where both agree)."""

    part: str
    field: str
    convention: str
    value: Range | None

    @property
    def label(self) -> str:
        """The quantity's name for readers."""
        return LABELS.get(self.field, self.field)


def impacts(footprint: Footprint) -> tuple[Impact, Impact]:
    """The two conventions, the physical one first."""
    return footprint.facility, footprint.model_card


def entries(footprint: Footprint, part: str = "total") -> Iterator[Entry]:
    """Every quantity of one footprint, in the order in which it is read."""
    for field in USAGE_FIELDS:
        yield Entry(part, field, "", getattr(footprint.usage, field))
    for field in IMPACT_FIELDS:
        for impact in impacts(footprint):
            yield Entry(part, field, impact.convention, getattr(impact, field))
    for field in OTHER_FIELDS:
        yield Entry(part, field, "", getattr(footprint, field))


def all_entries(footprint: Footprint) -> Iterator[Entry]:
    """The total's quantities, then those of each stage and of each model of a family."""
    yield from entries(footprint)
    if len(footprint.usage.lines) > 1:
        for line in footprint.usage.lines:
            for field in ("accelerator_hours", "wall_clock_h", "training_flop", "tokens"):
                yield Entry(line.name, field, "", getattr(line, field))
    for member in footprint.parts:
        yield from entries(member, member.name)


def base_unit(field: str) -> str:
    """The unit in which a field is stored, as it is printed: 'kWh', 'kgCO2e', '' for a dimensionless word."""
    if field == "accelerator_hours":
        return "h"
    return scale_for(field, 1.0)[1]


def show_range(field: str, value: Range | None, bounds: bool = True) -> str:
    """'29 GWh (24 – 35)': the mid with its unit, the interval in the same unit, digits that it supports."""
    if value is None:
        return UNKNOWN
    if value.low == value.high == 0:
        return f"0 {base_unit(field)}".rstrip()
    digits = max(_LEAST_DIGITS.get(field, 0), significant_digits(value.low, value.mid, value.high))
    # A count of hours is named without its unit; a dimensionless count has its own ladder in `show`.
    unit_field = "wall_clock_h" if field == "accelerator_hours" else field
    middle = show(unit_field, value.mid, digits)
    if value.low == value.high or not bounds:
        return _trimmed(middle) if value.low == value.high else _exponent(middle)
    if unit_of(unit_field) == "" and abs(value.mid) >= 1e6:
        return f"{middle} ({show(unit_field, value.low, digits)} – {show(unit_field, value.high, digits)})"
    divisor, _ = scale_for(unit_field, value.mid)
    low, high = (_exponent(show_number(end / divisor, digits)) for end in (value.low, value.high))
    if 0 < value.low < abs(value.mid) * _NEXT_TO_NOTHING:
        low = f"< {_exponent(show_number(value.mid * _NEXT_TO_NOTHING / divisor, 1))}"
    return f"{_exponent(middle)} ({low} – {high})"


def show_days(hours: Range | None) -> str:
    """A duration in days, or in hours where it is short."""
    if hours is None:
        return UNKNOWN
    if hours.mid < 2 * H_PER_DAY:
        return show_range("wall_clock_h", hours)
    digits = significant_digits(hours.low, hours.mid, hours.high)
    low, middle, high = (show_number(h / H_PER_DAY, digits) for h in (hours.low, hours.mid, hours.high))
    return f"{middle} days" if hours.low == hours.high else f"{middle} days ({low} – {high})"


def show_entry(entry: Entry) -> str:
    """A quantity as its readers know it: durations in days."""
    return show_days(entry.value) if entry.field == "wall_clock_h" else show_range(entry.field, entry.value)


def show_value(field: str, value: Range | float | str | None) -> str:
    """The value of an assumption."""
    name = field.rsplit(".", 1)[-1]
    if isinstance(value, str) or value is None:
        return plain(value) if value else UNKNOWN
    return show_range(name, value if isinstance(value, Range) else Range.exactly(float(value)))


def exact(value: float, digits: int = 6) -> str:
    """A number with enough digits to recompute by hand, without trailing zeros."""
    rounded = round_to(value, digits)
    if rounded and (abs(rounded) >= 1e12 or abs(rounded) < 1e-4):
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    return _trimmed(f"{rounded:,.{digits}f}")


def plain(text: str) -> str:
    """A name or a source on one line, without control characters that could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def title(footprint: Footprint) -> str:
    """Name and organization, with the mark that closed models carry."""
    plan = footprint.plan
    name = plain(footprint.name)
    if plan and plan.organization and plan.organization.casefold() not in name.casefold():
        name += f" ({plain(plan.organization)})"
    return f"{name} · {THIRD_PARTY}" if is_third_party(footprint) else name


def is_third_party(footprint: Footprint) -> bool:
    """Whether the numbers describe a model whose maker published none; true for a family with one such member."""
    return bool(footprint.plan and footprint.plan.third_party) or any(is_third_party(p) for p in footprint.parts)


def hardware(footprint: Footprint) -> str:
    """'16,384 × h100-sxm', or the kinds where there are several."""
    kinds: dict[str, set[int]] = {}
    for line in footprint.usage.lines:
        kinds.setdefault(line.accelerator, set()).add(line.accelerator_count or 0)
    words = []
    for kind, counts in kinds.items():
        known = [] if 0 in counts and footprint.parts else sorted(c for c in counts if c)
        words.append(f"{_span(known)} × {plain(kind)}" if known else plain(kind))
    return ", ".join(words)


def place(footprint: Footprint) -> str:
    """Region and grid zone."""
    site = footprint.site
    zone = f"grid zone {plain(site.zone)}"
    return f"{plain(site.region)}, {zone}" if site.region else zone


def ledger_by_doubt(footprint: Footprint) -> list[Assumption]:
    """Assumptions, the least certain origins first."""
    return sorted(footprint.ledger, key=lambda a: DERIVED_FIRST.index(a.origin) if a.origin in DERIVED_FIRST else 0)


def once_each(ledger: Iterable[Assumption]) -> list[tuple[Assumption, tuple[str, ...]]]:
    """What several stages or models share stands once, under the field's own name, with those that share it."""
    alike: dict[tuple[object, ...], list[Assumption]] = {}
    for a in ledger:
        alike.setdefault((a.field.rsplit(".", 1)[-1], a.value, a.origin, a.source, a.note), []).append(a)
    found = []
    for key, same in alike.items():
        shared = tuple(a.field.rsplit(".", 1)[0] for a in same if "." in a.field) if len(same) > 1 else ()
        found.append((replace(same[0], field=str(key[0])) if len(same) > 1 else same[0], shared))
    return found


def origin_of(footprint: Footprint, field: str) -> str:
    """Where a field's value came from, as the ledger has it; '' when it does not say."""
    return next((a.origin for a in footprint.ledger if a.field.rsplit(".", 1)[-1] == field), "")


def reach(sensitivity: Sensitivity) -> float:
    """How far an input moves its output, at the worse of its two ends."""
    return max(abs(sensitivity.output_at_low_ratio - 1), abs(sensitivity.output_at_high_ratio - 1))


def drivers(footprint: Footprint) -> tuple[str, list[Sensitivity]]:
    """What the sensitivities are told for, and the inputs that move it visibly, the strongest first."""
    outputs = [s.output for s in footprint.sensitivities]
    if not outputs:
        return "", []
    output = "total_location_kgco2e" if "total_location_kgco2e" in outputs else outputs[0]
    label = next((e.label for e in all_entries(footprint) if e.field == output), output)
    movers = [s for s in footprint.sensitivities if s.output == output and reach(s) >= _NEXT_TO_NOTHING]
    return label, sorted(movers, key=reach, reverse=True)


STATED = "Published (x: our estimate over it)"


def reported_hours(footprint: Footprint) -> float | None:
    """The hours that a model's makers published; of a family the sum, where all of them did."""
    if footprint.parts:
        members = [reported_hours(part) for part in footprint.parts]
        known = [hours for hours in members if hours is not None]
        return sum(known) if len(known) == len(members) else None
    return next((p.accelerator_hours for p in footprint.published if p.accelerator_hours), None)


def stated(footprint: Footprint) -> list[tuple[str, str, str]]:
    """What the makers published: run or model, the figures they gave beside the estimate's, the source."""
    if footprint.parts:
        return [row for part in footprint.parts for row in stated(part)]
    rows = []
    for p in footprint.published:
        energy, carbon = _same_boundary(footprint, p.energy_boundary)
        figures = [
            show_range(field, Range.exactly(value)) + (f" (x {estimate.mid / value:.2f})" if estimate else "")
            for field, value, estimate in (
                ("accelerator_hours", p.accelerator_hours, footprint.usage.accelerator_hours),
                ("facility_energy_kwh", p.energy_kwh, energy),
                ("operational_location_kgco2e", p.location_kgco2e, carbon),
            )
            if value
        ]
        if figures:
            rows.append((plain(p.model), ", ".join(figures), plain(p.source)))
    return rows


def _same_boundary(footprint: Footprint, boundary: str) -> tuple[Range | None, Range | None]:
    """The estimate's energy and carbon within the boundary of a published figure; None where it draws no such line."""
    facility, card = footprint.facility, footprint.model_card
    return {
        "accelerator": (card.it_energy_kwh, None),
        "accelerator_x_pue": (card.facility_energy_kwh, card.operational_location_kgco2e),
        "node": (facility.it_energy_kwh, None),
        "system_x_pue": (facility.facility_energy_kwh, facility.operational_location_kgco2e),
        "facility": (facility.facility_energy_kwh, facility.operational_location_kgco2e),
    }.get(boundary, (None, None))


def _span(counts: list[int]) -> str:
    return f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"


def _exponent(text: str) -> str:
    """'4.140e+25' as '4.14e25', '3e-08' as '3e-8'."""
    return re.sub(r"(\d(?:\.\d*[1-9])?)\.?0*e\+?(-?)0*(\d+)", r"\1e\2\3", text)


def _trimmed(number: str) -> str:
    """Without trailing zeros after the point; what follows the number stays."""
    digits, space, unit = _exponent(number).partition(" ")
    suffix = digits[-1] if digits[-1:].isalpha() else ""
    body = digits.removesuffix(suffix) if suffix else digits
    if "." in body and "e" not in body:
        body = body.rstrip("0").rstrip(".")
    return body + suffix + space + unit
