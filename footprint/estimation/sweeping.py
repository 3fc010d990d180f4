"""Many scenarios at once: the plan and the assessor walked once, with the scenarios on the arrays' axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from footprint.accounting import assessor
from footprint.accounting.site import site as make_site
from footprint.catalog import Catalog
from footprint.derivation import Plain
from footprint.errors import InputError
from footprint.estimation.estimator import plan_usage
from footprint.estimation.plan import drafts
from footprint.estimation.stages import smallest_count
from footprint.estimation.words import STAGE_SETTINGS, bounds, settings
from footprint.throughput import rule
from footprint.uncertainty import mids
from footprint.values import Footprint, Power, Stage

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

SWEPT_WORDS = ("params", "active_params", "tokens", "count", "accelerator_hours", "flop")
OUTPUTS: dict[str, Callable[[Footprint], Any]] = {
    "accelerator_hours": lambda f: f.usage.accelerator_hours,
    "wall_clock_h": lambda f: f.usage.wall_clock_h,
    "training_flop": lambda f: f.usage.training_flop,
    "it_energy_kwh": lambda f: f.facility.it_energy_kwh,
    "facility_energy_kwh": lambda f: f.facility.facility_energy_kwh,
    "model_card_facility_energy_kwh": lambda f: f.model_card.facility_energy_kwh,
    "operational_location_kgco2e": lambda f: f.facility.operational_location_kgco2e,
    "model_card_operational_location_kgco2e": lambda f: f.model_card.operational_location_kgco2e,
    "operational_market_kgco2e": lambda f: f.facility.operational_market_kgco2e,
    "embodied_kgco2e": lambda f: f.embodied_kgco2e,
    "onsite_water_l": lambda f: f.facility.onsite_water_l,
    "offsite_water_l": lambda f: f.facility.offsite_water_l,
    "electricity_usd": lambda f: f.facility.electricity_usd,
    "rental_on_demand_usd": lambda f: f.rental_on_demand_usd,
    "ownership_usd": lambda f: f.ownership_usd,
}


def sweep_frame(words: Mapping[str, Any], catalog: Catalog) -> pd.DataFrame:
    """One row a scenario; mids only, and whether it fits in memory. The plan must have one stage.

    Raises
    ------
    InputError
        For swept words that do not broadcast, are out of bounds, or a plan of several stages.
    """
    import pandas as pd  # here, not above: half a second that only frames need

    swept, single = _split(words)
    if not swept:
        raise InputError("sweep", None, "has no word with several values", "give a list, such as count=[64, 128]")
    _, (draft, *others) = drafts(single.pop("model", None), single, catalog)
    if others or len(draft.plan.stages) != 1:
        raise InputError("sweep", draft.plan.name, "has several stages", "sweep one stage: give --tokens")
    names = [draft.plan.stages[0].accelerator]
    site, _, _ = make_site(draft.site_words, [catalog.accelerator(n) for n in names], catalog)
    stage = _with_scenarios(mids(draft.plan.stages[0]), swept, single, draft.site_words.year, catalog)
    hours: Any = swept.get("accelerator_hours", mids(draft.plan).accelerator_hours)
    plan = replace(mids(draft.plan), stages=(stage,), accelerator_hours=hours)
    places: dict[str, Any] = {k: v for k, v in swept.items() if hasattr(site, k)}
    site = replace(mids(site), **places)
    calculate = Plain()
    usage = plan_usage(plan, calculate)
    found = assessor.footprint("sweep", usage, site, assessor.assess(usage, site, calculate))
    columns = _columns(found, len(next(iter(swept.values()))))
    if stage.accelerator_count is not None and stage.params is not None:
        columns["fits_memory"] = smallest_count(stage, catalog) <= stage.accelerator_count
    return pd.DataFrame({**swept, **columns})


def _split(words: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Words with several values as broadcast arrays, and plain words with the first scenario's value."""
    given = {**words, **dict(words.get("settings") or {})}
    given.pop("settings", None)
    swept = {k: np.asarray(v, dtype=float) for k, v in given.items() if _is_many(v)}
    try:
        arrays = dict(zip(swept, np.broadcast_arrays(*swept.values()), strict=True))
    except ValueError as error:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in swept.items())
        raise InputError("sweep", shapes, "do not broadcast", "give lists of one length") from error
    setting_names = set(dict(words.get("settings") or {}))
    single: dict[str, Any] = {k: v for k, v in words.items() if k not in swept and k != "settings"}
    chosen: dict[str, Any] = {}
    full: dict[str, Array] = {}
    for name, values in arrays.items():
        flat = np.ascontiguousarray(values, dtype=float).ravel()
        if name in setting_names or name not in SWEPT_WORDS:
            (field,) = settings({name: float(flat[0])})
            chosen[field] = float(flat[0])
            full[field] = _bounded(field, flat)
        else:
            single[name] = float(flat[0])
            full[name] = _bounded(name, flat)
    plain = {k: v for k, v in dict(words.get("settings") or {}).items() if k not in swept}
    single["settings"] = {**plain, **chosen}
    return full, single


def _is_many(value: Any) -> bool:
    return not isinstance(value, (str, bytes, Mapping)) and hasattr(value, "__len__")


def _bounded(field: str, values: Array) -> Array:
    floor, ceiling = bounds(field)
    wrong = ~np.isfinite(values) | (values < floor) | (values > ceiling)
    if field in SWEPT_WORDS:
        wrong |= values <= 0
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{field}[{place}]", float(values[place]), f"must lie in {floor:g} to {ceiling:g}", "correct it"
        )
    return values


def _with_scenarios(
    stage: Stage, swept: Mapping[str, Array], single: Mapping[str, Any], year: int | None, catalog: Catalog
) -> Stage:
    """The stage with the swept words in place of its numbers, and the MFU that goes with its size."""
    changes: dict[str, Any] = {k: v for k, v in swept.items() if k in STAGE_SETTINGS and hasattr(stage, k)}
    if "params" in swept:
        changes["params"] = swept["params"]
        changes["active_params"] = swept.get(
            "active_params", swept["params"] if "active_params" not in single else stage.active_params
        )
    elif "active_params" in swept:
        changes["active_params"] = swept["active_params"]
    for word, field in (("tokens", "tokens"), ("count", "accelerator_count"), ("flop", "training_flop")):
        if word in swept:
            changes[field] = swept[word]
    if "active_params" in changes and "mfu" not in swept and "mfu" not in (single.get("settings") or {}):
        active = changes["active_params"]
        moe = bool(np.any(np.asarray(active) < np.asarray(changes.get("params", stage.params))))
        device = catalog.accelerator(stage.accelerator)
        changes["mfu"], _ = rule.predict(device, stage.precision, active, moe, year, catalog)
    changes["power"] = _power_with_scenarios(replace(stage, **changes), swept, single, catalog)
    return replace(stage, **changes)


def _power_with_scenarios(
    stage: Stage, swept: Mapping[str, Array], single: Mapping[str, Any], catalog: Catalog
) -> Power | None:
    """Swept watts and loads; beyond one node every scenario has its network."""
    power = stage.power
    if power is None:
        return None
    changes: dict[str, Any] = {k: v for k, v in swept.items() if hasattr(power, k)}
    if "count" in swept and "network_w" not in swept and "network_w" not in single["settings"]:
        per_node = catalog.accelerator(stage.accelerator).per_node
        changes["network_w"] = np.where(swept["count"] <= per_node, 0.0, catalog.constant("network_w").mid)
    return replace(power, **changes)


def _columns(found: Footprint, rows: int) -> dict[str, Any]:
    columns = {name: value(found) for name, value in OUTPUTS.items()}
    return {name: np.broadcast_to(np.asarray(v, float), (rows,)) for name, v in columns.items() if v is not None}
