"""What a node draws beside the parts that are metered: from the catalog's constants to the model of the `node` meter.

References
----------
.. [1] data/constants.csv, `rest_...` and `psu_loss_...`: how each follows from node power at the plug.
"""

from __future__ import annotations

from dataclasses import dataclass

from footprint.catalog import Catalog
from footprint.formulas import node
from footprint.values import Accelerator, Assumption, Range

__all__ = ["Shape", "rest_of_node", "shape_of"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of host: what the rest of it is, and the constants that tell its watts."""

    what: str
    loss_id: str
    host_id: str | None = None  # drawn whatever the host carries
    ratio_id: str | None = None  # drawn with each accelerator, over its rating


MODULES = Shape(
    "accelerator modules on a baseboard (SXM, OAM, superchip): fans, link switches, network cards, boards",
    "psu_loss_module_share",
    ratio_id="rest_module_ratio",
)
SERVER = Shape(
    "a server, with cards or without: board, fans, disks, network card",
    "psu_loss_server_share",
    "rest_server_w",
    "rest_server_ratio",
)
WORKSTATION = Shape(
    "cards with fans of their own: board, disks, pump and fans",
    "psu_loss_workstation_share",
    "rest_workstation_w",
    "rest_workstation_ratio",
)
ONE_CHIP = Shape(
    "processor and accelerator are one chip: board, disk, adapter", "psu_loss_workstation_share", "rest_soc_w"
)

CARDS_WITH_FANS = ("rtx-", "gtx-", "rx-", "titan-", "quadro-", "radeon-", "arc-")
CARDS_WITHOUT = "-server"


def shape_of(accelerator: Accelerator | None) -> Shape:
    """The kind of host that carries an accelerator; one without any is a server."""
    if accelerator is None:
        return SERVER
    if accelerator.form_factor in ("SoC", "system"):
        return ONE_CHIP
    if accelerator.form_factor not in ("PCIe", ""):
        return MODULES
    has_fans = accelerator.id.startswith(CARDS_WITH_FANS) and not accelerator.id.endswith(CARDS_WITHOUT)
    return WORKSTATION if has_fans else SERVER


def rest_of_node(
    accelerator: Accelerator | None, accelerator_count: int, catalog: Catalog, host_share: float = 1.0
) -> tuple[Range, Range, tuple[Assumption, ...]]:
    """Watts of a host beside accelerators, processors and memory, and the loss of its power supply.

    The watts are those before the supply; `formulas.node.rest_energy_kwh` puts both together.

    Parameters
    ----------
    accelerator : what it carries; None for a host without any
    accelerator_count : how many of them are mine; the rest that comes with each is counted for these alone
    catalog : for the constants
    host_share : mine of what the host draws whatever it carries: of a virtual machine its share of the sockets
    """
    shape = shape_of(accelerator)
    count, tdp_w = (accelerator_count, accelerator.tdp_w) if accelerator is not None else (0, 0.0)
    host, ratio, loss = (_constant(name, catalog) for name in (shape.host_id, shape.ratio_id, shape.loss_id))
    rest_w = Range(
        node.rest_power_w(host.low * host_share, count, tdp_w, ratio.low),
        node.rest_power_w(host.mid * host_share, count, tdp_w, ratio.mid),
        node.rest_power_w(host.high * host_share, count, tdp_w, ratio.high),
    )
    carried = f"{count} x {accelerator.id}" if accelerator is not None and count else "no accelerator"
    share = f"; {host_share:.3g} of the host" if host_share < 1 else ""
    return (
        rest_w,
        loss,
        (
            Assumption("rest_w", rest_w, "modelled", _sources(shape, catalog), f"{carried}, {shape.what}{share}"),
            Assumption("psu_loss_share", loss, "modelled", _source(shape.loss_id, catalog), shape.what),
        ),
    )


def _constant(name: str | None, catalog: Catalog) -> Range:
    return Range.exactly(0.0) if name is None else catalog.constant(name)


def _source(name: str, catalog: Catalog) -> str:
    return f"constants.csv, {name}: {catalog.constant_row(name)['source']}"


def _sources(shape: Shape, catalog: Catalog) -> str:
    return "; ".join(_source(name, catalog) for name in (shape.host_id, shape.ratio_id) if name)
