"""A dense layer fitted by Keras over PyTorch on the CPU; tells what happened as one line of JSON."""

from __future__ import annotations

import json
import os
import time
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

from footprint.integrations.keras import FootprintCallback

INPUTS, OUTPUTS = np.random.rand(64, 8), np.random.rand(64, 4)


class Slow(keras.callbacks.Callback):
    """Keeps the pace of a larger model, and may fail."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.fails_at, self.seen = fails_at, {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(0.03)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen = dict(logs or {})
        if epoch == self.fails_at:
            raise RuntimeError("the data are gone")


def fit(*callbacks: Any, epochs: int = 3) -> Any:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)], name="tiny:dense")
    model.compile("sgd", "mse")
    return model.fit(
        INPUTS, OUTPUTS, epochs=epochs, batch_size=8, validation_split=0.25, callbacks=callbacks, verbose=0
    )


def callback(**given: Any) -> Any:
    return FootprintCallback(country="FRA", interval_s=0.2, **given)


def told(one: Any) -> dict[str, Any]:
    found = one.result
    return {
        "name": found.name,
        "status": found.status,
        "open": one.is_open,
        "notes": list(found.notes),
        "steps": found.progress.steps_count,
        "tokens": found.progress.tokens,
        "total_steps": found.progress.total_steps_count,
        "windows": {w.name: w.window_count for w in found.windows},
    }


def whole() -> dict[str, Any]:
    ours, after = callback(tokens_per_step=128), Slow()
    history = fit(ours, after)
    return {**told(ours), "history": {k: len(v) for k, v in history.history.items()}, "seen": after.seen}


def caught() -> dict[str, Any]:
    ours = callback()
    try:
        fit(ours, Slow(fails_at=1))
    except RuntimeError as error:
        raised = str(error)
    until_s = time.monotonic() + 10
    while ours.is_open and time.monotonic() < until_s:
        time.sleep(0.05)
    return {"raised": raised, **told(ours)}


def within() -> dict[str, Any]:
    try:
        with callback() as ours:
            fit(ours, Slow(fails_at=1))
    except RuntimeError as error:
        return {"raised": str(error), **told(ours)}
    raise AssertionError("it should have failed")


def budget() -> dict[str, Any]:
    ours = callback(budget_kwh=1e-9, on_budget="stop")
    fit(ours, Slow(), epochs=200)
    return told(ours)


if __name__ == "__main__":
    print(json.dumps({scene.__name__: scene() for scene in (whole, caught, within, budget)}))
