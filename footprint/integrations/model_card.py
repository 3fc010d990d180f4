"""`co2_eq_emissions` in the front matter of a model card. Its unit there is grams, not kilograms."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from footprint.units import G_PER_KG
from footprint.values import Run

KEY = "co2_eq_emissions"


def co2_eq_emissions(run: Run, training_type: str | None = None) -> dict[str, Any]:
    """The block of the card: operational, location-based, PUE included; the making of the hardware is not in it."""
    carbon = run.footprint.facility.operational_location_kgco2e
    names = Counter(usage.meter.name for usage in run.meters if usage.meter.component == "accelerator")
    low, high = (f"{value * G_PER_KG:.4g}" for value in (carbon.low, carbon.high))
    block: dict[str, Any] = {
        "emissions": float(f"{carbon.mid * G_PER_KG:.6g}"),
        "source": f"footprint {run.version}, measured energy x PUE x grid intensity, 90 % interval {low} to {high} g",
        "training_type": training_type,
        "geographical_location": run.footprint.site.region or run.footprint.site.zone,
        "hardware_used": ", ".join(f"{count} x {name}" for name, count in names.items()) or None,
    }
    return {key: value for key, value in block.items() if value is not None}


def write(card: Path, run: Run, training_type: str | None = None) -> str:
    """Put the block into a card that exists; its other metadata and its text stay. Returns what went wrong, or ''."""
    import yaml

    try:
        from huggingface_hub import metadata_load, metadata_save
    except ImportError:
        return f"{KEY} needs huggingface_hub"
    try:
        metadata = metadata_load(card) or {}
        metadata_save(card, {**metadata, KEY: co2_eq_emissions(run, training_type)})
    except (OSError, ValueError, yaml.YAMLError) as error:
        return f"{KEY} could not be written ({error})"
    return ""
