"""What MFU and goodput a plan will reach: its fastest layout, calibrated on measured and published runs.

The constants stand in `data/throughput_rule.csv`, written by `footprint.throughput.calibrate`.

References
----------
.. [1] METHODOLOGY.md, section "Hours": the equations, the fit, its sources and its errors on sources and
   organizations that it has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from footprint.catalog import Catalog
from footprint.catalog.peaks import SIXTEEN_BIT, generation_of, peak_flop_per_s, reference_peak
from footprint.throughput.fitting import Fit
from footprint.throughput.layouts import fastest, fastest_of_many
from footprint.throughput.setting import LOW_PRECISIONS, Setting, ceiling_share
from footprint.throughput.steady import MATURE_SOFTWARE, Constants, Layouts, micro_batches, replicas, step_parts
from footprint.throughput.whole_run import KEPT_TERMS, SizedErrors, goodput_ends, kept_exponents
from footprint.units import BYTES_PER_GIB, Quantity
from footprint.values import Accelerator, Layout, Range

TABLE = "throughput_rule"
FAR = 2
"""Beyond the measured by this factor a prediction is no longer near a measurement."""
DENSE, MIXTURE, EARLY = "dense", "moe", "early"
"""Which range of steady throughput holds: early is before mature software, whatever the model."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a plan will reach. MFU is over the dense peak of the precision in use."""

    mfu: Range  # while it trains, over a whole run: what practice keeps of `steady_mfu`
    goodput: Range
    generation_mfu: Range
    steady_mfu: Range  # well tuned, while nothing fails
    layout: Layout
    is_measured: bool
    note: str


class Rule:
    """The calibrated constants, read once."""

    def __init__(self, catalog: Catalog) -> None:
        self._terms = {
            str(row["id"]): Range(float(row["low_ratio"]), float(row["ratio"]), float(row["high_ratio"]))  # type: ignore[arg-type]
            for row in catalog.rows(TABLE)
        }
        self.constants = Constants(*(self._terms[field.name].mid for field in fields(Constants)))

    def term(self, name: str) -> Range | None:
        """One ratio of the rule, or None where nothing was measured."""
        return self._terms.get(name)

    def known(self, name: str) -> Range:
        """A ratio that the rule cannot do without."""
        return self._terms[name]

    def generation_ratio(self, accelerator: Accelerator) -> float:
        """How a generation fares against its ceiling; 1 where nothing was measured."""
        term = self._terms.get(f"generation:{generation_of(accelerator)}")
        return term.mid if term else 1.0

    def kept(self, setting: Setting) -> Quantity:
        """What published runs kept of steady throughput beside failures, all of it at most: shape (settings,)."""
        ratios = np.array([self.known(name).mid for name in KEPT_TERMS])
        kept = self.known("production").mid * np.prod(ratios ** kept_exponents(setting), axis=1)
        return np.minimum(kept, 1.0)

    def run_errors(self) -> SizedErrors:
        """Ends of the whole-run error by size."""
        small, large = self.known("run_error:small"), self.known("run_error:large")
        return SizedErrors(small, large, self.known("small_params").mid, self.known("large_params").mid)

    def steady(self) -> Fit:
        """The calibrated steady layer."""
        prefix = "generation:"
        ratios = {name.removeprefix(prefix): term.mid for name, term in self._terms.items() if name.startswith(prefix)}
        return Fit(self.constants, ratios, {}, ())


@lru_cache(maxsize=8)
def rule_of(catalog: Catalog) -> Rule:
    """The rule of a catalog."""
    return Rule(catalog)


def predict(
    setting: Setting, accelerator: Accelerator, precision: str, fixed: Mapping[str, float], catalog: Catalog
) -> Throughput:
    """MFU, goodput and layout of a run, each with its range.

    The mid MFU is that of the fastest layout times the share that published runs kept of it. The range is how far
    such estimates were off on organizations not used to make them; wider for a precision or a generation that was
    never measured.

    Parameters
    ----------
    setting : of floats
    accelerator, precision : what `setting.hardware` was made from
    fixed : parts of the layout that are given, by the names of `steady.Layouts`
    catalog : with the calibrated constants
    """
    rule = rule_of(catalog)
    layout, reached = _searched(setting, tuple(sorted(fixed.items())), catalog)
    steady = reached * rule.known("found_layout").mid * _over_own_peak(accelerator, precision)
    ceiling = ceiling_share(accelerator, catalog)
    early = setting.software_year < MATURE_SOFTWARE
    kind = EARLY if early else MIXTURE if setting.shape.n_experts > 1 else DENSE
    steady_error = rule.known(f"steady_error:{kind}")
    run_error = rule.run_errors().at(float(setting.shape.matmul_params))
    knows_generation = rule.term(f"generation:{generation_of(accelerator)}") is not None
    knows_precision = precision in (*SIXTEEN_BIT, *LOW_PRECISIONS)
    what = f"{generation_of(accelerator)} measured, {precision}" + (f", before {MATURE_SOFTWARE}" if early else "")
    far = ""
    if not (knows_generation and knows_precision):
        unknown = f"{precision} on {generation_of(accelerator)}" if knows_generation else generation_of(accelerator)
        far = f"no training throughput of {unknown} devices"
    else:
        far = _outside(setting, rule)
    if far:
        wider = rule.known("unmeasured_generation")
        steady_error, run_error = _wider(steady_error, wider), _wider(run_error, wider)
        what = f"{far} was measured nearby: the range is wider"
    low, mid, high = goodput_ends(setting.accelerator_count, catalog)
    return Throughput(
        mfu=_ranged(steady * float(rule.kept(setting)[0]), run_error, ceiling),
        goodput=Range(float(low), float(mid), float(high)),
        generation_mfu=catalog.constant("generation_mfu"),
        steady_mfu=_ranged(steady, steady_error, ceiling),
        layout=layout,
        is_measured=not far,
        note=what,
    )


def predict_many(
    setting: Setting, accelerator: Accelerator, precision: str, fixed: Mapping[str, float], catalog: Catalog
) -> Quantity:
    """Mid MFU of many settings at once (arrays of one length), each on its fastest layout."""
    rule = rule_of(catalog)
    reached = fastest_of_many(setting, fixed, catalog.constant("usable_memory_share").mid, rule.constants)
    steady = reached * rule.known("found_layout").mid * _over_own_peak(accelerator, precision)
    return np.minimum(steady, ceiling_share(accelerator, catalog)) * rule.kept(setting)


@lru_cache(maxsize=4096)
def _searched(setting: Setting, fixed: tuple[tuple[str, float], ...], catalog: Catalog) -> tuple[Layout, float]:
    """The fastest layout of a setting, with where its time goes, and its MFU over the 16-bit peak."""
    usable, constants = catalog.constant("usable_memory_share").mid, rule_of(catalog).constants
    layouts, reached, taken, fits = fastest(setting, dict(fixed), usable, constants)
    return _layout(setting, layouts, constants, taken, fits), reached


def _over_own_peak(accelerator: Accelerator, precision: str) -> float:
    """From the 16-bit peak, over which throughput is measured, to that of the precision in use."""
    reference, reference_flop_per_s = reference_peak(accelerator)
    if precision == reference or reference not in SIXTEEN_BIT:
        return 1.0
    return reference_flop_per_s / peak_flop_per_s(accelerator, precision)


def _ranged(mid: float, error: Range, ceiling: float) -> Range:
    mid = min(mid, ceiling)
    return Range(mid * error.low, mid, max(mid, min(ceiling, mid * error.high)))


def _outside(setting: Setting, rule: Rule) -> str:
    """The first quantity of a setting that lies far outside what was measured, in words; empty where none does."""
    each = setting.global_batch_tokens / setting.accelerator_count
    found = (
        ("accelerator_count", setting.accelerator_count, False, "training on {:,.0f} accelerators"),
        ("params", setting.shape.params, False, "training of a model of {:.3g} parameters"),
        ("params", setting.shape.params, True, "training of a model of {:.3g} parameters"),
        ("seq_len", setting.shape.seq_len, False, "training at a length of {:,.0f} tokens"),
        ("tokens_per_accelerator", each, True, "training with {:.3g} tokens a step and accelerator"),
    )
    for name, value, at_least, words in found:
        bound = rule.known(f"measured:{name}")
        if value < bound.low / FAR if at_least else value > bound.high * FAR:
            return "no " + words.format(value)
    return ""


def _wider(error: Range, other: Range) -> Range:
    """Two independent ratios in quadrature on the log scale, end by end."""
    low = math.exp(-math.hypot(math.log(error.low), math.log(other.low)))
    return Range(low, 1.0, math.exp(math.hypot(math.log(error.high), math.log(other.high))))


def _layout(setting: Setting, layouts: Layouts, constants: Constants, taken: float, fits: bool) -> Layout:
    """A found layout as a value, with where its time goes."""
    one = {field.name: float(getattr(layouts, field.name)[0]) for field in fields(layouts)}
    parts = {name: float(np.ravel(value)[0]) for name, value in step_parts(setting, layouts, constants).items()}
    whole = sum(parts.values())
    whole_numbers = {name: int(value) for name, value in one.items() if name != "recomputed_share"}
    return Layout(
        **whole_numbers,
        recomputed_share=one["recomputed_share"],
        data=int(np.ravel(replicas(setting, layouts))[0]),
        micro_batches=max(1, round(float(np.ravel(micro_batches(setting, layouts))[0]))),
        memory_gb=taken / BYTES_PER_GIB,
        fits=fits,
        step_s=whole,
        time_shares=tuple((name, value / whole) for name, value in parts.items()),
    )
