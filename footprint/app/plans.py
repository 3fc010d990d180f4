"""A plan as the browser has it: pairs of a word and a text; read into words, and written to be copied."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footprint.app.fields import BY_WORD, CONFIG, HOWS, PRESET, SIZE
from footprint.errors import InputError

Pairs = tuple[tuple[str, str], ...]

DEFAULT: Pairs = (("model", "llama-3.1-405b"),)
"""What the calculator begins with."""

REPORTED = "reported"
_LONGEST = 20_000
"""Of one text: a config.json has some two thousand characters."""


def pairs(given: Iterable[Sequence[Any]]) -> Pairs:
    """What an address or the inputs say, in the order of the inputs; what is empty or no input is left out."""
    told: dict[str, str] = {}
    for pair in given:
        word, value = pair
        if isinstance(word, str) and isinstance(value, (str, int, float)) and str(value).strip():
            told.setdefault(word, str(value).strip()[:_LONGEST])
    known = tuple((word, told[word]) for word in BY_WORD if word in told)
    return (*known, (REPORTED, "yes")) if told.get(REPORTED) == "yes" else known


def how_of(plan: Pairs) -> str:
    """Which way of saying what is trained a plan goes."""
    words = dict(plan)
    if CONFIG in words:
        return CONFIG
    return PRESET if "model" in words or not words else SIZE


def of_how(plan: Pairs, how: str) -> Pairs:
    """The plan without the words of the other ways."""
    chosen = how if how in HOWS else PRESET
    return tuple(pair for pair in plan if pair[0] == REPORTED or BY_WORD[pair[0]].how in ("", chosen))


def words(plan: Pairs) -> dict[str, Any]:
    """The words of `footprint.estimate`. Nothing in them names a file of this machine.

    Raises
    ------
    InputError
        For a config that is no JSON object.
    """
    found: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for word, value in plan:
        if word == REPORTED:
            found[word] = True
        elif BY_WORD[word].is_setting:
            settings[word] = value
        else:
            found[word] = _config(value) if word == CONFIG else value
    return found | ({"settings": settings} if settings else {})


def _config(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(CONFIG, text[:40], "is not JSON", "paste the whole text of a config.json") from error
    if not isinstance(read, dict):
        raise InputError(CONFIG, text[:40], "is no JSON object", "paste the whole text of a config.json")
    return read


def command(plan: Pairs) -> str:
    """As one types it."""
    model = dict(plan).get("model")
    parts = ["footprint", "estimate", *([model] if model else [])]
    for word, value in plan:
        if word == REPORTED:
            parts.append("--reported")
        elif BY_WORD[word].is_setting:
            parts += ["--set", f"{word}={value}"]
        elif word != "model":
            parts += [f"--{word.replace('_', '-')}", "config.json" if word == CONFIG else value]
    return shlex.join(_one_line(part) for part in parts)


def python(plan: Pairs) -> str:
    """As a script has it."""
    found = words(plan) if CONFIG not in dict(plan) else words(tuple(p for p in plan if p[0] != CONFIG))
    model = found.pop("model", None)
    given = [repr(model)] if model else []
    given += ['config="config.json"'] if CONFIG in dict(plan) else []
    given += [f"{word}={value!r}" for word, value in found.items()]
    return f"import footprint\n\nprint(footprint.estimate({', '.join(given)}))\n"


def yaml(plan: Pairs) -> str:
    """As a file that `footprint estimate plan.yaml` reads; text in double quotes is YAML and JSON alike."""
    try:
        found = words(plan)
    except InputError:
        found = words(tuple(pair for pair in plan if pair[0] != CONFIG))
    lines = []
    for word, value in found.items():
        if isinstance(value, Mapping) and word == "settings":
            lines += ["settings:", *(f"  {name}: {json.dumps(text)}" for name, text in value.items())]
        else:
            lines.append(f"{word}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
