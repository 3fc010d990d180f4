"""What a user typed, read and bounded: quantities, ranges, settings, YAML plans."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from footprint.accounting import site as site_room
from footprint.accounting.words import Number, bounds, name, quantity, ranged, whole
from footprint.accounting.words import setting_field as full_name
from footprint.accounting.words import settings as read_settings
from footprint.errors import InputError, UnknownName
from footprint.values import Range

__all__ = [
    "STAGE_SETTINGS",
    "Number",
    "Words",
    "bounds",
    "check_words",
    "name",
    "quantity",
    "ranged",
    "read_plan_file",
    "setting_field",
    "settings",
    "whole",
]


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

_KNOWN = (*site_room.SETTINGS, *STAGE_SETTINGS)


def check_words(words: Mapping[str, Any], where: str = "option") -> None:
    """Refuse words that no estimate knows."""
    for word in words:
        if word not in Words.__annotations__:
            raise UnknownName(where, word, Words.__annotations__, "see: footprint estimate --help")


def settings(given: Mapping[str, Any] | None) -> dict[str, Range]:
    """`--set` pairs by full field name; the unit may be left out where the rest is unique.

    Raises
    ------
    UnknownName
        For a field that cannot be set.
    InputError
        For a value out of bounds.
    """
    return read_settings(given, _KNOWN)


def setting_field(name: str) -> str:
    """The full name of a field of site or stages that can be set."""
    return full_name(name, _KNOWN)


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
    if not isinstance(content.get("settings", {}), dict):
        raise InputError("settings", str(content["settings"]), "must be a mapping", "write `set: {pue: 1.1}`")
    stages = content.get("stages")
    for holder in (content, *(stages if isinstance(stages, list) else ())):
        if isinstance(holder, dict) and isinstance(holder.get("config"), str):
            holder["config"] = path.parent / holder["config"]
    check_words(content, "plan word")
    return dict(content)
