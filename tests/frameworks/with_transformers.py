"""A two-layer GPT-2 made from a configuration, trained for real on the CPU; tells what happened as lines of JSON.

Usage: with_transformers.py FOLDER [ranks]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from scenes import in_its_own_process
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from footprint.integrations.transformers import FootprintCallback

FOLDER = Path(sys.argv[1])
STEP_S = 0.05
SEQ_LEN, BATCH = 16, 4


class Tokens(torch.utils.data.Dataset):
    def __init__(self, fails_after: int | None = None) -> None:
        self.fails_after, self.given = fails_after, 0

    def __len__(self) -> int:
        return 64

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        time.sleep(STEP_S / BATCH)
        self.given += 1
        if self.fails_after is not None and self.given > self.fails_after:
            raise RuntimeError("the data are gone")
        ids = torch.full((SEQ_LEN,), place % 50)
        return {"input_ids": ids, "labels": ids}


class Seen(TrainerCallback):
    """A callback that reports, as W&B's does: what it is given is what reaches the user."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        self.logs.append(dict(logs))


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    shape = {"vocab_size": 50, "n_positions": SEQ_LEN, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0, loss_type="ForCausalLM"))


def arguments(place: str, **given: Any) -> TrainingArguments:
    usual: dict[str, Any] = {
        "output_dir": str(FOLDER / place), "max_steps": 12, "per_device_train_batch_size": BATCH, "logging_steps": 2,
        "save_steps": 6, "report_to": [], "disable_tqdm": True, "use_cpu": True, "dataloader_pin_memory": False,
    }  # fmt: skip
    return TrainingArguments(**{**usual, **given})


def callback(**given: Any) -> Any:
    return FootprintCallback(country="FRA", interval_s=0.2, **given)


def told(one: Any) -> dict[str, Any]:
    found = one.result
    return {
        "id": found.id,
        "status": found.status,
        "open": one.is_open,
        "notes": list(found.notes),
        "steps": found.progress.steps_count,
        "tokens": found.progress.tokens,
        "total_steps": found.progress.total_steps_count,
        "flop": found.progress.training_flop,
        "windows": {w.name: w.window_count for w in found.windows},
        "segments": [[s.status, s.progress.steps_count] for s in found.segments],
        "wasted_kwh": None if found.wasted_it_energy_kwh is None else found.wasted_it_energy_kwh.mid,
        "kgco2e": found.footprint.facility.operational_location_kgco2e.mid,
    }


def whole() -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen, ours = Seen(), callback(training_type="pre-training", tags=["tiny"])
    given = {"eval_strategy": "steps", "eval_steps": 6, "report_to": ["tensorboard"]}
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(FOLDER / "board")
    trainer = Trainer(
        model=model(), args=arguments("whole", **given), train_dataset=Tokens(), eval_dataset=Tokens(),
        callbacks=[seen, ours],
    )  # fmt: skip
    output = trainer.train()
    trainer.create_model_card(model_name="tiny")
    boards = sorted((FOLDER / "board").rglob("events*")) or sorted((FOLDER / "whole").rglob("events*"))
    board = EventAccumulator(str(boards[0].parent)).Reload()
    return {
        **told(ours),
        "params": sum(p.numel() for p in trainer.model.parameters()),
        "words": ours.run.words.plain(),
        "order": [type(one).__name__ for one in trainer.callback_handler.callbacks],
        "seen": seen.logs,
        "history": trainer.state.log_history,
        "metrics": sorted(output.metrics),
        "board": board.Tags()["scalars"],
        "card": (FOLDER / "whole" / "README.md").read_text("utf-8"),
        "beside": json.loads((FOLDER / "whole" / "checkpoint-6" / "footprint.json").read_text("utf-8")),
        "kept": json.loads((FOLDER / "whole" / "checkpoint-6" / "trainer_state.json").read_text("utf-8")),
    }


def caught() -> dict[str, Any]:
    """An exception that the user catches, as in a notebook; the same callback is then used again."""
    ours = callback()
    trainer = Trainer(model=model(), args=arguments("caught"), train_dataset=Tokens(20), callbacks=[ours])
    try:
        trainer.train()
    except RuntimeError as error:
        raised = str(error)
    until_s = time.monotonic() + 10
    while ours.is_open and time.monotonic() < until_s:
        time.sleep(0.05)
    first = told(ours)
    trainer = Trainer(model=model(), args=arguments("caught"), train_dataset=Tokens(), callbacks=[ours])
    trainer.train()
    return {"raised": raised, "first": first, "second": told(ours)}


def within() -> dict[str, Any]:
    """The context manager tells the exception."""
    with_error = None
    try:
        with callback() as ours:
            Trainer(model=model(), args=arguments("within"), train_dataset=Tokens(20), callbacks=[ours]).train()
    except RuntimeError as error:
        with_error = str(error)
    return {"raised": with_error, **told(ours)}


def late() -> dict[str, Any]:
    """Added after the Trainer was made, to a training that goes on from a checkpoint written without it."""
    Trainer(model=model(), args=arguments("late", max_steps=6), train_dataset=Tokens()).train()
    ours = callback()
    again = arguments("late", restore_callback_states_from_checkpoint=True)
    trainer = Trainer(model=model(), args=again, train_dataset=Tokens())
    trainer.add_callback(ours)
    trainer.train(resume_from_checkpoint=str(FOLDER / "late" / "checkpoint-6"))
    return {**told(ours), "order": [type(one).__name__ for one in trainer.callback_handler.callbacks]}


def smaller() -> dict[str, Any]:
    """A batch that does not fit is tried again with half of it, within one call of train."""

    class Full(Trainer):
        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if len(inputs["input_ids"]) > 2:
                raise RuntimeError("CUDA out of memory.")
            return super().training_step(model, inputs, *args, **kwargs)

    ours = callback()
    Full(
        model=model(), args=arguments("smaller", auto_find_batch_size=True), train_dataset=Tokens(), callbacks=[ours]
    ).train()
    return told(ours)


def budget() -> dict[str, Any]:
    ours = callback(budget_kwh=1e-9, on_budget="stop")
    Trainer(model=model(), args=arguments("budget", max_steps=400), train_dataset=Tokens(), callbacks=[ours]).train()
    return told(ours)


def resume() -> dict[str, Any]:
    """Another process goes on from a checkpoint: steps 7 to 12 of the first one are done again."""
    ours = callback()
    trainer = Trainer(model=model(), args=arguments("whole"), train_dataset=Tokens(), callbacks=[ours])
    trainer.train(resume_from_checkpoint=str(FOLDER / "whole" / "checkpoint-6"))
    return told(ours)


def dies() -> None:
    """Nobody catches this one."""
    ours = callback(run_id="dies")
    Trainer(model=model(), args=arguments("dies"), train_dataset=Tokens(20), callbacks=[ours]).train()


def ranks() -> dict[str, Any]:
    """One of several processes that train together."""
    ours = callback()
    more: dict[str, Any] = {"ddp_find_unused_parameters": False, "include_num_input_tokens_seen": "all"}
    Trainer(model=model(), args=arguments("ranks", **more), train_dataset=Tokens(), callbacks=[ours]).train()
    return {"rank": int(os.environ["RANK"]), "run": ours.run.id}


if __name__ == "__main__":
    scene = "ranks" if sys.argv[2:] else in_its_own_process("whole", "resume")
    torch.set_num_threads(1)
    if scene == "whole":
        print(json.dumps({s.__name__: s() for s in (whole, caught, within, late, smaller, budget)}))
    elif scene == "resume":
        print(json.dumps({"resume": resume()}), flush=True)
        dies()
    else:
        result = ranks()
        (FOLDER / f"ranks-{result['rank']}.json").write_text(json.dumps(result))
