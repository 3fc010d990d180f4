"""What a user typed, read and bounded: quantities, ranges, settings, YAML plans."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from footprint.accounting import site as site_room
from footprint.errors import InputError, UnknownName
from footprint.units import UNITS, read_quantity, read_range, unit_of
from footprint.values import Range

Number = str | int | float


class Words(TypedDict, total=False):
    """The words of an estimate, in Python as on the command line; quantities may be text such as '405B'."""

    config: str | Path | Mapping[str, Any]
    params: Number
    active_params: Number
    tokens: Number
    seq_len: Number
    accelerator: str
    count: Number
    precision: str
    optimizer: str
    batch_tokens: Number
    layout: str | Mapping[str, Any]
    framework: str
    accelerator_hours: Number
    flop: Number
    region: str
    country: str
    zone: str
    operator: str
    year: Number
    grid: str
    provider: str
    node: str
    development: Number
    reported: bool
    settings: Mapping[str, Number]
    name: str
    stages: list[Mapping[str, Any]]
    model: str


STAGE_SETTINGS = (
    "mfu",
    "goodput",
    "generation_mfu",
    "tdp_w",
    "idle_node_w",
    "max_node_w",
    "training_load_share",
    "half_load_mfu",
    "generation_load_share",
    "stalled_load_share",
    "network_w",
)
"""Fields of every stage that a user may set."""

_SHARES = ("mfu", "goodput", "share", "utilization")


def check_words(words: Mapping[str, Any], where: str = "option") -> None:
    """Refuse words that no estimate knows."""
    for word in words:
        if word not in Words.__annotations__:
            raise UnknownName(where, word, Words.__annotations__, "see: footprint estimate --help")


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


def settings(given: Mapping[str, Any] | None) -> dict[str, Range]:
    """`--set` pairs by full field name; the unit may be left out where the rest is unique.

    Raises
    ------
    UnknownName
        For a field that cannot be set.
    InputError
        For a value out of bounds.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InputError("settings", str(given), "is not a mapping", "write settings={'pue': 1.1}")
    return {setting_field(name): ranged(setting_field(name), value) for name, value in (given or {}).items()}


def setting_field(name: str) -> str:
    """The full name of a field that can be set."""
    known = (*site_room.SETTINGS, *STAGE_SETTINGS)
    short = {_without_unit(field): field for field in known} | {"intensity": "location_intensity_g_per_kwh"}
    if name in known:
        return name
    if name not in short:
        raise UnknownName("set", name, (*known, *short), "fields that can be set: " + ", ".join(sorted(known)))
    return short[name]


def _without_unit(name: str) -> str:
    suffix = next((u for u in sorted(UNITS, key=len, reverse=True) if name.endswith(u)), "")
    return name.removesuffix(suffix)


def read_plan_file(path: Path) -> dict[str, Any]:
    """The words of a YAML (or JSON) plan.

    Raises
    ------
    InputError
        For a file that is missing, malformed or holds no mapping, naming the line.
    """
    import yaml  # here, not above: only plans need it

    if not path.is_file():
        raise InputError("plan", str(path), "is not a file", "name a .yaml plan that exists")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "its encoding"
        problem = getattr(error, "problem", None) or "not text"
        raise InputError("plan", str(path), f"is not YAML at {place} ({problem})", "correct that line") from error
    except RecursionError as error:
        raise InputError("plan", str(path), "is nested too deeply", "write plain words") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError("plan", str(path), "is not a mapping of words", "write lines such as `tokens: 2T`")
    if "set" in content:
        content["settings"] = content.pop("set")
    for name in ("settings",):
        if name in content and not isinstance(content[name], dict):
            raise InputError(name, str(content[name]), "must be a mapping", "write `set: {pue: 1.1}`")
    stages = content.get("stages")
    for holder in (content, *(stages if isinstance(stages, list) else ())):
        if isinstance(holder, dict) and isinstance(holder.get("config"), str):
            holder["config"] = path.parent / holder["config"]
    check_words(content, "plan word")
    return dict(content)
