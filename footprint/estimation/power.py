"""What a stage's accelerators draw: nodes of the catalog, or TDP with the usual node around it, at the load of its MFU.

References
----------
.. [1] METHODOLOGY.md, section "Energy": the fit of `data/power_rule.csv`, its rows and its errors.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from footprint.catalog import Catalog
from footprint.derivation import Derivation, Plain
from footprint.errors import InputError
from footprint.estimation.stages import Work
from footprint.formulas import energy
from footprint.units import Quantity
from footprint.values import Accelerator, Assumption, Power, Range, Stage

TABLE = "power_rule"
GENERATING = ("rl", "synthetic")
"""Kinds that generate token by token."""

Told = tuple[Range, str, str, str]
"""A value, its origin, its source and a note."""


def stage_power(
    stage: Stage,
    accelerator: Accelerator,
    node: str | None,
    provider: str | None,
    settings: Mapping[str, Range],
    catalog: Catalog,
) -> tuple[Power, list[Assumption]]:
    """Watts per accelerator and what was assumed for them.

    Raises
    ------
    UnknownName, InputError
        For a node that the catalog does not know, or that carries another device.
    """
    single = stage.accelerator_count is not None and stage.accelerator_count <= accelerator.per_node
    no_network = (Range.exactly(0.0), "modelled", "constants.csv", "one node: no network outside it")
    told: dict[str, Told] = {
        **node_watts(accelerator, node, provider, catalog),
        "network_w": no_network if single else _constant("network_w", catalog),
        "half_load_mfu": _half_load(accelerator, catalog),
        "generation_load_share": _rule("generation_load_share", catalog),
        "stalled_load_share": _constant("stalled_load_share", catalog),
        "tdp_w": (Range.exactly(accelerator.tdp_w), "catalog", accelerator.source, accelerator.provenance),
    }
    told |= {name: (settings[name], "given", "user", "") for name in told if name in settings}
    idle, most = told["idle_node_w"][0], told["max_node_w"][0]
    if idle.high > most.low:
        bound = f"must stay below max_node_w ({most.low:g})"
        raise InputError("idle_node_w", f"{idle.high:g}", bound, "give both watts of one node, per accelerator")
    load = settings.get("training_load_share")
    if load is not None:
        told["training_load_share"] = load, "given", "user", "in place of the load that follows from the MFU"
    idle_words = {"half_load_mfu", "generation_load_share"} if load is not None else set()
    if stage.kind not in GENERATING:
        idle_words.add("generation_load_share")
    values = {name: Range.exactly(one[0].mid) if name in idle_words else one[0] for name, one in told.items()}
    ledger = [Assumption(f"{stage.name}.{name}", *one) for name, one in told.items() if name not in idle_words]
    if stage.training_flop is None and (stage.tokens is None or stage.params is None) and load is None:
        note = "its work is not known: the MFU that such a stage usually reaches gives its load"
        ledger.append(Assumption(f"{stage.name}.load_mfu", stage.mfu, "modelled", "throughput_rule.csv", note))
    given = values.pop("training_load_share", None)
    return Power(training_load_share=given, **values), ledger


def accelerator_power_w(
    stage: Stage, power: Power, done: Work | None, implied_mfu: Quantity, calculate: Derivation | Plain, part: str
) -> Quantity:
    """Watts per accelerator of a drawn stage; `implied_mfu` is that of known hours, None where they are modelled."""
    load = calculate(
        energy.load_share,
        part=part,
        goodput=stage.goodput,
        training_load_share=_busy_load(stage, power, done, implied_mfu, calculate, part),
        stalled_load_share=power.stalled_load_share,
    )
    return calculate(
        energy.accelerator_power_w,
        part=part,
        idle_node_w=power.idle_node_w,
        max_node_w=power.max_node_w,
        load_share=load,
        network_w=power.network_w,
    )


def _busy_load(
    stage: Stage, power: Power, done: Work | None, implied_mfu: Quantity, calculate: Derivation | Plain, part: str
) -> Quantity:
    """Load while no time is lost: given, or from the MFU; generation has a load of its own."""
    if power.training_load_share is not None:
        return power.training_load_share
    if stage.kind == "synthetic":
        return power.generation_load_share
    mfu: Quantity = stage.mfu
    if implied_mfu is not None:
        mfu = calculate(energy.useful_mfu, part=part, implied_mfu=implied_mfu, goodput=stage.goodput)
    training = calculate(energy.training_load_share, part=part, mfu=mfu, half_load_mfu=power.half_load_mfu)
    if stage.kind not in GENERATING or done is None or stage.training_flop is not None:
        return training
    generating = calculate(
        energy.generating_share,
        part=part,
        dense_flop=done.dense_flop,
        generation_flop=done.generation_flop,
        mfu=stage.mfu,
        generation_mfu=stage.generation_mfu,
    )
    return calculate(
        energy.mixed_load_share,
        part=part,
        generating_share=generating,
        training_load_share=training,
        generation_load_share=power.generation_load_share,
    )


def node_watts(accelerator: Accelerator, name: str | None, provider: str | None, catalog: Catalog) -> dict[str, Told]:
    """Idle and maximum power of a node, shared out over its accelerators: the named, the provider's, or all nodes."""
    nodes = [catalog.node(name)] if name else list(catalog.nodes_for(accelerator.id, provider))
    if name and nodes[0].accelerator != accelerator.id:
        fix = "see: footprint catalog nodes"
        raise InputError("node", name, f"carries {nodes[0].accelerator}, not {accelerator.id}", fix)
    nodes = [n for n in nodes or catalog.nodes_for(accelerator.id) if n.max_w]
    if nodes:
        note = f"{len(nodes)} nodes with {accelerator.id}, per accelerator"
        idle_w = _middle([n.idle_w / n.accelerator_count for n in nodes])
        max_w = _middle([n.max_w / n.accelerator_count for n in nodes])
        return {
            "idle_node_w": (idle_w, "catalog", "nodes.csv", note),
            "max_node_w": (max_w, "catalog", "nodes.csv", note),
        }
    ratio, share = catalog.constant("node_ratio"), catalog.constant("node_idle_share")
    most = Range(*(accelerator.tdp_w * r for r in (ratio.low, ratio.mid, ratio.high)))
    idle = Range(*(most.mid * s for s in (share.low, share.mid, share.high)))
    note = f"no node with {accelerator.id} is known: TDP times the usual node ratio"
    return {
        "idle_node_w": (idle, "modelled", "constants.csv", note),
        "max_node_w": (most, "modelled", "constants.csv", note),
    }


def _constant(name: str, catalog: Catalog) -> Told:
    row = catalog.constant_row(name)
    return catalog.constant(name), "default", str(row["source"]), str(row["note"] or "")


def _rule(name: str, catalog: Catalog) -> Told:
    row = next(row for row in catalog.rows(TABLE) if row["id"] == name)
    value = Range(float(row["low"] or 0), float(row["mid"] or 0), float(row["high"] or 0))
    return value, "modelled", f"{TABLE}.csv", str(row["note"] or "")


def _half_load(accelerator: Accelerator, catalog: Catalog) -> Told:
    """The MFU of half load; wider for a generation of which no power was measured at a known MFU."""
    value, origin, source, note = _rule("half_load_mfu", catalog)
    if any(row["id"] == f"generation:{accelerator.generation}" for row in catalog.rows(TABLE)):
        return value, origin, source, f"training load = MFU / (MFU + this); {note}"
    wider = math.log(_rule("unmeasured_generation_ratio", catalog)[0].high)
    low, high = (math.hypot(math.log(end / value.mid), wider) for end in (value.low, value.high))
    value = Range(value.mid * math.exp(-low), value.mid, value.mid * math.exp(high))
    note = f"no power of {accelerator.generation} devices was measured at a known MFU: the range is wider"
    return value, origin, source, f"training load = MFU / (MFU + this); {note}"


def _middle(values: list[float]) -> Range:
    return Range(min(values), statistics.median(values), max(values))
