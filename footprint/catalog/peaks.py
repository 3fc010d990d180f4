"""Dense peaks of devices, and the generation under which their measurements are grouped."""

from __future__ import annotations

from footprint.errors import InputError
from footprint.values import Accelerator

TPU = "TPU"
SIXTEEN_BIT = ("bf16", "fp16")


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
