"""How a model is spread over devices, in words: the layout that was found or fixed, and where a step's time goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from footprint.report.wording import plain, show_range
from footprint.values import Footprint, Layout, Sensitivity, Stage

_PARTS = (
    ("tensor", "tp"), ("pipeline", "pp"), ("context", "cp"), ("expert", "ep"), ("data", "dp"),
)  # fmt: skip
_TIMES = {"gradients": "gradients and update", "waiting": "bubble and waiting"}
_LEAST_SHARE = 0.01


def main_layout(footprint: Footprint) -> str:
    """The layout of the stage with the most hours, in one line; empty where none was searched."""
    hours = {line.name: line.accelerator_hours.mid for line in footprint.usage.lines}
    stages = [s for s in (footprint.plan.stages if footprint.plan else ()) if s.layout is not None]
    main = max(stages, key=lambda stage: hours.get(stage.name, 0.0), default=None)
    return "" if main is None or main.layout is None or footprint.parts else in_words(main.layout)


def in_words(layout: Layout) -> str:
    """A layout as people write it: tp 8 · pp 16 x 4 · dp 128 · ZeRO 1 · 16 x 1 sequences · 69 GiB."""
    sizes = [
        f"{short} {value}{_chunks(layout, name)}"
        for name, short in _PARTS
        if (value := getattr(layout, name)) > 1 or name == "data"
    ]
    if layout.recomputed_share >= 1:
        recomputed = ["all recomputed"]
    else:
        recomputed = [f"{layout.recomputed_share:.0%} recomputed"] if layout.recomputed_share > 0 else []
    batches = f"{layout.micro_batches} x {layout.micro_batch} sequences"
    return " · ".join((*sizes, f"ZeRO {layout.zero_stage}", batches, *recomputed, f"{layout.memory_gb:.0f} GiB"))


def _chunks(layout: Layout, name: str) -> str:
    """How often a pipeline stage interleaves."""
    return f" x {layout.chunks}" if name == "pipeline" and layout.chunks > 1 else ""


def layout_lines(footprint: Footprint) -> list[str]:
    """Layout, steady MFU and time of a step for every stage that has them."""
    lines: list[str] = []
    for stage in footprint.plan.stages if footprint.plan else ():
        lines += _stage(stage)
    return lines


def _stage(stage: Stage) -> list[str]:
    if stage.layout is None:
        return []
    name, words, mfu, step, told = stage_words(stage)
    return [f"  {name}: {words}", f"      steady MFU {mfu}, {step} a step: {told}"]


def stage_words(stage: Stage) -> tuple[str, str, str, str, str]:
    """Name, layout, steady MFU, time of a step and where it goes, of a stage that has a layout."""
    layout = stage.layout
    assert layout is not None
    shares = sorted(layout.time_shares, key=lambda pair: -pair[1])
    told = ", ".join(f"{_TIMES.get(name, name)} {share:.0%}" for name, share in shares if share >= _LEAST_SHARE)
    words = in_words(layout) + ("" if layout.fits else " (does not fit)")
    return plain(stage.name), words, show_range("mfu", stage.steady_mfu), f"{layout.step_s:.3g} s", told


_ADVICE = {
    "mfu": "time a short run on your cluster and give it to `footprint calibrate`",
    "goodput": "take it from the logs of an earlier long run",
    "pue": "ask the facility for its PUE",
    "location_intensity_g_per_kwh": "name the region or zone",
    "tokens": "fix the tokens",
    "params": "fix the architecture (--config)",
}
"""What a user can measure or say to narrow an input."""


def to_narrow(movers: Sequence[Sensitivity]) -> str:
    """Which input's measurement would narrow the range most, and by how much of its square on the log scale."""
    squares = {s.field: _square(s) for s in movers}
    field = max(squares, key=lambda name: squares[name])
    share = squares[field] / sum(squares.values())
    name = field.rsplit(".", 1)[-1]
    advice = _ADVICE.get(name, f"give it with --set {name}=LOW:MID:HIGH")
    return f"{share:.0%} of the range's square is {field}: {advice}"


def _square(sensitivity: Sensitivity) -> float:
    low, high = sensitivity.output_at_low_ratio, sensitivity.output_at_high_ratio
    return math.log(high / low) ** 2 if low > 0 and high > 0 else 0.0
