"""The inputs of the calculator: one table, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from footprint.accounting.site import SETTINGS
from footprint.estimation.words import STAGE_SETTINGS
from footprint.estimation.words import setting_field as full_name
from footprint.report.wording import LABELS

PRESET, SIZE, CONFIG = "preset", "size", "config"
HOWS = {PRESET: "A published model", SIZE: "A size of your own", CONFIG: "A config.json"}
"""How one says what is trained; each has words of its own."""


@dataclass(frozen=True, slots=True)
class Field:
    """One input: a word of `footprint.estimate`, or a setting."""

    word: str
    label: str
    hint: str
    """What is taken where it stays empty and the ledger has no line for it."""
    names: str = ""
    """Whose names may be meant: a list of `lists.LISTS`."""
    ladder: tuple[str, ...] = ()
    """What a slider goes through."""
    how: str = ""
    """Shown for this way of saying what is trained alone."""
    is_setting: bool = False
    example: str = ""


def _rising(first: int, last: int, suffix: str = "", steps: Iterable[int] = (10, 15, 20, 30, 50, 70)) -> list[str]:
    """Ten to the power `first` onwards, in steps that look alike on a ruler: 1, 1.5, 2, 3, 5, 7, 10."""
    tens = [10**power * step for power in range(first, last) for step in steps]
    return [f"{ten / 10:g}{suffix}" for ten in tens]


COUNTS = tuple(str(2**power * part // 2) for power in range(18) for part in ((2, 3) if power else (2,)))
TOKENS = (*_rising(0, 3, "B"), *_rising(0, 3, "T"))
SIZES = (*_rising(2, 3, "M"), *_rising(0, 3, "B"), *_rising(0, 1, "T"))
PUES = tuple(f"{1 + i / 50:.2f}" for i in range(51))
INTENSITIES = tuple(str(10 * i) for i in range(101))
SHARES = tuple(f"{i / 50:.2f}" for i in range(2, 51))
PRICES = tuple(f"{i / 4:.2f}" for i in range(1, 65))
CENTS = tuple(f"{i / 50:.2f}" for i in range(1, 21))

TRAINED = (
    Field("model", "Model", "name a preset or a family", "models", how=PRESET),
    Field("params", "Parameters", "needed, unless hours or FLOP are known", ladder=SIZES, how=SIZE, example="7B"),
    Field("active_params", "Active parameters", "all of them: not a mixture of experts", how=SIZE),
    Field("config", "config.json (paste it)", "needed: the text of a Hugging Face config.json", how=CONFIG),
    Field("tokens", "Tokens", "needed, unless a preset, hours or FLOP say it", ladder=TOKENS, example="2T"),
    Field("seq_len", "Sequence length", "what is usual for the model"),
    Field("batch_tokens", "Tokens a step", "what is usual for the size"),
    Field("precision", "Precision", "the device's 16-bit precision", "precisions"),
    Field("optimizer", "Optimizer", "adamw", "optimizers"),
    Field("framework", "Framework", "the device maker's", "frameworks"),
    Field("layout", "Layout", "searched: the fastest that fits; or fix parts, such as tp=8,pp=4"),
    Field("accelerator_hours", "Known accelerator-hours", "estimated"),
    Field("flop", "Known FLOP", "from parameters and tokens"),
    Field("development", "Runs before the final one", "not counted", "developments"),
)
HARDWARE = (
    Field("accelerator", "Accelerator", "needed, unless a preset says it", "accelerators", example="h100-sxm"),
    Field("count", "How many", "not known: no duration is told", ladder=COUNTS, example="512"),
    Field("node", "Server or instance", "those that carry the accelerator", "nodes"),
)
PLACE = (
    Field("region", "Cloud region", "none", "regions"),
    Field("country", "Country", "the preset's, or the world's mean", "countries"),
    Field("zone", "Grid zone", "that of the region or country", "zones"),
    Field("operator", "Operator", "the region's provider", "operators"),
    Field("provider", "Prices of", "the region's provider, or all that list one", "providers"),
    Field("year", "Year", "the preset's release, or the newest data"),
    Field("grid", "Intensity from", "the first that knows the zone", "grids"),
)
MAIN_SETTINGS = (
    Field("pue", "PUE", "", ladder=PUES, is_setting=True),
    Field("location_intensity_g_per_kwh", "Grid intensity, g/kWh", "", ladder=INTENSITIES, is_setting=True),
    Field("mfu", "MFU", "modelled", ladder=SHARES, is_setting=True),
    Field("goodput", "Goodput", "modelled", ladder=SHARES, is_setting=True),
    Field("electricity_usd_per_kwh", "Electricity, USD/kWh", "not known", ladder=CENTS, is_setting=True),
    Field("on_demand_usd_per_h", "Rental on demand, USD/h", "not known", ladder=PRICES, is_setting=True),
)
_MAIN = {one.word for one in MAIN_SETTINGS}
_NAMES = {
    "wue_l_per_kwh": "Water on site, L/kWh",
    "water_intensity_l_per_kwh": "Water of the grid, L/kWh",
    "market_intensity_g_per_kwh": "Market-based intensity, g/kWh",
    "tdp_w": "TDP, W",
}
OTHER_SETTINGS = tuple(
    Field(name, _NAMES.get(name, LABELS.get(name, name.replace("_", " "))), "none", is_setting=True)
    for name in (*SETTINGS, *STAGE_SETTINGS)
    if name not in _MAIN
)
MAIN = {
    "What is trained": TRAINED[:5],
    "On what": HARDWARE[:2],
    "Where": PLACE[:2],
    "What moves it": MAIN_SETTINGS,
}
MORE = {
    "More of the training": (*TRAINED[5:], HARDWARE[2]),
    "More of the place": PLACE[2:],
    "Every other assumption": OTHER_SETTINGS,
}
FIELDS = tuple(one for group in (*MAIN.values(), *MORE.values()) for one in group)
BY_WORD = {one.word: one for one in FIELDS}


def field_of(told: str) -> str:
    """The input that an error or a line of the ledger speaks of; '' for none."""
    word = told.rsplit(".", 1)[-1]
    return word if word in BY_WORD else {"set": "", "intensity": full_name("intensity")}.get(word, "")
