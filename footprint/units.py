"""The only place where units are converted, read and printed.

Amounts inside the package are kWh, kg, litres, hours, US dollars, FLOP; grids are g/kWh.
A field's name ends in its unit (`UNITS`) or is a dimensionless word (`WORDS`).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from numbers import Real
from typing import Any, TypeAlias

from footprint.errors import InputError

Quantity: TypeAlias = Any
"""A float, or a numpy array of floats: formulas return what they are given."""

G_PER_KG = 1000.0
W_PER_KW = 1000.0
S_PER_H = 3600.0
S_PER_MINUTE = 60.0
H_PER_DAY = 24.0
H_PER_YEAR = 8760.0
J_PER_KWH = 3.6e6
J_PER_UJ = 1e-6
W_PER_UW = 1e-6
S_PER_US = 1e-6
S_PER_NS = 1e-9
FLOP_PER_TFLOP = 1e12
BYTES_PER_KIB = 2.0**10
BYTES_PER_GIB = 2.0**30
BYTES_PER_GB = 1e9
BYTES_PER_MB = 1e6
BITS_PER_BYTE = 8
PERCENT_PER_SHARE = 100.0
MILLIWATTS_PER_W = 1000.0
MILLIJOULES_PER_J = 1000.0
MILLISECONDS_PER_S = 1000.0
MICROSECONDS_PER_S = 1e6
MICROWATTS_PER_W = 1e6
MICROJOULES_PER_J = 1e6
MICROJOULES_PER_MJ = 1000

UNITS = (
    "_kgco2e_per_token", "_kgco2e_per_flop",
    "_g_per_kwh", "_l_per_kwh", "_usd_per_kwh", "_usd_per_h",
    "_w_per_gb", "_gb_per_s", "_tflop_per_s", "_top_per_s", "_flop_per_s", "_tokens_per_s", "_gbit_per_s",
    "_kwh", "_kgco2e", "_flop", "_hours", "_usd", "_gb", "_bytes", "_s", "_h", "_w", "_j", "_l",
)  # fmt: skip
WORDS = ("mfu", "hfu", "pue", "goodput", "utilization", "share", "count", "params", "tokens", "ratio")

_SCALE = {
    "": 1.0, "k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "b": 1e9, "B": 1e9, "G": 1e9, "t": 1e12, "T": 1e12,
    "P": 1e15, "E": 1e18,
}  # fmt: skip
_QUANTITY = re.compile(
    r"^\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKmMbBGtTPE]?)\s*(h|hours|FLOP|tokens|USD|%)?\s*$"
)
_PERCENT = 0.01
_TWO_DIGITS_BELOW = 3.55
FAR_BEYOND = 1e60
"""No quantity of any plan comes near: products of a few of them still fit a float."""


@lru_cache(maxsize=1024)
def unit_of(field: str) -> str | None:
    """The unit suffix that a field's name ends in, '' for a dimensionless word, None for neither."""
    for suffix in UNITS:
        if field.endswith(suffix) or field == suffix[1:]:
            return suffix
    return "" if any(field == w or field.endswith("_" + w) for w in WORDS) else None


def read_quantity(text: str | float | int, field: str) -> float:
    """Read '405B', '15.6T', '30.84M h', '1e25', '35%' or a plain number.

    Raises
    ------
    InputError
        When the text is no number, or not a finite one.
    """
    if isinstance(text, bool) or not isinstance(text, (str, Real)):
        raise InputError(
            field,
            text if isinstance(text, bool) else str(text),
            "is not a number",
            "write a number such as 405B, 15.6T or 1e25",
        )
    if isinstance(text, Real):
        value = float(text) if abs(text) < FAR_BEYOND else math.inf
    else:
        match = _QUANTITY.match(text)
        if match is None:
            raise InputError(field, text, "is not a number", "write a number such as 405B, 15.6T or 1e25")
        digits, scale, unit = match.groups()
        value = float(digits.replace(",", "").replace("_", "")) * _SCALE[scale] * (_PERCENT if unit == "%" else 1.0)
    if not abs(value) < FAR_BEYOND:
        raise InputError(field, str(text)[:40], "must be finite", f"write a number below {FAR_BEYOND:.0e}")
    return value


def read_range(text: str | float | int, field: str) -> tuple[float, float, float]:
    """Read '0.4', '0.35:0.45' (middle halfway) or '0.35:0.42:0.45' as (low, mid, high)."""
    parts = (
        [read_quantity(p, field) for p in text.split(":")] if isinstance(text, str) else [read_quantity(text, field)]
    )
    if len(parts) == 1:
        return parts[0], parts[0], parts[0]
    if len(parts) == 2:
        parts = [parts[0], (parts[0] + parts[1]) / 2, parts[1]]
    if len(parts) != 3 or not parts[0] <= parts[1] <= parts[2]:
        raise InputError(field, text, "is not a range", "write low:high or low:mid:high in rising order")
    return parts[0], parts[1], parts[2]


def significant_digits(low: float, mid: float, high: float) -> int:
    """How many digits of the mid a range supports, 2 to 4.

    The half-width keeps two digits where it begins below 3.55 and one above: Particle Data Group, Review of
    Particle Physics, introduction, section 5.3.
    """
    if not mid or high <= low:
        return 4
    half_width = (high - low) / 2
    place = math.floor(math.log10(half_width))
    kept = 2 if half_width / 10.0**place < _TWO_DIGITS_BELOW else 1
    return min(4, max(2, math.floor(math.log10(abs(mid))) - place + kept))


def round_to(value: float, digits: int) -> float:
    """Round to a number of significant digits."""
    if not value or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


_LADDERS: dict[str, tuple[tuple[float, str], ...]] = {
    "_kwh": ((1e9, "TWh"), (1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh"), (1e-3, "Wh")),
    "_kgco2e": ((1e9, "MtCO2e"), (1e3, "tCO2e"), (1.0, "kgCO2e"), (1e-3, "gCO2e")),
    "_l": ((1e6, "million L"), (1e3, "thousand L"), (1.0, "L")),
    "_usd": ((1e9, "billion USD"), (1e6, "million USD"), (1e3, "thousand USD"), (1.0, "USD")),
    "_h": ((1e6, "M h"), (1e3, "k h"), (1.0, "h")),
    "_hours": ((1e6, "M h"), (1e3, "k h"), (1.0, "h")),
    "_w": ((1e3, "kW"), (1.0, "W")),
}
_PLAIN = {
    "_g_per_kwh": "g/kWh", "_l_per_kwh": "L/kWh", "_usd_per_kwh": "USD/kWh", "_usd_per_h": "USD/h",
    "_gb": "GB", "_w_per_gb": "W/GB", "_gb_per_s": "GB/s", "_gbit_per_s": "Gbit/s",
    "_tokens_per_s": "tokens/s", "_s": "s", "_j": "J",
    "_bytes": "bytes", "_tflop_per_s": "TFLOP/s", "_top_per_s": "TOP/s", "_flop": "FLOP", "_flop_per_s": "FLOP/s",
    "_kgco2e_per_token": "kgCO2e/token", "_kgco2e_per_flop": "kgCO2e/FLOP",
}  # fmt: skip
_COUNT_LADDER = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def scale_for(field: str, value: float) -> tuple[float, str]:
    """The divisor and the unit in which a field of this size is read most easily."""
    unit = unit_of(field)
    for divisor, name in _LADDERS.get(unit or "", ()):
        if abs(value) >= divisor:
            return divisor, name
    if unit in _LADDERS:
        return _LADDERS[unit][-1]
    return 1.0, _PLAIN.get(unit or "", "")


def show_number(value: float, digits: int = 3) -> str:
    """A number for reading: grouped thousands, no digits beyond the stated ones, exponents when extreme."""
    rounded = round_to(value, digits)
    if rounded and (abs(rounded) >= 1e15 or abs(rounded) < 1e-4):
        return f"{rounded:.{digits - 1}e}"
    if rounded == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def show(field: str, value: float, digits: int = 3) -> str:
    """A value with its unit, such as '21.6 GWh', '405B' or '0.41'."""
    if unit_of(field) == "" and abs(value) >= 1e6:
        divisor, name = next(pair for pair in _COUNT_LADDER if abs(value) >= pair[0])
        return f"{show_number(value / divisor, digits)}{name}" if value < 1e15 else show_number(value, digits)
    divisor, name = scale_for(field, value)
    return f"{show_number(value / divisor, digits)} {name}".strip()
