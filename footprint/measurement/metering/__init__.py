"""Adds samples up to energy: one meter, and all of a host."""

from footprint.measurement.metering.host import HostIntegral
from footprint.measurement.metering.meter import Limits, MeterIntegral

__all__ = ["HostIntegral", "Limits", "MeterIntegral"]
