"""A plan under many circumstances, as values: a grid of two swept words; choices of hardware, count and place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from footprint.catalog import Catalog
from footprint.errors import FootprintError, InputError
from footprint.estimation.estimator import estimate
from footprint.estimation.plan import drafts
from footprint.estimation.sweeping import sweep_frame
from footprint.studies import Scenario, Scenarios
from footprint.values import Footprint, Range
from footprint.version import __version__

MOST_CHOICES = 400
"""Estimates behind one chart."""


def swept(subject: Any, words: Mapping[str, Any], catalog: Catalog) -> Scenarios:
    """Every pair of two words that are given as lists: plain estimates, without ranges.

    Raises
    ------
    InputError
        Where other than two words have several values, or as `sweep`.
    """
    given = dict(words) | ({} if subject is None else {"model": subject})
    settings = dict(given.get("settings") or {})
    many = [name for name, value in given.items() if name != "settings" and _is_many(value)]
    many += [name for name, value in settings.items() if _is_many(value)]
    if len(many) != 2:
        told = ", ".join(many) or None
        raise InputError("heatmap", told, "is not two words with several values", "give two, such as count=[64, 128]")
    first, second = many
    pairs = [(a, b) for b in {**given, **settings}[second] for a in {**given, **settings}[first]]
    for place, name in enumerate(many):
        holder = settings if name in settings else given
        holder[name] = [pair[place] for pair in pairs]
    frame = sweep_frame({**given, "settings": settings}, catalog)
    rows = frame.to_dict("records")
    named = [str(column) for column in frame.columns[:2]]
    scenarios = tuple(_of_row({str(k): v for k, v in row.items()}, named) for row in rows)
    return Scenarios(_name(subject, given), tuple(named), scenarios, (), catalog.digest(), __version__)


def chosen(
    subject: Any,
    accelerators: Sequence[str] | None,
    counts: Sequence[int] | None,
    regions: Sequence[str] | None,
    words: Mapping[str, Any],
    catalog: Catalog,
) -> Scenarios:
    """A plan on each accelerator, count and region named; what is not named stays as planned.

    Choices that cannot be, such as too little memory, are left out and told.

    Raises
    ------
    InputError
        For more than `MOST_CHOICES`, or where none can be.
    """
    axes = {"accelerator": accelerators, "count": counts, "region": regions}
    named = {name: list(values) for name, values in axes.items() if values}
    if not named:
        fix = "give several accelerators, counts or regions"
        raise InputError("pareto", None, "has nothing to choose between", fix)
    found: list[Scenario] = []
    refused: list[str] = []
    problem: FootprintError | None = None
    choices = list(_products(named))
    if len(choices) > MOST_CHOICES:
        raise InputError("pareto", len(choices), f"is more than {MOST_CHOICES} choices", "name fewer")
    name = _name(subject, words)
    for choice in choices:
        try:
            name, built = drafts(subject, {**words, **choice}, catalog)
            found.append(_of_footprint(estimate(name, built, catalog, False), choice))
        except FootprintError as error:
            refused, problem = [*refused, " ".join(str(value) for value in choice.values())], error
    if not found and problem is not None:
        raise problem
    notes = (f"not possible: {'; '.join(refused)}",) if refused else ()
    return Scenarios(name, tuple(named), tuple(found), notes, catalog.digest(), __version__)


def _products(named: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    if not named:
        yield {}
        return
    first, *rest = named
    for value in named[first]:
        for others in _products({name: named[name] for name in rest}):
            yield {first: value, **others}


def _is_many(value: Any) -> bool:
    return not isinstance(value, (str, bytes, Mapping)) and hasattr(value, "__len__")


def _name(subject: Any, words: Mapping[str, Any]) -> str:
    return str(words.get("name") or (subject if isinstance(subject, str) else "") or words.get("params") or "the plan")


def _of_row(row: Mapping[str, Any], inputs: Sequence[str]) -> Scenario:
    def exactly(name: str) -> Range | None:
        return Range.exactly(float(row[name])) if name in row else None

    total = float(row["operational_location_kgco2e"]) + float(row["embodied_kgco2e"])
    return Scenario(
        inputs=tuple((name, float(row[name])) for name in inputs),
        accelerator_hours=Range.exactly(float(row["accelerator_hours"])),
        wall_clock_h=exactly("wall_clock_h"),
        facility_energy_kwh=Range.exactly(float(row["facility_energy_kwh"])),
        total_location_kgco2e=Range.exactly(total),
        rental_on_demand_usd=exactly("rental_on_demand_usd"),
        fits=bool(row.get("fits_memory", True)),
    )


def _of_footprint(found: Footprint, choice: Mapping[str, Any]) -> Scenario:
    return Scenario(
        inputs=tuple((name, value if isinstance(value, str) else float(value)) for name, value in choice.items()),
        accelerator_hours=found.usage.accelerator_hours,
        wall_clock_h=found.usage.wall_clock_h,
        facility_energy_kwh=found.facility.facility_energy_kwh,
        total_location_kgco2e=found.total_location_kgco2e,
        rental_on_demand_usd=found.rental_on_demand_usd,
    )
