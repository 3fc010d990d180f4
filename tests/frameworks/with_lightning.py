"""A tiny LightningModule, trained for real on the CPU; tells what happened as lines of JSON.

Usage: with_lightning.py FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from scenes import in_its_own_process

from footprint.integrations.lightning import FootprintCallback

FOLDER = Path(sys.argv[1])
SEQ_LEN, BATCH = 16, 4


class Tokens(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 32

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        time.sleep(0.01)
        return {"input_ids": torch.full((SEQ_LEN,), place % 50)}


class Tiny(lightning.LightningModule):
    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(50, 8), torch.nn.Linear(8, 50)
        self.fails_at = fails_at

    def training_step(self, batch: Any, place: int) -> torch.Tensor:
        if self.fails_at is not None and self.global_step >= self.fails_at:
            raise RuntimeError("the data are gone")
        ids = batch["input_ids"]
        return torch.nn.functional.cross_entropy(self.head(self.embedding(ids)).flatten(0, 1), ids.flatten())

    def validation_step(self, batch: Any, place: int) -> None:
        self.log("val_loss", self.training_step(batch, place))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def loader() -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(Tokens(), batch_size=BATCH)


def callback(**given: Any) -> Any:
    return FootprintCallback(country="FRA", interval_s=0.2, **given)


def trainer(*callbacks: Any, **given: Any) -> lightning.Trainer:
    usual: dict[str, Any] = {
        "accelerator": "cpu", "devices": 1, "default_root_dir": str(FOLDER), "log_every_n_steps": 2, "max_epochs": 2,
        "enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False,
    }  # fmt: skip
    return lightning.Trainer(**{**usual, **given}, callbacks=list(callbacks))


def told(one: Any) -> dict[str, Any]:
    found = one.result
    return {
        "id": found.id,
        "status": found.status,
        "notes": list(found.notes),
        "steps": found.progress.steps_count,
        "tokens": found.progress.tokens,
        "total_steps": found.progress.total_steps_count,
        "epochs": found.progress.epochs_count,
        "windows": {w.name: w.window_count for w in found.windows},
        "segments": len(found.segments),
    }


def whole() -> dict[str, Any]:
    ours = callback()
    keeper = ModelCheckpoint(dirpath=FOLDER / "kept", filename="last", every_n_epochs=2)
    loggers = [CSVLogger(str(FOLDER), name="csv"), TensorBoardLogger(str(FOLDER), name="board")]
    fitted = trainer(ours, keeper, logger=loggers, enable_checkpointing=True)
    fitted.fit(Tiny(), loader(), loader())
    with (Path(loggers[0].log_dir) / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {**told(ours), "rows": rows, "callback_metrics": sorted(fitted.callback_metrics)}


def caught() -> dict[str, Any]:
    ours = callback()
    try:
        trainer(ours).fit(Tiny(fails_at=3), loader())
    except RuntimeError as error:
        return {"raised": str(error), "open": ours.is_open, **told(ours)}
    raise AssertionError("it should have failed")


def budget() -> dict[str, Any]:
    ours = callback(budget_kwh=1e-9, on_budget="stop")
    trainer(ours, max_epochs=100).fit(Tiny(), loader())
    return told(ours)


def resume() -> dict[str, Any]:
    ours = callback()
    trainer(ours, max_epochs=3).fit(Tiny(), loader(), ckpt_path=str(FOLDER / "kept" / "last.ckpt"))
    return told(ours)


if __name__ == "__main__":
    is_resumed = in_its_own_process("whole", "resume") == "resume"
    torch.set_num_threads(1)
    scenes = (resume,) if is_resumed else (whole, caught, budget)
    print(json.dumps({scene.__name__: scene() for scene in scenes}))
