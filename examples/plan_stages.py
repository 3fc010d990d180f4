"""A plan in stages, its wall-clock and its money: `python examples/plan_stages.py`."""

from pathlib import Path

import footprint

result = footprint.estimate(Path(__file__).with_name("own_plan.yaml"))
for line in result.usage.lines:
    print(f"{line.name:<10} {line.accelerator_hours.mid:>12,.0f} accelerator-hours")
print(result)
