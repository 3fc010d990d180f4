"""Footprint: what training a model will cost, or did cost: accelerator-hours, energy, CO2e, water, money."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from footprint.version import __version__

if TYPE_CHECKING:
    from footprint import charts
    from footprint.errors import DataError, FootprintError, InputError, MissingExtra, UnknownName
    from footprint.estimation.doors import backtest, calibrate, compare, estimate, sweep
    from footprint.measurement.tracker.doors import track
    from footprint.report.result import Result

_HOMES = {
    "DataError": "footprint.errors",
    "FootprintError": "footprint.errors",
    "InputError": "footprint.errors",
    "MissingExtra": "footprint.errors",
    "Result": "footprint.report.result",
    "UnknownName": "footprint.errors",
    "backtest": "footprint.estimation.doors",
    "calibrate": "footprint.estimation.doors",
    "charts": "footprint.charts",
    "compare": "footprint.estimation.doors",
    "estimate": "footprint.estimation.doors",
    "sweep": "footprint.estimation.doors",
    "track": "footprint.measurement.tracker.doors",
}

__all__ = [
    "DataError",
    "FootprintError",
    "InputError",
    "MissingExtra",
    "Result",
    "UnknownName",
    "__version__",
    "backtest",
    "calibrate",
    "charts",
    "compare",
    "estimate",
    "sweep",
    "track",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'footprint' has no attribute {name!r}")
    room = import_module(home)
    return room if home == f"footprint.{name}" else getattr(room, name)


def __dir__() -> list[str]:
    return sorted(__all__)
