"""A rule for MFU: a base for one kind of run, times one measured ratio for each way that a plan differs.

The ratios stand in `data/throughput_rule.csv`, written by `footprint.throughput.calibrate` from measured
configurations and published runs. Floats or arrays of active parameters in, the same out.

References
----------
.. [1] METHODOLOGY.md, section "Hours": the fit, its sources and its errors on sources and organizations
   that it has not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.units import Quantity
from footprint.values import Accelerator, Range

TABLE = "throughput_rule"
TPU = "TPU"
SIXTEEN_BIT = ("bf16", "fp16")
PRECISION_TERMS = {"fp8": ("fp8",), "fp4": ("fp8", "fp4")}
"""The terms that a precision takes: four bits gain on top of eight."""
MATURE_SOFTWARE = 2023
"""First year of runs on fused attention (FlashAttention, arXiv 2205.14135, appeared in May 2022)."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a plan will reach. MFU is over the dense peak of the precision in use."""

    mfu: Range
    goodput: Range
    generation_mfu: Range
    is_measured: bool
    note: str


class Rule:
    """The calibrated ratios, read once."""

    def __init__(self, catalog: Catalog) -> None:
        self._terms = {
            str(row["id"]): Range(float(row["low_ratio"]), float(row["ratio"]), float(row["high_ratio"]))  # type: ignore[arg-type]
            for row in catalog.rows(TABLE)
        }

    def term(self, name: str) -> Range | None:
        """One ratio of the rule, or None where nothing was measured."""
        return self._terms.get(name)

    def known(self, name: str) -> Range:
        """A ratio that the rule cannot do without."""
        return self._terms[name]

    def steady_mfu(self, active_params: Quantity, generation: str, precision: str, moe: Quantity) -> Quantity:
        """Well-tuned MFU over the BF16 (or FP16) dense peak; `active_params` and `moe` may be arrays."""
        params_low, params_high = self.known("params_bound").low, self.known("params_bound").high
        knee = self.known("params_knee").mid
        bounded = _clip(active_params, params_low, params_high)
        decades = _log10(bounded / knee)
        mfu = self.known("base").mid * self.known("params_per_decade").mid ** decades
        mfu = mfu * self.known("params_per_decade_below_knee").mid ** _clip(decades, -math.inf, 0.0)
        names = [f"precision:{p}" for p in PRECISION_TERMS.get(precision, ())]
        for name in (f"generation:{generation}", *names):
            term = self._terms.get(name)
            mfu = mfu * (term.mid if term else 1.0)
        return mfu * self.known("moe").mid ** (moe * 1.0)


def generation_of(accelerator: Accelerator) -> str:
    """The hardware generation under which a device's measurements are grouped."""
    return TPU if accelerator.vendor == "google" else accelerator.generation


def reference_peak(accelerator: Accelerator) -> tuple[str, float]:
    """The 16-bit dense peak that measured MFU is stated over: BF16, else FP16, else FP32."""
    peaks = dict(accelerator.peak_flop_per_s)
    for precision in ("bf16", "fp16", "fp32"):
        if peaks.get(precision):
            return precision, peaks[precision]
    raise InputError("accelerator", accelerator.id, "has no known dense peak", "add its row with --data DIR")


def peak_flop_per_s(accelerator: Accelerator, precision: str) -> float:
    """Dense peak of one device at a precision.

    Raises
    ------
    InputError
        When the device has no such peak.
    """
    peaks = dict(accelerator.peak_flop_per_s)
    if not peaks.get(precision):
        raise InputError(
            "precision", precision, f"{accelerator.id} has no {precision} peak", f"choose one of {', '.join(peaks)}"
        )
    return peaks[precision]


def predict(
    accelerator: Accelerator,
    precision: str,
    active_params: Quantity,
    moe: Quantity,
    year: int | None,
    catalog: Catalog,
) -> tuple[Quantity, Throughput]:
    """MFU of a production run: its mid for `active_params` (array or float) and the ranges around the first value.

    `year` is when it trains; None is now. The mid is the tuned tables' MFU times the share of it that published
    runs reached; the range is how far such estimates were off on organizations not used to make them. A
    precision that was never measured is given the 16-bit MFU of its own peak and a wider range.
    """
    rule = Rule(catalog)
    generation = generation_of(accelerator)
    reference, reference_flop_per_s = reference_peak(accelerator)
    ceiling = rule.known("ceiling").mid
    early = year is not None and year < MATURE_SOFTWARE
    reached = rule.known("production").mid * (rule.known("software_before_2023").mid if early else 1.0)
    mid = rule.steady_mfu(active_params, generation, precision, moe) * reached
    knows_precision = precision in (*SIXTEEN_BIT, *PRECISION_TERMS)
    if knows_precision and reference in SIXTEEN_BIT:
        mid = mid * reference_flop_per_s / peak_flop_per_s(accelerator, precision)
    mid = _clip(mid, 0.0, ceiling)
    first = float(mid if not getattr(mid, "ndim", 0) else mid.flat[0])
    low, high = rule.known("run_error").low, rule.known("run_error").high
    knows_generation = rule.term(f"generation:{generation}") is not None
    note = f"{generation} measured, {precision}" + (f", software of before {MATURE_SOFTWARE}" if early else "")
    if not (knows_generation and knows_precision):
        wider = rule.known("unmeasured_generation")
        low, high = _wider(low, wider.low), _wider(high, wider.high)
        what = f"{precision} on {generation}" if knows_generation else f"{generation} devices"
        note = f"no training throughput of {what} was measured nearby: the range is wider"
    mfu = Range(first * low, first, max(first, min(ceiling, first * high)))
    measured = knows_generation and knows_precision
    return mid, Throughput(mfu, rule.known("goodput"), catalog.constant("generation_mfu"), measured, note)


def _wider(ratio: float, other: float) -> float:
    """Two independent ratios in quadrature on the log scale, keeping the sign of the first."""
    return math.exp(math.copysign(math.hypot(math.log(ratio), math.log(other)), math.log(ratio)))


def _log10(value: Quantity) -> Quantity:
    if getattr(value, "ndim", 0):
        import numpy as np

        return np.log10(value)
    return math.log10(value)


def _clip(value: Quantity, low: float, high: float) -> Quantity:
    return value.clip(low, high) if getattr(value, "ndim", 0) else min(max(value, low), high)
