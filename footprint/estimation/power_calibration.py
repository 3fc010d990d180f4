"""Fits the power rule and prints how wrong it is: `python -m footprint.estimation.power_calibration [--write FILE]`.

One constant: the MFU at which a node draws halfway between idle and maximum, so that the load while training is
MFU / (MFU + constant). It is the weighted geometric mean over the node logs of `data/power.csv` whose MFU is known,
each weighted by 1/sqrt(the rows of its system), validated by leaving systems out. Generation has the measured load
of inference nodes. Published runs on other generations, measured by their makers, take no part in the fit: they
say how much wider the range is where nothing was measured at a known MFU.

References
----------
.. [1] METHODOLOGY.md, section "Energy".
"""

from __future__ import annotations

import csv
import itertools
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from footprint.catalog import Catalog, open_catalog
from footprint.catalog.schema import Row
from footprint.estimation.power import node_watts
from footprint.formulas import energy
from footprint.units import W_PER_KW
from footprint.values import Accelerator, Range

LOW_SHARE, HIGH_SHARE = 0.05, 0.95
LEAST_LOAD, MOST_LOAD = 0.02, 0.98
"""Measured loads outside count as these: no MFU of half load would explain them."""
AS_OF = "2026-11-23"


@dataclass(frozen=True, slots=True)
class Reading:
    """A node, or a node's share, at work: measured watts per accelerator beside idle and maximum of its node."""

    label: str
    group: str
    device: str
    generation: str
    mfu: float
    goodput: float
    measured_w: float
    idle_w: Range
    max_w: Range
    stalled_share: float = 0.0

    def half_load_mfu(self) -> float:
        """The one value of the constant that would give the measured watts."""
        load = (self.measured_w - self.idle_w.mid) / (self.max_w.mid - self.idle_w.mid)
        load = (load - (1 - self.goodput) * self.stalled_share) / self.goodput
        load = min(max(load, LEAST_LOAD), MOST_LOAD)
        return self.mfu * (1 - load) / load

    def watts(self, half_load_mfu: float, idle_w: float | None = None, max_w: float | None = None) -> float:
        """What the rule gives with a value of the constant; no network outside the node."""
        training = energy.training_load_share(self.mfu, half_load_mfu)
        load = energy.load_share(self.goodput, training, self.stalled_share)
        idle, most = idle_w or self.idle_w.mid, max_w or self.max_w.mid
        return float(energy.accelerator_power_w(idle, most, load, 0.0))


def node_readings(catalog: Catalog) -> list[Reading]:
    """Logged training nodes whose MFU is known."""
    return [
        _reading(
            catalog.accelerator(str(row["accelerator"])),
            catalog,
            label=f"{row['system']}, {row['workload']}",
            group=str(row["system"]).split(" x")[0],
            mfu=float(row["mfu"] or 0),
            measured_w=float(row["mean_w"] or 0) / float(row["accelerator_count"] or 1),
        )
        for row in catalog.rows("power")
        if row["scope"] == "node" and row["activity"] == "training" and row["mfu"]
    ]


def run_readings(catalog: Catalog) -> list[Reading]:
    """Published runs whose makers measured the power of the system, with their MFU."""
    with_tdp = {str(row["id"]) for row in catalog.rows("accelerators") if row["tdp_w"] is not None}
    shares = {str(row["id"]): row["mean_w"] for row in catalog.rows("power") if row["scope"] == "node_share"}
    found = []
    for row in catalog.rows("runs"):
        measured = row["energy_basis"] == "measured" and row["energy_boundary"] == "system_x_pue"
        watts = shares.get(str(row["id"])) or _mean_w(row)
        if measured and row["tier"] in ("A", "B") and watts and _steady_mfu(row) and row["accelerator"] in with_tdp:
            device = catalog.accelerator(str(row["accelerator"]))
            found.append(
                _reading(
                    device,
                    catalog,
                    label=str(row["id"]),
                    group=str(row["organization"]),
                    mfu=_steady_mfu(row),
                    goodput=_goodput(row),
                    measured_w=float(watts),
                )
            )
    return found


def _mean_w(row: Row) -> float | None:
    """Energy over hours and PUE; None where one of them is not stated."""
    energy_kwh, hours, pue = row["reported_energy_kwh"], row["accelerator_hours"], row["reported_pue"]
    if not (energy_kwh and hours and pue):
        return None
    return float(energy_kwh) * W_PER_KW / float(hours) / float(pue)


def _steady_mfu(row: Row) -> float:
    return float(row["reported_mfu"] or row["implied_causal_mfu"] or 0.0)


def _goodput(row: Row) -> float:
    """Whole-run MFU over the steady one where both are stated on one convention; 1 where only one is known."""
    whole = row["implied_causal_mfu"]
    return min(1.0, float(whole) / _steady_mfu(row)) if whole else 1.0


def _reading(
    device: Accelerator,
    catalog: Catalog,
    *,
    label: str,
    group: str,
    mfu: float,
    measured_w: float,
    goodput: float = 1.0,
) -> Reading:
    node = node_watts(device, None, None, catalog)
    stalled = catalog.constant("stalled_load_share").mid
    idle, most = node["idle_node_w"][0], node["max_node_w"][0]
    return Reading(label, group, device.id, device.generation, mfu, goodput, measured_w, idle, most, stalled)


def weights(readings: Sequence[Reading]) -> list[float]:
    """1/sqrt(the readings of a group): a group with many counts for more than one with few, but not in proportion."""
    groups = [reading.group for reading in readings]
    return [groups.count(group) ** -0.5 for group in groups]


def fit(readings: Sequence[Reading]) -> float:
    """The constant: weighted geometric mean of what each reading asks for."""
    heavy = weights(readings)
    logs = [math.log(reading.half_load_mfu()) for reading in readings]
    return math.exp(sum(w * x for w, x in zip(heavy, logs, strict=True)) / sum(heavy))


def quantile(values: Sequence[float], weight: Sequence[float], share: float) -> float:
    """Weighted quantile, interpolated between the middles of the weights."""
    pairs = sorted(zip(values, weight, strict=True))
    total, before = sum(weight), 0.0
    places: list[tuple[float, float]] = []
    for value, one in pairs:
        places.append(((before + one / 2) / total, value))
        before += one
    if share <= places[0][0]:
        return places[0][1]
    for (left, low), (right, high) in itertools.pairwise(places):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return places[-1][1]


def unseen(readings: Sequence[Reading], key: Callable[[Reading], str]) -> list[tuple[Reading, float]]:
    """Every reading beside the constant fitted without those that share its key."""
    return [(one, fit([r for r in readings if key(r) != key(one)])) for one in readings]


def half_load_range(readings: Sequence[Reading]) -> Range:
    """The fit, and how far it was off on systems that it had not seen."""
    mid = fit(readings)
    logs = [math.log(one.half_load_mfu() / without) for one, without in unseen(readings, lambda r: r.group)]
    low, high = (quantile(logs, weights(readings), share) for share in (LOW_SHARE, HIGH_SHARE))
    return Range(mid * math.exp(min(low, 0.0)), mid, mid * math.exp(max(high, 0.0)))


def generation_range(catalog: Catalog) -> tuple[Range, int]:
    """Load of inference nodes serving language models, and of how many rows."""
    loads = []
    for row in catalog.rows("power"):
        if row["scope"] == "node" and row["activity"] == "inference" and row["mean_w"]:
            node = node_watts(catalog.accelerator(str(row["accelerator"])), None, None, catalog)
            idle, most = node["idle_node_w"][0].mid, node["max_node_w"][0].mid
            loads.append((float(row["mean_w"]) / float(row["accelerator_count"] or 1) - idle) / (most - idle))
    ones = [1.0] * len(loads)
    low, high = (quantile(loads, ones, share) for share in (LOW_SHARE, HIGH_SHARE))
    return Range(low, statistics.median(loads), high), len(loads)


def unmeasured_ratio(catalog: Catalog, mid: float) -> tuple[float, int]:
    """Root mean square, over devices of other generations, of how far their runs ask for another constant; runs."""
    measured = {reading.generation for reading in node_readings(catalog)}
    others: dict[str, list[float]] = {}
    for reading in run_readings(catalog):
        if reading.generation not in measured:
            others.setdefault(reading.device, []).append(math.log(reading.half_load_mfu() / mid))
    means = [statistics.mean(logs) for logs in others.values()]
    spread = math.sqrt(statistics.mean(mean**2 for mean in means))
    return math.exp(spread), sum(len(logs) for logs in others.values())


def calibrate(catalog: Catalog) -> tuple[list[dict[str, str]], list[str]]:
    """The rule's rows, and the cross-validation as lines of text."""
    readings = node_readings(catalog)
    half = half_load_range(readings)
    generation, inference_rows = generation_range(catalog)
    wider, runs = unmeasured_ratio(catalog, half.mid)
    systems = len({r.group for r in readings})
    note = f"{len(readings)} node logs of {systems} systems, MFU {_span(readings)}"
    rows = [
        _row("half_load_mfu", half, note, "power.csv;nodes.csv"),
        *(
            _row(f"generation:{name}", Range.exactly(1.0), "measured at a known MFU", "power.csv")
            for name in sorted({r.generation for r in readings})
        ),
        _row(
            "generation_load_share",
            generation,
            f"{inference_rows} node readings while language models were served",
            "power.csv;nodes.csv",
        ),
        _row(
            "unmeasured_generation_ratio",
            Range(1 / wider, 1.0, wider),
            f"{runs} published runs on other generations, power measured by their makers",
            "runs.csv;nodes.csv;constants.csv",
        ),
    ]
    return rows, _report(catalog, readings, half)


def _report(catalog: Catalog, readings: Sequence[Reading], half: Range) -> list[str]:
    lines = []
    for kind, key in (("systems", lambda r: r.group), ("logs", lambda r: r.label)):
        errors = sorted(_error(one, without) for one, without in unseen(readings, key))
        p90 = quantile(errors, [1.0] * len(errors), 0.9)
        lines.append(
            f"watts, unseen {kind} ({len(readings)} node logs of {len({r.group for r in readings})} systems): "
            f"median {statistics.median(errors):.1%}, 90th percentile {p90:.1%}"
        )
    inside = sum(r.watts(half.high) <= r.measured_w <= r.watts(half.low) for r in readings)
    lines.append(f"inside the 90 % interval of the constant: {inside} of {len(readings)} node logs")
    lines += [_line(one, half) for one in readings]
    lines.append("published runs, not in the fit:")
    lines += [_line(one, half) for one in run_readings(catalog)]
    return lines


def _line(one: Reading, half: Range) -> str:
    watts = one.watts(half.mid)
    return f"  {one.label:<52} MFU {one.mfu:.3f}  measured {one.measured_w:5.0f} W  rule {watts:5.0f} W  " + (
        f"x {watts / one.measured_w:.2f}"
    )


def _error(one: Reading, half_load_mfu: float) -> float:
    ratio = one.watts(half_load_mfu) / one.measured_w
    return max(ratio, 1 / ratio) - 1


def _span(readings: Sequence[Reading]) -> str:
    return " to ".join(f"{end:.2f}" for end in (min(r.mfu for r in readings), max(r.mfu for r in readings)))


def _row(name: str, value: Range, note: str, source: str) -> dict[str, str]:
    return {
        "id": name,
        **{end: f"{getattr(value, end):.4g}" for end in ("low", "mid", "high")},
        "note": note,
        "provenance": "derived",
        "source": source,
        "as_of": AS_OF,
    }


def main(arguments: Sequence[str]) -> int:
    """Print the cross-validation; with `--write FILE`, write the rule."""
    rows, report = calibrate(open_catalog(None))
    for line in report:
        print(line)
    for row in rows:
        print(f"  {row['id']:<28} {row['low']:>8} {row['mid']:>8} {row['high']:>8}  {row['note']}")
    if len(arguments) == 2 and arguments[0] == "--write":
        with Path(arguments[1]).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
