"""A thousand sizes at once, as one table: `python examples/sweep_counts.py`."""

import numpy as np

import footprint

params = np.geomspace(1e9, 1e12, 1000)
table = footprint.sweep(params=params, tokens=20 * params, accelerator="h100-sxm", country="FRA")
print(table[["params", "accelerator_hours", "facility_energy_kwh", "operational_location_kgco2e"]].iloc[::250])
