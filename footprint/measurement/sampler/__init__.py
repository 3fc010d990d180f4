"""Owns time: when sensors are read, and by which thread."""

from footprint.measurement.sampler.pace import Pace
from footprint.measurement.sampler.shift import FULL_INTERVALS, FULL_S, Readable
from footprint.measurement.sampler.threads import Sampler

__all__ = ["FULL_INTERVALS", "FULL_S", "Pace", "Readable", "Sampler"]
