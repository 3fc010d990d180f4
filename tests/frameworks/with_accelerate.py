"""A loop of one's own with accelerate, on the CPU; tells what happened as lines of JSON.

Usage: with_accelerate.py FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker
from scenes import in_its_own_process

from footprint.integrations.accelerate import FootprintTracker

FOLDER = Path(sys.argv[1])


class Seen(GeneralTracker):
    """A tracker that reports, as W&B's does."""

    name = "seen"
    requires_logging_directory = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []

    @property
    def tracker(self) -> Seen:
        return self

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        self.rows.append({**values, "step": step})


def main(scene: str) -> None:
    ours, seen = FootprintTracker("loop", country="FRA", interval_s=0.2, steps=20), Seen()
    accelerator = Accelerator(cpu=True, log_with=[ours, seen, "tensorboard"], project_dir=str(FOLDER))
    accelerator.init_trackers("board", config={"lr": 0.1})
    accelerator.register_for_checkpointing(ours)
    model = torch.nn.Linear(4, 4)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), 0.1))
    first = 0
    if scene == "resume":
        accelerator.load_state(str(FOLDER / "kept"))
        first = 10
    for step in range(first, first + 10):
        with ours.run.window("step"):
            accelerator.backward(model(torch.rand(8, 4)).mean())
            optimizer.step()
            optimizer.zero_grad()
            time.sleep(0.05)
        ours.run.step(0, tokens=32)
        accelerator.log({"loss": 1.0 / (step + 1)}, step=step + 1)
    if scene == "whole":
        accelerator.save_state(str(FOLDER / "kept"))
        unwrapped = accelerator.get_tracker("footprint", unwrap=True)
        accelerator.end_training()
        found = ours.result
        told = {"is_run": unwrapped is ours.run, "rows": seen.rows, "windows": [w.name for w in found.windows]}
    else:
        told = {}
    print(json.dumps({scene: {"id": ours.run.id, **told}}), flush=True)
    if scene == "resume":
        raise RuntimeError("nobody catches this")


if __name__ == "__main__":
    scene = in_its_own_process("whole", "resume")
    torch.set_num_threads(1)
    main(scene)
