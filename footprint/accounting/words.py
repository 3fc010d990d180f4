"""What a user typed, read and bounded: names, quantities, ranges, settings. Plans and trackers read them alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from footprint.errors import InputError, UnknownName
from footprint.units import UNITS, read_quantity, read_range, unit_of
from footprint.values import Range

Number = str | int | float

_SHARES = ("mfu", "goodput", "share", "utilization")


def name(field: str, value: Any) -> str:
    """A name: text, not empty. YAML reads a bare NO as false and 3 as a number."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(field, str(value), "is not a name", "write text; in YAML put NO, ON or numbers in quotes")
    return value.strip()


def quantity(field: str, value: Any, at_least: float | None = None) -> float:
    """A positive number, or one that is at least a bound.

    Raises
    ------
    InputError
        Naming the field, the value and the bound.
    """
    number = read_quantity(value, field)
    if at_least is None and number <= 0:
        raise InputError(field, value, "must be above zero", f"give a positive {field}")
    if at_least is not None and number < at_least:
        raise InputError(field, value, f"must be at least {at_least:g}", f"give a larger {field}")
    return number


def whole(field: str, value: Any) -> int:
    """A whole number of one or more."""
    number = quantity(field, value, at_least=1)
    if number != int(number):
        raise InputError(field, value, "must be a whole number", f"round {field}")
    return int(number)


def ranged(field: str, value: Any) -> Range:
    """A range within what its field can be: shares up to 1, PUE from 1, nothing below zero."""
    if isinstance(value, Range):
        low, mid, high = value.low, value.mid, value.high
    else:
        low, mid, high = read_range(value, field)
    floor, ceiling = bounds(field)
    if low < floor or (low == floor == 0 and _must_be_positive(field)):
        bound = "above" if floor == 0 else "at least"
        raise InputError(field, value, f"must be {bound} {floor:g}", f"give a value {bound} {floor:g}")
    if high > ceiling:
        raise InputError(field, value, f"must be at most {ceiling:g}", f"give a value from {floor:g} to {ceiling:g}")
    return Range(low, mid, high)


def bounds(field: str) -> tuple[float, float]:
    """The least and the most that a field can be."""
    if field == "pue":
        return 1.0, 10.0
    if unit_of(field) == "" and field.rsplit("_", 1)[-1] in _SHARES:
        return 0.0, 1.0
    return 0.0, float("inf")


def _must_be_positive(field: str) -> bool:
    return unit_of(field) == "" or field in ("lifetime_h", "tdp_w", "max_node_w")


def settings(given: Mapping[str, Any] | None, known: Iterable[str]) -> dict[str, Range]:
    """`--set` pairs by full field name; the unit may be left out where the rest is unique.

    Raises
    ------
    UnknownName
        For a field that is not among the known ones.
    InputError
        For a value out of bounds.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InputError("settings", str(given), "is not a mapping", "write settings={'pue': 1.1}")
    fields = {name: setting_field(name, tuple(known)) for name in given or {}}
    return {field: ranged(field, (given or {})[name]) for name, field in fields.items()}


def setting_field(name: str, known: tuple[str, ...]) -> str:
    """The full name of a field that can be set."""
    short = {_without_unit(field): field for field in known} | {"intensity": "location_intensity_g_per_kwh"}
    if name in known:
        return name
    if name not in short:
        raise UnknownName("set", name, (*known, *short), "fields that can be set: " + ", ".join(sorted(known)))
    return short[name]


def _without_unit(name: str) -> str:
    suffix = next((u for u in sorted(UNITS, key=len, reverse=True) if name.endswith(u)), "")
    return name.removesuffix(suffix)
