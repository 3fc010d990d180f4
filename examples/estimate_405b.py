"""The footprint of Llama 3.1 405B from its architecture, tokens and hardware: `python examples/estimate_405b.py`."""

import footprint

result = footprint.estimate("llama-3.1-405b", sensitivity=True)
hours = result.usage.accelerator_hours
print(f"{hours.mid / 1e6:.1f}M accelerator-hours ({hours.low / 1e6:.0f}M to {hours.high / 1e6:.0f}M)")
print(f"{result.model_card.operational_location_kgco2e.mid / 1e3:,.0f} tCO2e by the model-card convention")
print(f"{result.facility.operational_location_kgco2e.mid / 1e3:,.0f} tCO2e by the facility convention")
print(f"what moves it most: {result.sensitivities[0].field}")
