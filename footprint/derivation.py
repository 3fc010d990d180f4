"""Runs formulas and remembers how: the calculation is its own derivation.

`Derivation()(energy.facility_energy_kwh, part="pretrain", it_energy_kwh=..., pue=...)` returns what the
formula returns and keeps a `Step` with the equation of its docstring and the mid values put in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from footprint.units import Quantity
from footprint.values import Step

Formula = Callable[..., Quantity]


class Derivation:
    """Calls formulas and collects their steps, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(self, formula: Formula, part: str = "", **inputs: Quantity) -> Quantity:
        """Run one formula; its name is the field that it yields."""
        value = formula(**inputs)
        equation, reference = description(formula)
        self._keep(part, formula.__name__, equation, inputs, value, reference)
        return value

    def total(self, field: str, addends: dict[str, Quantity], part: str = "total") -> Quantity:
        """Add the same field over stages or models."""
        value: Quantity = sum(addends.values())
        if len(addends) > 1:
            named = {_identifier(name): addend for name, addend in addends.items()}
            self._keep(part, field, f"{field} = " + " + ".join(named), named, value, "sum of the parts")
        return value

    def longest(self, field: str, paths: list[dict[str, Quantity]], part: str = "total") -> Quantity:
        """The longest of several sums of the same field: the critical path of a graph of stages."""
        value = _longest(paths)
        named = {_identifier(name): addend for path in paths for name, addend in path.items()}
        sums = [" + ".join(_identifier(name) for name in path) for path in paths]
        if len(named) > 1:
            equation = f"{field} = " + (sums[0] if len(sums) == 1 else f"max({', '.join(sums)})")
            self._keep(part, field, equation, named, value, "the longest path through the stages")
        return value

    def _keep(
        self, part: str, field: str, equation: str, inputs: dict[str, Quantity], value: Quantity, reference: str
    ) -> None:
        numbers = tuple((name, mid(x)) for name, x in inputs.items())
        self.steps.append(Step(part, field, equation, numbers, mid(value), reference))


class Plain:
    """Calls formulas and keeps nothing: for sweeps over arrays of scenarios."""

    def __call__(self, formula: Formula, part: str = "", **inputs: Quantity) -> Quantity:
        """Run one formula."""
        return formula(**inputs)

    def total(self, field: str, addends: dict[str, Quantity], part: str = "total") -> Quantity:
        """Add the same field over stages or models."""
        return sum(addends.values())

    def longest(self, field: str, paths: list[dict[str, Quantity]], part: str = "total") -> Quantity:
        """The longest of several sums of the same field."""
        return _longest(paths)


def _longest(paths: list[dict[str, Quantity]]) -> Quantity:
    sums = [sum(path.values()) for path in paths]
    if not any(getattr(s, "ndim", 0) for s in sums):
        return max(sums)
    import numpy as np  # here, not above: plain numbers do without

    return np.maximum.reduce(np.broadcast_arrays(*sums))


def mid(value: Any) -> float:
    """The plain calculation's value: slot 0 of an array of draws, or the number itself."""
    return float(value[0]) if getattr(value, "ndim", 0) else float(value)


@cache
def description(formula: Formula) -> tuple[str, str]:
    """The equation line and the first reference of a formula's docstring."""
    doc = formula.__doc__ or ""
    name = formula.__name__
    equation = re.search(rf"^\s*({re.escape(name)} = .+)$", doc, re.MULTILINE)
    reference = re.search(r"\.\. \[1\]\s*(.+?)(?=\n\s*\.\. \[|\n\s*\n|\Z)", doc, re.DOTALL)
    return (
        equation.group(1).strip() if equation else name,
        " ".join(reference.group(1).split()) if reference else "",
    )


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"part_{cleaned}"
