"""The meter that a device of a past job is: its limits and its sensor's error, as far as its model's name tells."""

from __future__ import annotations

from footprint.catalog import Catalog
from footprint.errors import InputError, UnknownName
from footprint.fleet.devices import Device
from footprint.values import Accelerator, Meter, Range

__all__ = ["RATING", "SACCT", "SENSOR", "accelerator_of", "meter_of", "modelled_meter"]

SENSOR = "prometheus"
SACCT, RATING = "sacct", "rating"
"""Where nothing was read: what SLURM's accounting says, or hours and a rating alone."""
_A100_KIND = ("a100", "a30-", "a800")
_OTHER, _AMD = "nvidia-other", "amd"


def accelerator_of(model: str, catalog: Catalog) -> Accelerator | None:
    """The catalog's record, None for a name that it does not know."""
    try:
        return catalog.accelerator(model)
    except (UnknownName, InputError):
        return None


def meter_of(device: Device, has_counter: bool, power: str, catalog: Catalog) -> Meter:
    """A device that was measured."""
    known = accelerator_of(device.model, catalog)
    metric = device.family.counter if has_counter else power
    return Meter(
        id=device.uuid,
        component="accelerator",
        name=device.model,
        sensor=SENSOR,
        scope="gpu",
        origin="measured",
        source=f"{device.family.name}, {metric}",
        has_counter=has_counter,
        window_s=0.0,
        idle_w=None if known is None else known.idle_w,
        max_w=None if known is None or not known.tdp_w else known.tdp_w,
        true_over_read_ratio=_band(known, catalog),
    )


def modelled_meter(device: Device, source: str, band: Range, catalog: Catalog) -> Meter:
    """A device whose energy follows from what it was used for."""
    known = accelerator_of(device.model, catalog)
    return Meter(
        id=device.uuid, component="accelerator", name=device.model, sensor=SENSOR, scope="gpu", origin="modelled",
        source=source, max_w=None if known is None else known.tdp_w, true_over_read_ratio=band,
    )  # fmt: skip


def _band(known: Accelerator | None, catalog: Catalog) -> Range:
    """True over read energy, by architecture."""
    rows = {str(row["id"]): row for row in catalog.rows("sensors")}
    name = _OTHER
    if known is not None:
        name = _AMD if known.vendor == "amd" else known.generation.casefold().split(" ")[0]
        name = "ga100" if known.id.startswith(_A100_KIND) else name
    row = rows.get(name) or rows[_OTHER]
    low, mid, high = (float(row[f"true_over_read{end}_ratio"] or 1) for end in ("_low", "", "_high"))
    return Range(low, mid, high)
