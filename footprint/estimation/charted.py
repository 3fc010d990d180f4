"""What charts of a plan show: one of its stages on more and fewer accelerators, and on every layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from footprint.catalog import Catalog
from footprint.catalog.peaks import SIXTEEN_BIT, generation_of
from footprint.errors import InputError, UnknownName
from footprint.estimation.plan import Draft, drafts
from footprint.estimation.reached import Circumstances, setting_of_stage
from footprint.estimation.stages import smallest_count
from footprint.studies import LayoutCell, LayoutSearch, MeasuredPoint, MeasuredSeries, Scaling, ScalingPoint
from footprint.throughput.layouts import CHOICES, grid, possible
from footprint.throughput.measured import PRECISIONS
from footprint.throughput.neighbours import OTHER_DEVICE, OTHER_GENERATION, OTHER_KIND, OTHER_PRECISION
from footprint.throughput.rule import Throughput, predict
from footprint.throughput.setting import Setting
from footprint.throughput.unseen import measured_points
from footprint.values import Accelerator, Stage
from footprint.version import __version__

DOUBLINGS = 4
"""Powers of two below and above a plan's count that are drawn."""
MOST_MODELS, FARTHEST = 3, 2.0
"""Measured models beside a plan, and how many doublings of size away they may be."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A stage as its plan was drafted, with all that its throughput was predicted from."""

    draft: Draft
    stage: Stage
    device: Accelerator
    how: Circumstances
    fixed: Mapping[str, float]
    setting: Setting
    size: float
    catalog: Catalog

    def on(self, count: int, batch_tokens: float) -> tuple[Setting, Throughput]:
        """The stage on so many accelerators with such a batch."""
        stage = replace(self.stage, accelerator_count=count, batch_tokens=batch_tokens)
        setting, _ = setting_of_stage(stage, self.size, self.device, self.how, self.catalog)
        return setting, predict(setting, self.device, stage.precision, self.fixed, self.catalog)


def shown(subject: Any, words: Mapping[str, Any], stage: str | None, catalog: Catalog) -> Shown:
    """One stage of a plan, the first unless named, with what its ledger says it was predicted from.

    Raises
    ------
    InputError, UnknownName
        For a family of models, an unknown stage, or a stage whose throughput was given.
    """
    name, built = drafts(subject, words, catalog)
    if len(built) > 1:
        raise InputError("model", name, "is a family of models", "name one: " + ", ".join(d.plan.name for d in built))
    (draft,) = built
    by_name = {one.name: one for one in draft.plan.stages}
    if stage is not None and stage not in by_name:
        raise UnknownName("stage", stage, by_name, f"stages of {name}: {', '.join(by_name)}")
    own = by_name[stage] if stage is not None else draft.plan.stages[0]
    if own.layout is None:
        fix = "leave out mfu and the hours, so that it is predicted"
        raise InputError("mfu", None, f"of stage {own.name} is given or implied: there is nothing to draw", fix)
    told = {
        line.field.removeprefix(f"{own.name}."): line for line in draft.ledger if line.field.startswith(f"{own.name}.")
    }
    given = {name: str(line.value) for name, line in told.items() if line.origin == "given"}
    parts = {name.removeprefix("layout."): line.value for name, line in told.items() if name.startswith("layout.")}
    fixed = {name: float(value) for name, value in parts.items()}  # type: ignore[arg-type]
    size = own.active_params.mid if own.active_params else float(told["active_params"].value)  # type: ignore[arg-type]
    how = Circumstances(draft.site_words.year, given.get("framework"), given.get("node"))
    device = catalog.accelerator(own.accelerator)
    setting, _ = setting_of_stage(own, size, device, how, catalog)
    return Shown(draft, own, device, how, fixed, setting, size, catalog)


def scaling(one: Shown, batch_follows: bool) -> Scaling:
    """A stage on powers of two of accelerators around its own count, its batch kept or in proportion.

    Counts on which no layout fits in memory are left out.
    """
    own, batch = int(one.setting.accelerator_count), float(one.setting.global_batch_tokens)
    length = float(one.setting.shape.seq_len)
    points, left_out, measured = [], [], _nearest_models(one)
    needed = math.prod(int(one.fixed.get(name, 1)) for name in ("tensor", "pipeline", "context"))
    for count in _counts(one, own, [p.accelerator_count or own for series in measured for p in series.points]):
        tokens = max(batch * count / own, length) if batch_follows else batch
        _, found = one.on(count, tokens)
        if count == own or (found.layout.fits and count % needed == 0):
            points.append(ScalingPoint(count, tokens, found.mfu, found.steady_mfu, found.goodput, found.layout))
        else:
            left_out.append(count)
    notes = _doubts(one)
    if left_out:
        notes.append(f"no layout fits on {' or '.join(f'{count:,}' for count in left_out)} accelerators: not drawn")
    return Scaling(
        name=one.draft.plan.name,
        stage=one.stage.name,
        accelerator=one.device.id,
        precision=one.stage.precision,
        seq_len=int(length),
        accelerator_count=own,
        batch_tokens=batch,
        batch_follows=batch_follows,
        points=tuple(points),
        measured=measured,
        notes=tuple(notes),
        catalog_digest=one.catalog.digest(),
        version=__version__,
    )


def _doubts(one: Shown) -> list[str]:
    """What the plan's notes say of its throughput: of the stage, or of devices that were not measured."""
    _, found = one.on(int(one.setting.accelerator_count), float(one.setting.global_batch_tokens))
    return [note for note in one.draft.notes if note == found.note or note.startswith(f"{one.stage.name}: no layout")]


def _counts(one: Shown, own: int, measured: list[int]) -> list[int]:
    """Powers of two around the plan's count and over the measured ones, from the fewest that could hold the states."""
    fewest = float(smallest_count(one.stage, one.catalog)) if one.stage.params is not None else 1.0
    least, middle = math.ceil(math.log2(max(fewest, 1.0))), round(math.log2(own))
    lowest = min(middle - DOUBLINGS, *(math.floor(math.log2(count)) for count in measured), middle)
    highest = max(middle + DOUBLINGS, *(math.ceil(math.log2(count)) for count in measured), least)
    return sorted({own, *(2**power for power in range(max(lowest, least, 0), highest + 1))})


def _nearest_models(one: Shown) -> tuple[MeasuredSeries, ...]:
    """All counts of the few measured models that are nearest, each on one device, in one precision, at one length.

    Rows of one source that share a size are one model, whatever their names.
    """
    nearest: dict[tuple[str, str], tuple[float, tuple[Any, ...]]] = {}
    groups: dict[tuple[Any, ...], list[MeasuredPoint]] = {}
    for point in measured_points(one.catalog):
        if point.accelerator_count is None or not point.active_params:
            continue
        if _width(point.precision) != _width(one.stage.precision):
            continue  # its MFU is over another peak
        away, model = _distance(one, point), (point.source_id, f"{point.active_params:.2g}")
        group = (*model, point.accelerator, point.precision, point.seq_len)
        groups.setdefault(group, []).append(point)
        if away <= FARTHEST and (model not in nearest or away < nearest[model][0]):
            nearest[model] = (away, group)
    chosen = sorted(nearest.values(), key=lambda pair: pair[0])[:MOST_MODELS]
    return tuple(MeasuredSeries(tuple(groups[group])) for _, group in chosen)


def _width(precision: str) -> str:
    return "16 bits" if precision in SIXTEEN_BIT else PRECISIONS.get(precision, precision)


def _distance(one: Shown, point: MeasuredPoint) -> float:
    """Doublings of size and length away, as in `throughput.neighbours`; the count is the chart's own axis."""
    away: float = abs(math.log2(point.active_params / one.size))
    away += OTHER_GENERATION * (point.generation != generation_of(one.device))
    away += OTHER_DEVICE * (point.accelerator != one.device.id)
    away += OTHER_PRECISION * (point.precision != one.stage.precision)
    away += OTHER_KIND * (point.is_moe != (one.setting.shape.n_experts > 1))
    if point.seq_len:
        away += abs(math.log2(point.seq_len / float(one.setting.shape.seq_len))) / 2
    return away


def layout_search(one: Shown) -> LayoutSearch:
    """The fastest layout of each tensor and pipeline size, the rest searched as for the estimate."""
    found = one.stage.layout
    if found is None or one.stage.steady_mfu is None:
        raise InputError("mfu", None, f"of stage {one.stage.name} is given", "leave it out, so that it is predicted")
    sizes = {name: _sizes(one.fixed, name) for name in ("tensor", "pipeline")}
    return LayoutSearch(
        name=one.draft.plan.name,
        stage=one.stage.name,
        accelerator=one.device.id,
        precision=one.stage.precision,
        seq_len=int(one.setting.shape.seq_len),
        accelerator_count=int(one.setting.accelerator_count),
        batch_tokens=float(one.setting.global_batch_tokens),
        cells=tuple(_cell(one, tensor, pipeline) for pipeline in sizes["pipeline"] for tensor in sizes["tensor"]),
        found=found,
        steady_mfu=one.stage.steady_mfu,
        notes=tuple(_doubts(one)),
        catalog_digest=one.catalog.digest(),
        version=__version__,
    )


def _sizes(fixed: Mapping[str, float], name: str) -> tuple[int, ...]:
    return (int(fixed[name]),) if name in fixed else CHOICES[name]


def _cell(one: Shown, tensor: int, pipeline: int) -> LayoutCell:
    pinned = {**one.fixed, "tensor": float(tensor), "pipeline": float(pipeline)}
    if tensor * pipeline > one.setting.accelerator_count:
        return LayoutCell(tensor, pipeline, None, None, "too few accelerators")
    if pipeline > one.setting.shape.n_layers:
        return LayoutCell(tensor, pipeline, None, None, "too few layers")
    if not possible(one.setting, grid(tuple(sorted(pinned.items()))), one.fixed).any():
        return LayoutCell(tensor, pipeline, None, None, "not possible")
    reached = predict(one.setting, one.device, one.stage.precision, pinned, one.catalog)
    if not reached.layout.fits:
        return LayoutCell(tensor, pipeline, None, None, "does not fit")
    return LayoutCell(tensor, pipeline, reached.steady_mfu, reached.layout)
