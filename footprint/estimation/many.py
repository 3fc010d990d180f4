"""One plan many times over: on other counts of accelerators, and with each uncertain input at its ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.estimation.estimator import estimate, sensitivities_of
from footprint.estimation.plan import drafts
from footprint.report.wording import is_third_party
from footprint.studies import ByCount, CountPoint
from footprint.values import Footprint, Plan

Subject = str | Path | Mapping[str, Any] | None

DOUBLINGS = 3
"""Powers of two below and above a plan's count."""
USUAL_COUNT = 64
"""Where a plan names no count."""


def by_count(subject: Subject, counts: Sequence[int] | None, words: Mapping[str, Any], catalog: Catalog) -> ByCount:
    """The estimate of a plan on each count of accelerators; those that cannot hold it are left out and told.

    Raises
    ------
    InputError, UnknownName
        As `estimate`; also where no count can hold the plan.
    """
    first = _estimated(subject, words, catalog)
    own = first.plan.stages[0].accelerator_count if first.plan and first.plan.stages else None
    asked = counts or _around(own)
    points: list[CountPoint] = []
    refused: list[int] = []
    problem: InputError | None = None
    for count in dict.fromkeys(asked):
        try:
            found = first if count == own else _estimated(subject, {**words, "count": count}, catalog)
        except InputError as error:
            refused, problem = [*refused, count], error
            continue
        points.append(
            CountPoint(
                accelerator_count=count,
                accelerator_hours=found.usage.accelerator_hours,
                wall_clock_h=found.usage.wall_clock_h,
                facility_energy_kwh=found.facility.facility_energy_kwh,
                total_location_kgco2e=found.total_location_kgco2e,
                rental_on_demand_usd=found.rental_on_demand_usd,
            )
        )
    if not points and problem is not None:
        raise problem
    left_out = f"not possible on {' or '.join(f'{count:,}' for count in refused)} accelerators: not drawn"
    return ByCount(
        name=first.name,
        accelerator=first.usage.lines[0].accelerator,
        accelerator_count=own,
        points=tuple(points),
        is_third_party=is_third_party(first),
        notes=(left_out,) if refused else (),
        catalog_digest=first.catalog_digest,
        version=first.version,
    )


def with_sensitivities(footprint: Footprint) -> Footprint:
    """The same with what moves it, where its plan is known and it does not tell yet."""
    if footprint.sensitivities:
        return footprint
    plans: list[Plan] = [one.plan for one in footprint.parts or (footprint,) if one.plan is not None]
    if not plans:
        raise InputError("plan", footprint.name, "is not kept with the footprint", "estimate it again")
    return replace(footprint, sensitivities=sensitivities_of(plans, [footprint.site] * len(plans)))


def _estimated(subject: Subject, words: Mapping[str, Any], catalog: Catalog) -> Footprint:
    name, built = drafts(subject, words, catalog)
    return estimate(name, built, catalog, False)


def _around(own: int | None) -> list[int]:
    middle = own or USUAL_COUNT
    power = round(math.log2(middle))
    powers = (2**place for place in range(max(power - DOUBLINGS, 0), power + DOUBLINGS + 1))
    return sorted({middle, *powers})
