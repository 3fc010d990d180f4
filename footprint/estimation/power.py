"""What a stage's accelerators draw: nodes of the catalog, or TDP with the usual node around it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from footprint.catalog import Catalog
from footprint.errors import InputError
from footprint.values import Accelerator, Assumption, Power, Range, Stage

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
    values: dict[str, Told] = {
        **_node_watts(accelerator, node, provider, catalog),
        "network_w": no_network if single else _constant("network_w", catalog),
        "training_load_share": _constant("training_load_share", catalog),
        "stalled_load_share": _constant("stalled_load_share", catalog),
        "tdp_w": (Range.exactly(accelerator.tdp_w), "catalog", accelerator.source, accelerator.provenance),
    }
    values |= {name: (settings[name], "given", "user", "") for name in values if name in settings}
    idle, most = values["idle_node_w"][0], values["max_node_w"][0]
    if idle.high > most.low:
        bound = f"must stay below max_node_w ({most.low:g})"
        raise InputError("idle_node_w", f"{idle.high:g}", bound, "give both watts of one node, per accelerator")
    ledger = [Assumption(f"{stage.name}.{name}", *told) for name, told in values.items()]
    return Power(**{name: told[0] for name, told in values.items()}), ledger


def _node_watts(accelerator: Accelerator, name: str | None, provider: str | None, catalog: Catalog) -> dict[str, Told]:
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


def _middle(values: list[float]) -> Range:
    return Range(min(values), statistics.median(values), max(values))
