"""Many scenarios at once: the plan and the assessor walked once, with the scenarios on the arrays' axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from footprint.accounting import assessor
from footprint.accounting.site import site as make_site
from footprint.catalog import Catalog
from footprint.derivation import Plain
from footprint.errors import InputError
from footprint.estimation.estimator import plan_usage
from footprint.estimation.plan import drafts
from footprint.estimation.reached import Circumstances, read_layout, setting_of_stage
from footprint.estimation.stage_plan import CHINCHILLA_FLOP_RATIO
from footprint.estimation.stages import smallest_count
from footprint.estimation.words import bounds, setting_field
from footprint.throughput.knots import over_scenarios
from footprint.throughput.rule import predict_many
from footprint.throughput.setting import Setting, stacked
from footprint.throughput.whole_run import goodput_ends
from footprint.uncertainty import mids
from footprint.units import read_quantity
from footprint.values import Accelerator, Footprint, Power, Range, Stage

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Record = TypeVar("Record")

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
    first = draft.plan.stages[0]
    site, _, _ = make_site(draft.site_words, [catalog.accelerator(first.accelerator)], catalog)
    stage = _with_scenarios(first, swept, single, draft.site_words.year, catalog)
    hours: Any = swept.get("accelerator_hours", mids(draft.plan).accelerator_hours)
    plan = replace(mids(draft.plan), stages=(stage,), accelerator_hours=hours)
    site = _replaced(mids(site), swept)
    site = replace(site, rates=tuple(_replaced(rates, swept) for rates in site.rates))
    calculate = Plain()
    usage = plan_usage(plan, calculate)
    _check_possible(usage.lines[0].mfu)
    found = assessor.footprint("sweep", usage, site, assessor.assess(usage, site, calculate))
    columns = _columns(found, len(next(iter(swept.values()))))
    if stage.accelerator_count is not None and stage.params is not None:
        columns["fits_memory"] = smallest_count(stage, catalog) <= stage.accelerator_count
    return pd.DataFrame({**swept, **columns})


def _split(words: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Words with several values as broadcast arrays by field name, and all words with the first scenario's value."""
    given = dict(words.get("settings") or {})
    plain = {name: value for name, value in words.items() if name != "settings"}
    arrays: dict[str, Array] = {}
    for name in [name for name in plain if _is_many(plain[name])]:
        field = name if name in SWEPT_WORDS else setting_field(name)
        arrays[field] = _array(field, plain.pop(name))
    for name in [name for name in given if _is_many(given[name])]:
        field = setting_field(name)
        arrays[field] = _array(field, given.pop(name))
    try:
        swept = dict(zip(arrays, (a.ravel() for a in np.broadcast_arrays(*arrays.values())), strict=True))
    except ValueError as error:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items())
        raise InputError("sweep", shapes, "do not broadcast", "give lists of one length") from error
    for field, values in swept.items():
        (plain if field in SWEPT_WORDS else given)[field] = float(values[0])
    return swept, {**plain, "settings": given}


def _is_many(value: Any) -> bool:
    return not isinstance(value, (str, bytes, Mapping)) and hasattr(value, "__len__")


def _array(field: str, values: Any) -> Array:
    """Numbers, or texts such as '7B', as an array within the field's bounds."""
    raw = np.asarray(values)
    if raw.size == 0:
        raise InputError(field, None, "is an empty list", "give at least one value")
    if raw.dtype.kind not in "iuf":
        raw = np.array([read_quantity(v, field) for v in raw.ravel().tolist()]).reshape(raw.shape)
    found: Array = np.ascontiguousarray(raw, dtype=float)
    floor, ceiling = bounds(field)
    wrong = ~np.isfinite(found) | (found < floor) | (found > ceiling)
    if field in SWEPT_WORDS:
        wrong |= found <= 0
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        value = float(found.ravel()[place])
        raise InputError(f"{field}[{place}]", value, f"is outside {floor:g} to {ceiling:g}", "give a value inside")
    return found


def _replaced(record: Record, swept: Mapping[str, Array]) -> Record:
    """A record with its swept fields as arrays of scenarios."""
    changes: dict[str, Any] = {name: values for name, values in swept.items() if hasattr(record, name)}
    return replace(record, **changes) if changes else record  # type: ignore[type-var]


def _with_scenarios(
    stage: Stage, swept: Mapping[str, Array], single: Mapping[str, Any], year: int | None, catalog: Catalog
) -> Stage:
    """The stage with the swept words in place of its numbers, and the MFU that goes with its size."""
    first, stage = stage, mids(stage)
    words = {"count": "accelerator_count", "flop": "training_flop"}
    changes: dict[str, Any] = {words.get(k, k): v for k, v in swept.items() if k not in ("accelerator_hours",)}
    changes = {k: v for k, v in changes.items() if hasattr(stage, k)}
    if "params" in swept and "active_params" not in swept and "active_params" not in single:
        changes["active_params"] = swept["params"]
    stage = replace(stage, **changes)
    _check_active(stage)
    given = {*swept, *single["settings"], *single}
    moved = {"params", "active_params", "count", "flop"} | ({"tokens"} if first.accelerator_count is None else set())
    if moved & set(swept) and stage.mfu is not None:
        found = _reached(stage, first, swept, single, year, catalog)
        stage = replace(stage, **{name: values for name, values in found.items() if name not in given})
    return replace(stage, power=_power_with_scenarios(stage, swept, single, catalog))


def _reached(
    stage: Stage,
    first: Stage,
    swept: Mapping[str, Array],
    single: Mapping[str, Any],
    year: int | None,
    catalog: Catalog,
) -> dict[str, Any]:
    """Mid MFU and goodput of every scenario: of each distinct one, or between knots where there are too many."""
    device = catalog.accelerator(stage.accelerator)
    how = Circumstances(year, single.get("framework"), single.get("node"))
    sizes: dict[str, Any] = {"params": stage.params, "active_params": stage.active_params}
    if stage.active_params is None:
        sizes = {"size": (np.asarray(stage.training_flop, float) / CHINCHILLA_FLOP_RATIO) ** 0.5}
    fixed = read_layout(single.get("layout") or {})
    axes = {name: np.asarray(values, float) for name, values in sizes.items() if np.ndim(values)}
    if "active_params" in axes and np.array_equal(axes["active_params"], axes.get("params", [])):
        del axes["params"]  # a dense model has one size
    asked = ("count",) if "count" in swept or first.accelerator_count is not None else ("tokens", "flop")
    axes |= {name: swept[name] for name in asked if name in swept}

    def settings(points: Mapping[str, Array]) -> Setting:
        own = [
            _setting(first, dict(zip(points, values, strict=True)), device, how, catalog)
            for values in zip(*(column.tolist() for column in points.values()), strict=True)
        ]
        return stacked(own)  # type: ignore[no-any-return]

    def mfu(points: Mapping[str, Array]) -> Array:
        return np.asarray(predict_many(settings(points), device, stage.precision, fixed, catalog))

    def goodput(points: Mapping[str, Array]) -> Array:
        return np.asarray(goodput_ends(settings(points).accelerator_count, catalog)[1])

    return {"mfu": over_scenarios(mfu, axes), "goodput": over_scenarios(goodput, axes)}


def _setting(
    first: Stage, point: Mapping[str, float], device: Accelerator, how: Circumstances, catalog: Catalog
) -> Setting:
    """The first scenario's stage with a point's sizes and count, as a setting."""
    active = point.get("active_params")
    total = point.get("params", active if first.params == first.active_params else None)
    changes: dict[str, Any] = {}
    if total is not None:
        changes["params"] = Range.exactly(total)
    if active is not None:
        changes["active_params"] = Range.exactly(active)
    if "count" in point:
        changes["accelerator_count"] = int(point["count"])
    names = {"tokens": "tokens", "flop": "training_flop"}
    changes |= {names[name]: Range.exactly(point[name]) for name in names if name in point}
    stage = replace(first, **changes)
    size = point.get("size", stage.active_params.mid if stage.active_params else 0.0)
    return setting_of_stage(stage, size, device, how, catalog)[0]


def _check_active(stage: Stage) -> None:
    if stage.params is None or stage.active_params is None:
        return
    total, active = np.broadcast_arrays(np.asarray(stage.params, float), np.asarray(stage.active_params, float))
    wrong = np.flatnonzero(active > total)
    if wrong.size:
        place = int(wrong[0])
        raise InputError(
            f"active_params[{place}]", float(active.ravel()[place]), "must not exceed params", "swap the two"
        )


def _check_possible(mfu: Any) -> None:
    """No scenario's known hours may imply more than the hardware can do."""
    values = np.atleast_1d(np.asarray(0.0 if mfu is None else mfu, float))
    if values.max() > 1:
        place = int(values.argmax())
        raise InputError(f"accelerator_hours[{place}]", None, f"gives an MFU of {values[place]:.2f}", "check the hours")


def _power_with_scenarios(
    stage: Stage, swept: Mapping[str, Array], single: Mapping[str, Any], catalog: Catalog
) -> Power | None:
    """Swept watts and loads; beyond one node every scenario has its network."""
    power = stage.power
    if power is None:
        return None
    power = _replaced(power, swept)
    if "count" not in swept or "network_w" in swept or "network_w" in single["settings"]:
        return power
    per_node = catalog.accelerator(stage.accelerator).per_node
    network: Any = np.where(swept["count"] <= per_node, 0.0, catalog.constant("network_w").mid)
    return replace(power, network_w=network)


def _columns(found: Footprint, rows: int) -> dict[str, Any]:
    columns = {name: value(found) for name, value in OUTPUTS.items()}
    return {name: np.broadcast_to(np.asarray(v, float), (rows,)) for name, v in columns.items() if v is not None}
